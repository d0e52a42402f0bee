//! When the program of the running supervisor is exchanged for the one that is installed now.
//!
//! Any number of watchers may notice a change, and one replacement still makes one exchange: what counts is which build
//! lies at the launch path. It is believed when two readings agree, proved while this one serves on, and then executed in
//! this one's place if it still lies there. Whatever fails leaves this one serving.
//!
//! | in | happens | then |
//! |---|---|---|
//! | at rest | a change was noticed | a first reading, a moment later |
//! | first reading | the running build, or one that was refused | at rest |
//! | first reading | another file | a second reading |
//! | second reading | the same file, another build | its proof |
//! | second reading | not the same file any more | another second reading |
//! | proof | something else lies there by now | a first reading |
//! | proof | passed | the exchange |
//! | proof | failed | refused, at rest; tried again a few times |
//! | exchange | something else lies there by now | a first reading |
//! | exchange | impossible | refused, at rest |
//!
//! A change that is noticed anywhere but at rest is looked into afterwards.

use serde::{Deserialize, Serialize};

/// From a change to the first reading, and between two readings: files of one installation follow each other closely.
pub const SETTLE_MS: u64 = 150;
/// A refused build is proved again by itself after so long, each time; a machine may have been too busy.
pub const AGAIN_MS: [u64; 3] = [15_000, 120_000, 900_000];
/// A reload proves a refused build again where the refusal is older than this. Several watchers report one replacement
/// within it.
pub const RELOAD_AGAIN_MS: u64 = 5_000;

/// What the file system says of a file. It differs after each replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the content, nanoseconds since the Unix epoch.
    pub modified_ns: i128,
    /// Permissions.
    pub mode: u32,
}

/// What lies at the launch path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A file.
    File {
        /// Which.
        stamp: Stamp,
        /// Its build, where that was asked for.
        build: Option<String>,
    },
    /// None, or one that cannot be read; why, for people.
    Unreadable(String),
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something changed at the launch path, or may have.
    Noticed {
        /// Somebody asks for it (a reload).
        reload: bool,
    },
    /// A reading that was asked for.
    Read {
        /// What was read.
        reading: Reading,
        /// The running build, where the reading was to find out builds.
        running: Option<String>,
    },
    /// The outcome of a proof: the version that the build said it is (empty: none), and why it failed.
    Proved {
        /// Its version.
        version: String,
        /// Why it may not be used.
        failure: Option<String>,
        /// What lies at the launch path after it; none for nothing.
        after: Option<Stamp>,
    },
    /// The exchange did not happen, since something else than what was proved lies at the launch path by now.
    Superseded,
    /// The exchange is impossible; why.
    NotExchanged(String),
    /// The deadline came.
    Tick,
}

/// What the shell is to do. Each is answered by an event, except for [`Action::Tell`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read the launch path after so long.
    Read {
        /// Milliseconds.
        after_ms: u64,
        /// Find out the build too, and the running one.
        build: bool,
    },
    /// Start the build at the launch path beside this one, on a copy of the state.
    Prove,
    /// Execute the launch path in this process's place, if what lies there still has this stamp.
    Exchange(Stamp),
    /// Put this into the journal: the event's name, and a text.
    Tell(&'static str, String),
}

/// How far the exchange is. For people and for `doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// What runs is what is installed, as far as is known.
    #[default]
    Current,
    /// Another build is being looked at.
    Checking,
    /// Another build is installed, and was refused.
    Refused,
    /// There is nothing at the launch path that could be read.
    Missing,
    /// A stage that this build does not know.
    #[serde(other)]
    Unknown,
}

/// What clients are told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// How far.
    pub stage: Stage,
    /// The launch path: what is executed when the supervisor is started or exchanged.
    pub program: String,
    /// The running build (SHA-256 of its file); empty until somebody had to know.
    pub build: String,
    /// Version of the build at the launch path, by its own word; empty where it gave none.
    pub installed_version: String,
    /// The build at the launch path; empty until somebody had to know.
    pub installed_build: String,
    /// When the stage was reached, ms since the Unix epoch; 0 for the start.
    pub since_ms: u64,
    /// Why it was refused, or cannot be read.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rest,
    First,
    Second(Stamp),
    Proof(Stamp),
    Exchange(Stamp),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    build: String,
    stamp: Stamp,
    at_ms: u64,
    /// How often it was proved again by itself.
    tries: usize,
    /// Prove it again although it is known.
    due: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// The running program's file as it was at its start, and other stamps under which the same build was found.
    running: Stamp,
    same: Option<Stamp>,
    phase: Phase,
    again: bool,
    refusal: Option<Refusal>,
    status: Status,
    version: String,
}

impl Upgrade {
    /// For a supervisor of this version that was started from the file `running`, and will be from `program`.
    pub fn new(running: Stamp, program: String, version: &str) -> Self {
        let status = Status { program, installed_version: version.to_owned(), ..Status::default() };
        Self {
            running,
            same: None,
            phase: Phase::Rest,
            again: false,
            refusal: None,
            status,
            version: version.to_owned(),
        }
    }

    /// For clients.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Is an exchange being prepared, or under way?
    pub fn is_busy(&self) -> bool {
        self.phase != Phase::Rest
    }

