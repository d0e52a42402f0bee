//! What is known of a kept worktree beside its files: `abide.json` in its commit.

use crate::core::text::Text;
use serde::{Deserialize, Serialize};

/// The version of the form that this build writes. A higher one is refused, and stays.
pub const VERSION: u32 = 1;

/// See the module. Paths are below the worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// See [`VERSION`].
    pub version: u32,
    /// When it was kept: wall clock, ms since the epoch.
    pub at_ms: u64,
    /// Where it was.
    pub path: Text,
    /// Git's name for it.
    pub name: Text,
    /// Its branch, by its whole name; none where its head was detached.
    #[serde(default)]
    pub branch: Option<Branch>,
    /// Its commit; none on a branch that had none.
    #[serde(default)]
    pub head: Option<String>,
    /// The commit whose tree is its index.
    pub index: String,
    /// The commit whose tree is its files.
    pub work: String,
    /// It had files; what was removed by hand has only its books.
    pub present: bool,
    /// What was in it, for people.
    #[serde(default)]
    pub contents: Vec<String>,
    /// Permissions of most of its files, programs and folders.
    #[serde(default)]
    pub modes: Modes,
    /// What is more to say of some files than their tree does.
    #[serde(default)]
    pub files: Vec<File>,
    /// Folders that are empty, or have other permissions than most.
    #[serde(default)]
    pub folders: Vec<Place>,
    /// Named pipes.
    #[serde(default)]
    pub pipes: Vec<Place>,
    /// Large files of LFS, whose content is in the repository's store.
    #[serde(default)]
    pub stored: Vec<Stored>,
    /// Files of its books, of which git compares the times.
    #[serde(default)]
    pub books: Vec<File>,
}

/// See [`Meta::modes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// Of a file that cannot be executed.
    pub file: u32,
    /// Of one that can.
    pub program: u32,
    /// Of a folder.
    pub folder: u32,
}

impl Default for Modes {
    fn default() -> Self {
        Self { file: 0o644, program: 0o755, folder: 0o755 }
    }
}

/// Its branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// `refs/heads/…`
    pub name: Text,
    /// Entries of the configuration about it, without `branch.NAME.`.
    #[serde(default)]
    pub config: Vec<(String, String)>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Which.
    pub path: Text,
    /// Permissions; none where they are those of most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Seconds and nanoseconds since the epoch; none where that says nothing about its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<(i64, u32)>,
}

/// What has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which.
    pub path: Text,
    /// Permissions.
    pub mode: u32,
}

/// See [`Meta::stored`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Which.
    pub path: Text,
    /// SHA-256 of the content, in hex.
    pub oid: String,
    /// Bytes.
    pub size: u64,
}
