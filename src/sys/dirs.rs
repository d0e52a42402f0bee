//! Private folders, private files, private sockets and the locks that guard them.
//!
//! Everything here is made closed to others from its first instant (never made open and closed afterwards), and what is
//! already there is verified through a descriptor of it, so that what was checked is what is used.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, lstat};
use nix::unistd::geteuid;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A folder or a socket cannot be used as a private one.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// A system call failed.
    #[error("{doing} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a symbolic link where somebody else could have put one.
    #[error("{path} is a symbolic link, which is not followed here: remove it", path = .0.display())]
    Symlink(PathBuf),
    /// It is something else.
    #[error("{path} is no folder: move it away", path = .0.display())]
    NotADirectory(PathBuf),
    /// It belongs to somebody else.
    #[error("{path} belongs to uid {owner}, not to you (uid {us})", path = .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// We.
        us: u32,
    },
    /// Others can write there, so that its content cannot be trusted.
    #[error(
        "{path} can be written by others (mode {mode:04o}): look at what is in it, then run: chmod 700 {path}",
        path = .path.display()
    )]
    WritableByOthers {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be closed to others; some file systems ignore permissions.
    #[error("{path} stays open to others (mode {mode:04o}): its file system keeps no permissions", path = .path.display())]
    StaysOpen {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A socket's path does not fit into the system's address.
    #[error(
        "the socket path {path} has {length} bytes, and the system allows {limit}: choose a shorter folder",
        path = .path.display(), limit = SOCKET_PATH_LIMIT
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
}

/// Bytes that the path of a Unix socket may have: `sun_path` without the terminating NUL.
pub const SOCKET_PATH_LIMIT: usize =
    std::mem::size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1;

/// What to do about a symbolic link in place of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Refuse it: in a folder where others may create names.
    Refused,
    /// Follow it, and judge what it leads to: in the user's own folders, where only they can have made it.
    Followed,
}

/// Makes a folder (and what is missing above it) with mode 0700, or verifies that one is ours alone.
///
/// One of ours that others can only read is closed. One that others can write is refused, since whatever is in it may be
/// theirs.
///
/// # Errors
/// [`DirError`]: it is not ours, or cannot be made so.
pub fn make_private_dir(path: &Path, links: Links) -> Result<(), DirError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        // What is there is judged below, with a better message.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io_error("cannot create", path, e)),
    }
    let (dir, stat) = open_dir(path, links)?;
    let mode = owned_mode(path, &stat)?;
    if mode & 0o022 != 0 {
        return Err(DirError::WritableByOthers { path: path.into(), mode });
    }
    if mode & 0o077 != 0 {
        fchmod(&dir, Mode::S_IRWXU).map_err(|e| io_error("cannot close to others", path, e.into()))?;
        let mode = owned_mode(path, &stat_of(path, &dir)?)?;
        if mode & 0o077 != 0 {
            return Err(DirError::StaysOpen { path: path.into(), mode });
        }
    }
    Ok(())
}

/// Is this an existing folder of ours with mode 0700 (and no symbolic link)?
pub fn is_private_dir(path: &Path) -> bool {
    open_dir(path, Links::Refused)
        .and_then(|(_, stat)| owned_mode(path, &stat))
        .is_ok_and(|mode| mode & 0o077 == 0)
}

fn open_dir(path: &Path, links: Links) -> Result<(OwnedFd, FileStat), DirError> {
    let follow = match links {
        Links::Refused => OFlag::O_NOFOLLOW,
        Links::Followed => OFlag::empty(),
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | follow;
    let dir = open(path, flags, Mode::empty()).map_err(|e| match lstat(path).map(|s| file_type(&s)) {
        Ok(SFlag::S_IFLNK) if links == Links::Refused => DirError::Symlink(path.into()),
        Ok(SFlag::S_IFDIR) | Err(_) => io_error("cannot open", path, e.into()),
        Ok(_) if e == nix::errno::Errno::ENOTDIR => DirError::NotADirectory(path.into()),
        Ok(_) => io_error("cannot open", path, e.into()),
    })?;
    let stat = stat_of(path, &dir)?;
    Ok((dir, stat))
}

fn stat_of(path: &Path, dir: &impl AsFd) -> Result<FileStat, DirError> {
    fstat(dir).map_err(|e| io_error("cannot examine", path, e.into()))
}

#[allow(clippy::unnecessary_cast, reason = "mode_t has another width on other platforms")]
fn file_type(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode as libc::mode_t & SFlag::S_IFMT.bits())
}

