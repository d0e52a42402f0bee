//! The table, row by row, and what holds whatever was seen.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn id(n: u32) -> SessionId {
    SessionId::from_bits(n)
}

/// A process without a terminal, under our user.
fn process(pid: u32, name: &str) -> Proc {
    let group = i32::try_from(pid).expect("small");
    Proc {
        pid,
        start: 1_000 - u64::from(pid),
        name: name.into(),
        ours: true,
        group,
        session: group,
        foreground: -1,
        ..Proc::default()
    }
}

fn on_terminal(pid: u32, name: &str, terminal: u64) -> Proc {
    Proc { terminal, foreground: 1, ..process(pid, name) }
}

fn with_role(pid: u32, name: &str, role: Role) -> Proc {
    Proc { role, ..process(pid, name) }
}

fn seen(chain: Vec<Proc>) -> Evidence {
    Evidence { chain, ..Evidence::default() }
}

type Verdict = (Option<Kind>, Option<Template>, Attended, Option<SessionId>, u8);

fn verdict(evidence: &Evidence) -> Verdict {
    let c = classify(evidence);
    (c.kind, c.template, c.attended, c.session, c.row)
}

const UNKNOWN: Verdict = (None, None, Attended::Unknown, None, 0);

fn foreground(attended: Attended, row: u8) -> Verdict {
    (Some(Kind::Interactive), Some(Template::Foreground), attended, None, row)
}

fn inside(n: u32) -> Verdict {
    (Some(Kind::Bg), Some(Template::Bg), Attended::Unknown, Some(id(n)), 1)
}

fn nobody() -> Verdict {
    (Some(Kind::Interactive), None, Attended::No, None, 5)
}

#[test]
fn every_row_of_the_table() {
    use Role as R;
    let shell = || on_terminal(2, "bash", 34_816);
    let tool = || on_terminal(1, "abide", 34_816);
    let bare = || process(1, "abide");
    let tmux = |shown| with_role(3, "tmux: server", R::Multiplexer(shown));
    let in_unit = |unit| Evidence { unit, ..seen(vec![bare()]) };
    let vendors = |role| (seen(vec![tool(), with_role(2, "toy", role)]), role);
    let table: Vec<(&str, Evidence, Verdict)> = vec![
        ("gone", Evidence { gone: true, ..seen(vec![tool(), shell()]) }, UNKNOWN),
        ("cannot be seen", seen(vec![]), UNKNOWN),
        (
            "the supervisor",
            seen(vec![with_role(1, "abided", R::Supervisor), shell()]),
            (Some(Kind::Daemon), None, Attended::No, None, 0),
        ),
        (
            "a host",
            seen(vec![with_role(1, "abide-host", R::Host(id(7)))]),
            (Some(Kind::DaemonWorker), None, Attended::No, Some(id(7)), 0),
        ),
        ("below a host", seen(vec![tool(), shell(), with_role(3, "abide-host", R::Host(id(7)))]), inside(7)),
        ("in a session's unit", in_unit(Unit::Session(id(7))), inside(7)),
        ("on a host's terminal", Evidence { terminal_of: Some(id(7)), ..seen(vec![tool()]) }, inside(7)),
        (
            "a vendor's background host",
            vendors(R::VendorBackground).0,
            (Some(Kind::Bg), Some(Template::Bg), Attended::No, None, 2),
        ),
        ("a vendor's daemon", vendors(R::VendorShared).0, (None, None, Attended::Unknown, None, 2)),
        ("on a terminal", seen(vec![tool(), shell()]), foreground(Attended::Yes, 3)),
        (
            "in tmux that is shown",
            seen(vec![tool(), shell(), tmux(Some(true))]),
            foreground(Attended::Yes, 3),
        ),
        ("in tmux that is not", seen(vec![tool(), shell(), tmux(Some(false))]), foreground(Attended::No, 3)),
        ("in dtach", seen(vec![tool(), shell(), tmux(None)]), foreground(Attended::Unknown, 3)),
        (
            "on another terminal, in tmux that is not shown",
            seen(vec![tool(), on_terminal(2, "sudo", 34_817), tmux(Some(false))]),
            foreground(Attended::Unknown, 3),
        ),
        ("setsid on a terminal", seen(vec![bare(), shell()]), foreground(Attended::Unknown, 4)),
        ("tmux run-shell", seen(vec![bare(), tmux(Some(true))]), foreground(Attended::Unknown, 4)),
        ("a desktop's", in_unit(Unit::Desktop("app-x.scope".into())), foreground(Attended::Unknown, 4)),
        ("cron", seen(vec![bare(), process(2, "sh"), process(3, "cron")]), nobody()),
        ("a unit", in_unit(Unit::Service("mine.service".into())), nobody()),
        ("ssh without a terminal", in_unit(Unit::Login("session-3.scope".into())), nobody()),
        ("another user's terminal above", seen(vec![bare(), Proc { ours: false, ..shell() }]), nobody()),
    ];
    for (what, evidence, expected) in table {
        assert_eq!(verdict(&evidence), expected, "{what}: {:?}", classify(&evidence));
    }
}

