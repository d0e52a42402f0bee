//! Scenes: what one user sees of the rules. Everything that is about orders, failures and crashes is in [`super::model`].

use super::action::{Action, Entry, ErrorKind, Reply};
use super::event::{Command, Event, Found, Here, Now, Peer, Plan, Remains, RunSpec, Seen, Signals, Ticket};
use super::fleet::{Fleet, Settings};
use super::id::SessionId;
use super::record::{Desired, Exit, Host, Origin, Record, State};
use super::text::Text;

mod learn;
mod leave;
mod restart;
mod roll;
mod who;

const ID: u32 = 0x7c5d_cf5d;

/// A supervisor with a shell that does everything at once and well.
struct Scene {
    fleet: Fleet,
    now: Now,
    tickets: u64,
    /// What was asked of the shell but answers.
    acts: Vec<Action>,
    replies: Vec<(Ticket, Reply, bool)>,
    journal: Vec<Entry>,
    /// Outcomes are held back.
    slow: bool,
    /// What every look brings.
    seen: Seen,
}

impl Scene {
    fn new() -> Self {
        Self::with(Settings { pid: 42, ..Settings::default() }, Vec::new())
    }
    fn with_nothing(settings: Settings) -> Self {
        Self {
            fleet: Fleet::new(settings),
            now: Now { awake_ms: 0, wall_ms: 1_000_000 },
            tickets: 0,
            acts: Vec::new(),
            replies: Vec::new(),
            journal: Vec::new(),
            slow: false,
            seen: Seen::default(),
        }
    }
    fn with(settings: Settings, records: Vec<Record>) -> Self {
        let mut scene = Self::with_nothing(settings);
        let (here, origin) = (Here::default(), Origin::Transient);
        scene.event(Event::Adopt {
            records,
            found: Vec::new(),
            here,
            origin,
            last_event: 7,
            recent: Vec::new(),
        });
        scene
    }
    fn event(&mut self, event: Event) {
        let actions = self.fleet.handle(self.now, event);
        for action in actions {
            match action {
                Action::Reply { ticket, reply, last } => self.replies.push((ticket, reply, last)),
                Action::Journal(entry) => self.journal.push(entry),
                action @ (Action::Save(_)
                | Action::Launch { .. }
                | Action::Stop { .. }
                | Action::Look { .. }
                | Action::Remove { .. }
                | Action::ComeBack(_)
                | Action::WatchPrograms(_)
                | Action::StatusLine(_)
                | Action::Leave { .. }) => {
                    self.acts.push(action.clone());
                    self.perform(action);
                }
            }
        }
    }
    fn perform(&mut self, action: Action) {
        if self.slow {
            return;
        }
        match action {
            Action::Save(r) => self.event(Event::Saved { id: r.id, revision: r.revision }),
            Action::Launch { id, generation, .. } => {
                self.event(Event::Linked { id, generation, host: Host { child_pid: 9, ..Host::default() } });
            }
            Action::Stop { id, generation, .. } => self.exit(id, generation, "asked", None),
            Action::Remove { id } => self.event(Event::Removed { id, error: None }),
            Action::Look { id, generation, .. } => {
                self.event(Event::Seen { id, generation, seen: self.seen.clone() });
            }
            Action::Reply { .. }
            | Action::Journal(_)
            | Action::ComeBack(_)
            | Action::WatchPrograms(_)
            | Action::StatusLine(_)
            | Action::Leave { .. } => {}
        }
    }
    fn exit(&mut self, id: SessionId, generation: u64, cause: &str, code: Option<u8>) {
        let exit = Exit { code, cause: cause.into(), ended_ms: 5, ..Exit::default() };
        self.event(Event::Exited { id, generation, exit });
    }
    fn pass(&mut self, ms: u64) {
        self.now.awake_ms += ms;
        self.event(Event::Tick);
    }
    /// Asks, and returns the ticket.
    fn send(&mut self, command: Command, draft: Option<(SessionId, Plan)>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let request = format!("request {}", ticket.0);
        let peer = Peer { pid: 123, label: "bash".into(), cwd: "/".into(), request, evidence: None };
        self.event(Event::Command { ticket, peer, command, draft });
        ticket
    }
    /// Asks, and returns the last answer.
    fn ask(&mut self, command: Command) -> Reply {
        let ticket = self.send(command, None);
        self.last(ticket).expect("answered")
    }
    fn last(&self, ticket: Ticket) -> Option<Reply> {
        self.replies.iter().find(|(t, _, last)| *t == ticket && *last).map(|(_, reply, _)| reply.clone())
    }
    fn run(&mut self, n: u32, argv: &[&str]) -> Ticket {
        self.run_named(n, argv, None)
    }
    fn run_named(&mut self, n: u32, argv: &[&str], name: Option<&str>) -> Ticket {
        let argv: Vec<Text> = argv.iter().map(|a| Text::from(*a)).collect();
        let spec = RunSpec {
            request: format!("{n:032x}"),
            name: name.map(str::to_owned),
            agent: None,
            argv: argv.clone(),
            prompt: None,
            cwd: "/home/user/project".into(),
            env_names: Vec::new(),
            pinned: false,
            restart: None,
            asked_for: Vec::new(),
        };
        self.send(Command::Run(spec), Some((id(n), Plan { argv, ..Plan::default() })))
    }
    fn record(&mut self, n: u32) -> Record {
        let reply = self.ask(Command::Show { target: id(n).to_string() });
        if let Reply::Session { session } = reply { session.record } else { panic!("{reply:?}") }
    }
    fn report(&mut self, n: u32, signals: Signals) {
        let generation = self.record(n).start;
        self.event(Event::Status { id: id(n), generation, signals });
    }
    fn events_of(&self, n: u32) -> Vec<&str> {
        self.journal.iter().filter(|e| e.id == Some(id(n))).map(|e| e.event.as_str()).collect()
    }
    fn leaves(&self) -> bool {
        self.acts.iter().any(|a| matches!(a, Action::Leave { .. }))
    }
}

