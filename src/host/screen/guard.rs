//! Bounds what the escape sequence parser may collect: it keeps an operating system command (`OSC`) whole until its
//! end, and a program may never send one.

use memchr::memchr;

/// Longest `OSC` that reaches the parser; the rest of a longer one is dropped, and the whole ignored.
pub(super) const LONGEST: usize = 64 << 10;

const ESC: u8 = 0x1b;

/// Where in the stream of bytes the next one stands, as far as that is needed to find an `OSC`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Anywhere else.
    #[default]
    Text,
    /// Behind an escape character.
    Escape,
    /// In an `OSC`, behind so many bytes of it.
    Command(usize),
    /// In one that is too long.
    Overlong,
}

impl Guard {
    /// Splits off what the parser may see next: how many bytes to hand on, and how many to drop after them.
    pub(super) fn split(&mut self, bytes: &[u8]) -> (usize, usize) {
        match *self {
            Self::Text => match memchr(ESC, bytes) {
                Some(at) => {
                    *self = Self::Escape;
                    (at + 1, 0)
                }
                None => (bytes.len(), 0),
            },
            Self::Escape => {
                match bytes.first().copied() {
                    Some(b']') => *self = Self::Command(0),
                    // The parser stays where it is on a second escape character and on control characters.
                    Some(ESC | 0x00..=0x17 | 0x19 | 0x1c..=0x1f | 0x7f..=0xff) | None => {}
                    Some(_) => *self = Self::Text,
                }
                (bytes.len().min(1), 0)
            }
            Self::Command(seen) => match end(bytes) {
                Some(at) if seen + at <= LONGEST => {
                    *self = after(bytes[at]);
                    (at + 1, 0)
                }
                None if seen + bytes.len() <= LONGEST => {
                    *self = Self::Command(seen + bytes.len());
                    (bytes.len(), 0)
                }
                _ => {
                    *self = Self::Overlong;
                    (LONGEST - seen, 0)
                }
            },
            Self::Overlong => match end(bytes) {
                // The end itself is handed on by the next call.
                Some(0) => {
                    *self = after(bytes[0]);
                    (1, 0)
                }
                Some(at) => (0, at),
                None => (0, bytes.len()),
            },
        }
    }
}

/// Where an `OSC` ends: at BEL, ESC (of `ESC \`), CAN or SUB.
fn end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| matches!(*b, 0x07 | 0x18 | 0x1a | ESC))
}

fn after(end: u8) -> Guard {
    if end == ESC { Guard::Escape } else { Guard::Text }
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
                let (pass, drop) = guard.split(rest);
                out.extend_from_slice(&rest[..pass]);
                rest = &rest[pass + drop..];
            }
        }
        out
    }

    #[test]
    fn short_sequences_pass_unchanged() {
        let bytes = b"a\x1b]0;title\x07b\x1b[1mc\x1b\x1b]8;;x\x1b\\d";
        assert_eq!(passed(&[bytes]), bytes);
        for cut in 0..bytes.len() {
            assert_eq!(passed(&[&bytes[..cut], &bytes[cut..]]), bytes);
        }
    }

    #[test]
    fn an_endless_command_is_cut_and_its_end_found() {
        let long = vec![b'x'; 3 * LONGEST];
        let out = passed(&[b"\x1b]0;", &long, b"yy", b"\x1b\\after"]);
        assert_eq!(out.len(), 2 + LONGEST + b"\x1b\\after".len());
        assert!(out.ends_with(b"x\x1b\\after"));
    }
}
