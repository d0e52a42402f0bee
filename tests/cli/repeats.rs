//! Supervisors that die in the middle of a request, and such as do not suit: commands repeat themselves, or say so.

use crate::support::Home;
use abide::core::action::Reply;
use abide::core::event::Command;
use abide::wire::control::{ANSWER, Answer, CURRENT, Request, WELCOME, Welcome};
use abide::wire::frame::{self, Inbox};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

/// A supervisor's socket, for a test to play the supervisor on.
fn stage(home: &Home) -> UnixListener {
    let paths = home.paths();
    paths.prepare().expect("folders");
    UnixListener::bind(paths.control_socket()).expect("bind")
}

/// The next frame of a client.
fn receive(stream: &mut UnixStream, inbox: &mut Inbox) -> Vec<u8> {
    let mut buffer = [0; 4096];
    loop {
        if let Some((_, payload)) = inbox.next_frame().expect("frames") {
            return payload.to_vec();
        }
        let n = stream.read(&mut buffer).expect("read");
        assert!(n > 0, "the client went away");
        inbox.extend(&buffer[..n]);
    }
}

fn send(stream: &mut UnixStream, kind: u8, message: &impl serde::Serialize) {
    let mut out = Vec::new();
    frame::push(&mut out, kind, &serde_json::to_vec(message).expect("JSON"));
    stream.write_all(&out).expect("write");
}

/// Takes a client's handshake and its request.
fn request(listener: &UnixListener, version: u16) -> (UnixStream, Request) {
    let (mut stream, _) = listener.accept().expect("accept");
    let mut inbox = Inbox::default();
    receive(&mut stream, &mut inbox);
    send(&mut stream, WELCOME, &Welcome { version, build: "0.0.0-test".into(), pid: 1 });
    let request = receive(&mut stream, &mut inbox);
    (stream, serde_json::from_slice(&request).expect("a request"))
}

#[test]
fn a_request_that_broke_is_repeated_as_the_same_request() {
    let home = Home::new();
    let listener = stage(&home);
    let supervisor = std::thread::spawn(move || {
        let mut ids = Vec::new();
        loop {
            let (mut stream, Request { tag, command, context }) = request(&listener, CURRENT);
            assert!(context.is_some(), "every repetition brings the environment");
            let Command::Run(spec) = command else { panic!("{command:?}") };
            ids.push(spec.request);
            if ids.len() == 4 {
                let kind = abide::core::action::ErrorKind::Failed;
                let reply = Reply::Error { kind, message: "enough".into(), hint: String::new() };
                send(&mut stream, ANSWER, &Answer { tag, last: true, reply });
                return ids;
            }
        }
    });
    let output = home.abide(["run", "--", "true"]);
    assert!(output.fails(1).contains("enough"), "{output}");
    let ids = supervisor.join().expect("the supervisor");
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 32), "{ids:?}");
}

#[test]
fn a_supervisor_that_always_dies_is_given_up() {
    let home = Home::new();
    let listener = stage(&home);
    // For as long as anybody asks: how often that is depends on how fast this machine is just now.
    std::thread::spawn(move || {
        loop {
            drop(request(&listener, CURRENT));
        }
    });
    let output = home.abide(["ls"]);
    output.fails(5);
    assert!(output.stderr.contains("went away") && output.stderr.contains("hint:"), "{output}");
}

#[test]
fn another_protocol_version_is_told_with_both_builds() {
    let home = Home::new();
    let listener = stage(&home);
    let supervisor = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        receive(&mut stream, &mut Inbox::default());
        send(&mut stream, WELCOME, &Welcome { version: CURRENT + 1, build: "9.9.9".into(), pid: 1 });
        // Until the client has understood.
        let _ = stream.read(&mut [0; 16]);
    });
    let output = home.abide(["ls"]);
    let error = output.fails(5);
    assert!(error.contains("9.9.9") && error.contains(abide::VERSION), "{output}");
    assert!(error.contains("abide daemon stop"), "{output}");
    supervisor.join().expect("the supervisor");
}

#[test]
fn who_waits_and_who_follows_outlast_supervisors() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    let piped = |args: &[&str]| {
        home.abide_command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("abide")
    };
    let wait = piped(&["wait", &id, "--for", "stopped"]);
    let mut follow = piped(&["events", "--follow", "--json", &id]);
    for _ in 0..5 {
        home.abide(["ls"]).ok();
        home.kill_supervisor();
    }
    home.abide(["stop", "--grace", "0s", &id]).ok();
    let waited = wait.wait_with_output().expect("its end");
    assert!(waited.status.success(), "{waited:?}");
    assert_eq!(waited.stdout, b"stopped\n");
    // Every event once, in order, up to the last one that a fresh look knows.
    let known = home.abide(["events", "--json", &id]).ok().to_owned();
    let mut seen = vec![0; known.len()];
    follow.stdout.as_mut().expect("piped").read_exact(&mut seen).expect("as much");
    assert_eq!(String::from_utf8(seen).expect("UTF-8"), known);
    follow.kill().expect("kill");
    follow.wait().expect("wait");
}
