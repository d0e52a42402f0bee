//! Mistakes and broken surroundings: the exit code, what is said, and that nothing was done.

use crate::support::Home;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

#[test]
fn wrong_command_lines_are_told_apart_and_do_nothing() {
    let home = Home::new();
    let table: &[(&[&str], i32, &str)] = &[
        (&["nonsense"], 2, "nonsense"),
        (&["run"], 2, "abide run --"),
        (&["run", "fix", "it"], 2, "abide run \"fix it\""),
        (&["run", " "], 2, "empty"),
        (&["run", "--cwd", "/no/such/folder", "--", "true"], 2, "/no/such/folder"),
        (&["run", "--cwd", "/dev/null", "--", "true"], 2, "no folder"),
        (&["run", "--env", "NO_SUCH_VARIABLE", "--", "true"], 2, "NO_SUCH_VARIABLE"),
        (&["run", "--env-file", "/no/such/file", "--", "true"], 2, "/no/such/file"),
        (&["run", "--attach", "--", "true"], 2, "terminal"),
        (&["run", "--", "no-such-program"], 1, "no-such-program"),
        (&["run", "--agent", "no-such-agent", "hello there"], 2, "no-such-agent"),
        (&["attach", "7c5d"], 2, "abide peek"),
        (&["peek", "7c5d"], 3, "7c5d"),
        (&["logs", "7c5d"], 3, "7c5d"),
        (&["send", "7c5d", "text"], 3, "7c5d"),
        (&["wait", "7c5d"], 3, "7c5d"),
        (&["show", "../.."], 3, "../.."),
        (&["why", ""], 3, ""),
        (&["rename", "7c5d", "name"], 3, "7c5d"),
        (&["pin", "7c5d"], 3, "7c5d"),
        (&["respawn", "7c5d"], 3, "7c5d"),
        (&["rm", "7c5d"], 3, "7c5d"),
        (&["stop"], 2, "ID"),
        (&["stop", "--all", "7c5d"], 2, "--all"),
        (&["stop", "--grace", "soon", "7c5d"], 2, "30s"),
        (&["wait", "7c5d", "--for", "bored"], 2, "blocked"),
        (&["logs", "7c5d", "--grep", "("], 2, "("),
        (&["man", "nonsense"], 2, "nonsense"),
    ];
    for (args, code, said) in table {
        let output = home.abide(*args);
        let error = output.fails(*code);
        assert!(error.contains(said), "{said:?} is not in: {output}");
        assert!(output.stdout.is_empty(), "{output}");
        assert!(!error.contains("panicked"), "{output}");
    }
    assert_eq!(home.list(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_value_given_as_an_argument_is_refused_and_not_repeated() {
    let home = Home::new();
    let error = home.abide(["run", "--env", "TOKEN=s3cret", "--", "true"]).fails(2).to_owned();
    assert!(error.contains("TOKEN=… abide run --env TOKEN"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn every_target_is_tried_and_the_worst_is_the_exit_code() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    let output = home.abide(["stop", "nobody", &id, "nothing"]);
    let error = output.fails(3);
    assert!(error.contains("nobody") && error.contains("nothing"), "{output}");
    assert!(output.stdout.contains(&id), "{output}");
    home.abide(["wait", &id, "--for", "stopped"]).ok();
}

#[test]
fn an_ambiguous_prefix_is_refused_and_names_the_sessions() {
    let home = Home::new();
    // Of seventeen ids two begin alike.
    let mut ids: Vec<String> = (0..17).map(|_| home.session(["sleep", "1000"])).collect();
    ids.sort();
    let twins = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).expect("two alike");
    let output = home.abide(["stop", &twins[0][..1]]);
    let error = output.fails(3);
    assert!(twins.iter().all(|id| error.contains(id.as_str())), "{output}");
    assert!(home.list().iter().all(|s| s["pid"].is_u64()), "one was stopped");
}

#[test]
fn a_folder_too_long_for_sockets_is_named() {
    let mut home = Home::new();
    let long = home.path().join("x".repeat(120));
    home.set("ABIDE_HOME", &long);
    let output = home.abide(["ls"]);
    assert!(output.fails(1).contains("ABIDE_HOME"), "{output}");
}

#[test]
fn who_does_not_speak_the_protocol_is_no_supervisor() {
    let home = Home::new();
    let paths = home.paths();
    paths.prepare().expect("folders");
    let listener = UnixListener::bind(paths.control_socket()).expect("bind");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("write");
        // Until the other side has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let output = home.abide(["ls"]);
    output.fails(5);
    assert!(output.stderr.contains("hint:"), "{output}");
    server.join().expect("server");
}

#[test]
fn a_folder_that_others_can_write_is_not_trusted() {
    let home = Home::new();
    let paths = home.paths();
    paths.prepare().expect("folders");
    let _listener = UnixListener::bind(paths.control_socket()).expect("bind");
    std::fs::set_permissions(&paths.runtime, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    let output = home.abide(["ls"]);
    assert!(output.fails(5).contains("cannot be trusted"), "{output}");
}

#[test]
fn status_never_starts_a_supervisor() {
    let home = Home::new();
    let output = home.abide(["daemon", "status", "--json"]);
    output.fails(5);
    assert!(output.stdout.contains("\"absent\""), "{output}");
    assert_eq!(home.supervisor(), None);
    home.abide(["daemon", "stop"]).ok();
    assert_eq!(home.supervisor(), None);
    home.abide(["ls"]).ok();
    let status = home.abide(["daemon", "status", "--json"]).json();
    assert_eq!(status["state"], "running");
    assert_eq!(status["pid"].as_u64(), home.supervisor().map(u64::from));
}
