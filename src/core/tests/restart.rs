//! Sessions whose machine, container or service manager has gone.

use super::*;
use crate::core::record::{Era, Instance, Restart};
use crate::core::restart::ATTEMPTS;

const NOW: u64 = 1_000_000_000;

/// Where the sessions of these scenes were started.
fn before() -> Here {
    Here {
        era: Era { boot_id: "first".into(), pid1_start: 1, pid_ns: 1, time_ns: 1 },
        booted_ms: 1,
        manager: Some(Instance { pid: 10, start: 1 }),
        comes_back: false,
        env_names: vec!["HOME".into(), "PATH".into()],
    }
}

fn rebooted() -> Here {
    let mut here = before();
    here.era.boot_id = "second".into();
    here.booted_ms = 951_868_800_000;
    here
}

/// The record of a live session of an agent that can resume.
fn live(n: u32, restart: Restart) -> Record {
    let mut s = Scene::new();
    s.run(n, &["agent", "fix it"]);
    let mut record = s.record(n);
    record.era = before().era;
    record.manager = before().manager;
    record.agent = Some("toy".into());
    record.respawn_argv = vec!["agent".into(), "--resume".into()];
    record.resumes = true;
    record.restart = restart;
    record.times.updated_ms = NOW - 60_000;
    record
}

fn start(here: Here, records: Vec<Record>, found: Vec<Found>) -> Scene {
    let mut scene = Scene::with_nothing(Settings::default());
    scene.now.wall_ms = NOW;
    scene.event(Event::Adopt {
        records,
        found,
        here,
        origin: Origin::Transient,
        last_event: 0,
        recent: Vec::new(),
    });
    scene
}

fn launches(s: &Scene) -> Vec<(u64, Vec<Text>, bool)> {
    let launch = |a: &Action| {
        let Action::Launch { generation, argv, by_itself, .. } = a else { return None };
        Some((*generation, argv.clone(), *by_itself))
    };
    s.acts.iter().filter_map(launch).collect()
}

fn why(s: &mut Scene, n: u32) -> String {
    let reply = s.ask(Command::Why { target: id(n).to_string() });
    if let Reply::Why { reasons, .. } = reply { reasons.join(" ") } else { panic!("{reply:?}") }
}

#[test]
fn what_has_gone_is_told_apart_and_said() {
    let mut container = before();
    container.era.pid1_start = 2;
    let mut logout = before();
    logout.manager = Some(Instance { pid: 10, start: 2 });
    for (here, cause, says) in [
        (rebooted(), "reboot", "the machine was started anew, at 2000-03-01 00:00 UTC"),
        (container, "container", "the container that it ran in was started anew"),
        (logout, "logout", "the user's service manager ended"),
    ] {
        let mut s = start(here, vec![live(0, Restart::Manual)], Vec::new());
        let record = s.record(0);
        assert_eq!((record.state, record.desired), (State::Parked, Desired::Running));
        let exit = record.exit.expect("it ended");
        assert_eq!((exit.cause.as_str(), exit.ended_ms), (cause, NOW - 60_000), "seen alive then");
        let why = why(&mut s, 0);
        assert!(why.contains(says) && why.contains("abide respawn"), "{why}");
        s.pass(1_000_000);
        assert_eq!(launches(&s), []);
    }
    // Nothing has gone, or nothing is known: then its host was lost.
    let mut unknown = before();
    unknown.manager = None;
    for here in [before(), unknown] {
        let mut s = start(here, vec![live(0, Restart::Auto)], Vec::new());
        assert_eq!(s.record(0).state, State::Failed);
        s.pass(1_000_000);
        assert_eq!(launches(&s), []);
    }
}

#[test]
fn a_session_comes_back_by_itself_where_that_was_asked_for_and_never_with_its_prompt() {
    let records = vec![live(0, Restart::Auto), live(1, Restart::Auto), live(2, Restart::Manual)];
    let mut s = start(rebooted(), records, Vec::new());
    assert_eq!(launches(&s), [], "one after the other, and not at once");
    assert!(why(&mut s, 0).contains("restarted by itself in 1 s (attempt 1 of 5)"));
    s.pass(1_000);
    assert_eq!(launches(&s), [(2, vec!["agent".into(), "--resume".into()], true)]);
    s.pass(1_000);
    assert_eq!(launches(&s).len(), 2);
    assert_eq!((s.record(0).state, s.record(0).attempts), (State::Working, 1));
    s.pass(60_000);
    assert_eq!(s.record(0).attempts, 0, "it has come up");
    assert_eq!(s.record(2).state, State::Parked);
    let by = s.journal.iter().rfind(|e| e.event == "started").map(|e| e.by.clone());
    assert_eq!(by.as_deref(), Some("restart = auto"));
}

