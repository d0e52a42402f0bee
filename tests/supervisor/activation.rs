//! Coming and going: a socket handed over by a service manager, and leaving when nothing is needed.

use super::raw::{Client, Daemon};
use crate::support::{Home, PATIENCE, ended, program};
use abide::core::action::Reply;
use abide::core::event::Command;
use abide::core::record::Origin;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn settings(home: &Home, text: &str) {
    let file = home.paths().config_file();
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("mkdir");
    std::fs::write(file, text).expect("written");
}

/// Starts `abided` as systemd would: with the listening socket as descriptor 3.
fn activate(home: &Home, socket: &OwnedFd) -> Child {
    let raw = socket.as_raw_fd();
    let mut command = home.command("sh");
    // The shell is replaced, so its process id is the supervisor's.
    command
        .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=control exec \"$0\""])
        .arg(program("abided"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: one system call on plain numbers, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            // Either of the two leaves it open for the program.
            let done = if raw == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(raw, 3) };
            if done == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        });
    }
    command.spawn().expect("started")
}

#[test]
fn a_socket_that_was_handed_over_is_served_and_left_as_it_is() {
    let home = Home::new();
    settings(&home, "idle_exit = '1ms'\n");
    home.paths().prepare().expect("folders");
    let path = home.paths().control_socket();
    let socket = OwnedFd::from(UnixListener::bind(&path).expect("bound"));
    let mut pids = BTreeSet::new();
    for _ in 0..2 {
        // The client is there first: its connection waits in the socket's queue.
        let waiting = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                let (mut client, welcome) = Client::connect(&home);
                let Reply::Daemon { origin, .. } = client.get(Command::Daemon) else {
                    panic!("about itself")
                };
                assert_eq!(origin, Origin::Service);
                welcome.pid
            });
            let mut supervisor = activate(&home, &socket);
            let pid = client.join().expect("answered");
            assert_eq!(pid, supervisor.id());
            // Nothing needs it any more: it leaves by itself, and the socket stays.
            ended(pid);
            assert!(supervisor.wait().expect("waited").success());
            pid
        });
        pids.insert(waiting);
        assert!(path.exists());
    }
    assert_eq!(pids.len(), 2);
}

#[test]
fn a_managers_socket_takes_over_from_a_supervisor_that_has_lost_its_name() {
    let home = Home::new();
    let first = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let record = client.run(&["sh", "-c", "read x"]).record;
    // A manager that begins to listen replaces what has the name.
    let path = home.paths().control_socket();
    std::fs::remove_file(&path).expect("removed");
    let socket = OwnedFd::from(UnixListener::bind(&path).expect("bound"));
    let mut second = activate(&home, &socket);
    let (mut client, welcome) = Client::connect(&home);
    assert_eq!(welcome.pid, second.id());
    assert!(first.left());
    let sessions = client.list();
    assert_eq!((sessions.len(), sessions[0].record.id), (1, record.id));
    assert_eq!(home.hosts(), [record.host.expect("a host").pid]);
    client.get(Command::Quit);
    assert!(second.wait().expect("waited").success());
}

#[test]
fn a_socket_of_somebody_else_is_refused() {
    let home = Home::new();
    home.paths().prepare().expect("folders");
    let other = OwnedFd::from(UnixListener::bind(home.path().join("other.sock")).expect("bound"));
    let mut supervisor = activate(&home, &other);
    ended(supervisor.id());
    assert!(!supervisor.wait().expect("waited").success());
}

#[test]
fn whoever_connects_while_it_leaves_is_answered() {
    let home = Home::new();
    settings(&home, "idle_exit = '1ms'\n");
    home.paths().prepare().expect("folders");
    // 10,000 in the slow tier.
    let wanted: u32 = std::env::var("ABIDE_TEST_RACES").map_or(300, |n| n.parse().expect("a number"));
    let (daemons, pids, calls) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()), AtomicU32::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // It leaves a millisecond after its last client: the pauses lie around that.
                let mut pauses = (0..40).map(|n| Duration::from_micros(n * 75)).cycle();
                while pids.lock().expect("unpoisoned").len() < 4 || calls.load(Ordering::Relaxed) < wanted {
                    assert!(start.elapsed() < PATIENCE * (1 + wanted / 300), "it never left");
                    std::thread::park_timeout(pauses.next().expect("endless"));
                    let Ok(mut client) = Client::dial(&home) else {
                        // One at a time starts a supervisor, as clients do.
                        let mut daemons = daemons.lock().expect("unpoisoned");
                        if Client::dial(&home).is_err() {
                            daemons.push(Daemon::start(&home));
                        }
                        continue;
                    };
                    // The connection was made: from here on there must be an answer.
                    let hello =
                        abide::wire::control::Hello { min: 1, max: 1, build: "test".into(), start: None };
                    client.put(abide::wire::control::HELLO, &hello).expect("accepted");
                    let (_, payload) = client.next().expect("answered");
                    let welcome: abide::wire::control::Welcome =
                        serde_json::from_slice(&payload).expect("a welcome");
                    pids.lock().expect("unpoisoned").insert(welcome.pid);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
}

#[test]
fn a_live_session_keeps_it_and_its_end_lets_it_go() {
    let home = Home::new();
    settings(&home, "idle_exit = '1ms'\nunknown = 1\nscrollback = 'many'\n");
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let id = client.run(&["sh", "-c", "read x"]).record.id.to_string();
    let Reply::Daemon { live, .. } = client.get(Command::Daemon) else { panic!("about itself") };
    assert_eq!(live, 1);
    client.get(Command::Stop { targets: vec![id], all: false, grace_ms: None });
    drop(client);
    assert!(daemon.left());
    let log = std::fs::read_to_string(home.paths().log()).expect("a log");
    assert!(log.contains("line 2: unknown key \"unknown\"") && log.contains("line 3: scrollback"), "{log}");
}

#[test]
fn a_polite_signal_ends_the_supervisor_and_no_session() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let record = client.run(&["sh", "-c", "read x"]).record;
    crate::support::signal(daemon.pid(), nix::sys::signal::Signal::SIGHUP);
    assert_eq!(client.list().len(), 1, "SIGHUP ends nothing");
    crate::support::signal(daemon.pid(), nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.left());
    assert_eq!(home.hosts(), [record.host.expect("a host").pid]);
}
