//! The state of a running host, and its poll.

use super::clients::{self, Client, Role};
use super::ending::Ending;
use super::input::Input;
use super::log::Log;
use super::programs::Records;
use super::scan::{Found, Scanner, Stretches};
use super::screen::Screen;
use super::status::Reporter;
use crate::sys::confine::Keeper;
use crate::sys::fd::{Interest, Poller, Ready, say};
use crate::sys::pty::Pty;
use crate::sys::signal::Signals;
use crate::wire::host::Welcome;
use crate::wire::order::StartOrder;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The emulator's queue is worked off when the session was silent for so long.
const SETTLE_AFTER: Duration = Duration::from_millis(10);
/// And when it was silent for so long, it takes as little memory as it can.
const REST_AFTER: Duration = Duration::from_secs(1);
/// First and largest size of a batch of output.
pub(super) const BATCH: (usize, usize) = (4 << 10, 64 << 10);

/// A session's socket in the file system.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    /// Device and inode of what was bound.
    pub(super) node: (u64, u64),
}

/// See the module.
pub(super) struct Host {
    pub(super) order: StartOrder,
    /// What a `Hello` is answered with; the child's pid is 0 once it is gone.
    pub(super) welcome: Welcome,
    pub(super) child: i32,
    pub(super) pty: Pty,
    pub(super) signals: Signals,
    /// None once the session ended.
    pub(super) socket: Option<Socket>,
    /// Locked for as long as this process lives.
    _mark: Option<File>,
    /// None where the program sees what we see.
    keeper: Option<Keeper>,
    pub(super) clients: Vec<Client>,
    pub(super) activity: u64,
    pub(super) size: (u16, u16),
    pub(super) log: Log,
    pub(super) screen: Screen,
    pub(super) scanner: Scanner,
    pub(super) found: Vec<Found>,
    /// What is scrollback of the primary screen.
    pub(super) stretches: Stretches,
    pub(super) input: Input,
    pub(super) reporter: Reporter,
    pub(super) programs: Records,
    pub(super) ending: Ending,
    pub(super) batch: Vec<u8>,
    /// When the session will have been silent long enough to work off what waits.
    settle_at: Option<Instant>,
    /// And to take as little memory as it can.
    rest_at: Option<Instant>,
}

/// What a descriptor of the poll belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Listener,
    Pty,
    Manager,
    View,
    /// By its place in the list of clients.
    Client(usize),
}

/// Everything that a host begins with.
pub(super) struct Parts {
    pub(super) order: StartOrder,
    pub(super) welcome: Welcome,
    pub(super) child: i32,
    pub(super) pty: Pty,
    pub(super) signals: Signals,
    pub(super) socket: Socket,
    pub(super) log: Log,
    pub(super) size: (u16, u16),
    pub(super) mark: Option<File>,
    pub(super) keeper: Option<Keeper>,
}

