//! The terminal that a session's program sees: the emulator's grid, driven sequence by sequence, and beside it all that
//! the emulator does not keep or does not show but that a terminal attached later has to be given: the scroll region,
//! both screens, keyboard modes, colours, titles.
//!
//! Cursor movement, margins and the alternate screen are done here, on the emulator's grid: its own ones go wrong under
//! origin mode and give no access to the screen that is not shown. Writing, wrapping, scrolling, erasing and reflow are
//! the emulator's.

use std::collections::BTreeMap;
use std::ops::Range;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Term, TermMode};
use unicode_width::UnicodeWidthChar;
use vte::ansi::{CharsetIndex, Handler, NamedPrivateMode, TabulationClearMode};

use super::modes::Modes;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cols: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The nearest size that can be held: a wide character fits, and a hostile size costs bounded memory.
    pub(super) fn clamped(cols: u16, rows: u16) -> Self {
        Self { cols: usize::from(cols).clamp(2, 2_000), rows: usize::from(rows).clamp(1, 1_000) }
    }
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.rows
    }
    fn screen_lines(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.cols
    }
}

/// The mode that showed the alternate screen: leaving it means something else for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alternate {
    /// 47: the cursor is shared, nothing is cleared.
    Plain,
    /// 1047: as 47, cleared on leaving.
    Cleared,
    /// 1049: cleared on entering, the cursor is saved and restored.
    Saved,
}

impl Alternate {
    /// The private mode's number.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Plain => 47,
            Self::Cleared => 1047,
            Self::Saved => 1049,
        }
    }
}

/// What a saved cursor holds beside what the emulator saves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) charset: usize,
    pub(super) origin: bool,
}

/// What belongs to one of the two screens, beside its grid.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct PerScreen {
    pub(super) saved: Saved,
    /// Kitty keyboard flags: the stack, its top in force.
    pub(super) kitty: Vec<u8>,
}

/// Bits of the underline styles and the rest that fit into 16 bits leave one free: blinking text, which the emulator
/// does not know.
pub(super) const BLINK: Flags = Flags::from_bits_retain(0x8000);
/// Most characters of zero width that one cell keeps.
const COMBINING: usize = 16;
/// Most entries that the kitty keyboard stack keeps, as the protocol asks for a bound.
pub(super) const KITTY_STACK: usize = 16;
/// Most titles that are kept for `CSI 23 t`.
pub(super) const TITLE_STACK: usize = 10;

/// See the module.
pub(super) struct Machine {
    pub(super) term: Term<VoidListener>,
    /// The screen that is not shown: the primary one while the alternate one is, and the other way round.
    pub(super) hidden: Option<Box<Grid<Cell>>>,
    pub(super) alternate: Option<Alternate>,
    /// Scroll region, in rows from 0.
    pub(super) region: Range<i32>,
    /// G0 to G3: which one is shown.
    pub(super) charset: usize,
    /// Of the primary and of the alternate screen.
    pub(super) screens: [PerScreen; 2],
    pub(super) modes: Modes,
    /// `OSC 4` (0 to 255) and `OSC 10` to `19` (at 1000 and more).
    pub(super) colors: BTreeMap<u16, [u8; 3]>,
    /// DECSCUSR, 0 for the terminal's own.
    pub(super) cursor_style: u8,
    pub(super) title: String,
    pub(super) titles: Vec<String>,
    /// `OSC 9;4` progress, its payload; empty for none.
    pub(super) progress: String,
    /// The last character printed, for REP.
    pub(super) last: Option<char>,
    /// Set with every character printed.
    pub(super) printed: bool,
    /// Names the links that have no name of their own.
    pub(super) links: u32,
    /// The program set colours, keyboard flags or tab stops at some time: a terminal may still have them.
    pub(super) touched: Touched,
}

/// See [`Machine::touched`].
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Touched {
    pub(super) colors: bool,
    pub(super) kitty: bool,
    pub(super) tabs: bool,
}

