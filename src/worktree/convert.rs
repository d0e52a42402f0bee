//! Files whose bytes are others than those that git stores for them: line ends, encodings, filters, LFS among them.
//!
//! Git sees no change in such a file, and a copy of what git stores would not be the user's file. So its size is compared
//! with the stored one where any conversion may be in use, and its bytes where a filter is.

use super::repository::Repository;
use super::status::{self, Entry};
use super::survey::SurveyError;
use crate::paths::Surroundings;
use git2::{Odb, Oid};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A pointer is smaller, by the specification of LFS.
const POINTER: usize = 1024;

/// Which files may be converted.
pub(super) struct Conversions {
    /// Any may.
    any: bool,
    /// Those that have a filter, or another encoding.
    filtered: BTreeSet<Vec<u8>>,
}

/// What LFS stores in place of a large file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    /// SHA-256 of the content, in hex.
    pub(super) oid: String,
    /// Bytes.
    pub(super) size: u64,
}

impl Conversions {
    /// Asks git about the files of an index.
    pub(super) fn of(
        repository: &Repository,
        place: &Path,
        books: &Path,
        index: &[Entry],
    ) -> Result<Self, SurveyError> {
        let config = repository.git.config()?.snapshot()?;
        let set =
            |name: &str| config.get_string(name).is_ok_and(|value| !value.is_empty() && value != "false");
        let is_attributes =
            |entry: &Entry| entry.path == b".gitattributes" || entry.path.ends_with(b"/.gitattributes");
        let elsewhere = [repository.common.join("info/attributes"), PathBuf::from("/etc/gitattributes")];
        // The user's own file of attributes has a usual place, and a setting.
        let users = config.get_path("core.attributesFile").ok().into_iter().chain(user_attributes());
        let attributes =
            index.iter().any(is_attributes) || elsewhere.into_iter().chain(users).any(|file| file.exists());
        let any = attributes || set("core.autocrlf") || set("core.eol");
        let filtered = if attributes { status::filtered(place, books, index)? } else { BTreeSet::new() };
        Ok(Self { any, filtered })
    }

    /// Whether there may be any at all.
    pub(super) fn may_be(&self) -> bool {
        self.any
    }

    /// Whether a filter or another encoding is in use for it: then the size says nothing.
    pub(super) fn is_filtered(&self, path: &[u8]) -> bool {
        self.filtered.contains(path)
    }
}

fn user_attributes() -> Option<PathBuf> {
    let from = Surroundings::of_this_process();
    let config = from.config_home.as_ref().map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = config.or_else(|| Some(from.home_folder()?.join(".config")))?;
    Some(config.join("git/attributes"))
}

impl Pointer {
    /// Of what is stored for a file, if that is one.
    pub(super) fn of(odb: &Odb<'_>, id: Oid) -> Option<Self> {
        let size = odb.read_header(id).ok()?.0;
        if size >= POINTER {
            return None;
        }
        let object = odb.read(id).ok()?;
        Self::parse(std::str::from_utf8(object.data()).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|line| line.starts_with("version https://git-lfs.github.com/spec/"))?;
        let value = |name: &str| lines.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let oid = value("oid")?.strip_prefix("sha256:")?.to_owned();
        let size = value("size")?.parse().ok()?;
        Some(Self { oid, size }).filter(Self::is_sane)
    }

    /// Whether its name is one.
    pub(super) fn is_sane(&self) -> bool {
        self.oid.len() == 64 && self.oid.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// Where the repository keeps the content.
    pub(super) fn store(&self, common: &Path) -> PathBuf {
        common.join("lfs/objects").join(&self.oid[..2]).join(&self.oid[2..4]).join(&self.oid)
    }

    /// Whether it has it.
    pub(super) fn is_stored(&self, common: &Path) -> bool {
        std::fs::metadata(self.store(common)).is_ok_and(|meta| meta.is_file() && meta.len() == self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_known_by_its_lines() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        assert_eq!(Pointer::parse(&text), Some(Pointer { oid: oid.into(), size: 12345 }));
        for bad in [
            text.replace("version", "edition"),
            text.replace(oid, "../../../etc/passwd"),
            text.replace("12345", "-1"),
            text.replace("size", "bytes"),
            String::new(),
        ] {
            assert_eq!(Pointer::parse(&bad), None, "{bad}");
        }
    }
}
