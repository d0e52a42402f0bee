//! The environment of a session: its client's, without what described the client's own surroundings.
//!
//! What is taken out, and why:
//! - **service variables**: they name sockets, descriptors, folders and journal streams of another unit, and a child
//!   with `NOTIFY_SOCKET` can speak in that unit's name;
//! - **markers of an enclosing agent**: a session dispatched from within an agent is not inside of it, and agents
//!   change their behaviour, or refuse to start, when they believe to be nested;
//! - **the enclosing terminal**: multiplexer, window, tty and size are those of the terminal that dispatched, while a
//!   session is seen on others. `COLORTERM` stays, since every terminal of ours has these colours; so do
//!   `SSH_CONNECTION` and `SSH_AUTH_SOCK`, which tell where the user is and hold for every terminal of theirs;
//! - **our own markers**, except `ABIDE_HOME`, without which `abide` inside of the session would ask another
//!   supervisor.
//!
//! Only exact names and prefixes of whole families are listed. The settings of agents (`CLAUDE_CONFIG_DIR`,
//! `CODEX_HOME`, `OPENCODE_CONFIG`, …) stay.

use super::id::SessionId;
use super::text::Text;

const SERVICE: &[&str] = &[
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "SYSTEMD_NSS_DYNAMIC_BYPASS",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "ENCRYPTED_CREDENTIALS_DIRECTORY",
    "PIDFILE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVICE_RESULT",
    "EXIT_CODE",
    "EXIT_STATUS",
    "XPC_SERVICE_NAME",
    "XPC_FLAGS",
];

const SERVICE_FAMILIES: &[&str] = &[
    "LISTEN_PID",
    "LISTEN_FD",
    "WATCHDOG_",
    "MAINPID",
    "MANAGERPID",
    "FDSTORE",
    "TRIGGER_",
    "MONITOR_",
    "MEMORY_PRESSURE_",
    "CPU_PRESSURE_",
    "IO_PRESSURE_",
];

/// Markers of agents without a profile; those of the others are in their profiles.
const AGENTS: &[&str] = &["CURSOR_AGENT", "PI_CODING_AGENT", "QWEN_CODE"];

const TERMINAL: &[&str] = &[
    "COLUMNS",
    "LINES",
    "STY",
    "WINDOW",
    "WINDOWID",
    "GPG_TTY",
    "SSH_TTY",
    "TERMCAP",
    "TERM_SESSION_ID",
    "VTE_VERSION",
    "WT_SESSION",
    "WT_PROFILE_ID",
    "LC_TERMINAL",
    "LC_TERMINAL_VERSION",
    "_",
];

const TERMINAL_FAMILIES: &[&str] = &[
    "TMUX",
    "ZELLIJ",
    "TERM_PROGRAM",
    "KITTY_",
    "WEZTERM_",
    "ALACRITTY_",
    "GHOSTTY_",
    "ITERM_",
    "KONSOLE_",
    "VSCODE_",
    "DTACH_",
    "SHPOOL_",
];

/// Whether a session does not get this variable from its client. `markers` are those of agents, by their profiles: names,
/// or beginnings of names with a `*`.
pub fn is_scrubbed(name: &str, markers: &[String]) -> bool {
    let exact = [SERVICE, AGENTS, TERMINAL].concat();
    let families = [SERVICE_FAMILIES, TERMINAL_FAMILIES].concat();
    exact.contains(&name)
        || families.iter().any(|family| name.starts_with(family))
        || markers.iter().any(|marker| matches(name, marker))
        || (name.starts_with("ABIDE_") && name != "ABIDE_HOME")
}

