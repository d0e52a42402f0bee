//! Hosts without a service manager: processes in sessions of their own, children of nobody.

use super::program;
use super::{Force, LaunchError};
use crate::paths::{Paths, Surroundings};
use crate::sys::process::{self, Process, Signal};
use crate::sys::spawn;
use std::io::{self, PipeWriter, Write};
use std::process::{Command, Stdio};

/// Holds a host back that was started already: it takes its start order when the gate is opened, and leaves silently
/// when it is dropped.
#[derive(Debug)]
pub struct Gate(PipeWriter);

impl Gate {
    /// Lets the host go on.
    ///
    /// # Errors
    /// The host is gone.
    pub fn open(mut self) -> Result<(), LaunchError> {
        self.0.write_all(b"g").map_err(|source| LaunchError::Spawn { program: "abide-host".into(), source })
    }
}

/// Starts a host that waits at its gate. Forking and waiting for exec take a millisecond, and are done off the loop.
pub(super) async fn prepare(paths: &Paths, id: &str) -> Result<Gate, LaunchError> {
    let (paths, id) = (paths.clone(), id.to_owned());
    let failed = |e: tokio::task::JoinError| LaunchError::Spawn {
        program: "abide-host".into(),
        source: io::Error::other(e),
    };
    tokio::task::spawn_blocking(move || spawn_at_gate(&paths, &id)).await.map_err(failed)?
}

fn spawn_at_gate(paths: &Paths, id: &str) -> Result<Gate, LaunchError> {
    let program = program::find("abide-host")?;
    let mut command = Command::new(&program);
    command.args([id, "gate"]);
    base_environment(&mut command, paths);
    io::pipe()
        .and_then(|(reader, writer)| {
            command.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
            spawn::spawn_detached(&mut command)?;
            Ok(Gate(writer))
        })
        .map_err(|source| LaunchError::Spawn { program, source })
}

/// The environment of a program of ours that outlives its starter: where the folders are, who the user is, and nothing
/// else of the starter's.
pub(super) fn base_environment(command: &mut Command, paths: &Paths) {
    command.env_clear().envs(paths.environment());
    for name in ["HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TZ", "ABIDE_LOG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(service) = Surroundings::of_this_process().service {
        command.env("ABIDE_SERVICE", service);
    }
}

/// Ends the host of a session, if that process still is it.
pub(super) fn stop(id: &str, pid: u32, force: Force) -> Result<(), LaunchError> {
    let signal = match force {
        Force::Polite => Signal::SIGTERM,
        Force::Kill => Signal::SIGKILL,
    };
    signal_host(id, pid, signal).map(drop)
}

/// Has the host of a session look whether its socket is where it belongs, and make another where it is not: a cleaner
/// of temporary files may have taken it. False where that process is no host of this session.
///
/// # Errors
/// It cannot be signalled.
pub fn show_host(id: &str, pid: u32) -> Result<bool, LaunchError> {
    signal_host(id, pid, Signal::SIGHUP)
}

fn signal_host(id: &str, pid: u32, signal: Signal) -> Result<bool, LaunchError> {
    let failed = |source| LaunchError::Signal { pid, source };
    // The start time is taken before the identity is checked: a process id that is reused in between changes it.
    let start = match Process::of(pid) {
        Ok(process) => process.start,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(failed(e)),
    };
    if !is_host_of(id, pid) {
        return Ok(false);
    }
    process::signal_exactly(pid, start, signal).map_err(failed)
}

fn is_host_of(id: &str, pid: u32) -> bool {
    process::arguments(pid).is_ok_and(|arguments| {
        let [program, first, ..] = &arguments[..] else { return false };
        program.ends_with(b"abide-host") && first == id.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;

    #[test]
    fn only_the_host_of_that_session_is_signalled() {
        let mut host = Command::new("sleep");
        host.arg0("/usr/bin/abide-host").arg("7654321");
        let mut host = host.stdin(Stdio::null()).spawn().expect("sleep");
        // `spawn` returns when the program is being executed, a moment before its command line can be read whole.
        while !is_host_of("7654321", host.id()) {
            assert!(host.try_wait().expect("waited").is_none(), "it lives");
            std::thread::yield_now();
        }
        stop("0000000", host.id(), Force::Kill).expect("another session's");
        assert!(host.try_wait().expect("waited").is_none());
        stop("7654321", host.id(), Force::Kill).expect("its own");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&host.wait().expect("ended")), Some(9));
        stop("7654321", host.id(), Force::Polite).expect("gone already");
    }
}
