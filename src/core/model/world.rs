//! A simulated shell, its disk, its hosts and its clients. Every outcome waits until a happening takes it, in any
//! order but that of one session's saves.

use super::{Ask, Does, End, Want};
use crate::core::action::{Action, Entry, Reply};
use crate::core::event::{
    Command, Event, Found, Here, Now, Peer, Plan, Remains, RunSpec, Seen, Signals, Ticket,
};
use crate::core::fleet::{Fleet, Settings};
use crate::core::id::SessionId;
use crate::core::record::{Desired, Era, Exit, Host, Instance, Origin, Record, Restart};
use crate::core::restart::ATTEMPTS;
use crate::core::roll::{Program, Roll};
use crate::core::session::Phase;
use crate::core::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// Starts under way at the same time: few, so that queues form.
const STARTING: usize = 2;

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are a handful of them, in a test")]
enum Pending {
    Save(Box<Record>),
    Launch {
        id: SessionId,
        generation: u64,
    },
    Stop {
        id: SessionId,
        generation: u64,
    },
    Remove(SessionId),
    /// Something that happened and was not told yet.
    News(Event),
}

/// A start order in the runtime folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Taken(u64),
    Withdrawn(u64),
}

pub(super) struct World {
    pub(super) wants: Vec<Want>,
    fleet: Fleet,
    now: Now,
    boot: u32,
    manager: u32,
    comes_back: bool,
    /// Of the agent's program; 0 for none.
    version: u8,
    watches: bool,
    /// Times that everything ended.
    ends: u32,
    disk: BTreeMap<SessionId, Record>,
    /// Sessions whose last save was refused.
    refused: BTreeSet<SessionId>,
    hosts: BTreeMap<SessionId, u64>,
    exits: BTreeMap<SessionId, (u64, Exit)>,
    orders: BTreeMap<SessionId, Order>,
    /// Sessions that ever ran: their prompt must not be delivered again.
    ran: BTreeSet<SessionId>,
    /// Dispatches that failed: they leave nothing behind.
    failed_runs: BTreeSet<SessionId>,
    /// Sessions of which something was asked that was refused, or not answered before the supervisor died: nobody can
    /// rely on it.
    unsure: BTreeSet<SessionId>,
    pending: Vec<Pending>,
    clients: usize,
    tickets: u64,
    open: BTreeMap<Ticket, Command>,
    run_of: BTreeMap<Ticket, SessionId>,
    journal: Vec<Entry>,
    left: bool,
}

/// What its dispatch says.
fn restart(n: usize) -> Option<Restart> {
    [None, Some(Restart::Auto), Some(Restart::Never), Some(Restart::Auto)][n % 4]
}

fn guarded_by_nobody(n: usize) -> bool {
    n % 8 == 7
}

fn id_of(n: usize) -> SessionId {
    SessionId::from_bits(0x1000_0000 + u32::try_from(n).expect("few"))
}

fn number(id: SessionId) -> usize {
    let bits = u32::from_str_radix(&id.to_string(), 16).expect("hex");
    (bits - 0x1000_0000) as usize
}

