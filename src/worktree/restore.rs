//! Bringing a worktree back as it was: same place, branch, commit, index and files.
//!
//! Folder and books are written aside, and appear under their names as a whole. Nothing is overwritten. What was kept is
//! given up only when all of it is in its place and on the disk; see the journal.

use super::files::Folder;
use super::journal::{Doing, Entry};
use super::kept::Kept;
use super::kept::read::{self, ReadError};
use super::remove::{delete_folder, rename};
use super::repository::{Repository, RepositoryError, git_at, io_at};
use super::{branch, durable, recover, settings, submodules};
use crate::core::text::Text;
use git2::Oid;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A worktree that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where it is.
    pub path: PathBuf,
    /// The branch that it is on, without `refs/heads/`; none where its head is detached.
    pub branch: Option<String>,
    /// That branch is not the one that it was on: this was elsewhere, or in use.
    pub renamed: bool,
    /// What could not be brought back, for people.
    pub problems: Vec<String>,
}

/// Why a worktree did not come back. It is still kept.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is where it is to be.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// It cannot be read, or written.
    #[error("{0}")]
    Failed(String),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Brings a worktree back to where it was, or to another place, which is absolute.
///
/// # Errors
/// [`RestoreError`].
pub fn undelete(repository: &Repository, kept: &Kept, to: Option<&Path>) -> Result<Restored, RestoreError> {
    let _lock = repository.lock()?;
    recover::recover(repository)?;
    let path = to.map_or_else(|| kept.meta.path.clone(), |to| Text(to.as_os_str().as_bytes().to_vec()));
    let mut entry = Entry {
        id: kept.id.clone(),
        doing: Doing::Restoring,
        name: free_name(repository, &kept.meta.name)?,
        path,
        branch: None,
        kept: kept.commit.to_string(),
    };
    let place = entry.place();
    if place.file_name().is_none() || !place.is_absolute() {
        return Err(RestoreError::Failed(format!("{} is no place for it", place.display())));
    }
    if recover::is_there(&place)? {
        return Err(RestoreError::Taken(place));
    }
    repository.refuse_links(&place)?;
    entry.write(repository)?;
    if let Err(e) = write_aside(repository, kept, &entry) {
        undo(repository, &entry)?;
        return Err(e);
    }
    entry.doing = Doing::Placing;
    entry.write(repository)?;
    finish(repository, &entry)
}

/// Git's name for it, or the next one that is free, as git makes them.
fn free_name(repository: &Repository, name: &Text) -> Result<Text, RepositoryError> {
    let shelf = repository.common.join("worktrees");
    let numbered = (1u32..).map(|n| [&*name.0, n.to_string().as_bytes()].concat());
    for name in std::iter::once(name.0.clone()).chain(numbered) {
        if !recover::is_there(&shelf.join(super::survey::os(&name)))? {
            return Ok(Text(name));
        }
    }
    Ok(name.clone())
}

/// Writes folder and books where nobody looks for them.
fn write_aside(repository: &Repository, kept: &Kept, entry: &Entry) -> Result<(), RestoreError> {
    let (coming, aside) = (entry.coming(), entry.books_aside(repository));
    for folder in [&coming, &aside] {
        if let Some(why) = delete_folder(folder) {
            return Err(RestoreError::Failed(why));
        }
        io_at("cannot make", folder, std::fs::create_dir_all(folder))?;
    }
    let root = io_at("cannot open", &coming, Folder::open(&coming))?;
    let problems = read::files(repository, kept, &root)?;
    let books = io_at("cannot open", &aside, Folder::open(&aside))?;
    read::books(repository, kept, &books)?;
    let mut link = b"gitdir: ".to_vec();
    link.extend_from_slice(entry.books(repository).as_os_str().as_bytes());
    link.push(b'\n');
    io_at("cannot write", &coming, std::fs::write(coming.join(".git"), link))?;
    let mut place = entry.place().into_os_string().into_encoded_bytes();
    place.extend_from_slice(b"/.git\n");
    io_at("cannot write", &aside, std::fs::write(aside.join("gitdir"), place))?;
    submodules::mend(repository, kept, entry)?;
    io_at("cannot write", &aside, std::fs::write(aside.join(PROBLEMS), problems.join("\n")))?;
    // What was kept is given up when this is in place: it has to be on the disk by then.
    io_at("cannot flush", &coming, durable::sync_all(&coming))?;
    io_at("cannot flush", &aside, durable::sync_all(&aside))?;
    Ok(())
}

