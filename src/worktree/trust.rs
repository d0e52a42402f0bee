//! Which repositories the user trusts: nothing that a repository brings is executed, and no folder is linked at its
//! word, before that; and a change of what could be executed asks again.
//!
//! Kept in one file of abide's own, never in a repository: the repository's common git folder, and a digest of what it
//! would have executed. What a repository is worth is judged by its user, who has read that.

use super::declared::FILES;
use super::repository::{Repository, RepositoryError, io_at};
use crate::sys::dirs::{Lock, create_private_file};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another one who changes the file is waited for.
const LOCK_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a hook that are looked at; a larger one is never trusted.
const LARGEST: u64 = 8 << 20;

/// The user's decisions.
#[derive(Debug)]
pub struct Trusted {
    path: PathBuf,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u32,
    #[serde(default)]
    repositories: BTreeMap<String, Decision>,
    #[serde(flatten)]
    extra: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    digest: String,
    /// Wall clock, ms since the epoch.
    at_ms: u64,
}

/// What is known of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As the user saw it.
    Trusted,
    /// What it would have executed has changed since.
    Changed,
    /// Nobody decided.
    Unknown,
}

impl Trusted {
    /// In abide's folder of states.
    pub fn below(state: &Path) -> Self {
        Self { path: state.join("trust.json") }
    }

    /// Whether this repository is trusted as it is now. A file that cannot be read trusts nobody.
    ///
    /// # Errors
    /// What the repository would have executed cannot be read.
    pub fn standing(&self, repository: &Repository) -> Result<Standing, RepositoryError> {
        let known = self.read().unwrap_or_default().repositories.remove(&key(repository));
        Ok(match known {
            None => Standing::Unknown,
            Some(decision) if decision.digest == digest(repository)? => Standing::Trusted,
            Some(_) => Standing::Changed,
        })
    }

    /// Trusts a repository as it is now, or no longer.
    ///
    /// # Errors
    /// What it would have executed cannot be read, or the decision cannot be written.
    pub fn decide(&self, repository: &Repository, trusted: bool, now_ms: u64) -> Result<(), RepositoryError> {
        let digest = digest(repository)?;
        let lock = self.path.with_extension("lock");
        let Some(_lock) = io_at("cannot lock", &lock, Lock::acquire(&lock, LOCK_WITHIN))? else {
            return Err(RepositoryError::Busy(self.path.clone()));
        };
        let mut file = io_at("cannot read", &self.path, self.read())?;
        file.version = file.version.max(1);
        if trusted {
            file.repositories.insert(key(repository), Decision { digest, at_ms: now_ms });
        } else {
            file.repositories.remove(&key(repository));
        }
        io_at("cannot write", &self.path, self.write(&file))
    }

    fn read(&self) -> io::Result<File> {
        match std::fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(File::default()),
            Err(e) => Err(e),
        }
    }

    fn write(&self, file: &File) -> io::Result<()> {
        let new = self.path.with_extension("new");
        match std::fs::remove_file(&new) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut out = create_private_file(&new)?;
        out.write_all(&serde_json::to_vec_pretty(file).map_err(io::Error::other)?)?;
        out.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

fn key(repository: &Repository) -> String {
    repository.common.to_string_lossy().into_owned()
}

/// Over what a repository brings that could be executed: settings, and hooks that are part of its checkout.
fn digest(repository: &Repository) -> Result<String, RepositoryError> {
    let root = repository.main.as_deref().or(repository.here.as_deref()).unwrap_or(&repository.common);
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    if let Some(hooks) = hooks_folder(repository) {
        let folder = root.join(&hooks);
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let entry = io_at("cannot list", &folder, entry)?;
            files.push(hooks.join(entry.file_name()));
        }
    }
    files.sort();
    let mut sum = Sha256::new();
    for name in files {
        let path = root.join(&name);
        let content = match open(&path) {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(e) => return io_at("cannot read", &path, Err(e)),
        };
        let name = name.as_os_str().as_bytes();
        for part in [name, content.as_slice()] {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        }
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The folder of hooks, where it is a part of the checkout (`core.hooksPath = .husky`).
pub fn hooks_folder(repository: &Repository) -> Option<PathBuf> {
    let config = repository.git.config().ok()?;
    let path = config.get_path("core.hooksPath").ok()?;
    path.is_relative().then_some(path)
}

/// The content of a regular file; none for a folder, and for nothing.
fn open(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
        Ok(meta) if meta.is_dir() => return Ok(None),
        Ok(meta) if !meta.is_file() => return Err(io::Error::other("it is no regular file")),
        Ok(meta) if meta.len() > LARGEST => return Err(io::Error::other("it is too large to be judged")),
        Ok(_) => {}
    }
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(LARGEST).read_to_end(&mut content)?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::super::git::{Git, Trust};
    use super::*;

    #[test]
    fn a_change_of_what_could_be_executed_asks_again() {
        let (dir, state) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        let git = |args: &[&str]| {
            Git::within(dir.path(), Trust::Untrusted).args(args.iter().copied()).run().expect("git");
        };
        git(&["init", "-q"]);
        git(&["config", "core.hooksPath", ".husky"]);
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            std::fs::write(path, text).expect("file");
        };
        let trusted = Trusted::below(state.path());
        let found = || Repository::around(dir.path()).expect("opened").expect("found");
        let standing = || trusted.standing(&found()).expect("read");
        assert_eq!(standing(), Standing::Unknown);
        for (name, text) in [
            ("source.rs", ""),
            (".abide/config.toml", "[worktree]\nsetup = 'true'"),
            (".abide/config.toml", "[worktree]\nsetup = 'false'"),
            (".claude/settings.json", "{}"),
            (".husky/post-checkout", "exit 0"),
            (".husky/pre-commit", "exit 0"),
            (".husky/pre-commit", "exit 1"),
        ] {
            trusted.decide(&found(), true, 7).expect("trusted");
            assert_eq!(standing(), Standing::Trusted, "{name}");
            write(name, text);
            let expected = if name == "source.rs" { Standing::Trusted } else { Standing::Changed };
            assert_eq!(standing(), expected, "{name}: {text}");
        }
        trusted.decide(&found(), false, 8).expect("no longer");
        assert_eq!(standing(), Standing::Unknown);
    }

    #[test]
    fn a_file_of_decisions_that_cannot_be_read_trusts_nobody_and_is_not_overwritten() {
        let (dir, state) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        Git::within(dir.path(), Trust::Untrusted).args(["init", "-q"]).run().expect("init");
        let found = Repository::around(dir.path()).expect("opened").expect("found");
        let trusted = Trusted::below(state.path());
        std::fs::write(state.path().join("trust.json"), "garbage").expect("file");
        assert_eq!(trusted.standing(&found).expect("read"), Standing::Unknown);
        trusted.decide(&found, true, 7).expect_err("it would be lost");
        assert_eq!(std::fs::read_to_string(state.path().join("trust.json")).expect("read"), "garbage");
    }
}