impl Machine {
    pub(super) fn new(size: Size, history: usize) -> Self {
        Self {
            term: term(size, history),
            hidden: None,
            alternate: None,
            region: 0..rows(size),
            charset: 0,
            screens: Default::default(),
            modes: Modes::default(),
            colors: BTreeMap::new(),
            cursor_style: 0,
            title: String::new(),
            titles: Vec::new(),
            progress: String::new(),
            last: None,
            printed: false,
            links: 0,
            touched: Touched::default(),
        }
    }

    pub(super) fn size(&self) -> Size {
        Size { cols: self.term.grid().columns(), rows: self.term.grid().screen_lines() }
    }

    /// The state of the screen that is shown.
    pub(super) fn screen(&mut self) -> &mut PerScreen {
        &mut self.screens[usize::from(self.alternate.is_some())]
    }

    /// The grid of the primary screen, shown or not.
    pub(super) fn primary(&self) -> &Grid<Cell> {
        match (&self.hidden, self.alternate) {
            (Some(hidden), Some(_)) => hidden,
            (None, Some(_)) | (_, None) => self.term.grid(),
        }
    }

    pub(super) fn origin(&self) -> bool {
        self.term.mode().contains(TermMode::ORIGIN)
    }

    // ---- printing ----

    pub(super) fn print(&mut self, c: char) {
        self.printed = true;
        if c.is_ascii() {
            self.last = Some(c);
            self.term.input(c);
        } else {
            match c.width() {
                None => return,
                Some(0) => {
                    if !self.combines() {
                        return;
                    }
                }
                Some(_) => self.last = Some(c),
            }
            self.term.input(c);
        }
        if self.term.mode().contains(TermMode::INSERT) {
            self.mend();
        }
    }

