//! Under launchd: looking at what is there, and planning by it.

use super::{InstallError, Job, Plan, Step, read};
use crate::paths::Paths;
use crate::service::launchd::Launchd;
use crate::service::launchd::agent::{self, Filling, LABEL, LABELS};
use crate::service::launchd::launchctl::Domain;
use crate::service::start;
use std::path::{Path, PathBuf};

/// Where a plan is about.
#[derive(Debug)]
pub(super) struct Place {
    paths: Paths,
    launchd: Launchd,
}

impl Place {
    pub(super) fn at(paths: &Paths, launchd: Launchd) -> Self {
        Self { paths: paths.clone(), launchd }
    }

    pub(super) fn plan_install(self, program: &Path, linger: Option<bool>) -> Result<Plan, InstallError> {
        let domain = self.launchd.domain()?;
        let filling = Filling {
            program: program.into(),
            socket: self.paths.control_socket(),
            errors: self.errors(),
            domain,
            environment: self.unknown_folders(),
        };
        let (mut unload, mut write, mut load) = (Vec::new(), Vec::new(), Vec::new());
        let mut listens = false;
        for (label, text) in filling.render()? {
            let (path, text) = (self.launchd.file(label), agent::marked(&text));
            let there = read(&path)?;
            if there.as_ref().is_some_and(|there| !agent::is_marked(there)) {
                return Err(InstallError::NotOurs(path));
            }
            let (loaded, changes) = (self.launchd.loaded(label)?, there.as_ref() != Some(&text));
            if loaded == Some(domain) && !changes {
                listens |= label == LABEL;
                continue;
            }
            // A loaded job keeps what it was loaded with, and one in another domain has the socket.
            unload.extend(loaded.map(|domain| self.step(Job::Bootout(domain, label))));
            if changes {
                write.push(Step::Write { path: path.clone(), text });
            }
            if self.launchd.launchctl().is_disabled(domain, label)? {
                load.push(self.step(Job::Enable(domain, label)));
            }
            load.push(self.step(Job::Bootstrap(domain, label, path)));
        }
        let unloads_the_agent = self.unloads_the_agent(&unload);
        let mut steps = unload;
        steps.append(&mut write);
        // Asking through launchd's socket would start the service, and there is none to take over from.
        if !listens && !unloads_the_agent && start::answers(&self.paths) {
            steps.push(Step::TakeOver);
        }
        steps.append(&mut load);
        steps.push(Step::Verify);
        steps.extend(no_lingering(linger));
        if let Domain::User(_) = domain {
            steps.push(Step::Note(
                "nobody is logged in at the screen: sessions reach no keychain; repeat this there if you work there".into(),
            ));
        }
        Ok(self.plan(steps))
    }

    pub(super) fn plan_uninstall(self, linger: Option<bool>) -> Result<Plan, InstallError> {
        let (mut steps, mut files) = (Vec::new(), Vec::new());
        for label in LABELS {
            if let Some(domain) = self.launchd.loaded(label)? {
                steps.push(self.step(Job::Bootout(domain, label)));
            }
            let path = self.launchd.file(label);
            if read(&path)?.is_some_and(|there| agent::is_marked(&there)) {
                files.push(Step::Remove(path));
            }
        }
        if steps.is_empty() && files.is_empty() {
            steps.push(Step::Note("nothing is installed".into()));
            steps.extend(no_lingering(linger));
            return Ok(self.plan(steps));
        }
        let any_file = !files.is_empty();
        steps.append(&mut files);
        if any_file {
            steps.push(Step::RemoveEmpty(self.launchd.agents().into()));
        }
        steps.push(Step::Remove(self.errors()));
        steps.push(Step::RemoveSocket(self.paths.control_socket()));
        steps.extend(no_lingering(linger));
        steps.push(Step::Note("sessions run on; the next command starts a supervisor on demand".into()));
        Ok(self.plan(steps))
    }

    /// launchd never shortens this file; the supervisor's log is another, which it rotates itself.
    fn errors(&self) -> PathBuf {
        self.paths.logs().join("abided.stderr.log")
    }

    /// launchd knows none of the variables that our folders may come from. The runtime folder comes from none.
    fn unknown_folders(&self) -> Vec<(&'static str, PathBuf)> {
        let mut folders = self.paths.environment();
        folders.retain(|(name, _)| *name != "XDG_RUNTIME_DIR");
        folders
    }

    fn unloads_the_agent(&self, steps: &[Step]) -> bool {
        steps.iter().any(|step| matches!(step, Step::Launchctl(_, Job::Bootout(_, label)) if *label == LABEL))
    }

    fn step(&self, job: Job) -> Step {
        Step::Launchctl(self.launchd.launchctl().clone(), job)
    }

    fn plan(self, steps: Vec<Step>) -> Plan {
        Plan { steps, paths: self.paths, systemctl: None, logind: None }
    }
}

/// What comes of a wish about lingering.
fn no_lingering(wish: Option<bool>) -> Option<Step> {
    wish.map(|_| Step::Note("lingering is systemd's: nothing changes about logouts here".into()))
}

#[cfg(test)]
mod tests;