#[test]
fn an_agent_is_classified_and_not_the_helper_that_speaks_for_it() {
    let agent = Proc { agent: Some("toy".into()), ..on_terminal(2, "toy", 34_816) };
    let helper = process(1, "abide");
    assert_eq!(verdict(&seen(vec![helper.clone(), agent.clone()])), foreground(Attended::Yes, 3));
    assert_eq!(verdict(&seen(vec![helper.clone()])), nobody());
    // Somebody else's agent is nothing to us.
    assert_eq!(verdict(&seen(vec![helper, Proc { ours: false, ..agent }])), nobody());
}

#[test]
fn what_is_abides_own_is_no_agent_whoever_registered_it() {
    let registered = |p: Proc| Proc { agent: Some("toy".into()), ..p };
    let host = registered(with_role(3, "abide-host", Role::Host(id(7))));
    assert_eq!(verdict(&seen(vec![process(1, "abide"), process(2, "sh"), host])), inside(7));
    let supervisor = registered(with_role(3, "abided", Role::Supervisor));
    assert_eq!(verdict(&seen(vec![process(1, "abide"), supervisor])), nobody());
}

#[test]
fn ids_that_were_used_again_are_told_by_start_times() {
    let live = Live { id: id(7), host: 30, child: Instance { pid: 20, start: 500 } };
    let place = |chain: Vec<Proc>| {
        let mut evidence = seen(chain);
        evidence.place(&[live]);
        verdict(&evidence)
    };
    let above = |start| vec![process(1, "abide"), Proc { start, ..process(30, "abide-host") }];
    assert_eq!((place(above(500)), place(above(501))), (inside(7), nobody()));
    let led_by =
        |session, leader_start| vec![Proc { session, leader_start, ..on_terminal(1, "abide", 34_816) }];
    assert_eq!(place(led_by(20, 500)), inside(7));
    for (session, start) in [(20, 499), (20, 501), (20, 0), (21, 500), (-1, 500)] {
        assert_eq!(place(led_by(session, start)), foreground(Attended::Yes, 3), "{session} {start}");
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        6 => Just(Role::Plain),
        1 => Just(Role::Supervisor),
        1 => (0_u32..3).prop_map(|n| Role::Host(id(n))),
        2 => any::<Option<bool>>().prop_map(Role::Multiplexer),
        1 => Just(Role::VendorBackground),
        1 => Just(Role::VendorShared),
    ]
}

prop_compose! {
    fn a_process()(
        (pid, start, session, leader_start) in (1_u32..40, 0_u64..40, -1_i32..40, 0_u64..40),
        (group, foreground, ours, role) in (0_i32..3, -1_i32..3, any::<bool>(), role()),
        terminal in select(vec![0_u64, 0, 34_816, 34_817]),
        (name, agent) in ("\\PC{0,20}|\x1b\\[2J|tmux: server|abide-host", any::<bool>()),
    ) -> Proc {
        let agent = agent.then(|| "toy".to_owned()).filter(|_| pid % 3 == 0);
        Proc { pid, start, name, ours, group, session, terminal, foreground, leader_start, role, agent }
    }
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        Just(Unit::Unknown),
        (0_u32..3).prop_map(|n| Unit::Session(id(n))),
        "\\PC{0,20}".prop_map(Unit::Desktop),
        "\\PC{0,20}".prop_map(Unit::Service),
        "\\PC{0,20}".prop_map(Unit::Login),
    ]
}

prop_compose! {
    fn evidence()(
        chain in vec(a_process(), 0..8),
        unit in unit(),
        (gone, terminal_of) in (any::<bool>(), proptest::option::weighted(0.2, 0_u32..3)),
        alive in 0_u8..8,
    ) -> Evidence {
        Evidence { gone: gone && alive == 0, chain, unit, terminal_of: terminal_of.map(id) }
    }
}

fn live() -> impl Strategy<Value = Vec<Live>> {
    let one = (0_u32..40, 0_u32..40, 0_u64..40, 0_u32..3);
    vec(one.prop_map(|(host, pid, start, n)| Live { id: id(n), host, child: Instance { pid, start } }), 0..4)
}

fn is_host(p: &Proc) -> Option<SessionId> {
    if let Role::Host(id) = p.role { Some(id) } else { None }
}

