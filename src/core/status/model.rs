//! The rules against a simulated agent: whatever it does, whichever evidence it gives and however late, what is shown was
//! true a moment ago. The agent, its host's habit of telling changes together, its screen, its file and its user are
//! simulated; the reference is what it really does.

use super::{Doing, Rule, SETTLE_MS, Signs, Titles};
use crate::core::action::Action;
use crate::core::classify::{Evidence, Proc, Role};
use crate::core::event::{
    Command, Event, Found, Here, Now, Peer, Plan, Remains, RunSpec, Seen, Signals, Ticket,
};
use crate::core::fleet::{Fleet, Settings};
use crate::core::hook::{Happening, Report};
use crate::core::id::SessionId;
use crate::core::record::{Host, Origin, Record, State};
use crate::core::text::Text;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// As in the host: changes are told together, and silence is told after that long.
const SPACING: u64 = 250;
const QUIET: u64 = 5_000;
/// The longest that a piece of evidence is under way.
const LAG: u64 = 300;
/// Process ids of the host and of the agent.
const HOST: u32 = 100;
const CHILD: u32 = 101;

/// What evidence the agent gives.
#[derive(Debug, Clone)]
struct Abilities {
    program: bool,
    hooks: bool,
    /// A hook for a turn that is interrupted, too.
    interrupt_hook: bool,
    titles: Title,
    screen: bool,
    own: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Title {
    None,
    /// The same for idle and blocked.
    Vague,
    /// One for each.
    Clear,
}

impl Abilities {
    /// It can be known, one way or another, what the agent does.
    fn tell(&self) -> bool {
        self.program || self.screen || self.own || self.titles == Title::Clear
    }

    /// How long what is shown may be over at most.
    fn window(&self, replaced: bool) -> u64 {
        match (self.program, self.titles) {
            (true, _) => LAG + SPACING,
            // A turn that is over before its title has changed, which then does not change; and nobody knows in which order
            // hooks were called that told two supervisors.
            (false, Title::Clear) if self.hooks && (replaced || !self.interrupt_hook) => {
                LAG + SPACING + QUIET + SETTLE_MS
            }
            (false, Title::Clear) => LAG + SPACING + 2 * SETTLE_MS,
            // Until it is silent or was typed to, which is told; then a look, and another one.
            (false, Title::None | Title::Vague) => LAG + SPACING + QUIET + 3 * SETTLE_MS,
        }
    }
}

/// What the agent, or its user, does next.
#[derive(Debug, Clone)]
enum Step {
    /// The user gives a prompt, answers, or interrupts.
    User,
    /// The agent asks, or its turn is over.
    Agent { asks: bool },
    /// The user types something that changes nothing.
    Types,
    /// A tool is used, which is told by hooks.
    Tool,
    /// The supervisor is replaced.
    Replaced,
}

fn abilities() -> impl Strategy<Value = Abilities> {
    let titles = prop_oneof![Just(Title::None), Just(Title::Vague), Just(Title::Clear)];
    (any::<(bool, bool, bool, bool, bool)>(), titles)
        .prop_map(|((program, hooks, interrupt_hook, screen, own), titles)| Abilities {
            program,
            hooks,
            interrupt_hook,
            titles,
            screen,
            own,
        })
        .prop_filter("it must tell somehow", Abilities::tell)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::User),
        4 => any::<bool>().prop_map(|asks| Step::Agent { asks }),
        2 => Just(Step::Types),
        2 => Just(Step::Tool),
        1 => Just(Step::Replaced),
    ]
}

/// What happens at a time.
#[derive(Debug, Clone)]
enum Ev {
    Title,
    Program,
    /// And when it was called: it may come late.
    Hook(Happening, u64),
    Own,
    Screen,
    /// Its spinner turns.
    Spin,
    Type,
    Tell,
    Silent(u64),
    Look(u64),
}

struct World {
    can: Abilities,
    fleet: Fleet,
    now: u64,
    queue: BTreeMap<(u64, u64), Ev>,
    count: u64,
    lags: Vec<u64>,
    signals: Signals,
    told_at: u64,
    telling: bool,
    wrote_at: u64,
    disk: Option<Record>,
    /// What it does, what its screen shows, and what its file says.
    does: Doing,
    screen: Doing,
    own: Doing,
    spun: bool,
    truth: Vec<(u64, Doing)>,
    shown: Vec<(u64, State)>,
    tickets: u64,
    replacements: usize,
}

