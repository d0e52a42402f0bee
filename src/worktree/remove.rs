//! Removing a worktree, so that nobody loses a line and a kill anywhere is survived.
//!
//! 1. It is looked at, and whether it may go is decided.
//! 2. All of it is kept, and is on the disk ([`super::kept`]).
//! 3. Its folder is renamed: from here on nobody finds it under its name, and git is told by a lock not to tidy up.
//! 4. It is looked at again. What changed since, or who is in it now, has it renamed back.
//! 5. Its books, its branch and its folder go.
//!
//! The journal says in which of these steps it is.

use super::contents::{self, Session};
use super::files::{Folder, Kind, walk};
use super::journal::{Doing, Entry};
use super::kept::{self, Keeping, Kept};
use super::linked::{Head, Link, Worktree};
use super::repository::{Repository, RepositoryError, git_at, io_at};
use super::survey::{Survey, has_bytes_of};
use super::{branch, delete, durable, recover};
use crate::core::text::Text;
use crate::core::worktree::{self as decide, Contents, Refusal};
use git2::Oid;
use nix::fcntl::AT_FDCWD;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How often it is looked at anew where something changes it meanwhile.
const ATTEMPTS: usize = 3;
/// Stamps that are not older than this when a look begins (ns) may be those of a later change as well: clocks of file
/// systems tick slowly, some only every two seconds.
const TICK: i128 = 2_500_000_000;

/// How a worktree is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// Whoever asks named the loss.
    pub discard: bool,
    /// Patterns of what is precious though it is ignored.
    pub precious: &'a [String],
    /// Sessions that may be in it.
    pub sessions: &'a [Session],
}

/// A worktree that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What was kept, and under which id.
    pub kept: Kept,
    /// What was in it.
    pub contents: Contents,
    /// Its branch, without `refs/heads/`, where that went along.
    pub branch: Option<String>,
    /// What is left of its folder, and why.
    pub left: Option<String>,
}

/// Why a worktree was not removed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// It may not go.
    #[error("it is kept")]
    Refused(Refusal),
    /// Its folder is not what its books say.
    #[error("{path} cannot be told to be this worktree: {why}", path = .path.display())]
    Broken {
        /// Its folder.
        path: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// It cannot be kept.
    #[error("it cannot be kept, so it stays: {0}")]
    NotKept(String),
    /// It changes all the time.
    #[error("something changes it all the time, so it stays: {0}")]
    Restless(String),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Removes a worktree.
///
/// # Errors
/// [`RemoveError`].
pub fn remove(repository: &Repository, worktree: &Worktree, how: &How<'_>) -> Result<Removed, RemoveError> {
    let _lock = repository.lock()?;
    recover::recover(repository)?;
    let worktree = worktree.again();
    if let Link::Broken(why) = &worktree.link {
        return Err(RemoveError::Broken { path: worktree.path.clone(), why: why.clone() });
    }
    repository.refuse_links(&worktree.path)?;
    let mut restless = String::new();
    for _ in 0..ATTEMPTS {
        match attempt(repository, &worktree, how)? {
            Ok(removed) => return Ok(removed),
            Err(why) => restless = why,
        }
    }
    Err(RemoveError::Restless(restless))
}

/// One attempt; the inner error says what changed meanwhile.
fn attempt(
    repository: &Repository,
    worktree: &Worktree,
    how: &How<'_>,
) -> Result<Result<Removed, String>, RemoveError> {
    let began = i128::from(crate::sys::clock::wall_ms()) * 1_000_000 - TICK;
    let survey = match worktree.link {
        Link::Sound => Some(Survey::of(repository, worktree, how.precious).map_err(|e| e.to_string())),
        Link::Missing | Link::Broken(_) => None,
    };
    let contents = contents::described(
        repository,
        worktree,
        survey.as_ref().map(|s| s.as_ref().map_err(Clone::clone)),
        how.sessions,
    );
    decide::remove(&contents, how.discard).map_err(RemoveError::Refused)?;
    let survey = survey.transpose().map_err(RemoveError::NotKept)?;
    let id = free_id(repository)?;
    let keeping = match kept::keep(repository, worktree, survey.as_ref(), &id, contents.work()) {
        Ok(keeping) => keeping,
        Err(kept::KeepError::Changed(path)) => {
            return Ok(Err(format!("{} was changed", String::from_utf8_lossy(&path))));
        }
        Err(e) => return Err(RemoveError::NotKept(e.to_string())),
    };
    let mut entry = Entry {
        id,
        doing: Doing::Moving,
        name: Text(worktree.id.as_bytes().to_vec()),
        path: Text(worktree.path.as_os_str().as_bytes().to_vec()),
        branch: branch::to_delete(repository, worktree, &keeping.kept)?,
        kept: keeping.kept.commit.to_string(),
    };
    entry.write(repository)?;
    if let Err(e) = recover::lock(repository, &entry) {
        recover::undo(repository, &entry)?;
        return Err(e.into());
    }
    if let Some(survey) = &survey {
        let moved = rename(&worktree.path, &entry.doomed());
        let moved = moved.map_err(|e| format!("{} cannot be moved: {e}", worktree.path.display()));
        let seen =
            moved.and_then(|()| look_again(repository, worktree, &entry, survey, &keeping, began, how));
        if let Err(why) = seen {
            recover::undo(repository, &entry)?;
            return Ok(Err(why));
        }
    }
    entry.doing = Doing::Removing;
    entry.write(repository)?;
    let left = recover::finish(repository, &entry)?;
    let branch = entry.branch.as_ref().map(|(name, _)| branch::short(&name.0));
    Ok(Ok(Removed { kept: keeping.kept, contents, branch, left }))
}

/// An id that nothing is kept under.
fn free_id(repository: &Repository) -> Result<String, RepositoryError> {
    loop {
        let mut bits = [0; 4];
        let random = getrandom::fill(&mut bits).map_err(io::Error::other);
        io_at("no random numbers for", &repository.common, random)?;
        let id = format!("{:08x}", u32::from_be_bytes(bits));
        match repository.git.find_reference(&format!("{}{id}", kept::REFS)) {
            Ok(_) => {}
            Err(e) if e.code() == git2::ErrorCode::NotFound => return Ok(id),
            Err(e) => return git_at("cannot read", &repository.common, Err(e)),
        }
    }
}

/// Renames a folder; a name that is taken is left alone.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::errno::Errno;
        use nix::fcntl::{RenameFlags, renameat2};
        match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
            // Not every file system can do that.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {}
            other => return Ok(other?),
        }
    }
    let _ = AT_FDCWD;
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

