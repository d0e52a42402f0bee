//! Bad input and bad luck: a clear error, and nothing lost.

use crate::support::{Home, Output, run, until};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

/// The error is one that a person can act on: it names what it is about, in one or few lines, and no panic.
#[track_caller]
fn tells(output: &Output, code: i32, about: &str) {
    let said = output.fails(code);
    assert!(said.contains(about), "{about:?} in {output}");
    assert!(!said.contains("panicked") && said.lines().count() <= 6, "{output}");
    assert!(said.starts_with("error: "), "{output}");
}

#[test]
fn a_session_that_is_not_there_is_exit_code_three() {
    let home = Home::new();
    home.session(["true"]);
    for command in ["peek", "logs", "stop", "respawn", "rm", "why", "show", "wait"] {
        tells(&home.abide([command, "nosuch"]), 3, "nosuch");
    }
    tells(&home.abide(["send", "nosuch", "text"]), 3, "nosuch");
    tells(&home.abide(["rename", "nosuch", "other"]), 3, "nosuch");
}

#[test]
fn an_ambiguous_prefix_names_those_that_it_could_be() {
    let home = Home::new();
    let mut ids: Vec<String> = Vec::new();
    // With 17 ids two share their first digit.
    let (one, other) = loop {
        let id = home.session(["true"]);
        if let Some(twin) = ids.iter().find(|i| i[..1] == id[..1]) {
            break (twin.clone(), id);
        }
        ids.push(id);
    };
    let said = home.abide(["show", &one[..1]]);
    tells(&said, 3, &one);
    tells(&said, 3, &other);
}

#[test]
fn a_command_that_cannot_run_leaves_no_record() {
    let home = Home::new();
    let file = home.path().join("user/plain");
    std::fs::write(&file, "no program").expect("a file");
    for (argv, about) in [("nosuch-program", "nosuch-program"), ("./plain", "./plain"), ("/", "/")] {
        tells(&home.abide(["run", "--", argv]), 1, about);
    }
    assert_eq!(home.list(), Vec::<serde_json::Value>::new());
    let jobs = std::fs::read_dir(home.paths().jobs()).map_or(0, Iterator::count);
    assert_eq!(jobs, 0, "no folder is left");
    until("the end of the hosts, which report before they go", || home.hosts().is_empty().then_some(()));
}

