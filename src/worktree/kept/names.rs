//! Which kept worktrees there are.

use super::REFS;
use super::meta::{Meta, VERSION};
use crate::worktree::git::move_ref;
use crate::worktree::repository::{Repository, RepositoryError, git_at, io_at};
use git2::Oid;
use std::io;

/// A worktree that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Eight hex digits.
    pub id: String,
    /// The commit that holds all of it.
    pub commit: Oid,
    /// See [`Meta`].
    pub meta: Meta,
}

/// One of the list, which may have become unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it is, or why that cannot be read.
    pub kept: Result<Kept, String>,
}

/// Why a kept worktree is not found.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// There is none of this id or name.
    #[error("nothing that was removed here is called {0:?}")]
    None(String),
    /// There are several.
    #[error("{asked:?} may be any of {}", .ids.join(", "))]
    Several {
        /// What was asked for.
        asked: String,
        /// These.
        ids: Vec<String>,
    },
    /// It cannot be read.
    #[error("{id} cannot be read: {why}")]
    Unreadable {
        /// Its id.
        id: String,
        /// Why.
        why: String,
    },
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl Kept {
    /// All of a repository, the latest first.
    ///
    /// # Errors
    /// The repository's refs cannot be read.
    pub fn all(repository: &Repository) -> Result<Vec<Listed>, RepositoryError> {
        let git = &repository.git;
        let refs = git_at("cannot list", &repository.common, git.references_glob(&format!("{REFS}*")))?;
        let mut all = Vec::new();
        for reference in refs {
            let reference = git_at("cannot list", &repository.common, reference)?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            let id = name.strip_prefix(REFS).unwrap_or(&name).to_owned();
            let kept = reference
                .target()
                .ok_or_else(|| "it is no commit".to_owned())
                .and_then(|commit| Ok(Self { id: id.clone(), commit, meta: read_meta(git, commit)? }));
            all.push(Listed { id, kept });
        }
        let at = |listed: &Listed| listed.kept.as_ref().map_or(0, |kept| kept.meta.at_ms);
        all.sort_by(|a, b| at(b).cmp(&at(a)).then(a.id.cmp(&b.id)));
        Ok(all)
    }

    /// The one with this id or a start of it, or the last one of a worktree with this name.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn find(repository: &Repository, asked: &str) -> Result<Self, KeptError> {
        let all = Self::all(repository)?;
        let mut by_id: Vec<&Listed> =
            all.iter().filter(|l| !asked.is_empty() && l.id.starts_with(asked)).collect();
        if let Some(whole) = by_id.iter().position(|l| l.id == asked) {
            by_id = vec![by_id[whole]];
        }
        let found = match by_id[..] {
            [] => all.iter().find(|l| l.kept.as_ref().is_ok_and(|kept| kept.meta.is_called(asked))),
            [one] => Some(one),
            _ => {
                let ids = by_id.iter().map(|l| l.id.clone()).collect();
                return Err(KeptError::Several { asked: asked.into(), ids });
            }
        };
        let found = found.ok_or_else(|| KeptError::None(asked.into()))?;
        found.kept.clone().map_err(|why| KeptError::Unreadable { id: found.id.clone(), why })
    }

    /// Gives up what was kept under this id, if that still is this commit. Git collects it some time after.
    ///
    /// # Errors
    /// The ref cannot be removed.
    pub fn forget(repository: &Repository, id: &str, commit: Oid) -> Result<(), RepositoryError> {
        let name = format!("{REFS}{id}");
        match repository.git.find_reference(&name) {
            Ok(reference) if reference.target() == Some(commit) => {
                let gone = move_ref(&repository.common, &name, commit, Oid::ZERO_SHA1, "");
                // A git that a kill of ours outlived may have come first.
                let is_gone = || {
                    let found = repository.git.find_reference(&name);
                    found.is_err_and(|e| e.code() == git2::ErrorCode::NotFound)
                };
                match gone {
                    Err(_) if is_gone() => Ok(()),
                    gone => {
                        let gone = gone.map_err(io::Error::other);
                        io_at("cannot give up what was kept in", &repository.common, gone)
                    }
                }
            }
            Ok(_) => Ok(()),
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(()),
            Err(e) => git_at("cannot read", &repository.common, Err(e)),
        }
    }
}

impl Meta {
    fn is_called(&self, name: &str) -> bool {
        let folder = self.path.0.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let flat = name.replace('/', "+");
        self.name.0 == name.as_bytes() || folder == name.as_bytes() || folder == flat.as_bytes()
    }
}

fn read_meta(git: &git2::Repository, commit: Oid) -> Result<Meta, String> {
    let read = || {
        let entry = git.find_commit(commit)?.tree()?.get_name("abide.json").map(|e| e.id());
        let id = entry.ok_or_else(|| git2::Error::from_str("it has no abide.json"))?;
        git.find_blob(id)
    };
    let blob = read().map_err(|e| e.message().to_owned())?;
    let value: serde_json::Value = serde_json::from_slice(blob.content()).map_err(|e| e.to_string())?;
    let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if version > u64::from(VERSION) {
        return Err(format!("a later version of abide kept it (form {version}, this one knows {VERSION})"));
    }
    serde_json::from_value(value).map_err(|e| e.to_string())
}
