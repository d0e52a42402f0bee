//! By the working directories that the system tells. Open files are not looked at, and neither are mounts, which
//! removing a folder stops at anyway.

use super::Hold;
use crate::sys::process;
use std::io;
use std::path::{Path, PathBuf};

/// Process ids are below this (`PID_MAX` of XNU is 99999).
const PIDS: u32 = 100_000;

pub(super) fn processes(folder: &Path) -> io::Result<Vec<(u32, Hold)>> {
    let own = std::process::id();
    let within = |pid: &u32| process::cwd(*pid).is_ok_and(|cwd| cwd.starts_with(folder));
    Ok((1..PIDS).filter(|pid| *pid != own).filter(within).map(|pid| (pid, Hold::Directory)).collect())
}

pub(super) fn mounts(_folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(Vec::new())
}
