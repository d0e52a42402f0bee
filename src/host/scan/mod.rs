//! Finds in a session's output what the host must know of: queries that somebody has to answer, and what programs
//! tell about themselves. It sees every byte, so it does little: text is skipped to the next escape character.
//!
//! Sequences are recognised as UTF-8 terminals do: with seven-bit introducers only. The bytes 0x80 to 0x9f are parts of
//! characters, and a C1 control that is encoded as one introduces nothing.

mod alternate;
mod program;
mod query;
mod report;
mod text;

pub use self::alternate::Stretches;
pub use self::program::{ProgramState, Report};
pub use self::query::{Asked, Query};

pub(super) use self::text::printable;

use memchr::memchr2;

/// Longest sequence that is understood, in bytes; of a longer one the rest is skipped up to its end.
const LONGEST: usize = 4 << 10;

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// Something found. All text is printable and at most 512 characters long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Somebody must answer, and only one.
    Query {
        /// What is asked.
        query: Query,
        /// Where its first byte is, counted from the start of the batch: negative where it came in an earlier one.
        start: isize,
        /// Behind its last byte.
        end: usize,
    },
    /// The window title was set (`OSC 0`, `2`).
    Title(String),
    /// A program status report (`OSC 7501`).
    Program(Report),
    /// `OSC 133`: `A`, `B`, `C` or `D`.
    PromptMark(u8),
    /// The text of a notification (`OSC 9`, `99`, `777`).
    Notification(String),
    /// The bell.
    Bell,
    /// The terminal was reset (`RIS`).
    Reset,
    /// The alternate screen is shown, or no longer.
    Alternate {
        /// It is shown.
        on: bool,
        /// Where what is written to that screen begins, counted from the start of the batch. The sequence that switches
        /// belongs to the alternate screen; its start may be in an earlier batch.
        at: isize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Text.
    Ground,
    /// Behind ESC, and perhaps intermediate characters.
    Escape,
    /// In `CSI …`.
    Control,
    /// In `OSC …`.
    Command,
    /// In `DCS …`.
    Device,
    /// In `APC …`.
    Application,
    /// In `SOS …` or `PM …`.
    Skipped,
    /// Behind the ESC that ended the string of the given kind, and perhaps begins `ESC \`.
    Ending(Kind),
}

/// The kinds of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    Device,
    Application,
    Skipped,
}

/// See the module.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    /// What came since the introducer.
    collected: Vec<u8>,
    /// Where the sequence began, counted from the start of the batch.
    start: isize,
    alternate: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { state: State::Ground, collected: Vec::new(), start: 0, alternate: false }
    }
}

