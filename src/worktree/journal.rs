//! What is being done to a repository's worktrees, so that whoever comes next finishes or undoes what a kill cut off.
//!
//! One file for each, in `abide/journal` of the common git folder, written before the first step and removed after the
//! last one; all of it under the repository's lock. What it says:
//!
//! | `doing` | cut off, it is | because |
//! |---|---|---|
//! | `moving` | undone: the folder goes back | nobody has seen yet that the copy is all of it |
//! | `removing` | finished | the copy is all of it, and on the disk |
//! | `restoring` | undone: what was written goes | the copy is still there |
//! | `placing` | finished | somebody may have begun to work in the folder |

use super::durable;
use super::linked::read_small;
use super::repository::{Repository, RepositoryError, io_at};
use crate::core::text::Text;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One thing that is being done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Under which id the worktree is kept.
    pub(super) id: String,
    pub(super) doing: Doing,
    /// Git's name for it: the folder of its books.
    pub(super) name: Text,
    /// Where it is, or is to be.
    pub(super) path: Text,
    /// Its branch, whole name and commit, where that is to go with it.
    #[serde(default)]
    pub(super) branch: Option<(Text, String)>,
    /// The commit that keeps it.
    pub(super) kept: String,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Doing {
    Moving,
    Removing,
    Restoring,
    Placing,
}

impl Entry {
    /// Where the worktree is, or is to be.
    pub(super) fn place(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.path.0.clone()))
    }

    /// What its folder is called while it goes.
    pub(super) fn doomed(&self) -> PathBuf {
        self.place().with_file_name(format!(".abide-removing-{}", self.id))
    }

    /// What its folder is called while it comes back.
    pub(super) fn coming(&self) -> PathBuf {
        self.place().with_file_name(format!(".abide-restoring-{}", self.id))
    }

    /// Its books.
    pub(super) fn books(&self, repository: &Repository) -> PathBuf {
        repository.common.join("worktrees").join(OsString::from_vec(self.name.0.clone()))
    }

    /// Where its books are while they go or come: git does not see them there.
    pub(super) fn books_aside(&self, repository: &Repository) -> PathBuf {
        repository.common.join("abide/books").join(&self.id)
    }

    /// Writes it durably, over what it said before.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, repository: &Repository) -> Result<(), RepositoryError> {
        let folder = folder(repository);
        io_at("cannot make", &folder, std::fs::create_dir_all(&folder))?;
        let path = folder.join(&self.id);
        let text = serde_json::to_vec(self).map_err(io::Error::other);
        io_at("cannot write", &path, text.and_then(|text| durable::write(&path, &text)))
    }

    /// Strikes it out: it is done.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(super) fn strike(&self, repository: &Repository) -> Result<(), RepositoryError> {
        let path = folder(repository).join(&self.id);
        io_at("cannot remove", &path, durable::remove(&path))
    }

    /// What was being done when somebody was killed. The caller has the lock: what a kill left of writing an entry goes.
    ///
    /// # Errors
    /// The journal cannot be read: then nothing is changed until somebody has looked at it.
    pub(super) fn all(repository: &Repository) -> Result<Vec<Self>, RepositoryError> {
        let folder = folder(repository);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return io_at("cannot list", &folder, Err(e)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = io_at("cannot list", &folder, entry)?.path();
            // Not finished when it was cut off: what stands under the name itself still holds, and nobody needs this.
            if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".")) {
                io_at("cannot remove", &path, durable::remove(&path))?;
                continue;
            }
            all.push(io_at("cannot read", &path, read(&path))?);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }
}

fn read(path: &Path) -> io::Result<Entry> {
    let entry: Entry = serde_json::from_slice(&read_small(path)?).map_err(io::Error::other)?;
    // Names lead where they lead: one that is no name leads elsewhere.
    let name = &entry.name.0;
    let plain = !name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..";
    let id = entry.id.len() == 8 && entry.id.bytes().all(|b| b.is_ascii_hexdigit());
    let place = entry.place();
    if plain && id && place.is_absolute() && place.file_name().is_some() {
        Ok(entry)
    } else {
        Err(io::Error::other("it is no entry of the journal"))
    }
}

fn folder(repository: &Repository) -> PathBuf {
    repository.common.join("abide/journal")
}
