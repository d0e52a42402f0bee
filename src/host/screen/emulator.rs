//! The parser and the machine that it drives, with a guard before them.

use vte::Parser;

use super::guard::Guard;
use super::machine::{Machine, Size};
use super::skim;

/// A terminal without a display.
pub(super) struct Emulator {
    parser: Parser,
    guard: Guard,
    pub(super) machine: Machine,
}

impl Emulator {
    /// An empty one that keeps so many lines of what scrolls off its primary screen.
    pub(super) fn new(size: Size, history: usize) -> Self {
        Self { parser: Parser::new(), guard: Guard::default(), machine: Machine::new(size, history) }
    }

    /// Takes bytes in.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (pass, drop) = self.guard.split(bytes);
            self.parser.advance(&mut self.machine, &bytes[..pass]);
            bytes = &bytes[pass + drop..];
        }
    }

    /// As [`Self::feed`], leaving out what cannot be seen afterwards. History would not be right.
    pub(super) fn skim(&mut self, bytes: &[u8]) {
        let Some(cut) = skim::cut(bytes, self.machine.size().rows) else { return self.feed(bytes) };
        let head = self.feed_until_ground(&bytes[..cut]);
        if head < cut && self.machine.scrolls_whole() {
            self.machine.last =
                bytes[..cut].iter().rev().find(|b| matches!(b, b' '..=b'~')).map(|b| char::from(*b));
            self.feed(&bytes[cut..]);
        } else {
            self.feed(&bytes[head..]);
        }
    }

    /// Feeds up to a character that is printed: the parser is in no sequence then. Answers how much that was; all of it,
    /// or a few bytes, where none is.
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
