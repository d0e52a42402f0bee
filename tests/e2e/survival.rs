//! A session outlives its terminal, its client and its supervisor, whole.

use crate::support::{Fifo, Home, Seen, ended, signal, until};
use nix::sys::signal::Signal;
use std::process::Stdio;

/// Ctrl-\, d
const DETACH: &str = "\x1cd";

/// A session of the list, by its id.
fn listed(home: &Home, id: &str) -> serde_json::Value {
    let list = home.list();
    let found = list.iter().find(|s| s["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {list:?}")).clone()
}

/// What a screen shows: characters, attributes and the cursor.
fn picture(seen: &Seen) -> (String, (u16, u16)) {
    let screen = seen.screen();
    (screen.contents_formatted(), screen.cursor_position())
}

/// The part of the promise that everything else stands on: 100,000 numbered lines are written while the
/// supervisor is killed 50 times, and every line is in the log once.
#[test]
fn a_stream_across_fifty_kills_has_every_line_once() {
    const KILLS: u32 = 50;
    const LINES: u32 = 2_000;
    let home = Home::new();
    let mut go = Fifo::new(&home, "go");
    let script = format!(
        "exec 9<{}; while read -r from to <&9; do seq \"$from\" \"$to\"; done; exec 9<&-; exit 7",
        go.path().display()
    );
    let id = home.session(["sh", "-c", &script]);
    let child = listed(&home, &id)["pid"].clone();
    let mut follower = home.abide_command(["logs", "-f", &id]);
    let mut follower = follower.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("abide logs -f");
    let mut stream = follower.stdout.take().expect("piped");
    let followed = std::thread::spawn(move || {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut all).expect("a readable stream");
        all
    });
    let mut supervisors = std::collections::BTreeSet::new();
    for kill in 0..KILLS {
        go.tell(&format!("{} {}", kill * LINES + 1, (kill + 1) * LINES));
        supervisors.insert(home.kill_supervisor());
        assert_eq!(listed(&home, &id)["pid"], child, "the same process after kill {kill}");
    }
    assert_eq!(supervisors.len(), KILLS as usize, "a new supervisor after each kill");
    drop(go);
    home.abide(["wait", &id, "--for", "failed"]).ok();
    let wanted: String = (1..=KILLS * LINES).map(|n| format!("{n}\r\n")).collect();
    let logged = home.abide(["logs", &id]);
    assert_lines(logged.ok(), &wanted);
    assert_lines(&String::from_utf8(followed.join().expect("the reader")).expect("UTF-8"), &wanted);
    follower.wait().expect("wait");
    let half = wanted.len() / 2;
    let rest = home.abide(["logs", &id, "--since", &half.to_string()]);
    assert_lines(rest.ok(), &wanted[half..]);
    assert_eq!(listed(&home, &id)["abide"]["exit"]["code"], 7);
}

/// Equal, and if not, says where and not all of it.
#[track_caller]
fn assert_lines(got: &str, wanted: &str) {
    if got != wanted {
        let (got, wanted): (Vec<_>, Vec<_>) = (got.lines().collect(), wanted.lines().collect());
        let at = got.iter().zip(&wanted).position(|(g, w)| g != w).unwrap_or(got.len().min(wanted.len()));
        let around = |lines: &[&str]| format!("{:?}", &lines[at.min(lines.len())..(at + 3).min(lines.len())]);
        panic!(
            "{} lines, not {}; from line {at} on {}, not {}",
            got.len(),
            wanted.len(),
            around(&got),
            around(&wanted)
        );
    }
}

#[test]
fn a_shell_is_the_same_after_detach_and_kill_of_the_supervisor() {
    let mut home = Home::new();
    home.set("PS1", "prompt> ");
    let id = home.session(["sh"]);
    let tty = home.tty(["attach", &id], (80, 24));
    tty.see("prompt>");
    tty.send("x=kept; printf '\\033[1;31mred\\033[m and \\033[4mlined\\033[m\\n'\n");
    tty.see("red and lined");
    tty.until("the prompt after it", |seen| {
        seen.screen().contents().trim_end().ends_with("lined\nprompt>").then_some(())
    });
    tty.send(DETACH);
    tty.ok();
    tty.see("[detached from");
    let before = home.tty(["attach", "--quiet", &id], (80, 24));
    let shown = before.until("the repaint", |seen| {
        seen.screen().contents().contains("red and lined").then(|| picture(seen))
    });
    before.send(DETACH);
    before.ok();

    home.kill_supervisor();
    let after = home.tty(["attach", "--quiet", &id], (80, 24));
    after.until("the same picture", |seen| (picture(seen) == shown).then_some(()));
    after.send("echo \"x is $x\"\n");
    after.see("x is kept");
    after.send("exit 3\n");
    after.ok();
    assert_eq!(listed(&home, &id)["abide"]["exit"]["code"], 3);
    let log = home.abide(["logs", &id, "--plain"]);
    for part in ["x=kept;", "red and lined", "x is kept"] {
        assert!(log.ok().contains(part), "{part:?} in {log}");
    }
}