fn id() -> SessionId {
    SessionId::from_bits(7)
}

fn host() -> Host {
    Host { pid: HOST, child_pid: CHILD, child_start: 5, started_ms: 5, ..Host::default() }
}

impl World {
    fn new(can: Abilities, lags: Vec<u64>) -> Self {
        let fleet = Fleet::new(Settings::default());
        let mut world = Self {
            can,
            fleet,
            now: 0,
            queue: BTreeMap::new(),
            count: 0,
            lags,
            signals: Signals::default(),
            told_at: 0,
            telling: false,
            wrote_at: 0,
            disk: None,
            does: Doing::Working,
            screen: Doing::Working,
            own: Doing::Working,
            spun: false,
            truth: vec![(0, Doing::Working)],
            shown: Vec::new(),
            tickets: 0,
            replacements: 0,
        };
        world.adopt(Vec::new());
        let plan = Plan { argv: vec!["toy".into()], signs: world.signs(), ..Plan::default() };
        let spec = RunSpec {
            request: format!("{:032x}", 1),
            name: None,
            agent: Some("toy".into()),
            argv: vec!["toy".into()],
            prompt: None,
            cwd: "/".into(),
            env_names: Vec::new(),
            pinned: false,
            restart: None,
            asked_for: Vec::new(),
        };
        world.ask(Command::Run(spec), Some((id(), plan)), None);
        world.becomes(Doing::Working, Some(Happening::Prompted { prompt: String::new() }));
        world
    }

    fn signs(&self) -> Signs {
        let list = |starts: &[&str]| starts.iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
        let titles = match self.can.titles {
            Title::None => Titles::default(),
            Title::Vague => Titles { working: list(&["w", "W"]), blocked: Vec::new(), idle: list(&["calm"]) },
            Title::Clear => {
                Titles { working: list(&["w", "W"]), blocked: list(&["asks"]), idle: list(&["calm"]) }
            }
        };
        let rule = |state, text: &str| Rule { state, shows: list(&[text]), what: String::new() };
        let screen =
            vec![rule(Doing::Blocked, "asks"), rule(Doing::Working, "works"), rule(Doing::Idle, "ready")];
        Signs {
            titles,
            screen: if self.can.screen { screen } else { Vec::new() },
            own: if self.can.own { list(&["~/own"]) } else { Vec::new() },
        }
    }

    fn adopt(&mut self, found: Vec<Found>) {
        let records = self.disk.clone().into_iter().collect();
        let here = Here::default();
        let event = Event::Adopt {
            records,
            found,
            here,
            origin: Origin::Transient,
            last_event: 0,
            recent: Vec::new(),
        };
        self.handle(event);
    }

    fn ask(&mut self, command: Command, draft: Option<(SessionId, Plan)>, evidence: Option<Evidence>) {
        self.tickets += 1;
        let peer = Peer { evidence: evidence.map(Box::new), ..Peer::default() };
        self.handle(Event::Command { ticket: Ticket(self.tickets), peer, command, draft });
    }

    fn handle(&mut self, event: Event) {
        let now = Now { awake_ms: self.now, wall_ms: self.now + 1 };
        for action in self.fleet.handle(now, event) {
            match action {
                Action::Save(record) => {
                    let revision = record.revision;
                    self.disk = Some(*record);
                    self.handle(Event::Saved { id: id(), revision });
                }
                Action::Launch { generation, .. } => {
                    self.handle(Event::Linked { id: id(), generation, host: host() });
                }
                Action::Look { generation, .. } => self.soon(Ev::Look(generation), 60),
                Action::Stop { .. } | Action::Remove { .. } | Action::Leave { .. } => panic!("{action:?}"),
                Action::Reply { .. }
                | Action::Journal(_)
                | Action::ComeBack(_)
                | Action::StatusLine(_)
                | Action::WatchPrograms(_) => {}
            }
        }
        // Until its host has reported to it, a new supervisor has what is on disk, where a state may come a second late.
        if let Some(s) = self.fleet.sessions.get(&id()).filter(|s| !s.adopted) {
            let state = if s.record.state == State::Done { State::Idle } else { s.record.state };
            if self.shown.last().is_none_or(|(_, last)| *last != state) {
                self.shown.push((self.now, state));
            }
        }
    }

    fn at(&mut self, time: u64, ev: Ev) {
        self.count += 1;
        self.queue.insert((time, self.count), ev);
    }

