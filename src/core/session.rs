//! One session: what is wanted of it beside what it is.
//!
//! # What is wanted
//! It is in the record, so that it outlives the supervisor: `desired`, and two counters. `generation` moves on with
//! every start and every stop that somebody decides; `start` is the generation of the last start. So
//!
//! | `desired` | `start` and `generation` | wanted |
//! |---|---|---|
//! | Running | equal | the process of that start, or whatever it came to |
//! | Running | `start` is older | whatever runs is to end, and to be started anew (a respawn) |
//! | Stopped | | no process |
//! | Removed | | no process, and then no files |
//!
//! Commands change only what is wanted, never what is: a stop after a respawn, or the other way round, is then only a
//! matter of which came last, and no order of their outcomes can undo the later one.
//!
//! # What is
//! A [`Phase`]. [`next`] compares the two and says what is to be done, in every combination. Precedence: removal over
//! stop over respawn over running. Between two of its steps stands the *gate*: the revision of the record that must be
//! on disk first. A start that cannot be recorded does not happen. A stop or a removal whose record cannot be written
//! does happen (a full disk must not keep alive what fills it): nothing ever restarts a process by itself, so what the
//! record would have prevented cannot occur while this supervisor lives, and it tries to write it again.
//!
//! # States
//! `record.state` is what is shown; it follows from the phase, from how the process ended ([`Session::end`]) and, for
//! a live one, from [`super::status`].

use super::event::{Now, Signals, Ticket};
use super::id::SessionId;
use super::journal::By;
use super::record::{Desired, Exit, Host, Record, State, Tempo};
use super::restart::HEALTHY_MS;
use super::roll::{Roll, Rolling};
use super::status::{Evidence, Kept};
use super::watch::Looks;

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No process, and none asked for.
    Ended,
    /// A start was decided; it waits for its record to be on disk and for its turn.
    Waiting {
        /// Lower comes first.
        turn: u64,
        /// What it was, in case the record cannot be written.
        before: State,
    },
    /// A host was asked for, of `record.start`; its birth or its failure is outstanding.
    Launching,
    /// A host of `record.start` lives.
    Alive,
    /// A host lives and is to end.
    Stopping {
        /// The generation of that host.
        live: u64,
        /// The stop was asked for; asked again at this awake time, after this wait.
        again: Option<(u64, u64)>,
    },
    /// Its files are being removed.
    Removing,
    /// Its files could not be removed.
    Stuck,
}

/// What is to be done next for a session, by comparing what is wanted with what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing, or nothing before an outcome arrives.
    Rest,
    /// Take up a start.
    Begin,
    /// Give a start up that was not asked of the system yet.
    Cancel,
    /// Turn to ending the live host.
    End,
    /// Ask for the stop, once the gate is passed.
    Stop,
    /// Remove the files, once the gate is passed.
    Remove,
}

/// Every combination of what is wanted and what is.
pub fn next(desired: Desired, respawn: bool, phase: &Phase) -> Step {
    match (phase, desired, respawn) {
        (Phase::Ended, Desired::Running, true) => Step::Begin,
        (Phase::Ended, Desired::Running, false) | (Phase::Ended, Desired::Stopped, _) => Step::Rest,
        (Phase::Ended, Desired::Removed, _) => Step::Remove,

        // Its turn is the fleet's decision, since that is about all of them.
        (Phase::Waiting { .. }, Desired::Running, _) => Step::Rest,
        (Phase::Waiting { .. }, Desired::Stopped | Desired::Removed, _) => Step::Cancel,

        // What was asked of the system has an outcome, and only then can it be ended.
        (Phase::Launching, Desired::Running | Desired::Stopped | Desired::Removed, _) => Step::Rest,

        (Phase::Alive, Desired::Running, false) => Step::Rest,
        (Phase::Alive, Desired::Running, true) => Step::End,
        (Phase::Alive, Desired::Stopped | Desired::Removed, _) => Step::End,

        // A stop that was asked for cannot be taken back: a respawn waits for its end.
        (Phase::Stopping { again: None, .. }, Desired::Running | Desired::Stopped | Desired::Removed, _) => {
            Step::Stop
        }
        (
            Phase::Stopping { again: Some(_), .. },
            Desired::Running | Desired::Stopped | Desired::Removed,
            _,
        ) => Step::Rest,

        (Phase::Removing | Phase::Stuck, Desired::Running | Desired::Stopped | Desired::Removed, _) => {
            Step::Rest
        }
    }
}

