//! A repository, as far as its worktrees go: where its main checkout is, and the lock under which worktrees are
//! changed.

use crate::sys::dirs::Lock;
use git2::{ErrorCode, RepositoryOpenFlags};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// How long another change of the same repository's worktrees is waited for.
const LOCK_WITHIN: Duration = Duration::from_secs(30);

/// See the module.
pub struct Repository {
    /// As git2 has it: of the checkout that was asked about.
    pub git: git2::Repository,
    /// The folder that all of its checkouts share, without links.
    pub common: PathBuf,
    /// Its main checkout, without links; none for a bare repository.
    pub main: Option<PathBuf>,
    /// The checkout that the folder which was asked about is in; none in a bare repository or a `.git` folder.
    pub here: Option<PathBuf>,
    /// `here` is a linked worktree.
    pub is_linked: bool,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("common", &self.common)
            .field("here", &self.here)
            .finish_non_exhaustive()
    }
}

/// What cannot be done with a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// git2 refuses.
    #[error("{doing} {path}: {message}", path = .path.display())]
    Git {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// The system refuses.
    #[error("{doing} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A symbolic link where a folder of the repository's belongs: it may lead anywhere.
    #[error("{path} is a symbolic link, which may lead out of the repository", path = .0.display())]
    Symlink(PathBuf),
    /// Another process changes its worktrees, and does not come to an end.
    #[error("another process changes the worktrees of {path}", path = .0.display())]
    Busy(PathBuf),
}

/// Gives an error of git2 its place.
pub(crate) fn git_at<T>(
    doing: &'static str,
    path: &Path,
    result: Result<T, git2::Error>,
) -> Result<T, RepositoryError> {
    result.map_err(|e| RepositoryError::Git { doing, path: path.to_owned(), message: e.message().to_owned() })
}

/// Gives an error of the system its place.
pub(crate) fn io_at<T>(
    doing: &'static str,
    path: &Path,
    result: io::Result<T>,
) -> Result<T, RepositoryError> {
    result.map_err(|source| RepositoryError::Io { doing, path: path.to_owned(), source })
}

impl Repository {
    /// The repository that a folder is in; none where it is in none. libgit2 executes nothing that a repository brings,
    /// and refuses one that belongs to somebody else.
    ///
    /// # Errors
    /// There is one that cannot be opened.
    pub fn around(folder: &Path) -> Result<Option<Self>, RepositoryError> {
        let nowhere: [&Path; 0] = [];
        let git = match git2::Repository::open_ext(folder, RepositoryOpenFlags::empty(), nowhere) {
            Ok(git) => git,
            Err(e) if e.code() == ErrorCode::NotFound => return Ok(None),
            Err(e) => return git_at("cannot open the repository of", folder, Err(e)),
        };
        let common = io_at("cannot find", git.commondir(), git.commondir().canonicalize())?;
        let here = match git.workdir() {
            Some(folder) => Some(io_at("cannot find", folder, folder.canonicalize())?),
            None => None,
        };
        let is_linked = git.is_worktree();
        let main = if is_linked {
            let of_all = git_at("cannot open", &common, git2::Repository::open(&common))?;
            of_all.workdir().map(Path::to_owned)
        } else {
            here.clone()
        };
        let main = match main {
            // One that was moved away is none.
            Some(main) => main.canonicalize().ok(),
            None => None,
        };
        Ok(Some(Self { git, common, main, here, is_linked }))
    }

    /// Where its worktrees are: the setting, below the main checkout where it is relative. A bare repository, which has
    /// no checkout to be below of, has them in its own folder.
    pub fn worktrees_folder(&self, setting: &Path) -> PathBuf {
        match &self.main {
            Some(main) => main.join(setting),
            None if setting.is_absolute() => setting.to_owned(),
            None => self.common.join("abide/worktrees"),
        }
    }

    /// Takes the lock under which worktrees are made and removed, waiting for it a while.
    ///
    /// # Errors
    /// [`RepositoryError::Busy`], or the lock cannot be had.
    pub fn lock(&self) -> Result<Lock, RepositoryError> {
        let folder = self.common.join("abide");
        io_at("cannot make", &folder, std::fs::create_dir_all(&folder))?;
        let path = folder.join("lock");
        match io_at("cannot lock", &path, Lock::acquire(&path, LOCK_WITHIN))? {
            Some(lock) => Ok(lock),
            None => Err(RepositoryError::Busy(self.common.clone())),
        }
    }

