//! What a repository says about its worktrees: in `.abide/config.toml`, and in Claude Code's own settings, which are
//! honoured so that a team that has them need not write them again.
//!
//! ```toml
//! [worktree]
//! base = "fresh"                       # or "head"
//! symlink_directories = ["node_modules"]
//! sparse_paths = ["packages/web"]
//! setup = "npm ci"                     # run in the new worktree, by sh
//! ```
//!
//! Each key is taken from the first of `.abide/config.toml`, `.claude/settings.local.json` and `.claude/settings.json`
//! that has it. All of it is a repository's word: what would execute something of it, or link to something, waits for
//! the user's trust ([`super::trust`]).

use super::base::Base;
use serde::Deserialize;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of such a file, at most.
const LARGEST: u64 = 1 << 20;

/// The files, by precedence.
pub const FILES: [&str; 3] = [".abide/config.toml", ".claude/settings.local.json", ".claude/settings.json"];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// What worktrees start from.
    pub base: Option<Base>,
    /// Folders to be links.
    pub links: Vec<String>,
    /// Folders to be checked out; empty for all.
    pub sparse: Vec<String>,
    /// A command line for sh; none for nothing to do.
    pub setup: Option<String>,
    /// What cannot be used, and why; for people.
    pub problems: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Abides {
    #[serde(default)]
    worktree: AbidesKeys,
}

#[derive(Deserialize, Default)]
struct AbidesKeys {
    base: Option<String>,
    symlink_directories: Option<Vec<String>>,
    sparse_paths: Option<Vec<String>>,
    setup: Option<String>,
}

#[derive(Deserialize, Default)]
struct Claudes {
    #[serde(default)]
    worktree: ClaudesKeys,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ClaudesKeys {
    base_ref: Option<String>,
    symlink_directories: Option<Vec<String>>,
    sparse_paths: Option<Vec<String>>,
}

impl Declared {
    /// Those of a checkout. A file that cannot be read says so in `problems`, and counts for nothing.
    pub fn of(checkout: &Path) -> Self {
        let mut settings = Self::default();
        for name in FILES {
            let text = match read(&checkout.join(name)) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(e) => {
                    settings.problems.push(format!("{name}: {e}"));
                    continue;
                }
            };
            let keys = if name.ends_with(".toml") {
                toml::from_str::<Abides>(&text).map(|file| file.worktree).map_err(|e| e.to_string())
            } else {
                serde_json::from_str::<Claudes>(&text)
                    .map(|file| file.worktree.into())
                    .map_err(|e| e.to_string())
            };
            match keys {
                Ok(keys) => settings.fill(name, keys),
                Err(e) => settings.problems.push(format!("{name}: {}", e.lines().next().unwrap_or_default())),
            }
        }
        settings
    }

    fn fill(&mut self, name: &str, keys: AbidesKeys) {
        if let (None, Some(base)) = (&self.base, &keys.base) {
            match base.as_str() {
                "fresh" => self.base = Some(Base::Fresh),
                "head" => self.base = Some(Base::Head),
                other => self.problems.push(format!("{name}: base is \"fresh\" or \"head\", not {other:?}")),
            }
        }
        let keep = |mine: &mut Vec<String>, theirs: Option<Vec<String>>| {
            if mine.is_empty() {
                *mine = theirs.unwrap_or_default();
            }
        };
        keep(&mut self.links, keys.symlink_directories);
        keep(&mut self.sparse, keys.sparse_paths);
        self.setup = self.setup.take().or(keys.setup).filter(|line| !line.trim().is_empty());
    }
}

impl From<ClaudesKeys> for AbidesKeys {
    fn from(keys: ClaudesKeys) -> Self {
        let ClaudesKeys { base_ref, symlink_directories, sparse_paths } = keys;
        Self { base: base_ref, symlink_directories, sparse_paths, setup: None }
    }
}

/// A regular file of sane size; none where there is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
        Ok(meta) if !meta.is_file() => return Err(io::Error::other("it is no regular file")),
        Ok(_) => {}
    }
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LARGEST {
        return Err(io::Error::other("it is larger than any settings"));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            std::fs::write(path, text).expect("file");
        }
        dir
    }

    #[test]
    fn each_key_is_the_first_files_that_has_it() {
        let dir = checkout(&[
            (".abide/config.toml", "isolation = 'none'\n[worktree]\nsetup = 'make deps'\nbase = 'head'"),
            (
                ".claude/settings.json",
                r#"{"hooks": {}, "worktree": {"baseRef": "fresh", "symlinkDirectories": ["node_modules"], "sparsePaths": ["a"]}}"#,
            ),
            (".claude/settings.local.json", r#"{"worktree": {"sparsePaths": ["b", "c"]}}"#),
        ]);
        let settings = Declared::of(dir.path());
        assert_eq!(settings.base, Some(Base::Head));
        assert_eq!(
            (settings.setup.as_deref(), settings.links),
            (Some("make deps"), vec!["node_modules".to_owned()])
        );
        assert_eq!((settings.sparse, settings.problems), (vec!["b".to_owned(), "c".to_owned()], Vec::new()));
        assert_eq!(Declared::of(Path::new("/nonexistent")), Declared::default());
    }

    #[test]
    fn what_cannot_be_read_is_said_and_counts_for_nothing() {
        let dir = checkout(&[
            (".abide/config.toml", "[worktree]\nbase = 'yesterday'"),
            (".claude/settings.local.json", "{"),
            (".claude/settings.json/x", ""),
        ]);
        let settings = Declared::of(dir.path());
        assert_eq!(settings.base, None);
        let said = settings.problems.join("\n");
        assert_eq!(settings.problems.len(), 3, "{said}");
        assert!(said.contains("\"yesterday\"") && said.contains("no regular file"), "{said}");
    }
}
