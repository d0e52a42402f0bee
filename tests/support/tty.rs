//! A program on a terminal: a PTY, and an emulator that holds what a person would see.

use super::PATIENCE;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, Winsize, grantpt, posix_openpt, unlockpt};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, Winsize);

/// A program and the terminal that it runs on. Dropping it closes the terminal, as closing its window would.
pub(crate) struct Tty {
    master: Option<Arc<PtyMaster>>,
    shared: Arc<Shared>,
    stop: Option<UnixStream>,
    reader: Option<std::thread::JoinHandle<()>>,
    pid: u32,
}

/// Starts a program as the session leader of a new terminal of this size; the terminal's other end, and the program.
pub(crate) fn on_terminal(mut command: Command, cols: u16, rows: u16) -> (PtyMaster, Child) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&master).expect("grantpt");
    unlockpt(&master).expect("unlockpt");
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open and `size` outlives the call.
    unsafe { set_size(master.as_raw_fd(), &raw const size) }.expect("set the size");
    let name = other_end(&master);
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let slave = nix::fcntl::open(name.as_str(), flags, nix::sys::stat::Mode::empty()).expect("its other end");
    let copy = || slave.try_clone().expect("a descriptor");
    command.stdin(copy()).stdout(copy()).stderr(copy());
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            match libc::ioctl(0, libc::TIOCSCTTY as _, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    (master, child)
}

/// The name of a terminal's other end.
#[cfg(target_os = "linux")]
fn other_end(master: &PtyMaster) -> String {
    nix::pty::ptsname_r(master).expect("its name")
}

/// The name of a terminal's other end.
#[cfg(not(target_os = "linux"))]
fn other_end(master: &PtyMaster) -> String {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    // SAFETY: the name is in memory that the next call overwrites; it is copied before another can be made.
    unsafe { nix::pty::ptsname(master) }.expect("its name")
}

/// What the reading and the waiting thread tell.
struct Shared {
    seen: Mutex<Seen>,
    news: Condvar,
}

/// What came so far.
pub(crate) struct Seen {
    emulator: vt100::Parser,
    /// Every byte.
    pub(crate) raw: Vec<u8>,
    status: Option<ExitStatus>,
    closed: bool,
}

impl Seen {
    /// What a person would see.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }
}