proptest! {
    #[test]
    fn what_programs_call_themselves_changes_nothing(mut e in evidence(), name in "\\PC{0,20}") {
        let before = verdict(&e);
        e.chain.iter_mut().for_each(|p| p.name.clone_from(&name));
        prop_assert_eq!(verdict(&e), before);
    }

    #[test]
    fn who_is_in_the_foreground_of_a_terminal_changes_nothing(mut e in evidence(), to in any::<(i32, i32)>()) {
        let before = verdict(&e);
        e.chain.iter_mut().for_each(|p| (p.group, p.foreground) = to);
        prop_assert_eq!(verdict(&e), before);
    }

    #[test]
    fn helpers_below_an_agent_change_nothing(
        mut e in evidence(),
        agent in a_process(),
        mut helpers in vec(a_process(), 0..4),
    ) {
        // What is abide's own is no agent.
        let agent = Proc { ours: true, agent: Some("toy".into()), role: Role::Plain, ..agent };
        e.chain.insert(0, agent);
        helpers.iter_mut().for_each(|p| p.agent = None);
        let mut with = e.clone();
        with.chain = helpers.into_iter().chain(e.chain.iter().cloned()).collect();
        prop_assert_eq!(classify(&with), classify(&e));
    }

    #[test]
    fn whatever_is_below_a_host_is_inside_of_it_and_what_is_above_changes_nothing(
        mut e in evidence(),
        above in vec(a_process(), 0..4),
        n in 0_u32..3,
    ) {
        e.gone = false;
        prop_assume!(e.subject().is_some_and(|s| matches!(s.role, Role::Plain | Role::Multiplexer(_))));
        let nearest = e.subject_and_ancestors().iter().find_map(is_host).unwrap_or_else(|| id(n));
        e.chain.push(with_role(50, "abide-host", Role::Host(id(n))));
        let class = classify(&e);
        prop_assert_eq!(verdict(&e), (inside(0).0, inside(0).1, Attended::Unknown, Some(nearest), 1));
        // Unless one of these is an agent: then it is about that one.
        let has_agent = e.chain.iter().any(Proc::is_agent);
        prop_assume!(has_agent || !above.iter().any(Proc::is_agent));
        e.chain.extend(above);
        prop_assert_eq!(classify(&e), class);
    }

    #[test]
    fn nobody_counts_as_background_without_a_host_a_unit_or_a_vendor_that_says_so(e in evidence()) {
        let class = classify(&e);
        let said = e.terminal_of.is_some()
            || matches!(e.unit, Unit::Session(_))
            || e.chain.iter().any(|p| is_host(p).is_some() || p.role == Role::VendorBackground);
        prop_assert!(said || class.template != Some(Template::Bg));
        prop_assert_eq!(class.kind == Some(Kind::Bg), class.template == Some(Template::Bg));
        prop_assert!(class.kind != Some(Kind::Bg) || !e.gone);
    }

    #[test]
    fn what_is_gone_is_unknown(mut e in evidence()) {
        e.gone = true;
        prop_assert_eq!(verdict(&e), UNKNOWN);
    }

    #[test]
    fn a_terminal_is_a_persons_unless_a_session_or_a_vendor_is_above(mut e in evidence()) {
        e.chain.retain(|p| !is_vendor(p.role) && is_host(p).is_none() && p.role != Role::Supervisor);
        prop_assume!(!e.gone && e.terminal_of.is_none() && !matches!(e.unit, Unit::Session(_)));
        prop_assume!(e.subject().is_some_and(|s| s.terminal != 0));
        let class = classify(&e);
        prop_assert_eq!((class.kind, class.template, class.row), (foreground(Attended::Yes, 3).0, foreground(Attended::Yes, 3).1, 3));
    }

    #[test]
    fn reasons_are_two_printable_lines(e in evidence()) {
        let class = classify(&e);
        prop_assert_eq!(class.reasons.len(), 2);
        for reason in &class.reasons {
            prop_assert!(reason.chars().all(crate::core::naming::is_printable), "{:?}", reason);
            prop_assert!(reason.ends_with('.'));
        }
    }

    #[test]
    fn looking_for_hosts_twice_finds_the_same_and_no_more_than_there_are(mut e in evidence(), live in live()) {
        e.chain.retain(|p| is_host(p).is_none());
        e.place(&live);
        let once = e.clone();
        e.place(&live);
        prop_assert_eq!(&e, &once);
        for p in &e.chain {
            prop_assert!(is_host(p).is_none_or(|id| live.iter().any(|l| l.id == id && l.host == p.pid)));
        }
        // The number of a terminal says nothing about whose it is.
        e.chain.iter_mut().filter(|p| p.terminal != 0).for_each(|p| p.terminal += 7);
        e.place(&live);
        prop_assert_eq!(e.terminal_of, once.terminal_of);
    }
}
