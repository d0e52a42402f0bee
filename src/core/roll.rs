//! Rolling: starting sessions anew because their agent's program was replaced.
//!
//! A running process keeps the program that it was started with, however often an updater replaces the file; the shell
//! watches those files, and here it is known which sessions run one that is gone ([`Session::outdated`]). Nothing is
//! started anew for that alone: somebody asks, for all of them, at once or each when its turn is over.
//!
//! Only sessions whose agent resumes its conversation are rolled. Per program one goes first, the *canary*: an unpinned
//! one, and of these the one that has been quiet for longest. When a session of the new program has been up for
//! [`CANARY_MS`], the others follow one after the other. When one does not come up, the rest is left as it is: they run.
//!
//! | what | then |
//! |---|---|
//! | a session of the new program has been up for so long | the next one goes |
//! | one that was rolled ended or did not start before that | the others are left alone, and it is said |
//! | the old file is back, or somebody decided something else about a session | that one is not rolled |
//!
//! What waits is in the records, so that it outlasts the supervisor; which one was the canary is not: after a crash
//! another one goes first.

use super::action::{Action, ErrorKind, Reply};
use super::address::Problem;
use super::event::{Event, Peer, Ticket};
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::{By, by};
use super::record::{Desired, State};
use super::requests::Goal;
use super::session::{Phase, Session};
use super::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Who has been up for so long (awake time) shows that its program works.
pub const CANARY_MS: u64 = 10_000;
/// A turn is over when nothing has been shown or typed for so long (awake time).
pub const QUIET_MS: u64 = 10_000;

/// A program that a session was started with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Program {
    /// Absolute path, links not followed.
    pub path: Text,
    /// What the file system said of the file that it led to: differs after each replacement. Empty for no file.
    pub stamp: String,
}

/// Whether a session is to be started anew for its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Roll {
    /// It is not.
    #[default]
    No,
    /// When its turn is over and nobody is attached.
    WhenIdle,
    /// When its turn among the others comes.
    Now,
}

/// What is not in the record: it is of no use to the next supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rolling {
    /// Whose environment it takes, where its own is not kept.
    pub ticket: Option<Ticket>,
    /// Who asked.
    pub by: By,
    /// It was rolled, and has not been up for long enough yet.
    pub under_way: bool,
    /// Since when it has been up, awake time.
    pub up_since: u64,
    /// When something was typed last, awake time.
    pub typed_at: u64,
}

impl Session {
    /// Its turn is over at this awake time, if nothing happens until then; none while it is not.
    fn over_at(&self) -> Option<u64> {
        let signals = self.signals.as_ref()?;
        let rests =
            matches!(self.record.state, State::Idle | State::Done) && self.shown.0 == self.record.state;
        let alone = signals.writers == 0 && signals.readers == 0 && !signals.active;
        (rests && alone).then(|| self.shown_at.max(self.rolling.typed_at) + QUIET_MS)
    }

    /// It runs a program of its agent's that was replaced since.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated && self.phase == Phase::Alive && self.record.agent.is_some()
    }

    fn waits_for_roll(&self) -> bool {
        self.record.roll != Roll::No
    }

    fn may_be_rolled_at(&self) -> Option<u64> {
        match self.record.roll {
            Roll::No => None,
            Roll::WhenIdle => self.over_at(),
            Roll::Now => Some(0),
        }
    }
}

impl Fleet {
    /// A program's file is this now, as the shell sees it.
    pub(super) fn program(&mut self, path: Text, stamp: String) {
        let before = self.outdated_by(&path);
        self.programs.insert(path.clone(), stamp);
        self.judge_programs();
        let after = self.outdated_by(&path);
        if after > before {
            let noun = if after == 1 { "session runs" } else { "sessions run" };
            let text = format!(
                "{path}: {after} {noun} the one before; `abide respawn --all --when-idle` changes that"
            );
            self.journal(None, "program-replaced", &text, &By::default());
        }
    }

