//! The terminal that a session's program sees: the emulator's grid, driven sequence by sequence, and beside it all that
//! the emulator does not keep or does not show but that a terminal attached later has to be given: the scroll region,
//! both screens, keyboard modes, colours, titles.
//!
//! Cursor movement, margins and the alternate screen are done here, on the emulator's grid: its own ones go wrong under
//! origin mode and give no access to the screen that is not shown. Writing, wrapping, scrolling, erasing and reflow are
//! the emulator's.

mod moving;
mod screens;

use std::collections::BTreeMap;
use std::ops::Range;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Term, TermMode};
use unicode_width::UnicodeWidthChar;
use vte::ansi::{CharsetIndex, Handler};

use self::screens::{rows, term};
use super::modes::Modes;
use super::packed::Packed;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host::screen) struct Size {
    pub(in crate::host::screen) cols: usize,
    pub(in crate::host::screen) rows: usize,
}

impl Size {
    /// The nearest size that can be held: a wide character fits, and a hostile size costs bounded memory.
    pub(in crate::host::screen) fn clamped(cols: u16, rows: u16) -> Self {
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
pub(in crate::host::screen) enum Alternate {
    /// 47: the cursor is shared, nothing is cleared.
    Plain,
    /// 1047: as 47, cleared on leaving.
    Cleared,
    /// 1049: cleared on entering, the cursor is saved and restored.
    Saved,
}

impl Alternate {
    /// The private mode's number.
    pub(in crate::host::screen) fn number(self) -> u16 {
        match self {
            Self::Plain => 47,
            Self::Cleared => 1047,
            Self::Saved => 1049,
        }
    }
}

/// What a saved cursor holds beside what the emulator saves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::host::screen) struct Saved {
    pub(in crate::host::screen) charset: usize,
    pub(in crate::host::screen) origin: bool,
}

/// What belongs to one of the two screens, beside its grid.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::host::screen) struct PerScreen {
    pub(in crate::host::screen) saved: Saved,
    /// Kitty keyboard flags: the stack, its top in force.
    pub(in crate::host::screen) kitty: Vec<u8>,
}

/// Bits of the underline styles and the rest that fit into 16 bits leave one free: blinking text, which the emulator
/// does not know.
pub(in crate::host::screen) const BLINK: Flags = Flags::from_bits_retain(0x8000);
/// Most characters of zero width that one cell keeps.
const COMBINING: usize = 16;
/// Most entries that the kitty keyboard stack keeps, as the protocol asks for a bound.
pub(in crate::host::screen) const KITTY_STACK: usize = 16;
/// Most titles that are kept for `CSI 23 t`.
pub(in crate::host::screen) const TITLE_STACK: usize = 10;

/// See the module.
pub(in crate::host::screen) struct Machine {
    pub(in crate::host::screen) term: Term<VoidListener>,
    /// The screen that is not shown: the primary one while the alternate one is, and the other way round.
    pub(in crate::host::screen) hidden: Option<Box<Grid<Cell>>>,
    /// While nothing is written: both screens, and the grids above are empty.
    resting: Option<(Packed, Option<Packed>)>,
    pub(in crate::host::screen) alternate: Option<Alternate>,
    /// Scroll region, in rows from 0.
    pub(in crate::host::screen) region: Range<i32>,
    /// G0 to G3: which one is shown.
    pub(in crate::host::screen) charset: usize,
    /// Of the primary and of the alternate screen.
    pub(in crate::host::screen) screens: [PerScreen; 2],
    pub(in crate::host::screen) modes: Modes,
    /// `OSC 4` (0 to 255) and `OSC 10` to `19` (at 1000 and more).
    pub(in crate::host::screen) colors: BTreeMap<u16, [u8; 3]>,
    /// DECSCUSR, 0 for the terminal's own.
    pub(in crate::host::screen) cursor_style: u8,
    pub(in crate::host::screen) title: String,
    pub(in crate::host::screen) titles: Vec<String>,
    /// `OSC 9;4` progress, its payload; empty for none.
    pub(in crate::host::screen) progress: String,
    /// The last character printed, for REP.
    pub(in crate::host::screen) last: Option<char>,
    /// What scrolls off the primary screen is kept.
    pub(in crate::host::screen) keeps_history: bool,
    /// Set with every character printed.
    pub(in crate::host::screen) printed: bool,
    /// Names the links that have no name of their own.
    pub(in crate::host::screen) links: u32,
    /// The program set colours, keyboard flags or tab stops at some time: a terminal may still have them.
    pub(in crate::host::screen) touched: Touched,
}

/// See [`Machine::touched`].
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::host::screen) struct Touched {
    pub(in crate::host::screen) colors: bool,
    pub(in crate::host::screen) kitty: bool,
    pub(in crate::host::screen) tabs: bool,
}

impl Machine {
    pub(in crate::host::screen) fn new(size: Size, history: usize) -> Self {
        Self {
            term: term(size, history),
            hidden: None,
            resting: None,
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
            keeps_history: history > 0,
            printed: false,
            links: 0,
            touched: Touched::default(),
        }
    }

    pub(in crate::host::screen) fn size(&self) -> Size {
        if let Some((shown, _)) = &self.resting {
            return shown.size();
        }
        Size { cols: self.term.grid().columns(), rows: self.term.grid().screen_lines() }
    }

    /// The state of the screen that is shown.
    pub(in crate::host::screen) fn screen(&mut self) -> &mut PerScreen {
        &mut self.screens[usize::from(self.alternate.is_some())]
    }

    /// The grid of the primary screen, shown or not.
    pub(in crate::host::screen) fn primary(&self) -> &Grid<Cell> {
        match (&self.hidden, self.alternate) {
            (Some(hidden), Some(_)) => hidden,
            (None, Some(_)) | (_, None) => self.term.grid(),
        }
    }

    pub(in crate::host::screen) fn origin(&self) -> bool {
        self.term.mode().contains(TermMode::ORIGIN)
    }

    pub(in crate::host::screen) fn print(&mut self, c: char) {
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

    pub(in crate::host::screen) fn repeat(&mut self, count: usize) {
        if let Some(c) = self.last {
            let size = self.size();
            // More than a full screen changes nothing any more, except for what was scrolled away.
            for _ in 0..count.min(size.cols * size.rows * 2) {
                self.print(c);
            }
        }
    }

    pub(in crate::host::screen) fn line_feed(&mut self) {
        self.term.linefeed();
        if self.term.mode().contains(TermMode::LINE_FEED_NEW_LINE) {
            self.term.carriage_return();
        }
    }

    pub(in crate::host::screen) fn kitty_flags(&self) -> u8 {
        self.screens[usize::from(self.alternate.is_some())].kitty.last().copied().unwrap_or(0)
    }

    pub(in crate::host::screen) fn push_kitty(&mut self, flags: u8) {
        self.touched.kitty = true;
        let stack = &mut self.screen().kitty;
        if stack.len() >= KITTY_STACK {
            stack.remove(0);
        }
        stack.push(flags);
    }

    pub(in crate::host::screen) fn pop_kitty(&mut self, count: usize) {
        let stack = &mut self.screen().kitty;
        stack.truncate(stack.len().saturating_sub(count));
    }

    pub(in crate::host::screen) fn set_kitty(&mut self, flags: u8, how: u16) {
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
}

pub(in crate::host::screen) fn clip(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(in crate::host::screen) fn charset_index(n: usize) -> CharsetIndex {
    match n {
        1 => CharsetIndex::G1,
        2 => CharsetIndex::G2,
        3 => CharsetIndex::G3,
        _ => CharsetIndex::G0,
    }
}
