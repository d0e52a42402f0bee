//! The terminal that a client sits at: its size, raw mode, and the signals that come from it.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Columns and rows; `None` where it is no terminal or says neither.
pub fn size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let mut window = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize`, which outlives the call; the descriptor is borrowed, so it is open.
    let got = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut window) };
    (got == 0 && window.ws_col > 0 && window.ws_row > 0).then_some((window.ws_col, window.ws_row))
}

/// A description of the same terminal that is this process's own, and does not block.
///
/// The one that was inherited is shared with the shell, which would be surprised by `O_NONBLOCK`.
///
/// # Errors
/// Where the terminal cannot be opened by name, as in another mount namespace.
pub fn reopen(terminal: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = nix::unistd::ttyname(terminal)?;
    Ok(open(&path, OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// What the terminal was set to, for whoever has to restore it: the guard, or a panic's hook.
static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

struct Saved {
    terminal: OwnedFd,
    modes: Termios,
}

/// Raw mode for as long as it lives. It is left on drop, and before a panic is reported.
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Sets raw mode. What was typed already stays readable.
    ///
    /// # Errors
    /// Where it is no terminal, or its modes cannot be set.
    pub fn enter(terminal: BorrowedFd<'_>) -> io::Result<Self> {
        let modes = tcgetattr(terminal)?;
        let copy = terminal.try_clone_to_owned()?;
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Saved { terminal: copy, modes: modes.clone() });
        let mut raw = modes;
        cfmakeraw(&mut raw);
        tcsetattr(terminal, SetArg::TCSANOW, &raw)?;
        restore_before_panics();
        Ok(Self(()))
    }

    /// Sets raw mode again, after something else (a shell, while this process was stopped) changed it.
    ///
    /// # Errors
    /// As [`RawMode::enter`].
    pub fn again(&self) -> io::Result<()> {
        let saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(saved) = saved.as_ref() {
            let mut raw = saved.modes.clone();
            cfmakeraw(&mut raw);
            tcsetattr(&saved.terminal, SetArg::TCSANOW, &raw)?;
        }
        Ok(())
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores what [`RawMode::enter`] found. What the terminal still had to say (answers to queries, mouse and focus
/// reports) is discarded: a shell would take it for typing.
fn restore() {
    let saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(saved) = saved {
        // The terminal may be gone by now, and then there is nothing to restore.
        let _ = tcflush(&saved.terminal, FlushArg::TCIFLUSH);
        // Not TCSADRAIN: a terminal that takes nothing would hold us forever.
        let _ = tcsetattr(&saved.terminal, SetArg::TCSANOW, &saved.modes);
    }
}

fn restore_before_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
    });
}

/// The signals that an attached client lives with, as a descriptor to poll and flags to read.
#[derive(Debug)]
pub struct Signals {
    wake: UnixStream,
    resized: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

/// What came since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Came {
    /// SIGWINCH.
    pub resized: bool,
    /// SIGTERM, SIGINT or SIGQUIT.
    pub ended: bool,
    /// SIGHUP: the terminal is gone.
    pub hung_up: bool,
    /// SIGCONT: something else may have used the terminal.
    pub continued: bool,
}

impl Signals {
    /// Takes the signals over from their defaults, for the rest of the process's life.
    ///
    /// # Errors
    /// The system's, where no descriptor or handler can be had.
    pub fn install() -> io::Result<Self> {
        use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
        let (wake, write) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let signals = Self {
            wake,
            resized: Arc::default(),
            ended: Arc::default(),
            hung_up: Arc::default(),
            continued: Arc::default(),
        };
        for (signal, flag) in [
            (SIGWINCH, &signals.resized),
            (SIGTERM, &signals.ended),
            (SIGINT, &signals.ended),
            (SIGQUIT, &signals.ended),
            (SIGHUP, &signals.hung_up),
            (SIGCONT, &signals.continued),
        ] {
            // The flag first: it must be up when the byte arrives.
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
        }
        Ok(signals)
    }

    /// What came since the last call.
    pub fn take(&self) -> Came {
        let mut bytes = [0; 64];
        while let Ok(n) = io::Read::read(&mut &self.wake, &mut bytes) {
            if n < bytes.len() {
                break;
            }
        }
        Came {
            resized: self.resized.swap(false, Ordering::AcqRel),
            ended: self.ended.swap(false, Ordering::AcqRel),
            hung_up: self.hung_up.swap(false, Ordering::AcqRel),
            continued: self.continued.swap(false, Ordering::AcqRel),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
