//! Signals: received as readiness of a descriptor, and sent.

use signal_hook::low_level::pipe;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hang up.
pub const HUP: i32 = libc::SIGHUP;
/// Please end.
pub const TERM: i32 = libc::SIGTERM;
/// End.
pub const KILL: i32 = libc::SIGKILL;
/// Go on.
pub const CONT: i32 = libc::SIGCONT;

/// What came since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caught {
    /// `SIGTERM` or `SIGINT`.
    pub terminate: bool,
    /// `SIGCHLD`: at least one child may be waited for.
    pub child: bool,
    /// `SIGHUP`.
    pub hangup: bool,
}

/// `SIGCHLD`, `SIGTERM`, `SIGINT` and `SIGHUP`, turned into bytes on a socket that a poll can watch.
#[derive(Debug)]
pub struct Signals {
    wakeup: UnixStream,
    waker: UnixStream,
    terminate: Arc<AtomicBool>,
    child: Arc<AtomicBool>,
    hangup: Arc<AtomicBool>,
}

impl Signals {
    /// Catches them from here on, for as long as the process lives.
    ///
    /// # Errors
    /// Where the system refuses a socket pair or a handler.
    pub fn catch() -> io::Result<Self> {
        let (wakeup, handler_end) = UnixStream::pair()?;
        wakeup.set_nonblocking(true)?;
        handler_end.set_nonblocking(true)?;
        let signals = Self {
            wakeup,
            waker: handler_end,
            terminate: Arc::new(AtomicBool::new(false)),
            child: Arc::new(AtomicBool::new(false)),
            hangup: Arc::new(AtomicBool::new(false)),
        };
        for (signal, flag) in [
            (libc::SIGCHLD, &signals.child),
            (libc::SIGTERM, &signals.terminate),
            (libc::SIGINT, &signals.terminate),
            (libc::SIGHUP, &signals.hangup),
        ] {
            // The flag first: whoever is woken by the byte must find it set.
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            pipe::register(signal, signals.waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Another thread's means to make [`fd`](Self::fd) readable.
    ///
    /// # Errors
    /// Where no descriptor is left.
    pub fn waker(&self) -> io::Result<Waker> {
        self.waker.try_clone().map(Waker)
    }

    /// Readable when something came.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }

    /// Takes what came.
    pub fn take(&mut self) -> Caught {
        let mut bytes = [0; 64];
        // The bytes only wake; the flags tell what came. An empty socket is the usual end.
        while matches!(self.wakeup.read(&mut bytes), Ok(n) if n == bytes.len()) {}
        Caught {
            terminate: self.terminate.swap(false, Ordering::SeqCst),
            child: self.child.swap(false, Ordering::SeqCst),
            hangup: self.hangup.swap(false, Ordering::SeqCst),
        }
    }
}

/// See [`Signals::waker`].
#[derive(Debug)]
pub struct Waker(UnixStream);

impl From<UnixStream> for Waker {
    /// Wakes whoever polls the other end. It must not block.
    fn from(stream: UnixStream) -> Self {
        Self(stream)
    }
}

impl Waker {
    /// Makes it readable.
    pub fn wake(&self) {
        // A full socket is readable already.
        let _ = (&self.0).write(&[0]);
    }
}

/// Ignores the signals that must not end a session's host: a client's or the log's broken pipe, a terminal's end (until
/// it is [caught](Signals::catch)), a file size limit (the write then fails instead).
pub fn ignore_deadly() {
    for signal in [libc::SIGPIPE, libc::SIGHUP, libc::SIGXFSZ] {
        // SAFETY: sets a disposition without a handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Sends a signal to one process.
///
/// # Errors
/// As `kill(2)`; `EINVAL` also for a number that would address a group.
pub fn send(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: takes integers only.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to a process group.
///
/// # Errors
/// As `kill(2)`; `EINVAL` also for a number that would address anything else.
pub fn send_group(group: i32, signal: i32) -> io::Result<()> {
    if group <= 1 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: takes integers only.
    if unsafe { libc::kill(-group, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_or_a_group_can_be_addressed() {
        for bad in [0, -1, i32::MIN] {
            assert!(send(bad, 0).is_err());
            assert!(send_group(bad, 0).is_err());
        }
        assert!(send_group(1, 0).is_err());
        let own = i32::try_from(std::process::id()).expect("pid");
        send(own, 0).expect("this process is there");
    }
}
