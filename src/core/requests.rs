//! Requests under way: every ticket gets exactly one last reply, once what it asked for has come to its end.

use super::action::{Action, ErrorKind, Reply, View};
use super::address::Problem;
use super::event::Ticket;
use super::fleet::Fleet;
use super::id::SessionId;
use super::record::{Record, State};
use super::roll::Roll;
use super::session::{Phase, Session};
use std::collections::{BTreeMap, BTreeSet};

/// What a request waits for at one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Its process runs, of the last start that was decided.
    Started,
    /// The same, once it has been rolled.
    Rolled,
    /// The process of this start is over, and that it is to stay so is on disk.
    Over {
        /// Which start.
        start: u64,
        /// Revision with the tombstone.
        revision: u64,
    },
    /// This revision is on disk.
    Saved(u64),
    /// Its files are gone.
    Removed,
}

/// A request whose outcome is outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// It is answered with the one session, not with a list.
    pub(super) single: bool,
    /// Of a roll: the sessions that are left alone, a sentence each.
    pub(super) left: Option<Vec<String>>,
    /// What is outstanding.
    pub(super) goals: BTreeMap<SessionId, Goal>,
    /// What was reached.
    pub(super) done: Vec<View>,
    /// What was not.
    pub(super) failed: Vec<Problem>,
}

/// A request that waits for a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) id: SessionId,
    pub(super) states: BTreeSet<State>,
}

impl Session {
    /// As clients see it.
    pub fn view(&self) -> View {
        self.with_signals(self.record.clone())
    }

    /// As lists have it: the record is [brief](super::record::Record::brief).
    pub fn listed(&self) -> View {
        self.with_signals(self.record.brief())
    }

    fn with_signals(&self, record: Record) -> View {
        let signals = self.signals.as_ref().filter(|_| self.live().is_some()).cloned();
        let attended = signals.as_ref().is_some_and(|s| s.writers > 0);
        View { attended, signals, outdated: self.is_outdated(), record }
    }

    fn reached(&self, goal: Goal) -> Option<Result<(), Problem>> {
        let unsaved = |what| {
            let message = format!("{} is {what}, but not on disk: {}", self.record.name, self.saves.error);
            Problem::new(ErrorKind::Failed, message, "it is tried again; free disk space")
        };
        match goal {
            Goal::Rolled if self.record.roll != Roll::No => None,
            Goal::Started | Goal::Rolled => match (&self.phase, self.respawning()) {
                (Phase::Alive, false) => Some(Ok(())),
                (Phase::Ended | Phase::Removing | Phase::Stuck, false) => {
                    let message = format!("{} has ended and will not start", self.record.name);
                    Some(Err(Problem::new(ErrorKind::Failed, message, "`abide why` says more")))
                }
                (Phase::Waiting { .. } | Phase::Launching | Phase::Stopping { .. }, false) | (_, true) => {
                    None
                }
            },
            Goal::Over { start, revision } => {
                let over = match self.phase {
                    Phase::Ended | Phase::Removing | Phase::Stuck => true,
                    Phase::Waiting { .. } | Phase::Launching | Phase::Alive => self.record.start > start,
                    Phase::Stopping { live, .. } => live > start,
                };
                match (over, self.saves.durable >= revision, self.saves.failed >= revision) {
                    (true, true, _) => Some(Ok(())),
                    (true, false, true) => Some(Err(unsaved("stopped"))),
                    (true, false, false) | (false, _, _) => None,
                }
            }
            Goal::Saved(revision) if self.saves.durable >= revision => Some(Ok(())),
            Goal::Saved(revision) => (self.saves.failed >= revision).then(|| Err(unsaved("changed"))),
            Goal::Removed => None,
        }
    }
}

