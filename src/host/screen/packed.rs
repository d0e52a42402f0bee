//! A grid in little memory, for as long as nothing is written to it: a session is idle most of its life, and a screen
//! of 200 by 50 takes a quarter of a megabyte as the emulator holds it, blanks included.

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Cell;

use super::machine::{Size, clip};

/// See the module.
pub(super) struct Packed {
    size: Size,
    rows: Vec<Row>,
    cursor: Cursor<Cell>,
    saved: Cursor<Cell>,
}

/// Cells up to the last that is not as in an empty row.
struct Row {
    /// Their characters.
    text: Box<str>,
    /// And what else they are, for so many in turn.
    runs: Box<[(u16, Cell)]>,
}

impl Packed {
    pub(super) fn new(grid: &Grid<Cell>) -> Self {
        let size = Size { cols: grid.columns(), rows: grid.screen_lines() };
        let rows = (0..clip(size.rows)).map(|line| pack(&grid[Line(line)][..Column(size.cols)])).collect();
        Self { size, rows, cursor: grid.cursor.clone(), saved: grid.saved_cursor.clone() }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn unpack(self) -> Grid<Cell> {
        let mut grid = Grid::new(self.size.rows, self.size.cols, 0);
        for (line, row) in (0..).zip(&self.rows) {
            let cells =
                row.runs.iter().flat_map(|(count, cell)| std::iter::repeat_n(cell, usize::from(*count)));
            for (column, (c, cell)) in row.text.chars().zip(cells).enumerate() {
                grid[Line(line)][Column(column)] = Cell { c, ..cell.clone() };
            }
        }
        grid.cursor = self.cursor;
        grid.saved_cursor = self.saved;
        grid
    }
}

fn pack(cells: &[Cell]) -> Row {
    let empty = Cell::default();
    let end = cells.iter().rposition(|cell| *cell != empty).map_or(0, |last| last + 1);
    let mut text = String::with_capacity(end);
    let mut runs: Vec<(u16, Cell)> = Vec::new();
    for cell in &cells[..end] {
        text.push(cell.c);
        match runs.last_mut() {
            Some((count, same)) if *count < u16::MAX && alike(same, cell) => *count += 1,
            Some(_) | None => runs.push((1, Cell { c: ' ', ..cell.clone() })),
        }
    }
    Row { text: text.into(), runs: runs.into() }
}

/// Whether they differ in their characters only.
fn alike(one: &Cell, two: &Cell) -> bool {
    one.fg == two.fg && one.bg == two.bg && one.flags == two.flags && one.extra == two.extra
}