impl Tty {
    /// Starts it as the session leader of a new terminal of this size.
    pub(crate) fn spawn(command: Command, cols: u16, rows: u16) -> Self {
        let (master, mut child) = on_terminal(command, cols, rows);
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                emulator: vt100::Parser::new(nonzero(rows), nonzero(cols), 0),
                raw: Vec::new(),
                status: None,
                closed: false,
            }),
            news: Condvar::new(),
        });
        let master = Arc::new(master);
        let (stop, stopped) = UnixStream::pair().expect("a pair");
        let pid = child.id();
        let reader = {
            let (shared, master) = (shared.clone(), master.clone());
            std::thread::spawn(move || read(&master, &stopped, &shared))
        };
        let waits = shared.clone();
        std::thread::spawn(move || {
            let status = child.wait().expect("wait");
            waits.change(|seen| seen.status = Some(status));
        });
        Self { master: Some(master), shared, stop: Some(stop), reader: Some(reader), pid }
    }

    /// Process id of the program.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The device on which the program is.
    pub(crate) fn device(&self) -> String {
        other_end(self.master.as_ref().expect("an open terminal"))
    }

    /// Types.
    pub(crate) fn send(&self, keys: impl AsRef<[u8]>) {
        let mut master: &PtyMaster = self.master.as_ref().expect("an open terminal");
        master.write_all(keys.as_ref()).expect("type");
    }

    /// Changes the window's size.
    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        self.shared.change(|seen| seen.emulator.screen_mut().set_size(nonzero(rows), nonzero(cols)));
        let master = self.master.as_ref().expect("an open terminal");
        // SAFETY: the descriptor is open and `size` outlives the call.
        unsafe { set_size(master.as_raw_fd(), &raw const size) }.expect("set the size");
    }

    /// Waits until what came so far is as asked; returns what `ask` did.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut(&Seen) -> Option<T>) -> T {
        let start = Instant::now();
        let mut seen = self.shared.lock();
        loop {
            if let Some(answer) = ask(&seen) {
                return answer;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() || (seen.closed && seen.status.is_some()) {
                let state = if seen.closed { "the terminal is closed" } else { "it never came" };
                let (screen, status) = (seen.screen().contents(), seen.status);
                drop(seen);
                panic!("{what}: {state} ({status:?}); the screen is\n{screen}");
            }
            seen = self.shared.news.wait_timeout(seen, left).expect("no panic elsewhere").0;
        }
    }

    /// Waits until the screen shows this text.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) {
        self.until(text, |seen| seen.screen().contents().contains(text).then_some(()));
    }

    /// What the screen shows now, as text.
    pub(crate) fn contents(&self) -> String {
        self.shared.lock().screen().contents()
    }

    /// Every byte that came so far.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.shared.lock().raw.clone()
    }

    /// Waits until the program has ended and all that it wrote has come.
    #[track_caller]
    pub(crate) fn wait(&self) -> ExitStatus {
        let start = Instant::now();
        let mut seen = self.shared.lock();
        loop {
            match seen.status {
                Some(status) if seen.closed => return status,
                Some(_) | None => {}
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() {
                let screen = seen.screen().contents();
                drop(seen);
                panic!("the program did not end; the screen is\n{screen}");
            }
            seen = self.shared.news.wait_timeout(seen, left).expect("no panic elsewhere").0;
        }
    }

    /// It ended with success.
    #[track_caller]
    pub(crate) fn ok(&self) {
        let status = self.wait();
        assert!(status.success(), "{status} (signal {:?}); {}", status.signal(), self.contents());
    }

    /// Closes the terminal, as closing its window does: the program gets SIGHUP.
    pub(crate) fn close(&mut self) {
        self.stop = None;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        self.master = None;
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic elsewhere")
    }
    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.news.notify_all();
    }
}

fn nonzero(n: u16) -> std::num::NonZero<u16> {
    n.try_into().expect("a terminal has rows and columns")
}

/// Reads the terminal until it closes or `stopped` is.
fn read(master: &PtyMaster, stopped: &UnixStream, shared: &Shared) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut fds =
            [PollFd::new(master.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => panic!("poll: {e}"),
        }
        if fds[1].any() == Some(true) {
            return;
        }
        if fds[0].any() != Some(true) {
            continue;
        }
        let mut end: &PtyMaster = master;
        match end.read(&mut buffer) {
            // EIO: nobody has the other end open any more.
            Ok(0) | Err(_) => return shared.change(|seen| seen.closed = true),
            Ok(n) => shared.change(|seen| {
                seen.emulator.process(&buffer[..n]);
                seen.raw.extend_from_slice(&buffer[..n]);
            }),
        }
    }
}

#[test]
fn a_terminal_shows_what_its_program_draws_and_types_to_it() {
    let mut command = Command::new("sh");
    command.args(["-c", "stty size; printf '\\033[31mred\\033[m '; read x; echo \"got <$x>\"; exit 3"]);
    let tty = Tty::spawn(command, 91, 7);
    tty.see("7 91");
    tty.see("red");
    tty.until("the colour", |seen| {
        (seen.screen().cell(1, 0)?.fgcolor() == vt100::Color::Idx(1)).then_some(())
    });
    tty.send("hello\n");
    tty.see("got <hello>");
    assert_eq!(tty.wait().code(), Some(3));
}

#[test]
fn closing_a_terminal_hangs_up_its_program() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; exec cat"]);
    let mut tty = Tty::spawn(command, 80, 24);
    tty.see("ready");
    tty.close();
    let status = tty.until("the end", |seen| seen.status);
    assert_eq!(status.signal(), Some(libc::SIGHUP));
}