fn id(n: u32) -> SessionId {
    SessionId::from_bits(ID.wrapping_add(n << 24))
}

fn one(n: u32) -> Vec<String> {
    vec![id(n).to_string()]
}

fn stop(n: u32) -> Command {
    Command::Stop { targets: one(n), all: false, grace_ms: None }
}

fn error(reply: Reply) -> (ErrorKind, String, String) {
    if let Reply::Error { kind, message, hint } = reply {
        (kind, message, hint)
    } else {
        panic!("no error: {reply:?}")
    }
}

fn names(reply: Reply) -> Vec<String> {
    if let Reply::List { sessions } | Reply::Done { sessions } = reply {
        sessions.into_iter().map(|view| view.record.name).collect()
    } else {
        panic!("no list: {reply:?}")
    }
}

#[test]
fn a_dispatch_is_recorded_then_launched_then_answered() {
    let mut s = Scene::new();
    s.slow = true;
    let ticket = s.run(0, &["/usr/bin/make", "all"]);
    let Some(Action::Save(record)) = s.acts.get(1).cloned() else { panic!("{:?}", s.acts) };
    assert_eq!((record.state, record.start, record.revision), (State::Starting, 1, 1));
    assert!(!s.acts.iter().any(|a| matches!(a, Action::Launch { .. })), "not before it is on disk");
    s.event(Event::Saved { id: id(0), revision: 1 });
    let expected = Action::Launch {
        id: id(0),
        generation: 1,
        argv: vec!["/usr/bin/make".into(), "all".into()],
        otherwise: None,
        cwd: "/home/user/project".into(),
        environment: Some(ticket),
        by_itself: false,
        renew: false,
        found_in: Text::default(),
        had: Vec::new(),
    };
    assert!(s.acts.contains(&expected), "{:?}", s.acts);
    assert_eq!(s.last(ticket), None, "not before it runs");
    s.event(Event::Linked { id: id(0), generation: 1, host: Host { child_pid: 9, ..Host::default() } });
    let Some(Reply::Session { session }) = s.last(ticket) else { panic!("{:?}", s.replies) };
    assert_eq!((session.record.name.as_str(), session.record.state), ("make", State::Working));
    assert_eq!(s.journal.iter().map(|e| e.seq).collect::<Vec<_>>(), [8, 9, 10], "after the journal's last");
    assert_eq!(s.journal[1].by, "abide run (pid 123, from bash)");
    assert!(s.journal[1..].iter().all(|e| e.request == format!("request {}", ticket.0)), "{:?}", s.journal);
}