/// How far the record is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saves {
    /// Highest revision known to be durable.
    pub durable: u64,
    /// Highest revision that failed.
    pub failed: u64,
    /// State and reason as last written, and what the agent had told.
    pub state: Written,
    /// Being written.
    pub in_flight: Option<u64>,
    /// The record has changed since.
    pub dirty: bool,
    /// After a failure: when to try again, and how long that was.
    pub retry: Option<(u64, u64)>,
    /// Why the last one failed; empty where none did since the last success.
    pub error: String,
}

/// What of a record changes by itself.
pub type Written = (State, Option<String>, Option<Kept>);

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What is known and wanted.
    pub record: Record,
    /// What is.
    pub phase: Phase,
    /// Its host's last report.
    pub signals: Option<Signals>,
    /// What is known of what it does.
    pub evidence: Evidence,
    /// See `Looks`.
    pub looks: Looks,
    /// When time alone may change its state, awake time.
    pub settled_at: Option<u64>,
    /// State and reason since `record.times.since_ms`.
    pub was: (State, Option<String>),
    /// See [`Saves`].
    pub saves: Saves,
    /// The revision that must be on disk before the next step.
    pub gate: u64,
    /// Its dispatch is not answered yet: a failure leaves no record behind.
    pub first: bool,
    /// Whose environment the next start takes.
    pub environment: Option<Ticket>,
    /// From polite to SIGKILL, for the next stop.
    pub grace_ms: u32,
    /// Who asked for what it is going through; for the journal.
    pub by: By,
    /// State and reason that the journal has, and since when (awake time).
    pub shown: (State, Option<String>),
    /// See `shown`.
    pub shown_at: u64,
    /// Found alive, and its host has not reported since.
    pub adopted: bool,
    /// Inputs counted when the last bell or notification came.
    pub alert_inputs: Option<u32>,
    /// When the journal got the last alert.
    pub alert_at: Option<u64>,
    /// Lost log bytes that the journal has, and when it got them.
    pub gap: (u64, Option<u64>),
    /// When it is started by itself, awake time.
    pub restart_at: Option<u64>,
    /// Nobody asked for the start that it is going through.
    pub by_itself: bool,
    /// It has come up when it is still there then, awake time.
    pub healthy_at: Option<u64>,
    /// The file of its program was replaced since its start.
    pub outdated: bool,
    /// See [`super::roll`].
    pub rolling: Rolling,
}

impl Session {
    /// One of which only the record is known.
    pub fn new(record: Record, grace_ms: u32) -> Self {
        Self {
            phase: Phase::Ended,
            signals: None,
            evidence: Evidence::default(),
            looks: Looks::default(),
            settled_at: None,
            was: (record.state, record.waiting_for.clone()),
            saves: Saves {
                durable: record.revision,
                failed: 0,
                state: written(&record),
                in_flight: None,
                dirty: false,
                retry: None,
                error: String::new(),
            },
            gate: 0,
            first: false,
            environment: None,
            grace_ms,
            by: By::default(),
            shown: (record.state, record.waiting_for.clone()),
            shown_at: 0,
            adopted: false,
            alert_inputs: None,
            alert_at: None,
            gap: (0, None),
            restart_at: None,
            by_itself: false,
            healthy_at: None,
            outdated: false,
            rolling: Rolling::default(),
            record,
        }
    }

    /// Somebody decided what becomes of it, or it has come up: earlier restarts count no longer.
    pub fn forget_restarts(&mut self) {
        self.restart_at = None;
        self.by_itself = false;
        if self.record.attempts != 0 || self.record.due_ms != 0 {
            self.record.attempts = 0;
            self.record.due_ms = 0;
            self.save();
        }
    }

