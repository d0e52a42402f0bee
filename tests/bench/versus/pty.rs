//! The measuring end: a pseudo-terminal that drives a peer's attach program.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// See the module.
pub(crate) struct Pty {
    master: std::fs::File,
    child: Child,
    buffer: Vec<u8>,
}

impl Pty {
    /// Starts `command` on a terminal of 80×24.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a pseudo-terminal");
        // Raw from the start: an echo can only come from the session, never from this terminal.
        let mut mode = termios::tcgetattr(&slave).expect("a terminal");
        termios::cfmakeraw(&mut mode);
        termios::tcsetattr(&slave, termios::SetArg::TCSANOW, &mode).expect("raw mode");
        let clone = || slave.try_clone().expect("a descriptor");
        command.stdin(clone()).stdout(clone()).stderr(clone()).env("TERM", "xterm-256color");
        // SAFETY: setsid and ioctl are async-signal-safe; nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                if libc::ioctl(0, libc::TIOCSCTTY as _, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        drop((slave, command));
        Self { master: master.into(), child, buffer: vec![0; 256 << 10] }
    }

    /// Waits until the session behind it echoes.
    pub(crate) fn ready(&mut self, who: &str) {
        for _ in 0..40 {
            self.write(b"~");
            if self.wait_for(b"~", Duration::from_millis(250)).is_some() {
                // What was typed too early may come late.
                while self.read(Duration::from_millis(150)).is_some() {}
                return;
            }
        }
        panic!("{who}: no echo within ten seconds");
    }

    /// Types.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).expect("the terminal takes input");
    }

    /// What comes within `patience`; `None` for nothing.
    pub(crate) fn read(&mut self, patience: Duration) -> Option<&[u8]> {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(patience).expect("a short time");
        if poll(&mut fds, timeout).expect("poll") == 0 {
            return None;
        }
        let n = self.master.read(&mut self.buffer).unwrap_or(0);
        (n > 0).then(|| &self.buffer[..n])
    }

    /// The bytes that came up to and with `mark`; `None` where it does not come.
    pub(crate) fn wait_for(&mut self, mark: &[u8], patience: Duration) -> Option<usize> {
        let deadline = Instant::now() + patience;
        let (mut came, mut tail) = (0, Vec::new());
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            let bytes = self.read(left)?;
            came += bytes.len();
            tail.extend_from_slice(bytes);
            if memchr::memmem::find(&tail, mark).is_some() {
                return Some(came);
            }
            let keep = tail.len().min(mark.len() - 1);
            tail.drain(..tail.len() - keep);
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // The terminal goes, as when its window is closed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
