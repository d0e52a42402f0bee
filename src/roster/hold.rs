//! One supervisor at a time writes records.
//!
//! The supervisor's own lock is in the runtime folder, and one home may be used by way of several of these: from another
//! machine that mounts it, in a container that shares it, from a shell without `XDG_RUNTIME_DIR`. So there is a lock
//! beside the records, too. On a network file system it works as far as that knows locks.

use crate::paths::Paths;
use crate::sys::dirs::Lock;
use crate::sys::locks::lacks_locks;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How long a supervisor waits for one that is about to leave.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of a note about the holder, no more is read.
const NOTE: u64 = 4096;

/// The records are not to be written.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Another supervisor writes them.
    #[error(
        "{folder} is in use by another supervisor ({holder}): use abide from there, or set ABIDE_HOME for records of \
         their own here",
        folder = .folder.display()
    )]
    Held {
        /// The state folder.
        folder: PathBuf,
        /// What the other one wrote about itself; printable.
        holder: String,
    },
    /// The lock cannot be had.
    #[error("cannot lock {path}: {source}", path = .path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Keeps every other supervisor from the records, for as long as it is kept; none where the file system has no locks.
///
/// # Errors
/// [`HoldError`].
pub fn hold(paths: &Paths) -> Result<Option<Lock>, HoldError> {
    let path = lock_of(paths);
    let failed = |source| HoldError::Lock { path: path.clone(), source };
    let lock = match Lock::acquire(&path, PATIENCE) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Err(HoldError::Held { folder: paths.state.clone(), holder: holder(paths) }),
        Err(e) if lacks_locks(&e) => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let host = nix::unistd::gethostname().unwrap_or_default();
    let mut file = lock.file();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| {
            let (pid, host, folder) = (std::process::id(), host.display(), paths.runtime.display());
            writeln!(file, "process {pid} on {host}, sockets in {folder}")
        })
        .map_err(failed)?;
    Ok(Some(lock))
}

/// What the supervisor that keeps the records wrote about itself: for people, printable, one line.
pub fn holder(paths: &Paths) -> String {
    let mut note = Vec::new();
    let read = std::fs::File::open(lock_of(paths)).and_then(|file| file.take(NOTE).read_to_end(&mut note));
    let text = String::from_utf8_lossy(&note);
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || line.is_empty() { "it does not say where".into() } else { line }
}

/// The lock of the supervisor that writes the records, whatever its runtime folder.
pub fn lock_of(paths: &Paths) -> PathBuf {
    paths.state.join("abided.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_runtime_folder_does_not_get_at_the_records() {
        let root = tempfile::tempdir().expect("folder");
        let paths = |runtime: &str| Paths {
            runtime: root.path().join(runtime),
            state: root.path().to_owned(),
            config: root.path().join("config"),
            home: None,
        };
        let held = hold(&paths("one")).expect("free").expect("locks");
        let error = hold(&paths("two")).expect_err("held").to_string();
        let pid = format!("process {} on ", std::process::id());
        assert!(error.contains(&pid) && error.contains("/one)"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        drop(held);
        hold(&paths("two")).expect("free").expect("locks");
    }

    #[test]
    fn a_hostile_note_is_shown_as_text() {
        let root = tempfile::tempdir().expect("folder");
        let paths = Paths {
            runtime: root.path().into(),
            state: root.path().into(),
            config: root.path().into(),
            home: None,
        };
        assert_eq!(holder(&paths), "it does not say where");
        std::fs::write(lock_of(&paths), b"a\x1b[2Jb\xff\nc").expect("written");
        assert_eq!(holder(&paths), "a[2Jb\u{fffd}");
    }
}