/// The permission bits of a folder that is ours.
#[allow(clippy::unnecessary_cast, reason = "mode_t has another width on other platforms")]
fn owned_mode(path: &Path, stat: &FileStat) -> Result<u32, DirError> {
    let us = geteuid().as_raw();
    if stat.st_uid != us {
        return Err(DirError::Foreign { path: path.into(), owner: stat.st_uid, us });
    }
    Ok(stat.st_mode as u32 & 0o7777)
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> DirError {
    DirError::Io { doing, path: path.into(), source }
}

/// Does the folder live in memory (tmpfs or ramfs), so that what is written there reaches no disk's file system?
///
/// # Errors
/// The folder cannot be examined.
#[cfg(target_os = "linux")]
pub fn is_in_memory(dir: &Path) -> io::Result<bool> {
    use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
    // linux/magic.h; the C library's headers leave it out.
    const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);
    let kind = statfs(dir)?.filesystem_type();
    Ok(kind == TMPFS_MAGIC || kind == RAMFS_MAGIC)
}

/// Makes a new file, 0600, open for reading and writing. It must not exist yet.
///
/// # Errors
/// It exists, or cannot be made.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// A lock on a file (`flock`), exclusive unless it is said to be shared. It ends with the process, however that ends, and children do not hold it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Waits for the lock, for so long at most; none is the answer where its holder kept it.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn acquire(path: &Path, at_most: Duration) -> io::Result<Option<Self>> {
        if let Some(lock) = Self::try_acquire(path)? {
            return Ok(Some(lock));
        }
        // The system has no lock call with a time limit. A thread that waits too long is left behind: it lets go of the
        // lock as soon as it gets it, since nobody listens to it any more.
        let file = lock_file(path)?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(0);
        std::thread::Builder::new().name("lock".into()).spawn(move || {
            let locked = file.lock().map(|()| Self { file });
            _ = sender.send(locked);
        })?;
        receiver.recv_timeout(at_most).map_or(Ok(None), |locked| locked.map(Some))
    }

    /// Takes over the lock that another program held in this process's place, by its descriptor.
    ///
    /// # Errors
    /// It is not the file at this path, or somebody else has the lock.
    pub fn take_over(fd: OwnedFd, path: &Path) -> io::Result<Self> {
        let file = File::from(fd);
        let (held, there) = (file_identity(&file.metadata()?), identity(path)?);
        if held != there {
            return Err(io::Error::other("it is not the lock's file"));
        }
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("somebody else has the lock")),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Waits for the lock for as long as it takes.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn wait(path: &Path) -> io::Result<Self> {
        let file = lock_file(path)?;
        loop {
            match file.lock() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                locked => return locked.map(|()| Self { file }),
            }
        }
    }

    /// Shares the lock with others that share it; none where somebody has it alone for a second.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn share(path: &Path) -> io::Result<Option<Self>> {
        let file = lock_file(path)?;
        for _ in 0..100 {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(None)
    }

    /// The locked file: for a note about the holder, which is for people only.
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    // Never removed: a lock on a name that was removed excludes nobody.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Checks that a socket can have this path.
///
/// # Errors
/// [`DirError::PathTooLong`].
pub fn check_socket_path(path: &Path) -> Result<(), DirError> {
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        return Err(DirError::PathTooLong { path: path.into(), length });
    }
    Ok(())
}

/// A socket's name in the file system: removed at the end of this value, if it still is this socket's.
#[derive(Debug)]
pub struct SocketName {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketName {
    /// Takes over the name of a socket with this identity, as [`SocketName::identity`] tells it.
    pub fn take_over(path: &Path, identity: (u64, u64)) -> Self {
        Self { path: path.into(), identity }
    }

    /// Device and inode number of the name.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does the name still lead to this socket? A cleaner, or a successor, may have taken it.
    pub fn is_ours(&self) -> bool {
        identity(&self.path).is_ok_and(|i| i == self.identity)
    }

