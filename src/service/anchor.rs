//! Keeping the login open, where the user does not linger: see `abide-host anchor`.

use super::logind::{self, Logind};
use super::systemctl::Systemctl;
use super::{Manager, program, standalone};
use crate::paths::Paths;
use crate::sys::{locks, spawn};
use std::process::{Command, Stdio};

/// Process id of the anchor that is there.
pub fn running(paths: &Paths) -> Option<u32> {
    let path = paths.anchor_lock();
    if !locks::is_held(&path) {
        return None;
    }
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Leaves an anchor in the login that this process is part of, where it would keep sessions across its end and nothing
/// else does. There is one at a time; it ends with the last session. To be called while a session runs.
///
/// # Errors
/// Why nothing keeps them, for people.
pub fn ensure(paths: &Paths) -> Result<(), String> {
    let manager = Manager::detect(paths);
    // What is no unit of a user manager ends with none.
    let Some(runtime) = manager.runtime() else { return Ok(()) };
    if locks::is_held(&paths.anchor_lock()) {
        return Ok(());
    }
    let Some(logind) = Logind::of_this_user(&Systemctl::new(runtime)) else { return Ok(()) };
    if logind.lingers() {
        return Ok(());
    }
    if logind::login_session().is_none() {
        return Err("this shell is part of no login that could be kept open".into());
    }
    match logind.kills_processes() {
        Some(false) => {}
        Some(true) => return Err("logind ends what a login leaves behind (KillUserProcesses=yes)".into()),
        None => return Err("logind does not say whether it ends what a login leaves behind".into()),
    }
    let program = program::find("abide-host").map_err(|e| e.to_string())?;
    let mut command = Command::new(&program);
    command.arg("anchor");
    standalone::base_environment(&mut command, paths);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn::spawn_detached(&mut command).map_err(|e| format!("{} cannot be started: {e}", program.display()))
}
