//! The rules as tables, and what holds for any facts.

use super::*;
use proptest::prelude::*;

fn managed() -> Facts {
    Facts {
        version: "1.0.0".into(),
        service: Service::Systemd(Box::new(Systemd {
            version: Some("252".into()),
            bus: true,
            complaint: None,
            socket: unit("loaded", "active", "enabled"),
            service: unit("loaded", "inactive", "static"),
            program: Some("/usr/bin/abided".into()),
            program_found: true,
            listens_here: true,
        })),
        state: State { path: "/s".into(), free: Some(1 << 40), ..State::default() },
        login: Login {
            logind: true,
            lingers: Some(false),
            kills: Some(false),
            session: Some("3".into()),
            ..Login::default()
        },
        machine: Machine { journal: Journal::Persistent, ..Machine::default() },
        ..Facts::default()
    }
}

fn unit(load: &str, active: &str, enabled: &str) -> Unit {
    Unit { load: load.into(), active: active.into(), enabled: enabled.into(), ..Unit::default() }
}

fn alone() -> Facts {
    Facts { service: Service::Alone(Alone::None), ..managed() }
}

fn at(facts: &Facts, event: Happening) -> Fate {
    forecast(facts).into_iter().find(|line| line.event == event).expect("every event").sessions
}

fn verdict(facts: &Facts, name: &str) -> Option<Verdict> {
    let found: Vec<_> = checks(facts).into_iter().filter(|check| check.name == name).collect();
    found.iter().map(|check| check.verdict).max()
}

/// Who runs sessions, lingering, KillUserProcesses, an anchor, part of a login; what a logout does.
#[test]
fn what_a_logout_does() {
    let (yes, no) = (Some(true), Some(false));
    for (lingers, kills, anchor, fate) in [
        (yes, no, None, Fate::LiveOn),
        (yes, yes, None, Fate::LiveOn),
        (no, no, None, Fate::End),
        (no, yes, None, Fate::End),
        (no, no, Some(7), Fate::LiveOn),
        (no, yes, Some(7), Fate::End),
        (no, None, Some(7), Fate::Unknown),
        (None, no, None, Fate::Unknown),
        (no, None, None, Fate::End),
    ] {
        let mut facts = managed();
        facts.login = Login { lingers, kills, anchor, ..facts.login };
        assert_eq!(at(&facts, Happening::Logout), fate, "{:?}", facts.login);
    }
    let mut facts = managed();
    facts.login.logind = false;
    assert_eq!(at(&facts, Happening::Logout), Fate::LiveOn, "nobody ends the manager");
    for (kills, session, fate) in [
        (no, Some("3"), Fate::LiveOn),
        (yes, Some("3"), Fate::End),
        (None, Some("3"), Fate::Unknown),
        (yes, None, Fate::LiveOn),
    ] {
        let mut facts = alone();
        facts.login = Login { kills, session: session.map(str::to_owned), lingers: yes, ..facts.login };
        assert_eq!(at(&facts, Happening::Logout), fate, "lingering keeps no process: {:?}", facts.login);
    }
}