    /// Gives the socket another name, for a withdrawal that can be undone: clients no longer find it, and those
    /// that already connected still can be answered.
    ///
    /// # Errors
    /// The name is not ours any more, or cannot be changed.
    pub fn move_to(&mut self, path: &Path) -> io::Result<()> {
        if !self.is_ours() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the socket's name is gone"));
        }
        std::fs::rename(&self.path, path)?;
        self.path = path.to_owned();
        Ok(())
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        if self.is_ours() {
            // Nothing can be done about a failure, and a dead socket misleads nobody: it refuses.
            _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|meta| file_identity(&meta))
}

fn file_identity(meta: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// Binds a listening socket, 0600, that appears under its name only when it already accepts connections. A socket that
/// has the name is replaced, so the caller holds a lock that says whose the name is.
///
/// # Errors
/// The path is too long, or the socket cannot be made.
pub fn bind_private(path: &Path) -> Result<(UnixListener, SocketName), DirError> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    check_socket_path(path)?;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) % 1000;
    let temporary = path.with_file_name(format!(".{}.{count}", std::process::id()));
    check_socket_path(&temporary)?;
    let failed = |e| io_error("cannot make the socket", path, e);
    match std::fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let listener = UnixListener::bind(&temporary).map_err(failed)?;
    let mut name = SocketName { identity: identity(&temporary).map_err(failed)?, path: temporary };
    // Until here only the folder's mode kept others out, and it is 0700.
    std::fs::set_permissions(&name.path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    name.move_to(path).map_err(failed)?;
    Ok((listener, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixStream;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
    }
    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn a_new_folder_and_its_parents_are_closed() {
        let root = tempfile::tempdir().expect("tempdir");
        let dir = root.path().join("a/b");
        make_private_dir(&dir, Links::Refused).expect("made");
        assert_eq!((mode(&dir), mode(&root.path().join("a"))), (0o700, 0o700));
        assert!(is_private_dir(&dir));
        make_private_dir(&dir, Links::Refused).expect("again");
    }

    #[test]
    fn a_readable_folder_is_closed_and_a_writable_one_refused() {
        let root = tempfile::tempdir().expect("tempdir");
        chmod(root.path(), 0o755);
        assert!(!is_private_dir(root.path()));
        make_private_dir(root.path(), Links::Refused).expect("closed");
        assert_eq!(mode(root.path()), 0o700);
        for open in [0o770, 0o702, 0o1777] {
            chmod(root.path(), open);
            let error = make_private_dir(root.path(), Links::Refused).expect_err("refused");
            assert!(matches!(error, DirError::WritableByOthers { mode, .. } if mode == open), "{error}");
            assert_eq!(mode(root.path()), open);
        }
    }

    #[test]
    fn links_files_and_foreign_folders_are_told_apart() {
        let root = tempfile::tempdir().expect("tempdir");
        let (real, link, file) =
            (root.path().join("real"), root.path().join("link"), root.path().join("file"));
        make_private_dir(&real, Links::Refused).expect("made");
        symlink(&real, &link).expect("symlink");
        std::fs::write(&file, "").expect("write");
        assert!(matches!(make_private_dir(&link, Links::Refused), Err(DirError::Symlink(p)) if p == link));
        make_private_dir(&link, Links::Followed).expect("a link of ours");
        assert!(!is_private_dir(&link));
        assert!(
            matches!(make_private_dir(&file, Links::Followed), Err(DirError::NotADirectory(p)) if p == file)
        );
        let foreign = if geteuid().is_root() {
            std::os::unix::fs::chown(&real, Some(65534), None).expect("chown");
            real
        } else {
            PathBuf::from("/proc")
        };
        assert!(matches!(make_private_dir(&foreign, Links::Refused), Err(DirError::Foreign { .. })));
        assert!(!is_private_dir(&foreign));
    }

    #[test]
    fn a_lock_excludes_a_second_holder_until_it_ends() {
        let root = tempfile::tempdir().expect("tempdir");
        let path = root.path().join("lock");
        let first = Lock::try_acquire(&path).expect("lockable").expect("free");
        assert!(Lock::try_acquire(&path).expect("lockable").is_none());
        assert!(Lock::acquire(&path, Duration::ZERO).expect("lockable").is_none());
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Lock::acquire(&path, Duration::from_secs(60)).expect("lockable").is_some()
        });
        drop(first);
        assert!(waiting.join().expect("no panic"));
    }

    #[test]
    fn a_socket_is_private_and_its_name_goes_only_while_it_is_ours() {
        let root = tempfile::tempdir().expect("tempdir");
        let path = root.path().join("s.sock");
        let (_first, first_name) = bind_private(&path).expect("bound");
        assert_eq!(mode(&path), 0o600);
        UnixStream::connect(&path).expect("accepts");
        let (_second, mut second_name) = bind_private(&path).expect("takes the name over");
        assert!(!first_name.is_ours());
        drop(first_name);
        UnixStream::connect(&path).expect("the late cleanup left the successor's alone");
        second_name.move_to(&root.path().join("hidden")).expect("withdrawn");
        UnixStream::connect(&path).expect_err("not found by clients");
        second_name.move_to(&path).expect("back");
        UnixStream::connect(&path).expect("found again");
        drop(second_name);
        assert_eq!(std::fs::read_dir(root.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_socket_path_may_have_its_limit_and_no_more() {
        let root = tempfile::tempdir().expect("tempdir");
        let fill = SOCKET_PATH_LIMIT - root.path().as_os_str().len() - 1;
        let (fits, long) = (root.path().join("x".repeat(fill)), root.path().join("x".repeat(fill + 1)));
        bind_private(&fits).expect("the limit itself fits");
        let error = bind_private(&long).expect_err("one more does not");
        assert!(matches!(error, DirError::PathTooLong { length, .. } if length == SOCKET_PATH_LIMIT + 1));
    }

    #[test]
    fn a_private_file_is_new_and_closed() {
        let root = tempfile::tempdir().expect("tempdir");
        let path = root.path().join("f");
        create_private_file(&path).expect("new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(create_private_file(&path).expect_err("there").kind(), io::ErrorKind::AlreadyExists);
    }
}
