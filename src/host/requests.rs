//! What clients ask.

use super::clients::{Client, MAX_BEFORE_HELLO, MAX_CLIENTS, Role, Terminal};
use super::event_loop::Host;
use super::input::{Enter, bracketed};
use crate::sys::{fd, peer, signal};
use crate::wire::exit::Cause;
use crate::wire::host::{self, Farewell, Refusal, Reply, Request, Status, Undecodable};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What the kernel may hold for a terminal: a flood goes out in large pieces.
const TERMINAL_BUFFER: usize = 1 << 20;
/// Bounds of a terminal's size: no emulator is made to hold more cells.
const MAX_SIZE: (u16, u16) = (1000, 500);
/// Bytes of log per line of scrollback that are looked at, and in all.
const TAIL: (u64, u64) = (256, 4 << 20);

impl Host {
    /// A connection was accepted.
    pub(super) fn welcome_connection(&mut self, stream: UnixStream, now: Instant) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let mut client = Client::new(stream, now);
        if !peer::Credentials::of(&client.stream).is_ok_and(|peer| peer.is_ours()) {
            client.reply(&refused(Refusal::Permission, "this session belongs to another user"), now);
            return;
        }
        if self.clients.len() >= MAX_CLIENTS && !self.displace_guest() {
            client.reply(&refused(Refusal::System, "the session has too many clients"), now);
            return;
        }
        self.clients.push(client);
    }

    /// Drops the oldest connection that has no role. False where there is none.
    pub(super) fn displace_guest(&mut self) -> bool {
        let oldest = self.clients.iter().position(|c| c.role == Role::Guest && !c.gone);
        if let Some(client) = oldest.and_then(|place| self.clients.get_mut(place)) {
            client.gone = true;
        }
        oldest.is_some()
    }

    /// Reads what a client sent, and does it.
    pub(super) fn read_client(&mut self, place: usize, hangup: bool, now: Instant) {
        let mut buffer = [0; 16 << 10];
        loop {
            let Some(client) = self.clients.get_mut(place) else { return };
            if client.gone || (client.closing && !hangup) {
                return;
            }
            match client.stream.read(&mut buffer) {
                Ok(0) => {
                    self.drop_client(place, now);
                    return;
                }
                // Whatever still comes from a client that is about to be closed is of no interest.
                Ok(_) if client.closing => {}
                Ok(n) => {
                    client.inbox.extend(&buffer[..n]);
                    self.serve(place, now);
                    if n < buffer.len() && !hangup {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && !hangup => return,
                Err(_) => {
                    self.drop_client(place, now);
                    return;
                }
            }
        }
    }

    /// Clients whose requests had to wait for room in the input.
    pub(super) fn serve_held(&mut self, now: Instant) {
        for place in 0..self.clients.len() {
            if self.clients.get(place).is_some_and(|c| !c.inbox.is_empty() && c.terminal().is_some()) {
                self.serve(place, now);
            }
        }
    }

    /// Does what the client asked for, as far as whole requests are there.
    pub(super) fn serve(&mut self, place: usize, now: Instant) {
        loop {
            let full = self.input.is_full();
            let Some(client) = self.clients.get_mut(place) else { return };
            if !client.listens() || (full && client.terminal().is_some()) {
                return;
            }
            let greeted = client.greeted;
            let request = match client.inbox.next_frame() {
                Ok(Some((host::INPUT, payload))) => {
                    let payload = payload.to_vec();
                    self.typed(place, &payload, now);
                    continue;
                }
                Ok(Some((kind, payload))) => Request::decode(kind, payload),
                Ok(None) => {
                    client.gone |= !greeted && client.inbox.len() > MAX_BEFORE_HELLO;
                    return;
                }
                Err(_) => {
                    // Not this protocol: nothing that follows could be read.
                    self.drop_client(place, now);
                    return;
                }
            };
            self.answer(place, request, now);
        }
    }

    fn answer(&mut self, place: usize, request: Result<Request, Undecodable>, now: Instant) {
        let greeted = self.clients.get(place).is_some_and(|c| c.greeted);
        let reply = match request {
            Err(error) => refused(Refusal::Unknown, &error.to_string()),
            Ok(Request::Hello { min, max, .. }) if !greeted => self.hello(place, min, max),
            Ok(_) if !greeted => refused(Refusal::State, "a Hello comes first"),
            Ok(Request::Hello { .. }) => refused(Refusal::State, "one Hello is enough"),
            Ok(Request::Attach { cols, rows, read_only, scrollback }) => {
                return self.attach(place, (cols, rows), read_only, scrollback, now);
            }
            Ok(Request::Input(bytes)) => return self.typed(place, &bytes, now),
            Ok(Request::Resize { cols, rows }) => return self.resized(place, (cols, rows), now),
            Ok(Request::Detach) => return self.detach(place, now),
            Ok(Request::Follow) if self.take_role(place, Role::Follower) => return self.follow(place, now),
            Ok(Request::Watch) if self.take_role(place, Role::Watcher { owed: false }) => {
                // The others first: what is told to all must not be older than what one was told.
                self.tell_status(now);
                Reply::Status(self.status(now))
            }
            Ok(Request::Follow | Request::Watch) => has_its_role(),
            Ok(Request::Send { request, text, paste, enter }) => self.send(request, &text, paste, enter, now),
            Ok(Request::Peek) => self.peek(now),
            Ok(Request::Stop { grace_ms }) => {
                self.stop(Cause::Asked, Duration::from_millis(u64::from(grace_ms)), now);
                Reply::Done
            }
            Ok(Request::Signal(number)) => self.signal_foreground(number),
        };
        if let Some(client) = self.clients.get_mut(place) {
            client.reply(&reply, now);
            if client.closing {
                client.close();
            }
        }
    }

    fn hello(&mut self, place: usize, min: u16, max: u16) -> Reply {
        let version = max.min(host::CURRENT);
        let Some(client) = self.clients.get_mut(place) else { return Reply::Done };
        if version < min.max(host::MIN) {
            client.closing = true;
            let text = format!(
                "this session's host speaks versions {} to {} of its protocol",
                host::MIN,
                host::CURRENT
            );
            return refused(Refusal::Version, &text);
        }
        client.greeted = true;
        // Whoever comes finds in the files what others have seen.
        self.log.settle();
        Reply::Welcome(host::Welcome { version, ..self.welcome.clone() })
    }

    /// Gives a connection the role for which it asked. False where it has one already.
    fn take_role(&mut self, place: usize, role: Role) -> bool {
        match self.clients.get_mut(place) {
            Some(client) if client.role == Role::Guest => {
                client.role = role;
                true
            }
            Some(_) | None => false,
        }
    }

    fn attach(&mut self, place: usize, size: (u16, u16), read_only: bool, lines: u32, now: Instant) {
        let (cols, rows) = self.sane(size);
        self.activity += 1;
        let terminal = Terminal { cols, rows, read_only, behind: false, active: self.activity };
        if !self.take_role(place, Role::Terminal(terminal)) {
            if let Some(client) = self.clients.get_mut(place) {
                client.reply(&has_its_role(), now);
            }
            return;
        }
        if !read_only || self.nobody_types() {
            self.set_size((cols, rows));
        }
        self.screen.settle();
        let lines = lines.min(self.order.scrollback);
        let tail = if lines == 0 { Vec::new() } else { self.scrollback(lines) };
        let picture = self.screen.repaint(&tail, lines);
        self.passed(now);
        if let Some(client) = self.clients.get_mut(place) {
            fd::widen_send_buffer(&client.stream, TERMINAL_BUFFER);
            client.output(&picture, now);
        }
        self.reporter.may_have_changed(now);
    }

    /// The end of what was written to the primary screen, from the beginning of a line, with about so many lines.
    fn scrollback(&self, lines: u32) -> Vec<u8> {
        let (from, tail) = self.log.tail(u64::from(lines).saturating_mul(TAIL.0).clamp(64 << 10, TAIL.1));
        let within = |offset: u64| usize::try_from(offset - from).unwrap_or(usize::MAX);
        let stretches = self.stretches.primary(from..self.log.offset());
        let mut whole = from == self.log.first();
        let mut bytes = Vec::with_capacity(tail.len());
        for stretch in stretches {
            whole &= !bytes.is_empty() || stretch.start == from;
            bytes.extend_from_slice(tail.get(within(stretch.start)..within(stretch.end)).unwrap_or_default());
        }
        if !whole {
            let line = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
            bytes.drain(..line);
        }
        bytes
    }

    fn typed(&mut self, place: usize, bytes: &[u8], now: Instant) {
        let may = self.clients.get(place).and_then(Client::terminal).is_some_and(|t| !t.read_only);
        if !may {
            if let Some(client) = self.clients.get_mut(place) {
                client.reply(&refused(Refusal::State, "this connection may not type"), now);
            }
            return;
        }
        self.input.push(&self.pty, bytes, now);
        self.reporter.facts.inputs = self.reporter.facts.inputs.wrapping_add(1);
        self.reporter.may_have_changed(now);
        self.became_active(place);
    }

    /// The size follows the terminal that was active last.
    fn became_active(&mut self, place: usize) {
        let last = self.activity;
        let Some(terminal) = self.clients.get_mut(place).and_then(Client::terminal_mut) else { return };
        if terminal.active != last {
            self.activity += 1;
            terminal.active = self.activity;
            let size = (terminal.cols, terminal.rows);
            self.set_size(size);
        }
    }

    fn resized(&mut self, place: usize, size: (u16, u16), now: Instant) {
        let (cols, rows) = self.sane(size);
        let Some(client) = self.clients.get_mut(place) else { return };
        let Some(terminal) = client.terminal_mut() else {
            client.reply(&refused(Refusal::State, "this connection is no terminal"), now);
            return;
        };
        (terminal.cols, terminal.rows) = (cols, rows);
        if !terminal.read_only {
            self.activity += 1;
            terminal.active = self.activity;
            self.set_size((cols, rows));
            self.reporter.may_have_changed(now);
        } else if self.nobody_types() {
            self.set_size((cols, rows));
        }
    }

    /// While nobody attached may type, who only looks should see all of the screen.
    fn nobody_types(&self) -> bool {
        !self.clients.iter().filter(|c| !c.gone).filter_map(Client::terminal).any(|t| !t.read_only)
    }

    fn set_size(&mut self, size: (u16, u16)) {
        if size != self.size && self.pty.resize(size.0, size.1).is_ok() {
            self.size = size;
            // What was written so far was meant for the old size.
            self.screen.settle();
            self.screen.resize(size.0, size.1);
        }
    }

    /// A size that a terminal can have; the present one for one that does not know its own.
    fn sane(&self, (cols, rows): (u16, u16)) -> (u16, u16) {
        if cols == 0 || rows == 0 { self.size } else { (cols.min(MAX_SIZE.0), rows.min(MAX_SIZE.1)) }
    }

    fn detach(&mut self, place: usize, now: Instant) {
        let attached = self.clients.get(place).is_some_and(|c| c.terminal().is_some());
        if !attached {
            if let Some(client) = self.clients.get_mut(place) {
                client.reply(&refused(Refusal::State, "this connection is no terminal"), now);
            }
            return;
        }
        self.screen.settle();
        let restore = self.screen.restore();
        if let Some(client) = self.clients.get_mut(place) {
            client.output(&restore, now);
            client.reply(&Reply::Bye(Farewell::Detached), now);
            client.role = Role::Guest;
            client.close();
        }
        self.terminal_left(now);
    }

    /// A client is gone.
    fn drop_client(&mut self, place: usize, now: Instant) {
        let Some(client) = self.clients.get_mut(place) else { return };
        client.gone = true;
        if client.terminal().is_some() {
            client.role = Role::Guest;
            self.terminal_left(now);
        }
    }

    /// The size follows the last active of those that stay.
    pub(super) fn terminal_left(&mut self, now: Instant) {
        let typing =
            self.clients.iter().filter(|c| !c.gone).filter_map(Client::terminal).filter(|t| !t.read_only);
        if let Some(next) = typing.max_by_key(|t| t.active) {
            let size = (next.cols, next.rows);
            self.set_size(size);
        }
        self.reporter.may_have_changed(now);
    }

    fn send(&mut self, request: [u8; 16], text: &[u8], paste: bool, enter: bool, now: Instant) -> Reply {
        if self.input.was_done(request) {
            return Reply::Done;
        }
        let text = if paste && self.screen.bracketed_paste() { &bracketed(text) } else { text };
        let enter = enter.then(|| if self.pty.reads_lines() { Enter::AtOnce } else { Enter::Apart });
        if !self.input.send(&self.pty, request, text, enter, now) {
            return refused(Refusal::Busy, "the session does not read its input");
        }
        self.reporter.facts.inputs = self.reporter.facts.inputs.wrapping_add(1);
        self.reporter.may_have_changed(now);
        Reply::Done
    }

    fn peek(&mut self, now: Instant) -> Reply {
        self.screen.settle();
        let shown = self.screen.text();
        self.passed(now);
        Reply::Screen { cols: shown.cols, rows: shown.rows, cursor: shown.cursor, text: shown.text }
    }

    fn signal_foreground(&self, number: u8) -> Reply {
        let group = self.pty.foreground().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        match group.and_then(|group| signal::send_group(group, i32::from(number))) {
            Ok(()) => Reply::Done,
            Err(e) => refused(Refusal::System, &format!("signal {number}: {e}")),
        }
    }

    /// The status as it is now.
    pub(super) fn status(&self, now: Instant) -> Status {
        let terminals = || self.clients.iter().filter(|c| !c.gone).filter_map(Client::terminal);
        let count = |read_only: bool| {
            u16::try_from(terminals().filter(|t| t.read_only == read_only).count()).unwrap_or(u16::MAX)
        };
        let (writers, readers) = (count(false), count(true));
        let (unlogged, log_errno) = self.log.losses();
        Status {
            writers,
            readers,
            offset: self.log.offset(),
            unlogged,
            log_errno,
            active: self.reporter.active(now),
            leader_foreground: self.pty.foreground() == Some(self.child),
            cols: self.size.0,
            rows: self.size.1,
            program: self.programs.own().to_owned(),
            blocked: self.programs.blocked(),
            ..self.reporter.facts.clone()
        }
    }

    /// Tells watchers the status, if it changed.
    pub(super) fn tell_status(&mut self, now: Instant) {
        let status = self.status(now);
        if !self.reporter.looked(&status, now) {
            return;
        }
        let told = Reply::Status(status).frame();
        for client in &mut self.clients {
            if let Role::Watcher { owed } = &mut client.role {
                // One that takes nothing is told the newest when it does, not each.
                *owed = !client.out.is_empty();
                if !*owed {
                    client.send(&[&told], now);
                }
            }
        }
    }

    /// A watcher took the last status: it gets the one that it missed.
    pub(super) fn tell_owed(&mut self, place: usize, now: Instant) {
        let status = self.status(now);
        if let Some(client) = self.clients.get_mut(place) {
            client.role = Role::Watcher { owed: false };
            client.reply(&Reply::Status(status), now);
        }
    }
}

fn has_its_role() -> Reply {
    refused(Refusal::State, "this connection has its role already")
}

fn refused(why: Refusal, text: &str) -> Reply {
    Reply::Refused(why, text.to_owned())
}