#[test]
fn what_must_not_come_back_by_itself_says_why() {
    let with = |change: fn(&mut Record)| {
        let mut record = live(0, Restart::Auto);
        change(&mut record);
        record
    };
    for (record, says) in [
        (with(|r| r.unguarded = "--yolo".into()), "skips permission checks (--yolo)"),
        (with(|r| r.resumes = false), "its prompt may have been delivered"),
        (with(|r| r.times.updated_ms = NOW - 86_400_001), "restart_within"),
        (with(|r| r.needs = vec!["PATH".into(), "API_KEY".into()]), "it needs API_KEY,"),
        (with(|r| r.attempts = ATTEMPTS), "5 restarts in a row"),
    ] {
        let mut s = start(rebooted(), vec![record], Vec::new());
        s.pass(1_000_000);
        assert_eq!((launches(&s), s.record(0).state), (Vec::new(), State::Parked), "{says}");
        assert!(why(&mut s, 0).contains(says), "{says}: {}", why(&mut s, 0));
        assert_eq!(s.events_of(0).iter().filter(|e| **e == "restart-refused").count(), 1);
        // The next supervisor finds nothing new.
        let record = s.record(0);
        let again = start(rebooted(), vec![record], Vec::new());
        assert_eq!(again.events_of(0), [""; 0]);
    }
    let never = start(rebooted(), vec![live(0, Restart::Never)], Vec::new()).record(0);
    assert_eq!((never.state, never.desired), (State::Stopped, Desired::Stopped));
    let mut stopped = live(0, Restart::Auto);
    (stopped.desired, stopped.generation) = (Desired::Stopped, 2);
    let mut s = start(rebooted(), vec![stopped], Vec::new());
    s.pass(1_000_000);
    assert_eq!((launches(&s), s.record(0).state), (Vec::new(), State::Stopped));
}

#[test]
fn a_plain_command_runs_once_more_only_where_its_own_dispatch_says_so() {
    let settings = Settings { restart: Restart::Auto, ..Settings::default() };
    let mut s = Scene::with(settings, Vec::new());
    s.run(0, &["make"]);
    assert_eq!(s.record(0).restart, Restart::Manual, "the setting is about agents");
}

#[test]
fn an_exit_record_from_the_end_of_everything_counts_as_parked() {
    for cause in ["manager-stopping", "terminated"] {
        let exit = Exit { cause: cause.into(), signal: Some(15), ended_ms: NOW - 5, ..Exit::default() };
        let found = Found { id: id(0), generation: 1, what: Remains::Ended(exit) };
        let mut s = start(rebooted(), vec![live(0, Restart::Auto)], vec![found]);
        assert_eq!(s.record(0).state, State::Parked, "{cause}");
        s.pass(1_000);
        assert_eq!(launches(&s).len(), 1, "{cause}");
    }
    // Under the same manager somebody meant this one.
    let exit = Exit { cause: "terminated".into(), ..Exit::default() };
    let found = Found { id: id(0), generation: 1, what: Remains::Ended(exit) };
    let record = start(before(), vec![live(0, Restart::Auto)], vec![found]).record(0);
    assert_eq!((record.state, record.desired), (State::Stopped, Desired::Stopped));
}

#[test]
fn what_fails_again_and_again_is_given_up() {
    let mut s = start(rebooted(), vec![live(0, Restart::Auto)], Vec::new());
    let mut waited = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let (due, _) = s.fleet.next_deadline().expect("it is due");
        waited.push(due - s.now.awake_ms);
        s.pass(due - s.now.awake_ms);
        assert_eq!(s.record(0).attempts, attempt);
        let generation = s.record(0).start;
        s.exit(id(0), generation, "own", Some(1));
    }
    assert_eq!(waited, [1_000, 5_000, 20_000, 80_000, 320_000]);
    assert_eq!((s.record(0).state, launches(&s).len()), (State::Parked, 5));
    assert!(why(&mut s, 0).contains("5 restarts in a row came to nothing"), "{}", why(&mut s, 0));
    s.pass(1_000_000);
    assert_eq!(launches(&s).len(), 5);
    // Somebody asks: that is another matter, and counts from the beginning.
    s.ask(Command::Respawn { targets: vec![id(0).to_string()], all: false });
    assert_eq!((s.record(0).state, s.record(0).attempts), (State::Working, 0));
}

#[test]
fn a_stop_and_a_removal_end_what_was_planned() {
    for command in [
        Command::Stop { targets: vec![id(0).to_string()], all: false, grace_ms: None },
        Command::Rm { targets: vec![id(0).to_string()] },
    ] {
        let mut s = start(rebooted(), vec![live(0, Restart::Auto)], Vec::new());
        s.ask(command);
        s.pass(1_000_000);
        assert_eq!(launches(&s), []);
    }
}