/// What could not be had, for whoever finishes.
const PROBLEMS: &str = "abide-undelete";

/// Takes back what was written. It is still kept.
///
/// # Errors
/// A step fails.
pub(super) fn undo(repository: &Repository, entry: &Entry) -> Result<(), RepositoryError> {
    for folder in [entry.coming(), entry.books_aside(repository)] {
        if let Some(why) = delete_folder(&folder) {
            return io_at("cannot delete", &folder, Err(io::Error::other(why)));
        }
    }
    entry.strike(repository)
}

/// Puts all of it in its place.
///
/// # Errors
/// [`RestoreError`]: it was undone where somebody else had taken its place, and else whoever comes next tries again.
pub(super) fn finish(repository: &Repository, entry: &Entry) -> Result<Restored, RestoreError> {
    let (coming, place, aside) = (entry.coming(), entry.place(), entry.books_aside(repository));
    if recover::is_there(&coming)? {
        match rename(&coming, &place) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                undo(repository, entry)?;
                return Err(RestoreError::Taken(place));
            }
            Err(e) => return Ok(io_at("cannot move to", &place, Err(e))?),
        }
    }
    let kept = Kept::find(repository, &entry.id).map_err(|e| RestoreError::Failed(e.to_string()));
    let mut restored = Restored { path: place.clone(), branch: None, renamed: false, problems: Vec::new() };
    if recover::is_there(&aside)? {
        let kept = kept?;
        place_books(repository, &kept, entry, &mut restored)?;
    }
    let said = entry.books(repository).join(PROBLEMS);
    io_at("cannot remove", &said, durable::gone(durable::remove(&said)))?;
    let folder = place.parent().unwrap_or(Path::new("/"));
    io_at("cannot flush", folder, durable::sync_all(folder))?;
    io_at("cannot flush", &repository.common, durable::sync_all(&repository.common))?;
    let commit = git_at("cannot read", &repository.common, Oid::from_str(&entry.kept))?;
    // Where something of it could not be brought back, all of it stays kept as well, until its time is over.
    if restored.problems.is_empty() {
        Kept::forget(repository, &entry.id, commit)?;
    } else {
        restored.problems.push(format!(
            "it stays kept as {} as well, since not all of it could be brought back",
            entry.id
        ));
    }
    entry.strike(repository)?;
    Ok(restored)
}

/// Branch, head and books.
fn place_books(
    repository: &Repository,
    kept: &Kept,
    entry: &Entry,
    restored: &mut Restored,
) -> Result<(), RestoreError> {
    let (aside, books) = (entry.books_aside(repository), entry.books(repository));
    let tip = kept.meta.head.as_ref().map(|id| Oid::from_str(id)).transpose();
    let tip = git_at("cannot read", &repository.common, tip)?;
    if let (Some(branch), Some(tip)) = (&kept.meta.branch, tip) {
        let log = read::log(repository, kept)?;
        let back = branch::restore(repository, branch, tip, &entry.id, log.as_deref())?;
        restored.problems.extend(back.problems);
        restored.renamed = back.name.as_ref() != Some(&branch.name.0);
        let head = match &back.name {
            Some(name) => [b"ref: ", name.as_slice(), b"\n"].concat(),
            None => format!("{tip}\n").into_bytes(),
        };
        if restored.renamed {
            io_at("cannot write", &aside, std::fs::write(aside.join("HEAD"), head))?;
        }
        restored.branch = back.name.map(|name| branch::short(&name));
    } else {
        restored.branch = kept.meta.branch.as_ref().map(|branch| branch::short(&branch.name.0));
    }
    let said = aside.join(PROBLEMS);
    let problems = io_at("cannot read", &said, std::fs::read_to_string(&said))?;
    restored.problems.extend(problems.lines().map(ToOwned::to_owned));
    if recover::is_there(&aside.join("config.worktree"))? {
        settings::require(repository)?;
    }
    let shelf = books.parent().unwrap_or(&repository.common);
    io_at("cannot make", shelf, std::fs::create_dir_all(shelf))?;
    io_at("cannot move to", &books, rename(&aside, &books))?;
    Ok(())
}
