//! The port to service managers: where hosts run, what starts the supervisor, and what is installed.
//!
//! Two surfaces, so that neither caller sees the other's verbs. At run time the supervisor uses [`Listener`],
//! [`notify`] and [`Manager`]. The command line uses [`start::ensure_running`] and `install`.
//!
//! A port promises what every adapter honours: a host that was launched is in no process group, session or control group
//! whose end comes with the supervisor's, is told nothing but its id and where the folders are, and leaves no zombie.
//!
//! | | systemd | launchd, standalone |
//! |---|---|---|
//! | a host is | a transient service of its own in `abide.slice` | a process in a session of its own |
//! | it survives | the supervisor's stop, restart, crash; the removal of every file | the same |
//! | it is accounted | by its control group | not at all |
//!
//! launchd ends a job's process group only, and not even that of a job which asks for it.

pub mod anchor;
pub mod handover;
pub mod install;
pub mod launchd;
pub mod listener;
pub mod logind;
pub mod notify;
pub mod program;
mod standalone;
pub mod start;
pub mod systemctl;
#[cfg(target_os = "linux")]
mod systemd;
pub mod unit;

pub use listener::{ListenError, Listener};
pub use standalone::{Gate, show_host};
pub use start::{StartError, Started, ensure_running};

use crate::paths::{Paths, Surroundings};
use program::ProgramError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What a manager leaves to a host between its polite signal and SIGKILL: more than any grace that a host is given.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Who runs hosts here.
#[derive(Debug)]
pub enum Manager {
    /// `systemd --user`.
    #[cfg(target_os = "linux")]
    Systemd(systemd::Systemd),
    /// launchd, which starts the supervisor and leaves hosts alone.
    Launchd(launchd::Launchd),
    /// Nobody: hosts are processes in sessions of their own.
    Standalone,
}

/// A host could not be started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A program of ours is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A process could not be started.
    #[error("cannot start {program}: {source}", program = .program.display())]
    Spawn {
        /// Which.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The service manager refused or failed. Whether the unit runs is not known where it did not answer.
    #[error("the service manager could not {doing} {unit}: {message}")]
    Manager {
        /// `start` or `stop`.
        doing: &'static str,
        /// Which unit.
        unit: String,
        /// What it said, and what to look at.
        message: String,
    },
    /// The session's unit is active: a host of it lives.
    #[error("{0} is active already")]
    Active(String),
    /// The host could not be signalled.
    #[error("cannot signal the host (process {pid}): {source}")]
    Signal {
        /// Which.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// How a host that does not answer is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is asked to: it ends its child politely and writes the exit record.
    Polite,
    /// It and everything in its control group are killed.
    Kill,
}

/// A host that was prepared while its record was made durable.
#[derive(Debug)]
#[must_use]
pub enum Prepared {
    /// It runs, and waits for its release.
    Waiting(Gate),
    /// Nothing was gained by preparing.
    Nothing,
}

impl Manager {
    /// Looks who is there. `ABIDE_SERVICE=systemd|launchd|standalone` decides instead. Under `ABIDE_HOME` the answer is
    /// standalone unless that variable says otherwise: such a home is meant to stand by itself.
    pub fn detect(paths: &Paths) -> Self {
        Self::detect_in(paths, &Surroundings::of_this_process())
    }

    pub(crate) fn detect_in(paths: &Paths, surroundings: &Surroundings) -> Self {
        let wanted = match surroundings.service.as_deref().and_then(|wanted| wanted.to_str()) {
            Some(wanted) if wanted == NATIVE => true,
            Some("standalone") => false,
            Some(_) | None => paths.home.is_none(),
        };
        let found = if wanted { native(paths, surroundings) } else { None };
        found.unwrap_or(Self::Standalone)
    }

    /// The runtime folder (`$XDG_RUNTIME_DIR`) in which the manager listens; none where there is none.
    pub fn runtime(&self) -> Option<&std::path::Path> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(systemd) => Some(systemd.runtime()),
            Self::Launchd(_) | Self::Standalone => None,
        }
    }

    /// For people.
    pub fn name(&self) -> &'static str {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(_) => "systemd",
            Self::Launchd(_) => "launchd",
            Self::Standalone => "standalone",
        }
    }

    /// Process id of the manager; none where there is none, or where it cannot be told.
    pub fn pid(&self) -> Option<u32> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(systemd) => systemd.pid(),
            // launchd is process 1: it begins and ends with the machine.
            Self::Launchd(_) | Self::Standalone => None,
        }
    }

    /// Starts as much of a host as can be started before its record is durable.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub async fn prepare_host(&self, paths: &Paths, id: &str) -> Result<Prepared, LaunchError> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(_) => Ok(Prepared::Nothing),
            Self::Launchd(_) | Self::Standalone => {
                standalone::prepare(paths, id).await.map(Prepared::Waiting)
            }
        }
    }

    /// Lets a prepared host take its start order. One that is dropped instead leaves without a trace.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub async fn release(&self, prepared: Prepared, paths: &Paths, id: &str) -> Result<(), LaunchError> {
        match prepared {
            Prepared::Waiting(gate) => gate.open(),
            Prepared::Nothing => self.launch_host(paths, id).await,
        }
    }

    /// Starts a host, which will take the start order of this id. Done when its program runs.
    ///
    /// # Errors
    /// [`LaunchError`]. Whoever gives up then withdraws the start order first, since a manager that did not answer
    /// may start the host all the same.
    pub async fn launch_host(&self, paths: &Paths, id: &str) -> Result<(), LaunchError> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(systemd) => systemd.launch(paths, id).await,
            Self::Launchd(_) | Self::Standalone => standalone::prepare(paths, id).await?.open(),
        }
    }

    /// Ends a host that does not answer. `pid` is the host's last known process.
    ///
    /// # Errors
    /// [`LaunchError`]; a host that is gone already is none.
    pub async fn stop_host(&self, id: &str, pid: u32, force: Force) -> Result<(), LaunchError> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(systemd) => systemd.stop(id, force).await,
            Self::Launchd(_) | Self::Standalone => standalone::stop(id, pid, force),
        }
    }

    /// How long a supervisor has to live at least, so that its manager starts the next one without a delay.
    pub fn shortest_life(&self) -> Duration {
        match self {
            #[cfg(target_os = "linux")]
            Self::Systemd(_) => Duration::ZERO,
            Self::Launchd(_) => launchd::agent::THROTTLE,
            Self::Standalone => Duration::ZERO,
        }
    }
}

/// The manager that this system has, if it has one.
#[cfg(target_os = "linux")]
const NATIVE: &str = "systemd";
#[cfg(not(target_os = "linux"))]
const NATIVE: &str = "launchd";

#[cfg(target_os = "linux")]
fn native(paths: &Paths, surroundings: &Surroundings) -> Option<Manager> {
    let runtime = Paths::manager_runtime(surroundings).filter(|runtime| systemd::is_reachable(runtime))?;
    Some(Manager::Systemd(systemd::Systemd::new(runtime, paths.tag())))
}

#[cfg(not(target_os = "linux"))]
fn native(_paths: &Paths, surroundings: &Surroundings) -> Option<Manager> {
    let program = std::path::Path::new(launchd::LAUNCHCTL);
    let launchctl = program.exists().then(|| launchd::launchctl::Launchctl::new(program))?;
    launchd::Launchd::new(surroundings, launchctl).map(Manager::Launchd)
}
