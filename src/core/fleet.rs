//! All sessions: events come in, [`super::session`] says what each of them needs, actions go out.
//!
//! Every event goes the same way: it is noted in the session that it is about (a command only changes what is wanted);
//! what is due by time is done; each touched session takes the steps that it can; then the starts, the answers, the
//! status line and the idle exit are looked at, which are about more than one.

use super::action::{Action, Entry};
use super::conversation;
use super::event::{Event, Here, Now, Ticket};
use super::id::SessionId;
use super::journal::By;
use super::record::{Exit, Origin, Restart, State};
use super::requests::{Request, Waiter};
use super::session::{HOST_LOST, Phase, Session, Step};
use super::status::Signs;
use super::text::Text;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the rules depend on. Times in milliseconds of awake time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The supervisor leaves when it was not needed for so long.
    pub idle_exit_ms: u64,
    /// And not before it lived so long: a service that exits right after each answer runs into start limits.
    pub min_lifetime_ms: u64,
    /// From the polite signals to SIGKILL, where a stop does not say.
    pub stop_grace_ms: u32,
    /// Starts under way at the same time.
    pub max_starting: usize,
    /// Entries of the event journal kept in memory.
    pub events_tail: usize,
    /// What becomes of an agent's session after a reboot, where its dispatch does not say.
    pub restart: Restart,
    /// A session that was last known alive longer ago is not restarted by itself. Of the wall clock.
    pub restart_within_ms: u64,
    /// An agent that its user leaves while attached is parked, rather than done.
    pub park_on_leave: bool,
    /// How agents show what they do, by profile.
    pub signs: BTreeMap<String, Signs>,
    /// Process id of this supervisor.
    pub pid: u32,
    /// Version of its program.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_exit_ms: 30_000,
            min_lifetime_ms: 1_000,
            stop_grace_ms: 5_000,
            max_starting: 16,
            events_tail: 5_000,
            restart: Restart::Manual,
            restart_within_ms: 86_400_000,
            park_on_leave: true,
            signs: BTreeMap::new(),
            pid: 0,
            version: crate::VERSION.into(),
        }
    }
}

/// State changes that a live session makes by itself are written and journalled at most so often: a program that
/// flickers must not wear out a disk.
pub(super) const FLICKER_MS: u64 = 1_000;
/// A stop without an outcome is asked for again when its grace and this have passed, then after twice that, and so on.
const STOP_AGAIN_MS: u64 = 10_000;
/// And at least so often.
const STOP_AGAIN_MAX_MS: u64 = 300_000;
/// See the module.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) settings: Settings,
    pub(super) now: Now,
    pub(super) here: Here,
    pub(super) origin: Origin,
    pub(super) started: Now,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) requests: BTreeMap<Ticket, Request>,
    pub(super) waits: BTreeMap<Ticket, Waiter>,
    pub(super) followers: BTreeMap<Ticket, Option<SessionId>>,
    pub(super) touched: BTreeSet<SessionId>,
    pub(super) turns: u64,
    pub(super) last_event: u64,
    pub(super) tail: VecDeque<Entry>,
    pub(super) clients: usize,
    pub(super) unneeded_since: Option<u64>,
    pub(super) line: String,
    pub(super) leaving: bool,
    pub(super) upgrade: Option<super::upgrade::Status>,
    /// What lies at the paths of agents' programs, as the shell said last.
    pub(super) programs: BTreeMap<Text, String>,
    /// The paths that the shell watches.
    pub(super) watched: BTreeSet<Text>,
    pub(super) out: Vec<Action>,
}

