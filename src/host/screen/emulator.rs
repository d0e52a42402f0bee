//! The parser and the machine that it drives, with a guard before them.

use vte::Parser;

use super::guard::Guard;
use super::machine::{Machine, Size};

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
}