#[test]
fn whatever_ends_the_client_only_detaches() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "while read -r x; do echo \"got <$x>\"; done"]);
    let process = listed(&home, &id)["pid"].clone();
    let attach = |word: &str| {
        let tty = home.tty(["attach", &id], (80, 24));
        tty.send(format!("{word}\n"));
        tty.see(&format!("got <{word}>"));
        tty
    };
    let mut closed = attach("one");
    closed.close();
    let hung_up = attach("two");
    signal(hung_up.pid(), Signal::SIGHUP);
    hung_up.wait();
    let killed = attach("three");
    signal(killed.pid(), Signal::SIGKILL);
    killed.wait();
    let terminated = attach("four");
    signal(terminated.pid(), Signal::SIGTERM);
    terminated.wait();
    // The detach of a killed client is known once the host saw its connection end.
    until("nobody attached", || (listed(&home, &id)["abide"]["attended"] == false).then_some(()));
    assert_eq!(listed(&home, &id)["pid"], process);
    let last = attach("five");
    last.send("\x04");
    last.ok();
    home.abide(["wait", &id]).ok();
    let log = home.abide(["logs", &id, "--plain"]);
    for word in ["one", "two", "three", "four", "five"] {
        assert_eq!(log.ok().matches(&format!("got <{word}>")).count(), 1, "{log}");
    }
}

#[test]
fn an_end_while_no_supervisor_runs_is_known_later() {
    let home = Home::new();
    let mut go = Fifo::new(&home, "go");
    let id = home.session([
        "sh",
        "-c",
        &format!("read x <{}; echo \"last words: $x\"; exit 5", go.path().display()),
    ]);
    let host = home.hosts();
    home.kill_supervisor();
    go.tell("bye");
    host.iter().for_each(|pid| ended(*pid));
    assert_eq!(home.supervisor(), None, "nobody is there to see it");
    let session = listed(&home, &id);
    assert_eq!((&session["state"], &session["abide"]["exit"]["code"]), (&"failed".into(), &5.into()));
    assert!(home.abide(["peek", &id]).ok().contains("last words: bye"));
    assert!(home.abide(["logs", &id]).ok().contains("last words: bye"));
}

#[test]
fn a_killed_host_means_failed_with_its_log_kept() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "echo before; exec sleep 1000"]);
    until("its output", || home.abide(["logs", &id]).ok().contains("before").then_some(()));
    let [host] = home.hosts()[..] else { panic!("one host: {:?}", home.hosts()) };
    signal(host, Signal::SIGKILL);
    ended(host);
    let waited = home.abide(["wait", &id]);
    waited.fails(1);
    assert_eq!(listed(&home, &id)["state"], "failed");
    assert!(home.abide(["logs", &id]).ok().contains("before"));
    assert!(home.abide(["why", &id]).ok().to_lowercase().contains("host"), "and `why` says so");
}

#[test]
fn a_program_that_asks_the_terminal_while_nobody_is_attached_is_answered() {
    let home = Home::new();
    // `cat` ends when nothing more comes for a while.
    let asks =
        "stty raw -echo min 0 time 30; printf '\\033[c'; cat | tr '\\033' E; stty sane; echo; echo answered";
    let id = home.session(["sh", "-c", asks]);
    home.abide(["wait", &id]).ok();
    let said = home.abide(["logs", &id, "--plain"]);
    assert!(said.ok().contains("E[?") && said.stdout.contains("answered"), "{said}");
}

/// What a cleaner of temporary files takes away: a session's socket while its supervisor watches it, and the sockets of
/// all of them, folder and all, while nobody does. The sessions are reached again, and are the same.
#[test]
fn a_session_whose_socket_was_removed_is_reached_again() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "echo here; while read -r line; do echo got $line; done"]);
    let other = home.session(["cat"]);
    let hosts = home.hosts();
    let socket = home.paths().host_socket(&id);
    std::fs::remove_file(&socket).expect("removed");
    assert!(home.abide(["peek", &id]).ok().contains("here"));
    std::fs::remove_file(&socket).expect("it is there again");
    home.abide(["send", &id, "one"]).ok();
    home.kill_supervisor();
    std::fs::remove_dir_all(home.paths().hosts()).expect("removed");
    let listed = home.list();
    assert_eq!(listed.len(), 2);
    home.abide(["send", &id, "two"]).ok();
    home.abide(["send", &other, "three"]).ok();
    until("both answers", || home.abide(["peek", &id]).ok().contains("got two").then_some(()));
    assert!(home.abide(["logs", &id]).ok().contains("got one"));
    assert_eq!(home.hosts(), hosts);
    let mode = std::os::unix::fs::PermissionsExt::mode(&socket.metadata().expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    home.abide(["stop", "--all"]).ok();
    hosts.into_iter().for_each(ended);
    assert!(!socket.exists());
}