    fn outdated_by(&self, path: &Text) -> usize {
        self.sessions.values().filter(|s| s.is_outdated() && s.record.program.path == *path).count()
    }

    /// The program that a start found.
    pub(super) fn started_with(&mut self, id: SessionId, generation: u64, program: Program) {
        let Some(s) = self.touch(id).filter(|s| s.record.start == generation) else { return };
        if s.record.program != program {
            s.record.program = program;
            s.save();
        }
        self.judge_programs();
    }

    /// Compares what runs with what is there.
    fn judge_programs(&mut self) {
        for s in self.sessions.values_mut() {
            let Program { path, stamp } = &s.record.program;
            let now = self.programs.get(path).filter(|now| !now.is_empty() && !stamp.is_empty());
            s.outdated = now.is_some_and(|now| now != stamp);
        }
    }

    /// Whether the programs that run may be others after this event.
    pub(super) fn concerns_programs(event: &Event) -> bool {
        match event {
            Event::Adopt { .. }
            | Event::Linked { .. }
            | Event::Lacking { .. }
            | Event::Exited { .. }
            | Event::HostLost { .. } => true,
            Event::Command { .. }
            | Event::Gone { .. }
            | Event::Saved { .. }
            | Event::SaveFailed { .. }
            | Event::StartFailed { .. }
            | Event::Status { .. }
            | Event::Seen { .. }
            | Event::Removed { .. }
            | Event::Clients(_)
            | Event::Upgrade { .. }
            | Event::Program { .. }
            | Event::Tick => false,
        }
    }

    /// Has the programs of the agents that run watched, and no others.
    pub(super) fn watch_programs(&mut self) {
        let live = self.sessions.values().filter(|s| s.phase == Phase::Alive && s.record.agent.is_some());
        let paths = live.map(|s| &s.record.program).filter(|p| !p.stamp.is_empty()).map(|p| p.path.clone());
        let paths: BTreeSet<Text> = paths.collect();
        if paths != self.watched {
            self.programs.retain(|path, _| paths.contains(path));
            self.watched.clone_from(&paths);
            self.out.push(Action::WatchPrograms(paths));
        }
    }

