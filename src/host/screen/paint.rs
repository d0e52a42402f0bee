//! Writes rows of a grid out as what a terminal has to be sent to show them.
//!
//! Each row begins and ends with the default attributes, so that rows can be left out and compared; and where a row
//! goes on in the next one (it was wrapped, not ended), nothing is between them, so that the terminal wraps it too.

use alacritty_terminal::grid::{Dimensions, Grid, Row};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use vte::ansi::{Color, NamedColor};

use super::machine::clip;
use super::pen::{ATTRIBUTES, Pen};

/// A row as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Painted {
    /// What to send. The cursor is in the first column, or a wrap into this row is pending.
    pub(super) bytes: String,
    /// It goes on in the next row: send no line break.
    pub(super) wraps: bool,
}

/// Paints one row of the grid; history has negative numbers.
pub(super) fn row(grid: &Grid<Cell>, line: i32) -> Painted {
    let cells = &grid[Line(line)];
    let columns = grid.columns();
    let wraps = wraps(grid, line) && line + 1 < clip(grid.screen_lines());
    let continues = line > grid.topmost_line().0 && self::wraps(grid, line - 1);
    let mut out = String::new();
    let mut pen = Pen::default();
    let tail = if wraps { columns } else { tail(cells, columns) };
    // A pending wrap needs a character, be it a blank, to happen.
    let tail = tail.max(usize::from(continues));
    let mut column = 0;
    while column < tail {
        let cell = &cells[Column(column)];
        // Where a wide character did not fit, the terminal leaves the cell empty by itself.
        if wraps && column + 1 == columns && leads(grid, line) {
            break;
        }
        column += put(cells, column, &mut pen, &mut out);
        // Terminals disagree on the width of some: the next cell is aimed at.
        if column < columns && disputed(cell) {
            out.push_str(&format!("\x1b[{}G", column + 1));
        }
    }
    if tail < columns {
        let erased = cells[Column(tail)].bg;
        pen.change(Pen::background(erased), &mut out);
        out.push_str("\x1b[K");
    }
    pen.change(Pen::default(), &mut out);
    Painted { bytes: out, wraps }
}

/// Writes the character at `column` and answers its width.
pub(super) fn put(cells: &Row<Cell>, column: usize, pen: &mut Pen, out: &mut String) -> usize {
    let cell = &cells[Column(column)];
    if !pen.writes(cell) {
        pen.change(Pen::of(cell), out);
    }
    out.push(if cell.c.is_control() { ' ' } else { cell.c });
    out.extend(cell.zerowidth().into_iter().flatten());
    if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 }
}

/// The column from which on nothing but erased cells of one background follows.
fn tail(cells: &Row<Cell>, columns: usize) -> usize {
    let last = &cells[Column(columns - 1)];
    if !erased(last) {
        return columns;
    }
    (0..columns)
        .rev()
        .find(|c| !erased(&cells[Column(*c)]) || cells[Column(*c)].bg != last.bg)
        .map_or(0, |c| c + 1)
}

fn erased(cell: &Cell) -> bool {
    blank(cell) && !cell.flags.contains(Flags::WRAPLINE)
}

/// Erased, or a blank that looks like it.
fn blank(cell: &Cell) -> bool {
    (cell.c == ' ' || cell.c.is_control())
        && cell.fg == Color::Named(NamedColor::Foreground)
        && !cell.flags.intersects(ATTRIBUTES | Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER)
        && cell.extra.is_none()
}

/// Whether this row goes on in the next one.
pub(super) fn wraps(grid: &Grid<Cell>, line: i32) -> bool {
    grid[Line(line)][Column(grid.columns() - 1)].flags.contains(Flags::WRAPLINE)
}

/// Whether the last cell of this row was left empty for the wide character that begins the next row.
fn leads(grid: &Grid<Cell>, line: i32) -> bool {
    let last = &grid[Line(line)][Column(grid.columns() - 1)];
    let first = &grid[Line(line + 1)][Column(0)];
    last.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER)
        && first.flags.contains(Flags::WIDE_CHAR)
        && Pen::of(first).writes(last)
}

/// Whether terminals may take another number of columns for it: emoji, symbols and private characters, and what is
/// combined. East Asian text is not among them.
fn disputed(cell: &Cell) -> bool {
    cell.zerowidth().is_some_and(|z| !z.is_empty())
        || matches!(u32::from(cell.c), 0x200b..=0x206f | 0x2300..=0x24ff | 0x2600..=0x2bff | 0xe000..=0xf8ff | 0x1_0000..=0x1_ffff | 0xf_0000..)
}

/// A row as text and SGR only, without what is empty at its end.
pub(super) fn line(grid: &Grid<Cell>, line: i32, out: &mut String) {
    let cells = &grid[Line(line)];
    let columns = grid.columns();
    // A blank at the end is no text, whether or not the row went on after it.
    let plain = |cell: &Cell| blank(cell) && cell.bg == Color::Named(NamedColor::Background);
    let end = (0..columns).rev().find(|c| !plain(&cells[Column(*c)])).map_or(0, |c| c + 1);
    let mut pen = Pen::default();
    let mut column = 0;
    while column < end {
        let cell = &cells[Column(column)];
        pen.change(Pen::without_link(cell), out);
        out.push(if cell.c.is_control() { ' ' } else { cell.c });
        out.extend(cell.zerowidth().into_iter().flatten());
        column += if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 };
    }
    pen.change(Pen::default(), out);
}
