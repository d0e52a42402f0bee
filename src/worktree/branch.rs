//! The branch of a worktree: what of it goes along, and comes back.

use super::durable;
use super::git::{Git, GitError, Trust, move_ref};
use super::kept::Kept;
use super::kept::meta::Branch;
use super::linked::{Head, Worktree, read_small};
use super::pushed::lossless;
use super::repository::{Repository, RepositoryError, git_at, io_at};
use crate::core::slug::Slug;
use crate::core::text::Text;
use git2::{ErrorCode, Oid};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Without `refs/heads/`, for people.
pub(super) fn short(name: &[u8]) -> String {
    let name = name.strip_prefix(b"refs/heads/").unwrap_or(name);
    String::from_utf8_lossy(name).into_owned()
}

/// The branch that goes with a worktree, and its commit: the one that was made for it, by its name, unless somebody else
/// has it checked out. Its commits are kept.
///
/// # Errors
/// The repository cannot be read.
pub(super) fn to_delete(
    repository: &Repository,
    worktree: &Worktree,
    kept: &Kept,
) -> Result<Option<(Text, String)>, RepositoryError> {
    let (Head::Branch(name), Some(tip)) = (&worktree.head, &kept.meta.head) else { return Ok(None) };
    let own = Slug::of_folder(&worktree.name()).map(|slug| format!("refs/heads/{}", slug.branch()));
    if own.as_deref().map(str::as_bytes) != Some(name) || is_used(repository, worktree, name)? {
        return Ok(None);
    }
    Ok(Some((Text(name.clone()), tip.clone())))
}

/// Whether another checkout is on this branch, or will be when a rebase is over.
fn is_used(repository: &Repository, but: &Worktree, name: &[u8]) -> Result<bool, RepositoryError> {
    let others = Worktree::all(repository)?.into_iter().filter(|other| other.id != but.id);
    let mut folders: Vec<_> = others.map(|other| other.books).collect();
    folders.push(repository.common.clone());
    Ok(folders.iter().any(|folder| {
        let says = |file: &str, prefix: &[u8]| {
            let text = read_small(&folder.join(file)).unwrap_or_default();
            text.trim_ascii_end().strip_prefix(prefix).is_some_and(|rest| rest.trim_ascii_start() == name)
        };
        says("HEAD", b"ref:") || says("rebase-merge/head-name", b"") || says("rebase-apply/head-name", b"")
    }))
}

/// Deletes a branch that still is at this commit, with its log and its configuration. One that moved on stays.
///
/// # Errors
/// The repository refuses.
pub(super) fn delete(repository: &Repository, name: &[u8], tip: &str) -> Result<(), RepositoryError> {
    let at = &repository.common;
    let text = git_at("cannot read", at, lossless(name))?;
    let tip = git_at("cannot read", at, Oid::from_str(tip))?;
    match repository.git.find_reference(&text) {
        Ok(reference) if reference.target() == Some(tip) => {
            // Git compares it once more, under its own lock.
            if let Err(refused) = move_ref(at, &text, tip, Oid::ZERO_SHA1, "") {
                match repository.git.find_reference(&text) {
                    Ok(now) if now.target() != Some(tip) => return Ok(()),
                    Err(e) if e.code() == ErrorCode::NotFound => {}
                    Ok(_) | Err(_) => {
                        return io_at("cannot delete a branch of", at, Err(io::Error::other(refused)));
                    }
                }
            }
        }
        Ok(_) => return Ok(()),
        Err(e) if e.code() == ErrorCode::NotFound => {}
        Err(e) => return git_at("cannot read", at, Err(e)),
    }
    let section = format!("branch.{}", short(name));
    let config = |args: [&str; 4]| Git::within(at, Trust::Untrusted).args(args);
    // There is none where the branch followed no other.
    let pattern = format!("^{}\\.", regex_lite::escape(&section));
    if git_done(at, config(["config", "--local", "--get-regexp", &pattern]).holds())? {
        git_done(at, config(["config", "--local", "--remove-section", &section]).run())?;
    }
    Ok(())
}

