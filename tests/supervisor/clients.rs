//! Clients of all kinds: proper ones, those of other versions and users, and those that misbehave.

use super::raw::{Client, Daemon, context, spec};
use crate::support::{Home, become_another_user, ended, until};
use abide::core::action::{ErrorKind, Reply};
use abide::core::event::Command;
use abide::wire::control::{self, Hello};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

fn refusal(client: &mut Client) -> (ErrorKind, String) {
    match client.answer().expect("an answer").reply {
        Reply::Error { kind, message, .. } => (kind, message),
        other => panic!("no refusal: {other:?}"),
    }
}

fn is_closed(client: &mut Client) -> bool {
    client.next().is_err_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof)
}

#[test]
fn a_handshake_says_who_answers() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, welcome) = Client::connect(&home);
    assert_eq!((welcome.version, welcome.pid), (control::CURRENT, daemon.pid()));
    assert!(client.list().is_empty());
    let sockets = ["abide.sock", "births.sock"].map(|name| home.paths().runtime.join(name));
    for path in sockets {
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn without_a_common_version_both_are_named() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut client = Client::dial(&home).expect("connected");
    let hello = Hello {
        min: control::CURRENT + 1,
        max: control::CURRENT + 3,
        build: "9.9\u{1b}[2J".into(),
        start: None,
    };
    client.put(control::HELLO, &hello).expect("sent");
    let (kind, message) = refusal(&mut client);
    assert_eq!(kind, ErrorKind::Failed);
    assert!(
        message.contains("abide 9.9[2J speaks protocol") && message.contains(abide::VERSION),
        "{message}"
    );
    assert!(is_closed(&mut client));
    // A later client that still speaks ours is served in ours.
    let mut later = Client::dial(&home).expect("connected");
    later
        .put(control::HELLO, &Hello { min: control::MIN, max: 99, build: "later".into(), start: None })
        .expect("sent");
    let (kind, payload) = later.next().expect("a welcome");
    assert_eq!(kind, control::WELCOME);
    let welcome: control::Welcome = serde_json::from_slice(&payload).expect("a welcome");
    assert_eq!(welcome.version, control::CURRENT);
}

#[test]
fn garbage_is_answered_where_that_is_possible_and_ends_nobody_else() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut other, _) = Client::connect(&home);

    let mut http = Client::dial(&home).expect("connected");
    http.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    assert_eq!(refusal(&mut http).0, ErrorKind::Usage);
    assert!(is_closed(&mut http));

    let mut early = Client::dial(&home).expect("connected");
    early.put(control::REQUEST, &"list").expect("sent");
    assert_eq!(refusal(&mut early).0, ErrorKind::Usage);
    assert!(is_closed(&mut early));

    let mut half = Client::dial(&home).expect("connected");
    half.stream.write_all(&[9, 0, 0]).expect("sent");
    drop(half);

    // After the handshake a request that is not understood is refused by its tag, and the connection goes on.
    let (mut client, _) = Client::connect(&home);
    client.put(control::REQUEST, &serde_json::json!({"tag": 77, "command": {"do": "dance"}})).expect("sent");
    let answer = client.answer().expect("an answer");
    assert!(answer.tag == 77 && answer.last && matches!(answer.reply, Reply::Error { .. }), "{answer:?}");
    client.put(200, &"what").expect("sent");
    assert_eq!(refusal(&mut client).0, ErrorKind::Usage);
    assert!(client.list().is_empty());
    assert!(other.list().is_empty());
}

