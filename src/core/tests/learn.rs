//! What an agent's reports change in its session's record.

use super::who::{inside, tool};
use super::*;
use crate::core::hook::{Happening, Report};
use crate::core::record::NameSource;

fn report(session_id: &str, what: Happening) -> Report {
    Report { agent: "toy".into(), session_id: session_id.into(), cwd: "/".into(), what, of_sub_agent: false }
}

fn begins(title: &str) -> Happening {
    Happening::Begins { source: "startup".into(), title: title.into() }
}

fn prompted(prompt: &str) -> Happening {
    Happening::Prompted { prompt: prompt.into() }
}

/// A session of an agent that tells its conversation's id by hooks, named by nobody.
fn of_agent() -> Scene {
    let mut s = inside();
    let record = &mut s.fleet.sessions.get_mut(&id(0)).expect("there").record;
    record.agent = Some("toy".into());
    record.name_source = NameSource::Auto;
    record.intent = String::new();
    record.anew = vec!["toy".into()];
    record.respawn_argv.clone_from(&record.anew);
    record.resume = vec!["toy".into(), "--resume".into(), "\0".into()];
    record.kept = vec!["~/{id}".into()];
    let revision = record.revision;
    s.event(Event::Saved { id: id(0), revision });
    s
}

impl Scene {
    fn hook(&mut self, report: Report) {
        self.asks(Some(tool(50)), Command::Hook { report: Box::new(report) }, None);
    }

    /// The command of the next start.
    fn respawned(&mut self) -> (Vec<Text>, Option<Vec<Text>>) {
        self.ask(Command::Respawn { targets: vec![id(0).to_string()], all: false });
        let launch = self.acts.iter().rev().find_map(|act| {
            let Action::Launch { argv, otherwise, .. } = act else { return None };
            Some((argv.clone(), otherwise.clone().map(|o| o.argv)))
        });
        launch.expect("a launch")
    }
}

#[test]
fn a_respawn_resumes_the_conversation_that_was_told_last() {
    let mut s = of_agent();
    assert_eq!(s.respawned(), (vec!["toy".into()], None));
    let mut s = of_agent();
    s.hook(report("first", begins("")));
    s.hook(report("second", prompted("go on")));
    // The end of the first one is told late.
    s.hook(report("first", Happening::Ends { reason: "clear".into() }));
    assert_eq!(s.record(0).session_id.as_deref(), Some("second"));
    let resumed: Vec<Text> = vec!["toy".into(), "--resume".into(), "second".into()];
    assert_eq!(s.respawned(), (resumed, Some(vec!["toy".into()])));
}

#[test]
fn only_the_sessions_own_agent_is_listened_to() {
    for (change, why) in [
        ((|r: &mut Report| r.agent = "other".into()) as fn(&mut Report), "another agent"),
        (|r| r.of_sub_agent = true, "a sub-agent"),
        (|r| r.session_id = "--help".into(), "no id"),
    ] {
        let mut s = of_agent();
        let mut told = report("x", Happening::Moved);
        change(&mut told);
        s.hook(told);
        assert_eq!(s.record(0).session_id, None, "{why}");
    }
    let mut s = of_agent();
    let mut nested = tool(50);
    for process in &mut nested.chain {
        process.agent = Some("toy".into());
    }
    s.asks(Some(nested), Command::Hook { report: Box::new(report("x", prompted("p"))) }, None);
    assert_eq!((s.record(0).session_id.clone(), s.record(0).intent.as_str()), (None, ""));
}

#[test]
fn the_first_prompt_names_a_session_that_was_started_without_one() {
    let mut s = of_agent();
    s.hook(report("x", prompted("Fix the flaky test\nin io.rs")));
    assert_eq!(
        (s.record(0).name.as_str(), s.record(0).intent.as_str()),
        ("fix-flaky-test-in", "Fix the flaky test in io.rs")
    );
    s.hook(report("x", prompted("and now something else")));
    assert_eq!((s.record(0).name.as_str(), s.record(0).name_source), ("fix-flaky-test-in", NameSource::Auto));
}

#[test]
fn a_title_replaces_what_was_derived_and_never_what_the_user_gave() {
    let mut s = of_agent();
    s.hook(report("x", begins("Flaky test")));
    assert_eq!((s.record(0).name.as_str(), s.record(0).name_source), ("Flaky test", NameSource::Plan));
    s.hook(report("x", Happening::Titled { title: "Less flaky test".into() }));
    assert_eq!(s.record(0).name, "Less flaky test");
    for nothing in ["", "  ", "\u{1b}", "-x"] {
        s.hook(report("x", Happening::Titled { title: nothing.into() }));
    }
    assert_eq!(s.record(0).name, "Less flaky test");
    s.ask(Command::Rename { target: id(0).to_string(), name: "mine".into() });
    s.hook(report("x", Happening::Titled { title: "theirs".into() }));
    s.hook(report("x", prompted("theirs")));
    assert_eq!((s.record(0).name.as_str(), s.record(0).name_source), ("mine", NameSource::User));
}

#[test]
fn two_sessions_never_have_one_name() {
    let mut s = of_agent();
    s.run(1, &["Flaky"]);
    s.ask(Command::Rename { target: id(1).to_string(), name: "Flaky".into() });
    s.hook(report("x", begins("Flaky")));
    assert_eq!(s.record(0).name, "Flaky-2");
}
