//! The registry of live sessions on disk: the folder `sessions`, 0700, with one file for each, 0600.
//!
//! The one state that not only the supervisor writes: a session's hooks do as well, and no supervisor is needed for any
//! of it. What a file says and means is decided in [`crate::core::registry`].
//!
//! **Writing.** Under the lock of the folder, waited for no longer than [`PATIENCE`]: the file is read, merged with what is
//! new, written beside, and renamed into place, and only where something changed. Nothing is synced to the disk: after a
//! crash of the machine no session of it lives. Where the file system has no locks the last writer wins, and nothing is
//! swept.
//!
//! **Names.** A process's file is `<pid>.json`. Whatever has that name and is not ours to write (a process of another
//! container or machine that shares the folder, a file that nobody can read, a link, a folder) stays as it is, and the
//! process has its file beside that: see [`names`].
//!
//! **Reading** takes no lock, follows no link, opens nothing but regular files of ours, and reads none that is larger than
//! any of ours. **Counting** ([`Registry::live`]) removes the files of the dead, each looked at again under the lock.

mod folder;
mod here;
mod live;

use crate::core::record::Instance;
use crate::core::registry::{Entry, Fate, Here, Key, Patch, Seen, fate, names};
use crate::paths::Paths;
use crate::sys::clock::wall_ms;
use crate::sys::dirs::{DirError, Lock};
use folder::Found;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use here::{here, look};

/// How long a writer waits for others. They hold the lock for the write of one small file; one that is stopped meanwhile
/// must not hold up an agent.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// The registry could not be read or written. Never a reason to stop a session: it is logged, and that is all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder is not ours alone, or cannot be made.
    #[error(transparent)]
    Folder(#[from] DirError),
    /// A file, or the lock.
    #[error("{doing} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody kept the lock.
    #[error("somebody keeps the lock {path}: a process that is stopped, or a very slow disk", path = .0.display())]
    Busy(PathBuf),
    /// There is no such process, so that nothing is registered for it.
    #[error("process {0} is gone, and is not registered")]
    Gone(u32),
    /// Both of its names are taken by what is not ours to write.
    #[error("{path} and the name beside it are taken by what abide did not write: move them away", path = .0.display())]
    Taken(PathBuf),
    /// It would have more bytes than are ever read.
    #[error("{path} would have {bytes} bytes, more than are ever read", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
}

/// The registry of one state folder.
#[derive(Debug, Clone)]
pub struct Registry {
    state: PathBuf,
    folder: PathBuf,
    here: Here,
    tag: u32,
}

impl Registry {
    /// That of these paths. Nothing is made, or looked for.
    pub fn of(paths: &Paths) -> Self {
        Self::seen_from(paths, here())
    }

    /// As it is from another place: for tests.
    pub(crate) fn seen_from(paths: &Paths, here: Here) -> Self {
        let tag = here::tag(&here);
        Self { state: paths.state.clone(), folder: paths.sessions(), here, tag }
    }

    /// Registers a session, or adds to what is known of its process. Where and since when it runs is filled in.
    ///
    /// # Errors
    /// [`RegistryError`]; what was registered before is still there.
    pub fn register(&self, entry: &Entry) -> Result<(), RegistryError> {
        let process = entry.process;
        // A late caller must not take the file of whoever has the id now.
        match look(process.pid) {
            Seen::Runs(start) if start == process.start => {}
            Seen::Hidden => {}
            Seen::Runs(_) | Seen::Gone => return Err(RegistryError::Gone(process.pid)),
        }
        let _lock = self.lock()?;
        let (path, known) = self.place_of(process)?;
        let patch = entry.as_patch();
        match known {
            Some(mut known) => self.change(&path, &mut known, &patch).map(|_| ()),
            None => {
                let mut new = Entry::new(process, &Patch::new().time(Key::StartedAt, wall_ms()).and(&patch));
                new.boot_id.clone_from(&self.here.boot_id);
                new.pid_ns.clone_from(&self.here.pid_ns);
                self.write(&path, &mut new)
            }
        }
    }