/// Whether a variable is meant by a name, or by the beginning of one with a `*`.
pub fn matches(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The name of a `NAME=value`; none for what is no variable.
pub fn name_of(variable: &[u8]) -> Option<&[u8]> {
    let end = variable.iter().position(|b| *b == b'=')?;
    (end > 0).then(|| &variable[..end])
}

/// Takes out what [`is_scrubbed`] names, what is no `NAME=value`, and what cannot be passed to a program (a NUL).
pub fn scrub(env: impl IntoIterator<Item = Text>, markers: &[String]) -> Vec<Text> {
    scrub_except(env, markers, &[])
}

/// As [`scrub`], and leaves in what the user asked for by name.
pub fn scrub_except(
    env: impl IntoIterator<Item = Text>,
    markers: &[String],
    asked_for: &[String],
) -> Vec<Text> {
    let goes = |name: &[u8]| {
        let asked = |name: &str| asked_for.iter().any(|n| n == name);
        std::str::from_utf8(name).is_ok_and(|name| is_scrubbed(name, markers) && !asked(name))
    };
    let keep =
        |variable: &Text| !variable.0.contains(&0) && name_of(&variable.0).is_some_and(|name| !goes(name));
    env.into_iter().filter(keep).collect()
}

/// The environment in which a session starts, from a scrubbed one: in its working directory, on our terminal, with its
/// own id and with what its profile sets.
pub fn for_session(env: Vec<Text>, id: SessionId, cwd: &Text, profile: &[(String, String)]) -> Vec<Text> {
    let mut env = env;
    if !find(&env, "TERM").is_some_and(|term| !term.is_empty() && term != b"dumb") {
        // Without a terminal of its own the client had none to name; the session has one.
        set(&mut env, "TERM", b"xterm-256color");
    }
    if find(&env, "PWD").is_some() {
        set(&mut env, "PWD", &cwd.0);
    }
    for (name, value) in profile {
        set(&mut env, name, value.as_bytes());
    }
    set(&mut env, "ABIDE_SESSION", id.to_string().as_bytes());
    env
}

/// Has `PATH` lead to this folder too, after all others.
pub fn append_to_path(env: &mut Vec<Text>, folder: &Text) {
    let path = match find(env, "PATH").filter(|path| !path.is_empty()) {
        Some(path) => [path, b":", &folder.0].concat(),
        None => folder.0.clone(),
    };
    set(env, "PATH", &path);
}

fn find<'a>(env: &'a [Text], name: &str) -> Option<&'a [u8]> {
    let is_it = |v: &&Text| name_of(&v.0) == Some(name.as_bytes());
    env.iter().find(is_it).map(|v| &v.0[name.len() + 1..])
}

/// Replaces every occurrence, so that no reader finds an older one first.
fn set(env: &mut Vec<Text>, name: &str, value: &[u8]) {
    env.retain(|v| name_of(&v.0) != Some(name.as_bytes()));
    env.push(Text([name.as_bytes(), b"=", value].concat()));
}

