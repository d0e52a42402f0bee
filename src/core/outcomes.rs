//! What came of actions: saved or not, started or not, ended, removed.

use super::action::Action;
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::By;
use super::record::{Desired, Exit, Host, State};
use super::session::{HOST_LOST, NEVER_STARTED, Phase, Session};

/// A failed save is tried again after this, then after twice that, and so on.
const RETRY_MS: u64 = 5_000;
/// And at least so often.
const RETRY_MAX_MS: u64 = 60_000;

/// A hint.
const LOGS: &str = "`abide daemon logs` has more";

impl Fleet {
    pub(super) fn saved(&mut self, id: SessionId, revision: u64) {
        let Some(s) = self.touch(id) else { return };
        s.saves.durable = s.saves.durable.max(revision.min(s.record.revision));
        if s.saves.in_flight.is_some_and(|r| r <= revision) {
            s.saves.in_flight = None;
        }
        s.saves.retry = None;
        s.saves.error.clear();
    }

    pub(super) fn save_failed(&mut self, id: SessionId, revision: u64, message: &str) {
        let at = self.now.awake_ms;
        let Some(s) = self.touch(id) else { return };
        if s.saves.in_flight != Some(revision) {
            return;
        }
        s.saves.in_flight = None;
        s.saves.failed = revision;
        s.saves.dirty = true;
        let wait = s.saves.retry.map_or(RETRY_MS, |(_, wait)| (wait * 2).min(RETRY_MAX_MS));
        s.saves.retry = Some((at + wait, wait));
        let again = !std::mem::replace(&mut s.saves.error, message.to_owned()).is_empty();
        if !again {
            self.journal(Some(id), "save-failed", message, &By::default());
        }
        let Some(s) = self.touch(id) else { return };
        if let (Phase::Waiting { before, .. }, true) = (s.phase, s.saves.failed >= s.gate) {
            self.give_up_start(
                id,
                before,
                &format!("nothing was started: {message}"),
                "free disk space, then try again",
            );
        }
    }