#[test]
fn what_is_wrong_is_found() {
    type Change = fn(&mut Facts);
    fn systemd(facts: &mut Facts) -> &mut Systemd {
        match &mut facts.service {
            Service::Systemd(systemd) => systemd,
            Service::Launchd | Service::Alone(_) => panic!("it is systemd"),
        }
    }
    let table: &[(&str, Verdict, Change)] = &[
        ("units", Verdict::Ok, |_| ()),
        ("units", Verdict::Ok, |f| {
            (systemd(f).socket, systemd(f).service) = (Unit::default(), Unit::default())
        }),
        ("units", Verdict::Fail, |f| systemd(f).service = Unit::default()),
        ("units", Verdict::Fail, |f| systemd(f).socket = unit("loaded", "failed", "enabled")),
        ("units", Verdict::Fail, |f| systemd(f).service = unit("loaded", "failed", "static")),
        ("units", Verdict::Fail, |f| systemd(f).listens_here = false),
        ("units", Verdict::Warn, |f| systemd(f).socket = unit("loaded", "inactive", "enabled")),
        ("units", Verdict::Warn, |f| systemd(f).socket = unit("loaded", "active", "disabled")),
        ("installed program", Verdict::Fail, |f| systemd(f).program_found = false),
        ("service manager", Verdict::Fail, |f| systemd(f).complaint = Some("no".into())),
        ("service manager", Verdict::Ok, |f| f.service = Service::Alone(Alone::Chosen)),
        ("service manager", Verdict::Warn, |f| f.service = Service::Alone(Alone::OutOfReach)),
        ("service manager", Verdict::Warn, |f| f.service = Service::Alone(Alone::None)),
        ("session bus", Verdict::Warn, |f| systemd(f).bus = false),
        ("supervisor", Verdict::Ok, |f| {
            f.supervisor = Supervisor::Running { pid: 7, version: "1.0.0".into(), live: 1 };
        }),
        ("supervisor", Verdict::Warn, |f| {
            f.supervisor = Supervisor::Running { pid: 7, version: "0.9.0".into(), live: 1 };
        }),
        ("supervisor", Verdict::Fail, |f| f.supervisor = Supervisor::Broken("mute".into())),
        ("runtime folder", Verdict::Fail, |f| f.runtime.problem = Some("open".into())),
        ("runtime folder", Verdict::Warn, |f| f.runtime.foreign = Some("/run/user/0".into())),
        ("runtime folder", Verdict::Warn, |f| f.runtime.fallback = true),
        ("start orders", Verdict::Fail, |f| f.runtime.orders = Some(false)),
        ("state folder", Verdict::Fail, |f| f.state.problem = Some("read-only".into())),
        ("state folder", Verdict::Fail, |f| f.state.elsewhere = Some("process 7".into())),
        ("state folder", Verdict::Warn, |f| f.state.remote = true),
        ("disk space", Verdict::Warn, |f| f.state.free = Some(100 << 20)),
        ("disk space", Verdict::Fail, |f| f.state.free = Some(0)),
        ("disk space", Verdict::Fail, |f| f.state.free_files = Some(0)),
        ("programs", Verdict::Fail, |f| f.programs = vec![program(Err("in /x".into()), Err(String::new()))]),
        ("programs", Verdict::Fail, |f| f.programs = vec![program(Ok("/x".into()), Err("format".into()))]),
        ("programs", Verdict::Warn, |f| f.programs = vec![program(Ok("/x".into()), Ok("2.0.0".into()))]),
        ("programs", Verdict::Ok, |f| f.programs = vec![program(Ok("/x".into()), Ok("1.0.0".into()))]),
        ("lingering", Verdict::Warn, |_| ()),
        ("lingering", Verdict::Ok, |f| f.login.lingers = Some(true)),
        ("lingering", Verdict::Ok, |f| f.login.anchor = Some(7)),
        ("anchor", Verdict::Warn, |f| f.login.anchor_wanted = Some(true)),
        ("anchor", Verdict::Ok, |f| f.login.anchor = Some(7)),
        ("logind", Verdict::Warn, |f| f.login.kills = Some(true)),
        ("user", Verdict::Warn, |f| f.login.sudo = Some("ada".into())),
        ("process 1", Verdict::Warn, |f| f.machine.init_reaps = Some(false)),
        ("control groups", Verdict::Warn, |f| f.machine.unified_cgroups = Some(false)),
        ("memory pressure", Verdict::Warn, |f| f.machine.pressure = Some(false)),
        ("journal", Verdict::Warn, |f| f.machine.journal = Journal::Volatile),
        ("limits", Verdict::Warn, |f| f.machine.limits.files_hard = Some(256)),
        ("write guard", Verdict::Fail, |f| {
            f.machine.guard = Guard { wanted: true, problem: Some("no".into()), ..Guard::default() };
        }),
        ("write guard", Verdict::Warn, |f| {
            f.machine.guard = Guard { wanted: true, ssh_includes: true, ..Guard::default() };
        }),
    ];
    for (name, expected, change) in table {
        let mut facts = managed();
        change(&mut facts);
        assert_eq!(verdict(&facts, name), Some(*expected), "{name} in {:?}", checks(&facts));
    }
    assert_eq!(worst(&checks(&managed())), Verdict::Warn, "only lingering");
}

fn program(path: Result<String, String>, version: Result<String, String>) -> Program {
    Program { name: "abided".into(), path, version, silent_on: None }
}

fn any_unit() -> impl Strategy<Value = Unit> {
    let load = prop_oneof![Just(""), Just("loaded"), Just("masked"), Just("bad-setting")];
    let active = prop_oneof![Just(""), Just("active"), Just("inactive"), Just("failed"), Just("activating")];
    let enabled =
        prop_oneof![Just(""), Just("enabled"), Just("enabled-runtime"), Just("disabled"), Just("static")];
    (load, active, enabled, "[0-9]{0,3}")
        .prop_map(|(load, active, enabled, status)| Unit { status, ..unit(load, active, enabled) })
}