#[test]
fn a_folder_that_is_missing_or_closed_is_named() {
    let home = Home::new();
    let run_in = |folder: &str| home.abide(["run", "--cwd", folder, "--", "true"]);
    tells(&run_in("/nosuch/folder"), 2, "/nosuch/folder");
    let file = home.path().join("file");
    std::fs::write(&file, "").expect("a file");
    tells(&run_in(file.to_str().expect("UTF-8")), 2, "file");
    let closed = home.path().join("closed");
    std::fs::create_dir(&closed).expect("a folder");
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).expect("chmod");
    if !nix::unistd::geteuid().is_root() {
        tells(&run_in(closed.to_str().expect("UTF-8")), 2, "closed");
    }
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).expect("chmod");
    assert_eq!(home.list(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_command_line_that_is_wrong_is_exit_code_two() {
    let home = Home::new();
    for line in [
        &["run"][..],
        &["nosuch-command"],
        &["run", "--env", "A=secret", "--", "true"],
        &["wait", "x", "--for", "nosuch-state"],
        &["logs", "x", "--since", "minus one"],
        &["attach", "x"],
    ] {
        let said = home.abide(line);
        assert!(!said.fails(2).is_empty(), "{said}");
        assert!(!said.stderr.contains("secret"), "{said}");
    }
    assert_eq!(home.supervisor(), None, "none was started for that");
}

#[test]
fn a_socket_path_that_is_too_long_is_said_before_anything_is_made() {
    let home = Home::new();
    let long = home.path().join("x".repeat(120));
    let mut command = home.abide_command(["run", "--", "true"]);
    let said = run(command.env("ABIDE_HOME", &long));
    assert!(said.status.code().is_some_and(|c| c == 5 || c == 1), "{said}");
    assert!(said.stderr.contains("long"), "{said}");
}

/// Whatever is in the roster: sessions are found again by their own records, and the file is kept aside.
#[test]
fn a_damaged_roster_loses_nothing() {
    let home = Home::new();
    let live = home.session(["sleep", "1000"]);
    let ended = home.session(["true"]);
    home.abide(["wait", &ended]).ok();
    let roster = home.paths().roster();
    let whole = until("a roster", || std::fs::read(&roster).ok());
    let newer = {
        let mut value: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
        value["version"] = 999.into();
        value["sessions"] = serde_json::json!({"in": "a form of tomorrow"});
        value.to_string().into_bytes()
    };
    for (kind, bytes) in [
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("garbage", b"\x00\xff garbage".repeat(100)),
        ("newer", newer),
    ] {
        home.kill_supervisor();
        let before = aside(&home);
        std::fs::write(&roster, &bytes).expect("a damaged roster");
        let ids: Vec<_> = home.list().iter().map(|s| s["id"].clone()).collect();
        assert!(
            ids.contains(&live.as_str().into()) && ids.contains(&ended.as_str().into()),
            "{kind}: {ids:?}"
        );
        let after = aside(&home);
        assert_eq!(after.len(), before.len() + 1, "{kind}");
        assert!(after.contains(&bytes), "{kind}: kept as it was");
    }
    assert_eq!(home.hosts().len(), 1);
    home.abide(["send", &live, "x"]).ok();
}

/// What was set aside of the roster.
fn aside(home: &Home) -> Vec<Vec<u8>> {
    let names = std::fs::read_dir(&home.paths().state).expect("the state folder").flatten();
    let aside = names.filter(|e| e.file_name().to_string_lossy().starts_with("roster.json.unreadable"));
    aside.map(|e| std::fs::read(e.path()).expect("a file")).collect()
}

#[test]
fn a_damaged_record_is_set_aside_and_the_others_stay() {
    let home = Home::new();
    let good = home.session(["sleep", "1000"]);
    let bad = home.session(["sleep", "1000"]);
    home.kill_supervisor();
    let record = home.paths().job(&bad).join("state.json");
    std::fs::write(&record, "{\"version\": 1, \"id\"").expect("a damaged record");
    let list = home.list();
    assert!(list.iter().any(|s| s["id"] == good.as_str()), "{list:?}");
    // The roster has the other copy of it, and its host is alive.
    assert!(list.iter().any(|s| s["id"] == bad.as_str()), "{list:?}");
    let aside = record.with_file_name("state.json.unreadable-1");
    assert_eq!(std::fs::read_to_string(aside).expect("set aside"), "{\"version\": 1, \"id\"");
}

#[test]
fn keys_of_a_later_version_are_kept() {
    let home = Home::new();
    let id = home.session(["true"]);
    home.abide(["wait", &id]).ok();
    home.kill_supervisor();
    let record = home.paths().job(&id).join("state.json");
    let mut value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&record).expect("a record")).expect("JSON");
    value["aKeyOfTomorrow"] = serde_json::json!({"kept": [1, 2]});
    std::fs::write(&record, value.to_string()).expect("a record");
    home.abide(["rename", &id, "renamed"]).ok();
    home.abide(["daemon", "stop"]).ok();
    let value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&record).expect("a record")).expect("JSON");
    assert_eq!(value["name"], "renamed");
    assert_eq!(value["aKeyOfTomorrow"], serde_json::json!({"kept": [1, 2]}));
}

/// Garbage, silence and half a message on either socket disturb nobody else.
#[test]
fn garbage_on_the_sockets_disturbs_nobody() {
    let home = Home::new();
    let id = home.session(["cat"]);
    let sockets =
        [home.paths().control_socket(), home.paths().host_socket(&id), home.paths().births_socket()];
    let mut open = Vec::new();
    for socket in &sockets {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"\xff\xff\xff\xff\xff\xff",
            b"\x05\x00\x00\x00\x01{}{}",
            b"\x00\x10\x00\x00\x01half a message",
            b"",
        ] {
            let mut stream = UnixStream::connect(socket).unwrap_or_else(|e| panic!("{socket:?}: {e}"));
            // It may be closed on us before all is written.
            _ = stream.write_all(bytes);
            open.push(stream);
        }
    }
    home.abide(["send", &id, "still there"]).ok();
    until("its echo", || {
        (home.abide(["logs", "--plain", &id]).ok().matches("still there").count() == 2).then_some(())
    });
    assert_eq!(home.list().len(), 1);
    drop(open);
    home.abide(["stop", &id]).ok();
}

