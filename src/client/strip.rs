//! Makes a session's output harmless or plain, as a stream in pieces of any size.

use vte::{Params, Parser, Perform};

/// Keeps text and colours, drops everything else that a terminal would act on: a log must not be able to retitle,
/// query, resize or clear the terminal that it is shown in, nor to write to its clipboard.
#[derive(Default)]
pub struct Harmless {
    parser: Whole,
    out: Kept,
}

/// Drops colours too, and applies what a line printer would: carriage return and backspace overwrite, erase-in-line
/// erases. So the many states of a progress bar come out as the last one. Lines come out when they end.
#[derive(Default)]
pub struct Plain {
    parser: Whole,
    out: Line,
}

/// The parser, given whole characters only: it loses what follows one that comes in two pieces.
#[derive(Default)]
struct Whole {
    parser: Parser,
    /// The beginning of a character.
    begun: Vec<u8>,
}

impl Whole {
    fn advance(&mut self, out: &mut impl Perform, bytes: &[u8]) {
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        self.begun = whole.split_off(whole.len() - unfinished(&whole));
        self.parser.advance(out, &whole);
    }

    /// Nothing follows: what was begun is no character.
    fn finish(&mut self, out: &mut impl Perform) {
        self.parser.advance(out, &std::mem::take(&mut self.begun));
    }
}

/// How many bytes at the end are the beginning of a UTF-8 character.
fn unfinished(bytes: &[u8]) -> usize {
    let begins = |n: &usize| {
        let tail = bytes.len().checked_sub(*n).map(|at| std::str::from_utf8(&bytes[at..]));
        matches!(tail, Some(Err(e)) if e.valid_up_to() == 0 && e.error_len().is_none())
    };
    (1..=3).rev().find(begins).unwrap_or(0)
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    coloured: bool,
}

#[derive(Default)]
struct Line {
    done: Vec<u8>,
    line: Vec<char>,
    column: usize,
}

/// A line without an end is cut here, so that memory stays bounded.
const LONGEST_LINE: usize = 64 << 10;

impl Harmless {
    /// The harmless part of what `bytes` complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.advance(&mut self.out, bytes);
        std::mem::take(&mut self.out.bytes)
    }

    /// What is to follow the end: a character that was never completed, and colours off, where they were on.
    pub fn finish(&mut self) -> Vec<u8> {
        self.parser.finish(&mut self.out);
        if std::mem::take(&mut self.out.coloured) {
            self.out.bytes.extend_from_slice(b"\x1b[m");
        }
        std::mem::take(&mut self.out.bytes)
    }
}

impl Plain {
    /// The lines that `bytes` complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.advance(&mut self.out, bytes);
        std::mem::take(&mut self.out.done)
    }

    /// The line that was never ended, without an end.
    pub fn finish(&mut self) -> Vec<u8> {
        self.parser.finish(&mut self.out);
        self.out.put_line();
        std::mem::take(&mut self.out.done)
    }
}

/// All of `bytes` as plain text.
pub fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Plain::default();
    let mut out = plain.feed(bytes);
    out.extend(plain.finish());
    out
}

/// All of `bytes`, harmless.
pub fn harmless(bytes: &[u8]) -> Vec<u8> {
    let mut harmless = Harmless::default();
    let mut out = harmless.feed(bytes);
    out.extend(harmless.finish());
    out
}

/// Characters that reorder or hide the text around them: they would make a line lie.
fn deceives(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || c.is_control()
}

