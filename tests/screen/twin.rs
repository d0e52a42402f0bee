//! Programs in a session, detached and attached again at another size, beside a twin that was never detached: both in
//! tmux, whose cells, attributes, cursor and modes must be the same.

use std::path::Path;

use nix::sys::signal::Signal;

use super::repaint::look;
use crate::support::{Home, Tmux, signal};

/// Sizes of the terminal before and after.
const FIRST: (u16, u16) = (80, 24);
const SECOND: (u16, u16) = (101, 31);

/// A program line as both twins run it: neither knows of the terminal around.
fn line<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    [&["env", "-u", "TMUX", "-u", "TMUX_PANE", "TERM=screen-256color"], argv].concat()
}

fn attach(home: &Home, id: &str, size: (u16, u16)) -> Tmux {
    Tmux::start(home, &home.abide_command(["attach", "--quiet", id]), size).expect("tmux, as before")
}

/// Runs `argv` in tmux and in a session, has `keys` typed to both, detaches the session, attaches at another size, and
/// waits until both show the same.
fn same_as_twin(home: &Home, argv: &[&str], ready: &str, keys: &[&[&str]], last: &str) {
    let argv = line(argv);
    let mut direct = home.command(argv[0]);
    direct.args(&argv[1..]);
    let Some(twin) = Tmux::start(home, &direct, FIRST) else {
        println!("no tmux here: skipped");
        return;
    };
    let id = home.session(&argv);
    let attached = attach(home, &id, FIRST);
    for terminal in [&twin, &attached] {
        terminal.see(ready);
        for keys in keys {
            terminal.keys(keys);
        }
        terminal.see(last);
    }
    same(&twin, &attached, "attached");
    attached.keys(&["C-\\", "d"]);
    attached.ended();
    drop(attached);
    twin.resize(SECOND.0, SECOND.1);
    let again = attach(home, &id, SECOND);
    again.see(last);
    same(&twin, &again, "attached again");
}

/// Waits until both show the same.
#[track_caller]
fn same(one: &Tmux, two: &Tmux, when: &str) {
    one.until_both(two, when, || {
        let seen = (look(one), look(two));
        if seen.0.shows(&seen.1) { Ok(()) } else { Err(format!("{seen:#?}")) }
    });
}

/// A text with long lines, tabs and wide characters.
fn text(home: &Home) -> String {
    let file = home.path().join("twin.c");
    let lines = (1..200)
        .map(|n| format!("/* {n} 漢字 e\u{301} */\tint value_{n} = {n}; // {}\n", "long ".repeat(n % 30)));
    std::fs::write(&file, lines.collect::<String>()).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}

#[test]
fn vim() {
    let home = Home::new();
    let file = text(&home);
    let argv = [
        "vim",
        "-u",
        "NONE",
        "-i",
        "NONE",
        "-n",
        "-N",
        "-c",
        "syntax on",
        "-c",
        "set laststatus=2 ruler number hlsearch",
        &file,
    ];
    let keys: &[&[&str]] = &[
        &["3", "0", "G"],
        &[":", "s", "p", "l", "i", "t", "Enter"],
        &["/", "v", "a", "l", "u", "e", "_", "4", "Enter"],
        &["o", "t", "y", "p", "e", "d", "Escape"],
        &["V", "j", "j"],
    ];
    same_as_twin(&home, &argv, "value_1", keys, "VISUAL LINE");
}

#[test]
fn less() {
    let home = Home::new();
    let file = text(&home);
    let argv = ["less", "-R", "-N", "-M", &file];
    let keys: &[&[&str]] = &[&["d"], &["j", "j"], &["/", "v", "a", "l", "u", "e", "_", "5", "0", "Enter"]];
    same_as_twin(&home, &argv, "value_1", keys, "value_50");
}

#[test]
fn a_shell_with_colours_and_a_prompt() {
    let home = Home::new();
    let prompt = r"PS1='\[\e[1;32m\]twin\[\e[m\]:\[\e[34m\]\w\[\e[m\]\$ '";
    let script =
        format!("{prompt}; export PS1; printf '\\033[7mhello\\033[m\\n'; exec bash --norc --noprofile -i");
    let argv = ["bash", "-c", &script];
    same_as_twin(
        &home,
        &argv,
        "twin:",
        // One line: what is typed while a command runs would be echoed wherever its output is by then.
        &[&["l", "s", "Space", "/", "&", "&", "e", "c", "h", "o", "Space", "d", "o", "n", "e", "Enter"]],
        "done\n",
    );
}

/// htop shows another picture every time, so its twin is a second terminal on the same session, which saw every byte as
/// it was written; and it is stopped before they are compared.
#[test]
fn htop() {
    let home = Home::new();
    let argv = line(&["htop", "-d", "5"]);
    let id = home.session(&argv);
    let Some(twin) = Tmux::start(&home, &home.abide_command(["attach", "--quiet", &id]), FIRST) else {
        println!("no tmux here: skipped");
        return;
    };
    twin.see("F10");
    let other = attach(&home, &id, FIRST);
    other.see("F10");
    other.keys(&["Down", "Down", "Down"]);
    other.keys(&["C-\\", "d"]);
    other.ended();
    drop(other);
    twin.resize(SECOND.0, SECOND.1);
    twin.keys(&["Up"]);
    twin.until("it is drawn at the other size", |screen| {
        (screen.lines().count() == 31 && screen.contains("F10")).then_some(())
    });
    let pid = home.abide(["show", "--json", &id]).json()["pid"].as_u64().expect("a process");
    let pid = u32::try_from(pid).expect("a process id");
    signal(pid, Signal::SIGSTOP);
    let again = attach(&home, &id, SECOND);
    again.see("F10");
    same(&twin, &again, "stopped");
    signal(pid, Signal::SIGCONT);
}

/// A real agent, where one is named by `ABIDE_TEST_CLAUDE`: its program. It needs no model up to the first message.
#[test]
fn claude() {
    let Some(program) = std::env::var_os("ABIDE_TEST_CLAUDE") else {
        println!("ABIDE_TEST_CLAUDE names no agent: skipped");
        return;
    };
    let mut home = Home::on_disk();
    let folder = home.path().join("repository");
    std::fs::create_dir(&folder).expect("a folder");
    let key = "sk-ant-mock-0123456789012345678901234567890";
    settings(&home, &folder, key);
    home.set("ANTHROPIC_API_KEY", key);
    // Nothing listens there: what is shown does not depend on any model.
    home.set("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    for name in [
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
        "CLAUDE_CODE_DISABLE_AGENT_VIEW",
    ] {
        home.set(name, "1");
    }
    let script = format!(
        "cd '{}' && exec '{}' --permission-mode manual",
        folder.display(),
        Path::new(&program).display()
    );
    let argv = ["sh", "-c", &script];
    same_as_twin(
        &home,
        &argv,
        "Claude Code",
        &[&["h", "e", "l", "l", "o"], &["Space", "w", "o", "r", "l", "d"]],
        "hello world",
    );
}

fn settings(home: &Home, folder: &Path, key: &str) {
    let settings = serde_json::json!({
        "hasCompletedOnboarding": true,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [&key[key.len() - 20..]]},
        "projects": {folder.to_str().expect("UTF-8"): {"hasTrustDialogAccepted": true}},
    });
    std::fs::write(home.path().join("user/.claude.json"), settings.to_string()).expect("settings");
}
