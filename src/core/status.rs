//! What a live session does, from what its host sees. Best evidence first:
//!
//! 1. A program status report (`OSC 7501`): the program says it itself, and where a part of its work waits for the user,
//!    so does the session. Void while the leader is a shell that is back in the foreground, since then the program that
//!    reported is not.
//! 2. The shell's prompt marks (`OSC 133`): `A`, `B` and `D` mean at its prompt, `C` that a command runs.
//! 3. For agents: a notification or a bell since the last input, with silence after it, asks for the user.
//! 4. Quiet time, who is in the terminal's foreground, and what the program is: a shell in the foreground that is
//!    silent is at its prompt; an agent that is silent has nothing to do; any other program works while it lives.

use super::event::Signals;
use super::naming::printable;
use super::record::{Record, State, Tempo};
use super::text::Text;

/// What is shown of a live session, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `Working`, `Blocked`, `Idle` or `Done`.
    pub state: State,
    /// How lively.
    pub tempo: Tempo,
    /// What a blocked session waits for.
    pub waiting_for: Option<String>,
    /// One printable line; empty for none.
    pub detail: String,
    /// The evidence, as a sentence.
    pub evidence: String,
    /// The rule, as a sentence.
    pub rule: &'static str,
}

/// Characters of a detail, at most.
const DETAIL: usize = 200;