#[test]
fn a_dispatch_that_fails_leaves_nothing_behind() {
    for on_disk in [true, false] {
        let mut s = Scene::new();
        s.slow = true;
        let ticket = s.run(0, &["nosuch"]);
        if on_disk {
            s.event(Event::Saved { id: id(0), revision: 1 });
            let message = "nosuch: no such program in PATH".to_owned();
            s.event(Event::StartFailed { id: id(0), generation: 1, message, users_fault: true });
        } else {
            s.event(Event::SaveFailed { id: id(0), revision: 1, message: "the disk is full".into() });
            assert!(!s.acts.iter().any(|a| matches!(a, Action::Launch { .. })));
        }
        let (kind, message, hint) = error(s.last(ticket).expect("answered"));
        assert_eq!(kind, ErrorKind::Failed);
        assert!(
            message.contains(if on_disk { "nosuch" } else { "the disk is full" }) && !hint.is_empty(),
            "{message}"
        );
        assert!(s.acts.contains(&Action::Remove { id: id(0) }));
        let told = s.journal.iter().rfind(|e| e.event == "exited").expect("an entry");
        assert_eq!(told.state, Some(State::Failed));
        assert!(
            told.text.contains(if on_disk { "no such program" } else { "the disk is full" }),
            "{}",
            told.text
        );
        s.event(Event::Removed { id: id(0), error: None });
        assert!(names(s.ask(Command::List { all: true, cwd: None })).is_empty());
    }
}

#[test]
fn no_more_than_so_many_start_at_a_time_and_in_order() {
    let mut s = Scene::with(Settings { max_starting: 2, ..Settings::default() }, Vec::new());
    s.slow = true;
    for n in 0..4 {
        s.run(n, &["make"]);
    }
    for n in (0..4).rev() {
        s.event(Event::Saved { id: id(n), revision: 1 });
    }
    let launched = |s: &Scene| -> Vec<SessionId> {
        let launch = |a: &Action| if let Action::Launch { id, .. } = a { Some(*id) } else { None };
        s.acts.iter().filter_map(launch).collect()
    };
    assert_eq!(launched(&s), [id(3), id(2)]);
    assert_eq!((s.record(0).state, s.record(3).state), (State::Starting, State::Starting));
    s.event(Event::Linked { id: id(3), generation: 1, host: Host::default() });
    s.event(Event::Linked { id: id(2), generation: 1, host: Host::default() });
    assert_eq!(launched(&s), [id(3), id(2), id(0), id(1)]);
    s.run(4, &["make"]);
    assert_eq!(s.record(4).state, State::Queued);
    assert_eq!(s.record(4).name, "make-5");
}

#[test]
fn a_stop_is_recorded_before_anything_is_killed_and_outlasts_a_late_birth() {
    let mut s = Scene::new();
    s.slow = true;
    let run = s.run(0, &["make"]);
    s.event(Event::Saved { id: id(0), revision: 1 });
    let ticket = s.send(stop(0), None);
    assert!(error(s.last(run).expect("answered")).1.contains("stopped before"));
    s.event(Event::Linked { id: id(0), generation: 1, host: Host::default() });
    assert!(!s.acts.iter().any(|a| matches!(a, Action::Stop { .. })), "not before it is on disk");
    s.event(Event::Saved { id: id(0), revision: 2 });
    assert!(s.acts.contains(&Action::Stop { id: id(0), generation: 1, grace_ms: 5_000 }));
    assert_eq!(s.last(ticket), None, "not before it is over");
    let started = s.journal.iter().rfind(|e| e.event == "started").expect("an entry");
    assert_eq!(started.by, "", "the stop did not ask for that");
    s.exit(id(0), 1, "asked", None);
    assert_eq!(names(s.last(ticket).expect("answered")), ["make"]);
    let record = s.record(0);
    assert_eq!((record.state, record.desired, record.generation), (State::Stopped, Desired::Stopped, 2));
    for revision in record.revision..record.revision + 2 {
        s.event(Event::Saved { id: id(0), revision });
    }
    assert_eq!(names(s.ask(stop(0))), ["make"], "what is over is answered at once");
}

