//! What must be on the disk before anything is taken away.

use git2::Oid;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Up to so many objects are flushed one by one; with more of them the whole file system is, which costs once what the
/// disk is behind with, and not once for each.
#[cfg(target_os = "linux")]
const ONE_BY_ONE: usize = 64;

/// Writes a whole file so that after any crash either the old or the new content is there.
///
/// # Errors
/// It cannot be written; the old content stands.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    gone(std::fs::remove_file(&new))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    sync(folder)
}

/// Removes a file for good; one that is gone already is as well.
///
/// # Errors
/// It is still there, or may come back.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    gone(std::fs::remove_file(path))?;
    path.parent().map_or(Ok(()), sync)
}

/// Flushes a file, or what was created, renamed or removed in a folder.
///
/// # Errors
/// It cannot be opened, or the disk refuses.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Flushes all that was written to the file system of a folder.
///
/// # Errors
/// As [`sync`].
pub(super) fn sync_all(folder: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::unistd::syncfs(File::open(folder)?)?;
    #[cfg(not(target_os = "linux"))]
    {
        nix::unistd::sync();
        sync(folder)?;
    }
    Ok(())
}

/// As [`sync`], for every folder on the way down from `top`, too.
///
/// # Errors
/// As [`sync`].
pub(super) fn sync_below(top: &Path, path: &Path) -> io::Result<()> {
    sync(path)?;
    let mut at = path;
    while at != top {
        let Some(parent) = at.parent() else { break };
        sync(parent)?;
        at = parent;
    }
    Ok(())
}

/// Flushes objects of a repository, as far as each is a file of its own: whoever packs them flushes the pack.
///
/// # Errors
/// As [`sync`].
pub(super) fn sync_objects(objects: &Path, ids: &[Oid]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if ids.len() > ONE_BY_ONE {
        return Ok(nix::unistd::syncfs(File::open(objects)?)?);
    }
    let mut folders = std::collections::BTreeSet::new();
    for id in ids {
        let hex = id.to_string();
        let folder = objects.join(&hex[..2]);
        match sync(&folder.join(&hex[2..])) {
            Ok(()) => _ = folders.insert(folder),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    folders.iter().try_for_each(|folder| sync(folder))?;
    sync(objects)
}

/// Nothing to remove is as good as removed.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_removed_for_good() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("note");
        std::fs::write(dir.path().join(".note.new"), "left over").expect("left over");
        write(&path, b"one").expect("first");
        write(&path, b"two").expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
        remove(&path).expect("removed");
        remove(&path).expect("again");
        assert!(!path.exists());
    }

    #[test]
    fn objects_are_flushed_wherever_they_are() {
        let dir = tempfile::tempdir().expect("folder");
        let git = git2::Repository::init_bare(dir.path()).expect("repository");
        let blob = |n: usize| git.blob(n.to_string().as_bytes()).expect("blob");
        let objects = dir.path().join("objects");
        let many: Vec<Oid> = (0..100).map(blob).collect();
        sync_objects(&objects, &many).expect("many");
        sync_objects(&objects, &many[..3]).expect("few");
        sync_objects(&objects, &[Oid::ZERO_SHA1]).expect("one that is in a pack");
        sync_below(dir.path(), &objects.join("info")).expect("folders");
    }
}
