//! The event journal: numbered without gaps, kept at its end for those who ask, and sent to those who follow.

use super::action::{Action, Entry, Reply};
use super::event::{Peer, Ticket};
use super::fleet::{FLICKER_MS, Fleet};
use super::id::SessionId;
use super::naming::printable;
use super::record::State;
use super::session::{Phase, Session};

/// Characters of an entry's text, at most.
const TEXT: usize = 400;

/// Who asked for something; nobody, for what happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct By {
    /// The command and the process.
    pub who: String,
    /// See [`Peer::request`].
    pub request: String,
}

impl From<&str> for By {
    /// A rule: nobody asked.
    fn from(rule: &str) -> Self {
        Self { who: rule.to_owned(), request: String::new() }
    }
}

/// Who asked for what, as the journal says it.
pub(super) fn by(verb: &str, peer: &Peer) -> By {
    let who = match peer.label.is_empty() {
        true => format!("abide {verb} (pid {})", peer.pid),
        false => format!("abide {verb} (pid {}, from {})", peer.pid, printable(&peer.label, 40)),
    };
    By { who, request: peer.request.clone() }
}

impl Session {
    /// The journal or the disk does not have its present state.
    pub(super) fn unshown(&self) -> bool {
        let (state, waiting_for, _) = self.written();
        let differs =
            self.shown != (state, waiting_for) || self.saves.state != self.written() && !self.saves.dirty;
        match self.phase {
            Phase::Ended
            | Phase::Waiting { .. }
            | Phase::Launching
            | Phase::Alive
            | Phase::Stopping { .. } => differs,
            Phase::Removing | Phase::Stuck => false,
        }
    }
}

impl Fleet {
    /// Appends to the journal.
    pub(super) fn journal(&mut self, id: Option<SessionId>, event: &str, text: &str, by: &By) {
        let session = id.and_then(|id| self.sessions.get(&id));
        self.last_event += 1;
        let entry = Entry {
            seq: self.last_event,
            at_ms: self.now.wall_ms,
            id,
            name: session.map(|s| s.record.name.clone()).unwrap_or_default(),
            event: event.to_owned(),
            state: session.map(|s| s.record.state),
            text: printable(text, TEXT),
            by: by.who.clone(),
            request: by.request.clone(),
        };
        let following = self.followers.iter().filter(|(_, of)| of.is_none() || **of == id);
        for ticket in following.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.reply(ticket, Reply::Event { entry: entry.clone() }, false);
        }
        self.keep(entry.clone());
        self.out.push(Action::Journal(entry));
    }

    /// Keeps an entry at the end of the tail.
    pub(super) fn keep(&mut self, entry: Entry) {
        self.tail.push_back(entry);
        while self.tail.len() > self.settings.events_tail {
            self.tail.pop_front();
        }
    }

    /// The entries after `since`; then each new one, where `follow`.
    pub(super) fn events(&mut self, ticket: Ticket, since: u64, follow: bool, of: Option<SessionId>) {
        let wanted = self.tail.iter().filter(|e| e.seq > since && (of.is_none() || e.id == of));
        for entry in wanted.cloned().collect::<Vec<_>>() {
            self.reply(ticket, Reply::Event { entry }, false);
        }
        if follow {
            self.followers.insert(ticket, of);
        } else {
            self.reply(ticket, Reply::Done { sessions: Vec::new() }, true);
        }
    }

    /// Journals and records a changed state, where that is not too soon after the last change.
    pub(super) fn announce(&mut self, id: SessionId) {
        let at = self.now.awake_ms;
        let Some(s) = self.sessions.get_mut(&id) else { return };
        let soon = at < s.shown_at + FLICKER_MS;
        let asked = matches!(s.record.state, State::Queued | State::Starting)
            || s.record.state != s.shown.0 && !s.is_live();
        if !s.unshown() || soon && !asked {
            return;
        }
        let text = s.record.waiting_for.clone().unwrap_or_default();
        let changed = s.shown.0 != s.record.state || s.shown.1 != s.record.waiting_for;
        s.save();
        self.shown(id);
        if changed {
            self.journal(Some(id), "state", &text, &By::default());
        }
    }

    /// The journal has the present state.
    pub(super) fn shown(&mut self, id: SessionId) {
        let at = self.now.awake_ms;
        if let Some(s) = self.sessions.get_mut(&id) {
            s.shown = (s.record.state, s.record.waiting_for.clone());
            s.shown_at = at;
        }
    }
}