#[test]
fn a_respawn_ends_what_runs_and_starts_it_with_the_callers_environment() {
    let mut s = Scene::new();
    s.run(0, &["make"]);
    s.acts.clear();
    let ticket = s.send(Command::Respawn { targets: one(0), all: false }, None);
    let steps: Vec<String> = s
        .acts
        .iter()
        .filter_map(|a| {
            if let Action::Launch { generation, environment, .. } = a {
                return Some(format!("launch {generation} {environment:?}"));
            }
            if let Action::Stop { generation, .. } = a { Some(format!("stop {generation}")) } else { None }
        })
        .collect();
    assert_eq!(steps, ["stop 1".to_owned(), format!("launch 2 {:?}", Some(ticket))]);
    assert_eq!(names(s.last(ticket).expect("answered")), ["make"]);
    assert_eq!(s.record(0).state, State::Working);
    let started = s.journal.iter().rfind(|e| e.event == "started").expect("an entry");
    assert_eq!(started.by, "abide respawn (pid 123, from bash)");
    assert_eq!(started.request, format!("request {}", ticket.0));
}

#[test]
fn how_it_ended_says_what_it_is() {
    let cases = [
        ("own", Some(0), State::Done, Desired::Running),
        ("own", Some(3), State::Failed, Desired::Running),
        ("own", None, State::Failed, Desired::Running),
        ("terminated", None, State::Stopped, Desired::Stopped),
        ("asked", None, State::Stopped, Desired::Stopped),
        ("manager-stopping", None, State::Parked, Desired::Running),
    ];
    for (cause, code, state, desired) in cases {
        let mut s = Scene::new();
        s.run(0, &["make"]);
        s.exit(id(0), 1, cause, code);
        let record = s.record(0);
        assert_eq!((record.state, record.desired, record.host), (state, desired, None), "{cause}");
        let listed = names(s.ask(Command::List { all: false, cwd: None }));
        assert_eq!(listed.len(), usize::from(state == State::Parked), "{cause}");
    }
    let mut s = Scene::new();
    s.run(0, &["make"]);
    s.event(Event::HostLost { id: id(0), generation: 1 });
    assert_eq!(s.record(0).state, State::Failed);
    s.exit(id(0), 1, "own", Some(0));
    assert_eq!(s.record(0).state, State::Done, "an exit record that turns up after all says more");
}

#[test]
fn a_birth_that_is_told_after_the_end_revives_nothing() {
    let mut s = Scene::new();
    s.slow = true;
    let ticket = s.run(0, &["true"]);
    s.event(Event::Saved { id: id(0), revision: 1 });
    s.exit(id(0), 1, "own", Some(0));
    assert!(matches!(s.last(ticket), Some(Reply::Session { .. })), "it did run");
    s.event(Event::Linked { id: id(0), generation: 1, host: Host::default() });
    assert_eq!((s.record(0).state, s.record(0).host), (State::Done, None));
    // But one that was only given up for lost is back.
    s.run(1, &["make"]);
    s.event(Event::Saved { id: id(1), revision: 1 });
    s.event(Event::Linked { id: id(1), generation: 1, host: Host::default() });
    s.event(Event::HostLost { id: id(1), generation: 1 });
    assert_eq!(s.record(1).state, State::Failed);
    s.event(Event::Linked { id: id(1), generation: 1, host: Host::default() });
    assert_eq!(s.record(1).state, State::Working);
    // And one that nobody knows is ended.
    s.event(Event::Linked { id: id(9), generation: 3, host: Host::default() });
    assert!(s.acts.contains(&Action::Stop { id: id(9), generation: 3, grace_ms: 5_000 }));
}