    /// A start that was decided does not happen. `before`: what the session was, where nothing else is known.
    fn give_up_start(&mut self, id: SessionId, before: State, message: &str, hint: &str) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        s.phase = Phase::Ended;
        s.environment = None;
        s.record.start = s.record.generation;
        if s.first {
            // The dispatch failed: its answer says why, and nothing of it stays.
            s.record.desired = Desired::Removed;
            s.record.state = State::Failed;
            s.gate = 0;
            let by = s.by.clone();
            self.journal(Some(id), "exited", &format!("it could not be started: {message}"), &by);
            self.shown(id);
        } else {
            if before == State::Stopped {
                s.record.desired = Desired::Stopped;
            }
            s.record.state = before;
            if s.never_ran() || s.record.exit.is_none() {
                s.record.exit = Some(Exit {
                    cause: NEVER_STARTED.into(),
                    message: message.into(),
                    ended_ms: now.wall_ms,
                    ..Exit::default()
                });
            }
        }
        if let Some(s) = self.touch(id) {
            s.save();
        }
        self.restart_failed(id);
        self.fail_start(id, message, hint);
    }

    pub(super) fn start_failed(
        &mut self,
        id: SessionId,
        generation: u64,
        message: String,
        users_fault: bool,
    ) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        if s.phase != Phase::Launching || s.record.start != generation {
            return;
        }
        let hint = match users_fault {
            true => "check the command and the folder",
            false => LOGS,
        };
        if s.first && s.record.desired == Desired::Running && !s.respawning() {
            self.give_up_start(id, State::Failed, &message, hint);
            return;
        }
        let exit = Exit {
            cause: NEVER_STARTED.into(),
            message: message.clone(),
            ended_ms: now.wall_ms,
            ..Exit::default()
        };
        s.end(now, exit);
        s.environment = s.environment.filter(|_| s.respawning());
        let by = s.by.clone();
        let respawning = s.respawning();
        self.journal(Some(id), "exited", &format!("it could not be started: {message}"), &by);
        self.shown(id);
        if !respawning {
            self.fail_start(id, &message, hint);
        }
        self.restart_failed(id);
    }

    pub(super) fn linked(&mut self, id: SessionId, generation: u64, host: Host) {
        let (now, here, grace_ms) = (self.now, self.here.clone(), self.settings.stop_grace_ms);
        let Some(s) = self.touch(id) else {
            // Of a start that was given up, and whose record is gone.
            self.out.push(Action::Stop { id, generation, grace_ms });
            return;
        };
        let current = s.record.start == generation;
        match s.phase {
            Phase::Launching if current => {}
            // Late news: its end is known.
            Phase::Ended if current && !s.given_up() => return,
            // It was given up for lost, and nobody has decided anything since.
            Phase::Ended if current && s.record.desired == Desired::Running && !s.respawning() => {}
            Phase::Alive if current => {
                s.record.host = Some(host);
                return;
            }
            Phase::Stopping { live, .. } if live == generation => return,
            // It is not wanted, and nothing else is there: it is followed to its end.
            Phase::Ended => {
                s.phase = Phase::Stopping { live: generation, again: None };
                return;
            }
            // There must never be two: the start that was not asked for yet waits for the end of this one.
            Phase::Waiting { .. } => {
                s.record.generation += 1;
                s.save_first();
                s.phase = Phase::Stopping { live: generation, again: None };
                return;
            }
            Phase::Launching | Phase::Alive | Phase::Stopping { .. } | Phase::Removing | Phase::Stuck => {
                self.out.push(Action::Stop { id, generation, grace_ms });
                return;
            }
        }
        s.link(now, host);
        s.record.era = here.era;
        s.record.manager = here.manager;
        // Who decided something else by now did not ask for this start.
        let by = if s.record.generation == generation { s.by.clone() } else { By::default() };
        let pid = s.record.host.as_ref().map_or(0, |h| h.child_pid);
        s.shown = (State::Working, None);
        s.shown_at = now.awake_ms;
        self.judge(id);
        self.journal(Some(id), "started", &format!("process {pid}"), &by);
    }

    pub(super) fn ended(&mut self, id: SessionId, generation: u64, exit: Exit) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        let lost = exit.cause == HOST_LOST;
        if s.live() != Some(generation) {
            // An exit record that was found after all says more than that the host was lost.
            let known = s.record.exit.as_ref().is_some_and(|e| e.cause == HOST_LOST);
            if s.phase == Phase::Ended && s.record.start == generation && known && !lost {
                s.end(now, exit);
                self.journal_end(id);
            }
            return;
        }
        if generation != s.record.start {
            // A host that should not have been there: what is known of the session stays.
            s.phase = Phase::Ended;
            s.signals = None;
            s.save();
            return;
        }
        match (s.phase, lost) {
            // It ended before the news of its birth arrived.
            (Phase::Launching, false) => {
                self.linked(id, generation, Host::default());
                self.answer(id);
            }
            (Phase::Launching, true) => self.fail_start(id, "its host vanished while it started", LOGS),
            (Phase::Alive | Phase::Stopping { .. }, _) => {}
            (Phase::Ended | Phase::Waiting { .. } | Phase::Removing | Phase::Stuck, _) => return,
        }
        let Some(s) = self.touch(id) else { return };
        if let Some((from, unlogged)) = Some((s.gap.0, exit.unlogged)).filter(|(from, to)| to > from) {
            self.journal(
                Some(id),
                "log-gap",
                &format!("{} bytes of output are not in its log", unlogged - from),
                &By::default(),
            );
        }
        let park = self.settings.park_on_leave;
        let Some(s) = self.touch(id) else { return };
        let left = park && s.is_left(&exit);
        s.end(now, exit);
        if left {
            s.record.state = State::Parked;
            s.decided();
        }
        self.journal_end(id);
        self.restart_failed(id);
    }

    pub(super) fn journal_end(&mut self, id: SessionId) {
        let at = self.now.awake_ms;
        let Some(s) = self.touch(id) else { return };
        s.shown = (s.record.state, None);
        s.shown_at = at;
        let exit = s.record.exit.clone().unwrap_or_default();
        let asked = s.record.state == State::Stopped;
        let event = match exit.cause.as_str() {
            HOST_LOST if !asked => "lost",
            _ if asked => "stopped",
            _ => "exited",
        };
        // Who wants it gone or started anew is told again when that is done.
        let more = s.respawning() || s.record.desired == Desired::Removed;
        let by = match (asked, more) {
            (true, true) => s.by.clone(),
            (true, false) => std::mem::take(&mut s.by),
            (false, _) => By::default(),
        };
        let text = match (exit.message.is_empty(), exit.cause.as_str()) {
            (true, _) => "exit status 0".to_owned(),
            (false, "terminated") => format!("{}; its host was terminated", exit.message),
            (false, "manager-stopping") => format!("{}; the service manager went down", exit.message),
            (false, _) => exit.message,
        };
        self.journal(Some(id), event, &text, &by);
    }

    pub(super) fn removed(&mut self, id: SessionId, error: Option<String>) {
        let Some(s) = self.touch(id) else { return };
        if s.phase != Phase::Removing {
            return;
        }
        let by = std::mem::take(&mut s.by);
        match error {
            None => {
                self.journal(Some(id), "removed", "", &by);
                let view = self.sessions.get(&id).map(Session::view);
                self.sessions.remove(&id);
                self.forget(id, view);
            }
            Some(message) => {
                s.phase = Phase::Stuck;
                self.journal(
                    Some(id),
                    "save-failed",
                    &format!("its files could not be removed: {message}"),
                    &by,
                );
                self.fail_removal(id, &message);
            }
        }
    }
}
