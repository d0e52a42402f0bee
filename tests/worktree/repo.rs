//! A repository of a test's own, with worktrees, and what is in these.

use crate::support::run;
use abide::core::worktree::Contents;
use abide::worktree::contents::{self, Session};
use abide::worktree::kept::Kept;
use abide::worktree::linked::Worktree;
use abide::worktree::remove::{How, RemoveError, Removed, remove};
use abide::worktree::repository::Repository;
use abide::worktree::restore::{RestoreError, Restored, undelete};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is precious in tests.
pub(super) fn precious() -> Vec<String> {
    vec![".env".into(), "*.local".into()]
}

/// See the module.
pub(super) struct Repo {
    dir: tempfile::TempDir,
    /// Its main checkout.
    pub(super) main: PathBuf,
}

/// A file as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

impl Repo {
    /// With a first commit: `a`, `dir/b`, `program`, `.gitignore` for `*.o`, `build/`, `.env` and `*.local`.
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = tempfile::Builder::new().prefix("abide-w-").tempdir_in(folder).expect("folder");
        let main = dir.path().canonicalize().expect("path").join("main");
        std::fs::create_dir(&main).expect("main");
        let repo = Self { dir, main };
        let main = repo.main.clone();
        repo.git(&main, &["init", "-q", "-b", "main"]);
        for (name, text) in [
            ("a", "one\ntwo\nthree\n"),
            ("dir/b", "b\n"),
            ("program", "#!/bin/sh\n"),
            (".gitignore", "*.o\nbuild/\n.env\n*.local\n"),
        ] {
            repo.write(&main, name, text);
        }
        chmod(&main.join("program"), 0o755);
        repo.commit(&main, "first");
        std::fs::write(main.join(".git/info/exclude"), ".abide/\n").expect("exclude");
        repo
    }

    /// The folder around it.
    pub(super) fn around(&self) -> PathBuf {
        self.dir.path().canonicalize().expect("path")
    }

    /// `git -C FOLDER ARGS`, without anybody's configuration.
    pub(super) fn command<S: AsRef<OsStr>>(&self, folder: &Path, args: &[S]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@b");
        }
        command.arg("-C").arg(folder).args(["-c", "protocol.file.allow=always"]).args(args);
        command
    }

    /// As [`Repo::command`], to its end; what it printed.
    #[track_caller]
    pub(super) fn git<S: AsRef<OsStr>>(&self, folder: &Path, args: &[S]) -> String {
        run(&mut self.command(folder, args)).ok().to_owned()
    }

    /// As [`Repo::git`], however it ends.
    pub(super) fn try_git<S: AsRef<OsStr>>(&self, folder: &Path, args: &[S]) -> bool {
        run(&mut self.command(folder, args)).status.success()
    }

    /// Writes a file, and the folders that it is in.
    pub(super) fn write(&self, folder: &Path, name: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Commits all there is.
    #[track_caller]
    pub(super) fn commit(&self, folder: &Path, message: &str) -> String {
        self.git(folder, &["add", "-A"]);
        self.git(folder, &["commit", "-q", "-m", message]);
        self.git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A worktree as abide makes one: its place and branch.
    #[track_caller]
    pub(super) fn add(&self, name: &str) -> PathBuf {
        let path = self.main.join(".abide/worktrees").join(name);
        let text = path.to_str().expect("UTF-8");
        self.git(&self.main, &["worktree", "add", "-q", "-b", &format!("worktree-{name}"), text]);
        path
    }

    /// As abide opens it.
    pub(super) fn repository(&self) -> Repository {
        Repository::around(&self.main).expect("opened").expect("a repository")
    }

    /// The worktree at a place.
    #[track_caller]
    pub(super) fn worktree(&self, path: &Path) -> Worktree {
        let all = Worktree::all(&self.repository()).expect("worktrees");
        let found = all.iter().find(|worktree| worktree.path == path);
        found.unwrap_or_else(|| panic!("{} is none of {all:?}", path.display())).clone()
    }

    /// What is in the worktree at a place.
    #[track_caller]
    pub(super) fn look(&self, path: &Path) -> Contents {
        contents::look(&self.repository(), &self.worktree(path), &precious(), &[])
    }

    /// Removes the worktree at a place; `discard`: the loss is named.
    pub(super) fn remove(&self, path: &Path, discard: bool) -> Result<Removed, RemoveError> {
        self.remove_among(path, discard, &[])
    }

    /// As [`Repo::remove`], with these sessions around.
    pub(super) fn remove_among(
        &self,
        path: &Path,
        discard: bool,
        sessions: &[Session],
    ) -> Result<Removed, RemoveError> {
        remove(&self.repository(), &self.worktree(path), &How { discard, precious: &precious(), sessions })
    }

    /// Brings back what was removed.
    pub(super) fn undelete(&self, id: &str, to: Option<&Path>) -> Result<Restored, RestoreError> {
        let repository = self.repository();
        let kept = Kept::find(&repository, id).unwrap_or_else(|e| panic!("{id}: {e}"));
        undelete(&repository, &kept, to)
    }

    /// Ids of what is kept.
    pub(super) fn kept(&self) -> Vec<String> {
        let all = Kept::all(&self.repository()).expect("list");
        all.into_iter()
            .map(|listed| listed.kept.unwrap_or_else(|e| panic!("{}: {e}", listed.id)).id)
            .collect()
    }

    /// What no run of abide leaves behind.
    #[track_caller]
    pub(super) fn is_tidy(&self) {
        let common = self.main.join(".git");
        for folder in ["abide/journal", "abide/books"] {
            let left = std::fs::read_dir(common.join(folder)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{folder}");
        }
        let beside = std::fs::read_dir(self.main.join(".abide/worktrees"));
        let names = beside.into_iter().flatten().map(|e| e.expect("entry").file_name().into_string());
        let left: Vec<_> = names.flatten().filter(|name| name.starts_with(".abide-")).collect();
        assert_eq!(left, Vec::<String>::new());
        self.git(&self.main, &["fsck", "--no-dangling", "--strict"]);
    }
}

/// Sets permissions.
pub(super) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Everything in a folder, without its own `.git`.
pub(super) fn seen(root: &Path) -> BTreeMap<PathBuf, Seen> {
    fn walk(root: &Path, folder: &Path, into: &mut BTreeMap<PathBuf, Seen>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("entry").path();
            let meta = path.symlink_metadata().expect("metadata");
            let below = path.strip_prefix(root).expect("below").to_owned();
            if below == Path::new(".git") {
                continue;
            }
            let (kind, bytes) = if meta.is_dir() {
                ("folder", Vec::new())
            } else if meta.is_symlink() {
                ("link", std::fs::read_link(&path).expect("link").into_os_string().into_encoded_bytes())
            } else if meta.file_type().is_fifo() {
                ("pipe", Vec::new())
            } else {
                ("file", std::fs::read(&path).expect("file"))
            };
            let mode = if kind == "link" { 0 } else { meta.permissions().mode() & 0o7777 };
            into.insert(below, Seen { kind, bytes, mode });
            if meta.is_dir() {
                walk(root, &path, into);
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

/// When a file was changed.
pub(super) fn modified(path: &Path) -> (i64, i64) {
    let meta = path.symlink_metadata().expect("metadata");
    (meta.mtime(), meta.mtime_nsec())
}