#[test]
fn nothing_is_started_by_itself_after_a_reboot() {
    let mut s = Scene::new();
    s.run(0, &["make"]);
    s.run(1, &["make"]);
    let mut records = vec![s.record(0), s.record(1)];
    records[0].respawn_argv = vec!["make".into()];
    for record in &mut records {
        record.era.boot_id = "another".into();
    }
    let mut s = Scene::with(Settings::default(), records);
    assert_eq!((s.record(0).state, s.record(1).state), (State::Parked, State::Parked));
    assert!(!s.acts.iter().any(|a| matches!(a, Action::Launch { .. })));
    assert!(s.record(0).exit.is_some_and(|e| e.cause == "reboot"));
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let mut s = Scene::new();
    s.run_named(0, &["make"], Some("build"));
    for (n, name, kind) in
        [(1, "build", ErrorKind::Failed), (1, "-x", ErrorKind::Usage), (1, "", ErrorKind::Usage)]
    {
        let ticket = s.run_named(n, &["make"], Some(name));
        let (got, message, hint) = error(s.last(ticket).expect("answered"));
        assert!(got == kind && !hint.is_empty(), "{message}");
    }
    let nothing = s.run(1, &[]);
    assert_eq!(error(s.last(nothing).expect("answered")).0, ErrorKind::Usage);
    let rename = |name: &str| Command::Rename { target: "build".into(), name: name.into() };
    assert_eq!(names(s.ask(rename("build"))), ["build"], "its own name is free");
    assert_eq!(names(s.ask(rename("other"))), ["other"]);
    assert_eq!(error(s.ask(rename("x"))).0, ErrorKind::NoSession, "the old name is gone");
    let wait = Command::Wait { target: "other".into(), states: vec!["sleeping".into()] };
    let (kind, message, hint) = error(s.ask(wait));
    assert_eq!((kind, message.as_str()), (ErrorKind::Usage, "\"sleeping\" is no state"));
    assert!(hint.contains("queued starting working"), "{hint}");
    let both = Command::Stop { targets: vec!["other".into(), "nosuch".into()], all: false, grace_ms: None };
    assert_eq!(error(s.ask(both)).0, ErrorKind::NoSession);
    assert_eq!(s.record(0).state, State::Working, "nothing is done to some where one is wrong");
    let none = Command::Stop { targets: Vec::new(), all: false, grace_ms: None };
    assert_eq!(error(s.ask(none)).0, ErrorKind::Usage);
}

#[test]
fn lists_are_of_folders_and_in_order() {
    let mut s = Scene::new();
    s.run(1, &["one"]);
    s.now.wall_ms += 1;
    s.run(0, &["two"]);
    let mut list = |cwd: Option<&str>| names(s.ask(Command::List { all: false, cwd: cwd.map(Text::from) }));
    assert_eq!(list(None), ["one", "two"]);
    assert_eq!(list(Some("/home/user")).len(), 2);
    assert_eq!(list(Some("/")).len(), 2);
    assert_eq!(list(Some("/home/user/project")).len(), 2);
    assert_eq!(list(Some("/home/us")).len(), 0);
    assert_eq!(list(Some("/home/user/project/src")).len(), 0);
}

#[test]
fn waiting_ends_when_the_state_comes_or_cannot_come() {
    let mut s = Scene::new();
    s.run(0, &["bash"]);
    let wait = |states: &[&str]| Command::Wait {
        target: "bash".into(),
        states: states.iter().map(|s| (*s).to_owned()).collect(),
    };
    let (any, blocked) = (s.send(wait(&[]), None), s.send(wait(&["blocked"]), None));
    s.report(0, Signals { leader_foreground: true, prompt_mark: b'A', ..Signals::default() });
    let Some(Reply::Session { session }) = s.last(any) else { panic!("{:?}", s.replies) };
    assert_eq!(session.record.state, State::Idle);
    assert_eq!(s.last(blocked), None);
    s.exit(id(0), 1, "own", Some(0));
    let (_, message, _) = error(s.last(blocked).expect("it cannot come any more"));
    assert_eq!(message, "bash is done and has no process");
}

#[test]
fn a_flickering_program_does_not_wear_out_the_disk() {
    let mut s = Scene::new();
    s.run(0, &["agent"]);
    s.acts.clear();
    s.pass(10_000);
    for n in 0..100u32 {
        let state = if n.is_multiple_of(2) { "state=idle" } else { "state=working" };
        s.report(0, Signals { program: state.into(), ..Signals::default() });
    }
    let saves = |s: &Scene| s.acts.iter().filter(|a| matches!(a, Action::Save(_))).count();
    assert_eq!((saves(&s), s.events_of(0).iter().filter(|e| **e == "state").count()), (1, 1));
    s.report(0, Signals { program: "state=blocked:kind=permission".into(), ..Signals::default() });
    assert_eq!(s.fleet.next_deadline(), Some((11_000, "a changed state to be recorded")));
    assert_eq!(saves(&s), 1);
    s.pass(1_000);
    assert_eq!(saves(&s), 2);
    let last = s.journal.last().expect("entry");
    assert_eq!(
        (last.event.as_str(), last.state, last.text.as_str()),
        ("state", Some(State::Blocked), "permission")
    );
}

