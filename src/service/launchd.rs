//! launchd: the supervisor as an agent of one user, started by its socket.
//!
//! Compiled on every platform, so that all of it but the system calls is tested where there is no launchd. On macOS it
//! has been compiled and linked, and never run.
//!
//! | File | Holds |
//! |---|---|
//! | `agent` | the two property lists |
//! | `launchctl` | the program by which launchd is told, its error codes, what is tried again |
//! | `activation` | the socket that launchd hands over |
//!
//! What differs from systemd: there are no control groups, so hosts are placed as they are without a manager, in sessions
//! of their own; there are no transient jobs, so a supervisor on demand is a detached process; and a job belongs to a
//! *domain*. `gui/UID` is there while the user is logged in at the screen, and its jobs reach the keychain; `user/UID`
//! is there for a login by SSH alone.

pub mod activation;
pub mod agent;
pub mod launchctl;

use crate::paths::{Paths, Surroundings};
use agent::LABEL;
use launchctl::{Complaint, Domain, Launchctl};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where macOS has the program.
pub const LAUNCHCTL: &str = "/bin/launchctl";

/// How long a queue of connections may be full, and how often it is looked.
const FULL_QUEUE: Duration = Duration::from_secs(2);
const FULL_QUEUE_LOOKS: u32 = 20;

/// launchd, as one user may use it.
#[derive(Debug, Clone)]
pub struct Launchd {
    uid: u32,
    agents: PathBuf,
    launchctl: Launchctl,
}

impl Launchd {
    /// For the user of these surroundings, told by this `launchctl`. None where the user has no home folder, which
    /// is where agents are.
    pub fn new(surroundings: &Surroundings, launchctl: Launchctl) -> Option<Self> {
        let agents = surroundings.home_folder()?.join("Library/LaunchAgents");
        Some(Self { uid: surroundings.uid, agents, launchctl })
    }

    /// Folder of the user's property lists.
    pub fn agents(&self) -> &Path {
        &self.agents
    }

    /// The property list of the job with this label, where `abide install` puts it.
    pub fn file(&self, label: &str) -> PathBuf {
        self.agents.join(format!("{label}.plist"))
    }

    /// The program.
    pub fn launchctl(&self) -> &Launchctl {
        &self.launchctl
    }

    /// Where a new job belongs: to the login at the screen where there is one, since only its jobs reach the keychain.
    ///
    /// # Errors
    /// [`Complaint`]: launchctl cannot be asked.
    pub fn domain(&self) -> Result<Domain, Complaint> {
        let [gui, user] = self.domains();
        Ok(if self.launchctl.is_there(&gui.to_string())? { gui } else { user })
    }

    /// Where the job with this label is loaded, if it is.
    ///
    /// # Errors
    /// As [`Launchd::domain`].
    pub fn loaded(&self, label: &str) -> Result<Option<Domain>, Complaint> {
        for domain in self.domains() {
            if self.launchctl.is_there(&domain.job(label))? {
                return Ok(Some(domain));
            }
        }
        Ok(None)
    }

    fn domains(&self) -> [Domain; 2] {
        [Domain::Gui(self.uid), Domain::User(self.uid)]
    }

    /// Does launchd hold the control socket of these folders?
    ///
    /// # Errors
    /// [`Complaint`]: launchctl cannot be asked.
    pub fn listens(&self, paths: &Paths) -> Result<bool, Complaint> {
        Ok(paths.home.is_none() && paths.control_socket().exists() && self.loaded(LABEL)?.is_some())
    }

    /// Has launchd listen again, where the installed job is loaded and yet nobody answers: its socket's name was taken
    /// away, which launchd does not notice. False where nothing is installed, or it is not loaded: at a login that the
    /// agent is not for, or where the user switched it off. The caller holds the start lock.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn mend(&self, paths: &Paths, answers: impl Fn() -> bool) -> Result<bool, Complaint> {
        let file = self.file(LABEL);
        if paths.home.is_some() || !file.exists() {
            return Ok(false);
        }
        let Some(domain) = self.loaded(LABEL)? else { return Ok(false) };
        // A socket whose queue is full refuses, too, while the supervisor starts.
        for _ in 0..FULL_QUEUE_LOOKS {
            if !paths.control_socket().exists() {
                break;
            }
            if answers() {
                return Ok(true);
            }
            std::thread::sleep(FULL_QUEUE / FULL_QUEUE_LOOKS);
        }
        // The supervisor that it may run is ended, which ends no session; no command of launchctl makes the socket anew.
        self.launchctl.bootout(domain, LABEL)?;
        self.launchctl.bootstrap(domain, LABEL, &file)?;
        Ok(true)
    }
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests;
