//! A repository, as far as its worktrees go: where its main checkout is, which linked ones it has, and the lock under
//! which they are changed.

use crate::sys::dirs::Lock;
use git2::{ErrorCode, RepositoryOpenFlags};
use std::io;
use std::os::unix::ffi::OsStrExt;
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

/// A linked worktree, as the repository's own books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Its name in the books: the folder below `worktrees` of the common folder.
    pub name: String,
    /// That folder.
    pub books: PathBuf,
    /// Its checkout, which may be gone.
    pub path: PathBuf,
    /// Full name of the branch (`refs/heads/…`) that it is on; none where its head is detached or cannot be read.
    pub branch: Option<String>,
    /// The reason of its lock; none where it is not locked.
    pub locked: Option<String>,
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

    /// Its linked worktrees, in the order of their names. What cannot be read of one's books is left out.
    ///
    /// # Errors
    /// The books as a whole cannot be read.
    pub fn linked(&self) -> Result<Vec<Linked>, RepositoryError> {
        let folder = self.common.join("worktrees");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return io_at("cannot list", &folder, Err(e)),
        };
        // Read from the files: opening each by the library costs a hundred times as much, and there may be thousands.
        let mut all: Vec<Linked> = entries.flatten().filter_map(|entry| Linked::of(&entry.path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
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

impl Linked {
    /// From its folder in the books; none for what has none that can be read.
    fn of(books: &Path) -> Option<Self> {
        let name = books.file_name()?.to_str()?.to_owned();
        let link = std::fs::read(books.join("gitdir")).ok()?;
        let link = Path::new(std::ffi::OsStr::from_bytes(link.trim_ascii_end()));
        // Relative ones (Git 2.48) are relative to the books.
        let link = if link.is_absolute() { link.to_owned() } else { tidy(&books.join(link)) };
        let head = std::fs::read_to_string(books.join("HEAD")).unwrap_or_default();
        let locked = std::fs::read(books.join("locked")).ok();
        Some(Self {
            name,
            books: books.to_owned(),
            path: link.parent()?.to_owned(),
            branch: head.trim_end().strip_prefix("ref: ").map(ToOwned::to_owned),
            locked: locked.map(|reason| String::from_utf8_lossy(&reason).trim_end().to_owned()),
        })
    }

    /// The branch's short name, without `refs/heads/`.
    pub fn branch_name(&self) -> Option<&str> {
        self.branch.as_deref().map(|full| full.strip_prefix("refs/heads/").unwrap_or(full))
    }
}

/// Takes `.` and `..` out of a path, as text.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = out.pop(),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
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
        let found = Repository::around(&main).expect("opened").expect("found");
        let [one] = found.linked().expect("listed").try_into().expect("one");
        assert_eq!((&one.path, one.branch_name(), &one.locked), (&linked, Some("side"), &None));
        assert!(Repository::around(dir.path()).expect("looked").is_none());
    }

    #[test]
    fn a_bare_repository_has_worktrees_and_no_main_checkout() {
        let (dir, main) = repository();
        let bare = dir.path().canonicalize().expect("path").join("bare.git");
        git(&main, &["clone", "-q", "--bare", ".", "../bare.git"]);
        git(&bare, &["worktree", "add", "-q", "--detach", "../side"]);
        git(&bare, &["worktree", "lock", "--reason", "mine\nnot yours", "../side"]);
        let found = Repository::around(&bare.with_file_name("side")).expect("opened").expect("found");
        assert_eq!((&found.main, &found.common, found.is_linked), (&None, &bare, true));
        let [one] = found.linked().expect("listed").try_into().expect("one");
        assert_eq!((one.branch, one.locked.as_deref()), (None, Some("mine\nnot yours")));
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
