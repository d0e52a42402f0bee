//! Seeing to it that a supervisor answers: what a client does when its connection is refused or finds no socket.
//!
//! The ladder:
//! 1. `abide.socket` is installed: the manager owns the socket, so that nothing here touches it; the unit is started. A
//!    refused socket of a manager looks exactly like a stale one.
//! 2. The agent of launchd is loaded: launchd is told to listen anew.
//! 3. systemd runs and nothing is installed: the supervisor becomes a transient service, which binds its own socket.
//! 4. Neither: the supervisor becomes a detached process.
//!
//! All but the first happen under one lock: probe, start, wait until it is ready. Of many clients one starts it.

use super::launchd::launchctl::Complaint;
use super::program::{self, ProgramError};
use super::{Manager, notify, standalone};
use crate::paths::{PathError, Paths};
use crate::sys::dirs::Lock;
use crate::sys::spawn;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long one client waits for another to start the supervisor, and for the supervisor to be ready: the time that
/// adopting many sessions on a loaded machine takes, many times over.
const PATIENCE: Duration = Duration::from_secs(30);

/// There is no supervisor, and none could be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folders cannot be used.
    #[error(transparent)]
    Paths(#[from] PathError),
    /// A program of ours is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The lock cannot be had.
    #[error("cannot lock {path}: {source}", path = .path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else has been starting a supervisor for too long.
    #[error("another command has been starting the supervisor for {} s and is not done", PATIENCE.as_secs())]
    Busy,
    /// It could not be executed.
    #[error("cannot start {program}: {source}", program = .program.display())]
    Spawn {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It said why it does not come up.
    #[error("the supervisor does not start: {0}")]
    Refused(String),
    /// It ended without a word.
    #[error("the supervisor ended while it started; see {log}", log = .0.display())]
    Died(PathBuf),
    /// It is there and has said nothing.
    #[error("the supervisor is not ready after {} s; see {log}", PATIENCE.as_secs(), log = .0.display())]
    Silent(PathBuf),
    /// launchd could not be told to listen again.
    #[error("launchd does not listen for the supervisor, and could not be told to: {0}")]
    Launchd(#[source] Complaint),
    /// The service manager could not start it.
    #[error("systemd could not start {unit}: {message}; see journalctl --user -u {unit}")]
    Manager {
        /// Which unit.
        unit: String,
        /// What it said.
        message: String,
    },
}

/// What had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Nothing: one answered.
    Nothing,
    /// The installed socket was started.
    Socket,
    /// A transient service.
    OnDemand,
    /// A detached process.
    Detached,
}

/// Sees to it that a supervisor accepts connections on the control socket.
///
/// # Errors
/// [`StartError`].
pub fn ensure_running(paths: &Paths) -> Result<Started, StartError> {
    paths.prepare()?;
    if answers(paths) {
        return Ok(Started::Nothing);
    }
    let manager = Manager::detect(paths);
    #[cfg(target_os = "linux")]
    if let Manager::Systemd(systemd) = &manager
        && let Some(started) = under_systemd::start_installed(systemd, paths)?
    {
        return Ok(started);
    }
    let lock = paths.start_lock();
    let failed = |source| StartError::Lock { path: lock.clone(), source };
    let _lock = Lock::acquire(&lock, PATIENCE).map_err(failed)?.ok_or(StartError::Busy)?;
    if answers(paths) {
        return Ok(Started::Nothing);
    }
    match &manager {
        #[cfg(target_os = "linux")]
        Manager::Systemd(systemd) => under_systemd::start_on_demand(systemd, paths),
        Manager::Launchd(launchd) => match launchd.mend(paths, || answers(paths)) {
            Ok(true) => Ok(Started::Socket),
            Ok(false) => start_detached(paths),
            Err(complaint) => Err(StartError::Launchd(complaint)),
        },
        Manager::Standalone => start_detached(paths),
    }
}

/// Gives a supervisor that is about to be started without a manager its environment: where the folders are, who the user
/// is, and nothing else of ours.
pub fn environment(command: &mut Command, paths: &Paths) {
    standalone::base_environment(command, paths);
}

/// Does anybody listen on the control socket?
pub fn answers(paths: &Paths) -> bool {
    UnixStream::connect(paths.control_socket()).is_ok()
}

fn start_detached(paths: &Paths) -> Result<Started, StartError> {
    let program = program::find_lasting("abided")?;
    let failed = |source| StartError::Spawn { program: program.clone(), source };
    let (mut said, its_end) = io::pipe().map_err(failed)?;
    let mut command = Command::new(&program);
    command.args(["--ready-fd", "1"]);
    environment(&mut command, paths);
    command.stdin(Stdio::null()).stdout(its_end).stderr(Stdio::null());
    spawn::spawn_detached(&mut command).map_err(failed)?;
    // Our copy of its end of the pipe goes with the command, so that its death is the pipe's end.
    drop(command);
    let mut text = Vec::new();
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    loop {
        match poll(&mut [PollFd::new(said.as_fd(), PollFlags::POLLIN)], patience) {
            Ok(0) => return Err(StartError::Silent(paths.log())),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(e) => return Err(failed(e.into())),
            Ok(_) => {}
        }
        let mut piece = [0; 4096];
        match said.read(&mut piece).map_err(failed)? {
            0 => break,
            n => text.extend_from_slice(&piece[..n]),
        }
    }
    match String::from_utf8_lossy(&text).as_ref() {
        notify::READY => Ok(Started::Detached),
        "" => Err(StartError::Died(paths.log())),
        message => Err(StartError::Refused(message.trim().to_owned())),
    }
}

#[cfg(target_os = "linux")]
mod under_systemd {
    use super::{Paths, StartError, Started, answers, program, start_detached};
    use crate::paths::Surroundings;
    use crate::service::systemctl::{Complaint, Systemctl};
    use crate::service::systemd::Systemd;
    use crate::service::unit;
    use std::ffi::OsString;

    /// How often a unit on demand is tried that goes away under our hands.
    const ATTEMPTS: u32 = 3;

    /// Starts `abide.socket`, where it is installed and is the socket that we mean.
    pub(super) fn start_installed(systemd: &Systemd, paths: &Paths) -> Result<Option<Started>, StartError> {
        if paths.home.is_some() {
            return Ok(None);
        }
        let systemctl = Systemctl::new(systemd.runtime());
        let failed = |complaint: Complaint| StartError::Manager {
            unit: unit::SOCKET.into(),
            message: complaint.to_string(),
        };
        let state = match systemctl.show(unit::SOCKET, &["LoadState", "ActiveState", "Listen"]) {
            Ok(state) => state,
            // No systemctl: nothing was installed with it either.
            Err(Complaint::NoProgram(_)) => return Ok(None),
            Err(complaint) => return Err(failed(complaint)),
        };
        let socket = paths.control_socket();
        let ours = state.get("Listen").is_some_and(|listen| {
            listen.strip_suffix(" (Stream)").is_some_and(|path| std::path::Path::new(path) == socket)
        });
        if state.get("LoadState").is_none_or(|load| load != "loaded") || !ours {
            return Ok(None);
        }
        match state.get("ActiveState").map(String::as_str) {
            // It listens on a socket whose name was taken away; a new one has to be made, and sessions do not mind.
            Some("active") if !socket.exists() => systemctl.run(&["restart", unit::SOCKET]),
            Some("failed") => systemctl
                .run(&["reset-failed", unit::SOCKET, unit::SERVICE])
                .and_then(|()| systemctl.run(&["start", unit::SOCKET])),
            Some(_) | None => systemctl.run(&["start", unit::SOCKET]),
        }
        .map_err(failed)?;
        Ok(Some(Started::Socket))
    }

    /// A unit of that name was there. `systemd-run` says so in words only.
    fn is_taken(complaint: &Complaint) -> bool {
        let said = complaint.to_string();
        said.contains("already loaded") || said.contains("already exists")
    }

    /// Starts the supervisor as a transient service. Done when it is ready.
    pub(super) fn start_on_demand(systemd: &Systemd, paths: &Paths) -> Result<Started, StartError> {
        let systemctl = Systemctl::new(systemd.runtime());
        let name = unit::on_demand(paths.tag().as_deref());
        let program = program::find_lasting("abided")?;
        let mut arguments: Vec<OsString> = [
            "--user",
            "--quiet",
            "--collect",
            "--description=abide: supervisor of coding-agent sessions, started on demand",
            "--property=Type=notify",
            "--property=NotifyAccess=main",
            "--property=Restart=on-failure",
            "--property=RestartSec=500ms",
            "--property=TimeoutStartSec=10s",
            "--property=KillMode=mixed",
            "--property=TimeoutStopSec=20s",
            "--property=OOMPolicy=continue",
            "--property=UMask=0077",
        ]
        .map(OsString::from)
        .to_vec();
        arguments.push(format!("--unit={name}").into());
        let service =
            Surroundings::of_this_process().service.map(|service| ("ABIDE_SERVICE", service.into()));
        for (variable, value) in paths.environment().into_iter().chain(service) {
            let mut setting = OsString::from(format!("--setenv={variable}="));
            setting.push(value);
            arguments.push(setting);
        }
        arguments.extend(["--".into(), program.into_os_string()]);
        let failed =
            |complaint: Complaint| StartError::Manager { unit: name.clone(), message: complaint.to_string() };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let complaint = match systemctl.systemd_run(&arguments) {
                Ok(()) => return Ok(Started::OnDemand),
                // The manager runs hosts all the same.
                Err(Complaint::NoProgram(_)) => return start_detached(paths),
                Err(_) if answers(paths) => return Ok(Started::Nothing),
                Err(complaint) => complaint,
            };
            let state = systemctl.show(&name, &["LoadState"]).map_err(failed)?;
            if state.get("LoadState").is_none_or(|load| load != "loaded") {
                // One that was just leaving held the name, and has gone meanwhile.
                if attempt < ATTEMPTS && is_taken(&complaint) {
                    continue;
                }
                return Err(failed(complaint));
            }
            // One that is on its way out, or that waits to be restarted, holds the name: it is started again. Its limit of
            // starts is for a build that fails by itself, and this start was asked for.
            let started =
                systemctl.run(&["reset-failed", &name]).and_then(|()| systemctl.run(&["start", &name]));
            match started {
                Ok(()) => return Ok(Started::OnDemand),
                // It went in the meantime, or was killed once more.
                Err(_) if attempt < ATTEMPTS => {}
                Err(complaint) => return Err(failed(complaint)),
            }
        }
    }
}
