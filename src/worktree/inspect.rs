//! Where a file is, as git sees it: the facts of `core::guard`.
//!
//! libgit2 reads configuration, ignore rules and the index, and executes nothing of them: no hook, no file system
//! monitor, no filter, no alias. So a hostile repository can at most tell lies about itself. What belongs to another
//! user is not even read (as for git itself, `safe.directory` excepts); that is one of the ways in which git cannot say.
//!
//! It reads as little as decides: a repository is found by walking upwards, whether a file is ignored by the rules on
//! its path, and the index only of a file that is ignored, which may be tracked all the same.

use crate::core::guard::{Facts, OWN, Place, Standing};
use crate::core::text::Text;
use git2::{ErrorCode, Repository, RepositoryOpenFlags};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links that are followed at most, as the kernel's limit is.
const LINKS: usize = 40;
/// Repositories within repositories that are looked at, at most.
const DEPTH: usize = 16;

/// What git says about a file that a session in the folder `cwd` is about to write; a relative one is below `cwd`.
/// Who knows in which folder the session was started passes that one, and the file absolute: agents change folders,
/// and their repository stays.
pub fn facts(cwd: &Path, file: &Path) -> Facts {
    let file = cwd.join(file);
    let unknown = |file: &Path, own, why| Facts { file: text(file), own, place: Place::Unknown { why } };
    let file = match resolve(&file) {
        Ok(resolved) => resolved,
        Err(e) => return unknown(&file, None, format!("its path cannot be followed: {e}")),
    };
    let session = match Found::at(&existing(cwd)) {
        Ok(Some(session)) => session,
        Ok(None) => return Facts { file: text(&file), own: None, place: Place::Outside },
        Err(e) => return unknown(&file, None, e.message().to_owned()),
    };
    let own = session.linked.as_deref().map(text);
    match session.place(&file) {
        Ok(place) => Facts { file: text(&file), own, place },
        Err(e) => unknown(&file, own, e.message().to_owned()),
    }
}

/// The repository that a folder is in. For a submodule it is the one that has it, so that a worktree of that one is
/// also a place of its own for the submodule.
pub(super) struct Found {
    /// The innermost repository, a submodule's also.
    nearest: Repository,
    /// The git folder that all of its worktrees share.
    pub(super) common: PathBuf,
    /// The working tree that the folder is in; none where it is in a bare repository, or in a git folder.
    root: Option<PathBuf>,
    /// That, where it is a linked worktree.
    pub(super) linked: Option<PathBuf>,
    /// The shared checkout; none where there is none, or where it cannot be told from here.
    pub(super) shared: Option<PathBuf>,
    /// There is none.
    pub(super) bare: bool,
}

impl Found {
    /// None where the folder is in no repository.
    ///
    /// # Errors
    /// There is one, and git cannot say more.
    pub(super) fn at(folder: &Path) -> Result<Option<Self>, git2::Error> {
        let Some(nearest) = open(folder)? else { return Ok(None) };
        let mut found = Self::of(nearest)?;
        for _ in 0..DEPTH {
            if found.linked.is_some() {
                break;
            }
            let Some(outside) = found.root.as_deref().and_then(Path::parent) else { break };
            let Some(outer) = open(outside)? else { break };
            let outer = Self::of(outer)?;
            if !found.is_submodule_of(&outer)? {
                break;
            }
            found = Self { nearest: found.nearest, ..outer };
        }
        Ok(Some(found))
    }

    fn of(repository: Repository) -> Result<Self, git2::Error> {
        let common = canonical(repository.commondir())?;
        let root = repository.workdir().map(canonical).transpose()?;
        let (linked, shared, bare) = if repository.is_worktree() {
            let main = Repository::open(&common)?;
            let told = common.ends_with(".git") || main.config()?.get_entry("core.worktree").is_ok();
            let shared = main.workdir().filter(|_| told).map(canonical).transpose()?;
            (root.clone(), shared, main.is_bare())
        } else {
            (None, root.clone(), repository.is_bare())
        };
        Ok(Self { nearest: repository, common, root, linked, shared, bare })
    }