    /// Whether the cell that a character of zero width would join has room for it.
    fn combines(&self) -> bool {
        let grid = self.term.grid();
        let mut column = grid.cursor.point.column;
        if !grid.cursor.input_needs_wrap {
            column.0 = column.0.saturating_sub(1);
        }
        let row = &grid[grid.cursor.point.line];
        if row[column].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column.0 = column.0.saturating_sub(1);
        }
        row[column].zerowidth().is_none_or(|present| present.len() < COMBINING)
    }

    pub(super) fn repeat(&mut self, count: usize) {
        if let Some(c) = self.last {
            let size = self.size();
            // More than a full screen changes nothing any more, except for what was scrolled away.
            for _ in 0..count.min(size.cols * size.rows * 2) {
                self.print(c);
            }
        }
    }

    pub(super) fn line_feed(&mut self) {
        self.term.linefeed();
        if self.term.mode().contains(TermMode::LINE_FEED_NEW_LINE) {
            self.term.carriage_return();
        }
    }

    // ---- moving ----

    /// Puts the cursor at a row and column of the screen.
    pub(super) fn place(&mut self, line: i32, column: usize) {
        let size = self.size();
        let cursor = &mut self.term.grid_mut().cursor;
        cursor.point = Point::new(Line(line.clamp(0, rows(size) - 1)), Column(column.min(size.cols - 1)));
        cursor.input_needs_wrap = false;
    }

    /// CUP: rows count from the region's top under origin mode.
    pub(super) fn go(&mut self, line: i32, column: usize) {
        if self.origin() {
            let line = line.saturating_add(self.region.start).min(self.region.end - 1);
            self.place(line, column);
        } else {
            self.place(line, column);
        }
    }

    pub(super) fn at(&self) -> (i32, usize) {
        let point = self.term.grid().cursor.point;
        (point.line.0, point.column.0)
    }

    /// Up stops at the region's top where the cursor is not above it.
    pub(super) fn up(&mut self, count: usize) {
        let (line, column) = self.at();
        let stop = if line >= self.region.start { self.region.start } else { 0 };
        self.place(line.saturating_sub(clip(count)).max(stop), column);
    }

    /// Down stops at the region's end where the cursor is not below it.
    pub(super) fn down(&mut self, count: usize) {
        let (line, column) = self.at();
        let end = if line < self.region.end { self.region.end } else { rows(self.size()) };
        self.place(line.saturating_add(clip(count)).min(end - 1), column);
    }

    pub(super) fn column(&mut self, column: usize) {
        let (line, _) = self.at();
        self.place(line, column);
    }

    /// A tab never wraps, and leaves what it passes.
    pub(super) fn tab(&mut self, count: usize) {
        let count = count.min(self.size().cols);
        self.term.move_forward_tabs(u16::try_from(count).unwrap_or(u16::MAX));
    }

    /// Back to the stop before, or to the first column where there is none.
    pub(super) fn back_tab(&mut self, count: usize) {
        let (line, start) = self.at();
        let mut column = start;
        for _ in 0..count {
            if column == 0 {
                break;
            }
            self.term.move_backward_tabs(1);
            let (_, now) = self.at();
            column = if now == column { 0 } else { now };
        }
        if column != start {
            self.place(line, column);
        }
    }

    /// Tab stops at every eighth column, as at the start.
    pub(super) fn usual_tabs(&mut self) {
        self.touched.tabs = true;
        self.term.clear_tabs(TabulationClearMode::All);
        let column = self.term.grid().cursor.point.column;
        for stop in (0..self.size().cols).step_by(8) {
            self.term.grid_mut().cursor.point.column = Column(stop);
            self.term.set_horizontal_tabstop();
        }
        self.term.grid_mut().cursor.point.column = column;
    }

    pub(super) fn set_tab(&mut self) {
        self.touched.tabs = true;
        self.term.set_horizontal_tabstop();
    }

    pub(super) fn clear_tabs(&mut self, which: TabulationClearMode) {
        self.touched.tabs = true;
        self.term.clear_tabs(which);
    }

    /// The columns that have a tab stop. Whether the first and the last one do shows in nothing.
    pub(super) fn tab_stops(&mut self) -> Vec<usize> {
        let cursor = self.term.grid().cursor.clone();
        let last = self.size().cols - 1;
        let mut stops = Vec::new();
        self.term.grid_mut().cursor.point.column = Column(0);
        loop {
            self.term.move_forward_tabs(1);
            let column = self.term.grid().cursor.point.column.0;
            if column >= last {
                break;
            }
            stops.push(column);
        }
        self.term.grid_mut().cursor = cursor;
        stops
    }

    // ---- margins and modes ----

    /// DECSTBM, rows from 0, the end not included. A region of less than two rows is refused, as terminals do.
    pub(super) fn set_region(&mut self, top: usize, bottom: usize) {
        let bottom = bottom.min(self.size().rows);
        if top + 1 >= bottom && !(top == 0 && bottom == self.size().rows) {
            return;
        }
        self.term.set_scrolling_region(top + 1, Some(bottom));
        self.region = clip(top)..clip(bottom);
        self.go(0, 0);
    }

    /// Lines of text scroll the screen as a whole, each in a row of its own or wrapped.
    pub(super) fn scrolls_whole(&self) -> bool {
        let mode = self.term.mode();
        self.region == (0..rows(self.size()))
            && mode.contains(TermMode::LINE_WRAP)
            && !mode.contains(TermMode::INSERT)
    }

    pub(super) fn set_origin(&mut self, on: bool) {
        let mode = NamedPrivateMode::Origin.into();
        if on {
            self.term.set_private_mode(mode)
        } else {
            self.term.unset_private_mode(mode)
        }
        self.go(0, 0);
    }

    pub(super) fn set_wrap(&mut self, on: bool) {
        let mode = NamedPrivateMode::LineWrap.into();
        if on { self.term.set_private_mode(mode) } else { self.term.unset_private_mode(mode) }
    }

    pub(super) fn shift(&mut self, charset: usize) {
        self.charset = charset;
        self.term.set_active_charset(charset_index(charset));
    }

    pub(super) fn save_cursor(&mut self) {
        self.term.save_cursor_position();
        let saved = Saved { charset: self.charset, origin: self.origin() };
        self.screen().saved = saved;
    }

    pub(super) fn restore_cursor(&mut self) {
        let Saved { charset, origin } = self.screen().saved;
        self.set_origin(origin);
        self.term.restore_cursor_position();
        self.shift(charset);
        if origin {
            let region = self.region.clone();
            let point = &mut self.term.grid_mut().cursor.point;
            point.line = point.line.clamp(Line(region.start), Line(region.end - 1));
        }
    }

    // ---- screens ----

    pub(super) fn show_alternate(&mut self, how: Alternate) {
        if self.alternate.is_some() {
            return;
        }
        if how == Alternate::Saved {
            self.save_cursor();
        }
        let size = self.size();
        let cursor = self.term.grid().cursor.clone();
        let mut other = match self.hidden.take() {
            Some(grid) if how != Alternate::Saved => grid,
            Some(_) | None => Box::new(Grid::new(size.rows, size.cols, 0)),
        };
        other.saved_cursor = cursor.clone();
        other.cursor = cursor;
        if how == Alternate::Saved {
            other.reset_region(..);
        }
        std::mem::swap(self.term.grid_mut(), &mut other);
        self.hidden = Some(other);
        self.alternate = Some(how);
        self.screens[1] = PerScreen { saved: self.screens[0].saved, kitty: Vec::new() };
    }

    /// Leaves the alternate screen, as the mode `how` says.
    pub(super) fn show_primary(&mut self, how: Alternate) {
        let (Some(entered), Some(mut primary)) = (self.alternate, self.hidden.take()) else {
            if how == Alternate::Saved {
                self.restore_cursor();
            }
            return;
        };
        self.alternate = None;
        let cursor = self.term.grid().cursor.clone();
        std::mem::swap(self.term.grid_mut(), &mut primary);
        match how {
            // Where the screen was reflown meanwhile, its own cursor went along; what was saved did not.
            Alternate::Saved if entered == Alternate::Saved => {
                let cursor = self.term.grid().cursor.clone();
                self.restore_cursor();
                self.term.grid_mut().cursor = cursor;
            }
            Alternate::Saved => self.restore_cursor(),
            Alternate::Plain => {
                self.term.grid_mut().cursor = cursor;
                self.hidden = Some(primary);
            }
            Alternate::Cleared => self.term.grid_mut().cursor = cursor,
        }
    }

    /// RIS.
    pub(super) fn reset(&mut self) {
        if self.alternate.is_some() {
            self.show_primary(Alternate::Cleared);
        }
        self.hidden = None;
        self.term.reset_state();
        self.region = 0..rows(self.size());
        self.charset = 0;
        self.screens = Default::default();
        self.modes = Modes::default();
        self.colors.clear();
        self.cursor_style = 0;
        self.titles.clear();
        self.progress.clear();
        self.last = None;
    }

    /// DECSTR.
    pub(super) fn soft_reset(&mut self) {
        let (line, column) = self.at();
        let wraps = self.term.grid().cursor.input_needs_wrap;
        self.term.unset_mode(vte::ansi::NamedMode::Insert.into());
        self.set_origin(false);
        self.set_wrap(true);
        self.set_region(0, self.size().rows);
        self.place(0, 0);
        self.term.grid_mut().cursor = Default::default();
        self.shift(0);
        self.save_cursor();
        self.modes.soft_reset();
        self.place(line, column);
        self.term.grid_mut().cursor.input_needs_wrap = wraps;
    }

    pub(super) fn resize(&mut self, size: Size) {
        if self.size() == size {
            return;
        }
        // The emulator reflows what it holds; the alternate screen is never reflown, its program draws it anew.
        let shown = self.alternate.is_some();
        if let (true, Some(hidden)) = (shown, &mut self.hidden) {
            std::mem::swap(self.term.grid_mut(), hidden);
        }
        let saved = self.term.grid().saved_cursor.clone();
        self.term.resize(size);
        shed_inactive(&mut self.term);
        self.term.grid_mut().saved_cursor = saved;
        tidy(self.term.grid_mut());
        if self.alternate == Some(Alternate::Saved) {
            let grid = self.term.grid_mut();
            grid.saved_cursor = grid.cursor.clone();
        }
        if let Some(hidden) = &mut self.hidden {
            hidden.resize(false, size.rows, size.cols);
            tidy(hidden);
            if shown {
                std::mem::swap(self.term.grid_mut(), hidden);
            }
        }
        self.region = 0..rows(size);
    }

    // ---- keyboard ----

    pub(super) fn kitty_flags(&self) -> u8 {
        self.screens[usize::from(self.alternate.is_some())].kitty.last().copied().unwrap_or(0)
    }

    pub(super) fn push_kitty(&mut self, flags: u8) {
        self.touched.kitty = true;
        let stack = &mut self.screen().kitty;
        if stack.len() >= KITTY_STACK {
            stack.remove(0);
        }
        stack.push(flags);
    }

    pub(super) fn pop_kitty(&mut self, count: usize) {
        let stack = &mut self.screen().kitty;
        stack.truncate(stack.len().saturating_sub(count));
    }

    pub(super) fn set_kitty(&mut self, flags: u8, how: u16) {
        self.touched.kitty = true;
        let stack = &mut self.screen().kitty;
        if stack.is_empty() {
            stack.push(0);
        }
        if let Some(top) = stack.last_mut() {
            match how {
                2 => *top |= flags,
                3 => *top &= !flags,
                _ => *top = flags,
            }
        }
    }

    // ---- wide characters ----

    /// Blanks what is left of wide characters that were cut through, in the cursor's row.
    pub(super) fn mend(&mut self) {
        let line = self.term.grid().cursor.point.line;
        mend(self.term.grid_mut(), line);
    }
}

