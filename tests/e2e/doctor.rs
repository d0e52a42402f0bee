//! `abide doctor`, on this machine as it is.

use crate::support::{Home, Output, Stage, program};
use serde_json::Value;
use std::path::Path;

/// Its checks of this name: verdict and what was found.
fn checks<'a>(report: &'a Value, name: &str) -> Vec<(&'a str, &'a str)> {
    let all = report["checks"].as_array().expect("checks");
    let text = |check: &'a Value, key: &str| check[key].as_str().expect("text");
    all.iter().filter(|c| c["name"] == name).map(|c| (text(c, "verdict"), text(c, "found"))).collect()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e} in {output}"))
}

#[test]
fn doctor_looks_and_starts_or_makes_nothing() {
    let home = Home::new();
    let output = home.abide(["doctor", "--json"]);
    let report = parsed(&output);
    assert_eq!(output.status.code(), Some(0), "{output}");
    assert_ne!(report["verdict"], "fail");
    for name in ["service manager", "supervisor", "runtime folder", "state folder", "programs", "limits"] {
        assert_eq!(checks(&report, name).len(), 1, "{name} in {report}");
    }
    assert_eq!(home.supervisor(), None, "asking starts none");
    assert!(!home.paths().state.exists() && !home.paths().runtime.exists(), "nor makes folders");
    let events: Vec<&str> = report["forecast"]
        .as_array()
        .expect("a forecast")
        .iter()
        .filter_map(|f| f["event"].as_str())
        .collect();
    assert_eq!(
        events,
        ["terminal-close", "logout", "supervisor-crash", "upgrade", "low-memory", "sleep", "reboot"]
    );
    let manager = checks(&report, "service manager")[0].1;
    let named = match Stage::current() {
        Stage::Standalone => "none",
        Stage::Systemd => "systemd ",
    };
    assert!(manager.starts_with(named), "{manager}");
    let shown = home.abide(["doctor"]);
    assert!(shown.ok().contains("supervisor crash  live on"), "{shown}");
}

/// What it promises is what happens, and nobody else notices.
#[test]
fn doctor_proves_that_sessions_outlive_their_supervisor() {
    let home = Home::new();
    let other = home.session(["sleep", "1000"]);
    let before = home.list();
    let output = home.abide(["doctor", "--prove", "--json"]);
    let report = parsed(&output);
    let proof = report["proof"].as_array().expect("a proof");
    assert!(proof.len() == 7 && proof.iter().all(|step| step["done"] == true), "{report}");
    assert!(output.status.success(), "{output}");
    let after = home.list();
    assert_eq!(after.len(), 1, "its session is gone: {after:?}");
    assert_eq!((&after[0]["id"], &after[0]["pid"]), (&before[0]["id"], &before[0]["pid"]));
    assert_eq!(after[0]["id"], other.as_str());
    let left = std::fs::read_dir(home.paths().jobs()).expect("jobs").count();
    assert_eq!(left, 1, "and its files are, too");
    home.abide(["doctor", "--prove"]).ok();
}

#[test]
fn doctor_names_what_is_missing_and_fails() {
    let home = Home::new();
    let folder = home.path().join("half");
    std::fs::create_dir(&folder).expect("a folder");
    let half = |name: &str| {
        std::fs::copy(program(name), folder.join(name)).expect("a copy");
    };
    half("abide");
    half("abided");
    let mut command = home.command(folder.join("abide"));
    let output = crate::support::run(command.args(["doctor", "--json"]));
    assert_eq!(output.status.code(), Some(1), "{output}");
    let report = parsed(&output);
    let (verdict, found) = checks(&report, "programs")[0];
    assert!(verdict == "fail" && found.contains("abide-host is missing"), "{report}");
    // One of another architecture, as a shared home may have it.
    std::fs::write(folder.join("abide-host"), b"\x7fELF\x02\x01\x01 of no machine").expect("written");
    std::fs::set_permissions(folder.join("abide-host"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("chmod");
    let report = parsed(&crate::support::run(home.command(folder.join("abide")).args(["doctor", "--json"])));
    let (verdict, found) = checks(&report, "programs")[0];
    assert!(verdict == "fail" && found.contains("cannot be run"), "{report}");
}

#[test]
fn doctor_sees_a_supervisor_that_does_not_answer() {
    let home = Home::new();
    home.abide(["ls"]).ok();
    let report = parsed(&home.abide(["doctor", "--json"]));
    let (verdict, found) = checks(&report, "supervisor")[0];
    let pid = home.supervisor().expect("it runs");
    assert!(verdict == "ok" && found.contains(&format!("process {pid}")), "{found}");
    home.abide(["daemon", "stop"]).ok();
    // Somebody who holds the supervisor's lock and listens, and is none.
    let lock = std::fs::File::options().write(true).open(home.paths().daemon_lock()).expect("the lock");
    lock.lock().expect("it is free");
    let socket = home.paths().control_socket();
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bind");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("write");
        // Until the other side has had enough.
        _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let output = home.abide(["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output}");
    assert_eq!(checks(&parsed(&output), "supervisor")[0].0, "fail", "{output}");
    server.join().expect("server");
    assert!(Path::new(&socket).exists(), "what is there is left alone");
}
