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

/// Origin mode is saved with the cursor: it is on again when the alternate screen is left, though the program has reset
/// itself since.
#[test]
fn what_leaving_the_alternate_screen_brings_back_is_undone_too() {
    let mut screen = shown(20, 5, b"\x1b[?6h\x1b[?1049h\x1b[!p");
    let mut client = shown(20, 5, &screen.repaint(b"", 0));
    client.push(&screen.restore());
    assert_eq!(
        snapshot::Snapshot::of(&mut client).mode,
        snapshot::Snapshot::of(&mut Screen::new(20, 5)).mode
    );
}