    /// Refuses a path below the main checkout that leads through a symbolic link, as a committed one would: what is
    /// written or removed there would be somewhere else. What is not there yet is no link.
    ///
    /// # Errors
    /// [`RepositoryError::Symlink`].
    pub fn refuse_links(&self, path: &Path) -> Result<(), RepositoryError> {
        let base = self.main.as_deref().unwrap_or(&self.common);
        let Ok(below) = path.strip_prefix(base) else { return Ok(()) };
        let mut at = base.to_owned();
        for part in below.components() {
            if !matches!(part, Component::Normal(_)) {
                return Err(RepositoryError::Symlink(path.to_owned()));
            }
            at.push(part);
            if std::fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_symlink()) {
                return Err(RepositoryError::Symlink(at));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::git::{Git, Trust};
    use super::*;

    fn git(folder: &Path, args: &[&str]) {
        let git = Git::within(folder, Trust::Untrusted).args(["-c", "user.name=A", "-c", "user.email=a@b"]);
        git.args(args.iter().copied()).run().expect("git");
    }

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("folder");
        let main = dir.path().canonicalize().expect("path").join("main");
        std::fs::create_dir(&main).expect("main");
        git(&main, &["init", "-q", "-b", "main"]);
        git(&main, &["commit", "-q", "--allow-empty", "-m", "first"]);
        (dir, main)
    }

    #[test]
    fn the_main_checkout_is_found_from_everywhere() {
        let (dir, main) = repository();
        let linked = main.join("deep/linked");
        git(&main, &["worktree", "add", "-q", "-b", "side", "deep/linked"]);
        std::fs::create_dir(main.join("below")).expect("folder");
        for (folder, here, is_linked) in [
            (main.clone(), &main, false),
            (main.join("below"), &main, false),
            (linked.clone(), &linked, true),
        ] {
            let found = Repository::around(&folder).expect("opened").expect("found");
            assert_eq!(found.main.as_ref(), Some(&main), "{folder:?}");
            assert_eq!((found.here.as_ref(), found.is_linked), (Some(here), is_linked), "{folder:?}");
            assert_eq!(found.common, main.join(".git"));
        }
        assert!(Repository::around(dir.path()).expect("looked").is_none());
    }

    #[test]
    fn a_bare_repository_has_worktrees_and_no_main_checkout() {
        let (dir, main) = repository();
        let bare = dir.path().canonicalize().expect("path").join("bare.git");
        git(&main, &["clone", "-q", "--bare", ".", "../bare.git"]);
        git(&bare, &["worktree", "add", "-q", "--detach", "../side"]);
        let found = Repository::around(&bare.with_file_name("side")).expect("opened").expect("found");
        assert_eq!((&found.main, &found.common, found.is_linked), (&None, &bare, true));
    }

    #[test]
    fn links_on_the_way_to_a_worktree_are_refused() {
        let (dir, main) = repository();
        let found = Repository::around(&main).expect("opened").expect("found");
        let folder = found.worktrees_folder(Path::new(".abide/worktrees"));
        found.refuse_links(&folder.join("x")).expect("nothing there yet");
        std::fs::create_dir(main.join(".abide")).expect("folder");
        std::os::unix::fs::symlink(dir.path(), &folder).expect("link");
        assert!(
            matches!(found.refuse_links(&folder.join("x")), Err(RepositoryError::Symlink(at)) if at == folder)
        );
        assert!(found.refuse_links(&main.join("a/../../x")).is_err());
    }

    #[test]
    fn one_at_a_time_changes_worktrees() {
        let (_dir, main) = repository();
        let found = Repository::around(&main).expect("opened").expect("found");
        let lock = found.lock().expect("free");
        assert!(Lock::try_acquire(&found.common.join("abide/lock")).expect("looked").is_none());
        drop(lock);
        assert!(Lock::try_acquire(&found.common.join("abide/lock")).expect("looked").is_some());
    }
}