fn settings() -> Settings {
    Settings { max_starting: STARTING, events_tail: 50, pid: 7, ..Settings::default() }
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            wants: Vec::new(),
            fleet: Fleet::new(settings()),
            now: Now { awake_ms: 0, wall_ms: 1_000_000 },
            boot: 1,
            manager: 1,
            comes_back: false,
            version: 1,
            watches: false,
            ends: 0,
            disk: BTreeMap::new(),
            refused: BTreeSet::new(),
            hosts: BTreeMap::new(),
            exits: BTreeMap::new(),
            orders: BTreeMap::new(),
            ran: BTreeSet::new(),
            failed_runs: BTreeSet::new(),
            unsure: BTreeSet::new(),
            pending: Vec::new(),
            clients: 0,
            tickets: 0,
            open: BTreeMap::new(),
            run_of: BTreeMap::new(),
            journal: Vec::new(),
            left: false,
        };
        world.adopt();
        world
    }

    fn here(&self) -> Here {
        Here {
            era: Era { boot_id: format!("boot {}", self.boot), ..Era::default() },
            booted_ms: 1,
            manager: Some(Instance { pid: self.manager, start: 1 }),
            comes_back: self.comes_back,
            env_names: vec!["HOME".into()],
        }
    }

    /// One event, handled and checked; what it asks for becomes pending.
    fn handle(&mut self, event: Event) {
        let mut twin = self.fleet.clone();
        let actions = self.fleet.handle(self.now, event.clone());
        assert_eq!(actions, twin.handle(self.now, event), "equal inputs give equal actions");
        if let Some((at, why)) = self.fleet.next_deadline() {
            assert!(at > self.now.awake_ms, "the deadline {why:?} is in the past");
        }
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Save(record) => {
                let saving = |p: &Pending| matches!(p, Pending::Save(r) if r.id == record.id);
                assert!(!self.pending.iter().any(saving), "saves of one session do not overtake each other");
                let removing = |p: &Pending| *p == Pending::Remove(record.id);
                assert!(!self.pending.iter().any(removing), "no folder comes back under its removal");
                self.pending.push(Pending::Save(record));
            }
            Action::Launch { id, generation, argv, environment, by_itself, .. } => {
                self.check_launch(id, generation, &argv, environment, by_itself);
                self.pending.push(Pending::Launch { id, generation });
            }
            Action::Stop { id, generation, .. } => {
                if let Some(record) = self.disk.get(&id).filter(|_| !self.refused.contains(&id)) {
                    let kept = record.desired == Desired::Running && record.start == record.generation;
                    assert!(!(kept && record.start == generation), "{id} is stopped before that is on disk");
                }
                self.pending.push(Pending::Stop { id, generation });
            }
            Action::Look { id, generation, .. } => {
                self.pending.push(Pending::News(Event::Seen { id, generation, seen: Seen::default() }));
            }
            Action::Remove { id } => {
                assert!(!self.hosts.contains_key(&id), "{id} is removed while its host lives");
                assert!(self.launching(id).is_none(), "{id} is removed while it starts");
                let saving = self.pending.iter().any(|p| matches!(p, Pending::Save(r) if r.id == id));
                assert!(!saving, "{id} is removed while its record is written");
                let tombstone = self.disk.get(&id).is_none_or(|r| r.desired == Desired::Removed);
                let excused = self.refused.contains(&id) || self.failed_runs.contains(&id);
                assert!(tombstone || excused, "{id} is removed before that is on disk");
                self.pending.push(Pending::Remove(id));
            }
            Action::Reply { ticket, reply, last } => {
                assert!(
                    self.open.contains_key(&ticket),
                    "{ticket:?} is answered after its last reply: {reply:?}"
                );
                let refused = matches!(reply, Reply::Error { .. });
                let asked = if last { self.open.remove(&ticket) } else { None };
                if let (Some(Command::Respawn { .. }), Reply::Done { sessions }) = (&asked, &reply) {
                    for view in sessions {
                        let record = &view.record;
                        assert_eq!(
                            record.start, record.generation,
                            "a respawn is answered by the old process"
                        );
                    }
                }
                self.unsure.extend(asked.filter(|_| refused).iter().flat_map(asked_of));
            }
            Action::Journal(entry) => {
                assert_eq!(entry.seq, self.journal.len() as u64 + 1, "numbers without gaps");
                self.journal.push(entry);
            }
            Action::ComeBack(wanted) => {
                assert_ne!(wanted, self.comes_back, "told twice");
                self.comes_back = wanted;
            }
            Action::StatusLine(_) => {}
            Action::WatchPrograms(paths) => {
                assert!(paths.iter().all(|path| *path == Text::from("/agent")), "{paths:?}");
                assert_ne!(self.watches, !paths.is_empty(), "told twice");
                self.watches = !paths.is_empty();
                if self.watches {
                    let stamp = if self.version == 0 { String::new() } else { self.version.to_string() };
                    let path = Text::from("/agent");
                    self.pending.push(Pending::News(Event::Program { path, stamp }));
                }
            }
            Action::Leave { asked } => {
                assert!(!asked, "nobody asked");
                assert_eq!(self.clients, 0, "it leaves a client");
                assert!(self.hosts.is_empty(), "it leaves sessions");
                assert!(
                    self.pending.iter().all(|p| matches!(p, Pending::News(_) | Pending::Stop { .. })),
                    "{:?}",
                    self.pending
                );
                self.left = true;
            }
        }
    }

    fn check_launch(
        &self,
        id: SessionId,
        generation: u64,
        argv: &[Text],
        environment: Option<Ticket>,
        by_itself: bool,
    ) {
        let record = self.disk.get(&id).expect("a record is durable before its host starts");
        assert_eq!((record.start, record.desired), (generation, Desired::Running), "{id}: of this start");
        assert!(!self.hosts.contains_key(&id), "{id} has a host already");
        assert!(self.launching(id).is_none(), "{id} is being started already");
        assert!(self.pending.iter().filter(|p| matches!(p, Pending::Launch { .. })).count() < STARTING);
        // A dispatch that failed and could not be removed is a dispatch again when it is repeated.
        let excused = self.unsure.contains(&id) || self.failed_runs.contains(&id);
        let wanted = self.wants[number(id)] == Want::Running || excused;
        assert!(wanted, "{id} is started although nobody wants that");
        if self.ran.contains(&id) {
            assert_eq!(argv, [Text::from("again")], "{id}: a prompt is delivered at most once");
        }
        if by_itself {
            let n = number(id);
            assert!(environment.is_none(), "{id}: nobody asked");
            assert!(restart(n) == Some(Restart::Auto), "{id} is started by itself, which nobody asked for");
            assert!(!guarded_by_nobody(n), "{id} skips permission checks and is started by itself");
            assert!(record.attempts > 0 && record.attempts <= ATTEMPTS, "{id}: {} attempts", record.attempts);
            assert!(self.ends > 0, "{id} is started by itself, and nothing has gone");
        } else if let Some(ticket) = environment {
            assert!(
                self.open.contains_key(&ticket),
                "{id}: its environment is gone with the ticket's last reply"
            );
        } else {
            assert!(self.orders.contains_key(&id), "{id} has no environment");
        }
    }

    fn launching(&self, id: SessionId) -> Option<u64> {
        self.pending.iter().find_map(|p| match p {
            Pending::Launch { id: other, generation } if *other == id => Some(*generation),
            Pending::Launch { .. }
            | Pending::Save(_)
            | Pending::Stop { .. }
            | Pending::Remove(_)
            | Pending::News(_) => None,
        })
    }

    fn command(&mut self, command: Command, draft: Option<(SessionId, Plan)>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.open.insert(ticket, command.clone());
        let peer = Peer { pid: 1, label: "bash".into(), cwd: Text::from("/"), ..Peer::default() };
        self.handle(Event::Command { ticket, peer, command, draft });
        ticket
    }

    fn dispatch(&mut self, n: usize, named: Option<u8>) {
        let spec = RunSpec {
            request: format!("{n:032x}"),
            name: named.map(|n| format!("name{n}")),
            agent: Some("toy".into()),
            argv: Vec::new(),
            prompt: None,
            cwd: Text::from("/"),
            env_names: Vec::new(),
            pinned: false,
            restart: restart(n),
            asked_for: Vec::new(),
        };
        let plan = Plan {
            argv: vec![Text::from("first")],
            respawn_argv: vec![Text::from("again")],
            name_hint: "a prompt".into(),
            resumes: true,
            unguarded: if guarded_by_nobody(n) { "--yes".into() } else { String::new() },
            ..Plan::default()
        };
        let known = self.fleet.sessions.contains_key(&id_of(n));
        let draft = if known { SessionId::from_bits(0xffff_0000) } else { id_of(n) };
        let open: BTreeSet<Ticket> = self.open.keys().copied().collect();
        let ticket = self.command(Command::Run(spec), Some((draft, plan)));
        assert!(!self.fleet.sessions.contains_key(&SessionId::from_bits(0xffff_0000)), "dispatched twice");
        self.run_of.insert(ticket, id_of(n));
        if !self.fleet.sessions.contains_key(&id_of(n)) {
            assert!(
                !self.open.contains_key(&ticket) && open.len() == self.open.len(),
                "refused and answered"
            );
            self.failed_runs.insert(id_of(n));
        }
    }

    pub(super) fn run(&mut self, named: Option<u8>) {
        let n = self.wants.len() - 1;
        self.dispatch(n, named);
    }

    pub(super) fn run_again(&mut self, which: usize) {
        let n = self.wants.len();
        // One that was removed or failed is another dispatch by then.
        let candidates: Vec<usize> =
            (0..n).filter(|n| self.fleet.sessions.contains_key(&id_of(*n))).collect();
        if let Some(n) = pick(&candidates, which) {
            self.dispatch(*n, None);
        }
    }

    pub(super) fn ask(&mut self, what: Ask, which: usize, all: bool) {
        let n = self.wants.len();
        if n == 0 {
            return;
        }
        let target = id_of(which % n).to_string();
        let all = all && matches!(what, Ask::Stop | Ask::Respawn);
        let targets = if all { Vec::new() } else { vec![target.clone()] };
        let command = match what {
            Ask::Stop => Command::Stop { targets, all, grace_ms: None },
            Ask::Respawn => Command::Respawn { targets, all },
            Ask::Resume => Command::Resume { target },
            Ask::Rm => Command::Rm { targets },
            Ask::Pin => Command::Pin { targets, pinned: which.is_multiple_of(2) },
            Ask::Rename => Command::Rename { target, name: format!("name{}", which % 5) },
            Ask::Why => Command::Why { target },
            Ask::Wait => Command::Wait { target, states: Vec::new() },
            Ask::List => Command::List { all: which.is_multiple_of(2), cwd: None },
            Ask::Show => Command::Show { target },
            Ask::Follow => Command::Events { since: 0, follow: true, target: Some(target) },
            Ask::Daemon => Command::Daemon,
            Ask::Roll => Command::Roll { when_idle: which.is_multiple_of(2) },
        };
        for id in asked_of(&command) {
            // What was to be removed and is still there stays a case of its own.
            if what == Ask::Rm || self.wants[number(id)] != Want::Removed {
                self.unsure.remove(&id);
            }
        }
        self.command(command, None);
    }

    pub(super) fn gone(&mut self, which: usize) {
        let open: Vec<Ticket> = self.open.keys().copied().collect();
        if let Some(ticket) = pick(&open, which) {
            self.handle(Event::Gone { ticket: *ticket });
        }
    }

    pub(super) fn clients(&mut self, n: usize) {
        self.clients = n;
        self.handle(Event::Clients(n));
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now.awake_ms += ms;
        self.now.wall_ms += ms;
        self.handle(Event::Tick);
    }

    /// Takes one of the outstanding outcomes. `how` below 200: as it should be.
    pub(super) fn outcome(&mut self, which: usize, how: u8) {
        if self.pending.is_empty() {
            return;
        }
        let pending = self.pending.remove(which % self.pending.len());
        match pending {
            Pending::Save(record) if how < 200 => {
                let (id, revision) = (record.id, record.revision);
                self.refused.remove(&id);
                self.disk.insert(id, *record);
                self.handle(Event::Saved { id, revision });
            }
            Pending::Save(record) => {
                // Refused for certain, or synced in vain after it had taken its place.
                self.refused.insert(record.id);
                let (id, revision) = (record.id, record.revision);
                if self.fleet.sessions.get(&id).is_some_and(|s| s.first) {
                    self.failed_runs.insert(id);
                }
                if how.is_multiple_of(2) {
                    self.disk.insert(id, *record);
                }
                self.handle(Event::SaveFailed { id, revision, message: "disk full".into() });
            }
            Pending::Launch { id, generation } if how < 200 => {
                self.born(id, generation);
                self.handle(Event::Lacking {
                    id,
                    generation,
                    names: Vec::new(),
                    stand_in: false,
                    found_in: Text::default(),
                    program: Program { path: Text::from("/agent"), stamp: self.version.to_string() },
                });
                if how < 20 {
                    // It ended before the supervisor heard of its birth.
                    self.die(id, "own", Some(0));
                } else {
                    self.handle(Event::Linked { id, generation, host: host(generation) });
                }
            }
            Pending::Launch { id, generation } => {
                if self.fleet.sessions.get(&id).is_some_and(|s| s.first) {
                    self.failed_runs.insert(id);
                }
                let message = "no such command".to_owned();
                self.handle(Event::StartFailed {
                    id,
                    generation,
                    message,
                    users_fault: how.is_multiple_of(2),
                });
            }
            Pending::Stop { id, generation } => {
                if self.hosts.get(&id) == Some(&generation) {
                    self.die(id, "asked", None);
                } else {
                    self.pending.push(Pending::News(Event::HostLost { id, generation }));
                }
            }
            Pending::Remove(id) if how < 230 => {
                self.forget(id);
                self.handle(Event::Removed { id, error: None });
            }
            Pending::Remove(id) => self.handle(Event::Removed { id, error: Some("busy".into()) }),
            Pending::News(event) => self.handle(event),
        }
    }

    /// The agent's program is this version now; none where it is 0.
    pub(super) fn replace(&mut self, version: u8) {
        self.version = version;
        if self.watches {
            self.tell_program();
        }
    }

    fn tell_program(&mut self) {
        let stamp = if self.version == 0 { String::new() } else { self.version.to_string() };
        self.handle(Event::Program { path: Text::from("/agent"), stamp });
    }

    fn born(&mut self, id: SessionId, generation: u64) {
        assert!(self.hosts.insert(id, generation).is_none(), "{id} has two hosts");
        self.orders.insert(id, Order::Taken(generation));
        self.ran.insert(id);
    }

    fn forget(&mut self, id: SessionId) {
        self.disk.remove(&id);
        self.exits.remove(&id);
        self.orders.remove(&id);
    }

    /// The host of a session ends and leaves its exit record; the news is under way.
    fn die(&mut self, id: SessionId, cause: &str, code: Option<u8>) {
        let Some(generation) = self.hosts.remove(&id) else { return };
        let signal = if code.is_none() { Some(15) } else { None };
        let exit = Exit { code, signal, cause: cause.into(), ended_ms: self.now.wall_ms, ..Exit::default() };
        self.exits.insert(id, (generation, exit.clone()));
        self.pending.push(Pending::News(Event::Exited { id, generation, exit }));
    }

    pub(super) fn process(&mut self, which: usize, does: Does) {
        let live: Vec<(SessionId, u64)> = self.hosts.iter().map(|(id, g)| (*id, *g)).collect();
        let Some((id, generation)) = pick(&live, which).copied() else { return };
        match does {
            Does::Exit { code } => self.die(id, "own", Some(code)),
            Does::Terminated => self.die(id, "terminated", None),
            Does::ManagerStops => self.die(id, "manager-stopping", None),
            Does::Vanish => {
                self.hosts.remove(&id);
                self.pending.push(Pending::News(Event::HostLost { id, generation }));
            }
            Does::Report { writers, active, program, alerts, unlogged } => {
                let reports = [
                    "",
                    "state=working",
                    "state=blocked",
                    "state=idle",
                    "state=done",
                    "state=error",
                    "x",
                    "=",
                ];
                let program = reports[usize::from(program) % reports.len()].to_owned();
                let signals = Signals {
                    writers,
                    active,
                    program,
                    alerts,
                    unlogged,
                    log_errno: 28,
                    ..Signals::default()
                };
                self.handle(Event::Status { id, generation, signals });
            }
        }
    }

    pub(super) fn stale(&mut self, which: usize, generation: u64, what: u8) {
        let n = self.wants.len() + 1;
        let id = id_of(which % n);
        let ended = self.exits.get(&id).map(|(generation, _)| *generation);
        let generation = ended.filter(|_| what % 2 == 1).unwrap_or(generation);
        // Nothing that contradicts what is true: a shell may be late, but it does not lie about the living.
        let untold = self.pending.iter().any(|p| {
            matches!(p, Pending::News(Event::Exited { id: i, generation: g, .. }) if *i == id && *g == generation)
        });
        if untold || self.hosts.get(&id) == Some(&generation) || self.launching(id) == Some(generation) {
            return;
        }
        let event = match what % 6 {
            0 => Event::Saved { id, revision: generation.min(self.disk.get(&id).map_or(0, |r| r.revision)) },
            1 => Event::Exited {
                id,
                generation,
                exit: Exit { cause: "own".into(), code: Some(0), ..Exit::default() },
            },
            2 => Event::HostLost { id, generation },
            // The news of a birth comes after that of the end.
            3 if ended == Some(generation) => Event::Linked { id, generation, host: host(generation) },
            3 | 4 => Event::StartFailed { id, generation, message: "late".into(), users_fault: false },
            _ => Event::Status { id, generation, signals: Signals::default() },
        };
        self.handle(event);
    }

    /// The supervisor dies. Of what was outstanding, the bits say what had been done.
    pub(super) fn crash(&mut self, done: u64, end: End) {
        let pending = std::mem::take(&mut self.pending);
        let mut untaken: Vec<(SessionId, u64)> = Vec::new();
        for (n, item) in pending.into_iter().enumerate() {
            let bits = (done >> (n * 2 % 60)) & 3;
            match item {
                Pending::Save(record) if bits > 0 => {
                    self.disk.insert(record.id, *record);
                }
                Pending::Launch { id, generation } => match bits {
                    0 => {}
                    1 => untaken.push((id, generation)),
                    2 => self.born(id, generation),
                    _ => {
                        self.born(id, generation);
                        self.hosts.remove(&id);
                    }
                },
                Pending::Stop { id, generation } if bits > 0 && self.hosts.get(&id) == Some(&generation) => {
                    self.die(id, "asked", None);
                }
                Pending::Remove(id) if bits > 0 => self.forget(id),
                Pending::Save(_) | Pending::Stop { .. } | Pending::Remove(_) | Pending::News(_) => {}
            }
        }
        // Those that found their hosts' ends reported are told by the exit records now.
        self.pending.clear();
        for (id, generation) in untaken {
            self.orders.insert(id, Order::Withdrawn(generation));
        }
        if end != End::Supervisor {
            self.ends += 1;
            match end {
                End::Machine => self.boot += 1,
                End::Manager | End::Supervisor => self.manager += 1,
            }
            let hosts: Vec<SessionId> = self.hosts.keys().copied().collect();
            for (n, id) in hosts.into_iter().enumerate() {
                // Some have the time for an exit record, and some of them know why.
                match (done >> n) % 4 {
                    0 => self.die(id, "manager-stopping", None),
                    1 => self.die(id, "terminated", None),
                    _ => _ = self.hosts.remove(&id),
                }
            }
            self.pending.clear();
            self.orders.clear();
        }
        for n in 0..self.wants.len() {
            // A dispatch that was never on disk was never answered either.
            if !self.disk.contains_key(&id_of(n)) {
                self.failed_runs.insert(id_of(n));
            }
        }
        for command in std::mem::take(&mut self.open).values() {
            self.unsure.extend(asked_of(command));
        }
        self.refused.clear();
        self.clients = 0;
        self.left = false;
        self.watches = false;
        self.now.awake_ms = 0;
        self.fleet = Fleet::new(settings());
        self.adopt();
    }

    fn adopt(&mut self) {
        let event = self.adoption(self.journal.len() as u64);
        self.handle(event);
    }

    fn adoption(&self, last_event: u64) -> Event {
        let mut found = Vec::new();
        let mut find = |id: SessionId, generation, what| found.push(Found { id, generation, what });
        for (id, generation) in &self.hosts {
            find(*id, *generation, Remains::Alive(host(*generation)));
        }
        for (id, (generation, exit)) in &self.exits {
            find(*id, *generation, Remains::Ended(exit.clone()));
        }
        for (id, order) in &self.orders {
            match order {
                Order::Taken(generation) => find(*id, *generation, Remains::Taken),
                Order::Withdrawn(generation) => find(*id, *generation, Remains::Withdrawn),
            }
        }
        let records = self.disk.values().cloned().collect();
        let recent = self.journal.iter().rev().take(3).rev().cloned().collect();
        Event::Adopt { records, found, here: self.here(), origin: Origin::Transient, last_event, recent }
    }

    pub(super) fn check(&self) {
        for s in self.fleet.sessions.values() {
            assert!(s.record.start <= s.record.generation, "{:?}", s.record);
            assert!(s.is_live() || s.record.host.is_none(), "{} has a host and no process", s.id());
            let rolls = s.record.roll != Roll::No;
            assert!(!rolls || s.record.desired == Desired::Running, "{} is to be rolled and to end", s.id());
            let wanted = s.record.restart == Restart::Auto && s.record.desired == Desired::Running;
            assert!(!(wanted && s.is_live()) || self.comes_back, "nobody would bring {} back", s.id());
        }
    }

    /// Adopts what is there, writes it, and adopts that.
    pub(super) fn adopting_twice_changes_nothing(&self) {
        let settle = |world: &World, disk: &BTreeMap<SessionId, Record>| {
            let mut twin = World { disk: disk.clone(), ..World::new() };
            twin.hosts.clone_from(&world.hosts);
            twin.exits.clone_from(&world.exits);
            twin.orders.clone_from(&world.orders);
            twin.boot = world.boot;
            twin.manager = world.manager;
            twin.wants.clone_from(&world.wants);
            let mut fleet = Fleet::new(settings());
            for action in fleet.handle(world.now, twin.adoption(0)) {
                if let Action::Save(record) = action {
                    twin.disk.insert(record.id, *record);
                }
            }
            twin.disk
        };
        let once = settle(self, &self.disk);
        let twice = settle(self, &once);
        let content = |disk: &BTreeMap<SessionId, Record>| -> Vec<Record> {
            let mut records: Vec<Record> = disk.values().cloned().collect();
            for record in &mut records {
                record.revision = 0;
            }
            records
        };
        assert_eq!(content(&once), content(&twice));
    }

    /// Everything that is outstanding comes to a good end.
    pub(super) fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            if self.pending.is_empty() {
                let endless: Vec<Ticket> = self.open.keys().copied().collect();
                for ticket in endless {
                    self.handle(Event::Gone { ticket });
                }
                if self.pending.is_empty() {
                    // What was to be tried again later is due now.
                    self.pass(400_000);
                }
                if self.pending.is_empty() {
                    return;
                }
            }
            self.outcome(0, 100);
        }
        panic!("it never comes to rest: {:?}", self.pending);
    }

    pub(super) fn nothing_is_owed(&self) {
        assert!(self.open.is_empty(), "never answered: {:?}", self.open);
        for s in self.fleet.sessions.values() {
            if s.phase == Phase::Stuck {
                // Its folder is under removal, and nothing is written there any more.
                continue;
            }
            // How lively it is changes too often to be written for that alone; so do states that last under a second.
            let mut disk = self.disk.get(&s.id()).cloned().expect("every session is on disk");
            disk.tempo = s.record.tempo;
            disk.detail.clone_from(&s.record.detail);
            disk.times.first_terminal_ms = s.record.times.first_terminal_ms;
            disk.times.last_terminal_ms = s.record.times.last_terminal_ms;
            assert_eq!(disk, s.record, "what is known is on disk");
        }
    }

    /// What the user asked for last is so.
    pub(super) fn user_got(&self, n: usize, want: Want) {
        let id = id_of(n);
        let session = self.fleet.sessions.get(&id);
        match want {
            Want::Removed | Want::Stopped if self.unsure.contains(&id) || self.failed_runs.contains(&id) => {}
            Want::Removed => {
                assert!(session.is_none_or(|s| s.phase == Phase::Stuck), "{session:?}");
                assert!(!self.hosts.contains_key(&id));
            }
            Want::Stopped => {
                assert!(!self.hosts.contains_key(&id), "{id} runs although it was stopped: {session:?}")
            }
            Want::Running => assert!(
                session.is_some() || self.failed_runs.contains(&id),
                "{id} has got lost: {:?}",
                self.disk.get(&id)
            ),
        }
        if let Some(s) = session {
            assert_eq!(s.is_live(), self.hosts.contains_key(&id), "{s:?}");
        }
    }

    pub(super) fn leaves_when_all_is_over(&mut self) {
        self.clients(0);
        let ids: Vec<SessionId> = self.hosts.keys().copied().collect();
        for id in ids {
            self.die(id, "own", Some(0));
        }
        self.come_to_rest();
        self.left = false;
        self.pass(40_000);
        assert!(self.left, "nothing needs it, and it stays: {:?}", self.fleet.next_deadline());
    }
}

/// The sessions whose fate a command changes.
fn asked_of(command: &Command) -> Vec<SessionId> {
    match command {
        Command::Stop { targets, .. } | Command::Rm { targets } => {
            targets.iter().filter_map(|target| target.parse().ok()).collect()
        }
        Command::Run(_)
        | Command::List { .. }
        | Command::Show { .. }
        | Command::Respawn { .. }
        | Command::Resume { .. }
        | Command::Roll { .. }
        | Command::Pin { .. }
        | Command::Rename { .. }
        | Command::Why { .. }
        | Command::Wait { .. }
        | Command::Events { .. }
        | Command::Who
        | Command::Hook { .. }
        | Command::Daemon
        | Command::Quit => Vec::new(),
    }
}

fn host(generation: u64) -> Host {
    Host { pid: 100, child_pid: 101, child_start: generation, started_ms: 5, ..Host::default() }
}

fn pick<T>(items: &[T], which: usize) -> Option<&T> {
    if items.is_empty() { None } else { items.get(which % items.len()) }
}