impl Scanner {
    /// One at the start of a session's output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks through the next bytes of the output, and adds what is in them to `found`, in order.
    pub fn scan(&mut self, bytes: &[u8], found: &mut Vec<Found>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Ground {
                let Some(skip) = memchr2(ESC, BEL, &bytes[at..]) else { break };
                at += skip;
                if bytes[at] == BEL {
                    found.push(Found::Bell);
                } else {
                    self.begin(at);
                }
            } else {
                self.step(bytes[at], at, found);
            }
            at += 1;
        }
        self.start -= signed(bytes.len());
        if self.state == State::Ground && self.collected.capacity() > 0 {
            self.collected = Vec::new();
        }
    }

    /// How many of the last bytes scanned belong to a sequence that has not ended yet. Whoever leaves queries out holds
    /// them back.
    pub fn unfinished(&self) -> usize {
        if self.state == State::Ground { 0 } else { usize::try_from(-self.start).unwrap_or(0) }
    }

    fn begin(&mut self, at: usize) {
        self.state = State::Escape;
        self.collected.clear();
        self.start = signed(at);
    }

    fn step(&mut self, byte: u8, at: usize, found: &mut Vec<Found>) {
        match self.state {
            State::Ground => {}
            State::Escape => self.escape(byte, at, found),
            State::Control => match byte {
                ESC => self.begin(at),
                CAN | SUB => self.state = State::Ground,
                BEL => found.push(Found::Bell),
                0x20..=0x3f => self.collect(byte),
                0x40..=0x7e => {
                    self.state = State::Ground;
                    self.control(byte, at + 1, found);
                }
                _ => {}
            },
            State::Command => match byte {
                BEL | CAN | SUB => {
                    self.state = State::Ground;
                    self.command(true, at + 1, found);
                }
                ESC => self.state = State::Ending(Kind::Command),
                _ => self.collect(byte),
            },
            State::Device => self.string(byte, Kind::Device),
            State::Application => self.string(byte, Kind::Application),
            State::Skipped => self.string(byte, Kind::Skipped),
            State::Ending(kind) => {
                let whole = byte == b'\\';
                let end = if whole { at + 1 } else { at.saturating_sub(1) };
                self.state = State::Ground;
                match kind {
                    Kind::Command => self.command(false, end, found),
                    Kind::Device => self.ask(query::device(&self.collected), end, found),
                    Kind::Application => self.ask(query::application(&self.collected), end, found),
                    Kind::Skipped => {}
                }
                if !whole {
                    // The ESC began another sequence.
                    self.begin(at);
                    self.start -= 1;
                    self.escape(byte, at, found);
                }
            }
        }
    }

    fn escape(&mut self, byte: u8, at: usize, found: &mut Vec<Found>) {
        let bare = self.collected.is_empty();
        self.state = match byte {
            ESC => return self.begin(at),
            CAN | SUB => State::Ground,
            BEL => {
                found.push(Found::Bell);
                State::Escape
            }
            0x20..=0x2f => {
                self.collect(byte);
                State::Escape
            }
            b'[' if bare => State::Control,
            b']' if bare => State::Command,
            b'P' if bare => State::Device,
            b'_' if bare => State::Application,
            b'X' | b'^' if bare => State::Skipped,
            b'c' if bare => {
                self.switch(false, at + 1, found);
                found.push(Found::Reset);
                State::Ground
            }
            b'Z' if bare => {
                self.ask(Some(Query::Primary), at + 1, found);
                State::Ground
            }
            0x30..=0x7e => State::Ground,
            _ => State::Escape,
        };
        if matches!(self.state, State::Control | State::Command | State::Device | State::Application) {
            self.collected.clear();
        }
    }

    fn string(&mut self, byte: u8, kind: Kind) {
        match byte {
            CAN | SUB => self.state = State::Ground,
            ESC => self.state = State::Ending(kind),
            _ if kind == Kind::Skipped => {}
            _ => self.collect(byte),
        }
    }

    fn collect(&mut self, byte: u8) {
        if self.collected.len() < LONGEST {
            self.collected.push(byte);
        }
    }

    fn control(&mut self, action: u8, end: usize, found: &mut Vec<Found>) {
        let Some(sequence) = query::Control::parse(&self.collected, action) else { return };
        let (switches, query) = (sequence.switches(), sequence.query());
        if let Some(on) = switches {
            self.switch(on, end, found);
        }
        self.ask(query, end, found);
    }

    fn command(&mut self, bell: bool, end: usize, found: &mut Vec<Found>) {
        match query::command(&self.collected, bell) {
            Some(query) => self.ask(Some(query), end, found),
            None => found.extend(report::command(&self.collected)),
        }
    }

    fn ask(&self, query: Option<Query>, end: usize, found: &mut Vec<Found>) {
        if let Some(query) = query {
            found.push(Found::Query { query, start: self.start, end });
        }
    }

    fn switch(&mut self, on: bool, end: usize, found: &mut Vec<Found>) {
        if self.alternate != on {
            self.alternate = on;
            found.push(Found::Alternate { on, at: if on { self.start } else { signed(end) } });
        }
    }
}

fn signed(n: usize) -> isize {
    isize::try_from(n).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests;
