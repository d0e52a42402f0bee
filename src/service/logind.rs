//! logind, the keeper of logins: whether what the user runs outlives the last logout.
//!
//! A user manager, and with it every session that is a unit of it, is stopped some seconds after the user's last login
//! session has ended, unless the user *lingers* (`loginctl(1)`, `enable-linger`). What logind says counts, never what
//! was asked of it: it may refuse, and a policy may answer in its place.

use super::systemctl::Systemctl;
use nix::unistd::{User, geteuid};
use std::path::{Path, PathBuf};

/// The logind of this machine, as far as this user has to do with it.
#[derive(Debug, Clone)]
pub struct Logind {
    programs: Systemctl,
    /// Name of the user; logind's files are called by it.
    user: String,
    /// Where logind keeps users that linger.
    lingering: PathBuf,
    /// There where logind runs.
    users: PathBuf,
}

impl Logind {
    /// The one that keeps this user's logins; none where no logind runs, or where the user has no name.
    pub fn of_this_user(programs: &Systemctl) -> Option<Self> {
        let user = User::from_uid(geteuid()).ok().flatten()?.name;
        let found =
            Self::at(programs, user, Path::new("/var/lib/systemd/linger"), Path::new("/run/systemd/users"));
        found.users.is_dir().then_some(found)
    }

    /// With these folders.
    pub(crate) fn at(programs: &Systemctl, user: String, lingering: &Path, users: &Path) -> Self {
        Self { programs: programs.clone(), user, lingering: lingering.into(), users: users.into() }
    }

    /// Name of the user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Does the user linger?
    pub fn lingers(&self) -> bool {
        // It knows users that are logged in or linger; of others its files tell.
        match self.programs.loginctl(&["show-user", "--property=Linger", "--value", "--", &self.user]) {
            Ok(said) if said.trim() == "yes" => true,
            Ok(said) if said.trim() == "no" => false,
            Ok(_) | Err(_) => self.lingering.join(&self.user).exists(),
        }
    }

    /// Has the user linger, or no longer, and looks whether that is so now.
    ///
    /// # Errors
    /// Why it is not, for people.
    pub fn set_lingering(&self, on: bool) -> Result<(), String> {
        let verb = if on { "enable-linger" } else { "disable-linger" };
        let asked = self.programs.loginctl(&["--no-ask-password", verb, "--", &self.user]);
        match (asked, self.lingers() == on) {
            (_, true) => Ok(()),
            (Err(complaint), false) => Err(complaint.to_string()),
            (Ok(_), false) => Err(format!("loginctl {verb} reported success, and nothing changed")),
        }
    }
}
