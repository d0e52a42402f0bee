//! Sessions whose agent's program was replaced.

use super::*;
use crate::core::action::View;
use crate::core::roll::{CANARY_MS, Program, QUIET_MS, Roll};

const PATH: &str = "/usr/bin/agent";

/// It has written something once.
fn silent() -> Signals {
    Signals { offset: 1, ..Signals::default() }
}

/// So many sessions of an agent that has a conversation to resume, idle and unattended.
fn agents(count: u32) -> Scene {
    let mut s = Scene::new();
    for n in 0..count {
        agent(&mut s, n);
    }
    installed(&mut s, "1");
    s.pass(QUIET_MS + CANARY_MS);
    s
}

fn agent(s: &mut Scene, n: u32) {
    let spec = RunSpec {
        request: format!("{n:032x}"),
        name: Some(format!("s{n}")),
        agent: Some("toy".into()),
        argv: Vec::new(),
        prompt: None,
        cwd: "/".into(),
        env_names: Vec::new(),
        pinned: false,
        restart: None,
        asked_for: Vec::new(),
    };
    let plan = Plan {
        argv: vec!["agent".into()],
        respawn_argv: vec!["agent".into(), "--resume".into()],
        resumes: true,
        ..Plan::default()
    };
    s.send(Command::Run(spec), Some((id(n), plan)));
    runs(s, n, "1");
    s.report(n, Signals { active: true, ..silent() });
    s.report(n, silent());
    s.pass(1_000);
}

/// Its last start found this version of the program.
fn runs(s: &mut Scene, n: u32, version: &str) {
    let generation = s.record(n).start;
    s.event(Event::Lacking {
        id: id(n),
        generation,
        names: Vec::new(),
        stand_in: false,
        found_in: "/usr/bin".into(),
        program: Program { path: PATH.into(), stamp: version.into() },
    });
}

fn installed(s: &mut Scene, version: &str) {
    s.event(Event::Program { path: PATH.into(), stamp: version.into() });
}

fn rolled(reply: Reply) -> (Vec<String>, Vec<String>) {
    if let Reply::Rolled { sessions, left } = reply {
        (sessions.into_iter().map(|view: View| view.record.name).collect(), left)
    } else {
        panic!("not about a roll: {reply:?}")
    }
}

/// Sessions that were started a second time, in that order.
fn restarted(s: &Scene) -> Vec<SessionId> {
    let launch = |a: &Action| if let Action::Launch { id, generation: 2, .. } = a { Some(*id) } else { None };
    s.acts.iter().filter_map(launch).collect()
}

#[test]
fn what_is_watched_are_the_programs_of_agents_that_run() {
    let mut s = agents(2);
    let watched = |s: &Scene| -> Vec<Vec<Text>> {
        let of = |a: &Action| {
            if let Action::WatchPrograms(paths) = a { Some(paths.iter().cloned().collect()) } else { None }
        };
        s.acts.iter().filter_map(of).collect()
    };
    assert_eq!(watched(&s), [vec![Text::from(PATH)]], "once");
    s.run(2, &["make"]);
    s.ask(stop(0));
    s.exit(id(1), 1, "own", Some(0));
    assert_eq!(watched(&s).last(), Some(&Vec::new()), "and no longer than they run");
}

#[test]
fn without_a_replacement_nothing_is_rolled() {
    let mut s = agents(1);
    assert_eq!(rolled(s.ask(Command::Roll { when_idle: false })), (vec![], vec![]));
    installed(&mut s, "");
    assert_eq!(
        rolled(s.ask(Command::Roll { when_idle: false })),
        (vec![], vec![]),
        "there is nothing to run"
    );
    s.pass(1_000_000);
    assert_eq!(restarted(&s), []);
}

#[test]
fn one_goes_first_and_the_others_follow_when_it_stayed_up() {
    let mut s = agents(3);
    s.ask(Command::Pin { targets: one(0), pinned: true });
    installed(&mut s, "2");
    let told = s.journal.last().expect("an entry").clone();
    assert_eq!(told.event, "program-replaced");
    assert!(told.text.contains("/usr/bin/agent: 3 sessions run the one before"), "{}", told.text);
    let ticket = s.send(Command::Roll { when_idle: false }, None);
    assert_eq!(restarted(&s), [id(1)], "unpinned, and quiet for longest");
    runs(&mut s, 1, "2");
    s.pass(CANARY_MS - 1);
    assert_eq!((restarted(&s).len(), s.last(ticket)), (1, None));
    s.pass(1);
    assert_eq!(restarted(&s), [id(1), id(2), id(0)]);
    for n in [0, 2] {
        runs(&mut s, n, "2");
    }
    let (mut names, left) = rolled(s.last(ticket).expect("answered"));
    names.sort();
    assert_eq!((names, left), (vec!["s0".to_owned(), "s1".into(), "s2".into()], vec![]));
    let environment = |a: &Action| {
        if let Action::Launch { generation: 2, environment, argv, .. } = a {
            Some((*environment, argv.len()))
        } else {
            None
        }
    };
    let starts: Vec<_> = s.acts.iter().filter_map(environment).collect();
    assert_eq!(starts, [(Some(ticket), 2); 3], "each resumes, with the caller's environment at hand");
    s.pass(1_000_000);
    assert_eq!(restarted(&s).len(), 3);
    assert_eq!(rolled(s.ask(Command::Roll { when_idle: false })), (vec![], vec![]));
}

