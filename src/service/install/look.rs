//! Under systemd: looking at what is there, and planning by it.

use super::{InstallError, Plan, Step, read};
use crate::paths::Paths;
use crate::service::logind::Logind;
use crate::service::start;
use crate::service::systemctl::Systemctl;
use crate::service::unit::{self, FOLDERS, MARK, RESUME, RESUME_FOLDERS, SERVICE, SOCKET, UPGRADE};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a plan is about.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) paths: Paths,
    pub(super) systemctl: Systemctl,
    /// Who keeps logins here.
    pub(super) logind: Option<Logind>,
    /// The user's own folder of units.
    units: PathBuf,
    /// A folder of units that brings ours already.
    packaged: Option<PathBuf>,
    /// The manager's environment.
    environment: BTreeMap<String, String>,
}

impl Place {
    pub(super) fn at(
        paths: &Paths,
        systemctl: Systemctl,
        logind: Option<Logind>,
    ) -> Result<Self, InstallError> {
        let said = ask(&systemctl, &["show-environment"])?;
        let environment: BTreeMap<String, String> = said
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let folders = show(&systemctl, "", &["UnitPath"])?.remove("UnitPath").unwrap_or_default();
        let folders: Vec<&Path> = folders.split_whitespace().map(Path::new).collect();
        // The manager's idea of the configuration folder counts, ours only if it shares it.
        let wished = paths.config.with_file_name("systemd/user");
        let usual = environment.get("HOME").map(|home| Path::new(home).join(".config/systemd/user"));
        let units = [Some(wished), usual]
            .into_iter()
            .flatten()
            .find(|folder| folders.contains(&folder.as_path()))
            .ok_or_else(|| InstallError::NoFolder(ask_folders(&folders)))?;
        // What the manager makes for itself is below its runtime folder.
        let packaged = folders
            .into_iter()
            .filter(|folder| *folder != units && !folder.starts_with("/run"))
            .find(|folder| [SOCKET, SERVICE, UPGRADE, RESUME].iter().all(|name| folder.join(name).exists()))
            .map(Path::to_owned);
        Ok(Self { paths: paths.clone(), systemctl, logind, units, packaged, environment })
    }

    pub(super) fn plan_install(self, program: &Path, linger: Option<bool>) -> Result<Plan, InstallError> {
        let socket = show(&self.systemctl, SOCKET, &["ActiveState", "UnitFileState"])?;
        let service = show(&self.systemctl, SERVICE, &["ActiveState"])?;
        let upgrade = show(&self.systemctl, UPGRADE, &["ActiveState", "UnitFileState"])?;
        let is = |state: &BTreeMap<String, String>, key: &str, value: &str| {
            state.get(key).is_some_and(|found| found == value)
        };
        let mut steps = self.files(program)?;
        let writes = |steps: &[Step], name: &str| {
            let path = self.units.join(name);
            steps
                .iter()
                .any(|step| matches!(step, Step::Write { path: p, .. } | Step::Remove(p) if *p == path))
        };
        let (socket_changes, service_changes) =
            (writes(&steps, SOCKET), writes(&steps, SERVICE) || writes(&steps, FOLDERS));
        let upgrade_changes = writes(&steps, UPGRADE);
        if !steps.is_empty() {
            steps.push(Step::Systemctl(vec!["daemon-reload"]));
        }
        if is(&socket, "ActiveState", "failed") || is(&service, "ActiveState", "failed") {
            steps.push(Step::Systemctl(vec!["reset-failed", SOCKET, SERVICE]));
        }
        let listens = is(&socket, "ActiveState", "active");
        let (runs_as_service, runs) = (is(&service, "ActiveState", "active"), start::answers(&self.paths));
        // Asking through the manager's socket would start the service; then there is none to take over from.
        if !listens && runs {
            steps.push(Step::TakeOver);
        }
        if !listens || !is(&socket, "UnitFileState", "enabled") {
            steps.push(Step::Systemctl(vec!["enable", "--now", SOCKET]));
        }
        let watches = is(&upgrade, "ActiveState", "active");
        if !watches || !is(&upgrade, "UnitFileState", "enabled") {
            steps.push(Step::Systemctl(vec!["enable", "--now", UPGRADE]));
        }
        if watches && upgrade_changes {
            // It watches the path that it was started with.
            steps.push(Step::Systemctl(vec!["restart", UPGRADE]));
        }
        let resume = show(&self.systemctl, RESUME, &["UnitFileState"])?;
        if !is(&resume, "UnitFileState", "enabled") {
            // Not started: it is for the next boot or login.
            steps.push(Step::Systemctl(vec!["enable", RESUME]));
        }
        if listens && socket_changes {
            steps.push(Step::Systemctl(vec!["restart", SOCKET]));
        } else if runs_as_service && service_changes {
            steps.push(Step::Systemctl(vec!["restart", SERVICE]));
        }
        steps.push(Step::Verify);
        // One that a command started has sessions, perhaps, that somebody should watch; nobody needs the other one yet.
        if !runs_as_service && (listens || !runs) {
            steps.push(Step::Systemctl(vec!["stop", SERVICE]));
        }
        steps.extend(self.lingering(linger));
        Ok(self.plan(steps))
    }