#[test]
fn another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can be another user");
        return;
    }
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    // Once it answers, it has made and closed all of its folders.
    Client::connect(&home).0.list();
    // What keeps others away first is the folders' and the socket's mode; here only the peer check is left.
    let paths = home.paths();
    for folder in [home.path(), &paths.runtime] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).expect("chmod");
    }
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(paths.control_socket(), open).expect("chmod");
    let said = std::thread::scope(|scope| {
        let attempt = scope.spawn(|| {
            become_another_user();
            let mut client = Client::dial(&home).expect("connected");
            // The refusal may come before or after what we say.
            _ = client.put(control::HELLO, &Hello { min: 1, max: 1, build: "other".into(), start: None });
            let mut said = Vec::new();
            // A reset says the same as an end.
            _ = client.stream.read_to_end(&mut said);
            said
        });
        attempt.join().expect("joined")
    });
    assert_eq!(said, b"", "not a word to another user");
    // The log is written beside all else.
    until("the refusal in the log", || {
        let log = std::fs::read_to_string(paths.log()).expect("a log");
        (log.contains("refused a connection of another user") && log.contains("uid=65534")).then_some(())
    });
    Client::connect(&home).0.list();
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_stalls_nobody() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let bulk = "x".repeat(100_000);
    client.run(&["sh", "-c", "read x", "sh", &bulk]);

    let (mut slow, _) = Client::connect(&home);
    let asked =
        (0..200).take_while(|_| slow.ask(Command::List { all: true, cwd: None }, None).is_ok()).count();
    // Answers to others come all the while.
    for _ in 0..10 {
        assert_eq!(client.list().len(), 1);
    }
    let answered = std::iter::from_fn(|| slow.answer().ok()).count();
    assert!(answered < asked, "{answered} of {asked} answers were kept for a client that did not read");
    until("the reason in the log", || {
        let log = std::fs::read_to_string(home.paths().log()).expect("a log");
        log.contains("does not read its answers").then_some(())
    });
}

#[test]
fn what_a_client_asked_for_goes_on_without_it() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let spec = spec(&["sh", "-c", "read x"]);
    client.ask(Command::Run(spec.clone()), Some(context(&[]))).expect("asked");
    drop(client);
    // A repetition finds the same session.
    let (mut again, _) = Client::connect(&home);
    let Reply::Session { session } = again.try_run(spec, &[]) else { panic!("no session") };
    let sessions = again.list();
    assert_eq!((sessions.len(), sessions[0].record.id), (1, session.record.id));
    assert_eq!(home.hosts().len(), 1);
}

#[test]
fn a_second_supervisor_does_not_start() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let said = Daemon::try_start(&home).err().expect("refused");
    assert!(said.contains("runs already") && said.contains(&daemon.pid().to_string()), "{said}");
}

#[test]
fn a_quit_is_answered_and_ends_no_session() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    client.run(&["sh", "-c", "read x"]);
    assert!(matches!(client.get(Command::Quit), Reply::Done { .. }));
    assert!(daemon.left());
    assert!(!home.paths().control_socket().exists(), "nobody is misled by a dead socket");
    assert_eq!(home.hosts().len(), 1);
    let hosts = home.hosts();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let stopped = client.get(Command::Stop { targets: Vec::new(), all: true, grace_ms: None });
    assert!(matches!(stopped, Reply::Done { sessions } if sessions.len() == 1));
    hosts.into_iter().for_each(ended);
}

/// A supervisor of a distant version: it holds the lock, and speaks a protocol that nobody here knows.
#[test]
fn one_that_speaks_no_common_protocol_is_told_apart_and_can_be_stopped() {
    use abide::wire::frame;
    let home = Home::new();
    home.paths().prepare().expect("folders");
    let listener = std::os::unix::net::UnixListener::bind(home.paths().control_socket()).expect("bound");
    let lock = home.paths().daemon_lock();
    let named = home.path().join("abided");
    std::fs::copy("/bin/sleep", &named).expect("a program of that name");
    let mut command = home.command("flock");
    command.args(["--no-fork".as_ref(), lock.as_os_str(), named.as_os_str(), "1000".as_ref()]);
    let mut holder = command.spawn().expect("flock");
    crate::support::until("the lock", || abide::sys::locks::is_held(&lock).then_some(()));
    std::fs::write(&lock, format!("{}\n", holder.id())).expect("written");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                let (mut client, _) = listener.accept().expect("a client");
                let mut hello = [0; 4096];
                assert!(client.read(&mut hello).expect("a hello") > 0);
                let welcome = br#"{"version": 99, "build": "99.0.0", "pid": 1}"#;
                let mut answer = Vec::new();
                frame::push(&mut answer, control::WELCOME, welcome);
                client.write_all(&answer).expect("answered");
            }
        });
        let failed = home.abide(["ls"]);
        let said = failed.fails(5);
        assert!(said.contains("99.0.0") && said.contains("`abide daemon stop`"), "{said}");
        let stopped = home.abide(["daemon", "stop"]);
        assert!(stopped.ok().contains(&format!("stopped the supervisor (pid {})", holder.id())), "{stopped}");
    });
    let status = holder.wait().expect("waited");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "politely");
}
