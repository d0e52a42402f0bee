//! What one kind of evidence says, since when, and what it contradicts.

use serde::{Deserialize, Serialize};

/// Kinds of evidence that say what an agent or a program does, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A program status report (`OSC 7501`).
    Program,
    /// The agent's hooks.
    Hook,
    /// The file that the agent keeps about itself.
    Own,
    /// Its window title.
    Title,
    /// Its screen.
    Screen,
}

/// All of them, the best first.
pub(super) const SOURCES: [Source; 5] =
    [Source::Program, Source::Hook, Source::Own, Source::Title, Source::Screen];

/// What a session may be seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// A turn is under way.
    Working,
    /// It needs the user.
    Blocked,
    /// It has nothing to do.
    Idle,
    /// It has nothing to do, since a turn of it is over.
    Done,
}

/// See the module. Times in milliseconds of awake time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What it says.
    pub doing: Doing,
    /// It cannot tell a session that is idle from one that is blocked.
    pub vague: bool,
    /// It was told to an earlier supervisor: whatever is found now is later.
    pub old: bool,
    /// What a blocked session waits for, or what another does; empty for nothing in particular.
    pub what: String,
    /// Since when it says so.
    pub made: u64,
    /// When it last was seen to say so by something new: another title, another report, another look.
    pub renewed: u64,
    /// Inputs that had been counted when it began to say so.
    pub inputs: u32,
    /// The evidence, as a sentence.
    pub says: String,
}

impl Claim {
    /// Both cannot be true at once.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        self.possible() & other.possible() == 0
    }

    /// A bit for each of working, blocked, idle.
    pub(super) fn possible(&self) -> u8 {
        match (self.doing, self.vague) {
            (Doing::Working, _) => 0b001,
            (Doing::Blocked, _) => 0b010,
            (Doing::Idle | Doing::Done, false) => 0b100,
            (Doing::Idle | Doing::Done, true) => 0b110,
        }
    }
}
