//! Whether the supervisor is needed: while a session has a process or is about to (also by a planned restart), while a record is being written,
//! and while a client is connected. When none of that was so for the grace, it leaves, but not before its minimum
//! lifetime. A client that connects at that very moment is the shell's to see; it then reports the client, and the
//! grace begins anew.

use super::action::{Action, Reply};
use super::event::Ticket;
use super::fleet::Fleet;
use super::journal::By;
use super::record::{Desired, Restart, State};
use super::requests::{STATES, shown_state};
use super::roll::Roll;
use super::session::Phase;
use std::collections::BTreeMap;

impl Fleet {
    /// What keeps the supervisor here; none where nothing does.
    fn needed(&self) -> Option<String> {
        let live = self.sessions.values().filter(|s| s.is_live()).count();
        let due = self.sessions.values().any(|s| s.restart_at.is_some());
        let busy = self.sessions.values().any(|s| s.saves.in_flight.is_some() || s.phase == Phase::Removing);
        match (live, self.clients, busy) {
            (0, _, _) if due => Some("a session is to be restarted".into()),
            (0, 0, false) => None,
            (0, 0, true) => Some("records are being written".into()),
            (0, 1, _) => Some("a client is connected".into()),
            (0, n, _) => Some(format!("{n} clients are connected")),
            (1, _, _) => Some("1 session has a process".into()),
            (n, _, _) => Some(format!("{n} sessions have a process")),
        }
    }

    /// When it leaves, awake milliseconds; none while it is needed.
    pub(super) fn leave_at(&self) -> Option<u64> {
        let since = self.unneeded_since?;
        let oldest = self.started.awake_ms.saturating_add(self.settings.min_lifetime_ms);
        Some(since.saturating_add(self.settings.idle_exit_ms).max(oldest))
    }

    pub(super) fn leave_if_unneeded(&mut self) {
        if self.needed().is_some() {
            self.unneeded_since = None;
            return;
        }
        let at = self.now.awake_ms;
        self.unneeded_since.get_or_insert(at);
        if self.leave_at().is_some_and(|due| at >= due) {
            // Should the shell stay all the same, the grace begins anew. Never at once, or a grace of 0 would spin.
            self.unneeded_since = Some(at + 1);
            self.out.push(Action::Leave { asked: false });
        }
    }

    /// Whether nothing is under way that somebody waits for and that ends by itself: the moment for an exchange of the
    /// program. A request that waits for a session's state may do so for days.
    pub fn is_quiet(&self) -> bool {
        let starting =
            |s: &super::session::Session| matches!(s.phase, Phase::Waiting { .. } | Phase::Launching);
        self.requests.is_empty() && !self.sessions.values().any(starting)
    }

    /// The ids of all sessions that clients may see.
    pub fn visible_ids(&self) -> Vec<super::id::SessionId> {
        self.sessions.values().filter(|s| s.is_visible()).map(super::session::Session::id).collect()
    }

    /// Whether there must be a supervisor after the next boot or login, where that changed: a session would come back by
    /// itself. Also one that ended with the manager: this supervisor may be about to.
    pub(super) fn come_back(&mut self) {
        let wanted = self.sessions.values().any(|s| {
            s.record.restart == Restart::Auto
                && s.record.desired == Desired::Running
                && (s.is_live() || s.restart_at.is_some() || s.record.state == State::Parked)
        });
        if wanted != self.here.comes_back {
            self.here.comes_back = wanted;
            self.out.push(Action::ComeBack(wanted));
        }
    }

    /// The line for the service manager, where it changed.
    pub(super) fn show(&mut self) {
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        let live = self.sessions.values().filter(|s| s.is_live());
        for s in live {
            *counts.entry(s.record.state).or_default() += 1;
        }
        let all: usize = counts.values().sum();
        let line = match all {
            0 => "no live session".to_owned(),
            n => {
                let parts = STATES
                    .iter()
                    .filter_map(|(state, name)| counts.get(state).map(|n| format!("{n} {name}")));
                let noun = if n == 1 { "session" } else { "sessions" };
                format!("{n} live {noun}: {}", parts.collect::<Vec<_>>().join(", "))
            }
        };
        if line != self.line && !self.leaving {
            self.line.clone_from(&line);
            self.out.push(Action::StatusLine(line));
        }
    }

    /// Answers what the supervisor is about.
    pub(super) fn daemon(&mut self, ticket: Ticket) {
        let visible = self.sessions.values().filter(|s| s.is_visible());
        let holding = match self.needed() {
            Some(why) if self.sessions.values().any(|s| s.is_live() || s.restart_at.is_some()) => why,
            Some(_) | None => format!(
                "no session has a process: it leaves {} s after the last client",
                self.settings.idle_exit_ms.div_ceil(1_000)
            ),
        };
        let reply = Reply::Daemon {
            pid: self.settings.pid,
            version: self.settings.version.clone(),
            origin: self.origin,
            started_ms: self.started.wall_ms,
            live: self.sessions.values().filter(|s| s.is_live()).count(),
            sessions: visible.count(),
            holding,
            outdated: self.sessions.values().filter(|s| s.is_outdated()).count(),
            rolling: self.sessions.values().filter(|s| s.record.roll != Roll::No).count(),
            upgrade: self.upgrade.clone(),
        };
        self.reply(ticket, reply, true);
    }

    /// Leaves because a client asked. Sessions stay as they are; starts under way are found again.
    pub(super) fn quit(&mut self, ticket: Ticket, by: &By) {
        self.journal(None, "supervisor-stopped", "sessions stay", by);
        self.reply(ticket, Reply::Done { sessions: Vec::new() }, true);
        self.leaving = true;
        self.out.push(Action::StatusLine("leaving; sessions stay".into()));
        self.out.push(Action::Leave { asked: true });
    }
}

/// For messages: the states by name.
pub(super) fn state_names() -> String {
    STATES.map(|(state, _)| shown_state(state)).join(" ")
}
