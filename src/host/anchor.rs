//! The anchor: a process that does nothing but be there, in the login that it was started from, while sessions run.
//!
//! logind keeps a login session open while a process of it is left, and a user manager up while a login is open. So the
//! anchor waits for the lock that all hosts share: the kernel wakes it once, when the last of them has ended, however that
//! ended. One that is started while another waits leaves at once.

use crate::paths::Paths;
use crate::sys::dirs::Lock;
use crate::sys::fd;
use std::io::{Seek, Write};

/// Stays until the last host has ended.
///
/// # Errors
/// Why it cannot, for a log.
pub(super) fn stay() -> Result<(), String> {
    let paths = Paths::find().map_err(|e| e.to_string())?;
    paths.prepare().map_err(|e| e.to_string())?;
    let text = |e: std::io::Error| format!("{}: {e}", paths.anchor_lock().display());
    let Some(alone) = Lock::try_acquire(&paths.anchor_lock()).map_err(text)? else { return Ok(()) };
    let mut note = alone.file();
    // For people; no decision reads it.
    note.set_len(0)
        .and_then(|()| note.rewind())
        .and_then(|()| writeln!(note, "{}", std::process::id()))
        .map_err(text)?;
    fd::leave_stdio().map_err(|e| format!("/dev/null: {e}"))?;
    let hosts =
        Lock::wait(&paths.hosts_lock()).map_err(|e| format!("{}: {e}", paths.hosts_lock().display()))?;
    // In this order: whoever starts a host from here on gets its lock only when another anchor may be started.
    drop(alone);
    drop(hosts);
    Ok(())
}
