//! Installing the supervisor as a service of one user, systemd's or launchd's, and taking it away.
//!
//! What is to be done is a [`Plan`] first, so that `--dry-run` shows exactly that. A plan is made from what is there, so
//! that a second installation has little or nothing to do. Where a package brought the units they are only enabled. No
//! step ends a session: hosts are units of their own.

mod agent;
#[cfg(target_os = "linux")]
mod look;
mod perform;

use super::launchd::agent::RenderError;
use super::launchd::launchctl::{self, Domain, Launchctl};
use super::logind::Logind;
use super::systemctl::{Complaint, Systemctl};
use super::unit::Unwritable;
use super::{Manager, program};
use crate::paths::{PathError, Paths, Surroundings};
use crate::service::program::ProgramError;
use nix::unistd::geteuid;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Plans to install the supervisor as a service. `linger`: whether the user wishes to linger; without a wish nothing is
/// changed about it.
///
/// # Errors
/// [`InstallError`]: it cannot or must not be done here.
pub fn install(paths: &Paths, linger: Option<bool>) -> Result<Plan, InstallError> {
    let place = Place::find(paths)?;
    let program = program::find_lasting("abided")?;
    match place {
        #[cfg(target_os = "linux")]
        Place::Systemd(place) => place.plan_install(&program, linger),
        Place::Launchd(place) => place.plan_install(&program, linger),
    }
}

/// Plans to take away what [`install`] did. Lingering is taken away where that is wished, and [`install`] turned it on.
///
/// # Errors
/// [`InstallError`]: it cannot or must not be done here.
pub fn uninstall(paths: &Paths, linger: Option<bool>) -> Result<Plan, InstallError> {
    match Place::find(paths)? {
        #[cfg(target_os = "linux")]
        Place::Systemd(place) => place.plan_uninstall(linger),
        Place::Launchd(place) => place.plan_uninstall(linger),
    }
}

/// The user's name, where lingering would make a difference that it does not make yet: a user manager that ends with the
/// last logout.
///
/// # Errors
/// [`InstallError`]: nothing can be installed here.
pub fn could_linger(paths: &Paths) -> Result<Option<String>, InstallError> {
    let logind: Option<Logind> = match Place::find(paths)? {
        #[cfg(target_os = "linux")]
        Place::Systemd(place) => place.logind,
        Place::Launchd(_) => None,
    };
    Ok(logind.filter(|logind| !logind.lingers()).map(|logind| logind.user().to_owned()))
}

/// Where a plan is about.
enum Place {
    #[cfg(target_os = "linux")]
    Systemd(look::Place),
    Launchd(agent::Place),
}

impl Place {
    fn find(paths: &Paths) -> Result<Self, InstallError> {
        if geteuid().is_root() && std::env::var("SUDO_UID").is_ok_and(|uid| uid != "0") {
            return Err(InstallError::Sudo);
        }
        if paths.home.is_some() {
            return Err(InstallError::Home);
        }
        match Manager::detect_in(paths, &Surroundings::of_this_process()) {
            #[cfg(target_os = "linux")]
            Manager::Systemd(systemd) => {
                let systemctl = Systemctl::new(systemd.runtime());
                let logind = Logind::of_this_user(&systemctl);
                look::Place::at(paths, systemctl, logind).map(Self::Systemd)
            }
            Manager::Launchd(launchd) => Ok(Self::Launchd(agent::Place::at(paths, launchd))),
            Manager::Standalone => Err(InstallError::NoManager),
        }
    }
}

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
        "no service manager for users answers here, and abide works without: `abide run` starts the supervisor by itself"
    )]
    NoManager,
    /// A file of somebody else has the place.
    #[error("{path} is not from `abide install`: move it away (changes to a unit belong into a drop-in file)", path = .0.display())]
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
    /// A property list cannot be made.
    #[error(transparent)]
    Render(#[from] RenderError),
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
    /// launchctl failed.
    #[error(transparent)]
    Launchctl(#[from] launchctl::Complaint),
    /// The supervisor that runs does not leave.
    #[error("the supervisor that runs does not leave ({0}): end it with `abide daemon stop`, and repeat")]
    Stays(String),
    /// All is in place, and nothing answers.
    #[error("the service is installed, and does not answer: {message}; see {log}")]
    Silent {
        /// What its silence looks like.
        message: String,
        /// Where it may have said why.
        log: String,
    },
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
    /// Have `launchctl` do this.
    Launchctl(Launchctl, Job),
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
            Self::Launchctl(_, job) => write!(f, "run launchctl {job}"),
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

/// What `launchctl` is to do with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Switch it on.
    Enable(Domain, &'static str),
    /// Load it.
    Bootstrap(Domain, &'static str, PathBuf),
    /// Unload it and end its process.
    Bootout(Domain, &'static str),
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enable(domain, label) => write!(f, "enable {}", domain.job(label)),
            Self::Bootstrap(domain, _, file) => write!(f, "bootstrap {domain} {}", file.display()),
            Self::Bootout(domain, label) => write!(f, "bootout {}", domain.job(label)),
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug)]
#[must_use]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    paths: Paths,
    /// Of the manager, where that is systemd.
    systemctl: Option<Systemctl>,
    /// Who keeps logins here.
    logind: Option<Logind>,
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
            | Step::Launchctl(..)
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

/// What a file says; none where there is none.
fn read(path: &Path) -> Result<Option<String>, InstallError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(InstallError::File { doing: "read", path: path.into(), source }),
    }
}
