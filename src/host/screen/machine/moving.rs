//! The cursor, the margins that hold it, tab stops, and what is saved of it.

use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::TermMode;
use vte::ansi::{Handler, NamedPrivateMode, TabulationClearMode};

use super::screens::rows;
use super::{Machine, Saved, charset_index, clip};

impl Machine {
    /// Puts the cursor at a row and column of the screen.
    pub(in crate::host::screen) fn place(&mut self, line: i32, column: usize) {
        let size = self.size();
        let cursor = &mut self.term.grid_mut().cursor;
        cursor.point = Point::new(Line(line.clamp(0, rows(size) - 1)), Column(column.min(size.cols - 1)));
        cursor.input_needs_wrap = false;
    }

    /// CUP: rows count from the region's top under origin mode.
    pub(in crate::host::screen) fn go(&mut self, line: i32, column: usize) {
        if self.origin() {
            let line = line.saturating_add(self.region.start).min(self.region.end - 1);
            self.place(line, column);
        } else {
            self.place(line, column);
        }
    }

    pub(in crate::host::screen) fn at(&self) -> (i32, usize) {
        let point = self.term.grid().cursor.point;
        (point.line.0, point.column.0)
    }

    /// Up stops at the region's top where the cursor is not above it.
    pub(in crate::host::screen) fn up(&mut self, count: usize) {
        let (line, column) = self.at();
        let stop = if line >= self.region.start { self.region.start } else { 0 };
        self.place(line.saturating_sub(clip(count)).max(stop), column);
    }

    /// Down stops at the region's end where the cursor is not below it.
    pub(in crate::host::screen) fn down(&mut self, count: usize) {
        let (line, column) = self.at();
        let end = if line < self.region.end { self.region.end } else { rows(self.size()) };
        self.place(line.saturating_add(clip(count)).min(end - 1), column);
    }

    pub(in crate::host::screen) fn column(&mut self, column: usize) {
        let (line, _) = self.at();
        self.place(line, column);
    }

    /// A tab never wraps, and leaves what it passes.
    pub(in crate::host::screen) fn tab(&mut self, count: usize) {
        let count = count.min(self.size().cols);
        self.term.move_forward_tabs(u16::try_from(count).unwrap_or(u16::MAX));
    }

    /// Back to the stop before, or to the first column where there is none.
    pub(in crate::host::screen) fn back_tab(&mut self, count: usize) {
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
    pub(in crate::host::screen) fn usual_tabs(&mut self) {
        self.touched.tabs = true;
        self.term.clear_tabs(TabulationClearMode::All);
        let column = self.term.grid().cursor.point.column;
        for stop in (0..self.size().cols).step_by(8) {
            self.term.grid_mut().cursor.point.column = Column(stop);
            self.term.set_horizontal_tabstop();
        }
        self.term.grid_mut().cursor.point.column = column;
    }

    pub(in crate::host::screen) fn set_tab(&mut self) {
        self.touched.tabs = true;
        self.term.set_horizontal_tabstop();
    }

    pub(in crate::host::screen) fn clear_tabs(&mut self, which: TabulationClearMode) {
        self.touched.tabs = true;
        self.term.clear_tabs(which);
    }

    /// The columns that have a tab stop. Whether the first and the last one do shows in nothing.
    pub(in crate::host::screen) fn tab_stops(&mut self) -> Vec<usize> {
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

    /// DECSTBM, rows from 0, the end not included. A region of less than two rows is refused, as terminals do.
    pub(in crate::host::screen) fn set_region(&mut self, top: usize, bottom: usize) {
        let bottom = bottom.min(self.size().rows);
        if top + 1 >= bottom && !(top == 0 && bottom == self.size().rows) {
            return;
        }
        self.term.set_scrolling_region(top + 1, Some(bottom));
        self.region = clip(top)..clip(bottom);
        self.go(0, 0);
    }

    /// Lines of text scroll the screen as a whole, each in a row of its own or wrapped.
    pub(in crate::host::screen) fn scrolls_whole(&self) -> bool {
        let mode = self.term.mode();
        self.region == (0..rows(self.size()))
            && mode.contains(TermMode::LINE_WRAP)
            && !mode.contains(TermMode::INSERT)
    }

    pub(in crate::host::screen) fn set_origin(&mut self, on: bool) {
        let mode = NamedPrivateMode::Origin.into();
        if on {
            self.term.set_private_mode(mode)
        } else {
            self.term.unset_private_mode(mode)
        }
        self.go(0, 0);
    }

    pub(in crate::host::screen) fn set_wrap(&mut self, on: bool) {
        let mode = NamedPrivateMode::LineWrap.into();
        if on { self.term.set_private_mode(mode) } else { self.term.unset_private_mode(mode) }
    }

    pub(in crate::host::screen) fn shift(&mut self, charset: usize) {
        self.charset = charset;
        self.term.set_active_charset(charset_index(charset));
    }

    pub(in crate::host::screen) fn save_cursor(&mut self) {
        self.term.save_cursor_position();
        let saved = Saved { charset: self.charset, origin: self.origin() };
        self.screen().saved = saved;
    }

    pub(in crate::host::screen) fn restore_cursor(&mut self) {
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
}
