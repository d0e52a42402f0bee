//! What commands print of a session, and that its programs cannot misuse it.

use crate::support::Home;

/// A session that is over, having printed this (in `printf`'s way).
fn ended(home: &Home, printed: &str) -> String {
    let id = home.session(["printf", printed]);
    home.abide(["wait", &id, "--for", "done"]).ok();
    id
}

#[test]
fn run_prints_the_session_and_how_to_manage_it() {
    let home = Home::new();
    let output = home.abide(["run", "--name", "docs", "--", "sleep", "1000"]);
    let lines: Vec<&str> = output.ok().lines().collect();
    let id = lines[0]
        .strip_prefix("backgrounded · ")
        .and_then(|l| l.strip_suffix(" · docs"))
        .expect("the first line");
    assert_eq!(id.len(), 8);
    for (line, start) in lines[1..].iter().zip(["attach", "peek", "logs -f", "stop"]) {
        assert!(line.starts_with(&format!("  abide {start} {id}")), "{line}");
    }
    assert_eq!(lines.len(), 5);
    // The documented fields, of this session found by its name.
    let shown = home.abide(["show", "docs", "--json"]).json();
    for (field, value) in [("id", id), ("name", "docs"), ("kind", "background")] {
        assert_eq!(shown[field], value);
    }
    for field in ["pid", "startedAt"] {
        assert!(shown[field].is_u64(), "{field} of {shown}");
    }
    for field in ["cwd", "state", "status"] {
        assert!(shown[field].is_string(), "{field} of {shown}");
    }
    assert!(shown["abide"].is_object());
    // The list has the same, except for what moves on by itself.
    let [listed] = &home.list()[..] else { panic!("one session") };
    for field in ["id", "name", "cwd", "pid", "kind", "startedAt"] {
        assert_eq!(listed[field], shown[field], "{field}");
    }
}

#[test]
fn logs_go_on_where_they_left_off() {
    let home = Home::new();
    let id = ended(&home, "one\\ntwo\\nthree\\n");
    assert_eq!(home.abide(["logs", &id]).ok(), "one\r\ntwo\r\nthree\r\n");
    assert_eq!(home.abide(["logs", &id, "-n", "1"]).ok(), "three\r\n");
    assert_eq!(home.abide(["logs", &id, "--plain", "--grep", "t"]).ok(), "two\nthree\n");
    let part = home.abide(["logs", &id, "--since", "5", "--offsets"]);
    assert_eq!(part.ok(), "two\r\nthree\r\n");
    assert!(part.stderr.contains("--since 17"), "{part}");
    assert_eq!(home.abide(["logs", &id, "--since", "17"]).ok(), "");
    home.abide(["logs", &id, "--since", "18"]).fails(2);
    let json = home.abide(["logs", &id, "--json", "-n", "1"]);
    assert_eq!(json.ok(), "{\"offset\":10,\"next\":17,\"text\":\"three\"}\n{\"next\":17}\n");
}

#[test]
fn following_ends_with_the_session_and_misses_nothing() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "echo first; read line; echo got $line"]);
    let follow =
        home.abide_command(["logs", "-f", "--plain", &id]).stdout(std::process::Stdio::piped()).spawn();
    let follow = follow.expect("abide logs -f");
    home.abide(["send", &id, "hello"]).ok();
    let output = follow.wait_with_output().expect("its end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.lines().collect::<Vec<_>>(), ["first", "hello", "got hello"]);
}

#[test]
fn a_program_cannot_act_on_the_terminal_that_shows_its_output_or_its_title() {
    let home = Home::new();
    let id = ended(&home, "\\033]0;evil\\007\\033[2J\\033[5nfine\\n");
    for args in [vec!["logs", &id], vec!["peek", &id], vec!["ls", "--all"], vec!["show", &id]] {
        let tty = home.tty(&args, (100, 30));
        tty.ok();
        let raw = tty.raw();
        let text = String::from_utf8_lossy(&raw);
        assert!(
            !text.contains("\x1b]") && !text.contains("\x1b[2J") && !text.contains("\x1b[5n"),
            "{args:?}: {text:?}"
        );
    }
    let id = home.session(["sh", "-c", "printf '\\033]0;a\\033[31mb\\007'; read x"]);
    let named = home.abide(["run", "--json", "-n", "a\u{1b}[31mb", "--", "true"]);
    if named.status.success() {
        let tty = home.tty(["ls", "--all"], (100, 30));
        tty.ok();
        assert!(!String::from_utf8_lossy(&tty.raw()).contains("a\x1b[31mb"));
    }
    home.abide(["stop", &id]).ok();
}