/// A frame whose type nobody knows is answered, and the connection goes on.
#[test]
fn an_unknown_message_is_answered_with_an_error() {
    let home = Home::new();
    let id = home.session(["cat"]);
    let mut stream = UnixStream::connect(home.paths().host_socket(&id)).expect("a host");
    let mut send = |frame: Vec<u8>| stream.write_all(&frame).expect("taken");
    let hello = abide::wire::host::Request::Hello { min: 1, max: 9, build: "later".into() };
    send(hello.frame());
    let mut unknown = Vec::new();
    abide::wire::frame::push(&mut unknown, 0x7f, b"from the future");
    send(unknown);
    send(abide::wire::host::Request::Peek.frame());
    let mut inbox = abide::wire::frame::Inbox::default();
    let mut replies = Vec::new();
    let mut buffer = [0; 4096];
    stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a deadline");
    while replies.len() < 3 {
        let n = stream.read(&mut buffer).expect("answers");
        assert!(n > 0, "the connection ended after {replies:?}");
        inbox.extend(&buffer[..n]);
        while let Some((kind, payload)) = inbox.next_frame().expect("frames") {
            replies.push(abide::wire::host::Reply::decode(kind, payload).expect("a reply"));
        }
    }
    use abide::wire::host::{Refusal, Reply};
    assert!(
        matches!(
            &replies[..],
            [Reply::Welcome(_), Reply::Refused(Refusal::Unknown, _), Reply::Screen { .. }]
        ),
        "{replies:?}"
    );
}

/// Another user who gets as far as the sockets is refused by the kernel's word on who it is.
#[test]
fn another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    let id = home.session(["cat"]);
    let sockets = [home.paths().control_socket(), home.paths().host_socket(&id)];
    // As if the folders' permissions did not hold it off.
    for path in
        [home.path().to_owned(), home.paths().runtime, home.paths().hosts(), home.path().join("run/hosts")]
    {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("chmod");
    }
    for socket in &sockets {
        std::fs::set_permissions(socket, PermissionsExt::from_mode(0o666)).expect("chmod");
        let said = as_another_user(socket);
        assert!(!said.contains("pid"), "nothing is told: {said}");
    }
    for path in [&home.paths().hosts(), &home.path().join("run/hosts"), &home.paths().runtime] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).expect("chmod");
    }
    assert_eq!(home.list().len(), 1, "and the others go on");
}

/// What the socket answers to a handshake of both protocols from another user id.
fn as_another_user(socket: &std::path::Path) -> String {
    let socket = socket.to_owned();
    let thread = std::thread::spawn(move || {
        crate::support::become_another_user();
        let mut stream = UnixStream::connect(socket).expect("the permissions were opened");
        stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a deadline");
        let mut said = Vec::new();
        let host = abide::wire::host::Request::Hello { min: 1, max: 1, build: "other".into() };
        let mut control = Vec::new();
        abide::wire::frame::push(&mut control, 1, br#"{"min":1,"max":1,"build":"other"}"#);
        // It may close the connection before it has read or said anything.
        _ = stream.write_all(&host.frame()).and_then(|()| stream.write_all(&control));
        _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    thread.join().expect("the other user")
}

#[test]
fn folders_that_others_can_enter_are_refused() {
    let home = Home::new();
    home.abide(["ls"]).ok();
    home.abide(["daemon", "stop"]).ok();
    let runtime = home.paths().runtime;
    std::fs::set_permissions(&runtime, PermissionsExt::from_mode(0o777)).expect("chmod");
    let said = home.abide(["ls"]);
    let mode = std::fs::metadata(&runtime).expect("there").permissions().mode() & 0o777;
    assert!(mode == 0o700 || said.status.code() == Some(5), "closed, or refused: {mode:o} {said}");
}

#[test]
fn a_closed_output_is_no_error() {
    let home = Home::new();
    let id = home.session(["seq", "100000"]);
    home.abide(["wait", &id]).ok();
    let mut child = home.abide_command(["logs", &id]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("abide logs");
    drop(child.stdout.take());
    let done = child.wait_with_output().expect("wait");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
}
