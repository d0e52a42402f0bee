//! Who asks: the evidence about a peer, beside what this supervisor knows of its sessions.

use super::action::{Reply, View};
use super::classify::{Attended, Class, Evidence, Live, classify};
use super::event::{Peer, Ticket};
use super::fleet::Fleet;
use super::hook::Report;
use super::record::Instance;
use super::session::Session;
use super::status::From;

impl Fleet {
    /// What a peer is, attended as its session is now.
    pub(super) fn class_of(&self, peer: &Peer) -> Class {
        self.look_at(peer).1
    }

    fn look_at(&self, peer: &Peer) -> (Evidence, Class) {
        let unseen = || Evidence { gone: true, ..Evidence::default() };
        let mut evidence = peer.evidence.as_deref().cloned().unwrap_or_else(unseen);
        evidence.place(&self.sessions.values().filter_map(living).collect::<Vec<_>>());
        let mut class = classify(&evidence);
        if let Some(s) = class.session.and_then(|id| self.sessions.get(&id)) {
            class.attended = if s.view().attended { Attended::Yes } else { Attended::No };
        }
        (evidence, class)
    }

    fn session_of(&self, class: &Class) -> Option<Box<View>> {
        class.session.and_then(|id| self.sessions.get(&id)).map(|s| Box::new(s.view()))
    }

    pub(super) fn who(&mut self, ticket: Ticket, peer: &Peer) {
        let (evidence, class) = self.look_at(peer);
        let (session, class, evidence) = (self.session_of(&class), Box::new(class), Box::new(evidence));
        self.reply(ticket, Reply::Who { class, session, evidence }, true);
    }

    /// A report is the session's that it came from the inside of, whatever it says of itself.
    pub(super) fn hook(&mut self, ticket: Ticket, peer: &Peer, report: &Report) {
        let (evidence, class) = self.look_at(peer);
        if let Some(id) = class.session {
            let nested = evidence.is_nested();
            let called = evidence.chain.first().map_or(0, |p| p.start);
            self.learn(id, report, nested);
            self.told(id, report, From { nested, called });
        }
        let (session, class) = (self.session_of(&class), Box::new(class));
        self.reply(ticket, Reply::Hooked { class, session }, true);
    }
}

/// A session's host, while it has one.
fn living(s: &Session) -> Option<Live> {
    let host = s.record.host.as_ref().filter(|_| s.live().is_some())?;
    let child = Instance { pid: host.child_pid, start: host.child_start };
    Some(Live { id: s.id(), host: host.pid, child })
}
