//! Sessions that come back by themselves after the machine, the container or the service manager they ran in.
//!
//! Only those of which somebody said so (`restart = auto`), which had a process until then, and which nobody stopped. A
//! supervisor looks once, at its first start in a new era:
//!
//! | what | why it stays parked |
//! |---|---|
//! | an agent that skips permission checks | nobody is there to watch it |
//! | an agent without a conversation to resume | its prompt may have been delivered, and is delivered once |
//! | last seen alive longer ago than `restart_within` | who asked has gone on without it |
//! | lacks a variable that it needs | it would run as somebody else, or not at all |
//! | came to nothing again and again | see below |
//!
//! The others are started one after the other. A start that fails, or a process that fails within a minute, is tried
//! again after a pause that grows, and given up after [`ATTEMPTS`]. The count is on disk before each start, so that also a
//! session that takes the machine down with it is given up; it begins anew once a session stayed up for that minute.
//!
//! Pauses are awake time. On disk stands the wall clock's, for a supervisor that takes over: however that clock jumps,
//! no pause grows beyond the longest one.

use super::environment::{matches, name_of};
use super::era::Gone;
use super::event::Here;
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::By;
use super::record::{Desired, Record, Restart, State};
use super::session::{CONTAINER, LOGOUT, MANAGER_STOPPING, Phase, REBOOT};
use super::text::Text;

/// Restarts that may come to nothing, one after the other.
pub const ATTEMPTS: u32 = 5;
/// Who stayed up for so long (awake time) has come up.
pub const HEALTHY_MS: u64 = 60_000;
/// Between the starts of two sessions: an agent's start keeps a machine busy, and after a boot everything starts.
const STAGGER_MS: u64 = 1_000;
/// After the first failure; then four times as long, each time.
const PAUSE_MS: u64 = 5_000;
/// And no longer than that.
const PAUSE_MAX_MS: u64 = 320_000;
/// Who is named as having asked for it.
pub const BY: &str = "restart = auto";

/// Why a session that is to come back does not; for people.
pub fn refusal(record: &Record, here: &Here, within_ms: u64, now_ms: u64) -> Option<String> {
    if !record.unguarded.is_empty() {
        return Some(format!("it skips permission checks ({}), and nobody would watch it", record.unguarded));
    }
    if record.agent.is_some() && !record.resumes {
        return Some(
            "its agent has no conversation to resume, and its prompt may have been delivered already".into(),
        );
    }
    let seen = last_seen(record);
    if now_ms.saturating_sub(seen) > within_ms {
        return Some(format!(
            "it was last known to be alive longer ago than `restart_within` allows ({})",
            super::era::utc(seen)
        ));
    }
    let missing: Vec<&str> =
        record.needs.iter().filter(|name| !here.env_names.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Some(format!(
            "it needs {}, which are kept in memory only and which the service manager does not have",
            missing.join(", ")
        ));
    }
    (record.attempts >= ATTEMPTS)
        .then(|| format!("it was given up: {ATTEMPTS} restarts in a row came to nothing"))
}

/// When it was last known to be alive, ms since the epoch.
fn last_seen(record: &Record) -> u64 {
    record.exit.as_ref().map_or(record.times.updated_ms, |exit| exit.ended_ms)
}

/// The pause after so many restarts that came to nothing, in ms.
fn pause(attempts: u32) -> u64 {
    let times = 4_u64.saturating_pow(attempts.saturating_sub(1));
    PAUSE_MS.saturating_mul(times).min(PAUSE_MAX_MS)
}

/// Of these names those that a profile says its agent needs: a `*` at the end stands for any rest.
pub fn needed(env_names: &[String], needs: &[String], asked_for: &[String]) -> Vec<String> {
    let wanted = |name: &&String| asked_for.contains(name) || needs.iter().any(|n| matches(name, n));
    env_names.iter().filter(wanted).cloned().collect()
}

/// What an environment lacks of these names.
pub fn lacking(had: &[String], env: &[Text]) -> Vec<String> {
    let has = |name: &&String| env.iter().any(|v| name_of(&v.0) == Some(name.as_bytes()));
    had.iter().filter(|name| !has(name)).cloned().collect()
}

impl Fleet {
    /// A session without a process whose surroundings have gone: it comes back by itself, or says why not. Done once.
    pub(super) fn reconsider(&mut self, id: SessionId, gone: Gone) {
        let (now, here, within) = (self.now, self.here.clone(), self.settings.restart_within_ms);
        let Some(s) = self.touch(id) else { return };
        let taken_along = s.record.state == State::Parked
            && s.record.desired == Desired::Running
            && (s.record.due_ms > 0
                || s.record.exit.as_ref().is_some_and(|exit| {
                    matches!(exit.cause.as_str(), REBOOT | CONTAINER | LOGOUT | MANAGER_STOPPING)
                }));
        if !taken_along {
            return;
        }
        s.record.era.clone_from(&here.era);
        s.record.manager = here.manager;
        s.save();
        match s.record.restart {
            Restart::Manual => {}
            Restart::Never => {
                s.record.desired = Desired::Stopped;
                s.record.generation += 1;
                s.record.state = State::Stopped;
                s.save_first();
                self.journal(Some(id), "stopped", &gone.message(&here), &"restart = never".into());
                self.shown(id);
            }
            Restart::Auto => match refusal(&s.record, &here, within, now.wall_ms) {
                None => self.restart_later(id, STAGGER_MS),
                Some(why) => {
                    s.record.due_ms = 0;
                    self.journal(Some(id), "restart-refused", &why, &BY.into());
                }
            },
        }
    }