impl Fleet {
    /// An empty one, which waits for [`Event::Adopt`].
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Now::default(),
            here: Here::default(),
            origin: Origin::Transient,
            started: Now::default(),
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            waits: BTreeMap::new(),
            followers: BTreeMap::new(),
            touched: BTreeSet::new(),
            turns: 0,
            last_event: 0,
            tail: VecDeque::new(),
            clients: 0,
            unneeded_since: None,
            line: String::new(),
            leaving: false,
            upgrade: None,
            programs: BTreeMap::new(),
            watched: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    /// Takes note of `event` and decides. Outcomes of the returned actions come back as events.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        // The shell's clock never runs backwards; a deadline must not depend on that.
        self.now = Now { awake_ms: now.awake_ms.max(self.now.awake_ms), wall_ms: now.wall_ms };
        let programs = Self::concerns_programs(&event);
        match event {
            Event::Adopt { records, found, here, origin, last_event, recent } => {
                self.adopt(records, found, here, origin, last_event, recent);
            }
            Event::Command { ticket, peer, command, draft } => self.command(ticket, &peer, command, draft),
            Event::Gone { ticket } => self.gone(ticket),
            Event::Saved { id, revision } => self.saved(id, revision),
            Event::SaveFailed { id, revision, message } => self.save_failed(id, revision, &message),
            Event::StartFailed { id, generation, message, users_fault } => {
                self.start_failed(id, generation, message, users_fault);
            }
            Event::Linked { id, generation, host } => self.linked(id, generation, host),
            Event::Lacking { id, generation, names, stand_in, found_in, program } => {
                self.lacks(id, generation, names, stand_in);
                self.found_in(id, generation, found_in);
                self.started_with(id, generation, program);
            }
            Event::Program { path, stamp } => self.program(path, stamp),
            Event::Status { id, generation, signals } => self.status(id, generation, signals),
            Event::Seen { id, generation, seen } => self.seen(id, generation, &seen),
            Event::Exited { id, generation, exit } => self.ended(id, generation, exit),
            Event::HostLost { id, generation } => {
                let exit = Exit {
                    cause: HOST_LOST.into(),
                    message: "its host vanished without leaving an exit record".into(),
                    ..Exit::default()
                };
                self.ended(id, generation, exit);
            }
            Event::Removed { id, error } => self.removed(id, error),
            Event::Clients(n) => {
                self.clients = n;
                self.unneeded_since = None;
            }
            Event::Upgrade { status, tell } => {
                self.upgrade = Some(*status);
                if let Some((event, text)) = tell {
                    self.journal(None, event, &text, &By::default());
                }
            }
            Event::Tick => {}
        }
        if programs {
            self.watch_programs();
        }
        self.due();
        self.roll();
        self.settle();
        self.start_next();
        self.answer_waits();
        self.show();
        self.come_back();
        self.leave_if_unneeded();
        std::mem::take(&mut self.out)
    }

    /// When to send [`Event::Tick`], in awake milliseconds, and why.
    pub fn next_deadline(&self) -> Option<(u64, &'static str)> {
        let idle = self.leave_at().map(|at| (at, "idle exit"));
        let sessions = self.sessions.values().flat_map(|s| {
            let retry = s.saves.retry.filter(|_| s.saves.in_flight.is_none());
            let retry = retry.map(|(at, _)| (at, "a record to be saved again"));
            let again = match s.phase {
                Phase::Stopping { again: Some((at, _)), .. } => Some((at, "a stop to be asked for again")),
                Phase::Stopping { again: None, .. }
                | Phase::Ended
                | Phase::Waiting { .. }
                | Phase::Launching
                | Phase::Alive
                | Phase::Removing
                | Phase::Stuck => None,
            };
            let flicker = s.unshown().then_some((s.shown_at + FLICKER_MS, "a changed state to be recorded"));
            let restart = s.restart_at.map(|at| (at, "a restart by policy"));
            let healthy = s.healthy_at.map(|at| (at, "a restart that has succeeded then"));
            let judged = s.judged_at();
            retry.into_iter().chain(again).chain(flicker).chain(restart).chain(healthy).chain(judged)
        });
        let roll = self.roll_deadline().map(|at| (at, "a session to be rolled"));
        idle.into_iter().chain(sessions).chain(roll).min()
    }

    /// The session, noted as one that may have a step to take.
    pub(super) fn touch(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&id)?;
        self.touched.insert(id);
        Some(session)
    }

    /// Does what is due by time.
    fn due(&mut self) {
        let at = self.now.awake_ms;
        let of = |when: fn(&Session) -> Option<u64>| -> Vec<SessionId> {
            let due = self.sessions.values().filter(|s| when(s).is_some_and(|when| at >= when));
            due.map(Session::id).collect()
        };
        let (restarts, healthy) = (of(|s| s.restart_at), of(|s| s.healthy_at));
        let judged = of(|s| s.judged_at().map(|(at, _)| at));
        restarts.into_iter().for_each(|id| self.restart_now(id));
        healthy.into_iter().for_each(|id| self.stayed_up(id));
        judged.into_iter().for_each(|id| self.judge(id));
        for s in self.sessions.values_mut() {
            let mut due = s.unshown() && at >= s.shown_at + FLICKER_MS;
            due |= s.saves.in_flight.is_none() && s.saves.retry.is_some_and(|(when, _)| at >= when);
            if let Phase::Stopping { live, again: Some((when, wait)) } = s.phase
                && at >= when
            {
                let wait = (wait * 2).min(STOP_AGAIN_MAX_MS);
                s.phase = Phase::Stopping { live, again: Some((at + wait, wait)) };
                self.out.push(Action::Stop { id: s.record.id, generation: live, grace_ms: s.grace_ms });
            }
            if due {
                self.touched.insert(s.record.id);
            }
        }
    }

    /// Lets the touched sessions take all steps that they can.
    fn settle(&mut self) {
        while let Some(id) = self.touched.pop_first() {
            self.steps(id);
            if let Some(s) = self.sessions.get_mut(&id) {
                s.note_since(self.now);
            }
            self.announce(id);
            self.flush(id);
            self.answer(id);
        }
    }

    fn steps(&mut self, id: SessionId) {
        let at = self.now.awake_ms;
        loop {
            let Some(s) = self.sessions.get_mut(&id) else { return };
            match s.next() {
                Step::Rest => return,
                Step::Begin => self.begin(id),
                Step::Cancel => {
                    s.phase = Phase::Ended;
                    s.environment = None;
                    s.record.start = s.record.start.min(s.record.generation);
                    s.record.state = State::Stopped;
                    s.first = false;
                    s.save();
                    let by = std::mem::take(&mut s.by);
                    self.journal(Some(id), "stopped", "it had not been started yet", &by);
                    self.shown(id);
                }
                Step::End => s.phase = Phase::Stopping { live: s.record.start, again: None },
                Step::Stop => {
                    let Phase::Stopping { live, .. } = s.phase else { return };
                    if !s.recorded_or_refused() {
                        return;
                    }
                    let wait = u64::from(s.grace_ms) + STOP_AGAIN_MS;
                    s.phase = Phase::Stopping { live, again: Some((at + wait, wait)) };
                    self.out.push(Action::Stop { id, generation: live, grace_ms: s.grace_ms });
                    return;
                }
                Step::Remove => {
                    if !s.recorded_or_refused() || s.saves.in_flight.is_some() {
                        return;
                    }
                    s.phase = Phase::Removing;
                    s.saves.dirty = false;
                    s.saves.retry = None;
                    self.out.push(Action::Remove { id });
                    return;
                }
            }
        }
    }

    /// Takes a start up: its record is to be on disk first.
    pub(super) fn begin(&mut self, id: SessionId) {
        let under_way = self
            .sessions
            .values()
            .filter(|s| matches!(s.phase, Phase::Launching | Phase::Waiting { .. }))
            .count();
        self.turns += 1;
        let (turn, here, most) = (self.turns, self.here.clone(), self.settings.max_starting);
        let Some(s) = self.touch(id) else { return };
        let before = match s.record.state {
            // Of an earlier start that came to nothing.
            State::Queued | State::Starting | State::Working | State::Blocked | State::Idle => State::Failed,
            ended @ (State::Done | State::Failed | State::Stopped | State::Parked) => ended,
        };
        s.phase = Phase::Waiting { turn, before };
        s.record.start = s.record.generation;
        s.record.era = here.era;
        s.record.manager = here.manager;
        s.record.state = if under_way < most { State::Starting } else { State::Queued };
        s.save_first();
    }

    /// Asks for hosts, as many as may be under way, in the order of their turns.
    fn start_next(&mut self) {
        let under_way = self.sessions.values().filter(|s| s.phase == Phase::Launching).count();
        let free = self.settings.max_starting.max(1).saturating_sub(under_way);
        let mut ready: Vec<(u64, SessionId)> = self
            .sessions
            .values()
            .filter(|s| s.recorded())
            .filter_map(|s| match s.phase {
                Phase::Waiting { turn, .. } => Some((turn, s.id())),
                Phase::Ended
                | Phase::Launching
                | Phase::Alive
                | Phase::Stopping { .. }
                | Phase::Removing
                | Phase::Stuck => None,
            })
            .collect();
        ready.sort_unstable();
        for (_, id) in ready.into_iter().take(free) {
            let Some(s) = self.touch(id) else { continue };
            s.phase = Phase::Launching;
            let queued = s.record.state == State::Queued;
            s.record.state = State::Starting;
            if queued {
                s.save();
            }
            let again = !s.never_ran() && !s.record.respawn_argv.is_empty();
            let record = &s.record;
            let (argv, otherwise) =
                if again { conversation::respawn(record) } else { (record.argv.clone(), None) };
            let action = Action::Launch {
                id,
                generation: record.start,
                argv,
                otherwise,
                cwd: record.cwd.clone(),
                environment: s.environment,
                by_itself: s.by_itself,
                renew: record.stand_in,
                found_in: record.found_in.clone(),
                had: record.env_names.clone(),
            };
            self.out.push(action);
        }
        self.settle();
    }

    /// Writes the record, unless that is under way.
    fn flush(&mut self, id: SessionId) {
        let now = self.now;
        let Some(s) = self.sessions.get_mut(&id) else { return };
        let wait = s.saves.retry.is_some_and(|(at, _)| now.awake_ms < at) && s.gate <= s.saves.failed;
        if !s.saves.dirty
            || s.saves.in_flight.is_some()
            || wait
            || matches!(s.phase, Phase::Removing | Phase::Stuck)
        {
            return;
        }
        s.record.revision += 1;
        s.record.times.updated_ms = now.wall_ms;
        s.saves.in_flight = Some(s.record.revision);
        s.saves.state = s.written();
        s.saves.dirty = false;
        self.out.push(Action::Save(Box::new(s.record.clone())));
    }
}