/// Has git take these settings from the environment, after those that it takes from there already.
pub fn set_git(env: &mut Vec<Text>, settings: &[(&str, &str)]) {
    let value = |env: &[Text], name: &str| {
        let start = format!("{name}=");
        let value = env.iter().rev().find_map(|v| v.0.strip_prefix(start.as_bytes()))?;
        String::from_utf8(value.to_vec()).ok()
    };
    let count = value(env, "GIT_CONFIG_COUNT").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut at: u16 = count;
    for (key, set) in settings {
        let is = |n| {
            let has =
                |of: &str, text: &str| value(env, &format!("GIT_CONFIG_{of}_{n}")).as_deref() == Some(text);
            has("KEY", key) && has("VALUE", set)
        };
        if (0..count).any(is) {
            continue;
        }
        env.push(Text::from(&*format!("GIT_CONFIG_KEY_{at}={key}")));
        env.push(Text::from(&*format!("GIT_CONFIG_VALUE_{at}={set}")));
        at = at.saturating_add(1);
    }
    env.retain(|v| !v.0.starts_with(b"GIT_CONFIG_COUNT="));
    env.push(Text::from(&*format!("GIT_CONFIG_COUNT={at}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<Text> {
        list.iter().map(|s| Text::from(*s)).collect()
    }

    #[test]
    fn git_keeps_the_settings_that_it_had() {
        let mut env: Vec<Text> =
            ["A=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"]
                .map(Text::from)
                .into();
        let settings = [("gc.x", "never"), ("gc.y", "never")];
        set_git(&mut env, &settings);
        for known in ["A=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_KEY_1=gc.x", "GIT_CONFIG_VALUE_2=never"] {
            assert!(env.contains(&known.into()), "{env:?}");
        }
        assert!(env.contains(&"GIT_CONFIG_COUNT=3".into()) && !env.contains(&"GIT_CONFIG_COUNT=1".into()));
        let before = env.clone();
        set_git(&mut env, &settings);
        assert_eq!(env, before, "once is enough");
    }

    #[test]
    fn surroundings_go_and_settings_stay() {
        let markers = ["CLAUDECODE".to_owned(), "CODEX_SANDBOX*".to_owned()];
        for gone in [
            "NOTIFY_SOCKET",
            "LISTEN_FDS",
            "LISTEN_FDNAMES",
            "LISTEN_PIDFDID",
            "MANAGERPIDFDID",
            "MEMORY_PRESSURE_WATCH",
            "TMUX",
            "TMUX_PANE",
            "TERM_PROGRAM_VERSION",
            "CLAUDECODE",
            "CODEX_SANDBOX_NETWORK_DISABLED",
            "QWEN_CODE",
            "ABIDE_SESSION",
            "ABIDE_LOG",
        ] {
            assert!(is_scrubbed(gone, &markers), "{gone}");
        }
        for kept in [
            "PATH",
            "HOME",
            "LANG",
            "COLORTERM",
            "SSH_AUTH_SOCK",
            "SSH_CONNECTION",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_USE_BEDROCK",
            "CODEX_HOME",
            "OPENCODE_CONFIG",
            "ANTHROPIC_API_KEY",
            "ABIDE_HOME",
            "XDG_RUNTIME_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            assert!(!is_scrubbed(kept, &markers), "{kept}");
        }
    }

    #[test]
    fn only_variables_that_can_be_passed_on_are_kept() {
        let env = vec![
            Text::from("A=1"),
            Text::from("=C:=x"),
            Text::from("no equals sign"),
            Text(b"B=\0".to_vec()),
            Text(b"C=\xff".to_vec()),
            Text(b"\xff=1".to_vec()),
            Text::from("STY=1.pts"),
        ];
        let asked_for = scrub_except(env.clone(), &[], &["STY".to_owned()]);
        assert!(asked_for.contains(&Text::from("STY=1.pts")));
        assert_eq!(scrub(env, &[]), [Text::from("A=1"), Text(b"C=\xff".to_vec()), Text(b"\xff=1".to_vec())]);
    }

    #[test]
    fn a_path_leads_on_to_a_further_folder() {
        for (before, after) in
            [(&["PATH=/bin"][..], "PATH=/bin:/opt"), (&["PATH="], "PATH=/opt"), (&[], "PATH=/opt")]
        {
            let mut env = texts(before);
            append_to_path(&mut env, &Text::from("/opt"));
            assert_eq!(env, texts(&[after]));
        }
    }

    #[test]
    fn a_session_has_its_own_marks_and_a_usable_terminal() {
        let id = SessionId::from_bits(0x2a);
        let cwd = Text::from("/repo");
        let set = [("X".to_owned(), "2".to_owned())];
        let of = |env: &[&str]| for_session(texts(env), id, &cwd, &set);
        let env = of(&["TERM=dumb", "PWD=/old", "X=1", "X=0", "ABIDE_SESSION=ffffffff"]);
        assert_eq!(env, texts(&["TERM=xterm-256color", "PWD=/repo", "X=2", "ABIDE_SESSION=0000002a"]));
        assert!(of(&["TERM=xterm-kitty"]).contains(&Text::from("TERM=xterm-kitty")));
        assert!(of(&[]).contains(&Text::from("TERM=xterm-256color")));
        assert!(!of(&[]).iter().any(|v| v.0.starts_with(b"PWD=")));
    }
}
