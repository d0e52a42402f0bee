//! The two screens: showing one or the other, resets, and changes of size.

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Term};
use vte::ansi::Handler;

use super::{Alternate, Machine, Modes, Packed, PerScreen, Size, clip};

impl Machine {
    pub(in crate::host::screen) fn show_alternate(&mut self, how: Alternate) {
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
    pub(in crate::host::screen) fn show_primary(&mut self, how: Alternate) {
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

    /// Takes little memory until [`Self::wake`]; nothing else may be asked of it meanwhile but its size.
    pub(in crate::host::screen) fn rest(&mut self) {
        if self.resting.is_some() || self.keeps_history {
            return;
        }
        let shown = Packed::new(self.term.grid());
        let hidden = self.hidden.take().map(|grid| Packed::new(&grid));
        *self.term.grid_mut() = Grid::new(1, 2, 0);
        self.resting = Some((shown, hidden));
    }

    pub(in crate::host::screen) fn wake(&mut self) {
        if let Some((shown, hidden)) = self.resting.take() {
            *self.term.grid_mut() = shown.unpack();
            self.hidden = hidden.map(|packed| Box::new(packed.unpack()));
        }
    }

    pub(in crate::host::screen) fn is_resting(&self) -> bool {
        self.resting.is_some()
    }

    /// RIS.
    pub(in crate::host::screen) fn reset(&mut self) {
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
    pub(in crate::host::screen) fn soft_reset(&mut self) {
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

    pub(in crate::host::screen) fn resize(&mut self, size: Size) {
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

    /// Blanks what is left of wide characters that were cut through, in the cursor's row.
    pub(in crate::host::screen) fn mend(&mut self) {
        let line = self.term.grid().cursor.point.line;
        mend(self.term.grid_mut(), line);
    }
}

pub(super) fn rows(size: Size) -> i32 {
    clip(size.rows)
}

pub(super) fn term(size: Size, history: usize) -> Term<VoidListener> {
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