    /// Changes what is known of a registered process; false where it is not registered.
    ///
    /// # Errors
    /// [`RegistryError`]; what was registered before is still there.
    pub fn update(&self, pid: u32, start: u64, patch: &Patch) -> Result<bool, RegistryError> {
        // Without a lock first: most calls change nothing.
        let Some((_, mut seen)) = self.find(Instance { pid, start }) else { return Ok(false) };
        if !seen.merge(patch) {
            return Ok(true);
        }
        let _lock = self.lock()?;
        let Some((path, mut known)) = self.find(Instance { pid, start }) else { return Ok(false) };
        self.change(&path, &mut known, patch)?;
        Ok(true)
    }

    /// Forgets a process; false where it is not registered.
    ///
    /// # Errors
    /// [`RegistryError`]; once the process is gone, the next count forgets it.
    pub fn remove(&self, pid: u32, start: u64) -> Result<bool, RegistryError> {
        let process = Instance { pid, start };
        if self.find(process).is_none() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let Some((path, _)) = self.find(process) else { return Ok(false) };
        folder::remove(&path)?;
        Ok(true)
    }

    /// The agent that this process is, where it is registered as one.
    pub fn agent_at(&self, pid: u32, start: u64) -> Option<String> {
        self.entry_of(pid, start)?.text(Key::Agent).map(str::to_owned)
    }

    /// What is registered of this process.
    pub fn entry_of(&self, pid: u32, start: u64) -> Option<Entry> {
        self.find(Instance { pid, start }).map(|(_, entry)| entry)
    }

    fn change(&self, path: &Path, known: &mut Entry, patch: &Patch) -> Result<bool, RegistryError> {
        if !known.merge(patch) {
            return Ok(false);
        }
        self.write(path, known)?;
        Ok(true)
    }

    fn write(&self, path: &Path, entry: &mut Entry) -> Result<(), RegistryError> {
        entry.merge(&Patch::new().time(Key::UpdatedAt, wall_ms()));
        folder::write(&self.folder, path, &entry.encode())
    }

    /// The file of this very process.
    fn find(&self, process: Instance) -> Option<(PathBuf, Entry)> {
        self.places(process.pid).into_iter().find_map(|path| match folder::read(&path, process.pid) {
            Found::Entry(entry) if self.is_of(&entry, process) => Some((path, entry)),
            Found::Entry(_) | Found::Nothing | Found::Unusable => None,
        })
    }

    /// Where this process's file is, with what it says now, or where it is to be.
    fn place_of(&self, process: Instance) -> Result<(PathBuf, Option<Entry>), RegistryError> {
        if let Some((path, entry)) = self.find(process) {
            return Ok((path, Some(entry)));
        }
        let places = self.places(process.pid);
        let free = places.iter().find(|path| match folder::read(path, process.pid) {
            Found::Nothing => true,
            // Of a process that had the id before: it is ours now.
            Found::Entry(old) => fate::fate(&old, &self.here, look) == Fate::Dead,
            Found::Unusable => false,
        });
        match free {
            Some(path) => Ok((path.clone(), None)),
            None => Err(RegistryError::Taken(self.folder.join(&names::of(process.pid, self.tag)[0]))),
        }
    }

    fn places(&self, pid: u32) -> [PathBuf; 2] {
        names::of(pid, self.tag).map(|name| self.folder.join(name))
    }

    /// Whether an entry is about this process of ours.
    fn is_of(&self, entry: &Entry, process: Instance) -> bool {
        entry.process == process && self.here.has(entry) && self.here.boots_with(entry)
    }

    /// Keeps other writers away; none where the file system has no locks.
    fn lock(&self) -> Result<Option<Lock>, RegistryError> {
        folder::prepare(&self.state, &self.folder)?;
        folder::lock(&self.folder, PATIENCE)
    }
}

#[cfg(test)]
mod tests;