    /// Within so many milliseconds.
    fn soon(&mut self, ev: Ev, within: u64) {
        let lag = self.lags[self.count as usize % self.lags.len()] % within;
        self.at(self.now + lag, ev);
    }

    fn becomes(&mut self, doing: Doing, hook: Option<Happening>) {
        self.does = doing;
        self.truth.push((self.now, doing));
        for (can, ev) in [
            (true, Ev::Screen),
            (self.can.titles != Title::None, Ev::Title),
            (self.can.program, Ev::Program),
            (self.can.own, Ev::Own),
        ] {
            if can {
                self.soon(ev, LAG);
            }
        }
        if let Some(hook) = hook {
            self.call(hook);
        }
        if doing == Doing::Working {
            self.at(self.now + 1_000, Ev::Spin);
        }
    }

    fn call(&mut self, hook: Happening) {
        if self.can.hooks {
            self.soon(Ev::Hook(hook, self.count), LAG);
        }
    }

    fn step(&mut self, step: &Step) {
        match (step, self.does) {
            (Step::User, doing) => {
                self.types();
                match doing {
                    Doing::Working => {
                        let over = Happening::TurnOver { waits_for_own: false };
                        self.becomes(Doing::Idle, Some(over).filter(|_| self.can.interrupt_hook));
                    }
                    Doing::Blocked => self.becomes(Doing::Working, None),
                    Doing::Idle | Doing::Done => {
                        self.becomes(Doing::Working, Some(Happening::Prompted { prompt: String::new() }));
                    }
                }
            }
            (Step::Agent { asks: true }, Doing::Working) => {
                self.becomes(Doing::Blocked, Some(Happening::NeedsUser { what: "approve this".into() }));
            }
            (Step::Agent { asks: false }, Doing::Working) => {
                self.becomes(Doing::Idle, Some(Happening::TurnOver { waits_for_own: false }));
            }
            (Step::Types, _) => self.types(),
            (Step::Tool, Doing::Working) => {
                let tool = Happening::Tool { tool: "Bash".into(), writes: Vec::new() };
                self.call(tool);
            }
            (Step::Replaced, _) => self.replaced(),
            (Step::Agent { .. } | Step::Tool, Doing::Blocked | Doing::Idle | Doing::Done) => {}
        }
    }

    fn types(&mut self) {
        self.at(self.now, Ev::Type);
    }

    fn replaced(&mut self) {
        self.replacements += 1;
        self.fleet = Fleet::new(Settings {
            signs: BTreeMap::from([("toy".into(), self.signs())]),
            ..Settings::default()
        });
        self.adopt(vec![Found { id: id(), generation: 1, what: Remains::Alive(host()) }]);
        self.tell();
    }