fn rows(size: Size) -> i32 {
    clip(size.rows)
}

pub(super) fn clip(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn charset_index(n: usize) -> CharsetIndex {
    match n {
        1 => CharsetIndex::G1,
        2 => CharsetIndex::G2,
        3 => CharsetIndex::G3,
        _ => CharsetIndex::G0,
    }
}

fn term(size: Size, history: usize) -> Term<VoidListener> {
    let config = Config { scrolling_history: history, kitty_keyboard: false, ..Config::default() };
    let mut term = Term::new(config, &size, VoidListener);
    shed_inactive(&mut term);
    term
}

/// The emulator keeps a second grid, as large as the first, for its own idea of an alternate screen. It is not used
/// here, and a quarter of a megabyte at 200×50: this puts one of two cells in its place.
fn shed_inactive(term: &mut Term<VoidListener>) {
    let cursor = term.grid().cursor.clone();
    let saved = term.grid().saved_cursor.clone();
    term.swap_alt();
    *term.grid_mut() = Grid::new(1, 2, 0);
    term.swap_alt();
    term.grid_mut().cursor = cursor;
    term.grid_mut().saved_cursor = saved;
}

/// After a change of size: no wrap is pending but in the last column, the saved cursor is on the screen, and no wide
/// character is cut through.
fn tidy(grid: &mut Grid<Cell>) {
    let last = Column(grid.columns() - 1);
    let bottom = Line(clip(grid.screen_lines()) - 1);
    for cursor in [true, false] {
        let cursor = if cursor { &mut grid.cursor } else { &mut grid.saved_cursor };
        cursor.point.line = cursor.point.line.clamp(Line(0), bottom);
        cursor.point.column = cursor.point.column.min(last);
        cursor.input_needs_wrap &= cursor.point.column == last;
    }
    for line in 0..clip(grid.screen_lines()) {
        // The emulator clears a row only up to where it believes it was written to, and forgets that widening appended
        // cells of another background: asked for its last cell to write, it counts the whole row as written.
        let _ = grid[Line(line)].last_mut();
        mend(grid, Line(line));
    }
}

fn mend(grid: &mut Grid<Cell>, line: Line) {
    let columns = grid.columns();
    for column in 0..columns {
        let flags = grid[line][Column(column)].flags;
        if !flags.intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER) {
            continue;
        }
        if flags.contains(Flags::WIDE_CHAR) {
            let whole = column + 1 < columns
                && grid[line][Column(column + 1)].flags.contains(Flags::WIDE_CHAR_SPACER);
            if !whole {
                grid[line][Column(column)].clear_wide();
            }
        }
        if flags.contains(Flags::WIDE_CHAR_SPACER) {
            let whole = column > 0 && grid[line][Column(column - 1)].flags.contains(Flags::WIDE_CHAR);
            if !whole {
                grid[line][Column(column)].flags.remove(Flags::WIDE_CHAR_SPACER);
            }
        }
    }
}
