//! Deleting a whole folder: never through a symbolic link, never onto another file system, however deep it is.
//!
//! Every folder in it is first moved up, right below the one that goes, so that no more than three are ever open and no
//! path grows too long. What cannot be deleted stays there, and all else goes.

use super::files::{Folder, Kind};
use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::io;

/// What could not be deleted.
#[derive(Debug, thiserror::Error)]
#[error("cannot delete {}: {source}", String::from_utf8_lossy(.path))]
pub(super) struct Stuck {
    /// The first of it, below the folder that was to go.
    path: Vec<u8>,
    source: io::Error,
}

/// Deletes what a name in a folder stands for, and everything in it. What is not there is deleted.
///
/// # Errors
/// [`Stuck`]: something of it is left.
pub(super) fn delete(parent: &Folder, name: &[u8]) -> Result<(), Stuck> {
    let stuck = |source: io::Error| Stuck { path: name.to_vec(), source };
    let stamp = match parent.stamp(name) {
        Ok(stamp) => stamp,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(stuck(e)),
    };
    if stamp.kind != Kind::Folder {
        return unlinkat(parent, name, UnlinkatFlags::NoRemoveDir).map_err(|e| stuck(e.into()));
    }
    let root = open(parent, name).map_err(stuck)?;
    let device = root.own_stamp().map_err(stuck)?.device;
    let mut deletion = Deletion { root: &root, device, folders: Vec::new(), count: 0, first: None };
    deletion.clear(&root, b"");
    while let Some((name, path)) = deletion.folders.pop() {
        deletion.folder(&name, &path);
    }
    match deletion.first {
        Some(stuck) => Err(stuck),
        None => unlinkat(parent, name, UnlinkatFlags::RemoveDir).map_err(|e| stuck(e.into())),
    }
}

struct Deletion<'a> {
    root: &'a Folder,
    device: u64,
    /// Folders right below the root, with where they were at first.
    folders: Vec<(Vec<u8>, Vec<u8>)>,
    count: u64,
    first: Option<Stuck>,
}