    /// The host tells what it has to tell, not too often.
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.telling, true) {
            self.at(self.now.max(self.told_at + SPACING), Ev::Tell);
        }
    }

    fn writes(&mut self) {
        self.wrote_at = self.now;
        self.signals.active = true;
        self.signals.offset += 1;
        self.at(self.now + QUIET, Ev::Silent(self.now));
        self.tell();
    }

    fn happens(&mut self, ev: Ev) {
        match ev {
            Ev::Title => {
                self.signals.title = match (self.does, self.can.titles) {
                    (Doing::Working, _) => "w".into(),
                    (Doing::Blocked, Title::Clear) => "asks".into(),
                    (Doing::Blocked | Doing::Idle | Doing::Done, _) => "calm".into(),
                };
                self.writes();
            }
            Ev::Program => {
                let state = match self.does {
                    Doing::Working => "working",
                    Doing::Blocked => "blocked",
                    Doing::Idle | Doing::Done => "idle",
                };
                self.signals.program = format!("state={state}");
                self.writes();
            }
            Ev::Screen => {
                self.screen = self.does;
                self.writes();
            }
            Ev::Own => self.own = self.does,
            Ev::Spin if self.does == Doing::Working => {
                self.spun = !self.spun;
                if self.can.titles != Title::None {
                    self.signals.title = if self.spun { "W" } else { "w" }.into();
                }
                self.writes();
                self.at(self.now + 1_000, Ev::Spin);
            }
            Ev::Spin => {}
            Ev::Type => {
                self.signals.inputs += 1;
                self.writes();
            }
            Ev::Silent(since) if since == self.wrote_at => {
                self.signals.active = false;
                self.tell();
            }
            Ev::Silent(_) => {}
            Ev::Tell => {
                (self.telling, self.told_at) = (false, self.now);
                self.handle(Event::Status { id: id(), generation: 1, signals: self.signals.clone() });
            }
            Ev::Hook(what, called) => self.calls(what, called),
            Ev::Look(generation) => {
                let screen = match self.screen {
                    Doing::Working => "works",
                    Doing::Blocked => "asks",
                    Doing::Idle | Doing::Done => "ready",
                };
                let status = match self.own {
                    Doing::Working => "busy",
                    Doing::Blocked => "waiting",
                    Doing::Idle | Doing::Done => "idle",
                };
                let own = format!(r#"{{"pid":{CHILD},"procStart":"5","status":{status:?}}}"#);
                let seen = Seen { screen: Some(screen.into()), own: self.can.own.then_some(own) };
                self.handle(Event::Seen { id: id(), generation, seen });
            }
        }
    }

    fn calls(&mut self, what: Happening, called: u64) {
        let report = Report {
            agent: "toy".into(),
            session_id: "one".into(),
            cwd: Text::default(),
            what,
            of_sub_agent: false,
        };
        let process = |pid, start, role| Proc { pid, start, role, ours: true, ..Proc::default() };
        let chain = vec![
            process(900, 9 + called, Role::Plain),
            process(CHILD, 5, Role::Plain),
            process(HOST, 4, Role::Plain),
        ];
        self.ask(
            Command::Hook { report: Box::new(report) },
            None,
            Some(Evidence { chain, ..Evidence::default() }),
        );
    }

    /// Everything that happens up to a time.
    fn run(&mut self, until: u64) {
        loop {
            let due = self.fleet.next_deadline().map(|(at, _)| at.max(self.now));
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = due.into_iter().chain(next).min().filter(|at| *at <= until) else { break };
            self.now = at;
            match next == Some(at) {
                true => {
                    if let Some((_, ev)) = self.queue.pop_first() {
                        self.happens(ev);
                    }
                }
                false => self.handle(Event::Tick),
            }
        }
        self.now = until;
    }

    /// Whatever is shown was true within the window before.
    fn check(&self) {
        let window = self.can.window(self.replacements > 0);
        let ends = self.shown.iter().skip(1).map(|(at, _)| *at).chain([self.now]);
        for ((from, state), to) in self.shown.iter().zip(ends) {
            let fits = |doing: Doing| match state {
                State::Working | State::Starting | State::Queued => doing == Doing::Working,
                State::Blocked => doing == Doing::Blocked,
                State::Idle => matches!(doing, Doing::Idle | Doing::Done),
                State::Done | State::Failed | State::Stopped | State::Parked => false,
            };
            // At each time at which it is shown; a millisecond before something else became true, at the latest.
            let times = self.truth.iter().map(|(at, _)| at + window).chain([*from, to.saturating_sub(1)]);
            for time in times.filter(|time| (*from..to).contains(time)) {
                let earliest = time.saturating_sub(window);
                let before = self.truth.iter().rev().find(|(at, _)| *at < earliest);
                let within = self.truth.iter().filter(|(at, _)| *at >= earliest && *at <= time);
                let was = before.into_iter().chain(within).any(|(_, doing)| fits(*doing));
                assert!(
                    was,
                    "at {time} {state:?} is shown, which was not so for {window} ms\ndoes {:?}\nshown {:?}\n{:#?}",
                    self.truth,
                    self.shown,
                    self.fleet.sessions.get(&id()).map(|s| &s.evidence)
                );
            }
        }
        // A new supervisor may have missed what was told a moment before it came.
        let changes = self.truth.len() + 1 + 2 * self.replacements;
        assert!(self.shown.len() <= changes, "it flaps: {:?} for {:?}", self.shown, self.truth);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_was_so_a_moment_ago(
        can in abilities(),
        lags in prop::collection::vec(0..LAG, 1..20),
        steps in prop::collection::vec((step(), prop_oneof![1u64..400, 400u64..4_000, 4_000u64..30_000]), 0..30),
    ) {
        let mut world = World::new(can, lags);
        for (step, wait) in &steps {
            world.step(step);
            let until = world.now + wait;
            world.run(until);
        }
        let until = world.now + 2 * world.can.window(true);
        world.run(until);
        world.check();
    }
}