#[test]
fn the_next_supervisor_goes_on_with_the_plan_however_the_wall_clock_jumps() {
    for jump in [0, 86_400_000, NOW - 1] {
        for forward in [true, false] {
            let mut s = start(rebooted(), vec![live(0, Restart::Auto)], Vec::new());
            s.pass(1_000);
            let generation = s.record(0).start;
            s.exit(id(0), generation, "own", Some(1));
            let record = s.record(0);
            assert!(record.due_ms > 0);
            let mut s = Scene::with_nothing(Settings::default());
            s.now.wall_ms = if forward { NOW + jump } else { NOW - jump };
            s.event(Event::Adopt {
                records: vec![record],
                found: Vec::new(),
                here: rebooted(),
                origin: Origin::Transient,
                last_event: 0,
                recent: Vec::new(),
            });
            assert_eq!(launches(&s), []);
            s.pass(320_000);
            assert_eq!(launches(&s).len(), 1, "{jump} {forward}");
        }
    }
}

#[test]
fn what_a_start_lacks_is_kept_and_told() {
    let mut s = start(rebooted(), vec![live(0, Restart::Auto)], Vec::new());
    s.pass(1_000);
    let lacking = |generation, names: &[&str]| Event::Lacking {
        program: Default::default(),
        id: id(0),
        generation,
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        stand_in: true,
        found_in: "/usr/bin".into(),
    };
    s.event(lacking(1, &["OLD"]));
    assert_eq!(s.record(0).lacks, [""; 0], "news of another start");
    s.event(lacking(2, &["API_KEY"]));
    assert!(s.record(0).stand_in && s.record(0).lacks == ["API_KEY"]);
    assert_eq!(s.record(0).found_in, Text::default(), "where a stand-in leads says nothing of its own");
    assert!(why(&mut s, 0).contains("the service manager's environment, which lacks API_KEY"));
    s.ask(Command::Respawn { targets: vec![id(0).to_string()], all: false });
    let renewed = s.acts.iter().any(|a| matches!(a, Action::Launch { renew: true, by_itself: false, .. }));
    assert!(renewed, "the caller's environment is better than a stand-in's");
}

#[test]
fn what_lives_elsewhere_is_parked_until_it_has_ended_there() {
    let mut container = before();
    container.era.pid1_start = 2;
    let elsewhere = Found { id: id(0), generation: 1, what: Remains::Elsewhere };
    let mut s = start(container.clone(), vec![live(0, Restart::Auto)], vec![elsewhere.clone()]);
    s.pass(1_000_000);
    let record = s.record(0);
    assert_eq!((launches(&s), record.state), (Vec::new(), State::Parked));
    assert!(why(&mut s, 0).contains("still runs where it cannot be reached"));
    let mut s = start(container.clone(), vec![record.clone()], vec![elsewhere]);
    s.pass(1_000_000);
    assert_eq!(launches(&s), []);
    // It is found again from within, as if nothing had been.
    let host = Host { child_pid: 9, ..Host::default() };
    let alive = Found { id: id(0), generation: 1, what: Remains::Alive(host) };
    assert_eq!(start(before(), vec![record.clone()], vec![alive]).record(0).state, State::Working);
    // It ended there, with an exit record or without.
    let exit = Exit { cause: "own".into(), code: Some(0), ..Exit::default() };
    let ended = Found { id: id(0), generation: 1, what: Remains::Ended(exit) };
    assert_eq!(start(container.clone(), vec![record.clone()], vec![ended]).record(0).state, State::Done);
    let mut s = start(container, vec![record], Vec::new());
    s.pass(1_000);
    assert_eq!(launches(&s).len(), 1);
}

#[test]
fn a_supervisor_is_wanted_at_the_next_boot_while_a_session_is_to_come_back() {
    let told = |s: &Scene| -> Vec<bool> {
        let told = |a: &Action| if let Action::ComeBack(wanted) = a { Some(*wanted) } else { None };
        s.acts.iter().filter_map(told).collect()
    };
    let mut s = start(rebooted(), vec![live(0, Restart::Auto), live(1, Restart::Manual)], Vec::new());
    assert_eq!(told(&s), [true]);
    s.pass(1_000);
    let generation = s.record(0).start;
    s.exit(id(0), generation, "manager-stopping", None);
    assert_eq!(told(&s), [true], "the manager goes down, and comes up again");
    s.ask(Command::Stop { targets: vec![id(0).to_string()], all: false, grace_ms: None });
    assert_eq!(told(&s), [true, false]);
}