#[test]
fn tables_fit_the_terminal_and_colours_stay_on_terminals() {
    let mut home = Home::new();
    let id = ended(&home, "x\\n");
    home.abide(["rename", &id, "a-name-that-is-much-too-long-for-any-narrow-terminal-window"]).ok();
    let plain = home.abide(["ls", "--all"]);
    assert!(!plain.ok().contains('\x1b'), "{plain}");
    assert!(plain.ok().contains("narrow-terminal-window"), "nothing is cut where it is no terminal: {plain}");
    let tty = home.tty(["ls", "--all"], (60, 30));
    tty.ok();
    assert!(String::from_utf8_lossy(&tty.raw()).contains("\x1b["), "colours on a terminal");
    let lines = tty.contents().lines().filter(|l| !l.trim().is_empty()).count();
    assert_eq!(lines, 2, "a head and a row, not wrapped: {}", tty.contents());
    home.set("NO_COLOR", "1");
    let tty = home.tty(["ls", "--all"], (60, 30));
    tty.ok();
    assert!(!String::from_utf8_lossy(&tty.raw()).contains("\x1b["), "NO_COLOR");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "seq 200000"]);
    home.abide(["wait", &id, "--for", "done"]).ok();
    let mut pipeline = home.command("sh");
    pipeline.args(["-c", "{ \"$1\" logs \"$2\"; echo \"exit $?\" >&2; } | head -n 1", "sh"]);
    pipeline.arg(crate::support::program("abide")).arg(&id);
    let output = crate::support::run(&mut pipeline);
    assert_eq!(output.ok().trim_end(), "1");
    assert_eq!(output.stderr, "exit 0\n");
}

#[test]
fn waiting_tells_by_its_exit_code_what_came() {
    let home = Home::new();
    let good = home.session(["true"]);
    assert_eq!(home.abide(["wait", &good, "--for", "done"]).ok(), "done\n");
    let bad = home.session(["sh", "-c", "exit 3"]);
    let output = home.abide(["wait", &bad, "--for", "done"]);
    assert!(output.fails(1).contains("status 3"), "{output}");
    assert_eq!(home.abide(["wait", &bad, "--for", "failed"]).ok(), "failed\n");
    let slow = home.session(["sleep", "1000"]);
    let output = home.abide(["wait", &slow, "--for", "done", "--timeout", "1ms"]);
    assert!(output.fails(1).contains("time is up"), "{output}");
}

#[test]
fn events_are_numbered_and_can_be_read_on() {
    let home = Home::new();
    let id = ended(&home, "x\\n");
    let events = |since: &str| -> Vec<serde_json::Value> {
        let output = home.abide(["events", "--json", "--since", since, &id]);
        output.ok().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    };
    let all = events("0");
    let numbers: Vec<u64> = all.iter().map(|e| e["seq"].as_u64().expect("a number")).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    assert_eq!(events(&numbers[0].to_string()), all[1..]);
    assert!(all.iter().all(|e| e["id"] == id.as_str()));
}

#[test]
fn what_was_asked_for_by_name_is_passed_on_and_markers_are_not() {
    let mut home = Home::new();
    home.set("CLAUDECODE", "1");
    home.set("TMUX", "/tmp/x,1,0");
    home.set("WINDOWID", "77");
    let file = home.path().join("vars");
    std::fs::write(&file, "# a comment\nexport FROM_FILE='a b'\n").expect("write");
    let id = home
        .abide_command(["run", "--json", "--env", "WINDOWID", "--env-file"])
        .arg(&file)
        .args(["--", "sh", "-c", "echo \"[$CLAUDECODE|$TMUX|$WINDOWID|$FROM_FILE]\""])
        .output()
        .expect("run");
    let id = serde_json::from_slice::<serde_json::Value>(&id.stdout).expect("JSON")["id"]
        .as_str()
        .expect("id")
        .to_owned();
    home.abide(["wait", &id, "--for", "done"]).ok();
    assert_eq!(home.abide(["logs", "--plain", &id]).ok(), "[||77|a b]\n");
}