fn any_service() -> impl Strategy<Value = Service> {
    let systemd = (any_unit(), any_unit(), any::<[bool; 4]>()).prop_map(|(socket, service, flags)| {
        Service::Systemd(Box::new(Systemd {
            version: flags[0].then(|| "252".into()),
            bus: flags[1],
            complaint: None,
            socket,
            service,
            program: Some("/p".into()),
            program_found: flags[2],
            listens_here: flags[3],
        }))
    });
    prop_oneof![
        systemd,
        Just(Service::Launchd),
        Just(Service::Alone(Alone::Chosen)),
        Just(Service::Alone(Alone::None)),
        Just(Service::Alone(Alone::OutOfReach)),
    ]
}

prop_compose! {
    fn any_facts()(
        service in any_service(),
        flags in any::<[bool; 9]>(),
        maybe in any::<[Option<bool>; 7]>(),
        numbers in any::<[Option<u64>; 4]>(),
        text in proptest::option::of("[ -~]{0,20}"),
        anchor in proptest::option::of(1_u32..),
        journal in prop_oneof![Just(Journal::Absent), Just(Journal::Volatile), Just(Journal::Persistent)],
    ) -> Facts {
        Facts {
            version: "1.0.0".into(),
            service,
            runtime: Runtime {
                fallback: flags[0],
                orders: maybe[0],
                foreign: text.clone().filter(|_| flags[1]),
                problem: text.clone().filter(|_| flags[2]),
                ..Runtime::default()
            },
            state: State {
                remote: flags[3],
                free: numbers[0],
                free_files: numbers[1],
                elsewhere: text.clone().filter(|_| flags[4]),
                ..State::default()
            },
            login: Login {
                logind: flags[5],
                lingers: maybe[1],
                kills: maybe[2],
                session: text.clone().filter(|_| flags[6]),
                anchor_wanted: maybe[3],
                anchor,
                sudo: None,
            },
            machine: Machine {
                container: text.filter(|_| flags[7]),
                wsl: flags[8],
                init_reaps: maybe[4],
                unified_cgroups: maybe[5],
                pressure: maybe[6],
                journal,
                limits: Limits { files_hard: numbers[2], processes: numbers[3] },
                ..Machine::default()
            },
            ..Facts::default()
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_not_well_says_what_it_means_and_what_to_do(facts in any_facts()) {
        for check in checks(&facts) {
            let silent = check.means.is_empty() && check.todo.is_empty();
            let told = !check.means.is_empty() && !check.todo.is_empty();
            prop_assert!(if check.verdict == Verdict::Ok { silent } else { told }, "{check:?}");
            prop_assert!(!check.found.is_empty() || facts.runtime.path.is_empty(), "{check:?}");
        }
    }

    #[test]
    fn every_event_is_forecast_once_with_a_reason(facts in any_facts()) {
        let told = forecast(&facts);
        prop_assert_eq!(told.iter().map(|line| line.event).collect::<Vec<_>>(), Happening::ALL.to_vec());
        prop_assert!(told.iter().all(|line| !line.why.is_empty()));
    }

    /// What is promised whatever the machine is like: no supervisor, upgrade or terminal ends a session.
    #[test]
    fn the_promises_hold_on_every_machine(facts in any_facts()) {
        for event in [Happening::TerminalClose, Happening::SupervisorCrash, Happening::Upgrade, Happening::Sleep] {
            prop_assert_eq!(at(&facts, event), Fate::LiveOn);
        }
    }

    /// Nobody is told that sessions outlive a logout where nothing keeps the user manager.
    #[test]
    fn no_false_hope_for_a_logout(mut facts in any_facts()) {
        facts.login.logind = true;
        if matches!(facts.service, Service::Systemd(_)) && facts.login.lingers != Some(true) {
            let kept = facts.login.anchor.is_some() && facts.login.kills == Some(false);
            prop_assert!(kept || at(&facts, Happening::Logout) != Fate::LiveOn, "{:?}", facts.login);
        }
    }

    /// Following the advice never makes anything worse.
    #[test]
    fn lingering_and_leaving_processes_alone_never_make_it_worse(facts in any_facts()) {
        let before = at(&facts, Happening::Logout);
        let mut better = facts.clone();
        better.login.lingers = Some(true);
        prop_assert!(at(&better, Happening::Logout) <= before);
        better.login.kills = Some(false);
        prop_assert!(at(&better, Happening::Logout) <= before);
    }
}