impl Deletion<'_> {
    fn failed(&mut self, path: &[u8], source: impl Into<io::Error>) {
        self.first.get_or_insert_with(|| Stuck { path: path.to_vec(), source: source.into() });
    }

    /// Deletes a folder right below the root.
    fn folder(&mut self, name: &[u8], path: &[u8]) {
        let opened = open(self.root, name).and_then(|folder| Ok((folder.own_stamp()?.device, folder)));
        match opened {
            // What is mounted there is not ours to delete.
            Ok((device, _)) if device != self.device => self.failed(path, Errno::EXDEV),
            Ok((_, folder)) => {
                self.clear(&folder, path);
                match unlinkat(self.root, name, UnlinkatFlags::RemoveDir) {
                    // Something in it is stuck, and named.
                    Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST) if self.first.is_some() => {}
                    Ok(()) => {}
                    Err(e) => self.failed(path, e),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.failed(path, e),
        }
    }

    /// Deletes the files of a folder, and moves its folders up.
    fn clear(&mut self, folder: &Folder, path: &[u8]) {
        let names = match folder.names() {
            Ok(names) => names,
            Err(e) => return self.failed(path, e),
        };
        let mut opened = false;
        for name in names {
            let at = if path.is_empty() { name.clone() } else { [path, &name].join(&b'/') };
            let mut done = self.one(folder, &name, &at, path.is_empty());
            if matches!(done, Err(Errno::EACCES | Errno::EPERM)) && !opened {
                // Read-only folders, as some caches of packages are made, keep what is in them.
                opened = true;
                if fchmod(folder, Mode::S_IRWXU).is_ok() {
                    done = self.one(folder, &name, &at, path.is_empty());
                }
            }
            if let Err(e) = done {
                self.failed(&at, e);
            }
        }
    }

    fn one(&mut self, folder: &Folder, name: &[u8], path: &[u8], at_root: bool) -> Result<(), Errno> {
        match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            // A folder: Linux says the one, others the other.
            Err(Errno::EISDIR | Errno::EPERM) if is_folder(folder, name) => {}
            Err(e) => return Err(e),
        }
        match unlinkat(folder, name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(_) if at_root => {
                self.folders.push((name.to_vec(), path.to_vec()));
                return Ok(());
            }
            // Whatever it is, moving it tells whether it matters.
            Err(_) => {}
        }
        loop {
            self.count += 1;
            let up = format!(".abide-{}", self.count).into_bytes();
            let moved = renameat(folder, name, self.root, up.as_slice()).or_else(|e| {
                // One that is closed to its owner cannot be told that it has another parent.
                if e != Errno::EACCES {
                    return Err(e);
                }
                open(folder, name).map_err(|_| e)?;
                renameat(folder, name, self.root, up.as_slice())
            });
            match moved {
                Ok(()) => {
                    self.folders.push((up, path.to_vec()));
                    return Ok(());
                }
                // The name is taken: somebody's file is called so.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

fn is_folder(folder: &Folder, name: &[u8]) -> bool {
    folder.stamp(name).is_ok_and(|stamp| stamp.kind == Kind::Folder)
}

/// Opens a folder so that what is in it can be deleted, also where its permissions say otherwise.
fn open(parent: &Folder, name: &[u8]) -> io::Result<Folder> {
    let stamp = parent.stamp(name)?;
    if stamp.kind == Kind::Folder && stamp.mode & 0o700 != 0o700 {
        // Where that is refused, what is tried next says why.
        let _ = fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink);
    }
    parent.below(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn delete_below(dir: &Path, name: &str) -> Result<(), Stuck> {
        delete(&Folder::open(dir).expect("open"), name.as_bytes())
    }

    #[test]
    fn all_goes_and_nothing_beside() {
        let dir = tempfile::tempdir().expect("folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("tree/a/b/c")).expect("folders");
        std::fs::create_dir_all(path("beside/kept")).expect("folders");
        for file in ["tree/x", "tree/a/x", "tree/a/b/c/x", "tree/.abide-1", "beside/kept/x"] {
            std::fs::write(path(file), "x").expect("file");
        }
        std::fs::create_dir_all(path("tree/.abide-2/full")).expect("folders");
        symlink("../beside", path("tree/a/link")).expect("link");
        symlink("/", path("tree/root")).expect("link");
        nix::unistd::mkfifo(&path("tree/pipe"), Mode::S_IRWXU).expect("pipe");
        delete_below(dir.path(), "tree").expect("deleted");
        assert!(!path("tree").exists() && path("beside/kept/x").exists());
        delete_below(dir.path(), "tree").expect("again");
        symlink("beside", path("tree")).expect("link");
        delete_below(dir.path(), "tree").expect("the link itself");
        assert!(path("beside/kept/x").exists() && path("tree").symlink_metadata().is_err());
    }

    #[test]
    fn what_is_read_only_goes_too() {
        let dir = tempfile::tempdir().expect("folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("tree/a/b/c")).expect("folders");
        std::fs::write(path("tree/a/b/x"), "x").expect("file");
        for (name, mode) in [
            ("tree/a/b/x", 0o400),
            ("tree/a/b/c", 0o000),
            ("tree/a/b", 0o500),
            ("tree/a", 0o000),
            ("tree", 0o500),
        ] {
            std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).expect("mode");
        }
        delete_below(dir.path(), "tree").expect("deleted");
        assert!(!path("tree").exists());
    }

    #[test]
    fn depth_and_breadth_have_no_end() {
        let dir = tempfile::tempdir().expect("folder");
        let mut folder = Folder::open(dir.path()).expect("open");
        for n in 0..3_000 {
            nix::sys::stat::mkdirat(&folder, "deep", Mode::S_IRWXU).expect("folder");
            folder = folder.below(b"deep").expect("open");
            if n % 100 == 0 {
                nix::sys::stat::mkdirat(&folder, "wide", Mode::S_IRWXU).expect("folder");
            }
        }
        delete_below(dir.path(), "deep").expect("deleted");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
    }
}
