//! What happens at the same time.

use crate::support::{Home, Output, until};
use std::collections::BTreeSet;

#[test]
fn of_twenty_first_commands_one_starts_the_supervisor() {
    let home = Home::new();
    assert_eq!(home.supervisor(), None, "none before the first command");
    let pids: BTreeSet<String> = std::thread::scope(|scope| {
        let first = |_| {
            let home = &home;
            scope.spawn(move || {
                home.abide(["ls"]).ok();
                home.abide(["daemon", "status", "--json"]).json()["pid"].to_string()
            })
        };
        let all: Vec<_> = (0..20).map(first).collect();
        all.into_iter().map(|t| t.join().expect("a command")).collect()
    });
    assert_eq!(pids.len(), 1, "one supervisor answered all: {pids:?}");
    let started = home.abide(["events", "--json"]);
    let starts = started.ok().lines().filter(|l| l.contains("supervisor-start")).count();
    assert!(starts <= 1, "{started}");
}

#[test]
fn a_stop_is_never_undone_by_a_respawn_that_races_it() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    for round in 0..10 {
        std::thread::scope(|scope| {
            let respawns = scope.spawn(|| home.abide(["respawn", &id]));
            let stops = scope.spawn(|| home.abide(["stop", &id, "--grace", "0s"]));
            if round % 3 == 2 {
                home.kill_supervisor();
            }
            // Which of them comes last is open; a respawn that comes second may succeed.
            let (respawned, stopped) = (respawns.join().expect("respawn"), stops.join().expect("stop"));
            if round % 3 != 2 {
                stopped.ok();
                the_later_one_counts(&home, &id, &respawned);
            }
        });
        // Whatever the race came to: from here on it is stopped, whoever is still on the way.
        home.abide(["stop", &id, "--grace", "0s"]).ok();
        home.abide(["wait", &id, "--for", "stopped"]).ok();
        home.kill_supervisor();
        let session = home.list().into_iter().find(|s| s["id"] == id.as_str()).expect("listed");
        assert_eq!(session["state"], "stopped", "round {round}");
        until("no host is left", || home.hosts().is_empty().then_some(()));
        home.abide(["respawn", &id]).ok();
    }
}

/// The requests of one supervisor are numbered in the order in which they were taken up.
fn the_later_one_counts(home: &Home, id: &str, respawned: &Output) {
    let events = home.abide(["events", "--json"]);
    let of_this_one: Vec<&str> =
        events.ok().lines().rev().take_while(|l| !l.contains("\"supervisor-started\"")).collect();
    let asked = |verb: &str| -> Option<u64> {
        let of = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("an entry");
            let by = entry["by"].as_str().unwrap_or_default().starts_with(&format!("abide {verb} "));
            let request = entry["request"].as_str().and_then(|n| n.parse().ok());
            request.filter(|_| by && entry["id"] == id)
        };
        of_this_one.iter().copied().filter_map(of).max()
    };
    let state = || home.list().into_iter().find(|s| s["id"] == id).expect("listed")["state"].clone();
    if asked("stop") > asked("respawn") {
        assert_eq!((state(), home.hosts().len()), ("stopped".into(), 0), "the stop came last: {events}");
    } else {
        respawned.ok();
        assert_eq!((state(), home.hosts().len()), ("working".into(), 1), "the respawn came last: {events}");
    }
}

/// What has just left may still hold the name of its unit, or of its socket.
#[test]
fn every_call_after_the_supervisor_was_stopped_is_answered() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    for round in 0..30 {
        home.abide(["daemon", "stop"]).ok();
        // Somewhere in the time that a service manager takes to let go of it.
        std::thread::park_timeout(std::time::Duration::from_millis(round % 10));
        assert_eq!(home.list()[0]["id"], id.as_str(), "round {round}");
    }
}

#[test]
fn lines_typed_by_many_at_once_arrive_whole_and_once() {
    let home = Home::new();
    // Without the terminal's echo, which would come between the lines that the program writes.
    let id = home.session(["sh", "-c", "stty -echo; echo ready; exec cat"]);
    until("the program", || home.abide(["logs", &id]).ok().contains("ready").then_some(()));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (home, id) = (&home, &id);
            scope.spawn(move || {
                for n in 0..10 {
                    home.abide(["send", id, &format!("writer {writer} line {n}")]).ok();
                }
            });
        }
    });
    home.abide(["send", "--keys", "--no-enter", &id, "\x04"]).ok();
    home.abide(["wait", &id]).ok();
    let log = home.abide(["logs", &id, "--plain"]);
    for writer in 0..4 {
        for n in 0..10 {
            let line = format!("writer {writer} line {n}");
            assert_eq!(log.ok().lines().filter(|l| *l == line).count(), 1, "{line:?} in {log}");
        }
    }
}