impl Perform for Kept {
    fn print(&mut self, c: char) {
        if !deceives(c) {
            self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn execute(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r' | b'\t' | 0x08) {
            self.bytes.push(byte);
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        match action {
            'm' => {
                self.coloured = true;
                self.sequence(params, 'm');
            }
            // Erase in line: it goes with the carriage returns of progress bars.
            'K' => self.sequence(params, 'K'),
            _ => {}
        }
    }
}

impl Kept {
    fn sequence(&mut self, params: &Params, action: char) {
        self.bytes.extend_from_slice(b"\x1b[");
        for (i, param) in params.iter().enumerate() {
            if i > 0 {
                self.bytes.push(b';');
            }
            for (j, sub) in param.iter().enumerate() {
                if j > 0 {
                    self.bytes.push(b':');
                }
                self.bytes.extend_from_slice(sub.to_string().as_bytes());
            }
        }
        self.bytes.push(action as u8);
    }
}

impl Line {
    fn put_line(&mut self) {
        let text: String = self.line.drain(..).collect();
        self.done.extend_from_slice(text.as_bytes());
        self.column = 0;
    }

    fn put(&mut self, c: char) {
        match self.line.get_mut(self.column) {
            Some(cell) => *cell = c,
            None => {
                self.line.resize(self.column, ' ');
                self.line.push(c);
            }
        }
        self.column += 1;
        if self.column >= LONGEST_LINE {
            self.put_line();
        }
    }
}

impl Perform for Line {
    fn print(&mut self, c: char) {
        if !deceives(c) {
            self.put(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.put_line();
                self.done.push(b'\n');
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.put('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore || !intermediates.is_empty() || action != 'K' {
            return;
        }
        match params.iter().next().and_then(|p| p.first()).copied().unwrap_or(0) {
            0 => self.line.truncate(self.column),
            1 => {
                let end = self.column.min(self.line.len());
                self.line[..end].fill(' ');
            }
            2 => self.line.clear(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        bytes.escape_ascii().to_string()
    }

    #[test]
    fn a_log_cannot_act_on_the_terminal() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"a\x1b]0;title\x07b", b"ab"),
            (b"a\x1b]52;c;aGk=\x1b\\b", b"ab"),
            (b"a\x1b[6nb\x1b[cc", b"abc"),
            (b"a\x1b[2Jb\x1b[?1049hc", b"abc"),
            (b"a\x1bP+q544e\x1b\\b", b"ab"),
            (b"a\x1bcb\x07\x05", b"ab"),
            (b"\x1b[1;38:2::1:2:3mred\x1b[m\r\n", b"\x1b[1;38:2:0:1:2:3mred\x1b[0m\r\n\x1b[m"),
            (b"\xc2\x9b6nx", b"6nx"),
            ("a\u{202e}b".as_bytes(), b"ab"),
        ];
        for (input, expected) in cases {
            assert_eq!(text(&harmless(input)), text(expected), "{}", text(input));
        }
    }

    #[test]
    fn plain_text_is_what_a_line_printer_would_have_left() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"\x1b[31mred\x1b[m\r\nnext", b"red\nnext"),
            (b"10%\r50%\r100%\r\n", b"100%\n"),
            (b"long line\rshort\x1b[K\n", b"short\n"),
            (b"abc\x08\x08X\n", b"aXc\n"),
            (b"\x1b]0;t\x07x\x1b[2Ky\n", b" y\n"),
        ];
        for (input, expected) in cases {
            assert_eq!(text(&plain(input)), text(expected), "{}", text(input));
        }
    }

    #[test]
    fn a_character_in_two_pieces_takes_nothing_along() {
        let mut plain = Plain::default();
        let mut out = plain.feed(b"gr\xc3");
        out.extend(plain.feed(b"\xbc\xc3"));
        out.extend(plain.feed(b"\x9fe\xe6\xac"));
        out.extend(plain.feed(b"\xa1[x"));
        out.extend(plain.finish());
        assert_eq!(out, "gr\u{fc}\u{df}e\u{6b21}[x".as_bytes());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            bytes in prop::collection::vec(prop_oneof![Just(0x1bu8), Just(b'['), Just(b']'), Just(b'm'), any::<u8>()], 0..300),
            cut in 1usize..8,
        ) {
            let (mut h, mut p) = (Harmless::default(), Plain::default());
            let (mut kept, mut flat) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                kept.extend(h.feed(piece));
                flat.extend(p.feed(piece));
            }
            kept.extend(h.finish());
            flat.extend(p.finish());
            prop_assert_eq!(text(&kept), text(&harmless(&bytes)));
            prop_assert_eq!(text(&flat), text(&plain(&bytes)));
            prop_assert!(flat.iter().all(|&b| b >= 0x20 || b == b'\n' || b == b'\t'));
        }
    }
}
