//! What hosts report: attendance, alerts, gaps in the log, and the state by [`super::status`].

use super::event::Signals;
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::By;
use super::record::State;
use super::session::Phase;
use super::status::judge;

/// Bells and notifications are journalled at most so often for a session.
const ALERT_MS: u64 = 1_000;
/// And growing gaps of a log.
const GAP_MS: u64 = 60_000;

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
        self.judge(id);
        for (event, text) in entries {
            self.journal(Some(id), event, &text, &By::default());
        }
    }

    /// Brings the state up to the last report. What is to end anyway keeps its state.
    pub(super) fn judge(&mut self, id: SessionId) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        if s.phase != Phase::Alive {
            return;
        }
        let pending = s.signals.as_ref().is_some_and(|n| s.alert_inputs == Some(n.inputs));
        let verdict = judge(&s.record, s.signals.as_ref(), pending);
        if s.record.state == State::Working && verdict.state != State::Working {
            s.turn_over(now);
        }
        s.record.state = verdict.state;
        s.record.tempo = verdict.tempo;
        s.record.waiting_for = verdict.waiting_for;
        s.record.detail = verdict.detail;
    }
}

fn count(n: u16, what: &str) -> String {
    match n {
        0 => format!("no {what} is left"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