    /// Found at a supervisor's start: a restart that the last one had planned.
    pub(super) fn restart_planned(&mut self, id: SessionId) {
        let now = self.now;
        let Some(s) = self.touch(id) else { return };
        if s.record.due_ms == 0 {
            return;
        }
        if s.phase == Phase::Ended && s.record.desired == Desired::Running && !s.respawning() {
            let wait = s.record.due_ms.saturating_sub(now.wall_ms).min(PAUSE_MAX_MS);
            s.restart_at = Some(now.awake_ms + wait.max(1));
        } else {
            s.record.due_ms = 0;
            s.save();
        }
    }

    fn restart_later(&mut self, id: SessionId, wait: u64) {
        let now = self.now;
        let last = self.sessions.values().filter_map(|s| s.restart_at).max();
        let Some(s) = self.touch(id) else { return };
        let at = (now.awake_ms + wait).max(last.map_or(0, |last| last + STAGGER_MS));
        s.restart_at = Some(at);
        s.record.due_ms = now.wall_ms + (at - now.awake_ms);
        s.save();
        let text = format!(
            "in {} s (attempt {} of {ATTEMPTS})",
            (at - now.awake_ms).div_ceil(1_000),
            s.record.attempts + 1
        );
        self.journal(Some(id), "restart-due", &text, &BY.into());
    }

    /// A planned restart is due.
    pub(super) fn restart_now(&mut self, id: SessionId) {
        let Some(s) = self.touch(id) else { return };
        s.restart_at = None;
        s.record.due_ms = 0;
        s.save();
        if s.phase != Phase::Ended || s.record.desired != Desired::Running || s.respawning() {
            return;
        }
        s.record.attempts += 1;
        s.record.generation += 1;
        s.environment = None;
        s.by_itself = true;
        s.by = BY.into();
        s.save_first();
    }

    /// A session ended, or did not start. Where nobody had asked for that start, it is tried again, or given up.
    pub(super) fn restart_failed(&mut self, id: SessionId) {
        let Some(s) = self.touch(id) else { return };
        s.healthy_at = None;
        let failed = s.phase == Phase::Ended
            && s.record.state == State::Failed
            && s.record.desired == Desired::Running
            && !s.respawning()
            && s.record.attempts > 0;
        if !failed {
            // Whatever else became of it is an outcome that somebody asked for.
            if s.phase == Phase::Ended && s.record.attempts > 0 && s.record.state != State::Parked {
                s.forget_restarts();
            }
            return;
        }
        let attempts = s.record.attempts;
        s.record.state = State::Parked;
        s.save();
        if attempts < ATTEMPTS {
            self.restart_later(id, pause(attempts));
        } else {
            let text =
                format!("{ATTEMPTS} restarts in a row came to nothing: `abide respawn {id}` tries again");
            self.journal(Some(id), "restart-refused", &text, &BY.into());
        }
        self.shown(id);
    }

    /// It stayed up.
    pub(super) fn stayed_up(&mut self, id: SessionId) {
        let Some(s) = self.touch(id) else { return };
        s.healthy_at = None;
        s.forget_restarts();
    }

    /// What a start had for an environment.
    pub(super) fn lacks(&mut self, id: SessionId, generation: u64, names: Vec<String>, stand_in: bool) {
        let Some(s) = self.touch(id).filter(|s| s.record.start == generation) else { return };
        if s.record.lacks == names && s.record.stand_in == stand_in {
            return;
        }
        s.record.lacks.clone_from(&names);
        s.record.stand_in = stand_in;
        s.save();
        if !names.is_empty() {
            let whose = if stand_in { "the service manager's" } else { "the caller's" };
            let text = format!("{whose}, without {}", listed(&names));
            self.journal(Some(id), "environment", &text, &By::default());
        }
    }
}

impl Fleet {
    /// Where a start with the session's own environment found its program.
    pub(super) fn found_in(&mut self, id: SessionId, generation: u64, folder: Text) {
        let Some(s) = self.touch(id).filter(|s| s.record.start == generation) else { return };
        if !s.record.stand_in && s.record.found_in != folder {
            s.record.found_in = folder;
            s.save();
        }
    }
}

/// Names for people: the first few, and how many more.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let first: Vec<String> =
        names.iter().take(SHOWN).map(|name| super::naming::printable(name, 60)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
