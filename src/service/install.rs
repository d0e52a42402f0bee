//! Installing the supervisor's units for one user, and taking them away.
//!
//! What is to be done is a [`Plan`] first, so that `--dry-run` shows exactly that. A plan is made from what is there, so
//! that a second installation has little or nothing to do. Where a package brought the units they are only enabled. No
//! step ends a session: hosts are units of their own.

mod look;
mod perform;

pub use look::{could_linger, install, uninstall};

use super::systemctl::Complaint;
use super::unit::Unwritable;
use crate::paths::PathError;
use crate::service::program::ProgramError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// The supervisor, as far as an installation deals with it. Neither may start one: the lock of whoever does is held.
pub trait Supervisor {
    /// Shakes hands on the control socket, and returns the other side's process id.
    ///
    /// # Errors
    /// Why not, for people.
    fn greet(&self) -> Result<u32, String>;

    /// Asks the one that runs to leave. Sessions stay.
    ///
    /// # Errors
    /// Why not, for people.
    fn leave(&self) -> Result<(), String>;
}

/// Nothing was, or not all could be, installed or taken away.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Under `sudo` the units would become root's.
    #[error("run this as yourself, not by sudo: the service is of one user, and root is another")]
    Sudo,
    /// Units have one name for all homes.
    #[error("ABIDE_HOME is set: a service can be installed for the usual folders only, so unset it")]
    Home,
    /// There is no user manager.
    #[error(
        "no systemd user manager answers here, and abide works without: `abide run` starts the supervisor by itself"
    )]
    NoManager,
    /// A file of somebody else has the place.
    #[error("{path} is not from `abide install`: move it away, or keep changes in a drop-in file", path = .0.display())]
    NotOurs(PathBuf),
    /// The manager does not look where we would write.
    #[error("the user manager looks for units in none of your folders (it says: {0})")]
    NoFolder(String),
    /// The folders cannot be used.
    #[error(transparent)]
    Paths(#[from] PathError),
    /// A program of ours is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A path cannot be written into a unit.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// A file could not be read, written or removed.
    #[error("cannot {doing} {path}: {source}", path = .path.display())]
    File {
        /// `read`, `write`, `remove` or `lock`.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// systemctl failed.
    #[error("systemctl --user {command}: {complaint}")]
    Systemctl {
        /// Its arguments.
        command: String,
        /// What it said.
        complaint: Complaint,
    },
    /// The supervisor that runs does not leave.
    #[error("the supervisor that runs does not leave ({0}): end it with `abide daemon stop`, and repeat")]
    Stays(String),
    /// All is in place, and nothing answers.
    #[error("the service is installed, and does not answer: {0}; see journalctl --user -u abide.service")]
    Silent(String),
    /// Lingering stayed as it was.
    #[error(
        "lingering cannot be turned {verb} for {user}: {why}; all else is done, and an administrator can: \
         loginctl {verb_long}-linger {user}",
        verb = if *.on { "on" } else { "off" }, verb_long = if *.on { "enable" } else { "disable" }
    )]
    Linger {
        /// Whether it was to be on.
        on: bool,
        /// Whose.
        user: String,
        /// What logind said.
        why: String,
    },
    /// Other commands are starting a supervisor all the time.
    #[error("another command is starting the supervisor and does not finish")]
    Busy,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write a file, whole.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Remove a file of ours.
    Remove(PathBuf),
    /// Remove a folder if it is empty.
    RemoveEmpty(PathBuf),
    /// Remove a socket that nobody listens on.
    RemoveSocket(PathBuf),
    /// Run `systemctl --user` with these arguments.
    Systemctl(Vec<&'static str>),
    /// Ask the supervisor that a command started to leave. Its sessions stay.
    TakeOver,
    /// Shake hands through the socket, which starts the supervisor where it is not running.
    Verify,
    /// Have this user linger, or no longer, and see whether that came true.
    Linger {
        /// Whether.
        on: bool,
        /// Who.
        user: String,
    },
    /// Nothing; something to know.
    Note(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, .. } => write!(f, "write {}", path.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::RemoveEmpty(path) => write!(f, "remove {} if it is empty", path.display()),
            Self::RemoveSocket(path) => write!(f, "remove the socket {} if nobody listens", path.display()),
            Self::Systemctl(arguments) => write!(f, "run systemctl --user {}", arguments.join(" ")),
            Self::TakeOver => write!(f, "ask the supervisor that runs to leave (its sessions stay)"),
            Self::Verify => write!(f, "verify that the supervisor answers through the socket"),
            Self::Linger { on: true, user } => {
                write!(f, "run loginctl enable-linger {user}, and see whether it came true")
            }
            Self::Linger { on: false, user } => {
                write!(f, "run loginctl disable-linger {user}, and see whether it came true")
            }
            Self::Note(text) => write!(f, "note: {text}"),
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug)]
#[must_use]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    at: look::Place,
}

impl Plan {
    /// Does it change anything?
    pub fn changes_nothing(&self) -> bool {
        let stop = ["stop", super::unit::SERVICE];
        self.steps.iter().all(|step| match step {
            Step::Note(_) | Step::Verify => true,
            // What the verification started.
            Step::Systemctl(arguments) => *arguments == stop,
            Step::Write { .. }
            | Step::Remove(_)
            | Step::RemoveEmpty(_)
            | Step::RemoveSocket(_)
            | Step::Linger { .. }
            | Step::TakeOver => false,
        })
    }
}

impl fmt::Display for Plan {
    /// The steps, one a line, with the content of files below theirs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
            if let Step::Write { text, .. } = step {
                for line in text.lines() {
                    writeln!(f, "    {line}")?;
                }
            }
        }
        Ok(())
    }
}
