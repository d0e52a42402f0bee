//! Joins a terminal to a session: two descriptors and the signals in one poll, one read and one write a hop.
//!
//! The terminal is in raw mode only while [`run`] is under way, and whatever ends it (the detach key, the session's
//! end, the host's death, a signal, a panic) restores it. The host takes back what it set on the terminal (alternate
//! screen, mouse, keyboard modes); where it cannot any more, `LAST_RESORT` does.

use super::detach::{Recogniser, Typed};
use super::host::{HostError, HostLink};
use crate::config::DetachKey;
use crate::sys::terminal::{self, RawMode, Signals};
use crate::wire::exit::ExitRecord;
use crate::wire::frame::Inbox;
use crate::wire::host::{Farewell, OUTPUT, Refusal, Reply, Request};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How to attach.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only look.
    pub read_only: bool,
    /// Lines of scrollback to print first, at most.
    pub scrollback: u32,
    /// What detaches; none for nothing.
    pub detach: Option<DetachKey>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By the detach key, a signal or the terminal's end. The session goes on.
    Detached,
    /// The session ended; how, where the host could say.
    Session(Option<Box<ExitRecord>>),
    /// The connection broke: the host is gone, or gave us up. Says why.
    Lost(String),
}

/// What a terminal may have been set to, undone without knowing whether it was: leave the alternate screen, reset
/// the scroll region (which homes the cursor, so that is saved), origin and insert mode, colours, cursor, keypad,
/// mouse, focus, paste, synchronised output and keyboard modes, and go below everything.
const LAST_RESORT: &[u8] = b"\x1b[?2026l\x1b[?1047l\x1b7\x1b[r\x1b8\x1b[?6l\x1b[4l\x1b[?7h\x1b[m\x1b(B\x0f\x1b[?25h\
\x1b[0 q\x1b[?1l\x1b>\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\
\x1b[?2031l\x1b[<99u\x1b[>4m\x1b[999B\r\n";

/// Puts the terminal's titles onto its stack (XTWINOPS 22), and takes them back from there: the session sets its own.
const KEEP_TITLE: &[u8] = b"\x1b[22;0t";
/// See [`KEEP_TITLE`].
const TITLE_BACK: &[u8] = b"\x1b[23;0t";

/// How long a host may take to let go of a terminal that wants to leave.
const FAREWELL: Duration = Duration::from_millis(1_000);

/// Input that the host did not take yet may grow to this before no more is read from the terminal.
const INPUT_LIMIT: usize = 64 << 10;

/// Size of one read from the host: as much as a socket holds by default.
const CHUNK: usize = 256 << 10;

struct Attached {
    socket: UnixStream,
    inbox: Inbox,
    keyboard: OwnedFd,
    screen: Screen,
    recogniser: Recogniser,
    /// Frames on their way to the host.
    to_host: Vec<u8>,
    read_only: bool,
    /// Since when we wait for the host to let go.
    leaving: Option<Instant>,
    /// The end, once known; it comes true when the screen has taken everything.
    end: Option<Ended>,
    exit: Option<Box<ExitRecord>>,
    /// The terminal is gone.
    hung_up: bool,
    /// The host has taken back what it set on the terminal.
    released: bool,
}

/// The terminal's output, and what it did not take yet.
struct Screen {
    out: OwnedFd,
    pending: Vec<u8>,
    written: usize,
}