    /// Somebody asks for it, for all sessions whose agent's program was replaced.
    pub(super) fn ask_for_roll(&mut self, ticket: Ticket, peer: &Peer, when_idle: bool) {
        let (mut left, mut goals, mut views) = (Vec::new(), BTreeMap::new(), Vec::new());
        let outdated: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|s| s.is_outdated() && s.is_visible() && s.record.desired == Desired::Running)
            .map(Session::id)
            .collect();
        for id in outdated {
            let Some(s) = self.touch(id) else { continue };
            if !s.record.resumes {
                left.push(format!(
                    "{} ({id}): its agent has no conversation to resume; `abide respawn {id}` starts it anew",
                    s.record.name
                ));
                continue;
            }
            let wanted = if when_idle { Roll::WhenIdle } else { Roll::Now };
            if s.record.roll < wanted {
                s.record.roll = wanted;
                s.rolling.by = by("respawn --all", peer);
                s.rolling.ticket = Some(ticket).filter(|_| !when_idle);
                s.save();
            }
            views.push(s.view());
            goals.insert(id, Goal::Rolled);
        }
        if when_idle {
            self.reply(ticket, Reply::Rolled { sessions: views, left }, true);
        } else {
            self.await_roll(ticket, goals, left);
        }
    }

    /// Takes the next step of every roll.
    pub(super) fn roll(&mut self) {
        let at = self.now.awake_ms;
        let mut refused = Vec::new();
        for s in self.sessions.values_mut() {
            if s.rolling.under_way {
                let proven =
                    s.phase == Phase::Alive && !s.respawning() && at >= s.rolling.up_since + CANARY_MS;
                let ended = s.phase == Phase::Ended && !s.respawning();
                if ended && s.record.state != State::Parked {
                    refused.push((s.id(), s.record.program.path.clone()));
                }
                s.rolling.under_way = !(proven || ended);
            }
            let over = s.phase != Phase::Alive || s.record.desired != Desired::Running || s.respawning();
            if s.waits_for_roll()
                && (over || (!s.outdated && self.programs.contains_key(&s.record.program.path)))
            {
                s.record.roll = Roll::No;
                s.save();
                self.touched.insert(s.record.id);
            }
        }
        refused.into_iter().for_each(|(id, path)| self.refuse_roll(id, &path));
        let waiting = self.sessions.values().filter(|s| s.waits_for_roll());
        let paths: BTreeSet<Text> = waiting.map(|s| s.record.program.path.clone()).collect();
        for path in paths {
            if let Some(id) = self.next_to_roll(&path) {
                self.roll_one(id);
            }
        }
    }

    /// The session of this program that goes next, if one may go now.
    fn next_to_roll(&self, path: &Text) -> Option<SessionId> {
        let at = self.now.awake_ms;
        let present = self.programs.get(path)?;
        let of_it = || self.sessions.values().filter(|s| s.record.program.path == *path);
        let starts = of_it().any(|s| s.rolling.under_way && s.phase != Phase::Alive);
        let proven = of_it().any(|s| {
            let up = s.phase == Phase::Alive && at >= s.rolling.up_since + CANARY_MS;
            up && s.record.agent.is_some() && s.record.program.stamp == *present
        });
        if starts || (!proven && of_it().any(|s| s.rolling.under_way)) {
            return None;
        }
        let may = of_it().filter(|s| s.is_outdated() && s.may_be_rolled_at().is_some_and(|when| at >= when));
        may.min_by_key(|s| (s.record.pinned, s.over_at().is_none(), s.shown_at, s.id())).map(Session::id)
    }

    fn roll_one(&mut self, id: SessionId) {
        let Some(s) = self.touch(id) else { return };
        let Rolling { ticket, by, .. } = std::mem::take(&mut s.rolling);
        s.decided();
        s.record.generation += 1;
        s.environment = ticket;
        s.by = by;
        s.rolling.under_way = true;
        s.save_first();
    }

    /// One that was rolled did not come up: the others stay as they are.
    fn refuse_roll(&mut self, canary: SessionId, path: &Text) {
        let waiting: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|s| s.waits_for_roll() && s.record.program.path == *path)
            .map(Session::id)
            .collect();
        let name = self.sessions.get(&canary).map(|s| s.record.name.clone()).unwrap_or_default();
        for id in &waiting {
            let Some(s) = self.touch(*id) else { continue };
            s.record.roll = Roll::No;
            s.rolling.ticket = None;
            s.save();
            let message = format!("{} stays as it is: {name} did not come up with {path}", s.record.name);
            let problem = Problem::new(ErrorKind::Failed, message, format!("`abide why {canary}` says more"));
            self.fail_roll(*id, problem);
        }
        let others = match waiting.len() {
            0 => "nobody waited behind it".to_owned(),
            1 => "1 other session stays as it is".to_owned(),
            n => format!("{n} other sessions stay as they are"),
        };
        self.journal(
            Some(canary),
            "roll-refused",
            &format!("it did not come up with {path}: {others}"),
            &By::default(),
        );
    }

    /// When the next step of a roll is due, awake time.
    pub(super) fn roll_deadline(&self) -> Option<u64> {
        let at = self.now.awake_ms;
        let proofs = self.sessions.values().filter(|s| s.rolling.under_way && s.phase == Phase::Alive);
        let proofs = proofs.map(|s| s.rolling.up_since + CANARY_MS);
        let turns = self.sessions.values().filter(|s| s.waits_for_roll() && s.is_outdated());
        proofs.chain(turns.filter_map(Session::may_be_rolled_at)).filter(|due| *due > at).min()
    }
}