    /// The files that are to change. Where a package brought the units, ours would only hide them.
    fn files(&self, program: &Path) -> Result<Vec<Step>, InstallError> {
        let mut wanted: BTreeMap<&str, Option<String>> = unit::names().map(|name| (name, None)).collect();
        if self.packaged.is_none() {
            wanted.extend(unit::render(program)?.into_iter().map(|(name, text)| (name, Some(text))));
        }
        let unknown = self.unknown_folders();
        if !unknown.is_empty() {
            for drop_in in [FOLDERS, RESUME_FOLDERS] {
                wanted.insert(drop_in, Some(unit::folders(&unknown)?));
            }
        }
        let mut steps = Vec::new();
        for (name, text) in wanted {
            let path = self.units.join(name);
            match (read(&path)?, text) {
                (Some(there), Some(text)) if there == text => {}
                (Some(there), Some(text)) if there.starts_with(MARK) => {
                    steps.push(Step::Write { path, text })
                }
                (Some(_), Some(_)) => return Err(InstallError::NotOurs(path)),
                (None, Some(text)) => steps.push(Step::Write { path, text }),
                (Some(there), None) if there.starts_with(MARK) => steps.push(Step::Remove(path)),
                (Some(_) | None, None) => {}
            }
        }
        Ok(steps)
    }

    /// The folders that a program of the manager's would look for in other places than we do.
    fn unknown_folders(&self) -> Vec<(&'static str, PathBuf)> {
        let home = self.environment.get("HOME").map(Path::new);
        let default = |below: &str| home.map(|home| home.join(below));
        let mut folders = self.paths.environment();
        folders.retain(|(name, base)| {
            let usual = match *name {
                "XDG_STATE_HOME" => default(".local/state"),
                "XDG_CONFIG_HOME" => default(".config"),
                // The manager's own by definition: the socket is in it.
                _ => return false,
            };
            self.environment.get(*name).map(PathBuf::from).or(usual).as_ref() != Some(base)
        });
        folders
    }

