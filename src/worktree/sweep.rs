//! Sweeping: what programs made for a while and nobody uses any more goes, and so does what was kept for long enough.

use super::contents::{self, Session};
use super::files::Folder;
use super::kept::Kept;
use super::linked::{Link, Worktree};
use super::note::Note;
use super::remove::{How, Removed, remove};
use super::repository::{Repository, RepositoryError};
use super::{lock, recover};
use crate::core::slug::Slug;
use crate::core::worktree::{self as decide, Candidate, Spared};

/// How to sweep.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// Patterns of what is precious though it is ignored.
    pub precious: &'a [String],
    /// Sessions that may be in a worktree.
    pub sessions: &'a [Session],
    /// How long what was removed is kept, in ms.
    pub keep_ms: u64,
    /// Wall clock, ms since the epoch.
    pub now_ms: u64,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// What a sweep did, or would do.
#[derive(Debug, Default)]
pub struct Swept {
    /// What went, with what was kept of it; none in a dry run.
    pub removed: Vec<(Worktree, Option<Removed>)>,
    /// What is due and stays, and why.
    pub spared: Vec<(Worktree, Vec<String>)>,
    /// What was kept long enough, and is given up.
    pub forgotten: Vec<Kept>,
}

/// Sweeps a repository.
///
/// # Errors
/// Its worktrees cannot be listed. One that cannot be removed is spared.
pub fn sweep(repository: &Repository, how: &Sweep<'_>) -> Result<Swept, RepositoryError> {
    let mut swept = Swept::default();
    if !how.dry_run {
        let _lock = repository.lock()?;
        recover::recover(repository)?;
    }
    // First, so that what goes now can still come back, however the clock was set.
    for kept in Kept::all(repository)?.into_iter().filter_map(|listed| listed.kept.ok()) {
        let age = how.now_ms.checked_sub(kept.meta.at_ms);
        if age.is_some_and(|age| age >= how.keep_ms) {
            if !how.dry_run {
                let _lock = repository.lock()?;
                Kept::forget(repository, &kept.id, kept.commit)?;
            }
            swept.forgotten.push(kept);
        }
    }
    for worktree in Worktree::all(repository)? {
        let note = Note::of(&worktree.books);
        let candidate = Candidate {
            slug: Slug::of_folder(&worktree.name()),
            ephemeral: note.as_ref().is_some_and(|note| note.ephemeral),
            named: note.as_ref().is_some_and(|note| note.named),
            used_ms: used_ms(&worktree),
        };
        if decide::is_due(&candidate, how.now_ms).is_err() || worktree.link != Link::Sound {
            continue;
        }
        let contents = contents::look(repository, &worktree, how.precious, how.sessions);
        match decide::sweep(&contents) {
            Ok(()) => {}
            Err(Spared::Holds(why)) => {
                swept.spared.push((worktree, why));
                continue;
            }
            Err(Spared::NotEphemeral | Spared::Young) => continue,
        }
        if how.dry_run {
            swept.removed.push((worktree, None));
            continue;
        }
        let stale = contents.lock.as_ref().is_some_and(decide::is_stale);
        if stale && let Err(e) = lock::release(&worktree) {
            swept.spared.push((worktree, vec![format!("its lock: {e}")]));
            continue;
        }
        let how = How { discard: false, precious: how.precious, sessions: how.sessions };
        match remove(repository, &worktree, &how) {
            Ok(removed) => swept.removed.push((worktree, Some(removed))),
            Err(e) => swept.spared.push((worktree, vec![e.to_string()])),
        }
    }
    Ok(swept)
}

/// When anything was last done in a worktree, ms since the epoch: the latest of what git writes and of its folder. 0 where
/// that cannot be told.
pub fn used_ms(worktree: &Worktree) -> u64 {
    let stamps = ["HEAD", "index", "logs/HEAD", "abide.json"].map(|file| {
        let meta = worktree.books.join(file).symlink_metadata().ok()?;
        let since = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    });
    let folder = Folder::open(&worktree.path).and_then(|folder| folder.own_stamp());
    let folder = folder.ok().and_then(|stamp| u64::try_from(stamp.modified / 1_000_000).ok());
    stamps.into_iter().chain([folder]).flatten().max().unwrap_or(0)
}