    /// Its git folder is kept in the other's, or the other tracks it as a submodule that keeps its own.
    fn is_submodule_of(&self, outer: &Self) -> Result<bool, git2::Error> {
        if self.common.starts_with(&outer.common) {
            return Ok(true);
        }
        let below = |outer| self.root.as_deref().and_then(|root| root.strip_prefix(outer).ok());
        let Some(below) = outer.root.as_deref().and_then(below) else { return Ok(false) };
        Ok(outer.nearest.index()?.get_path(below, 0).is_some())
    }

    /// Where a file is, seen from a session in this repository.
    fn place(&self, file: &Path) -> Result<Place, git2::Error> {
        if let Ok(below) = file.strip_prefix(&self.common) {
            let own = self.shared.is_some() && OWN.iter().any(|own| below.starts_with(own));
            let root = self.shared.as_deref().or(self.common.parent()).unwrap_or(&self.common);
            return Ok(Place::Git { root: text(root), own });
        }
        let theirs = Self::at(&existing(file.parent().unwrap_or(file)))?;
        if let Some(root) = theirs.as_ref().and_then(|theirs| theirs.linked.as_deref()) {
            return Ok(Place::Linked { root: text(root) });
        }
        // A working tree that the configuration moved elsewhere is found from its git folder only.
        let (root, nearest) = match (&theirs, &self.shared) {
            (Some(theirs), _) if theirs.common == self.common => (theirs.root.as_deref(), &theirs.nearest),
            (None, Some(shared)) if file.starts_with(shared) => (Some(shared.as_path()), &self.nearest),
            (Some(_) | None, _) => (None, &self.nearest),
        };
        let Some((root, below)) = root.and_then(|root| Some((root, file.strip_prefix(root).ok()?))) else {
            return Ok(Place::Outside);
        };
        let standing = standing(nearest, file)?;
        Ok(Place::Shared { root: text(root), below: text(below), standing })
    }
}

/// What a file is to the repository whose working tree it is in.
fn standing(repository: &Repository, file: &Path) -> Result<Standing, git2::Error> {
    let Some(root) = repository.workdir().map(canonical).transpose()? else { return Ok(Standing::Content) };
    let Ok(below) = file.strip_prefix(&root) else { return Ok(Standing::Content) };
    if below.as_os_str().is_empty() || !repository.is_path_ignored(below)? {
        return Ok(Standing::Content);
    }
    let tracked = repository.index()?.get_path(below, 0).is_some();
    Ok(if tracked { Standing::Content } else { Standing::Ignored })
}

/// The repository that a folder is in, found as git finds it but for its variables, which do not count here.
fn open(folder: &Path) -> Result<Option<Repository>, git2::Error> {
    match Repository::open_ext(folder, RepositoryOpenFlags::empty(), std::iter::empty::<&OsStr>()) {
        Ok(repository) => Ok(Some(repository)),
        Err(e) if e.code() == ErrorCode::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn canonical(path: &Path) -> Result<PathBuf, git2::Error> {
    let failed = |e: io::Error| git2::Error::from_str(&format!("{}: {e}", path.display()));
    std::fs::canonicalize(path).map_err(failed)
}

/// The innermost folder of this path that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// The file that a write to this absolute path would reach, whether or not it exists: links are followed, dangling ones
/// too, and `..` is what it is to the kernel.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut open: Vec<PathBuf> = vec![path.to_owned()];
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(rest) = open.pop() {
        let mut parts = rest.components();
        let Some(part) = parts.next() else { continue };
        open.push(parts.as_path().to_owned());
        match part {
            Component::RootDir => at = PathBuf::from("/"),
            Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => _ = at.pop(),
            Component::Normal(name) => match std::fs::read_link(at.join(name)) {
                Ok(target) => {
                    links += 1;
                    if links > LINKS {
                        return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                    }
                    open.push(target);
                }
                // No link, or nothing at all.
                Err(_) => at.push(name),
            },
        }
    }
    // Where case does not matter, the spelling that the folder has.
    let there = existing(&at);
    let Ok(missing) = at.strip_prefix(&there) else { return Ok(at) };
    Ok(if missing.as_os_str().is_empty() { at.canonicalize()? } else { there.canonicalize()?.join(missing) })
}

fn text(path: &Path) -> Text {
    Text(path.as_os_str().as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
