//! Writing: records, their folders, the roster and the journals.

use super::file::{RosterError, at, sync_folder, write_durably};
use super::{lines, remove, v1};
use crate::core::action::Entry;
use crate::core::id::SessionId;
use crate::core::record::Record;
use crate::paths::Paths;
use crate::sys::dirs::{DirError, Links, make_private_dir};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Bytes at which the event journal is rotated: so much is kept at least, twice that at most.
const EVENTS_LIMIT: u64 = 8 << 20;
/// And a session's timeline.
const TIMELINE_LIMIT: u64 = 1 << 20;

/// The state folder. One process writes there at a time: whoever holds it, see [`super::hold()`].
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) jobs: PathBuf,
    pub(super) roster: PathBuf,
    pub(super) events: PathBuf,
    restart: PathBuf,
}

impl Store {
    /// The records below `paths.state`, whose folders are made where they are missing.
    ///
    /// # Errors
    /// A folder cannot be made, or is not ours alone.
    pub fn open(paths: &Paths) -> Result<Self, DirError> {
        make_private_dir(&paths.state, Links::Followed)?;
        make_private_dir(&paths.jobs(), Links::Refused)?;
        Ok(Self {
            jobs: paths.jobs(),
            roster: paths.roster(),
            events: paths.events(),
            restart: paths.restart_mark(),
        })
    }

    /// Makes a record durable. On an error the record before it is still there, or this one.
    ///
    /// # Errors
    /// [`RosterError`]: a full or failing disk, usually.
    pub fn save(&self, record: &Record) -> Result<(), RosterError> {
        let folder = self.job(record.id);
        let new = make_job(&folder)?;
        let saved = write_durably(&folder.join("state.json"), &v1::encode(record));
        if new {
            match &saved {
                Ok(()) => sync_folder(&self.jobs)?,
                // What never held a record is not left behind; if that fails, the next load does it.
                Err(_) => _ = remove::remove_job(&self.jobs, record.id),
            }
        }
        saved
    }

    /// Writes the second copy of all records.
    ///
    /// # Errors
    /// [`RosterError`]; the copy before it is still there.
    pub fn save_roster(&self, records: &[Record]) -> Result<(), RosterError> {
        write_durably(&self.roster, &v1::encode_all(records))
    }

    /// Removes a session's folder, for ever from its first step on: a kill in the middle is made up for by the next
    /// [`Store::load`]. Links are not followed.
    ///
    /// # Errors
    /// [`RosterError`]; to be tried again.
    pub fn remove(&self, id: SessionId) -> Result<(), RosterError> {
        remove::remove_job(&self.jobs, id)
    }

    /// Whether no session has or had this id's folder.
    pub fn is_free(&self, id: SessionId) -> bool {
        let absent =
            |path: &Path| std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        absent(&self.job(id)) && absent(&remove::removing(&self.jobs, &id.to_string()))
    }

    /// Appends to the event journal, and to the timeline of the session where it still has a folder.
    ///
    /// # Errors
    /// [`RosterError`] of the first that failed; the other was tried all the same.
    pub fn append(&self, entry: &Entry) -> Result<(), RosterError> {
        let journal = lines::append(&self.events, entry, EVENTS_LIMIT);
        let timeline = entry.id.map(|id| self.job(id)).filter(|folder| folder.is_dir());
        let timeline =
            timeline.map(|folder| lines::append(&folder.join("timeline.jsonl"), entry, TIMELINE_LIMIT));
        journal.and(timeline.unwrap_or(Ok(())))
    }

    /// The last `most` entries of the event journal, oldest first. Lines that cannot be read are left out.
    ///
    /// # Errors
    /// The journal is there and cannot be read.
    pub fn recent_events(&self, most: usize) -> Result<Vec<Entry>, RosterError> {
        at("cannot read", &self.events, lines::tail(&self.events, most, EVENTS_LIMIT))
    }

    /// Copies every record, and the roster, to the state folder of `other`, which must be there. What else sessions have
    /// stays where it is.
    ///
    /// # Errors
    /// [`RosterError`] of the first that could not be copied.
    pub fn copy_records(&self, other: &Paths) -> Result<(), RosterError> {
        let names = at("cannot list", &self.jobs, std::fs::read_dir(&self.jobs))?;
        for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            let Ok(id) = name.parse::<SessionId>() else { continue };
            let folder = other.job(&id.to_string());
            make_job(&folder)?;
            copy(&self.job(id).join("state.json"), &folder.join("state.json"))?;
        }
        copy(&self.roster, &other.roster())
    }

    /// A supervisor is to be started at the next boot or login.
    pub fn comes_back(&self) -> bool {
        self.restart.exists()
    }

    /// Says so from now on, or no longer.
    ///
    /// # Errors
    /// [`RosterError`]; what was said before still is.
    pub fn come_back(&self, wanted: bool) -> Result<(), RosterError> {
        if wanted {
            return write_durably(
                &self.restart,
                b"A session is to come back: see abide-run(1), --restart.\n",
            );
        }
        match std::fs::remove_file(&self.restart) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => at("cannot remove", &self.restart, Err(e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(super) fn job(&self, id: SessionId) -> PathBuf {
        self.jobs.join(id.to_string())
    }
}

/// Copies a file, if there is one.
fn copy(from: &Path, to: &Path) -> Result<(), RosterError> {
    match std::fs::copy(from, to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => at("cannot copy", from, Err(e)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes a session's folder and its private temporary one, unless they are there. True where it was made.
fn make_job(folder: &Path) -> Result<bool, RosterError> {
    let make = |path: &Path| match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => at("cannot create", path, Err(e)),
    };
    let new = make(folder)?;
    if new {
        make(&folder.join("tmp"))?;
    } else if !std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return at("cannot use", folder, Err(io::Error::other("it is no folder")));
    }
    Ok(new)
}
