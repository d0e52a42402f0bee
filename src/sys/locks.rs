//! Whether a file is locked and whether a socket listens, found out without touching either: trying would disturb
//! whoever is just about to take the lock, and connecting would start a service.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
pub use linux::{is_held, is_listening};
#[cfg(not(target_os = "linux"))]
pub use other::{is_held, is_listening};

/// Whether an attempt to lock failed since the file system has no locks.
pub fn lacks_locks(error: &io::Error) -> bool {
    use libc::{ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP};
    // Some of these are one number on some platforms.
    error.raw_os_error().is_some_and(|code| [ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP].contains(&code))
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Path;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;

    /// Does a process hold an exclusive `flock` on this file?
    pub fn is_held(file: &Path) -> bool {
        let (Ok(data), Ok(locks)) = (std::fs::metadata(file), std::fs::read_to_string("/proc/locks")) else {
            return false;
        };
        let (major, minor) = (libc::major(data.dev()), libc::minor(data.dev()));
        let place = format!("{major:02x}:{minor:02x}:{}", data.ino());
        locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // `1: FLOCK ADVISORY WRITE 812 08:01:4711 0 EOF`; a waiting one has `->` in front of `FLOCK`.
            matches!(words.as_slice(), [_, "FLOCK", _, "WRITE", _, at, ..] if *at == place)
        })
    }

    /// Does a process listen on the socket with this name?
    pub fn is_listening(socket: &Path) -> bool {
        let Ok(sockets) = std::fs::read("/proc/net/unix") else { return false };
        let name = socket.as_os_str().as_bytes();
        sockets.split(|b| *b == b'\n').any(|line| {
            // `ffff…: 00000002 00000000 00010000 0001 01 25217 /run/…`: the flag says that it accepts connections.
            let mut words = line.splitn(8, |b| *b == b' ');
            let flags = words.nth(3);
            flags == Some(b"00010000")
                && line.ends_with(name)
                && line[..line.len() - name.len()].ends_with(b" ")
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Path;

    /// Does a process hold an exclusive `flock` on this file? Found out by trying, for a moment.
    pub fn is_held(file: &Path) -> bool {
        let Ok(file) = std::fs::File::open(file) else { return false };
        matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
    }

    /// Does a process listen on the socket with this name? Without a way to look, nobody is assumed to.
    pub fn is_listening(_socket: &Path) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_and_not_taken() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("lock");
        assert!(!is_held(&path));
        let file = std::fs::File::create(&path).expect("create");
        assert!(!is_held(&path));
        file.lock().expect("lock");
        assert!(is_held(&path));
        drop(file);
        assert!(!is_held(&path));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listening_socket_is_seen_without_a_connection() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bind");
        assert!(is_listening(&path));
        assert!(!is_listening(&dir.path().join("ocket")));
        listener.set_nonblocking(true).expect("set");
        assert!(listener.accept().is_err());
        drop(listener);
        assert!(!is_listening(&path));
    }
}