/// Attaches until something ends it.
///
/// # Errors
/// [`HostError`] where the host refuses, [`HostError::Socket`] where the terminal cannot be used.
pub fn run(
    link: HostLink,
    keyboard: BorrowedFd<'_>,
    screen: BorrowedFd<'_>,
    options: &Options,
) -> Result<Ended, HostError> {
    let system = |e: io::Error| HostError::Socket(format!("the terminal cannot be used: {e}"));
    // Where it cannot be opened anew, writes block; all but a stalled terminal is well served even so.
    let own = terminal::reopen(screen).or_else(|_| screen.try_clone_to_owned()).map_err(system)?;
    let keyboard = keyboard.try_clone_to_owned().map_err(system)?;
    let signals = Signals::install().map_err(system)?;
    let (cols, rows) = terminal::size(own.as_fd()).unwrap_or((80, 24));
    let (socket, inbox) = link.into_parts();
    socket.set_nonblocking(true).map_err(HostError::Broken)?;
    let attach = Request::Attach { cols, rows, read_only: options.read_only, scrollback: options.scrollback };
    let mut attached = Attached {
        socket,
        inbox,
        keyboard,
        // What the terminal shows now scrolls off into its own scrollback, and not a line more: from wherever the
        // cursor is, so many line feeds bring the line above it just past the top.
        screen: Screen {
            out: own,
            pending: [KEEP_TITLE, &b"\r\n".repeat(usize::from(rows) - 1)].concat(),
            written: 0,
        },
        recogniser: Recogniser::new(options.detach.clone()),
        to_host: attach.frame(),
        read_only: options.read_only,
        leaving: None,
        end: None,
        exit: None,
        hung_up: false,
        released: false,
    };
    let raw = RawMode::enter(attached.keyboard.as_fd()).map_err(system)?;
    let ended = attached.go(&signals, &raw);
    if !attached.hung_up {
        if !attached.released {
            attached.screen.last_resort();
        }
        attached.screen.give_back_title();
    }
    drop(raw);
    ended
}

