//! Anything on the socket, and nothing at all.

use super::rig::Session;
use abide::wire::frame;
use abide::wire::host::{CURRENT, QUIET_MS, Refusal, Reply, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::io::{Read, Write};

fn refusal(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(why, _) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_bytes_on_the_socket_leave_the_session_alone() {
    let session = Session::new(&["cat"]);
    let kinds = prop_oneof![0u8..=0x0d, any::<u8>()];
    let frames = prop::collection::vec((kinds, prop::collection::vec(any::<u8>(), 0..40)), 0..20);
    let input = (any::<bool>(), frames, prop::collection::vec(any::<u8>(), 0..40));
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let tried = runner.run(&input, |(hello, frames, garbage)| {
        let mut stream = session.connect_silently().stream;
        let mut bytes = Vec::new();
        if hello {
            bytes.extend(Request::Hello { min: 1, max: CURRENT, build: String::new() }.frame());
        }
        for (kind, payload) in &frames {
            // Stop, and signals that end the program, are no garbage.
            if !matches!(kind, 0x03 | 0x0a | 0x0b) {
                frame::push(&mut bytes, *kind, payload);
            }
        }
        bytes.extend(garbage);
        // The host may close early, and that is what is tried.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
        Ok(())
    });
    tried.expect("no case fails");
    let mut link = session.attach(80, 24);
    link.input("alive\r");
    link.until_output(0, "alive\r\nalive\r\n");
}

#[test]
fn requests_out_of_place_are_refused_and_the_connection_goes_on() {
    let session = Session::new(&["cat"]);
    let mut link = session.connect_silently();
    assert_eq!(refusal(link.ask(&Request::Peek)), Refusal::State);
    let mut unknown = Vec::new();
    frame::push(&mut unknown, 0x7f, b"from the future");
    link.stream.write_all(&unknown).expect("write");
    assert_eq!(refusal(link.next()), Refusal::Unknown);
    link.send(&Request::Hello { min: 1, max: 900, build: "newer".to_owned() });
    assert!(matches!(link.next(), Reply::Welcome(w) if w.version == CURRENT));
    for request in [
        Request::Hello { min: 1, max: 1, build: String::new() },
        Request::Input(b"x".to_vec()),
        Request::Resize { cols: 1, rows: 1 },
        Request::Detach,
    ] {
        assert_eq!(refusal(link.ask(&request)), Refusal::State, "{request:?}");
    }
    assert!(matches!(link.ask(&Request::Follow), Reply::Following { offset: 0 }));
    assert_eq!(refusal(link.ask(&Request::Watch)), Refusal::State);
    let mut newer = session.connect_silently();
    assert_eq!(
        refusal(newer.ask(&Request::Hello { min: 900, max: 901, build: String::new() })),
        Refusal::Version
    );
    assert!(newer.try_next().is_none(), "there is nothing to say to it");
}

#[test]
fn a_connection_that_never_says_hello_is_cut_off() {
    let session = Session::new(&["cat"]);
    let mut link = session.connect_silently();
    let endless = frame::header(0x01, 100_000);
    link.stream.write_all(&endless).expect("write");
    let _ = link.stream.write_all(&[b'x'; 50_000]);
    assert!(link.try_next().is_none());
}

#[test]
fn a_client_that_asks_and_never_listens_is_no_burden() {
    let session = Session::new(&["cat"]);
    let mut deaf = session.connect();
    deaf.stream.set_nonblocking(true).expect("nonblocking");
    let question = Request::Peek.frame().repeat(1000);
    // Until neither side's buffers take any more.
    for _ in 0..1000 {
        if deaf.stream.write_all(&question).is_err() {
            break;
        }
    }
    let mut link = session.attach(80, 24);
    link.input("alive\r");
    link.until_output(0, "alive\r\nalive\r\n");
    let status = std::fs::read_to_string(format!("/proc/{}/status", session.host_pid())).expect("status");
    let rss = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).expect("a line");
    let kib: u64 = rss.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 16 << 10, "{kib} KiB held for it");
}

/// How often a process went to sleep so far.
fn sleeps(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")).expect("a line");
    line.trim().parse().expect("a number")
}

#[test]
fn an_idle_host_never_wakes_up() {
    let session = Session::new(&["sh", "-c", "seq 1 1000; exec cat"]);
    let (mut watcher, _) = session.watch();
    // The watcher is told when the session falls silent, QUIET_MS after its last output, and that is the host's last
    // deadline: from then on it can only be woken by somebody.
    let quiet = watcher.status(|s| !s.active && s.offset > 0);
    assert_eq!(quiet.offset, (1..=1000_u32).map(|n| n.to_string().len() as u64 + 2).sum::<u64>());
    let asleep = crate::support::until("a host that sleeps", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", session.host_pid())).expect("stat");
        stat.rsplit(')').next().expect("fields").starts_with(" S").then(|| sleeps(session.host_pid()))
    });
    // Another session lives through one whole such period: longer than any deadline that a host has.
    let other = Session::new(&["sh", "-c", "echo one; exec cat"]);
    let (mut clock, _) = other.watch();
    let begun = std::time::Instant::now();
    clock.status(|s| !s.active && s.offset > 0);
    assert!(begun.elapsed().as_millis() as u64 + 1000 > QUIET_MS, "the period is what it is said to be");
    assert_eq!(sleeps(session.host_pid()), asleep, "it slept all through");
}
