//! Repositories in a worktree: submodules, clones that somebody made in it, and worktrees of whatever repository.

use super::files::{Folder, Kind, Walked};
use super::linked::git_folder_of;
use super::status;
use git2::{Repository, Sort};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A repository that was found in a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its folder, below the worktree.
    pub(super) path: Vec<u8>,
    pub(super) what: What,
}

/// What kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Its git folder is in the books of the worktree that it is in, so that it goes with that.
    Submodule,
    /// Its git folder is in it, or anywhere else.
    Clone,
    /// It is a worktree.
    Worktree,
}

/// The repositories below a worktree. What is in another one's git folder is part of that.
pub(super) fn find(root: &Path, books: &Path, walked: &Walked) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let names = walked.files.keys().chain(walked.folders.keys());
    let mut folders: Vec<&[u8]> = names.filter_map(|path| path.strip_suffix(b"/.git")).collect();
    folders.sort_unstable();
    for path in folders {
        let within_git =
            |outer: &Found| path.strip_prefix(&*outer.path).is_some_and(|r| r.starts_with(b"/.git/"));
        if found.iter().any(within_git) {
            continue;
        }
        let folder = root.join(OsStr::from_bytes(path));
        if let Some(what) = what_is(&folder, books) {
            found.push(Found { path: path.to_vec(), what });
        }
    }
    found
}

/// What kind of repository a folder with a `.git` is; none where it only looks like one.
fn what_is(folder: &Path, books: &Path) -> Option<What> {
    let there = Folder::open(folder).ok()?;
    match there.stamp(b".git").ok()?.kind {
        Kind::Folder => Some(What::Clone),
        Kind::File => {
            let git_folder = git_folder_of(&folder.join(".git"), folder).ok()?;
            let in_books = git_folder.canonicalize().is_ok_and(|git_folder| {
                books.canonicalize().is_ok_and(|own| git_folder.starts_with(own.join("modules")))
            });
            if in_books {
                Some(What::Submodule)
            } else if git_folder.join("commondir").exists() || is_books(&git_folder) {
                Some(What::Worktree)
            } else {
                Some(What::Clone)
            }
        }
        Kind::Link | Kind::Fifo | Kind::Special => None,
    }
}

/// `…/worktrees/ID`: a worktree whose repository cannot be seen from here is one all the same.
fn is_books(git_folder: &Path) -> bool {
    git_folder.parent().and_then(Path::file_name).is_some_and(|name| name == "worktrees")
}

/// What a repository has that is nowhere else; none where it has nothing.
///
/// # Errors
/// It cannot be found out; why.
pub(super) fn work_of(folder: &Path) -> Result<Option<String>, String> {
    let git_folder = git_folder(folder)?;
    let mut parts = Vec::new();
    let mut tell = |n: usize, one: &str, many: &str| {
        if n > 0 {
            parts.push(if n == 1 { format!("1 {one}") } else { format!("{n} {many}") });
        }
    };
    let index = status::index(folder, &git_folder).map_err(|e| e.to_string())?;
    let seen = status::status(folder, &git_folder).map_err(|e| e.to_string())?;
    let untracked = status::untracked(folder, &git_folder).map_err(|e| e.to_string())?;
    let mut changes: Vec<&[u8]> = [&seen.staged, &seen.unstaged, &seen.unmerged, &untracked]
        .into_iter()
        .flatten()
        .map(Vec::as_slice)
        .collect();
    changes.sort_unstable();
    changes.dedup();
    tell(changes.len(), "change", "changes");
    tell(
        index.iter().filter(|e| e.unwatched).count(),
        "file where git does not look",
        "files where git does not look",
    );
    let repository = Repository::open(folder).map_err(|e| e.message().to_owned())?;
    let (commits, stashes) = own_commits(&repository).map_err(|e| e.message().to_owned())?;
    tell(commits, "commit", "commits");
    tell(stashes, "stash", "stashes");
    Ok((!parts.is_empty()).then(|| parts.join(", ")))
}

fn git_folder(folder: &Path) -> Result<PathBuf, String> {
    let dot = folder.join(".git");
    let stamp = Folder::open(folder).and_then(|f| f.stamp(b".git")).map_err(|e| e.to_string())?;
    match stamp.kind {
        Kind::Folder => Ok(dot),
        Kind::File => git_folder_of(&dot, folder).map_err(|e| e.to_string()),
        Kind::Link | Kind::Fifo | Kind::Special => Err("its .git is neither a folder nor a file".into()),
    }
}

/// How many commits no remote has, and how many stashes there are. What only a reflog has counts, since it goes along.
fn own_commits(repository: &Repository) -> Result<(usize, usize), git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::NONE)?;
    let mut logs = vec!["HEAD".to_owned()];
    for reference in repository.references()? {
        let reference = reference?;
        let remote = reference.name_bytes().starts_with(b"refs/remotes/");
        // A tag of something that is no commit cannot be walked, and is not lost with a commit either.
        let Some(id) = reference.peel_to_commit().ok().map(|c| c.id()) else { continue };
        if remote {
            walk.hide(id)?;
        } else {
            walk.push(id)?;
            logs.extend(reference.name().ok().map(ToOwned::to_owned));
        }
    }
    if let Ok(head) = repository.head().and_then(|head| head.peel_to_commit()) {
        walk.push(head.id())?;
    }
    let mut stashes = 0;
    for name in logs {
        let log = repository.reflog(&name)?;
        if name == "refs/stash" {
            stashes = log.len();
        }
        for entry in log.iter() {
            if repository.find_commit(entry.id_new()).is_ok() {
                walk.push(entry.id_new())?;
            }
        }
    }
    let mut commits = 0;
    for id in walk {
        id?;
        commits += 1;
    }
    Ok((commits, stashes))
}
