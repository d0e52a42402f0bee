//! What hosts, hooks and looks report: attendance, alerts, gaps in the log, and the state by [`super::status`].

use super::action::Action;
use super::event::{Now, Seen, Signals};
use super::fleet::{Fleet, Settings};
use super::hook::Report;
use super::id::SessionId;
use super::journal::By;
use super::record::{Instance, State};
use super::session::{Phase, Session};
use super::status::{self, Evidence, From, SETTLE_MS, Signs, Verdict, judge};

/// Bells and notifications are journalled at most so often for a session.
const ALERT_MS: u64 = 1_000;
/// And growing gaps of a log.
const GAP_MS: u64 = 60_000;
/// A look waits until nothing has happened for [`SETTLE_MS`], but not longer than this.
const LOOK_WITHIN_MS: u64 = 5_000;

/// The looks at a session that are wanted and under way. Times in milliseconds of awake time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looks {
    /// When something first and last happened that is worth a look.
    wanted: Option<(u64, u64)>,
    /// When the one was asked for that is under way.
    asked: Option<u64>,
    /// When the last one was asked for.
    last: Option<u64>,
}

impl Looks {
    fn want(&mut self, now: u64) {
        self.wanted = Some((self.wanted.map_or(now, |(first, _)| first), now));
    }

    /// When the next one is due. A silent session is as it is, and is looked at without waiting.
    fn due(&self, silent: bool) -> Option<u64> {
        let (first, last) = self.wanted.filter(|_| self.asked.is_none())?;
        let settled = (last + SETTLE_MS).min(first + LOOK_WITHIN_MS);
        let soonest = if silent { first } else { settled };
        Some(soonest.max(self.last.map_or(0, |last| last + SETTLE_MS)))
    }
}

impl Session {
    /// How its agent shows what it does.
    fn signs<'a>(&self, all: &'a Settings) -> &'a Signs {
        static NONE: std::sync::LazyLock<Signs> = std::sync::LazyLock::new(Signs::default);
        let agent = self.record.agent.as_deref().or(self.evidence.agent());
        agent.and_then(|agent| all.signs.get(agent)).unwrap_or(&NONE)
    }

    /// What it is to be shown as, by all that is known.
    pub(super) fn verdict(&self, settings: &Settings, now: Now) -> Verdict {
        let pending = self.signals.as_ref().is_some_and(|n| self.alert_inputs == Some(n.inputs));
        let can_look = self.signs(settings).can_look();
        judge(&self.record, self.signals.as_ref(), &self.evidence, pending, can_look, now.awake_ms)
    }

    /// Notes since when it is in its present state.
    pub(super) fn note_since(&mut self, now: Now) {
        let is = (self.record.state, self.record.waiting_for.clone());
        if self.was != is || self.record.times.since_ms == 0 {
            self.was = is;
            self.record.times.since_ms = now.wall_ms;
        }
    }

    /// Forgets what was known of what a process did.
    pub(super) fn forget_evidence(&mut self) {
        self.signals = None;
        self.evidence = Evidence::default();
        self.looks = Looks::default();
        self.settled_at = None;
        self.record.told = None;
    }

    fn is_silent(&self) -> bool {
        self.signals.as_ref().is_some_and(|n| !n.active)
    }

    /// When the state is to be looked at again, and why.
    pub(super) fn judged_at(&self) -> Option<(u64, &'static str)> {
        if self.phase != Phase::Alive {
            return None;
        }
        let looks = self.looks.due(self.is_silent()).map(|at| (at, "a look at a session"));
        let settled = self.settled_at.map(|at| (at, "a state that is certain then"));
        looks.into_iter().chain(settled).min()
    }
}