impl Host {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { order, welcome, child, pty, signals, socket, log, size, mark, keeper } = parts;
        let mut screen = Screen::new(size.0, size.1);
        screen.rest();
        crate::sys::fd::trim_heap();
        Self {
            order,
            welcome,
            child,
            pty,
            signals,
            socket: Some(socket),
            _mark: mark,
            keeper,
            clients: Vec::new(),
            activity: 0,
            size,
            log,
            screen,
            scanner: Scanner::new(),
            found: Vec::new(),
            stretches: Stretches::default(),
            input: Input::default(),
            reporter: Reporter::default(),
            programs: Records::default(),
            ending: Ending::default(),
            batch: vec![0; BATCH.0],
            settle_at: None,
            rest_at: None,
        }
    }

    /// Serves the session until it ended and everybody was told.
    pub(super) fn run(mut self) {
        let mut poller = Poller::default();
        let mut sources = Vec::new();
        while !self.is_over() {
            let now = Instant::now();
            let deadline = self.prepare(&mut poller, &mut sources, now);
            let timeout = deadline.map(|t| t.saturating_duration_since(now));
            if poller.wait(timeout).is_err() {
                // Only for want of memory; what is ready is asked for again at once.
                continue;
            }
            let now = Instant::now();
            for (number, source) in sources.iter().enumerate() {
                let ready = poller.ready(number);
                if ready != Ready::default() {
                    self.on_ready(*source, ready, now);
                }
            }
            self.on_time(now);
            self.bury(now);
        }
    }

    /// Everybody who could be told was told.
    fn is_over(&self) -> bool {
        self.ending.is_told() && self.clients.is_empty()
    }

    /// Asks the poll about everything that matters now, and says until when at the latest.
    fn prepare(&self, poller: &mut Poller, sources: &mut Vec<Source>, now: Instant) -> Option<Instant> {
        poller.clear();
        sources.clear();
        let mut deadline = self.ending.deadline();
        let mut until = |t: Option<Instant>| deadline = deadline.into_iter().chain(t).min();
        until(self.input.deadline());
        until(self.settle_at);
        until(self.rest_at);
        until(self.log.deadline());
        if self.has_watchers() {
            until(self.reporter.deadline());
        }

        poller.add(self.signals.fd(), Interest { read: true, write: false });
        sources.push(Source::Signals);
        if !self.ending.is_told() {
            let pace = clients::pace(&self.clients, now).and_then(|()| self.log.pace());
            until(pace.err());
            let interest = Interest { read: pace.is_ok(), write: self.input.wants_room() };
            if interest != Interest::default() {
                poller.add(self.pty.fd(), interest);
                sources.push(Source::Pty);
            }
        }
        for (place, client) in self.clients.iter().enumerate() {
            let held = client.terminal().is_some() && self.input.is_full();
            let read = client.listens() && !held;
            poller.add(client.stream.as_fd(), Interest { read, write: !client.out.is_empty() });
            sources.push(Source::Client(place));
            if client.closing {
                until(Some(client.progress + Self::FAREWELL));
            }
        }
        if let Some(socket) = &self.socket {
            poller.add(socket.listener.as_fd(), Interest { read: true, write: false });
            sources.push(Source::Listener);
        }
        if let Some(fd) = self.ending.manager_fd() {
            poller.add(fd, Interest { read: true, write: false });
            sources.push(Source::Manager);
        }
        if let Some(keeper) = &self.keeper {
            poller.add(keeper.fd(), Interest { read: true, write: false });
            sources.push(Source::View);
        }
        deadline
    }

    /// A client that is to be closed and takes nothing for so long is given up.
    const FAREWELL: Duration = Duration::from_secs(2);

    fn on_ready(&mut self, source: Source, ready: Ready, now: Instant) {
        match source {
            Source::Signals => self.on_signals(now),
            Source::Listener => self.accept(now),
            Source::Manager => self.ending.read_manager(),
            Source::View => self.mend_view(),
            Source::Pty => {
                if ready.write {
                    self.input.flush(&self.pty, now);
                }
                if ready.read || ready.hangup {
                    self.read_output(now);
                }
            }
            Source::Client(place) => {
                if ready.write
                    && let Some(client) = self.clients.get_mut(place)
                {
                    client.flush(now);
                    self.caught_up(place, now);
                    self.serve(place, now);
                }
                if ready.read || ready.hangup {
                    self.read_client(place, ready.hangup, now);
                }
            }
        }
    }

    fn mend_view(&mut self) {
        if let Some(Err(e)) = self.keeper.as_ref().map(Keeper::mend) {
            say(&format!("abide-host: what is read-only for the session cannot be kept so any more: {e}\n"));
            self.keeper = None;
        }
    }

    fn on_time(&mut self, now: Instant) {
        if self.input.deadline().is_some_and(|t| t <= now) {
            self.input.flush(&self.pty, now);
        }
        if self.settle_at.is_some_and(|t| t <= now) {
            self.settle_at = None;
            self.screen.settle();
        }
        if self.rest_at.is_some_and(|t| t <= now) {
            self.rest();
        }
        if self.log.deadline().is_some_and(|t| t <= now) {
            self.log.poke();
        }
        if self.has_watchers() && self.reporter.deadline().is_some_and(|t| t <= now) {
            self.tell_status(now);
        }
        for client in &mut self.clients {
            client.gone |= client.closing && now.duration_since(client.progress) >= Self::FAREWELL;
        }
        self.serve_held(now);
        self.go_on_ending(now);
    }

    /// Forgets connections that ended.
    fn bury(&mut self, now: Instant) {
        let lost = self.clients.iter().any(|c| c.gone && c.terminal().is_some());
        self.clients.retain(|c| !c.gone);
        if lost {
            self.terminal_left(now);
        }
    }

    /// The session has been silent: keeps no more memory than an idle session needs.
    fn rest(&mut self) {
        self.rest_at = None;
        self.log.rest();
        self.screen.rest();
        self.batch = vec![0; BATCH.0];
        self.found = Vec::new();
        crate::sys::fd::trim_heap();
    }

    /// Something passed through; what it leaves to be done is done once the session is silent.
    pub(super) fn passed(&mut self, now: Instant) {
        self.settle_at = Some(now + SETTLE_AFTER);
        self.rest_at = Some(now + REST_AFTER);
    }

    fn has_watchers(&self) -> bool {
        self.clients.iter().any(|c| matches!(c.role, Role::Watcher { .. }))
    }

    pub(super) fn accept(&mut self, now: Instant) {
        loop {
            let Some(socket) = &self.socket else { return };
            match socket.listener.accept() {
                Ok((stream, _)) => self.welcome_connection(stream, now),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Out of descriptors, say: without one connection less the same would come at once again.
                    self.displace_guest();
                    return;
                }
            }
        }
    }
}
