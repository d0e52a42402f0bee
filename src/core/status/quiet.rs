//! What is shown where nobody says what the session does: by prompt marks, alerts, who is in the terminal's foreground
//! and quiet time.

use super::program::TEXT;
use super::{Verdict, verdict};
use crate::core::event::Signals;
use crate::core::naming::printable;
use crate::core::record::{Record, State};
use crate::core::text::Text;

/// The session's leader is a shell that is in the terminal's foreground.
pub(super) fn is_left(record: &Record, signals: &Signals) -> bool {
    record.agent.is_none() && signals.leader_foreground && is_shell(&record.argv)
}

/// `alert_pending`: a bell or a notification came, and nothing was typed since.
pub(super) fn judge(record: &Record, s: &Signals, alert_pending: bool) -> Verdict {
    if record.agent.is_none() && is_shell(&record.argv) {
        return by_shell(s);
    }
    match (s.prompt_mark, s.active) {
        (b'A' | b'B' | b'D', false) => {
            return verdict(
                State::Idle,
                false,
                format!("its last prompt mark is {} (OSC 133) and it is silent", char::from(s.prompt_mark)),
                "a program at its prompt is idle",
            );
        }
        (b'C', _) if record.agent.is_some() => {
            return verdict(
                State::Working,
                s.active,
                "its last prompt mark is C (OSC 133)".into(),
                "a program that runs a command works",
            );
        }
        (_, true | false) => {}
    }
    if record.agent.is_none() {
        let evidence = if s.active { "it wrote something in the last seconds" } else { "it is silent" };
        return verdict(
            State::Working,
            s.active,
            evidence.into(),
            "a command that is no shell works for as long as it lives",
        );
    }
    if s.active {
        return verdict(
            State::Working,
            true,
            "it wrote something in the last seconds".into(),
            "an agent that writes works",
        );
    }
    called(s, alert_pending).unwrap_or_else(|| {
        verdict(State::Idle, false, "it is silent".into(), "an agent that is silent has nothing to do")
    })
}

/// An agent that is silent after a call for the user that said something.
pub(super) fn called(s: &Signals, alert_pending: bool) -> Option<Verdict> {
    let said = printable(&s.notification, TEXT);
    if !alert_pending || said.is_empty() || s.active {
        return None;
    }
    let mut v = verdict(
        State::Blocked,
        false,
        format!("it notified {said:?}, nothing was typed since, and it is silent"),
        "an agent that called for the user and waits is blocked",
    );
    v.waiting_for = Some(said);
    Some(v)
}

fn by_shell(s: &Signals) -> Verdict {
    if !s.leader_foreground {
        return verdict(
            State::Working,
            s.active,
            "a program that the shell started is in the foreground".into(),
            "a shell whose foreground is another program's works",
        );
    }
    match (s.prompt_mark, s.active) {
        (mark @ (b'A' | b'B' | b'D'), active) => verdict(
            State::Idle,
            active,
            format!(
                "its last prompt mark is {} (OSC 133) and the shell is in the foreground",
                char::from(mark)
            ),
            "a shell at its prompt is idle",
        ),
        (b'C', active) => verdict(
            State::Working,
            active,
            "its last prompt mark is C (OSC 133)".into(),
            "a shell that runs a command works",
        ),
        (_, true) => verdict(
            State::Working,
            true,
            "it wrote something in the last seconds".into(),
            "a shell without prompt marks works until it is silent",
        ),
        (_, false) => verdict(
            State::Idle,
            false,
            "it is silent and the shell is in the foreground".into(),
            "a silent shell in the foreground is at its prompt",
        ),
    }
}

/// Whether `argv` is an interactive shell: a known one, and neither a command nor a script among its arguments.
pub fn is_shell(argv: &[Text]) -> bool {
    const SHELLS: [&[u8]; 16] = [
        b"sh", b"ash", b"bash", b"csh", b"dash", b"elvish", b"fish", b"ksh", b"mksh", b"nu", b"pwsh",
        b"rbash", b"tcsh", b"xonsh", b"yash", b"zsh",
    ];
    let Some((program, arguments)) = argv.split_first() else { return false };
    let base = program.0.rsplit(|b| *b == b'/').next().unwrap_or_default();
    if !SHELLS.contains(&base.strip_prefix(b"-").unwrap_or(base)) {
        return false;
    }
    let mut value_follows = false;
    arguments.iter().all(|Text(argument)| {
        if std::mem::take(&mut value_follows) {
            return true;
        }
        value_follows = matches!(
            argument.as_slice(),
            b"--rcfile" | b"--init-file" | b"-o" | b"+o" | b"-O" | b"+O" | b"--config" | b"--env-config"
        );
        match argument.as_slice() {
            [b'-', b'-', long @ ..] => !long.starts_with(b"command"),
            [b'-' | b'+', short @ ..] => !short.contains(&b'c'),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_are_told_from_their_scripts() {
        let argv = |line: &str| -> Vec<Text> { line.split(' ').map(Text::from).collect() };
        for shell in
            ["bash", "/bin/zsh -l", "-bash", "fish --no-config", "bash --rcfile /x -i", "zsh -o vi", "sh -x"]
        {
            assert!(is_shell(&argv(shell)), "{shell}");
        }
        for other in [
            "vim",
            "bash -c ls",
            "bash -lc ls",
            "sh run.sh",
            "bash -x run.sh",
            "fish --command=ls",
            "bashful",
        ] {
            assert!(!is_shell(&argv(other)), "{other}");
        }
        assert!(!is_shell(&[]));
    }
}
