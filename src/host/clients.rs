//! Connections and their roles.

use super::outgoing::Outgoing;
use crate::wire::frame::{self, Inbox};
use crate::wire::host::{self, Reply};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Connections at a time. One more displaces the oldest that has no role yet, or is refused.
pub(super) const MAX_CLIENTS: usize = 64;
/// Bytes that a connection may send before its `Hello` is complete.
pub(super) const MAX_BEFORE_HELLO: usize = 4096;
/// Bytes that a terminal may lag behind.
pub(super) const LAG: usize = 1 << 20;
/// From here on a terminal counts as full: a whole batch still fits below [`LAG`].
pub(super) const FULL: usize = LAG - (128 << 10);
/// A terminal that took nothing for so long sets no pace.
pub(super) const STALLED: Duration = Duration::from_millis(250);
/// What a single question's asker may leave unread before its next question is looked at.
const UNREAD_ANSWERS: usize = 64 << 10;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: UnixStream,
    pub(super) inbox: Inbox,
    pub(super) out: Outgoing,
    pub(super) role: Role,
    /// Its `Hello` was accepted.
    pub(super) greeted: bool,
    /// Nothing more is read; it is closed once it took what waits.
    pub(super) closing: bool,
    /// It is gone, to be removed.
    pub(super) gone: bool,
    /// When it last took something, or had nothing to take.
    pub(super) progress: Instant,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks single questions.
    Guest,
    /// Shows the session.
    Terminal(Terminal),
    /// Gets the numbered output.
    Follower,
    /// Gets the status.
    Watcher {
        /// A status changed while it had not taken the last one.
        owed: bool,
    },
}

/// An attached terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terminal {
    pub(super) cols: u16,
    pub(super) rows: u16,
    pub(super) read_only: bool,
    /// It fell a whole buffer behind: output passes it by until it drained, and then it is repainted.
    pub(super) behind: bool,
    /// Rises with each activity; the highest is the last active.
    pub(super) active: u64,
}

impl Client {
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
            out: Outgoing::default(),
            role: Role::Guest,
            greeted: false,
            closing: false,
            gone: false,
            progress: now,
        }
    }

    /// The terminal that this is, if it is one.
    pub(super) fn terminal(&self) -> Option<&Terminal> {
        match &self.role {
            Role::Terminal(t) => Some(t),
            Role::Guest | Role::Follower | Role::Watcher { .. } => None,
        }
    }

    /// The same, to change it.
    pub(super) fn terminal_mut(&mut self) -> Option<&mut Terminal> {
        match &mut self.role {
            Role::Terminal(t) => Some(t),
            Role::Guest | Role::Follower | Role::Watcher { .. } => None,
        }
    }

    /// Sends parts of a frame (or whole ones).
    pub(super) fn send(&mut self, parts: &[&[u8]], now: Instant) {
        if self.gone {
            return;
        }
        if self.out.is_empty() {
            self.progress = now;
        }
        self.gone = self.out.send(&self.stream, parts).is_err();
    }

    /// Sends a message.
    pub(super) fn reply(&mut self, reply: &Reply, now: Instant) {
        self.send(&[&reply.frame()], now);
    }

    /// Sends bytes for a terminal, in as many frames as they need.
    pub(super) fn output(&mut self, bytes: &[u8], now: Instant) {
        for piece in bytes.chunks(frame::MAX_PAYLOAD / 4) {
            self.send(&[&frame::header(host::OUTPUT, piece.len()), piece], now);
        }
    }

    /// Sends on what waits.
    pub(super) fn flush(&mut self, now: Instant) {
        match self.out.flush(&self.stream) {
            Ok(true) => self.progress = now,
            Ok(false) => {}
            Err(_) => self.gone = true,
        }
        if self.closing && self.out.is_empty() {
            self.gone = true;
        }
    }

    /// No more is read; what waits is still sent.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.gone |= self.out.is_empty();
    }

    /// Its requests are looked at: it took its answers, and is not about to be closed.
    pub(super) fn listens(&self) -> bool {
        let takes_answers = self.terminal().is_some() || self.out.len() < UNREAD_ANSWERS;
        !self.closing && !self.gone && takes_answers
    }

    /// It took nothing for so long that nobody waits for it.
    pub(super) fn stalled(&self, now: Instant) -> bool {
        !self.out.is_empty() && now.duration_since(self.progress) >= STALLED
    }
}

/// Who sets the pace: whether the session's output may be read now, and if not, when to look again at the latest.
///
/// The fastest terminal decides. Output stops only while every terminal that takes anything at all is full, and a
/// terminal that stops taking delays it no longer than [`STALLED`].
pub(super) fn pace(clients: &[Client], now: Instant) -> Result<(), Instant> {
    let mut look_again: Option<Instant> = None;
    for client in clients.iter().filter(|c| !c.gone && !c.closing) {
        match client.terminal() {
            Some(t) if !t.behind && client.out.len() < FULL => return Ok(()),
            Some(t) if !t.behind && !client.stalled(now) => {
                let until = client.progress + STALLED;
                look_again = Some(look_again.map_or(until, |t| t.min(until)));
            }
            Some(_) | None => {}
        }
    }
    look_again.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(waiting: usize, behind: bool, now: Instant) -> (Client, UnixStream) {
        let (near, far) = UnixStream::pair().expect("pair");
        near.set_nonblocking(true).expect("nonblocking");
        let mut client = Client::new(near, now);
        client.role = Role::Terminal(Terminal { cols: 80, rows: 24, read_only: false, behind, active: 0 });
        while client.out.len() < waiting {
            client.send(&[&[0; 65_536]], now);
        }
        (client, far)
    }

    #[test]
    fn the_fastest_terminal_sets_the_pace_and_a_stalled_one_does_not() {
        let now = Instant::now();
        let (quick, _a) = terminal(0, false, now);
        let (full, _b) = terminal(FULL, false, now);
        let (behind, _c) = terminal(FULL, true, now);
        assert_eq!(pace(&[], now), Ok(()));
        assert_eq!(pace(std::slice::from_ref(&behind), now), Ok(()));
        let both = [full, quick];
        assert_eq!(pace(&both, now), Ok(()));
        let [full, _quick] = both;
        let alone = [full, behind];
        assert_eq!(pace(&alone, now), Err(now + STALLED));
        assert_eq!(pace(&alone, now + STALLED), Ok(()));
    }
}
