//! Whether the session of a file lives.
//!
//! | The file's boot | Its pid namespace and machine | Its process | Then |
//! |---|---|---|---|
//! | this one, or unknown | ours | runs, with that start time | alive |
//! | this one, or unknown | ours | is gone, has ended, or the id is another's now | dead |
//! | this one, or unknown | ours | is hidden from us | unknown: left alone |
//! | this one | another (a container, another WSL system) | – | elsewhere: left alone |
//! | another | ours | – | dead: its machine was started anew |
//! | another | another (a home that machines share) | – | elsewhere: left alone |
//!
//! `pidNs` is `<inode>[.<inode>][@<machine>]`: the number of the pid namespace, that of the time namespace where it is not
//! the machine's first (start times are counted by it), and a short name of the machine, since the first namespaces have
//! the same numbers everywhere. What a file does not say is no evidence: it is taken for ours.

use super::Entry;

/// Where whoever looks finds itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// The boot; empty where there is no name for it.
    pub boot_id: String,
    /// As an entry's.
    pub pid_ns: String,
}

/// What there is of a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No process, or one that has ended and waits for its parent.
    Gone,
    /// A process that started then.
    Runs(u64),
    /// Something that we may not see.
    Hidden,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Alive,
    /// It does not, and never will again.
    Dead,
    /// It is, or was, where its process cannot be seen from.
    Elsewhere,
    /// There is no telling.
    Unknown,
}

impl Here {
    /// Whether ids of processes of this entry count here.
    pub fn has(&self, entry: &Entry) -> bool {
        let (there, ours) = (Place::of(&entry.pid_ns), Place::of(&self.pid_ns));
        match self.is_boot_of(entry) {
            // No two machines share a boot, whatever they are called meanwhile.
            Some(true) => agree(there.space, ours.space),
            Some(false) | None => agree(there.space, ours.space) && agree(there.machine, ours.machine),
        }
    }

    /// Whether this entry may be of this boot.
    pub fn boots_with(&self, entry: &Entry) -> bool {
        self.is_boot_of(entry) != Some(false)
    }

    /// None where one of them does not say.
    fn is_boot_of(&self, entry: &Entry) -> Option<bool> {
        let known = !self.boot_id.is_empty() && !entry.boot_id.is_empty();
        known.then(|| self.boot_id == entry.boot_id)
    }
}

/// See the module.
pub fn fate(entry: &Entry, here: &Here, look: impl FnOnce(u32) -> Seen) -> Fate {
    if !here.has(entry) {
        return Fate::Elsewhere;
    }
    if here.is_boot_of(entry) == Some(false) {
        return Fate::Dead;
    }
    match look(entry.process.pid) {
        Seen::Runs(start) if start == entry.process.start => Fate::Alive,
        Seen::Runs(_) | Seen::Gone => Fate::Dead,
        Seen::Hidden => Fate::Unknown,
    }
}

/// The parts of a `pidNs`.
struct Place<'a> {
    space: &'a str,
    machine: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str) -> Self {
        let (space, machine) = text.split_once('@').unwrap_or((text, ""));
        Self { space, machine }
    }
}

fn agree(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one == other
}
