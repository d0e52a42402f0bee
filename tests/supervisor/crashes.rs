//! Supervisors that die at any moment, and records that cannot be read.

use super::raw::{Client, Daemon, context, spec};
use crate::support::{Home, PATIENCE, ended, until};
use abide::core::action::{Reply, View};
use abide::core::event::Command;
use abide::core::record::State;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Every path that was seen below a folder since this was made.
struct Seen {
    folders: Vec<PathBuf>,
    paths: BTreeSet<PathBuf>,
}

impl Seen {
    fn look(&mut self) -> usize {
        fn walk(folder: &Path, into: &mut BTreeSet<PathBuf>) {
            // Whatever vanishes while we look was there.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if into.insert(entry.path()) || entry.path().is_dir() {
                    walk(&entry.path(), into);
                }
            }
        }
        for folder in self.folders.clone() {
            walk(&folder, &mut self.paths);
        }
        self.paths.len()
    }
}

#[test]
fn wherever_a_dispatch_is_cut_off_its_repetition_makes_one_session() {
    // A dispatch leaves about fifteen names behind one after the other: folders, records, orders, sockets, logs.
    let mut killed_before_the_answer = 0;
    for point in 0..18 {
        let home = Home::new();
        let daemon = Daemon::start(&home);
        let mut seen = Seen {
            folders: vec![home.paths().runtime.clone(), home.paths().state.clone()],
            paths: BTreeSet::new(),
        };
        let before = seen.look();
        let (mut client, _) = Client::connect(&home);
        let spec = spec(&["sh", "-c", "read x"]);
        let answered = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (spec, answered) = (spec.clone(), &answered);
            scope.spawn(move || {
                // The connection may break at any moment: that is the point.
                _ = client.ask(Command::Run(spec), Some(context(&[])));
                _ = client.answer();
                answered.store(true, Ordering::Relaxed);
            });
            let start = Instant::now();
            while seen.look() < before + point && !answered.load(Ordering::Relaxed) {
                assert!(start.elapsed() < PATIENCE, "point {point} never came");
                std::thread::yield_now();
            }
            killed_before_the_answer += usize::from(!answered.load(Ordering::Relaxed));
            daemon.crash();
        });
        let _daemon = Daemon::start(&home);
        let (mut client, _) = Client::connect(&home);
        let first = match client.try_run(spec.clone(), &[]) {
            Reply::Session { session } => *session,
            other => panic!("point {point}: {other:?}"),
        };
        let settled = until("one session that runs", || {
            let sessions = client.list();
            assert_eq!(sessions.len(), 1, "point {point}: {sessions:?}");
            let [session] = <[View; 1]>::try_from(sessions).ok()?;
            matches!(session.record.state, State::Working | State::Idle).then_some(session)
        });
        assert_eq!(settled.record.id, first.record.id, "point {point}");
        let host = settled.record.host.expect("a host").pid;
        assert_eq!(home.hosts(), [host], "point {point}: one host, and a known one");
    }
    assert!(killed_before_the_answer >= 5, "only {killed_before_the_answer} kills hit a dispatch");
}

#[test]
fn sessions_outlive_fifty_supervisors_and_ends_in_between_are_known() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let lasting = client.run(&["sh", "-c", "read x"]).record;
    let gate = home.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
    let ending = client.run(&["sh", "-c", &format!("read x < {}; exit 7", gate.display())]).record;
    let host = ending.host.clone().expect("a host").pid;
    daemon.crash();
    // It ends while nobody is there to see it.
    std::fs::write(&gate, "go\n").expect("let go");
    ended(host);
    for round in 0..50 {
        let daemon = Daemon::start(&home);
        let (mut client, _) = Client::connect(&home);
        let sessions = client.list();
        let find =
            |id| sessions.iter().find(|v| v.record.id == id).map(|v| v.record.clone()).expect("listed");
        let alive = find(lasting.id);
        assert_eq!(
            (alive.generation, alive.host.map(|h| h.pid)),
            (lasting.generation, lasting.host.clone().map(|h| h.pid))
        );
        let exit = find(ending.id).exit.unwrap_or_else(|| panic!("round {round}: no exit"));
        assert_eq!((exit.code, exit.cause.as_str()), (Some(7), "own"));
        daemon.crash();
    }
}

#[test]
fn a_killed_host_is_a_failed_session_and_its_child_is_ended() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    // A child that does not care for its terminal's end.
    let argv = ["sh", "-c", "trap '' HUP; while :; do read x || sleep 1000; done"];
    let seen = client.run(&argv).record;
    let unseen = client.run(&argv).record;
    let kill = |record: &abide::core::record::Record| {
        let host = record.host.clone().expect("a host");
        crate::support::signal(host.pid, nix::sys::signal::Signal::SIGKILL);
        host.child_pid
    };
    let child = kill(&seen);
    let id = seen.id.to_string();
    let lost = client.get(Command::Wait { target: id, states: vec!["failed".into()] });
    let Reply::Session { session } = lost else { panic!("{lost:?}") };
    assert_eq!(session.record.exit.expect("an exit").cause, "host-lost");
    ended(child);
    // And where nobody was watching.
    daemon.crash();
    kill(&unseen);
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let found = client.list().into_iter().find(|v| v.record.id == unseen.id).expect("listed");
    assert_eq!(found.record.state, State::Failed, "{:?}", found.record.exit);
}

