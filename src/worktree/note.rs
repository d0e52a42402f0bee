//! What abide notes about a worktree that it made: beside git's own books of it, so that it goes with them.

use super::linked::read_small;
use super::repository::{RepositoryError, io_at};
use crate::core::slug::Slug;
use crate::sys::dirs::create_private_file;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The note's file in a worktree's books.
const NAME: &str = "abide.json";
/// Format version of this build.
const VERSION: u32 = 1;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Note {
    /// Format version.
    pub version: u32,
    /// Its name, as it was given or made up.
    pub slug: String,
    /// Somebody gave it that name.
    pub named: bool,
    /// It was made for a while: swept when it is old.
    pub ephemeral: bool,
    /// The commit that it was started from.
    pub base: String,
    /// Where that commit came from; for people.
    pub from: String,
    /// Wall clock, ms since the epoch.
    pub created_ms: u64,
    /// Keys of other versions, written back as they were.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Note {
    /// A new one.
    pub fn new(
        slug: &Slug,
        named: bool,
        ephemeral: bool,
        base: git2::Oid,
        from: &str,
        created_ms: u64,
    ) -> Self {
        Self {
            version: VERSION,
            slug: slug.to_string(),
            named,
            ephemeral,
            base: base.to_string(),
            from: from.to_owned(),
            created_ms,
            extra: serde_json::Map::new(),
        }
    }

    /// That of the worktree with these books; none where abide did not make it, or where it cannot be read: then nobody
    /// may take it for one that is to go by itself.
    pub fn of(books: &Path) -> Option<Self> {
        serde_json::from_slice(&read_small(&books.join(NAME)).ok()?).ok()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, books: &Path) -> Result<(), RepositoryError> {
        let (path, new) = (books.join(NAME), books.join("abide.json.new"));
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other);
        let written =
            text.and_then(|text| write_new(&new, &text)).and_then(|()| std::fs::rename(&new, &path));
        io_at("cannot write", &path, written)
    }
}

fn write_new(path: &PathBuf, text: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut file = create_private_file(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_keeps_what_others_added() {
        let dir = tempfile::tempdir().expect("folder");
        let slug = Slug::parse("fix/net").expect("a slug");
        let mut note = Note::new(&slug, true, false, git2::Oid::ZERO_SHA1, "origin/main", 7);
        note.extra.insert("later".into(), "x".into());
        assert_eq!(Note::of(dir.path()), None);
        note.write(dir.path()).expect("written");
        note.write(dir.path()).expect("again");
        assert_eq!(Note::of(dir.path()), Some(note));
        std::fs::write(dir.path().join(NAME), "{").expect("half");
        assert_eq!(Note::of(dir.path()), None);
    }
}