impl Attached {
    fn go(&mut self, signals: &Signals, raw: &RawMode) -> Result<Ended, HostError> {
        let mut buffer = vec![0; CHUNK];
        self.take_frames()?;
        loop {
            self.flush();
            if let Some(end) = &self.end
                && (self.screen.is_done() || self.hung_up)
            {
                return Ok(end.clone());
            }
            let patience = match self.leaving {
                None => PollTimeout::NONE,
                Some(since) => match FAREWELL.checked_sub(since.elapsed()) {
                    // The host does not answer: leave without its help.
                    None => return Ok(Ended::Detached),
                    Some(left) => PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO),
                },
            };
            let (socket, keyboard, screen, woken) = self.wait(signals, patience)?;
            if woken {
                self.heed(signals, raw)?;
            }
            if keyboard {
                self.read_keyboard(&mut buffer)?;
            }
            if screen {
                self.screen.flush();
            }
            if socket {
                self.read_host(&mut buffer)?;
            }
        }
    }

    /// Waits until something can be done: read the socket, read the keyboard, write the screen, heed signals.
    fn wait(&self, signals: &Signals, patience: PollTimeout) -> Result<(bool, bool, bool, bool), HostError> {
        let when = |wanted: bool, flag: PollFlags| if wanted { flag } else { PollFlags::empty() };
        // While the terminal has not taken what came, no more is fetched: the host knows how to live with that.
        let socket_events = when(self.screen.is_done() && self.end.is_none(), PollFlags::POLLIN)
            | when(!self.to_host.is_empty(), PollFlags::POLLOUT);
        let typing = !self.hung_up && self.leaving.is_none() && self.to_host.len() < INPUT_LIMIT;
        let mut fds = vec![
            PollFd::new(self.socket.as_fd(), socket_events),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.screen.out.as_fd(), when(!self.screen.is_done(), PollFlags::POLLOUT)),
        ];
        if typing {
            // Left out rather than asked for nothing: a terminal that hung up reports that whether asked or not.
            fds.push(PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, patience) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(HostError::Broken(e.into())),
        }
        let any = |i: usize| fds.get(i).and_then(PollFd::any).unwrap_or(false);
        Ok((any(0) && self.end.is_none(), any(3), any(2), any(1)))
    }

    fn heed(&mut self, signals: &Signals, raw: &RawMode) -> Result<(), HostError> {
        let came = signals.take();
        if came.continued {
            // A shell had the terminal in between. Asking for the size again makes the host paint it anew.
            raw.again().map_err(HostError::Broken)?;
        }
        if (came.resized || came.continued)
            && let Some((cols, rows)) = terminal::size(self.screen.out.as_fd())
        {
            self.to_host.extend_from_slice(&Request::Resize { cols, rows }.frame());
        }
        if came.hung_up {
            self.hang_up();
        } else if came.ended {
            self.leave();
        }
        Ok(())
    }

    fn hang_up(&mut self) {
        self.hung_up = true;
        self.end = Some(Ended::Detached);
    }

    fn leave(&mut self) {
        if self.leaving.is_none() {
            self.to_host.extend_from_slice(&Request::Detach.frame());
            self.leaving = Some(Instant::now());
        }
    }

    fn read_keyboard(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        match nix::unistd::read(&self.keyboard, buffer) {
            Ok(0) | Err(nix::errno::Errno::EIO | nix::errno::Errno::ENXIO) => self.hang_up(),
            Ok(n) => {
                let mut typed = Vec::with_capacity(n);
                let what = self.recogniser.feed(&buffer[..n], &mut typed);
                if !typed.is_empty() && !self.read_only {
                    self.to_host.extend_from_slice(&Request::Input(typed).frame());
                }
                if what == Typed::Detach {
                    self.leave();
                }
            }
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
            Err(e) => return Err(HostError::Socket(format!("the terminal cannot be read: {e}"))),
        }
        Ok(())
    }

    fn read_host(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        match (&self.socket).read(buffer) {
            Ok(0) => self.broke("its host closed the connection"),
            Ok(n) => {
                self.inbox.extend(&buffer[..n]);
                self.take_frames()?;
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => self.broke(&e.to_string()),
        }
        Ok(())
    }

    fn broke(&mut self, why: &str) {
        if self.end.is_none() {
            self.end = Some(match self.exit.take() {
                Some(exit) => Ended::Session(Some(exit)),
                None => Ended::Lost(why.to_owned()),
            });
        }
    }

    /// Acts on all frames that are whole; output is gathered and written at once.
    fn take_frames(&mut self) -> Result<(), HostError> {
        loop {
            let frame = self.inbox.next_frame().map_err(|e| HostError::Garbled(e.to_string()))?;
            let Some((kind, payload)) = frame else { break };
            if kind == OUTPUT {
                self.screen.pending.extend_from_slice(payload);
                continue;
            }
            match Reply::decode(kind, payload) {
                Ok(Reply::Exited(record)) => self.exit = Some(Box::new(record)),
                Ok(Reply::Bye(why)) => {
                    self.released = true;
                    self.end = Some(match why {
                        Farewell::Ended => Ended::Session(self.exit.take()),
                        Farewell::Detached => Ended::Detached,
                    });
                }
                Ok(Reply::Refused(Refusal::Busy, _)) => {}
                Ok(Reply::Refused(why, text)) => return Err(HostError::Refused(why, text)),
                // Of no concern to a terminal, or of a later version.
                Ok(
                    Reply::Welcome(_)
                    | Reply::Output(_)
                    | Reply::Data { .. }
                    | Reply::Following { .. }
                    | Reply::Status(_)
                    | Reply::Screen { .. }
                    | Reply::Done,
                )
                | Err(_) => {}
            }
        }
        self.screen.flush();
        Ok(())
    }

    fn flush(&mut self) {
        while !self.to_host.is_empty() {
            match (&self.socket).write(&self.to_host) {
                Ok(n) => drop(self.to_host.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // What it still had to say is read first: that it ended, perhaps.
                Err(_) => self.to_host.clear(),
            }
        }
    }
}

impl Screen {
    fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// Writes what the terminal takes.
    fn flush(&mut self) {
        while self.written < self.pending.len() {
            match nix::unistd::write(&self.out, &self.pending[self.written..]) {
                Ok(n) => self.written += n,
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => return,
                // The terminal is gone; that is noticed by reading from it.
                Err(_) => break,
            }
        }
        self.pending.clear();
        self.written = 0;
    }

    /// The last thing that is written, after what the host or [`LAST_RESORT`] took back.
    fn give_back_title(&mut self) {
        self.pending.extend_from_slice(TITLE_BACK);
        self.flush();
    }

    /// Restores the terminal without the host. What it has not taken by now is not waited for.
    fn last_resort(&mut self) {
        self.pending.clear();
        self.written = 0;
        self.pending.extend_from_slice(LAST_RESORT);
        self.flush();
    }
}
