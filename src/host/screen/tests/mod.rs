mod answers;
mod generate;
mod properties;
mod snapshot;
mod table;

use super::Screen;

/// A screen that was sent this.
fn shown(cols: u16, rows: u16, bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(cols, rows);
    screen.push(bytes);
    screen.settle();
    screen
}
