//! File descriptors: polling, closing what is not ours, and bounded ways to connect and to listen.

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// What a poll is asked about one descriptor. Errors and hang-ups are always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Bytes to read, a connection to accept.
    pub read: bool,
    /// Room to write.
    pub write: bool,
}

/// What a poll found out about one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// A read will not block.
    pub read: bool,
    /// A write will not block.
    pub write: bool,
    /// The other side is gone, or the descriptor failed. There may still be something to read.
    pub hangup: bool,
}

/// A `poll(2)` over a set that is built anew for each wait; its memory is kept.
#[derive(Debug, Default)]
pub struct Poller {
    fds: Vec<libc::pollfd>,
}

impl Poller {
    /// Forgets all descriptors.
    pub fn clear(&mut self) {
        self.fds.clear();
    }

    /// Adds a descriptor and says under which number [`Poller::ready`] knows it.
    pub fn add(&mut self, fd: BorrowedFd<'_>, interest: Interest) -> usize {
        let mut events = 0;
        if interest.read {
            events |= libc::POLLIN;
        }
        if interest.write {
            events |= libc::POLLOUT;
        }
        self.fds.push(libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
        self.fds.len() - 1
    }

    /// Waits until a descriptor is ready, the time is over (`None`: without end) or a signal came.
    ///
    /// # Errors
    /// As `poll(2)`, except for `EINTR`, after which nothing is ready.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let millis = match timeout {
            None => -1,
            // Rounded up: a wait must never end just before the moment that it was meant for.
            Some(t) => i32::try_from(t.as_micros().div_ceil(1000)).unwrap_or(i32::MAX),
        };
        let count = libc::nfds_t::try_from(self.fds.len()).unwrap_or(libc::nfds_t::MAX);
        // SAFETY: the pointer and the count describe the vector's initialised elements, which live through the call.
        let found = unsafe { libc::poll(self.fds.as_mut_ptr(), count, millis) };
        if found < 0 {
            let error = io::Error::last_os_error();
            for fd in &mut self.fds {
                fd.revents = 0;
            }
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        Ok(())
    }

    /// What the last wait found out about the descriptor of this number; nothing for an unknown number.
    pub fn ready(&self, number: usize) -> Ready {
        let revents = self.fds.get(number).map_or(0, |fd| fd.revents);
        Ready {
            read: revents & libc::POLLIN != 0,
            write: revents & libc::POLLOUT != 0,
            hangup: revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
        }
    }
}

/// Closes every descriptor from `first` on, whoever opened it. Only for a program's first lines, while nothing of
/// its own is open.
pub fn close_from(first: RawFd) {
    #[cfg(target_os = "linux")]
    {
        let low = libc::c_uint::try_from(first).unwrap_or(3);
        // SAFETY: takes integers only; no descriptor from `first` on is owned by anything in this process yet.
        if unsafe { libc::syscall(libc::SYS_close_range, low, libc::c_uint::MAX, 0) } == 0 {
            return;
        }
    }
    let limit = match nix::unistd::sysconf(nix::unistd::SysconfVar::OPEN_MAX) {
        Ok(Some(n)) => RawFd::try_from(n).unwrap_or(4096).min(65_536),
        Ok(None) | Err(_) => 4096,
    };
    for fd in first..limit {
        // SAFETY: as above; closing a number that is not open is an error without effect.
        unsafe { libc::close(fd) };
    }
}

/// Makes standard input and output the null device, and standard error too where that is a terminal: a process that
/// outlives its starter must hold neither the starter's pipe nor its terminal.
///
/// # Errors
/// Where the null device cannot be opened.
pub fn leave_stdio() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    if nix::unistd::isatty(io::stderr()).unwrap_or(false) {
        nix::unistd::dup2_stderr(&null)?;
    }
    Ok(())
}

/// Says something on standard error unless that would block: whoever reads it may have stopped.
pub fn say(message: &str) {
    let stderr = io::stderr();
    let mut poller = Poller::default();
    let number = poller.add(stderr.as_fd(), Interest { read: false, write: true });
    if poller.wait(Some(Duration::ZERO)).is_ok() && poller.ready(number).write {
        // Whether the message arrives is nothing that the caller could act upon.
        let _ = nix::unistd::write(stderr.as_fd(), format!("{message}\n").as_bytes());
    }
}

/// A listener on a new socket at `path`, reachable by its owner only. The path must not exist.
///
/// # Errors
/// As `socket`, `bind` and `listen`; `ENAMETOOLONG` for a path that no socket address holds.
pub fn listen(path: &Path, backlog: i32) -> io::Result<UnixListener> {
    let address = UnixAddr::new(path)?;
    let fd = socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let bound = socket::bind(fd.as_raw_fd(), &address);
    nix::sys::stat::umask(mask);
    bound?;
    socket::listen(&fd, socket::Backlog::new(backlog)?)?;
    let listener = UnixListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A connection to the socket at `path`, with reads and writes (and where the system allows it the connecting
/// itself) bounded by `limit`.
///
/// # Errors
/// As `connect(2)`; `EAGAIN` where the other side's queue stayed full for so long.
pub fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let address = UnixAddr::new(path)?;
    let fd = socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    let time = TimeVal::milliseconds(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
    socket::setsockopt(&fd, sockopt::SendTimeout, &time)?;
    socket::setsockopt(&fd, sockopt::ReceiveTimeout, &time)?;
    socket::connect(fd.as_raw_fd(), &address)?;
    Ok(UnixStream::from(fd))
}

/// Asks for a send buffer of `bytes`; the system may grant less.
pub fn widen_send_buffer(stream: &UnixStream, bytes: usize) {
    // A smaller buffer costs speed only.
    let _ = socket::setsockopt(stream, sockopt::SndBuf, &bytes);
}

/// No file that this process makes is open to others, whatever is asked for.
pub fn keep_files_private() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// Gives freed memory back to the system, where the allocator has to be asked.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes an integer only.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has every larger block mapped on its own, so that freeing it gives it back at once, whatever is allocated behind
/// it. The allocator would otherwise raise that limit with each such block that it sees freed.
pub fn map_large_blocks(bytes: i32) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes integers only.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = bytes;
}

/// Has all threads allocate from one heap: a second one would be more memory than a thread that allocates little saves
/// in time.
pub fn share_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes integers only.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_poll_tells_bytes_room_and_the_end_apart() {
        let (mut a, b) = UnixStream::pair().expect("pair");
        let mut poller = Poller::default();
        let both = Interest { read: true, write: true };
        let n = poller.add(b.as_fd(), both);
        poller.wait(None).expect("poll");
        assert_eq!(poller.ready(n), Ready { read: false, write: true, hangup: false });
        a.write_all(b"x").expect("write");
        poller.wait(None).expect("poll");
        assert_eq!(poller.ready(n), Ready { read: true, write: true, hangup: false });
        drop(a);
        poller.wait(None).expect("poll");
        assert!(poller.ready(n).hangup);
        assert_eq!(poller.ready(n + 1), Ready::default());
    }

    #[test]
    fn a_listener_is_its_owners_only_and_an_endless_path_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("s");
        let _listener = listen(&path, 8).expect("listen");
        let mode = std::fs::metadata(&path).expect("socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        connect(&path, Duration::from_secs(1)).expect("connect");
        let long = folder.path().join("x".repeat(120));
        assert_eq!(listen(&long, 8).expect_err("too long").raw_os_error(), Some(libc::ENAMETOOLONG));
    }
}
