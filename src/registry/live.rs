//! Counting, which sweeps.

use super::folder::{self, Found, failed};
use super::here::look_closely;
use super::{PATIENCE, Registry, RegistryError, look};
use crate::core::registry::{Entry, Fate, fate, names, same};
use nix::unistd::geteuid;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Registry {
    /// The live sessions, oldest first, each once, and none but those whose processes were seen to run. Removes the
    /// files of the dead, unless a writer is at it: then the next count does.
    ///
    /// # Errors
    /// The folder is there and cannot be read, or others can write it.
    pub fn live(&self) -> Result<Vec<Entry>, RegistryError> {
        let (mut alive, mut dead, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for name in self.names()? {
            let Some((pid, tag)) = names::read(&name) else {
                left.extend(folder::is_left_behind(&self.folder, &name));
                continue;
            };
            if tag.is_some_and(|tag| tag != self.tag) {
                continue;
            }
            let path = self.folder.join(&name);
            match folder::read(&path, pid) {
                Found::Entry(entry) => {
                    let mut leader = 0;
                    let look = |pid| {
                        let (seen, its) = look_closely(pid);
                        leader = its;
                        seen
                    };
                    match fate::fate(&entry, &self.here, look) {
                        Fate::Alive => alive.push((entry, leader)),
                        Fate::Dead => dead.push((path, pid)),
                        Fate::Elsewhere | Fate::Unknown => {}
                    }
                }
                Found::Nothing | Found::Unusable => {}
            }
        }
        if !dead.is_empty() || !left.is_empty() {
            self.sweep(&dead, &left);
        }
        same::place_at_terminals(&mut alive);
        Ok(same::sessions(alive.into_iter().map(|(entry, _)| entry).collect()))
    }

    /// Names in the folder; none where there is no folder yet.
    fn names(&self) -> Result<Vec<String>, RegistryError> {
        let listed = check(&self.folder).and_then(|()| {
            // On some file systems a listing misses a name that is renamed over meanwhile. Where the lock cannot be had, a
            // listing that may miss one is better than none.
            let _lock = folder::lock(&self.folder, PATIENCE);
            std::fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()
        });
        match listed {
            // Names that are not text are nobody's, too.
            Ok(names) => {
                Ok(names.into_iter().filter_map(|name| name.file_name().into_string().ok()).collect())
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(failed("cannot list", &self.folder, e)),
        }
    }

    fn sweep(&self, dead: &[(PathBuf, u32)], left: &[PathBuf]) {
        // Without the lock, somebody might register the same id between our look and our removal.
        let Ok(Some(_lock)) = folder::lock(&self.folder, Duration::ZERO) else { return };
        let gone = dead.iter().filter(|(path, pid)| match folder::read(path, *pid) {
            Found::Entry(entry) => fate::fate(&entry, &self.here, look) == Fate::Dead,
            Found::Nothing | Found::Unusable => false,
        });
        for path in gone.map(|(path, _)| path).chain(left) {
            if let Err(error) = folder::remove(path) {
                tracing::warn!(%error, "cannot sweep the registry");
            }
        }
    }
}

/// Nobody else may have written what is counted.
fn check(folder: &Path) -> io::Result<()> {
    let meta = std::fs::symlink_metadata(folder)?;
    let us = geteuid().as_raw();
    if !meta.is_dir() {
        Err(io::Error::other("it is no folder"))
    } else if meta.uid() != us {
        Err(io::Error::other(format!("it belongs to uid {}, not to you (uid {us})", meta.uid())))
    } else if meta.mode() & 0o022 != 0 {
        Err(io::Error::other(format!("it can be written by others (mode {:04o})", meta.mode() & 0o7777)))
    } else {
        Ok(())
    }
}