/// Whether the folder that was set aside is what was kept.
fn look_again(
    repository: &Repository,
    worktree: &Worktree,
    entry: &Entry,
    survey: &Survey,
    keeping: &Keeping,
    began: i128,
    how: &How<'_>,
) -> Result<(), String> {
    let say = |e: &dyn std::fmt::Display| e.to_string();
    let doomed = Folder::open(&entry.doomed()).map_err(|e| say(&e))?;
    let books = Folder::open(&worktree.books).map_err(|e| say(&e))?;
    let mut now = walk(&doomed, |_| false).map_err(|e| say(&e))?;
    now.files.remove(&b".git"[..]);
    let mut books_now = walk(&books, |_| false).map_err(|e| say(&e))?;
    books_now.files.remove(&b"locked"[..]);
    if let Some(changed) = survey.difference(&now, &books_now) {
        return Err(format!("{} was changed", String::from_utf8_lossy(&changed)));
    }
    // A change within one tick of the file system's clock leaves the stamp as it is.
    let fresh =
        |stamp: &super::files::Stamp| matches!(stamp.kind, Kind::File | Kind::Link) && stamp.changed >= began;
    let index: BTreeMap<&[u8], &super::status::Entry> =
        survey.index.iter().filter(|e| e.stage == 0).map(|e| (e.path.as_slice(), e)).collect();
    for (path, _) in now.files.iter().filter(|(_, stamp)| fresh(stamp)) {
        let expected = keeping.bytes.get(path).copied().or_else(|| {
            let tracked = index.get(path.as_slice())?;
            (!survey.stored.contains_key(path)).then_some(tracked.id)
        });
        let Some(expected) = expected else { continue };
        if !has_bytes_of(&doomed, path, expected).map_err(|e| say(&e))? {
            return Err(format!("{} was changed", String::from_utf8_lossy(path)));
        }
    }
    for (path, _) in books_now.files.iter().filter(|(_, stamp)| fresh(stamp)) {
        if let Some(expected) = keeping.books.get(path)
            && !has_bytes_of(&books, path, *expected).map_err(|e| say(&e))?
        {
            return Err(format!("{} was changed", worktree.books.join(super::survey::os(path)).display()));
        }
    }
    if let Head::Branch(name) = &worktree.head {
        let tip = repository.git.find_reference(&String::from_utf8_lossy(name)).ok().and_then(|r| r.target());
        let kept = keeping.kept.meta.head.as_ref().and_then(|id| Oid::from_str(id).ok());
        if tip != kept {
            return Err(format!("its branch {} moved", branch::short(name)));
        }
    }
    let mut contents = Contents::default();
    contents::put_occupants(&mut contents, &entry.doomed(), how.sessions);
    let obstacles = contents.obstacles();
    if obstacles.is_empty() { Ok(()) } else { Err(obstacles.join("; ")) }
}

/// Makes the rename durable before anything in the folder goes.
pub(super) fn flush(entry: &Entry) -> Result<(), RepositoryError> {
    let doomed = entry.doomed();
    let parent = doomed.parent().unwrap_or(Path::new("/"));
    match durable::sync(parent) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => io_at("cannot flush", parent, other),
    }
}

/// Deletes a folder as a whole; what is left of it, and why, is returned.
pub(super) fn delete_folder(path: &Path) -> Option<String> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return None };
    let parent = match Folder::open(parent) {
        Ok(parent) => parent,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => return Some(format!("{}: {e}", path.display())),
    };
    delete::delete(&parent, name.as_bytes()).err().map(|e| format!("{}: {e}", path.display()))
}
