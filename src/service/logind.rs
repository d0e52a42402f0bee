//! logind, the keeper of logins: whether what the user runs outlives the last logout.
//!
//! A user manager, and with it every session that is a unit of it, is stopped some seconds after the user's last login
//! session has ended, unless the user *lingers* (`loginctl(1)`, `enable-linger`). What logind says counts, never what
//! was asked of it: it may refuse, and a policy may answer in its place.

use super::systemctl::{Complaint, Systemctl};
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
        // The folder may be left, or come with a package; without either of these nobody answers.
        let answers =
            ["/run/systemd/system", "/run/dbus/system_bus_socket"].iter().any(|at| Path::new(at).exists());
        (found.users.is_dir() && answers).then_some(found)
    }

    /// With these folders.
    pub(crate) fn at(programs: &Systemctl, user: String, lingering: &Path, users: &Path) -> Self {
        Self { programs: programs.clone(), user, lingering: lingering.into(), users: users.into() }
    }

    /// Name of the user.
    pub fn user(&self) -> &str {
        &self.user
    }

    fn loginctl(&self, arguments: &[&str]) -> Result<String, Complaint> {
        self.programs.ask_system("loginctl", arguments)
    }

    /// Does logind end what a login of this user leaves behind (`KillUserProcesses=` and the users that it is limited to,
    /// see logind.conf(5))? None where it does not say.
    pub fn kills_processes(&self) -> Option<bool> {
        let said = self.programs.ask_system(
            "busctl",
            &[
                "--json=short",
                "--timeout=5",
                "get-property",
                "org.freedesktop.login1",
                "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager",
                "KillUserProcesses",
                "KillOnlyUsers",
                "KillExcludeUsers",
            ],
        );
        kills(&said.ok()?, &self.user)
    }

    /// Does the user linger?
    pub fn lingers(&self) -> bool {
        // It knows users that are logged in or linger; of others its files tell.
        match self.loginctl(&["show-user", "--property=Linger", "--value", "--", &self.user]) {
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
        let asked = self.loginctl(&["--no-ask-password", verb, "--", &self.user]);
        match (asked, self.lingers() == on) {
            (_, true) => Ok(()),
            (Err(complaint), false) => Err(complaint.to_string()),
            (Ok(_), false) => Err(format!("loginctl {verb} reported success, and nothing changed")),
        }
    }
}

/// What three properties, a line of JSON each, mean for a user.
fn kills(said: &str, user: &str) -> Option<bool> {
    let mut values = said.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).ok()?.get_mut("data").map(serde_json::Value::take)
    });
    let mut next = || values.next().flatten();
    let (kills, only, exclude) = (next()?.as_bool()?, next()?, next()?);
    let names = |list: &serde_json::Value| list.as_array().map(|list| list.iter().any(|name| name == user));
    let all = only.as_array()?.is_empty();
    Some(kills && (all || names(&only)?) && !names(&exclude)?)
}

/// The login session in whose scope this process is: what its end, or logind, clears. None where it is in no such scope,
/// or where the system has none.
pub fn login_session() -> Option<String> {
    session_in(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// Of the lines, one a hierarchy, the one that systemd keeps: `0::/user.slice/user-1000.slice/session-3.scope`, or
/// `1:name=systemd:…` on the older hierarchy.
fn session_in(cgroups: &str) -> Option<String> {
    cgroups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, name, path) = (parts.next()?, parts.next()?, parts.next()?);
        if number != "0" && name != "name=systemd" {
            return None;
        }
        let mut folders = path.split('/').skip_while(|folder| !folder.starts_with("user-"));
        let (_, scope) = (folders.next()?, folders.next()?);
        Some(scope.strip_prefix("session-")?.strip_suffix(".scope")?.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_killed_at_a_logout() {
        let said = |kills: &str, only: &str, exclude: &str| {
            let list = |names: &str| format!(r#"{{"type":"as","data":[{names}]}}"#);
            format!("{{\"type\":\"b\",\"data\":{kills}}}\n{}\n{}\n", list(only), list(exclude))
        };
        for (kill, only, exclude, expected) in [
            ("false", "", "", Some(false)),
            ("true", "", "", Some(true)),
            ("true", r#""bob""#, "", Some(false)),
            ("true", r#""bob","ada""#, r#""root""#, Some(true)),
            ("true", "", r#""ada""#, Some(false)),
            ("true", r#""ada""#, r#""ada""#, Some(false)),
            ("1", "", "", None),
        ] {
            assert_eq!(kills(&said(kill, only, exclude), "ada"), expected, "{kill} {only} {exclude}");
        }
        for bad in ["", "b false", "{}", r#"{"type":"b","data":true}"#] {
            assert_eq!(kills(bad, "ada"), None, "{bad}");
        }
    }

    #[test]
    fn a_login_session_is_told_from_the_managers_own_scopes() {
        let session = |line: &str| session_in(line);
        assert_eq!(session("0::/user.slice/user-1000.slice/session-c3.scope\n").as_deref(), Some("c3"));
        let older = "5:cpu:/\n1:name=systemd:/user.slice/user-7.slice/session-12.scope\n0::/\n";
        assert_eq!(session(older).as_deref(), Some("12"));
        for none in [
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/session-1.scope",
            "0::/system.slice/cron.service",
            "0::/",
            "",
            "garbage",
        ] {
            assert_eq!(session(none), None, "{none}");
        }
    }
}