    /// Somebody decided what becomes of it. The caller has it saved.
    pub fn decided(&mut self) {
        self.forget_restarts();
        self.rolling.under_way = false;
        self.rolling.ticket = None;
        self.record.roll = Roll::No;
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.record.id
    }

    /// Another start is wanted.
    pub fn respawning(&self) -> bool {
        self.record.desired == Desired::Running && self.record.start < self.record.generation
    }

    /// See [`next`].
    pub fn next(&self) -> Step {
        next(self.record.desired, self.respawning(), &self.phase)
    }

    /// It has a process, or will have one: a supervisor must stay.
    pub fn is_live(&self) -> bool {
        match self.phase {
            Phase::Waiting { .. } | Phase::Launching | Phase::Alive | Phase::Stopping { .. } => true,
            Phase::Ended | Phase::Removing | Phase::Stuck => false,
        }
    }

    /// It can be addressed and is listed.
    pub fn is_visible(&self) -> bool {
        self.record.desired != Desired::Removed || self.phase == Phase::Stuck
    }

    /// The generation of the host that is there or on its way.
    pub fn live(&self) -> Option<u64> {
        match self.phase {
            Phase::Launching | Phase::Alive => Some(self.record.start),
            Phase::Stopping { live, .. } => Some(live),
            Phase::Ended | Phase::Waiting { .. } | Phase::Removing | Phase::Stuck => None,
        }
    }

    /// Its process never ran, as far as anybody knows.
    pub fn never_ran(&self) -> bool {
        self.record.times.started_ms == 0
    }

    /// How to start it is known.
    pub fn has_command(&self) -> bool {
        !self.record.argv.is_empty() || !self.record.respawn_argv.is_empty()
    }

    /// Its dispatch was recorded and not carried out: a repetition of it would start it.
    pub fn could_start_late(&self) -> bool {
        let never_started = self.record.exit.as_ref().is_some_and(|e| e.cause == NEVER_STARTED);
        let wanted = self.record.desired == Desired::Running && !self.respawning();
        self.phase == Phase::Ended && self.never_ran() && never_started && wanted
    }

    /// How its last process ended is not known for certain: it was not seen again, or its start was not.
    pub fn given_up(&self) -> bool {
        self.record.exit.as_ref().is_none_or(|e| matches!(e.cause.as_str(), HOST_LOST | NEVER_STARTED))
    }

    /// The gate is passed: its record is on disk.
    pub fn recorded(&self) -> bool {
        self.saves.durable >= self.gate
    }

    /// Its record is on disk, or was refused by it.
    pub fn recorded_or_refused(&self) -> bool {
        self.saves.durable.max(self.saves.failed) >= self.gate
    }

    /// The record changed: it is to be written. Returns the revision that will hold the change.
    pub fn save(&mut self) -> u64 {
        self.saves.dirty = true;
        self.record.revision + 1
    }

    /// The revision that holds, or will hold, what the record says now.
    pub fn revision(&self) -> u64 {
        self.record.revision + u64::from(self.saves.dirty)
    }

    /// The next step waits for what the record says now.
    pub fn save_first(&mut self) {
        self.gate = self.save();
    }

    /// See [`Written`].
    pub fn written(&self) -> Written {
        written(&self.record)
    }

    /// Its host runs.
    pub fn link(&mut self, now: Now, host: Host) {
        let record = &mut self.record;
        record.times.started_ms = if host.started_ms == 0 { now.wall_ms.max(1) } else { host.started_ms };
        record.host = Some(host);
        record.exit = None;
        record.state = State::Working;
        record.tempo = Tempo::Active;
        record.waiting_for = None;
        record.detail.clear();
        self.phase = Phase::Alive;
        self.first = false;
        self.environment = None;
        self.by_itself = false;
        self.watch_health(now);
        self.rolling.up_since = now.awake_ms;
        self.forget_evidence();
        self.evidence = Evidence::of_start();
        self.alert_inputs = None;
        self.gap = (0, None);
        self.save();
    }

