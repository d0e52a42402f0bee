//! Leaving an agent while attached, and coming back to it.

use super::*;
use crate::core::leave::is_leaving;

/// A live session of an agent that resumes, on so many terminals that may type.
fn of_agent(settings: Settings, writers: u16) -> Scene {
    let mut s = Scene::with(settings, Vec::new());
    s.run(0, &["agent", "fix it"]);
    let record = &mut s.fleet.sessions.get_mut(&id(0)).expect("there").record;
    record.agent = Some("toy".into());
    record.respawn_argv = vec!["agent".into(), "--resume".into()];
    record.resumes = true;
    s.report(0, Signals { writers, ..Signals::default() });
    s
}

fn resume(s: &mut Scene) -> Reply {
    s.ask(Command::Resume { target: id(0).to_string() })
}

fn starts(s: &Scene) -> Vec<Vec<Text>> {
    let argv = |act: &Action| if let Action::Launch { argv, .. } = act { Some(argv.clone()) } else { None };
    s.acts.iter().filter_map(argv).collect()
}

#[test]
fn who_leaves_an_agent_parks_it_and_the_next_attach_resumes_it_once() {
    let mut s = of_agent(Settings::default(), 1);
    s.exit(id(0), 1, "own", Some(0));
    let record = s.record(0);
    assert_eq!((record.state, record.desired), (State::Parked, Desired::Running));
    let Reply::Why { reasons, .. } = s.ask(Command::Why { target: id(0).to_string() }) else { panic!("why") };
    assert!(reasons.iter().any(|reason| reason.contains("who leaves an agent")), "{reasons:?}");
    assert!(matches!(resume(&mut s), Reply::Session { .. }));
    // It is there already: nothing is started twice.
    assert!(matches!(resume(&mut s), Reply::Session { .. }));
    let expected: [Vec<Text>; 2] =
        [vec!["agent".into(), "fix it".into()], vec!["agent".into(), "--resume".into()]];
    assert_eq!(starts(&s), expected);
}

#[test]
fn what_is_no_leaving_is_what_it_always_was() {
    let unattended = of_agent(Settings::default(), 0);
    let switched_off = of_agent(Settings { park_on_leave: false, ..Settings::default() }, 1);
    let mut without_a_conversation = of_agent(Settings::default(), 1);
    let forgets = &mut without_a_conversation.fleet.sessions.get_mut(&id(0)).expect("there").record;
    forgets.resumes = false;
    for mut s in [unattended, switched_off, without_a_conversation] {
        s.exit(id(0), 1, "own", Some(0));
        assert_eq!(s.record(0).state, State::Done);
    }
    let mut s = of_agent(Settings::default(), 1);
    s.exit(id(0), 1, "own", Some(1));
    assert_eq!(s.record(0).state, State::Failed);
}

#[test]
fn what_was_stopped_is_never_resumed_by_an_attach() {
    let mut s = of_agent(Settings::default(), 1);
    s.exit(id(0), 1, "own", Some(130));
    assert_eq!(s.record(0).state, State::Parked);
    s.ask(stop(0));
    let (kind, message, hint) = error(resume(&mut s));
    assert_eq!(kind, ErrorKind::Failed);
    assert!(message.contains("is stopped") && hint.contains("abide respawn"), "{message}; {hint}");
    assert_eq!(starts(&s).len(), 1);
    // Done is no parking, either.
    let mut s = of_agent(Settings::default(), 0);
    s.exit(id(0), 1, "own", Some(0));
    assert!(error(resume(&mut s)).1.contains("is done"));
}

#[test]
fn ends_that_mean_leaving() {
    let exit = |cause: &str, code, signal| Exit { cause: cause.into(), code, signal, ..Exit::default() };
    for leaving in [exit("own", Some(0), None), exit("own", Some(130), None), exit("own", None, Some(2))] {
        assert!(is_leaving(&leaving), "{leaving:?}");
    }
    for other in [
        exit("own", Some(1), None),
        exit("own", None, Some(9)),
        exit("asked", Some(0), None),
        exit("terminated", None, Some(2)),
        exit("host-lost", None, None),
    ] {
        assert!(!is_leaving(&other), "{other:?}");
    }
}
