//! All that a screen holds, in a form that can be compared.

use std::collections::BTreeMap;

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};

use crate::host::screen::Screen;
use crate::host::screen::machine::{Alternate, PerScreen, clip};
use crate::host::screen::modes::Modes;
use crate::host::screen::pen::Pen;

#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) primary: Contents,
    pub(super) alternate: Option<(Alternate, Contents)>,
    pub(super) region: std::ops::Range<i32>,
    pub(super) charset: usize,
    pub(super) screens: Vec<PerScreen>,
    pub(super) modes: Modes,
    pub(super) mode: TermMode,
    pub(super) colors: BTreeMap<u16, [u8; 3]>,
    pub(super) cursor_style: u8,
    pub(super) title: String,
    pub(super) titles: Vec<String>,
    pub(super) progress: String,
    pub(super) tabs: Vec<usize>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    pub(super) rows: Vec<Row>,
    pub(super) cursor: At,
    pub(super) saved: At,
}

#[derive(PartialEq)]
pub(super) struct Row {
    pub(super) cells: Vec<(String, Flags, Pen)>,
    pub(super) wraps: bool,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.cells.iter().map(|(c, _, _)| c.as_str()).collect();
        let styled: Vec<_> = self
            .cells
            .iter()
            .enumerate()
            .filter(|(_, (_, flags, pen))| !flags.is_empty() || *pen != Pen::default())
            .collect();
        write!(f, "{text:?} wraps={} {styled:?}", self.wraps)
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct At {
    pub(super) at: (i32, usize),
    pub(super) wraps: bool,
    pub(super) pen: Pen,
    pub(super) charsets: String,
}

fn at(cursor: &Cursor<Cell>) -> At {
    At {
        at: (cursor.point.line.0, cursor.point.column.0),
        wraps: cursor.input_needs_wrap,
        pen: Pen::of(&cursor.template),
        charsets: format!("{:?}", cursor.charsets),
    }
}

fn contents(grid: &Grid<Cell>) -> Contents {
    let last = clip(grid.screen_lines()) - 1;
    let mut rows: Vec<Row> = (0..=last)
        .map(|line| {
            let cells = (0..grid.columns()).map(|column| {
                let cell = &grid[Line(line)][Column(column)];
                let c = if cell.c.is_control() { ' ' } else { cell.c };
                let text =
                    std::iter::once(c).chain(cell.zerowidth().into_iter().flatten().copied()).collect();
                (text, cell.flags & (Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER), Pen::of(cell))
            });
            // What the last row goes on in is not on the screen.
            let wraps =
                line < last && grid[Line(line)][Column(grid.columns() - 1)].flags.contains(Flags::WRAPLINE);
            Row { cells: cells.collect(), wraps }
        })
        .collect();
    // A row that is continued and on which the cursor is about to wrap once more cannot be told to a terminal.
    if grid.cursor.input_needs_wrap
        && let Some(row) = rows.get_mut(usize::try_from(grid.cursor.point.line.0).expect("on the screen"))
    {
        row.wraps = false;
    }
    Contents { rows, cursor: at(&grid.cursor), saved: at(&grid.saved_cursor) }
}

impl Snapshot {
    pub(super) fn of(screen: &mut Screen) -> Self {
        screen.settle();
        let machine = &mut screen.emulator.machine;
        let alternate = machine.alternate.map(|how| (how, contents(machine.term.grid())));
        let mut primary = contents(machine.primary());
        let mut screens = machine.screens.to_vec();
        match alternate {
            Some((Alternate::Saved, _)) => {}
            // The cursor is shared: where it was on the primary screen does not matter any more.
            Some((Alternate::Plain | Alternate::Cleared, _)) => primary.cursor = at(&Cursor::default()),
            None => screens.truncate(1),
        }
        Self {
            primary,
            alternate,
            region: machine.region.clone(),
            charset: machine.charset,
            screens,
            modes: machine.modes.clone().told(),
            mode: *machine.term.mode(),
            colors: machine.colors.clone(),
            cursor_style: machine.cursor_style,
            title: machine.title.clone(),
            titles: machine.titles.clone(),
            progress: machine.progress.clone(),
            tabs: machine.tab_stops(),
        }
    }

    /// Without links: those without a name get one that differs from terminal to terminal.
    pub(super) fn unlinked(mut self) -> Self {
        for cell in self.primary.rows.iter_mut().flat_map(|row| &mut row.cells) {
            cell.2.unlink();
        }
        self.primary.cursor.pen.unlink();
        self
    }
}
