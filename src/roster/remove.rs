//! Removing a session's folder, so that a kill anywhere leaves it either whole or under removal, and nothing outside
//! of it is ever touched.

use super::file::{RosterError, at, sync_folder};
use crate::core::id::SessionId;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a folder under removal is called.
const PREFIX: &str = ".removing-";

/// What the folder of a session under removal is called.
pub(super) fn removing(jobs: &Path, id: &str) -> PathBuf {
    jobs.join(format!("{PREFIX}{id}"))
}

/// Whether this is the name of a folder under removal.
pub(super) fn is_removing(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|id| id.parse::<SessionId>().is_ok())
}

/// Removes the session's folder. Done at the return of `Ok`, and decided for ever once the rename has happened.
pub(super) fn remove_job(jobs: &Path, id: SessionId) -> Result<(), RosterError> {
    let (folder, doomed) = (jobs.join(id.to_string()), removing(jobs, &id.to_string()));
    // One of the same name that was not finished: a rename onto it would fail.
    finish(&doomed)?;
    match std::fs::rename(&folder, &doomed) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return at("cannot remove", &folder, Err(e)),
    }
    sync_folder(jobs)?;
    finish(&doomed)
}

/// Deletes what is under removal. Symbolic links are deleted, never followed.
pub(super) fn finish(doomed: &Path) -> Result<(), RosterError> {
    let gone = |result: io::Result<()>| match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    let meta = match std::fs::symlink_metadata(doomed) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return at("cannot examine", doomed, Err(e)),
    };
    if !meta.is_dir() {
        return at("cannot delete", doomed, gone(std::fs::remove_file(doomed)));
    }
    let removed = gone(std::fs::remove_dir_all(doomed)).or_else(|_| {
        // Read-only folders (as some package caches are made) keep what is in them.
        open_up(doomed)?;
        gone(std::fs::remove_dir_all(doomed))
    });
    at("cannot delete", doomed, removed)
}

/// Lets us delete what is in the folders below. Links are left alone: what is no real folder is not looked into.
fn open_up(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn jobs() -> (tempfile::TempDir, PathBuf, SessionId) {
        let dir = tempfile::tempdir().expect("folder");
        let jobs = dir.path().join("jobs");
        let id = SessionId::from_bits(0x7c5d_cf5d);
        std::fs::create_dir_all(jobs.join("7c5dcf5d/tmp/deep")).expect("job");
        std::fs::write(jobs.join("7c5dcf5d/state.json"), "x").expect("file");
        (dir, jobs, id)
    }

    #[test]
    fn nothing_stays_and_nothing_else_goes() {
        let (dir, jobs, id) = jobs();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).expect("outside");
        std::fs::write(outside.join("precious"), "x").expect("precious");
        symlink(&outside, jobs.join("7c5dcf5d/link")).expect("link");
        symlink("/", jobs.join("7c5dcf5d/tmp/deep/root")).expect("link");
        remove_job(&jobs, id).expect("removed");
        assert_eq!(std::fs::read_dir(&jobs).expect("list").count(), 0);
        assert!(outside.join("precious").exists());
        remove_job(&jobs, id).expect("again: nothing is left to do");
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_deleted_itself() {
        let (dir, jobs, id) = jobs();
        let outside = dir.path().join("outside");
        std::fs::rename(jobs.join("7c5dcf5d"), &outside).expect("away");
        symlink(&outside, jobs.join("7c5dcf5d")).expect("link");
        remove_job(&jobs, id).expect("removed");
        assert!(outside.join("state.json").exists());
        assert_eq!(std::fs::read_dir(&jobs).expect("list").count(), 0);
    }

    #[test]
    fn read_only_folders_go_too() {
        let (_dir, jobs, id) = jobs();
        let locked = jobs.join("7c5dcf5d/tmp/deep");
        std::fs::write(locked.join("file"), "x").expect("file");
        for mode in [0o500, 0o000] {
            std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(mode)).expect("lock");
        }
        remove_job(&jobs, id).expect("removed");
        assert_eq!(std::fs::read_dir(&jobs).expect("list").count(), 0);
    }

    #[test]
    fn one_that_was_not_finished_does_not_stop_the_next() {
        let (_dir, jobs, id) = jobs();
        let left = removing(&jobs, "7c5dcf5d");
        std::fs::create_dir_all(left.join("tmp")).expect("left over");
        remove_job(&jobs, id).expect("removed");
        assert_eq!(std::fs::read_dir(&jobs).expect("list").count(), 0);
    }

    #[test]
    fn only_ids_are_under_removal() {
        assert!(is_removing(".removing-7c5dcf5d"));
        for other in [".removing-", ".removing-..", ".removing-7C5DCF5D", "7c5dcf5d", ".removing-7c5dcf5d.x"]
        {
            assert!(!is_removing(other), "{other}");
        }
    }
}
