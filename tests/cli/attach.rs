//! Attaching a terminal: it is left as it was, whatever ends it, and the session goes on.

use crate::support::{Home, Tty, ended, run, signal, until};
use nix::sys::signal::Signal;

/// A session that repeats each line in brackets.
fn echo(home: &Home) -> String {
    home.session(["sh", "-c", "echo ready; while read line; do echo \"<$line>\"; done"])
}

fn is_alive(home: &Home, id: &str) -> bool {
    home.abide(["show", "--json", id]).json()["pid"].is_u64()
}

/// `abide attach` from a shell that says before and after how the terminal is set, and with which exit code.
fn between_settings(home: &Home, args: &str) -> Tty {
    let mut shell = home.command("sh");
    let abide = crate::support::program("abide");
    let script = format!("stty -g; \"$0\" attach {args}; echo exit $?; stty -g");
    shell.arg("-c").arg(script).arg(abide);
    Tty::spawn(shell, 80, 24)
}

/// The settings of the terminal before and after.
fn settings(tty: &Tty) -> (String, String) {
    let raw = String::from_utf8_lossy(&tty.raw()).into_owned();
    let is_setting = |l: &&str| l.len() > 40 && l.chars().all(|c| c.is_ascii_hexdigit() || c == ':');
    let mut found = raw.split(['\r', '\n']).filter(is_setting).map(str::to_owned);
    (found.next().expect("before"), found.next_back().expect("after"))
}

#[test]
fn the_detach_key_detaches_and_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    let id = echo(&home);
    let tty = between_settings(&home, &id);
    tty.see("ready");
    tty.send("hello\r");
    tty.see("<hello>");
    tty.send(b"\x1cd");
    tty.see("exit 0");
    tty.ok();
    assert!(tty.contents().contains(&format!("[detached from {id}")), "{}", tty.contents());
    let (before, after) = settings(&tty);
    assert_eq!(before, after);
    assert!(is_alive(&home, &id));
    // And back: what was typed is still there.
    let tty = home.tty(["attach", &id], (80, 24));
    tty.see("<hello>");
    tty.send(b"again\r");
    tty.see("<again>");
    tty.send(b"\x1cd");
    tty.ok();
}

#[test]
fn other_keys_detach_where_they_are_asked_to() {
    let mut home = Home::new();
    let id = echo(&home);
    let tty = home.tty(["attach", "--detach-key", "ctrl-q", &id], (80, 24));
    tty.see("ready");
    // Twice the default key is one to the terminal, which is quit there, and no detaching.
    tty.send("x\r");
    tty.see("<x>");
    tty.send(b"\x11");
    tty.ok();
    std::fs::create_dir_all(&home.paths().config).expect("folder");
    std::fs::write(home.paths().config_file(), "detach_key = 'ctrl-] q'\n").expect("write");
    home.set("TERM", "xterm");
    let tty = home.tty(["attach", &id], (80, 24));
    tty.see("<x>");
    tty.send(b"\x1dq");
    tty.ok();
    assert!(is_alive(&home, &id));
}

#[test]
fn no_end_of_the_client_is_an_end_of_the_session() {
    let home = Home::new();
    let id = echo(&home);
    for sent in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGKILL] {
        let tty = home.tty(["attach", &id], (80, 24));
        tty.see("ready");
        signal(tty.pid(), sent);
        tty.wait();
        assert!(is_alive(&home, &id), "{sent}");
    }
    let mut tty = home.tty(["attach", &id], (80, 24));
    tty.see("ready");
    tty.close();
    ended(tty.pid());
    assert!(is_alive(&home, &id), "a closed terminal");
}

#[test]
fn a_polite_signal_restores_the_terminal() {
    let home = Home::new();
    let id = echo(&home);
    let tty = between_settings(&home, &id);
    tty.see("ready");
    let client = until("the client", || {
        home.processes().into_iter().find(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|c| c.ends_with(format!("attach\0{id}\0").as_bytes()) && !c.starts_with(b"sh"))
        })
    });
    signal(client, Signal::SIGTERM);
    tty.see("exit 0");
    tty.ok();
    let (before, after) = settings(&tty);
    assert_eq!(before, after);
}

#[test]
fn the_sessions_end_is_told_and_a_killed_host_too() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "echo ready; read line; exit 7"]);
    let tty = between_settings(&home, &id);
    tty.see("ready");
    tty.send("\r");
    tty.see("exit 0");
    assert!(tty.contents().contains("status 7"), "{}", tty.contents());
    tty.ok();
    let (before, after) = settings(&tty);
    assert_eq!(before, after);
    let error = home.tty(["attach", &id], (80, 24));
    error.see("abide respawn");
    assert_eq!(error.wait().code(), Some(1));

    let id = echo(&home);
    let tty = between_settings(&home, &id);
    tty.see("ready");
    let host = home.abide(["show", "--json", &id]).json()["abide"]["hostPid"].as_u64().expect("its host");
    signal(u32::try_from(host).expect("a process id"), Signal::SIGKILL);
    tty.see("exit 1");
    tty.ok();
    let (before, after) = settings(&tty);
    assert_eq!(before, after);
}

#[test]
fn who_only_looks_does_not_type() {
    let home = Home::new();
    let id = echo(&home);
    let looker = home.tty(["attach", "--read-only", &id], (80, 24));
    looker.see("ready");
    looker.send("sneaky\r");
    let writer = home.tty(["attach", &id], (90, 24));
    writer.see("ready");
    writer.send("honest\r");
    looker.see("<honest>");
    assert!(!looker.contents().contains("sneaky"), "{}", looker.contents());
    looker.send(b"\x1cd");
    looker.ok();
    writer.send(b"\x1cd");
    writer.ok();
}

#[test]
fn what_the_terminal_showed_before_is_in_its_scrollback_and_not_painted_over() {
    let home = Home::new();
    let id = echo(&home);
    let mut shell = home.command("sh");
    shell.arg("-c").arg("echo kept; \"$0\" attach \"$1\"").arg(crate::support::program("abide")).arg(&id);
    let tty = Tty::spawn(shell, 80, 10);
    tty.see("ready");
    assert!(!tty.contents().contains("kept"), "{}", tty.contents());
    let mut terminal = vt100::Parser::new(10.try_into().expect("rows"), 80.try_into().expect("columns"), 100);
    terminal.process(&tty.raw());
    terminal.screen_mut().set_scrollback(100);
    let kept = terminal.screen().contents();
    assert!(kept.starts_with("kept\n[attached to"), "{kept}");
    assert!(kept.lines().nth(2) == Some("ready"), "no line between: {kept}");
    tty.send(b"\x1cd");
    tty.ok();
}

#[test]
fn the_size_follows_the_terminal() {
    let home = Home::new();
    let id = home.session(["sh", "-c", "while read line; do stty size; done"]);
    let tty = home.tty(["attach", &id], (70, 20));
    tty.send("\r");
    tty.see("20 70");
    tty.resize(91, 31);
    tty.until("the new size", |seen| {
        tty.send("\r");
        seen.screen().contents().contains("31 91").then_some(())
    });
    tty.send(b"\x1cd");
    tty.ok();
}

#[test]
fn attach_needs_a_terminal() {
    let home = Home::new();
    let id = echo(&home);
    let output = run(&mut home.abide_command(["attach", &id]));
    assert!(output.fails(2).contains("abide peek"), "{output}");
}