/// A host that hangs (here: is halted) answers nobody. It is forced in the end, its child goes with it, and neither
/// stalls another session or a later supervisor.
#[test]
fn a_host_that_hangs_stalls_nobody_and_is_forced() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let hanging = client.run(&["sh", "-c", "trap '' HUP TERM; read x"]).record;
    let other = client.run(&["sh", "-c", "read x"]).record;
    let host = hanging.host.clone().expect("a host");
    crate::support::signal(host.pid, Signal::SIGSTOP);
    // Whoever adopts it cannot shake hands with it, and serves everybody else.
    daemon.crash();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let listed = client.list();
    let find = |id| listed.iter().find(|v| v.record.id == id).map(|v| v.record.clone()).expect("listed");
    let alive = |id| assert!(matches!(find(id).state, State::Working | State::Idle), "{:?}", find(id));
    [other.id, hanging.id].into_iter().for_each(alive);
    // It goes on where it was when it is let go.
    crate::support::signal(host.pid, Signal::SIGCONT);
    let stopped = Command::Stop { targets: vec![other.id.to_string()], all: false, grace_ms: Some(0) };
    assert!(matches!(client.get(stopped), Reply::Done { .. }));
    crate::support::signal(host.pid, Signal::SIGSTOP);
    let id = hanging.id.to_string();
    let stop = Command::Stop { targets: vec![id], all: false, grace_ms: Some(0) };
    let stopped = client.get(stop);
    assert!(matches!(stopped, Reply::Done { .. }), "{stopped:?}");
    ended(host.pid);
    ended(host.child_pid);
    drop(daemon);
}

#[test]
fn a_damaged_copy_is_set_aside_and_the_other_used() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let record = client.run(&["sh", "-c", "read x"]).record;
    client.get(Command::Quit);
    assert!(daemon.left());
    let paths = home.paths();
    let state = paths.job(&record.id.to_string()).join("state.json");
    let whole = std::fs::read(&state).expect("a record");
    type Damage<'a> = (&'a str, &'a Path, Vec<u8>);
    let cases: [Damage<'_>; 4] = [
        ("a truncated record", &state, whole[..whole.len() / 2].to_vec()),
        ("an empty record", &state, Vec::new()),
        ("a garbage roster", &paths.roster(), b"\0\x01garbage".to_vec()),
        ("a truncated roster", &paths.roster(), b"{\"version\": 1, \"sess".to_vec()),
    ];
    for (what, file, bytes) in cases {
        std::fs::write(file, &bytes).expect("damaged");
        let daemon = Daemon::start(&home);
        let (mut client, _) = Client::connect(&home);
        let sessions = client.list();
        assert_eq!(sessions.len(), 1, "{what}");
        assert_eq!(
            sessions[0].record.host.clone().map(|h| h.pid),
            record.host.clone().map(|h| h.pid),
            "{what}"
        );
        let name = file.file_name().expect("named").to_string_lossy().into_owned();
        let kept =
            std::fs::read_dir(file.parent().expect("a folder")).expect("a folder").flatten().any(|e| {
                let aside = e.file_name().to_string_lossy().starts_with(&format!("{name}.unreadable-"));
                aside && std::fs::read(e.path()).is_ok_and(|b| b == bytes)
            });
        assert!(kept, "{what} is kept for whoever wants to look");
        // A change, so that both copies are written anew.
        let id = record.id.to_string();
        client.get(Command::Pin { targets: vec![id], pinned: true });
        client.get(Command::Quit);
        assert!(daemon.left());
    }
}

#[test]
fn a_record_of_a_later_version_keeps_what_this_one_does_not_know() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let record = client.run(&["true"]).record;
    let id = record.id.to_string();
    client.get(Command::Wait { target: id.clone(), states: vec!["done".into()] });
    client.get(Command::Quit);
    assert!(daemon.left());
    let state = home.paths().job(&id).join("state.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&state).expect("read")).expect("JSON");
    json["future"] = serde_json::json!({"a": [1, 2]});
    json["revision"] = serde_json::json!(json["revision"].as_u64().expect("a number") + 1);
    std::fs::write(&state, serde_json::to_vec(&json).expect("JSON")).expect("written");
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let renamed = client.get(Command::Rename { target: id, name: "other".into() });
    assert!(!matches!(renamed, Reply::Error { .. }), "{renamed:?}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&state).expect("read")).expect("JSON");
    assert_eq!((&json["future"]["a"][1], json["name"].as_str()), (&serde_json::json!(2), Some("other")));
}

/// DESIGN's "the roster can be lost": both copies of the record are gone, and with them the folder.
#[test]
fn a_session_whose_record_is_lost_is_found_by_its_host() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let record = client.run(&["sh", "-c", "echo here; read x"]).record;
    let id = record.id.to_string();
    client.get(Command::Quit);
    assert!(daemon.left());
    let paths = home.paths();
    std::fs::remove_file(paths.roster()).expect("removed");
    std::fs::remove_file(paths.job(&id).join("state.json")).expect("removed");
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let sessions = client.list();
    let [found] = <[View; 1]>::try_from(sessions).expect("one");
    assert_eq!((found.record.id, found.record.host.map(|h| h.pid)), (record.id, record.host.map(|h| h.pid)));
    // It has a record again, which the next supervisor reads, and can be ended like any other.
    daemon.crash();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    until("a record again", || paths.job(&id).join("state.json").exists().then_some(()));
    let stopped = client.get(Command::Stop { targets: vec![id.clone()], all: false, grace_ms: None });
    assert!(matches!(stopped, Reply::Done { .. }), "{stopped:?}");
    let Reply::Session { session } = client.get(Command::Show { target: id }) else { panic!("shown") };
    assert_eq!(session.record.state, State::Stopped);
    home.hosts().into_iter().for_each(ended);
}