    /// When to send [`Event::Tick`], in awake milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        let refusal = self.refusal.as_ref().filter(|_| self.phase == Phase::Rest)?;
        AGAIN_MS.get(refusal.tries).map(|pause| refusal.at_ms.saturating_add(*pause))
    }

    /// Takes note of `event` and decides. `now_ms` is awake time, `wall_ms` is for display.
    pub fn handle(&mut self, now_ms: u64, wall_ms: u64, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match (self.phase, event) {
            (Phase::Rest, Event::Noticed { reload }) => {
                if let Some(refusal) = &mut self.refusal {
                    refusal.due |= reload && now_ms >= refusal.at_ms.saturating_add(RELOAD_AGAIN_MS);
                }
                self.begin(&mut out);
            }
            (_, Event::Noticed { .. }) => self.again = true,
            (Phase::Rest, Event::Tick) => {
                if self.next_deadline().is_some_and(|at| now_ms >= at)
                    && let Some(refusal) = &mut self.refusal
                {
                    refusal.tries += 1;
                    refusal.due = true;
                    self.begin(&mut out);
                }
            }
            (Phase::First | Phase::Second(_), Event::Read { reading, running }) => {
                self.status.build = running.unwrap_or(std::mem::take(&mut self.status.build));
                self.read(reading, wall_ms, &mut out);
            }
            // It may have been something else that passed, or failed.
            (Phase::Proof(stamp), Event::Proved { after, .. }) if after != Some(stamp) => {
                self.begin(&mut out)
            }
            (Phase::Proof(stamp), Event::Proved { version, failure, after: _ }) => {
                self.status.installed_version = version;
                match failure {
                    None => {
                        self.phase = Phase::Exchange(stamp);
                        out.push(Action::Exchange(stamp));
                    }
                    Some(why) => self.refuse(stamp, &why, (now_ms, wall_ms), &mut out),
                }
            }
            (Phase::Exchange(stamp), Event::NotExchanged(why)) => {
                self.refuse(stamp, &why, (now_ms, wall_ms), &mut out);
            }
            (Phase::Exchange(_), Event::Superseded) => self.begin(&mut out),
            // Answers that nobody waits for any more.
            (
                _,
                Event::Read { .. }
                | Event::Proved { .. }
                | Event::Superseded
                | Event::NotExchanged(_)
                | Event::Tick,
            ) => {}
        }
        out
    }

    fn begin(&mut self, out: &mut Vec<Action>) {
        self.again = false;
        self.phase = Phase::First;
        out.push(Action::Read { after_ms: SETTLE_MS, build: false });
    }

    fn rest(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Rest;
        if self.again {
            self.begin(out);
        }
    }

    fn stage(&mut self, stage: Stage, why: &str, wall_ms: u64) {
        if (self.status.stage, self.status.why.as_str()) != (stage, why) {
            self.status.stage = stage;
            why.clone_into(&mut self.status.why);
            self.status.since_ms = wall_ms;
        }
    }

    fn read(&mut self, reading: Reading, wall_ms: u64, out: &mut Vec<Action>) {
        let (stamp, build) = match reading {
            Reading::File { stamp, build } => (stamp, build),
            Reading::Unreadable(why) => {
                self.refusal = None;
                self.stage(Stage::Missing, &why, wall_ms);
                return self.rest(out);
            }
        };
        let known = stamp == self.running || self.same == Some(stamp);
        let refused = self.refusal.as_ref().is_some_and(|r| r.stamp == stamp && !r.due);
        match (self.phase, build) {
            (Phase::First, _) if known => self.current(wall_ms, out),
            (Phase::First, _) if refused => self.rest(out),
            (Phase::Second(before), Some(build)) if before == stamp => self.judge(stamp, build, wall_ms, out),
            (_, _) => {
                // Not believed until it is read once more, unchanged. What is known to be refused stays so meanwhile.
                if self.refusal.is_none() {
                    self.stage(Stage::Checking, "", wall_ms);
                }
                self.phase = Phase::Second(stamp);
                out.push(Action::Read { after_ms: SETTLE_MS, build: true });
            }
        }
    }

    /// What lies there is what runs.
    fn current(&mut self, wall_ms: u64, out: &mut Vec<Action>) {
        self.refusal = None;
        self.status.installed_version.clone_from(&self.version);
        self.status.installed_build.clone_from(&self.status.build);
        self.stage(Stage::Current, "", wall_ms);
        self.rest(out);
    }

    fn judge(&mut self, stamp: Stamp, build: String, wall_ms: u64, out: &mut Vec<Action>) {
        if build == self.status.build {
            self.same = Some(stamp);
            return self.current(wall_ms, out);
        }
        let refused = self.refusal.as_mut().filter(|r| r.build == build && r.stamp.mode == stamp.mode);
        if let Some(refusal) = refused.filter(|r| !r.due) {
            // The same file in another place.
            refusal.stamp = stamp;
            self.stage(Stage::Refused, &self.status.why.clone(), wall_ms);
            return self.rest(out);
        }
        if self.refusal.as_ref().is_none_or(|r| r.build != build) {
            self.refusal = None;
            self.status.installed_version.clear();
            self.stage(Stage::Checking, "", wall_ms);
        }
        self.status.installed_build = build;
        self.phase = Phase::Proof(stamp);
        out.push(Action::Prove);
    }

    fn refuse(&mut self, stamp: Stamp, why: &str, (now_ms, wall_ms): (u64, u64), out: &mut Vec<Action>) {
        let build = self.status.installed_build.clone();
        let before = self.refusal.take().filter(|r| r.build == build);
        let tries = before.map_or(0, |r| r.tries);
        self.refusal = Some(Refusal { build, stamp, at_ms: now_ms, tries, due: false });
        let since = self.status.since_ms;
        self.stage(Stage::Refused, why, wall_ms);
        if tries == 0 || self.status.since_ms != since {
            let text = format!("{} is not used: {why}", self.status.program);
            out.push(Action::Tell("supervisor-upgrade-refused", text));
        }
        self.rest(out);
    }
}

#[cfg(test)]
mod tests;
