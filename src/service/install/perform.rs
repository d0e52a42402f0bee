//! Doing what was planned.

use super::{InstallError, Job, Plan, Step, Supervisor};
use crate::service::launchd::launchctl::Launchctl;
use crate::service::{start, unit};
use crate::sys::dirs::{self, Lock};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// How long other commands may take to start a supervisor, and the one that runs may take to leave.
const PATIENCE: Duration = Duration::from_secs(30);

impl Plan {
    /// Does every step, and says each before it is done.
    ///
    /// # Errors
    /// [`InstallError`], at the first step that fails; what was done by then stays, and a repetition goes on from there.
    pub fn perform(
        &self,
        supervisor: &dyn Supervisor,
        mut say: impl FnMut(&Step),
    ) -> Result<(), InstallError> {
        let paths = &self.paths;
        paths.prepare()?;
        let path = paths.start_lock();
        // Until all is in place no command may start a supervisor by its own means.
        let _lock = Lock::acquire(&path, PATIENCE)
            .map_err(|source| InstallError::File { doing: "lock", path, source })?
            .ok_or(InstallError::Busy)?;
        for step in &self.steps {
            say(step);
            self.step(step, supervisor)?;
        }
        Ok(())
    }

    fn step(&self, step: &Step, supervisor: &dyn Supervisor) -> Result<(), InstallError> {
        let failed = |doing, path: &Path, source| InstallError::File { doing, path: path.into(), source };
        match step {
            Step::Write { path, text } => write(path, text).map_err(|e| failed("write", path, e)),
            Step::Remove(path) => gone(std::fs::remove_file(path)).map_err(|e| failed("remove", path, e)),
            Step::RemoveEmpty(path) => match gone(std::fs::remove_dir(path)) {
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                done => done.map_err(|e| failed("remove", path, e)),
            },
            Step::RemoveSocket(path) => {
                if start::answers(&self.paths) {
                    return Ok(());
                }
                gone(std::fs::remove_file(path)).map_err(|e| failed("remove", path, e))
            }
            Step::Systemctl(arguments) => self
                .systemctl
                .as_ref()
                .ok_or(InstallError::NoManager)?
                .run(arguments)
                .map_err(|complaint| InstallError::Systemctl { command: arguments.join(" "), complaint }),
            Step::Launchctl(launchctl, job) => tell(launchctl, job),
            Step::TakeOver => self.take_over(supervisor),
            Step::Verify => supervisor.greet().map(drop).map_err(|message| self.silent(message)),
            Step::Linger { on, user } => self.linger(*on, user),
            Step::Note(_) => Ok(()),
        }
    }

    /// Whoever turned lingering on is remembered, since only that may be undone.
    fn linger(&self, on: bool, user: &str) -> Result<(), InstallError> {
        let failed = |why| InstallError::Linger { on, user: user.to_owned(), why };
        let logind = self.logind.as_ref().ok_or_else(|| failed("there is no logind".into()))?;
        logind.set_lingering(on).map_err(failed)?;
        let path = self.paths.lingering_mark();
        if on {
            let text =
                "`abide install` turned lingering on; `abide uninstall --linger no` turns it off again.\n";
            let written = match dirs::create_private_file(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                file => file.and_then(|mut file| file.write_all(text.as_bytes())),
            };
            written.map_err(|source| InstallError::File { doing: "write", path, source })
        } else {
            gone(std::fs::remove_file(&path)).map_err(|source| InstallError::File {
                doing: "remove",
                path,
                source,
            })
        }
    }

    fn silent(&self, message: String) -> InstallError {
        let log = match self.systemctl {
            Some(_) => "journalctl --user -u abide.service".to_owned(),
            None => self.paths.logs().display().to_string(),
        };
        InstallError::Silent { message, log }
    }

    /// The supervisor that runs holds the daemon lock until it is gone.
    fn take_over(&self, supervisor: &dyn Supervisor) -> Result<(), InstallError> {
        if let Err(message) = supervisor.leave() {
            // One that does not understand us may still obey the manager that runs it.
            let systemctl = self.systemctl.as_ref().ok_or_else(|| InstallError::Stays(message.clone()))?;
            let unit = unit::on_demand(None);
            systemctl
                .run(&["stop", &unit])
                .map_err(|complaint| InstallError::Stays(format!("{message}; {complaint}")))?;
        }
        let path = self.paths.daemon_lock();
        match Lock::acquire(&path, PATIENCE) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(InstallError::Stays("it still runs".into())),
            Err(source) => Err(InstallError::File { doing: "lock", path, source }),
        }
    }
}

fn tell(launchctl: &Launchctl, job: &Job) -> Result<(), InstallError> {
    Ok(match job {
        Job::Enable(domain, label) => launchctl.enable(*domain, label),
        Job::Bootstrap(domain, label, file) => launchctl.bootstrap(*domain, label, file),
        Job::Bootout(domain, label) => launchctl.bootout(*domain, label),
    }?)
}

/// What is gone already needs no removing.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Whole or not at all: a manager that reloads meanwhile reads no half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Whatever the umask: launchd refuses what others may write.
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&temporary, path)).inspect_err(|_| {
        // The first error is the one to report.
        _ = std::fs::remove_file(&temporary);
    })
}