    pub(super) fn plan_uninstall(self, linger: Option<bool>) -> Result<Plan, InstallError> {
        let socket = show(&self.systemctl, SOCKET, &["LoadState", "ActiveState", "UnitFileState"])?;
        let loaded = socket.get("LoadState").is_some_and(|state| state == "loaded");
        let mut files = Vec::new();
        for name in unit::names() {
            let path = self.units.join(name);
            if read(&path)?.is_some_and(|there| there.starts_with(MARK)) {
                files.push(Step::Remove(path));
            }
        }
        let in_use = ["ActiveState", "UnitFileState"]
            .iter()
            .any(|key| socket.get(*key).is_some_and(|state| state == "active" || state == "enabled"));
        let mut steps = Vec::new();
        if !in_use && files.is_empty() {
            steps.push(Step::Note("nothing is installed".into()));
            steps.extend(self.lingering_after(linger));
            return Ok(self.plan(steps));
        }
        if loaded {
            steps.push(Step::Systemctl(vec!["disable", "--now", UPGRADE, RESUME, SOCKET]));
            steps.push(Step::Systemctl(vec!["stop", SERVICE]));
        }
        if !files.is_empty() {
            steps.append(&mut files);
            for name in [
                "abide-session-.service.d",
                "abide.service.d",
                "abide-resume.service.d",
                "sockets.target.wants",
                "paths.target.wants",
                "default.target.wants",
            ] {
                steps.push(Step::RemoveEmpty(self.units.join(name)));
            }
            steps.push(Step::RemoveEmpty(self.units.clone()));
            steps.extend(self.units.parent().map(|above| Step::RemoveEmpty(above.into())));
            steps.push(Step::Systemctl(vec!["daemon-reload"]));
        }
        steps.push(Step::RemoveSocket(self.paths.control_socket()));
        if let Some(folder) = &self.packaged {
            let folder = folder.display();
            steps.push(Step::Note(format!("the units in {folder} are a package's, and stay there disabled")));
        }
        steps.extend(self.lingering_after(linger));
        steps.push(Step::Note("sessions run on; the next command starts a supervisor on demand".into()));
        Ok(self.plan(steps))
    }

    fn plan(self, steps: Vec<Step>) -> Plan {
        Plan { steps, paths: self.paths, systemctl: Some(self.systemctl), logind: self.logind }
    }

    /// What an installation does about lingering: nothing that was not asked for, and nothing of somebody else's.
    fn lingering(&self, wish: Option<bool>) -> Option<Step> {
        let note = |text: String| Some(Step::Note(text));
        let Some(logind) = &self.logind else {
            return wish
                .and_then(|_| note("no logind is here: no logout ends sessions, and nobody lingers".into()));
        };
        let user = logind.user();
        match (logind.lingers(), wish) {
            (true, Some(true) | None) => None,
            (true, Some(false)) if self.paths.lingering_mark().exists() => {
                Some(Step::Linger { on: false, user: user.into() })
            }
            (true, Some(false)) => {
                note(format!("it was not abide that turned lingering on for {user}: it stays on"))
            }
            (false, Some(true)) => Some(Step::Linger { on: true, user: user.into() }),
            (false, Some(false) | None) => {
                note("sessions end with your last logout; to keep them: abide install --linger yes, or `anchor = true` in config.toml".into())
            }
        }
    }

    /// What is done about lingering where the rest is taken away.
    fn lingering_after(&self, wish: Option<bool>) -> Option<Step> {
        let logind = self.logind.as_ref().filter(|logind| logind.lingers())?;
        let user = logind.user();
        match (self.paths.lingering_mark().exists(), wish) {
            (true, Some(false)) => Some(Step::Linger { on: false, user: user.into() }),
            (true, Some(true) | None) => Some(Step::Note(format!(
                "`abide install` turned lingering on for {user}, and it stays on: `abide uninstall --linger no` turns \
                 it off"
            ))),
            (false, Some(false)) => {
                Some(Step::Note(format!("it was not abide that turned lingering on for {user}: it stays on")))
            }
            (false, Some(true) | None) => None,
        }
    }
}

fn ask_folders(folders: &[&Path]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" ")
}

fn ask(systemctl: &Systemctl, arguments: &[&str]) -> Result<String, InstallError> {
    systemctl
        .ask(arguments)
        .map_err(|complaint| InstallError::Systemctl { command: arguments.join(" "), complaint })
}

fn show(
    systemctl: &Systemctl,
    unit: &str,
    properties: &[&str],
) -> Result<BTreeMap<String, String>, InstallError> {
    systemctl
        .show(unit, properties)
        .map_err(|complaint| InstallError::Systemctl { command: format!("show {unit}"), complaint })
}

#[cfg(test)]
mod tests;
