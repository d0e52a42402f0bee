//! The kernel's layer of the write guard: what is read-only for a session that starts in a linked worktree.
//!
//! | Path | For the session |
//! |---|---|
//! | the shared checkout, submodules and what is mounted in it included | read-only |
//! | within it: linked worktrees and the folders that collect them | writable |
//! | within it: folders that are ignored as a whole, and repositories of their own | writable |
//! | the git folder | writable, since what is committed in a worktree is written there |
//! | within that: what `core::guard::OWN` lists | read-only |
//!
//! So git in the shared checkout can take its locks, and then fails to put its files in place: the index, the HEAD and
//! the configuration. What moves a branch under the HEAD of the shared checkout (`commit`, `reset --soft`) changes none of
//! these, and writes to that HEAD's log first: as that is read-only, the branch stays where it is, whichever branch it is
//! and wherever it is stored. Collecting garbage would rewrite that log, so git is told to let logs be ([`GIT`]).
//!
//! What git ignores file by file is read-only, as is an ignored folder that does not exist when the session starts.

use super::inspect::Found;
use super::policy;
use crate::config::Settings;
use crate::core::guard::{Layers, OWN};
use git2::Repository;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Configuration that git has in such a session.
pub const GIT: &[(&str, &str)] = &[("gc.reflogExpire", "never"), ("gc.reflogExpireUnreachable", "never")];

/// Folders that collect worktrees, below a checkout.
const COLLECT: &[&str] = &[".abide/worktrees", ".claude/worktrees"];
/// Writable folders within a checkout, at most: each is a mount. The rest is read-only.
const MOST: usize = 1_000;
/// Folders that are looked into for them, at most.
const LOOK: usize = 200_000;

/// A path, and whether it is writable: each after what holds it.
pub type Mounts = Vec<(PathBuf, bool)>;

/// What is to be so for a session that starts in `cwd`; nothing where the guard has nothing to do there. `home` is the
/// user's, and `needed` are folders that every session writes to.
///
/// # Errors
/// It cannot be found out, or cannot be had; for people.
pub fn mounts(
    settings: &Settings,
    home: Option<&Path>,
    needed: &[&Path],
    cwd: &Path,
) -> Result<Mounts, String> {
    if settings.guard != Layers::Kernel {
        return Ok(Vec::new());
    }
    let cannot = |why: &str| format!("guard = \"kernel\" cannot be had for {}: {why}", cwd.display());
    let found = Found::at(cwd).map_err(|e| cannot(e.message()))?;
    let Some(found) = found.filter(|found| found.linked.is_some() && !found.bare) else {
        return Ok(Vec::new());
    };
    let unknown = "git does not tell where the shared checkout is";
    let root = found.shared.as_deref().ok_or_else(|| cannot(unknown))?;
    if policy::of_checkout(settings, home, root).is_off() {
        return Ok(Vec::new());
    }
    if let Some(folder) = home.into_iter().chain(needed.iter().copied()).find(|f| lies_in(f, root)) {
        let why = format!("{} is in the shared checkout {}", folder.display(), root.display());
        return Err(cannot(&format!("{why}: set isolation = \"none\" for it, or guard = \"hooks\"")));
    }
    all(root, &found.common).map_err(|e| cannot(&e.to_string()))
}

fn lies_in(folder: &Path, root: &Path) -> bool {
    folder.canonicalize().is_ok_and(|folder| folder.starts_with(root))
}

fn all(root: &Path, common: &Path) -> io::Result<Mounts> {
    let main = Repository::open(common).map_err(other)?;
    let mut writable: Vec<PathBuf> = COLLECT.iter().map(|below| root.join(below)).collect();
    writable.extend(trees(&main));
    writable.extend(ignored(&main, root)?);
    writable.push(common.to_owned());
    // What is reached through a link is elsewhere, or is here under its own name.
    writable.retain(|path| {
        path.starts_with(root) && path != root && path.canonicalize().is_ok_and(|p| p == *path)
    });
    writable.sort();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in writable {
        if !outermost.last().is_some_and(|last| path.starts_with(last)) {
            outermost.push(path);
        }
    }
    let mounted =
        mounted_in(root).into_iter().filter(|at| !outermost.iter().any(|path| at.starts_with(path)));
    let mut mounts: Mounts = vec![(root.to_owned(), false)];
    mounts.extend(mounted.map(|path| (path, false)));
    mounts.extend(outermost.into_iter().map(|path| (path, true)));
    mounts.extend(own(common)?.into_iter().map(|path| (path, false)));
    Ok(mounts)
}

fn other(e: git2::Error) -> io::Error {
    io::Error::other(e.message().to_owned())
}

/// What is the shared checkout's in the git folder. Without a log of its HEAD nothing would keep that where it is, and
/// without a folder of hooks one could be made: they are made, empty, which means the same to git.
fn own(common: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(common.join("hooks"))?;
    std::fs::create_dir_all(common.join("logs"))?;
    OpenOptions::new().append(true).create(true).open(common.join("logs/HEAD"))?;
    let there = OWN.iter().map(|own| common.join(own)).filter_map(|path| path.canonicalize().ok());
    Ok(there.collect())
}

/// The repository's linked worktrees.
fn trees(main: &Repository) -> Vec<PathBuf> {
    let Ok(names) = main.worktrees() else { return Vec::new() };
    let trees = names.iter().flatten().flatten().filter_map(|name| main.find_worktree(name).ok());
    trees.map(|tree| tree.path().to_owned()).collect()
}

/// Folders of a checkout that git ignores as a whole, and repositories in it that are not its submodules.
fn ignored(main: &Repository, root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut with_tracked, mut submodules) = (HashSet::new(), HashSet::new());
    for entry in main.index().map_err(other)?.iter() {
        let path = PathBuf::from(OsStr::from_bytes(&entry.path));
        for folder in path.ancestors().skip(1) {
            if !with_tracked.insert(folder.to_owned()) {
                break;
            }
        }
        if entry.mode == 0o160_000 {
            submodules.insert(path);
        }
    }
    let (mut found, mut open, mut looked) = (Vec::new(), vec![PathBuf::new()], 0);
    while let Some(folder) = open.pop() {
        looked += 1;
        if found.len() >= MOST || looked > LOOK {
            break;
        }
        // One that cannot be read, or is gone, has nothing to be made writable.
        let Ok(entries) = std::fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
            let below = folder.join(entry.file_name());
            if below == Path::new(".git") || submodules.contains(&below) {
                continue;
            }
            if with_tracked.contains(&below) {
                open.push(below);
            } else if main.is_path_ignored(&below).map_err(other)? || root.join(&below).join(".git").exists()
            {
                found.push(root.join(below));
            } else {
                open.push(below);
            }
        }
    }
    found.truncate(MOST);
    Ok(found)
}

/// Where something is mounted in a folder.
fn mounted_in(root: &Path) -> Vec<PathBuf> {
    // Systems without this file have no such guard either.
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let at = table.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4));
    let mut points: Vec<PathBuf> =
        at.map(unescaped).filter(|at| at.starts_with(root) && at != root).collect();
    points.sort();
    points.dedup();
    points
}

/// A path of that table, which has `\040` for a space, and the like.
fn unescaped(text: &[u8]) -> PathBuf {
    let (mut path, mut rest) = (Vec::new(), text);
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|d| std::str::from_utf8(d).ok());
        match code.and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(code) if byte == b'\\' => (rest, _) = (&after[3..], path.push(code)),
            Some(_) | None => (rest, _) = (after, path.push(byte)),
        }
    }
    PathBuf::from(OsString::from_vec(path))
}
