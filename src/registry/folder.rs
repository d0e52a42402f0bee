//! The registry's folder: its lock, and single files in it.

use super::RegistryError;
use crate::core::registry::{Entry, LARGEST};
use crate::sys::dirs::{self, DirError, Links, Lock};
use crate::sys::files::read_ours;
use crate::sys::locks::lacks_locks;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The lock's file. Never removed.
const LOCK: &str = ".lock";
/// What files are called while they are written; random digits follow.
const NEW: &str = ".new-";
/// A file that is being written for so long was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// What is found in the place of a file.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// An entry of the process that the name says.
    Entry(Entry),
    /// Something that is not ours to use or to touch.
    Unusable,
}

/// Makes the folder, or verifies that it is ours alone.
pub(super) fn prepare(state: &Path, folder: &Path) -> Result<(), DirError> {
    dirs::make_private_dir(state, Links::Followed)?;
    dirs::make_private_dir(folder, Links::Refused)
}

/// Waits for the lock; none where the file system has no locks.
pub(super) fn lock(folder: &Path, at_most: Duration) -> Result<Option<Lock>, RegistryError> {
    let path = folder.join(LOCK);
    let lock = if at_most.is_zero() { Lock::try_acquire(&path) } else { Lock::acquire(&path, at_most) };
    match lock {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(RegistryError::Busy(path)),
        Err(e) if lacks_locks(&e) => Ok(None),
        Err(e) => Err(failed("cannot lock", &path, e)),
    }
}

pub(super) fn read(path: &Path, pid: u32) -> Found {
    match read_ours(path, LARGEST) {
        Ok(None) => Found::Nothing,
        Ok(Some(content)) => match Entry::parse(&content) {
            Ok(entry) if entry.process.pid == pid => Found::Entry(entry),
            Ok(_) | Err(_) => Found::Unusable,
        },
        Err(_) => Found::Unusable,
    }
}

/// Puts a file into its place, whole or not at all.
pub(super) fn write(folder: &Path, path: &Path, content: &[u8]) -> Result<(), RegistryError> {
    if content.len() as u64 > LARGEST {
        return Err(RegistryError::TooLarge { path: path.into(), bytes: content.len() });
    }
    let random = getrandom::u32().map_err(|e| failed("no random name for", path, io::Error::other(e)))?;
    let new = folder.join(format!("{NEW}{random:08x}"));
    let written = dirs::create_private_file(&new).and_then(|mut file| file.write_all(content));
    let placed = written
        .map_err(|e| failed("cannot write", &new, e))
        .and_then(|()| std::fs::rename(&new, path).map_err(|e| failed("cannot replace", path, e)));
    if placed.is_err() {
        // It only takes up room that is missing; the next count removes it, too.
        _ = std::fs::remove_file(&new);
    }
    placed
}

/// Removes a file; that it is gone already is as good.
pub(super) fn remove(path: &Path) -> Result<(), RegistryError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed("cannot remove", path, e)),
    }
}

/// Whether a file is one that a writer left behind: none takes that long.
pub(super) fn is_left_behind(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = folder.join(name.strip_prefix(NEW).filter(|r| r.len() == 8).map(|_| name)?);
    let meta = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    let age = SystemTime::now().duration_since(meta.modified().ok()?).ok()?;
    (age > LEFT_BEHIND).then_some(path)
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> RegistryError {
    RegistryError::Io { doing, path: path.into(), source }
}
