//! Files of a worktree, reached by descriptors alone: from a folder that is open, one name at a time, and never through
//! a symbolic link. What is moved or replaced meanwhile is at most not found; nothing outside is ever reached.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Folders in each other, at most: each takes a descriptor, and git's own paths end long before.
const DEEPEST: usize = 400;

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A named pipe.
    Fifo,
    /// A socket or a device: nothing that has content of its own.
    Special,
}

/// What tells whether a file was changed: every change of its bytes, its mode or its place moves `ctime`, which nobody
/// can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) kind: Kind,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Permissions, without the kind.
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) size: u64,
    /// Nanoseconds since the epoch.
    pub(super) modified: i128,
    /// Nanoseconds since the epoch.
    pub(super) changed: i128,
}

#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "these have other widths elsewhere")]
impl From<FileStat> for Stamp {
    fn from(stat: FileStat) -> Self {
        let kind = match SFlag::from_bits_truncate(stat.st_mode as libc::mode_t & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFLNK => Kind::Link,
            SFlag::S_IFDIR => Kind::Folder,
            SFlag::S_IFIFO => Kind::Fifo,
            _ => Kind::Special,
        };
        let nanos = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Self {
            kind,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32 & 0o7777,
            owner: stat.st_uid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanos(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: nanos(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }
}

impl Folder {
    /// Opens a folder. Links on the way to it are followed; it is none itself.
    ///
    /// # Errors
    /// As `open(2)`: `ENOTDIR` or `ELOOP` where it is no folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: open(path, Self::flags(), Mode::empty())? })
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(super) fn below(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self { fd: openat(&self.fd, name, Self::flags(), Mode::empty())? })
    }

    fn flags() -> OFlag {
        OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
    }

    /// Opens the folder that holds this path, and returns the path's last name; names are split at `/`.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(super) fn holder<'a>(&self, path: &'a [u8]) -> io::Result<(Option<Self>, &'a [u8])> {
        let mut parts = path.split(|b| *b == b'/').peekable();
        let mut folder: Option<Self> = None;
        loop {
            let part = parts.next().unwrap_or_default();
            if parts.peek().is_none() {
                return Ok((folder, part));
            }
            folder = Some(folder.as_ref().unwrap_or(self).below(part)?);
        }
    }

    /// The names in it, in order, without `.` and `..`.
    ///
    /// # Errors
    /// As `readdir(3)`.
    pub(super) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut dir = Dir::openat(&self.fd, ".", Self::flags(), Mode::empty())?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// What a name in it stands for; a link stands for itself.
    ///
    /// # Errors
    /// As `fstatat(2)`.
    pub(super) fn stamp(&self, name: &[u8]) -> io::Result<Stamp> {
        Ok(fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.into())
    }

    /// Its own.
    ///
    /// # Errors
    /// As `fstat(2)`.
    pub(super) fn own_stamp(&self) -> io::Result<Stamp> {
        Ok(fstat(&self.fd)?.into())
    }

    /// Opens a regular file in it for reading.
    ///
    /// # Errors
    /// As `openat(2)`; and where it is something else.
    pub(super) fn file(&self, name: &[u8]) -> io::Result<(File, Stamp)> {
        // NONBLOCK: a named pipe in its place must not hold us up.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        let stamp = Stamp::from(fstat(&fd)?);
        if stamp.kind != Kind::File {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok((File::from(fd), stamp))
    }

    /// Where a link in it leads.
    ///
    /// # Errors
    /// As `readlinkat(2)`.
    pub(super) fn link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(readlinkat(&self.fd, name)?.into_vec())
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Everything below a folder, by its path from there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// What is no folder.
    pub(super) files: BTreeMap<Vec<u8>, Stamp>,
    /// Folders, with whether anything is in them.
    pub(super) folders: BTreeMap<Vec<u8>, (Stamp, bool)>,
    /// Folders of another file system, which are not looked into.
    pub(super) mounts: Vec<Vec<u8>>,
}

/// A part of a tree cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", String::from_utf8_lossy(.path))]
pub(super) struct Blind {
    /// Which, from the folder that was asked for.
    pub(super) path: Vec<u8>,
    /// Why.
    pub(super) source: io::Error,
}

/// Walks a whole tree. `past` says of a folder, by its path, that it is none of the caller's.
///
/// # Errors
/// [`Blind`], for the first part that cannot be looked at: a walk is whole, or it is none.
pub(super) fn walk(root: &Folder, past: impl Fn(&[u8]) -> bool) -> Result<Walked, Blind> {
    let blind = |path: &[u8]| {
        let path = path.to_vec();
        move |source| Blind { path, source }
    };
    let device = root.own_stamp().map_err(blind(b"."))?.device;
    let mut walked = Walked::default();
    // The folders on the way, each with its names that are still to be visited, the last one first.
    let names = |folder: &Folder| {
        let mut names = folder.names()?;
        names.reverse();
        Ok::<_, io::Error>(names)
    };
    let first = Folder { fd: root.fd.try_clone().map_err(blind(b"."))? };
    let open = names(&first).map_err(blind(b"."))?;
    let mut way = vec![(first, Vec::new(), open)];
    while let (depth, Some((folder, path, open))) = (way.len(), way.last_mut()) {
        let Some(name) = open.pop() else {
            way.pop();
            continue;
        };
        let mut at = path.clone();
        if !at.is_empty() {
            at.push(b'/');
        }
        at.extend_from_slice(&name);
        let stamp = match folder.stamp(&name) {
            Ok(stamp) => stamp,
            // It went in between; whoever compares two walks sees it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Blind { path: at, source }),
        };
        if stamp.kind != Kind::Folder {
            walked.files.insert(at, stamp);
        } else if past(&at) {
            // None of the caller's.
        } else if stamp.device != device {
            walked.mounts.push(at);
        } else if depth >= DEEPEST {
            return Err(Blind { path: at, source: Errno::ENAMETOOLONG.into() });
        } else {
            let inner = folder.below(&name).map_err(blind(&at))?;
            let open = names(&inner).map_err(blind(&at))?;
            walked.folders.insert(at.clone(), (stamp, !open.is_empty()));
            way.push((inner, at, open));
        }
    }
    Ok(walked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn tree() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().expect("folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("a/b")).expect("folders");
        std::fs::create_dir(path("empty")).expect("folder");
        std::fs::write(path("a/b/file"), "12345").expect("file");
        std::fs::set_permissions(path("a/b/file"), std::fs::Permissions::from_mode(0o640)).expect("mode");
        symlink("/", path("root")).expect("link");
        nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).expect("fifo");
        let folder = Folder::open(dir.path()).expect("open");
        (dir, folder)
    }

    #[test]
    fn a_walk_sees_everything_and_follows_no_link() {
        let (_dir, folder) = tree();
        let walked = walk(&folder, |_| false).expect("walk");
        let kinds: Vec<_> =
            walked.files.iter().map(|(p, s)| (String::from_utf8_lossy(p).into_owned(), s.kind)).collect();
        let kind = |name: &str, kind| (name.to_owned(), kind);
        assert_eq!(kinds, [kind("a/b/file", Kind::File), kind("pipe", Kind::Fifo), kind("root", Kind::Link)]);
        let file = walked.files[&b"a/b/file"[..]];
        assert_eq!((file.size, file.mode), (5, 0o640));
        let filled: Vec<_> = walked.folders.iter().map(|(p, (_, any))| (p.as_slice(), *any)).collect();
        assert_eq!(filled, [(&b"a"[..], true), (b"a/b", true), (b"empty", false)]);
        let less = walk(&folder, |path| path == b"a").expect("walk");
        assert_eq!((less.files.len(), less.folders.len()), (2, 1));
    }

    #[test]
    fn links_and_pipes_are_no_files_and_no_folders() {
        let (_dir, folder) = tree();
        assert!(folder.below(b"root").is_err() && folder.file(b"root").is_err());
        assert!(folder.file(b"pipe").is_err() && folder.below(b"pipe").is_err());
        assert_eq!(folder.link(b"root").expect("link"), b"/");
        let (holder, name) = folder.holder(b"a/b/file").expect("there");
        let (_, stamp) = holder.expect("a folder").file(name).expect("file");
        assert_eq!(stamp.size, 5);
        assert!(folder.holder(b"root/etc/passwd").is_err());
    }

    #[test]
    fn what_changes_in_any_way_has_another_stamp() {
        let (dir, folder) = tree();
        let path = dir.path().join("a/b/file");
        let before = walk(&folder, |_| false).expect("walk");
        assert_eq!(walk(&folder, |_| false).expect("walk"), before);
        let times = std::fs::metadata(&path).expect("times").modified().expect("time");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        std::fs::File::options()
            .write(true)
            .open(&path)
            .expect("open")
            .set_modified(times)
            .expect("as before");
        assert_ne!(walk(&folder, |_| false).expect("walk"), before);
    }

    #[test]
    fn a_tree_without_end_is_refused() {
        let dir = tempfile::tempdir().expect("folder");
        let mut folder = Folder::open(dir.path()).expect("open");
        for _ in 0..DEEPEST + 1 {
            nix::sys::stat::mkdirat(&folder, "x", Mode::S_IRWXU).expect("folder");
            folder = folder.below(b"x").expect("open");
        }
        let root = Folder::open(dir.path()).expect("open");
        let error = walk(&root, |_| false).expect_err("too deep");
        assert_eq!(error.source.raw_os_error(), Some(Errno::ENAMETOOLONG as i32));
    }
}