#[test]
fn where_the_first_does_not_come_up_the_others_stay_as_they_are() {
    for how in ["ends", "fails", "is done"] {
        let mut s = agents(3);
        installed(&mut s, "2");
        s.slow = how == "fails";
        let ticket = s.send(Command::Roll { when_idle: false }, None);
        match how {
            "fails" => {
                let revision = s.record(0).revision;
                s.event(Event::Saved { id: id(0), revision });
                s.exit(id(0), 1, "asked", None);
                let revision = s.record(0).revision;
                s.event(Event::Saved { id: id(0), revision });
                let message = "exec format error".to_owned();
                s.event(Event::StartFailed { id: id(0), generation: 2, message, users_fault: true });
            }
            "ends" => s.exit(id(0), 2, "own", Some(1)),
            _ => s.exit(id(0), 2, "own", Some(0)),
        }
        let (_, message, hint) = error(s.last(ticket).expect("answered"));
        assert!(message.contains("s1 stays as it is: s0 did not come up with /usr/bin/agent"), "{message}");
        assert!(!hint.is_empty());
        s.slow = false;
        s.pass(1_000_000);
        assert_eq!(restarted(&s).iter().filter(|i| **i != id(0)).count(), 0, "{how}");
        for n in 1..3 {
            assert_eq!((s.record(n).state, s.record(n).roll), (State::Idle, Roll::No), "{how}");
        }
        let refused = s.journal.iter().find(|e| e.event == "roll-refused").expect("it is said");
        assert!(refused.text.contains("2 other sessions stay as they are"), "{}", refused.text);
        assert_eq!(refused.id, Some(id(0)));
    }
}

#[test]
fn when_idle_waits_for_the_turn_and_for_terminals_and_for_silence() {
    let mut s = agents(2);
    s.report(0, Signals { active: true, ..silent() });
    s.report(1, Signals { writers: 1, ..silent() });
    s.pass(2_000);
    installed(&mut s, "2");
    let (mut names, _) = rolled(s.ask(Command::Roll { when_idle: true }));
    names.sort();
    assert_eq!(names, ["s0", "s1"], "answered at once");
    assert_eq!(s.record(0).roll, Roll::WhenIdle, "and on disk");
    s.pass(1_000_000);
    assert_eq!(restarted(&s), [], "one works, and a terminal is attached to the other");
    s.report(1, Signals { readers: 1, ..silent() });
    s.pass(1_000_000);
    assert_eq!(restarted(&s), [], "somebody looks at it");
    s.report(1, Signals { inputs: 1, ..silent() });
    s.pass(QUIET_MS - 1);
    assert_eq!(restarted(&s), [], "something was just typed");
    s.pass(1);
    assert_eq!(restarted(&s), [id(1)]);
    runs(&mut s, 1, "2");
    s.pass(CANARY_MS);
    assert_eq!(restarted(&s), [id(1)], "the other still works");
    s.report(0, silent());
    s.pass(2_000);
    s.pass(QUIET_MS);
    assert_eq!(restarted(&s), [id(1), id(0)]);
}

#[test]
fn what_waits_outlasts_the_supervisor() {
    let mut s = agents(1);
    s.report(0, Signals { active: true, ..silent() });
    s.pass(2_000);
    installed(&mut s, "2");
    s.ask(Command::Roll { when_idle: true });
    let record = s.record(0);
    let mut next = Scene::with_nothing(Settings::default());
    let host = record.host.clone().expect("it runs");
    next.event(Event::Adopt {
        found: vec![Found { id: id(0), generation: 1, what: Remains::Alive(host) }],
        records: vec![record],
        here: Here::default(),
        origin: Origin::Transient,
        last_event: 0,
        recent: Vec::new(),
    });
    assert!(next.acts.contains(&Action::WatchPrograms([Text::from(PATH)].into())));
    next.report(0, silent());
    next.pass(2_000);
    next.pass(1_000_000);
    assert_eq!(restarted(&next), [], "what is installed is not known yet");
    installed(&mut next, "2");
    next.pass(QUIET_MS);
    assert_eq!(restarted(&next), [id(0)]);
}

#[test]
fn a_roll_ends_where_the_old_program_is_back_or_somebody_decides() {
    let mut s = agents(3);
    for n in 0..3 {
        s.report(n, Signals { active: true, ..silent() });
    }
    s.pass(2_000);
    installed(&mut s, "2");
    s.ask(Command::Roll { when_idle: true });
    s.ask(stop(0));
    s.ask(Command::Respawn { targets: one(1), all: false });
    runs(&mut s, 1, "2");
    assert_eq!((s.record(0).roll, s.record(1).roll, s.record(2).roll), (Roll::No, Roll::No, Roll::WhenIdle));
    installed(&mut s, "1");
    assert_eq!(s.record(2).roll, Roll::No);
    s.report(2, silent());
    s.pass(1_000_000);
    assert_eq!(restarted(&s), [id(1)], "the one that somebody respawned");
}

#[test]
fn a_conversation_that_cannot_be_resumed_is_left_and_named() {
    let mut s = Scene::new();
    agent(&mut s, 0);
    installed(&mut s, "1");
    s.fleet.sessions.get_mut(&id(0)).expect("it").record.resumes = false;
    installed(&mut s, "2");
    let (names, left) = rolled(s.ask(Command::Roll { when_idle: false }));
    assert!(names.is_empty() && left.len() == 1 && left[0].contains("no conversation to resume"), "{left:?}");
    let Reply::Why { reasons, .. } = s.ask(Command::Why { target: id(0).to_string() }) else {
        panic!("no why")
    };
    assert!(reasons.iter().any(|r| r.contains("/usr/bin/agent was replaced since")), "{reasons:?}");
}
