//! Keeps track of where in the stream of bytes sequences begin and end, for two ends: to bound what the parser may
//! collect (it keeps an operating system command, `OSC`, whole until its end, and a program may never send one), and to
//! know what is unfinished where a terminal joins.

use memchr::memchr;

/// Longest `OSC` that reaches the parser; the rest of a longer one is dropped.
pub(super) const LONGEST: usize = 64 << 10;

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// What the next byte is part of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    #[default]
    Text,
    /// Behind an escape character.
    Escape,
    /// And behind an intermediate character after it.
    Intermediate,
    /// `CSI …`.
    Control,
    /// `OSC …`, behind so many bytes of it.
    Command(usize),
    /// An `OSC` that is too long.
    Overlong,
    /// `DCS …` before its final character.
    Device,
    /// And behind that.
    Data,
    /// `SOS …`, `PM …`, `APC …`.
    Skipped,
}

/// What to do with bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// So many go to the parser.
    pub(super) pass: usize,
    /// So many after them do not.
    pub(super) drop: usize,
    /// Where the last sequence among them begins.
    pub(super) begins: Option<usize>,
}

impl Guard {
    /// Takes as many of the bytes as can be passed on at once.
    pub(super) fn split(&mut self, bytes: &[u8]) -> Split {
        let mut begins = None;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match *self {
                Self::Text => match memchr(ESC, rest) {
                    Some(text) => {
                        begins = Some(at + text);
                        at += text + 1;
                        *self = Self::Escape;
                    }
                    None => at = bytes.len(),
                },
                Self::Command(seen) => {
                    let room = LONGEST.saturating_sub(seen);
                    match end(rest) {
                        Some(length) if length <= room => {
                            at += length + 1;
                            *self = Self::Text;
                            if rest[length] == ESC {
                                *self = Self::Escape;
                                begins = Some(at - 1);
                            }
                        }
                        None if rest.len() <= room => {
                            at = bytes.len();
                            *self = Self::Command(seen + rest.len());
                        }
                        Some(_) | None => {
                            at += room;
                            *self = Self::Overlong;
                        }
                    }
                }
                Self::Overlong => {
                    let drop = end(rest).unwrap_or(rest.len());
                    // Its end is passed on, and ends what was passed of it.
                    if drop < rest.len() {
                        *self = Self::Command(0);
                    }
                    return Split { pass: at, drop, begins };
                }
                Self::Escape
                | Self::Intermediate
                | Self::Control
                | Self::Device
                | Self::Data
                | Self::Skipped => {
                    if rest[0] == ESC {
                        begins = Some(at);
                        *self = Self::Escape;
                    } else {
                        *self = self.after(rest[0]);
                    }
                    at += 1;
                }
            }
        }
        Split { pass: at, drop: 0, begins }
    }

    /// Where a byte leads that is not an escape character, as in the parser.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (_, CAN | SUB) => Self::Text,
            (Self::Escape, b'[') => Self::Control,
            (Self::Escape, b']') => Self::Command(0),
            (Self::Escape, b'P') => Self::Device,
            (Self::Escape, b'X' | b'^' | b'_') => Self::Skipped,
            (Self::Escape, 0x20..=0x2f) => Self::Intermediate,
            (Self::Escape | Self::Intermediate, 0x30..=0x7e) => Self::Text,
            (Self::Control, 0x40..=0x7e) => Self::Text,
            (Self::Device, 0x40..=0x7e) => Self::Data,
            (Self::Data, 0x9c) => Self::Text,
            (_, _) => self,
        }
    }
}

/// Where an `OSC` ends.
fn end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| matches!(*b, BEL | CAN | SUB | ESC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut guard = Guard::default();
        let mut out = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let Split { pass, drop, .. } = guard.split(rest);
                out.extend_from_slice(&rest[..pass]);
                rest = &rest[pass + drop..];
            }
        }
        out
    }

    #[test]
    fn short_sequences_pass_unchanged() {
        let bytes = b"a\x1b]0;title\x07b\x1b[1mc\x1b\x1b]8;;x\x1b\\d\x1bPq\x1b\\e\x1b(0";
        assert_eq!(passed(&[bytes]), bytes);
        for cut in 0..bytes.len() {
            assert_eq!(passed(&[&bytes[..cut], &bytes[cut..]]), bytes);
        }
    }

    #[test]
    fn an_endless_command_is_cut_and_its_end_found() {
        let long = vec![b'x'; 3 * LONGEST];
        for end in [b"\x1b\\after".as_slice(), b"\x07after"] {
            let out = passed(&[b"\x1b]0;", &long, b"yy", end]);
            assert_eq!(out.len(), 2 + LONGEST + end.len());
            assert!(out.ends_with(end));
        }
    }

    #[test]
    fn the_last_unfinished_sequence_is_known() {
        for (bytes, state, begins) in [
            (b"ab\x1b".as_slice(), Guard::Escape, Some(2)),
            (b"\x1b[1mab\x1b[3;", Guard::Control, Some(6)),
            (b"\x1b]0;x\x1b", Guard::Escape, Some(5)),
            (b"\x1b[1\x1b[2", Guard::Control, Some(3)),
            (b"\x1bPq#", Guard::Data, Some(0)),
            (b"\x1b_G", Guard::Skipped, Some(0)),
            (b"\x1b(", Guard::Intermediate, Some(0)),
        ] {
            let mut guard = Guard::default();
            let split = guard.split(bytes);
            assert_eq!((guard, split.begins), (state, begins), "{}", bytes.escape_ascii());
        }
    }
}
