//! Files that survive a crash, and files that cannot be used.

use crate::sys::dirs::create_private_file;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Something about the records failed on disk.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}: {source}", path = .path.display())]
pub struct RosterError {
    /// What was tried.
    pub doing: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Gives an error its place.
pub(super) fn at<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, RosterError> {
    result.map_err(|source| RosterError { doing, path: path.into(), source })
}

/// A record's file is never larger, by far; a larger one is not read.
pub(super) const LARGEST_RECORD: u64 = 4 << 20;

/// Writes a whole file so that after any crash either the old or the new content is there: a new file beside it,
/// synced, renamed over it, and the folder synced.
pub(super) fn write_durably(path: &Path, content: &[u8]) -> Result<(), RosterError> {
    let (folder, new) = beside(path);
    match std::fs::remove_file(&new) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return at("cannot remove the left-over", &new, Err(e)),
    }
    let written = create_private_file(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(e) = written {
        // It only takes up room that is missing, as the next attempt removes it anyway.
        let _ = std::fs::remove_file(&new);
        return at("cannot write", &new, Err(e));
    }
    at("cannot replace", path, std::fs::rename(&new, path))?;
    sync_folder(folder)
}

fn beside(path: &Path) -> (&Path, PathBuf) {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (folder, folder.join(format!(".{name}.new")))
}

/// Makes what was created, renamed or removed in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), RosterError> {
    at("cannot sync", folder, File::open(folder).and_then(|dir| dir.sync_all()))
}

/// Renames a file that cannot be used to the next free `<name>.unreadable-<n>`, so that it is neither read again nor
/// overwritten. Returns what it is called now.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, RosterError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1u32..).map(|n| path.with_file_name(format!("{name}.unreadable-{n}"))).find(|aside| {
        // Only we write in this folder, so that nobody takes the name in between.
        std::fs::symlink_metadata(aside).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
    });
    let aside = free.unwrap_or_else(|| path.with_file_name(format!("{name}.unreadable")));
    at("cannot set aside", path, std::fs::rename(path, &aside))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_durable_write_replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("state.json");
        std::fs::write(dir.path().join(".state.json.new"), "left over by a crash").expect("write");
        write_durably(&path, b"one").expect("first");
        write_durably(&path, b"two").expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("stat").permissions().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_content() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("state.json");
        write_durably(&path, b"old").expect("first");
        // A folder in place of the new file cannot be written, like a full disk.
        let blocker = dir.path().join(".state.json.new");
        std::fs::create_dir(&blocker).expect("block");
        let error = write_durably(&path, b"new").expect_err("blocked");
        assert!(error.to_string().contains(".state.json.new"), "{error}");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
    }

    #[test]
    fn nothing_that_was_set_aside_is_overwritten() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("roster.json");
        for n in 1..=3 {
            std::fs::write(&path, format!("garbage {n}")).expect("write");
            let aside = set_aside(&path).expect("aside");
            assert_eq!(aside, dir.path().join(format!("roster.json.unreadable-{n}")));
        }
        assert_eq!(
            std::fs::read_to_string(dir.path().join("roster.json.unreadable-1")).expect("read"),
            "garbage 1"
        );
    }
}