impl Fleet {
    /// A reply.
    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply, last: bool) {
        self.out.push(Action::Reply { ticket, reply, last });
    }

    /// A last reply that says what went wrong.
    pub(super) fn refuse(&mut self, ticket: Ticket, problem: Problem) {
        let Problem { kind, message, hint } = problem;
        self.reply(ticket, Reply::Error { kind, message, hint }, true);
    }

    /// Answers `ticket` when all of `goals` are reached.
    pub(super) fn await_goals(&mut self, ticket: Ticket, single: bool, goals: BTreeMap<SessionId, Goal>) {
        self.pursue(ticket, Request { single, left: None, goals, done: Vec::new(), failed: Vec::new() });
    }

    /// Answers `ticket` when all of these have been rolled, or will not be.
    pub(super) fn await_roll(&mut self, ticket: Ticket, goals: BTreeMap<SessionId, Goal>, left: Vec<String>) {
        let (done, failed) = (Vec::new(), Vec::new());
        self.pursue(ticket, Request { single: false, left: Some(left), goals, done, failed });
    }

    fn pursue(&mut self, ticket: Ticket, request: Request) {
        self.touched.extend(request.goals.keys());
        self.requests.insert(ticket, request);
        self.conclude(ticket);
    }

    /// Looks whether something was reached at this session.
    pub(super) fn answer(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let mut concluded = Vec::new();
        for (ticket, request) in &mut self.requests {
            let Some(outcome) = request.goals.get(&id).and_then(|goal| session.reached(*goal)) else {
                continue;
            };
            request.goals.remove(&id);
            match outcome {
                Ok(()) => request.done.push(session.view()),
                Err(problem) => request.failed.push(problem),
            }
            concluded.push(*ticket);
        }
        for ticket in concluded {
            self.conclude(ticket);
        }
    }

    /// What waits for a start of this session will not see it.
    pub(super) fn fail_start(&mut self, id: SessionId, message: &str, hint: &str) {
        let starts = |goal| matches!(goal, Goal::Started | Goal::Rolled);
        self.fail(id, Problem::new(ErrorKind::Failed, message, hint), starts);
    }

    /// This session is not rolled after all.
    pub(super) fn fail_roll(&mut self, id: SessionId, problem: Problem) {
        self.fail(id, problem, |goal| goal == Goal::Rolled);
    }

    /// The removal failed: nothing that anybody waits for at this session will come.
    pub(super) fn fail_removal(&mut self, id: SessionId, message: &str) {
        let problem = Problem::new(
            ErrorKind::Failed,
            format!("the files of {id} could not be removed: {message}"),
            "see to its folder, then `abide rm` it again",
        );
        self.fail(id, problem, |_| true);
    }

    /// The session is no more.
    pub(super) fn forget(&mut self, id: SessionId, view: Option<View>) {
        for request in self.requests.values_mut() {
            if request.goals.get(&id) == Some(&Goal::Removed) {
                request.goals.remove(&id);
                request.done.extend(view.clone());
            }
        }
        let gone = Problem::new(ErrorKind::NoSession, format!("{id} was removed"), "");
        self.fail(id, gone.clone(), |_| true);
        let waiting: Vec<_> = self.waits.iter().filter(|(_, w)| w.id == id).map(|(t, _)| *t).collect();
        for ticket in waiting {
            self.waits.remove(&ticket);
            self.refuse(ticket, gone.clone());
        }
        let following: Vec<_> =
            self.followers.iter().filter(|(_, f)| **f == Some(id)).map(|(t, _)| *t).collect();
        for ticket in following {
            self.followers.remove(&ticket);
            self.reply(ticket, Reply::Done { sessions: Vec::new() }, true);
        }
        let all: Vec<_> = self.requests.keys().copied().collect();
        for ticket in all {
            self.conclude(ticket);
        }
    }

    fn fail(&mut self, id: SessionId, problem: Problem, which: impl Fn(Goal) -> bool) {
        let mut concluded = Vec::new();
        for (ticket, request) in &mut self.requests {
            if request.goals.get(&id).is_some_and(|goal| which(*goal)) {
                request.goals.remove(&id);
                request.failed.push(problem.clone());
                concluded.push(*ticket);
            }
        }
        for ticket in concluded {
            self.conclude(ticket);
        }
    }

    /// Answers the request if nothing of it is outstanding.
    fn conclude(&mut self, ticket: Ticket) {
        if !self.requests.get(&ticket).is_some_and(|r| r.goals.is_empty()) {
            return;
        }
        let Some(mut request) = self.requests.remove(&ticket) else { return };
        if let Some(first) = request.failed.first() {
            let message = match request.failed.as_slice() {
                [one] => one.message.clone(),
                several => several.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "),
            };
            let problem = Problem::new(first.kind, message, first.hint.clone());
            self.refuse(ticket, problem);
            return;
        }
        let reply = match request.done.pop() {
            Some(view) if request.single => Reply::Session { session: Box::new(view) },
            last => {
                request.done.extend(last);
                match request.left {
                    Some(left) => Reply::Rolled { sessions: request.done, left },
                    None => Reply::Done { sessions: request.done },
                }
            }
        };
        self.reply(ticket, reply, true);
    }

    /// The client has gone. What it asked for goes on; what would have gone on for ever ends.
    pub(super) fn gone(&mut self, ticket: Ticket) {
        if self.waits.remove(&ticket).is_some() || self.followers.remove(&ticket).is_some() {
            self.reply(ticket, Reply::Done { sessions: Vec::new() }, true);
        }
    }

    /// Answers those whose state has come, and those whose state cannot come.
    pub(super) fn answer_waits(&mut self) {
        let mut answers = Vec::new();
        for (ticket, waiter) in &self.waits {
            let Some(s) = self.sessions.get(&waiter.id) else { continue };
            if waiter.states.contains(&s.record.state) {
                answers.push((*ticket, Ok(s.view())));
            } else if !s.is_live() && s.restart_at.is_none() {
                let shown = shown_state(s.record.state);
                let message = format!("{} is {shown} and has no process", s.record.name);
                let hint = format!("`abide respawn {}` starts it again", s.id());
                answers.push((*ticket, Err(Problem::new(ErrorKind::Failed, message, hint))));
            }
        }
        for (ticket, answer) in answers {
            self.waits.remove(&ticket);
            match answer {
                Ok(view) => self.reply(ticket, Reply::Session { session: Box::new(view) }, true),
                Err(problem) => self.refuse(ticket, problem),
            }
        }
    }
}

/// The states, and how they are called in lists and requests.
pub const STATES: [(State, &str); 9] = [
    (State::Queued, "queued"),
    (State::Starting, "starting"),
    (State::Working, "working"),
    (State::Blocked, "blocked"),
    (State::Idle, "idle"),
    (State::Done, "done"),
    (State::Failed, "failed"),
    (State::Stopped, "stopped"),
    (State::Parked, "parked"),
];

/// How a state is called.
pub fn shown_state(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Starting => "starting",
        State::Working => "working",
        State::Blocked => "blocked",
        State::Idle => "idle",
        State::Done => "done",
        State::Failed => "failed",
        State::Stopped => "stopped",
        State::Parked => "parked",
    }
}