impl Fleet {
    /// A host reported. One of another start than the current one says nothing about the session.
    pub(super) fn status(&mut self, id: SessionId, generation: u64, signals: Signals) {
        let at = self.now.awake_ms;
        let Some(s) = self.sessions.get_mut(&id) else { return };
        let reports = match s.phase {
            Phase::Alive => s.record.start == generation,
            Phase::Stopping { live, .. } => live == generation && s.record.start == generation,
            Phase::Ended | Phase::Waiting { .. } | Phase::Launching | Phase::Removing | Phase::Stuck => false,
        };
        if !reports {
            return;
        }
        self.touched.insert(id);
        // What was there before this supervisor came is the base line, not a change.
        let base = if s.adopted { signals.clone() } else { Signals::default() };
        let before = s.signals.replace(signals.clone()).unwrap_or(base);
        if std::mem::take(&mut s.adopted) {
            s.gap.0 = signals.unlogged;
        }
        let mut entries: Vec<(&str, String)> = Vec::new();
        if signals.writers > before.writers {
            entries.push(("attached", count(signals.writers, "terminal")));
        } else if signals.writers < before.writers {
            entries.push(("detached", count(signals.writers, "terminal")));
        }
        if signals.inputs != before.inputs {
            s.rolling.typed_at = at;
        }
        if signals.alerts != before.alerts {
            s.alert_inputs = Some(signals.inputs);
            if s.alert_at.is_none_or(|last| at >= last + ALERT_MS) {
                s.alert_at = Some(at);
                entries.push(("alert", signals.notification.clone()));
            }
        }
        let (known, told_at) = s.gap;
        if signals.unlogged > known && told_at.is_none_or(|last| at >= last + GAP_MS) {
            s.gap = (signals.unlogged, Some(at));
            let why = std::io::Error::from_raw_os_error(i32::from(signals.log_errno));
            entries.push((
                "log-gap",
                format!("{} bytes of output are not in its log: {why}", signals.unlogged - known),
            ));
        }
        let left = status::is_left(&s.record, &signals);
        let news = s.evidence.saw(&signals, left, s.signs(&self.settings), at);
        if news {
            s.looks.want(at);
        }
        self.judge(id);
        for (event, text) in entries {
            self.journal(Some(id), event, &text, &By::default());
        }
    }

    /// A hook of an agent inside of this session was called.
    pub(super) fn told(&mut self, id: SessionId, report: &Report, from: From) {
        let at = self.now.awake_ms;
        let Some(s) = self.sessions.get_mut(&id).filter(|s| s.phase == Phase::Alive) else { return };
        let record = s.record.clone();
        s.evidence.told(&record, report, from, at);
        self.judge(id);
    }

    /// A look that was asked for has come back.
    pub(super) fn seen(&mut self, id: SessionId, generation: u64, seen: &Seen) {
        let at = self.now.awake_ms;
        let Some(s) = self.sessions.get_mut(&id).filter(|s| s.phase == Phase::Alive) else { return };
        if s.record.start != generation {
            return;
        }
        let Some(asked) = s.looks.asked.take() else { return };
        let host = s.record.host.as_ref();
        let child = host.map(|h| Instance { pid: h.child_pid, start: h.child_start }).unwrap_or_default();
        let lines = seen.screen.as_deref().map(status::lines);
        let signs = s.signs(&self.settings);
        if s.evidence.looked(lines.as_deref(), seen.own.as_deref(), signs, child, asked) {
            s.looks.want(at);
        }
        self.judge(id);
    }

    /// Brings the state up to what is known. What is to end anyway keeps its state.
    pub(super) fn judge(&mut self, id: SessionId) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        if s.phase != Phase::Alive {
            return;
        }
        let Some(s) = self.sessions.get_mut(&id) else { return };
        let can_look = s.signs(&self.settings).can_look();
        s.settled_at = s.evidence.settle(now.awake_ms, can_look);
        let verdict = s.verdict(&self.settings, now);
        if s.record.state == State::Working && verdict.state != State::Working {
            s.turn_over(now);
        }
        s.record.state = verdict.state;
        s.record.tempo = verdict.tempo;
        s.record.waiting_for = verdict.waiting_for;
        s.record.detail = verdict.detail;
        s.record.told = s.evidence.kept();
        if s.looks.wanted.is_none() && s.looks.asked.is_none() && s.evidence.is_disputed() {
            s.looks.want(now.awake_ms);
        }
        if !can_look || s.evidence.tells_itself() {
            s.looks.wanted = None;
        }
        self.look(id);
    }

    /// Asks for a look, where one is due.
    fn look(&mut self, id: SessionId) {
        let at = self.now.awake_ms;
        let Some(s) = self.sessions.get_mut(&id) else { return };
        let silent = s.is_silent();
        if s.looks.due(silent).is_none_or(|due| at < due) {
            return;
        }
        // What happened within the last moment may not be seen yet.
        let again = s.looks.wanted.filter(|(_, last)| !silent && at < last + SETTLE_MS);
        s.looks = Looks { wanted: again.map(|(_, last)| (at, last)), asked: Some(at), last: Some(at) };
        let own = s.signs(&self.settings).own.clone();
        let child_pid = s.record.host.as_ref().map_or(0, |host| host.child_pid);
        self.out.push(Action::Look { id, generation: s.record.start, child_pid, own });
    }
}

fn count(n: u16, what: &str) -> String {
    match n {
        0 => format!("no {what} is left"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
