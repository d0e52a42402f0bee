//! What is registered, as commands list it.

use crate::support::{Home, signal, until};
use abide::core::record::{Instance, Kind};
use abide::core::registry::{Entry, Key, Patch, Status};
use abide::registry::Registry;
use abide::sys::process::start_time;
use nix::sys::signal::Signal;
use serde_json::Value;

fn me() -> Instance {
    Instance { pid: std::process::id(), start: start_time(std::process::id()) }
}

fn ps(home: &Home) -> Vec<Value> {
    home.abide(["ps", "--json"]).json().as_array().expect("an array").clone()
}

fn live(home: &Home) -> Vec<Entry> {
    Registry::of(&home.paths()).live().expect("counted")
}

/// Waits until what is registered is as asked for.
fn registered(home: &Home, what: &str, is: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
    until(what, || Some(live(home)).filter(|entries| is(entries)))
}

#[test]
fn a_session_of_abide_is_registered_while_it_lives() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "read line; exec sleep 1000"]);
    let entries = registered(&home, "its registration", |e| e.len() == 1);
    let [listed] = &home.list()[..] else { panic!("one session") };
    let entry = &entries[0];
    assert_eq!(Value::from(entry.process.pid), listed["pid"]);
    assert_eq!((entry.kind(), entry.text(Key::Name)), (Some(Kind::Bg), listed["name"].as_str()));
    let log = home.path().join("state/jobs").join(&id).join("output.log");
    assert_eq!(entry.text(Key::LogPath), log.to_str());
    home.abide(["rename", &id, "another"]).ok();
    registered(&home, "its name", |e| e.len() == 1 && e[0].text(Key::Name) == Some("another"));

    // Its agent's hook registers the same process: one session, with what both say.
    let hook = Patch::new().text(Key::SessionId, "conversation").status(Status::Waiting, Some("dialog open"));
    Registry::of(&home.paths()).register(&Entry::new(entry.process, &hook)).expect("registered");
    let both = live(&home);
    assert_eq!((both.len(), both[0].text(Key::SessionId)), (1, Some("conversation")));
    assert_eq!(both[0].text(Key::LogPath), log.to_str());
    assert_eq!(ps(&home).len(), 1);

    home.abide(["stop", &id]).ok();
    registered(&home, "its end", <[Entry]>::is_empty);
    until("its file to go", || {
        let left = std::fs::read_dir(home.path().join("state/sessions")).expect("list").count();
        (left == 1).then_some(())
    });
}

#[test]
fn a_restarted_session_is_registered_with_its_new_process() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    let before = registered(&home, "its registration", |e| e.len() == 1);
    home.abide(["respawn", &id]).ok();
    let after = registered(&home, "its new process", |e| e.len() == 1 && e[0].process != before[0].process);
    assert_eq!(after[0].text(Key::LogPath), before[0].text(Key::LogPath));
}

#[test]
fn ones_own_sessions_are_listed_beside_those_of_abide() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    let patch = Patch::new()
        .kind(Kind::Interactive)
        .text(Key::Agent, "claude")
        .text(Key::Name, "mine\u{1b}[2J")
        .text(Key::SessionId, "33333333-3333-4333-8333-333333333333")
        .text(Key::Cwd, "/repo/r1")
        .time(Key::StartedAt, 1_795_219_257_165)
        .status(Status::Waiting, Some("permission prompt"));
    Registry::of(&home.paths()).register(&Entry::new(me(), &patch)).expect("registered");
    let [ours, mine] = &ps(&home)[..] else { panic!("two sessions") };
    assert_eq!((&ours["id"], &ours["kind"]), (&id.clone().into(), &"background".into()));
    for (field, value) in [
        ("kind", Value::from("interactive")),
        ("pid", me().pid.into()),
        ("sessionId", "33333333-3333-4333-8333-333333333333".into()),
        ("name", "mine\u{1b}[2J".into()),
        ("cwd", "/repo/r1".into()),
        ("startedAt", 1_795_219_257_165_u64.into()),
        ("status", "waiting".into()),
        ("waitingFor", "permission prompt".into()),
        ("id", Value::Null),
        ("state", Value::Null),
    ] {
        assert_eq!(mine[field], value, "{field}");
    }
    assert_eq!(mine["abide"]["agent"], "claude");
    // The other lists: one for tools that know it from agents, and one of abide's own.
    assert_eq!(home.abide(["agents", "--json"]).json().as_array().expect("an array").len(), 2);
    assert_eq!(home.list().len(), 1);
    let below =
        |dir: &str| home.abide(["ps", "--json", "--cwd", dir]).json().as_array().expect("an array").len();
    assert_eq!([below("/repo"), below("/repo/r1"), below("/repo/r")], [1, 1, 0]);
    let table = home.abide(["ps"]);
    let line = table.ok().lines().find(|line| line.contains("mine")).expect("a line");
    assert!(line.contains(&me().pid.to_string()) && line.contains("permission prompt"), "{line}");
    assert!(line.contains("blocked") && !table.ok().contains('\u{1b}'), "{line}");
}

/// Everything of abide is killed: nobody takes the files away, and nobody is counted.
#[test]
fn what_was_killed_with_everything_is_not_counted() {
    let home = Home::new();
    home.session(["sleep", "1000"]);
    let entries = registered(&home, "its registration", |e| e.len() == 1);
    let [listed] = &home.list()[..] else { panic!("one session") };
    let host = listed["abide"]["hostPid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a host");
    let daemon = home.abide(["daemon", "status", "--json"]).json()["pid"].as_u64().expect("a supervisor");
    let daemon = u32::try_from(daemon).expect("a process id");
    for pid in [daemon, host, entries[0].process.pid] {
        signal(pid, Signal::SIGKILL);
        crate::support::ended(pid);
    }
    let folder = home.path().join("state/sessions");
    assert_eq!(std::fs::read_dir(&folder).expect("list").count(), 2, "the lock and the file");
    assert!(live(&home).is_empty());
    assert_eq!(std::fs::read_dir(&folder).expect("list").count(), 1, "swept");
}