#[test]
fn hosts_tell_of_terminals_bells_and_full_disks() {
    let mut s = Scene::new();
    s.run(0, &["make"]);
    let mut signals =
        Signals { writers: 1, alerts: 1, notification: "look\u{1b}[2J".into(), ..Signals::default() };
    s.report(0, signals.clone());
    let Reply::Session { session } = s.ask(Command::Show { target: "make".into() }) else { panic!() };
    assert!(session.attended);
    signals = Signals { writers: 0, readers: 1, alerts: 2, unlogged: 100, log_errno: 28, ..signals };
    s.report(0, signals.clone());
    for unlogged in 101..200 {
        signals.unlogged = unlogged;
        s.report(0, signals.clone());
    }
    assert_eq!(s.events_of(0), ["created", "started", "attached", "alert", "detached", "log-gap"]);
    assert!(s.journal.iter().all(|e| e.text.chars().all(super::naming::is_printable)));
    let gap = s.journal.last().expect("entry").text.clone();
    assert!(gap.starts_with("100 bytes of output are not in its log: No space left"), "{gap}");
    let exit = Exit { code: Some(0), cause: "own".into(), unlogged: 250, ..Exit::default() };
    s.event(Event::Exited { id: id(0), generation: 1, exit });
    let gap = s.journal.iter().rfind(|e| e.event == "log-gap").expect("entry").text.clone();
    assert!(gap.starts_with("150 bytes"), "what was not told yet: {gap}");
}

#[test]
fn a_lack_of_memory_is_said_where_it_ended_a_session_and_where_it_did_not() {
    let killed =
        |oom_kills, cause: &str| Exit { signal: Some(9), cause: cause.into(), oom_kills, ..Exit::default() };
    let over = Exit { code: Some(0), cause: "own".into(), oom_kills: 2, ..Exit::default() };
    let (program, one, several) = (
        "killed by the kernel, since memory ran out",
        "killed one of its processes",
        "killed 2 of its processes",
    );
    for (exit, says, not) in [
        (killed(1, "own"), vec![program, one], ""),
        (killed(0, "own"), vec!["ended by SIGKILL"], "memory"),
        // By our own force, at the end of a stop.
        (killed(1, "asked"), vec!["ended by SIGKILL", one], program),
        (over, vec!["exit status 0", several], program),
    ] {
        let mut s = Scene::new();
        s.run(0, &["make"]);
        s.event(Event::Exited { id: id(0), generation: 1, exit });
        let Reply::Why { reasons, .. } = s.ask(Command::Why { target: id(0).to_string() }) else { panic!() };
        let text = reasons.join("\n");
        assert!(says.iter().all(|part| text.contains(part)), "{says:?} in {text}");
        assert!(not.is_empty() || !text.contains(not), "{not} in {text}");
    }
}

#[test]
fn events_are_told_from_any_number_on_and_followed() {
    let mut s = Scene::new();
    s.run(0, &["make"]);
    s.run(1, &["make"]);
    let seqs = |s: &Scene, ticket| -> Vec<u64> {
        let of = |(t, reply, _): &(Ticket, Reply, bool)| {
            if let Reply::Event { entry } = reply { Some(entry.seq).filter(|_| *t == ticket) } else { None }
        };
        s.replies.iter().filter_map(of).collect()
    };
    let events = |since, follow, target: Option<String>| Command::Events { since, follow, target };
    let all = s.send(events(0, false, None), None);
    assert_eq!(seqs(&s, all), [8, 9, 10, 11, 12]);
    assert!(s.last(all).is_some());
    let followed = s.send(events(10, true, Some(id(1).to_string())), None);
    assert_eq!(seqs(&s, followed), [11, 12]);
    s.ask(Command::Pin { targets: one(0), pinned: true });
    s.ask(Command::Pin { targets: one(1), pinned: true });
    assert_eq!(seqs(&s, followed), [11, 12, 14]);
    assert_eq!(s.last(followed), None);
    s.event(Event::Gone { ticket: followed });
    assert!(s.last(followed).is_some());
    s.ask(Command::Pin { targets: one(1), pinned: false });
    assert_eq!(seqs(&s, followed), [11, 12, 14]);
}

