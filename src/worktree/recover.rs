//! Finishing or undoing what a kill cut off; see [`journal`](super::journal). Each step can be done again.

use super::journal::{Doing, Entry};
use super::kept::Kept;
use super::linked::read_small;
use super::remove::{delete_folder, flush, rename};
use super::repository::{Repository, RepositoryError, git_at, io_at};
use super::restore::{self, RestoreError};
use super::{branch, durable, settings};
use git2::Oid;
use std::io;
use std::path::Path;

/// The reason of the lock that keeps git from tidying up while a folder is set aside; the id follows.
const REMOVING: &str = "abide is removing this worktree: ";

/// Locks a worktree that is being removed.
///
/// # Errors
/// Somebody has locked it, or it cannot be written.
pub(super) fn lock(repository: &Repository, entry: &Entry) -> Result<(), RepositoryError> {
    use std::io::Write;
    let path = entry.books(repository).join("locked");
    let made = crate::sys::dirs::create_private_file(&path);
    io_at("cannot lock", &path, made.and_then(|mut file| write!(file, "{REMOVING}{}", entry.id)))
}

/// Whether these books are those of a worktree that this entry removes, and not of a later one with its name.
fn is_locked(books: &Path, entry: &Entry) -> bool {
    let reason = read_small(&books.join("locked")).unwrap_or_default();
    reason == format!("{REMOVING}{}", entry.id).into_bytes()
}

/// Finishes or undoes all that was cut off. What could not be done is returned, for people. The caller has the lock.
///
/// # Errors
/// The journal cannot be read, or a step fails: then nothing else is to be changed.
pub(super) fn recover(repository: &Repository) -> Result<Vec<String>, RepositoryError> {
    let mut said = Vec::new();
    for entry in Entry::all(repository)? {
        match entry.doing {
            Doing::Moving => undo(repository, &entry)?,
            Doing::Removing => said.extend(finish(repository, &entry)?),
            Doing::Restoring => restore::undo(repository, &entry)?,
            Doing::Placing => match restore::finish(repository, &entry) {
                Ok(restored) => said.extend(restored.problems),
                Err(RestoreError::Repository(e)) => return Err(e),
                Err(e @ (RestoreError::Taken(_) | RestoreError::Failed(_))) => said.push(e.to_string()),
            },
        }
    }
    Ok(said)
}

/// Undoes the first steps of a removal: the folder gets its name back, and what was kept of it is given up.
///
/// # Errors
/// A step fails.
pub(super) fn undo(repository: &Repository, entry: &Entry) -> Result<(), RepositoryError> {
    let (doomed, place, books) = (entry.doomed(), entry.place(), entry.books(repository));
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{}", entry.id));
    let beside = place.with_file_name(name);
    if is_there(&doomed)? {
        match rename(&doomed, &place) {
            Ok(()) => {}
            // Somebody has put something in its place meanwhile: it goes beside that, and git is told.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                io_at("cannot move back", &doomed, rename(&doomed, &beside))?;
            }
            Err(e) => return io_at("cannot move back", &doomed, Err(e)),
        }
    }
    let back = !is_there(&beside)?;
    if !back {
        let mut link = beside.into_os_string().into_encoded_bytes();
        link.extend_from_slice(b"/.git\n");
        io_at("cannot write", &books, durable::write(&books.join("gitdir"), &link))?;
    }
    if is_locked(&books, entry) {
        io_at("cannot unlock", &books, durable::remove(&books.join("locked")))?;
    }
    if back {
        let commit = git_at("cannot read", &repository.common, Oid::from_str(&entry.kept))?;
        Kept::forget(repository, &entry.id, commit)?;
    }
    entry.strike(repository)
}

/// Finishes a removal: books, branch and folder go. What is left of the folder is returned, for people.
///
/// # Errors
/// A step fails; it is done again by whoever comes next.
pub(super) fn finish(repository: &Repository, entry: &Entry) -> Result<Option<String>, RepositoryError> {
    flush(entry)?;
    let (books, aside) = (entry.books(repository), entry.books_aside(repository));
    if !is_there(&aside)? && is_locked(&books, entry) {
        let parent = aside.parent().unwrap_or(&repository.common);
        io_at("cannot make", parent, std::fs::create_dir_all(parent))?;
        io_at("cannot move", &books, rename(&books, &aside))?;
    }
    // Once these are gone, all that follows was done: a later worktree may have the name and the branch.
    if is_there(&aside)? {
        if let Some((name, tip)) = &entry.branch {
            branch::delete(repository, &name.0, tip)?;
        }
        settings::release(repository, &aside)?;
    }
    let left = delete_folder(&entry.doomed());
    if let Some(why) = delete_folder(&aside) {
        return io_at("cannot delete", &aside, Err(io::Error::other(why)));
    }
    // As git does with the last one.
    let shelf = repository.common.join("worktrees");
    match std::fs::remove_dir(&shelf) {
        Ok(()) => {}
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {}
        Err(e) => return io_at("cannot remove", &shelf, Err(e)),
    }
    entry.strike(repository)?;
    Ok(left)
}

/// Whether anything has this name, a link included.
pub(super) fn is_there(path: &Path) -> Result<bool, RepositoryError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => io_at("cannot examine", path, Err(e)),
    }
}