fn git_done<T>(at: &Path, result: Result<T, GitError>) -> Result<T, RepositoryError> {
    io_at("cannot configure", at, result.map_err(io::Error::other))
}

/// A branch that came back.
pub(super) struct Back {
    /// Its whole name, which may be another one than before; none where no name was to be had.
    pub(super) name: Option<Vec<u8>>,
    /// What of it did not come back, for people.
    pub(super) problems: Vec<String>,
}

/// Brings a branch back, at this commit, with its log and its configuration where it is gone. Where a branch of this name
/// is elsewhere by now, or checked out, another one is made.
///
/// # Errors
/// The repository refuses.
pub(super) fn restore(
    repository: &Repository,
    branch: &Branch,
    tip: Oid,
    id: &str,
    log: Option<&[u8]>,
) -> Result<Back, RepositoryError> {
    let at = &repository.common;
    let first = git_at("cannot read", at, lossless(&branch.name.0))?;
    let git = git_at("cannot open", at, git2::Repository::open(at))?;
    for name in [first.clone(), format!("{first}-{id}")] {
        let problems = match git.find_reference(&name) {
            Ok(there) if there.target() == Some(tip) && !is_checked_out(repository, name.as_bytes())? => {
                // Perhaps a kill came before its log, perhaps somebody made it anew.
                write_log(repository, &name, log, true).into_iter().collect()
            }
            Ok(_) => continue,
            Err(e) if e.code() == ErrorCode::NotFound => {
                // Before it is there: whoever comes after a kill cannot tell a branch of ours from another.
                let mut problems = configure(repository, branch, &name);
                let made = move_ref(at, &name, Oid::ZERO_SHA1, tip, "abide: undelete");
                // A git that a kill of ours outlived may have come first.
                let there = || git.find_reference(&name).is_ok_and(|there| there.target() == Some(tip));
                if let Err(e) = made
                    && !there()
                {
                    return io_at("cannot make a branch in", at, Err(io::Error::other(e)));
                }
                problems.extend(write_log(repository, &name, log, false));
                problems
            }
            Err(e) => return git_at("cannot read", at, Err(e)),
        };
        return Ok(Back { name: Some(name.into_bytes()), problems });
    }
    Ok(Back {
        name: None,
        problems: vec![format!("no name is free for its branch {}", short(first.as_bytes()))],
    })
}

fn is_checked_out(repository: &Repository, name: &[u8]) -> Result<bool, RepositoryError> {
    let mut folders: Vec<_> = Worktree::all(repository)?.into_iter().map(|other| other.books).collect();
    folders.push(repository.common.clone());
    Ok(folders.iter().any(|folder| {
        let text = read_small(&folder.join("HEAD")).unwrap_or_default();
        text.trim_ascii_end().strip_prefix(b"ref:").is_some_and(|rest| rest.trim_ascii_start() == name)
    }))
}

/// Writes its log; `beside`: what stands there by now stays, behind it. What could not be written is returned, for people.
fn write_log(repository: &Repository, name: &str, log: Option<&[u8]>, beside: bool) -> Option<String> {
    let log = log?;
    let path = repository.common.join("logs").join(name);
    let write = || {
        let mut whole = log.to_vec();
        if beside {
            let there = match std::fs::read(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
                other => other?,
            };
            let lines: BTreeSet<&[u8]> = log.split_inclusive(|b| *b == b'\n').collect();
            let more = there.split_inclusive(|b| *b == b'\n').filter(|line| !lines.contains(line));
            whole.extend(more.flatten());
        }
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        durable::write(&path, &whole)
    };
    let written: io::Result<()> = write();
    written.err().map(|e| format!("the log of its branch cannot be written to {}: {e}", path.display()))
}

/// Its configuration, in which nothing is added twice.
fn configure(repository: &Repository, branch: &Branch, name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, value) in &branch.config {
        let key = format!("branch.{}.{key}", short(name.as_bytes()));
        let same = format!("^{}$", regex_lite::escape(value));
        let git = Git::within(&repository.common, Trust::Untrusted);
        if let Err(e) = git.args(["config", "--local", "--replace-all", &key, value, &same]).run() {
            problems.push(format!("the configuration of its branch: {e}"));
        }
    }
    problems
}