/// What the session of `record` does, by its host's last report (none yet: it was just started).
///
/// `alert_pending`: a bell or a notification came, and nothing was typed since.
pub fn judge(record: &Record, signals: Option<&Signals>, alert_pending: bool) -> Verdict {
    let Some(s) = signals else {
        return verdict(
            State::Working,
            true,
            "its host has not reported yet".into(),
            "a session that was just started works",
        );
    };
    let shell = record.agent.is_none() && is_shell(&record.argv);
    let at_leader = shell && s.leader_foreground;
    let reports = || s.blocked.iter().chain([&s.program]).filter_map(|raw| Report::parse(raw));
    let report = reports().find(|r| r.waits()).or_else(|| reports().next_back());
    if let Some(report) = report.filter(|_| !at_leader) {
        return by_report(&report, s.active);
    }
    if shell {
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
    let said = printable(&s.notification, DETAIL);
    if alert_pending && !said.is_empty() {
        let mut v = verdict(
            State::Blocked,
            false,
            format!("it notified {said:?}, nothing was typed since, and it is silent"),
            "an agent that called for the user and waits is blocked",
        );
        v.waiting_for = Some(said);
        return v;
    }
    verdict(State::Idle, false, "it is silent".into(), "an agent that is silent has nothing to do")
}

fn by_report(report: &Report, active: bool) -> Verdict {
    let app = if report.app.is_empty() { "its program".to_owned() } else { report.app.clone() };
    let evidence = format!("{app} reports {:?} (OSC 7501)", report.state);
    let said = match (report.message.is_empty(), report.title.is_empty()) {
        (false, _) => report.message.clone(),
        (true, false) => report.title.clone(),
        (true, true) => report.kind.clone(),
    };
    let (state, rule) = match report.state.as_str() {
        "working" => (State::Working, "what a program says of itself is believed first"),
        "idle" => (State::Idle, "what a program says of itself is believed first"),
        "done" => (State::Done, "a program that says done has finished its turn and lives on"),
        "blocked" => (State::Blocked, "a program that says blocked waits for the user"),
        _ => (State::Blocked, "a program that reports an error and lives on waits for the user"),
    };
    let mut v = verdict(state, state == State::Working || active, evidence, rule);
    if state == State::Blocked {
        v.tempo = Tempo::Blocked;
        let fallback = if report.state == "error" { "an error" } else { "the user" };
        v.waiting_for = Some(if said.is_empty() { fallback.into() } else { said.clone() });
    }
    v.detail = match &report.progress {
        Some(percent) if said.is_empty() => format!("{percent} %"),
        Some(percent) => format!("{said} ({percent} %)"),
        None => said,
    };
    v
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

fn verdict(state: State, active: bool, evidence: String, rule: &'static str) -> Verdict {
    let tempo = match (state == State::Blocked, active) {
        (true, _) => Tempo::Blocked,
        (false, true) => Tempo::Active,
        (false, false) => Tempo::Idle,
    };
    Verdict { state, tempo, waiting_for: None, detail: String::new(), evidence, rule }
}

/// A program status report: `key=value` pairs with colons between; title and message are base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Report {
    state: String,
    app: String,
    kind: String,
    title: String,
    message: String,
    progress: Option<u8>,
}

impl Report {
    /// None for no report, for a cleared one, and for what is no report.
    fn parse(raw: &str) -> Option<Self> {
        let raw = raw.strip_prefix("7501;").unwrap_or(raw);
        let mut report = Self::default();
        for (key, value) in raw.split([':', ';']).filter_map(|pair| pair.split_once('=')) {
            match key {
                "state" => report.state = printable(value, 20),
                "app" => report.app = printable(value, 40),
                "kind" => report.kind = printable(value, 40),
                "title" => report.title = decode(value),
                "msg" => report.message = decode(value),
                "progress" => report.progress = value.parse().ok().filter(|percent| *percent <= 100),
                _ => {}
            }
        }
        matches!(report.state.as_str(), "working" | "idle" | "done" | "blocked" | "error").then_some(report)
    }

    fn waits(&self) -> bool {
        matches!(self.state.as_str(), "blocked" | "error")
    }
}

/// Base64 as one printable line; what is no base64 is shown as it is, since it is only ever shown.
fn decode(value: &str) -> String {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0u32);
    for c in value.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return printable(value, DETAIL),
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_le_bytes()[0]);
        }
    }
    printable(&String::from_utf8_lossy(&bytes), DETAIL)
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
    use proptest::prelude::*;

    fn record(agent: Option<&str>, argv: &[&str]) -> Record {
        let least = include_bytes!("../../tests/data/v1/least.json");
        let mut record: Record = serde_json::from_slice(least).expect("fixture");
        record.agent = agent.map(str::to_owned);
        record.argv = argv.iter().map(|a| Text::from(*a)).collect();
        record
    }

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

    #[test]
    fn what_is_shown_of_what() {
        use State::{Blocked, Done, Idle, Working};
        let quiet = Signals::default();
        let active = Signals { active: true, ..quiet.clone() };
        let fg = |s: &Signals| Signals { leader_foreground: true, ..s.clone() };
        let mark = |m: u8, s: &Signals| Signals { prompt_mark: m, ..s.clone() };
        let says = |report: &str, s: &Signals| Signals { program: report.into(), ..s.clone() };
        let told = Signals { notification: "Approve?".into(), ..quiet.clone() };
        let (shell, command, agent) =
            (record(None, &["bash"]), record(None, &["make"]), record(Some("claude"), &["claude"]));
        let cases: [(&Record, Signals, bool, State); 29] = [
            (&shell, fg(&quiet), false, Idle),
            (&shell, fg(&active), false, Working),
            (&shell, quiet.clone(), false, Working),
            (&shell, fg(&mark(b'A', &active)), false, Idle),
            (&shell, fg(&mark(b'B', &quiet)), false, Idle),
            (&shell, fg(&mark(b'D', &quiet)), false, Idle),
            (&shell, fg(&mark(b'C', &quiet)), false, Working),
            (&shell, mark(b'B', &quiet), false, Working),
            (&shell, says("state=blocked", &quiet), false, Blocked),
            (&shell, says("state=working", &fg(&quiet)), false, Idle),
            (&command, quiet.clone(), false, Working),
            (&command, fg(&quiet), false, Working),
            (&command, told.clone(), true, Working),
            (&command, mark(b'B', &quiet), false, Idle),
            (&command, mark(b'B', &active), false, Working),
            (&command, says("state=idle", &active), false, Idle),
            (&command, says("state=clear", &quiet), false, Working),
            (&agent, active.clone(), false, Working),
            (&agent, quiet.clone(), false, Idle),
            (&agent, quiet.clone(), true, Idle),
            (&agent, told.clone(), true, Blocked),
            (&agent, told.clone(), false, Idle),
            (&agent, Signals { active: true, ..told.clone() }, true, Working),
            (&agent, says("7501;state=done:app=codex", &active), false, Done),
            (&agent, says("state=error:msg=Ym9vbQ==", &quiet), false, Blocked),
            (&agent, says("state=dreaming", &quiet), false, Idle),
            (
                &agent,
                Signals { blocked: vec!["state=blocked:id=a".into()], ..says("state=working", &active) },
                false,
                Blocked,
            ),
            (
                &shell,
                fg(&Signals { blocked: vec!["state=blocked:id=a".into()], ..quiet.clone() }),
                false,
                Idle,
            ),
            (&agent, says("gibberish", &quiet), false, Idle),
        ];
        for (record, signals, alert, state) in cases {
            let v = judge(record, Some(&signals), alert);
            assert_eq!(v.state, state, "{:?} {signals:?} {alert}: {v:?}", record.argv);
            assert_eq!(v.waiting_for.is_some(), state == Blocked, "{v:?}");
            assert_eq!(v.tempo == Tempo::Blocked, state == Blocked, "{v:?}");
            assert!(!v.evidence.is_empty() && !v.rule.is_empty());
        }
        assert_eq!(judge(&agent, None, false).state, Working);
    }

    #[test]
    fn reports_carry_what_a_program_says() {
        let agent = record(Some("claude"), &["claude"]);
        let program =
            "state=blocked:app=claude-code:kind=permission:msg=YXBwcm92ZSBXcml0ZTogL3gbWzJK".to_owned();
        let v = judge(&agent, Some(&Signals { program, ..Signals::default() }), false);
        assert_eq!(v.waiting_for.as_deref(), Some("approve Write: /x\u{fffd}[2J"));
        assert_eq!(v.evidence, "claude-code reports \"blocked\" (OSC 7501)");
        let program = "state=working:progress=40:title=QnVpbGQ".to_owned();
        let v = judge(&agent, Some(&Signals { program, ..Signals::default() }), false);
        assert_eq!((v.detail.as_str(), v.tempo), ("Build (40 %)", Tempo::Active));
        let program = "state=working:progress=400:msg=not base64!".to_owned();
        let v = judge(&agent, Some(&Signals { program, ..Signals::default() }), false);
        assert_eq!(v.detail, "not base64!");
    }

    proptest! {
        #[test]
        fn no_report_breaks_it_or_reaches_a_terminal(program in any::<String>(), notification in any::<String>(), mark: u8, shell: bool, agent: bool) {
            let record = record(agent.then_some("a"), if shell { &["sh"] } else { &["x"] });
            let signals = Signals { program, notification, prompt_mark: mark, ..Signals::default() };
            let v = judge(&record, Some(&signals), true);
            let said = format!("{}{}{}", v.detail, v.waiting_for.unwrap_or_default(), v.evidence);
            prop_assert!(said.chars().all(super::super::naming::is_printable), "{said:?}");
        }
    }
}
