//! Leaving out what a flood of plain text scrolls off the screen anyway.
//!
//! Text without any control sequence, written to a screen that scrolls as a whole, leaves behind only its last lines.
//! So of many lines it is enough to take in the last two screens of them: by the time that the first of those two has
//! scrolled, the cursor is in the last row wherever it was, and once the second has, nothing older is left.
//! What carries over is the last character, which REP would repeat. A property test holds this against the full parse.

use memchr::memrchr_iter;

/// What is shorter is taken in as it is.
pub(super) const WORTH: usize = 16 << 10;

/// Where the part of `bytes` begins that alone decides what a screen of so many rows shows; `None` where there is no
/// such place before their end, or where they are not plain text.
pub(super) fn cut(bytes: &[u8], rows: usize) -> Option<usize> {
    if !bytes.chunks(256).all(plain) {
        return None;
    }
    let feeds = memrchr_iter(b'\n', bytes).skip(2 * rows);
    // The cursor is in the first column there, and no wrap is pending.
    feeds.map(|at| at + 1).find(|cut| bytes[..*cut].ends_with(b"\r\n"))
}

/// Whether all are printable ASCII, CR, LF or TAB.
fn plain(bytes: &[u8]) -> bool {
    // Without an early end, so that it is done many at a time.
    bytes.iter().fold(true, |so_far, b| so_far & matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_is_behind_a_whole_line_two_screens_before_the_end() {
        let lines = b"line\r\n".repeat(100);
        assert_eq!(cut(&lines, 10), Some((100 - 20) * 6));
        assert_eq!(cut(&lines, 49), Some(12));
        assert_eq!(cut(&lines, 50), None);
        assert_eq!(cut(&b"line\n".repeat(100), 10), None);
        let mixed = [b"a\r\n".as_slice(), &b"b\n".repeat(50)].concat();
        assert_eq!(cut(&mixed, 10), Some(3));
    }

    #[test]
    fn other_than_plain_text_is_not_skimmed() {
        for odd in [0x00, 0x07, 0x08, 0x0e, 0x1b, 0x7f, 0x80, 0xc3] {
            let mut lines = b"line\r\n".repeat(1_000);
            lines[17] = odd;
            assert_eq!(cut(&lines, 10), None, "{odd:#x}");
        }
    }
}