    /// A restart that nobody asked for has come up when it stays.
    pub fn watch_health(&mut self, now: Now) {
        self.healthy_at = (self.record.attempts > 0).then_some(now.awake_ms + HEALTHY_MS);
    }

    /// Its process is over. What it is then follows from, in this order: what was wanted; who ended it; how it ended.
    pub fn end(&mut self, now: Now, mut exit: Exit) {
        if exit.ended_ms == 0 {
            exit.ended_ms = now.wall_ms;
        }
        if exit.message.is_empty() {
            exit.message = describe(&exit);
        }
        let respawn = self.respawning();
        let record = &mut self.record;
        let asked = matches!(exit.cause.as_str(), "asked" | "terminated");
        record.state = match (record.desired, respawn) {
            (Desired::Stopped | Desired::Removed, _) | (Desired::Running, true) => State::Stopped,
            (Desired::Running, false) if asked => {
                // Somebody ended it past us (`systemctl stop`, `kill`): that means the same as `abide stop`.
                record.desired = Desired::Stopped;
                record.generation += 1;
                State::Stopped
            }
            (Desired::Running, false) => match (exit.cause.as_str(), exit.code) {
                (MANAGER_STOPPING | REBOOT | CONTAINER | LOGOUT | ELSEWHERE, _) => State::Parked,
                ("own", Some(0)) => State::Done,
                _ => State::Failed,
            },
        };
        if record.times.started_ms == 0 && exit.cause != NEVER_STARTED {
            record.times.started_ms = now.wall_ms.max(1);
        }
        if exit.cause != NEVER_STARTED {
            self.first = false;
        }
        let record = &mut self.record;
        record.exit = Some(exit);
        record.host = None;
        record.tempo = Tempo::Idle;
        record.waiting_for = None;
        self.forget_evidence();
        self.adopted = false;
        self.phase = Phase::Ended;
        self.turn_over(now);
        self.save();
    }

    /// Notes the time at which it had nothing more to do.
    pub fn turn_over(&mut self, now: Now) {
        let times = &mut self.record.times;
        if times.first_terminal_ms == 0 {
            times.first_terminal_ms = now.wall_ms;
        }
        times.last_terminal_ms = now.wall_ms;
    }
}

/// [`Exit::cause`] of a session whose start was never reached.
pub const NEVER_STARTED: &str = "never-started";
/// [`Exit::cause`] where the host vanished.
pub const HOST_LOST: &str = "host-lost";
/// [`Exit::cause`] where the machine was started anew.
pub const REBOOT: &str = "reboot";
/// [`Exit::cause`] where the container was started anew.
pub const CONTAINER: &str = "container";
/// [`Exit::cause`] where the user's service manager was started anew.
pub const LOGOUT: &str = "logout";
/// [`Exit::cause`] where the host lives in another container.
pub const ELSEWHERE: &str = "elsewhere";
/// [`Exit::cause`] where the host saw that the service manager was going down.
pub const MANAGER_STOPPING: &str = "manager-stopping";

fn written(record: &Record) -> Written {
    (record.state, record.waiting_for.clone(), record.told.clone())
}

/// How a process ended, for people; empty for success.
pub fn describe(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(0), _) => String::new(),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(_)) if ran_out_of_memory(exit) => "killed by the kernel, since memory ran out".into(),
        (None, Some(signal)) => format!("ended by {}", signal_name(signal)),
        (None, None) => "its exit status is not known".into(),
    }
}

/// Whether the session's own program was what the kernel killed for want of memory, as far as that can be known: it was
/// killed, by nobody of ours, and the kernel counted a kill.
pub fn ran_out_of_memory(exit: &Exit) -> bool {
    exit.signal == Some(9) && exit.cause == "own" && exit.oom_kills > 0
}

/// What the kernel did, for people.
pub fn killed_for_memory(processes: u64) -> String {
    match processes {
        1 => "the kernel killed one of its processes for want of memory".into(),
        n => format!("the kernel killed {n} of its processes for want of memory"),
    }
}

/// The usual name of a signal; those with the same number on all platforms.
fn signal_name(signal: u8) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("{name} ({signal})")
}