#[test]
fn it_leaves_when_nothing_needs_it_and_not_before() {
    let mut s = Scene::new();
    assert_eq!(s.fleet.next_deadline(), Some((30_000, "idle exit")));
    s.pass(10_000);
    s.event(Event::Clients(1));
    assert_eq!(s.fleet.next_deadline(), None);
    s.run(0, &["make"]);
    s.event(Event::Clients(0));
    s.pass(100_000);
    assert_eq!(s.fleet.next_deadline(), None, "a session lives");
    s.exit(id(0), 1, "own", Some(0));
    assert_eq!(s.fleet.next_deadline(), Some((140_000, "idle exit")));
    s.pass(29_999);
    assert!(!s.leaves());
    s.pass(1);
    assert!(s.leaves());
    // The shell saw a client coming and stayed: the grace begins anew.
    assert_eq!(s.fleet.next_deadline(), Some((170_001, "idle exit")));
}

#[test]
fn it_lives_for_a_while_even_without_a_grace() {
    let mut s = Scene::with(Settings { idle_exit_ms: 0, ..Settings::default() }, Vec::new());
    assert_eq!(s.fleet.next_deadline(), Some((1_000, "idle exit")));
    s.pass(999);
    assert!(!s.leaves());
    s.pass(1);
    assert!(s.leaves());
}

#[test]
fn leaving_when_asked_ends_no_session() {
    let mut s = Scene::new();
    s.event(Event::Clients(1));
    s.run(0, &["make"]);
    s.acts.clear();
    assert!(names(s.ask(Command::Quit)).is_empty());
    assert!(
        matches!(s.acts.as_slice(), [Action::StatusLine(_), Action::Leave { asked: true }]),
        "{:?}",
        s.acts
    );
    assert_eq!(s.record(0).state, State::Working);
}

#[test]
fn why_says_evidence_rule_class_and_history() {
    let mut s = Scene::new();
    s.run(0, &["bash"]);
    s.report(0, Signals { leader_foreground: true, writers: 1, ..Signals::default() });
    let Reply::Why { reasons, .. } = s.ask(Command::Why { target: "bash".into() }) else { panic!() };
    for part in [
        "It is idle: it is silent and the shell is in the foreground.",
        "Rule: a silent shell in the foreground is at its prompt.",
        "Its kind is bg and its template bg: it was dispatched by bash (pid 123) with `abide run`.",
        "It is attended: a terminal that may type is attached.",
        "Last start 0 s ago, by abide run (pid 123, from bash): process 9 (event 10).",
    ] {
        assert!(reasons.iter().any(|r| r == part), "{part:?} is not in {reasons:#?}");
    }
    s.ask(stop(0));
    let Reply::Why { reasons, .. } = s.ask(Command::Why { target: "bash".into() }) else { panic!() };
    assert!(
        reasons[0].starts_with("It is stopped:") && reasons[0].contains("ended by a stop"),
        "{reasons:#?}"
    );
    assert!(reasons.iter().any(|r| r.starts_with("Last stop 0 s ago, by abide stop")), "{reasons:#?}");
}

#[test]
fn a_full_disk_does_not_keep_alive_what_fills_it() {
    let mut s = Scene::new();
    s.run(0, &["make"]);
    s.slow = true;
    let ticket = s.send(stop(0), None);
    let revision = s.record(0).revision;
    s.event(Event::SaveFailed { id: id(0), revision, message: "the disk is full".into() });
    assert!(s.acts.contains(&Action::Stop { id: id(0), generation: 1, grace_ms: 5_000 }));
    s.exit(id(0), 1, "asked", None);
    let (_, message, _) = error(s.last(ticket).expect("answered"));
    assert!(message.contains("is stopped, but not on disk: the disk is full"), "{message}");
    assert_eq!(s.fleet.next_deadline().map(|(at, _)| at), Some(5_000), "it is tried again");
    s.pass(5_000);
    let Some(Action::Save(record)) = s.acts.last() else { panic!("{:?}", s.acts) };
    assert_eq!((record.desired, record.state), (Desired::Stopped, State::Stopped));
}
