//! The parser and the machine that it drives, with a guard before them.

use vte::Parser;

use super::guard::{Guard, LONGEST, Split};
use super::machine::{Machine, Size};
use super::skim;

/// A terminal without a display.
pub(super) struct Emulator {
    parser: Parser,
    guard: Guard,
    /// The sequence that has begun and not ended, as far as it came.
    unfinished: Vec<u8>,
    /// The bytes of a character that has not come whole: the parser loses text behind one that it gets in parts.
    partial: Vec<u8>,
    pub(super) machine: Machine,
}

impl Emulator {
    /// An empty one that keeps so many lines of what scrolls off its primary screen.
    pub(super) fn new(size: Size, history: usize) -> Self {
        Self {
            parser: Parser::new(),
            guard: Guard::default(),
            unfinished: Vec::new(),
            partial: Vec::new(),
            machine: Machine::new(size, history),
        }
    }

    /// Takes bytes in.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.partial.is_empty() {
            self.take(bytes);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.take(&whole);
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        let partial = partial(bytes);
        if partial > 0 {
            self.partial = bytes[bytes.len() - partial..].to_vec();
            bytes = &bytes[..bytes.len() - partial];
        }
        while !bytes.is_empty() {
            let Split { pass, drop, begins } = self.guard.split(bytes);
            self.parser.advance(&mut self.machine, &bytes[..pass]);
            if self.guard == Guard::Text {
                self.unfinished = Vec::new();
            } else {
                if let Some(begins) = begins {
                    self.unfinished = bytes[begins..pass].to_vec();
                } else if self.unfinished.len() <= LONGEST {
                    self.unfinished.extend_from_slice(&bytes[..pass]);
                }
            }
            bytes = &bytes[pass + drop..];
        }
    }

    /// What a terminal that joins now must be sent last, so that it understands what comes next. Of a string that is too
    /// long to be repeated only the beginning of one that shows nothing.
    pub(super) fn unfinished(&self) -> Vec<u8> {
        let begun = match self.guard {
            Guard::Text => &[],
            Guard::Overlong | Guard::Command(_) if self.unfinished.len() > LONGEST => b"\x1b]".as_slice(),
            Guard::Device | Guard::Data | Guard::Skipped if self.unfinished.len() > LONGEST => b"\x1bX",
            // Control characters within these act at once: they have acted already.
            Guard::Escape | Guard::Intermediate | Guard::Control => {
                let silent = |byte: &&u8| **byte >= b' ' || **byte == b'\x1b';
                return self.unfinished.iter().filter(silent).chain(&self.partial).copied().collect();
            }
            Guard::Command(_) | Guard::Overlong | Guard::Device | Guard::Data | Guard::Skipped => {
                &self.unfinished
            }
        };
        [begun, &self.partial].concat()
    }

    /// As [`Self::feed`], leaving out what cannot be seen afterwards. History would not be right.
    pub(super) fn skim(&mut self, bytes: &[u8]) {
        let Some(cut) = skim::cut(bytes, self.machine.size().rows) else { return self.feed(bytes) };
        let head = self.feed_until_ground(&bytes[..cut]);
        if head < cut && self.machine.scrolls_whole() {
            let last = bytes[..cut].iter().rev().find(|b| matches!(b, b' '..=b'~'));
            self.machine.last = last.map(|b| char::from(*b));
            self.machine.column(0);
            self.feed(&bytes[cut..]);
        } else {
            self.feed(&bytes[head..]);
        }
    }

    /// Feeds up to a character that is printed: the parser is in no sequence then. Answers how much that was; all of it
    /// where none is.
    fn feed_until_ground(&mut self, bytes: &[u8]) -> usize {
        self.machine.printed = false;
        for (i, byte) in bytes.iter().enumerate() {
            self.feed(&[*byte]);
            if self.machine.printed {
                return i + 1;
            }
        }
        bytes.len()
    }
}

/// How many of the last bytes are the beginning of a character.
fn partial(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let Some(lead) = tail.iter().rposition(|b| *b >= 0xc0) else { return 0 };
    match std::str::from_utf8(&tail[lead..]) {
        Err(error) if error.error_len().is_none() => tail.len() - lead,
        Ok(_) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_characters() {
        for (bytes, length) in [
            (b"a".as_slice(), 0),
            (b"", 0),
            (b"a\xe2\x82", 2),
            (b"\xe2\x82\xac", 0),
            (b"\xf0\x9f\xa6", 3),
            (b"\xf0\x9f\xa6\x80", 0),
            (b"\xc3", 1),
            (b"\xc3a", 0),
            (b"\x82", 0),
            (b"\xff", 0),
            (b"\xe0\x80", 0),
        ] {
            assert_eq!(partial(bytes), length, "{}", bytes.escape_ascii());
        }
    }
}
