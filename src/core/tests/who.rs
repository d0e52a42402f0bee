//! Who asks, and what that changes.

use super::*;
use crate::core::classify::{Attended, Class, Evidence, Proc};
use crate::core::hook::{Happening, Report};
use crate::core::record::Kind;
use crate::core::status::Doing;

/// A process in the child's terminal of the session that [`inside`] has started.
pub(super) fn tool(child_start: u64) -> Evidence {
    let tool = |pid, name: &str, start| Proc {
        pid,
        start,
        name: name.into(),
        ours: true,
        session: 9,
        terminal: 34_816,
        leader_start: child_start,
        ..Proc::default()
    };
    Evidence { chain: vec![tool(100, "abide", 60), tool(9, "toy", child_start)], ..Evidence::default() }
}

impl Scene {
    pub(super) fn asks(
        &mut self,
        evidence: Option<Evidence>,
        command: Command,
        draft: Option<(SessionId, Plan)>,
    ) -> Reply {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let peer =
            Peer { pid: 100, label: "toy".into(), evidence: evidence.map(Box::new), ..Peer::default() };
        self.event(Event::Command { ticket, peer, command, draft });
        self.last(ticket).expect("answered")
    }

    fn who(&mut self, evidence: Option<Evidence>) -> (Class, Option<SessionId>) {
        let Reply::Who { class, session, .. } = self.asks(evidence, Command::Who, None) else {
            panic!("who?")
        };
        (*class, session.map(|view| view.record.id))
    }
}

/// A session whose child has process id 9 and started at 50.
pub(super) fn inside() -> Scene {
    let mut s = Scene::new();
    s.slow = true;
    s.run(0, &["toy"]);
    s.event(Event::Saved { id: id(0), revision: 1 });
    let host = Host { pid: 8, child_pid: 9, child_start: 50, ..Host::default() };
    s.event(Event::Linked { id: id(0), generation: 1, host });
    s.slow = false;
    s
}

fn report() -> Report {
    Report {
        agent: "toy".into(),
        session_id: "x".into(),
        cwd: "/".into(),
        what: Happening::TurnOver { waits_for_own: false },
        of_sub_agent: false,
    }
}

#[test]
fn a_sessions_own_process_is_attended_as_the_session_is_now() {
    let mut s = inside();
    let (class, session) = s.who(Some(tool(50)));
    assert_eq!((class.kind, class.attended, session), (Some(Kind::Bg), Attended::No, Some(id(0))));
    s.report(0, Signals { writers: 1, ..Signals::default() });
    assert_eq!(s.who(Some(tool(50))).0.attended, Attended::Yes);
    s.report(0, Signals { readers: 1, ..Signals::default() });
    assert_eq!(s.who(Some(tool(50))).0.attended, Attended::No);
}

#[test]
fn the_same_terminal_after_the_session_is_a_persons() {
    let mut s = inside();
    s.exit(id(0), 1, "own", Some(0));
    let (class, session) = s.who(Some(tool(50)));
    assert_eq!((class.kind, class.row, session), (Some(Kind::Interactive), 3, None));
    // And what has the process id of the child, but is another process.
    assert_eq!(inside().who(Some(tool(51))).0.row, 3);
}

#[test]
fn a_dispatch_keeps_where_it_came_from() {
    let mut s = inside();
    let argv: Vec<Text> = vec!["make".into()];
    let spec = |n: u32| RunSpec {
        request: format!("{n:032x}"),
        name: None,
        agent: None,
        argv: argv.clone(),
        prompt: None,
        cwd: "/".into(),
        env_names: Vec::new(),
        pinned: false,
        restart: None,
        asked_for: Vec::new(),
    };
    let draft = |n| Some((id(n), Plan { argv: argv.clone(), ..Plan::default() }));
    s.asks(Some(tool(50)), Command::Run(spec(1)), draft(1));
    let child = s.record(1);
    assert_eq!((child.parent, child.kind), (Some(id(0)), Kind::Bg));
    assert!(
        child.dispatch[0].contains("toy (pid 9)") || child.dispatch[0].contains("abide (pid 100)"),
        "{child:?}"
    );
    let Reply::Why { reasons, .. } = s.ask(Command::Why { target: id(1).to_string() }) else {
        panic!("why?")
    };
    assert!(reasons.iter().any(|r| r.contains(&format!("inside of session {}", id(0)))), "{reasons:?}");
    // From nowhere that is known: it is dispatched all the same, and says so.
    s.asks(None, Command::Run(spec(2)), draft(2));
    let orphan = s.record(2);
    assert_eq!((orphan.parent, orphan.kind), (None, Kind::Bg));
    assert!(orphan.dispatch[0].contains("gone"), "{orphan:?}");
}

#[test]
fn a_report_is_the_sessions_that_it_came_from_the_inside_of() {
    let mut s = inside();
    s.now.awake_ms = 77;
    let hook = || Command::Hook { report: Box::new(report()) };
    let Reply::Hooked { class, session } = s.asks(Some(tool(50)), hook(), None) else { panic!("hooked") };
    assert_eq!((class.session, session.map(|v| v.record.id)), (Some(id(0)), Some(id(0))));
    let kept = s.fleet.sessions[&id(0)].evidence.kept().expect("it is believed");
    assert_eq!((kept.doing, kept.conversation.as_str()), (Doing::Done, "x"));
    // One from elsewhere is nobody's.
    let mut s = inside();
    let Reply::Hooked { class, session } = s.asks(Some(tool(51)), hook(), None) else { panic!("hooked") };
    assert_eq!((class.kind, class.session, session), (Some(Kind::Interactive), None, None));
    assert_eq!(s.fleet.sessions[&id(0)].evidence.kept(), None);
}
