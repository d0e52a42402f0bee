//! The ways of starting a program, and what it counts as then. In each line `$ASK` is a program that writes what it
//! counts as to a file, `$OUT`.

use super::{exists, is_root, succeeds};
use crate::support::{Home, Stage};
use serde_json::{Value, json};

/// Where a line is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Typed into an interactive shell on a terminal.
    Terminal,
    /// By a program that has no terminal, and none of whose ancestors has one: as cron does.
    Nowhere,
    /// Inside of a session.
    Session,
}

/// What it counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// A person's, on a terminal; whether somebody is there.
    Persons(&'static str),
    /// A person's, without a terminal of its own.
    StartedByAPerson,
    /// Nobody's.
    Nobodys,
    /// The session's in which it is.
    Inside,
    /// A vendor's background session's.
    Vendors,
    /// Of a vendor's daemon for everybody: there is no telling.
    Untold,
}

impl Is {
    /// `kind`, `template`, `attended`, `row`, `session`.
    pub(super) fn expected(self, session: Option<&str>, supervised: bool) -> [Value; 5] {
        let of = |kind: &str, template: &str, attended: &str, row: u8| {
            [kind.into(), template.into(), attended.into(), row.into(), Value::Null]
        };
        match self {
            Self::Persons(attended) => of("interactive", "foreground", attended, 3),
            Self::StartedByAPerson => of("interactive", "foreground", "unknown", 4),
            Self::Nobodys => of("interactive", "none", "no", 5),
            // Who is attached only the supervisor knows.
            Self::Inside => {
                let mut inside = of("bg", "bg", if supervised { "no" } else { "unknown" }, 1);
                inside[4] = json!(session);
                inside
            }
            Self::Vendors => of("bg", "bg", "no", 2),
            Self::Untold => of("unknown", "none", "unknown", 2),
        }
    }
}

/// One way.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) line: &'static str,
    pub(super) is: Is,
    needs: Needs,
}

#[derive(Debug, Clone, Copy)]
enum Needs {
    Nothing,
    Program(&'static str),
    /// The machine's root, and this program.
    Root(&'static str),
    Manager,
}

impl Way {
    /// Whether this machine has what it needs.
    pub(super) fn can_be_had(&self, home: &Home) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Program(name) => exists(home, name),
            Needs::Root(name) => is_root() && exists(home, name) && succeeds(&[name, "--version"]),
            Needs::Manager => Stage::current() == Stage::Systemd,
        }
    }
}

const FORGED: &str =
    "ABIDE_SESSION=00000001 CLAUDECODE=1 CLAUDE_CODE_SESSION_KIND=bg CI=1 TMUX=/x,1,0 STY=1.x";

/// All of them.
pub(super) fn all() -> Vec<Way> {
    let mut all = Vec::new();
    all.extend(on_a_terminal());
    all.extend(multiplexed());
    all.extend(without());
    all.extend(in_a_session());
    all
}

fn way(place: Place, is: Is, needs: Needs, name: &'static str, line: &'static str) -> Way {
    Way { name, place, line, is, needs }
}

fn on_a_terminal() -> Vec<Way> {
    use Is::{Nobodys, Persons, StartedByAPerson, Untold, Vendors};
    use Needs::{Nothing, Program, Root};
    let on = |is, needs, name, line| way(Place::Terminal, is, needs, name, line);
    let here = Persons("yes");
    let forged: &'static str = format!("{FORGED} \"$ASK\" \"$OUT\"").leak();
    vec![
        on(here, Nothing, "plain", r#""$ASK" "$OUT""#),
        on(here, Nothing, "sh -c", r#"sh -c '"$ASK" "$OUT"'"#),
        on(here, Nothing, "left in a pipeline", r#""$ASK" "$OUT" | cat"#),
        on(here, Nothing, "right in a pipeline", r#"true | "$ASK" "$OUT""#),
        on(here, Nothing, "$(...)", r#"x=$("$ASK" "$OUT")"#),
        on(here, Nothing, "nohup", r#"nohup "$ASK" "$OUT""#),
        on(here, Nothing, "without variables", r#"env -i "$ASK" "$OUT""#),
        on(here, Nothing, "with forged variables", forged),
        on(here, Nothing, "cmd &", r#""$ASK" "$OUT" &"#),
        on(here, Nothing, "function &", r#"f() { "$ASK" "$OUT"; }; f &"#),
        on(here, Nothing, "(cmd &)", r#"("$ASK" "$OUT" &)"#),
        on(here, Nothing, "all descriptors elsewhere", r#""$ASK" "$OUT" </dev/null >/dev/null 2>&1"#),
        on(here, Nothing, "in a script, &", r#"sh -c '"$ASK" "$OUT" & wait'"#),
        on(here, Program("make"), "make", "make -s all"),
        on(here, Program("xargs"), "xargs", r#"echo "$OUT" | xargs "$ASK""#),
        on(here, Program("git"), "git alias", r#"git -c alias.ask='!"$ASK" "$OUT"' ask"#),
        on(here, Program("script"), "script", r#"script -qec '"$ASK" "$OUT"' /dev/null"#),
        on(here, Program("timeout"), "timeout", r#"timeout 60 "$ASK" "$OUT""#),
        on(here, Root("su"), "su", r#"su -m root -c '"$ASK" "$OUT"'"#),
        on(here, Root("sudo"), "sudo", r#"sudo -n -E "$ASK" "$OUT""#),
        on(here, Root("sudo"), "sudo -b", r#"sudo -n -E -b "$ASK" "$OUT""#),
        on(StartedByAPerson, Program("setsid"), "setsid", r#"setsid --wait "$ASK" "$OUT""#),
        // Its parent has gone at once: nothing is left that tells it from a daemon.
        on(Nobodys, Program("setsid"), "setsid --fork", r#"setsid --fork "$ASK" "$OUT""#),
        on(Vendors, Nothing, "a vendor's background host", "./toy --bg-host"),
        on(Untold, Nothing, "a vendor's daemon for everybody", "./toy serve"),
        on(here, Nothing, "a vendor's program", "./toy other"),
    ]
}

fn multiplexed() -> Vec<Way> {
    use Is::{Persons, StartedByAPerson};
    use Needs::Program;
    let (tmux, on, no) = (Program("tmux"), Place::Terminal, Place::Nowhere);
    vec![
        way(
            on,
            Persons("yes"),
            tmux,
            "in tmux",
            r#"tmux -S "$OUT.tmux" -f /dev/null new-session '"$ASK" "$OUT"; exec sleep 1000'"#,
        ),
        way(
            no,
            Persons("no"),
            tmux,
            "tmux new -d",
            r#"tmux -S "$OUT.tmux" -f /dev/null new-session -d '"$ASK" "$OUT"; exec sleep 1000'"#,
        ),
        way(
            no,
            Persons("no"),
            tmux,
            "typed into tmux with nobody attached",
            r#"tmux -S "$OUT.tmux" -f /dev/null new-session -d sh ';' send-keys '"$ASK" "$OUT"' Enter"#,
        ),
        way(
            no,
            StartedByAPerson,
            tmux,
            "tmux run-shell",
            r#"tmux -S "$OUT.tmux" -f /dev/null new-session -d sh ';' run-shell '"$ASK" "$OUT"'"#,
        ),
        way(no, Persons("unknown"), Program("dtach"), "dtach -n", r#"dtach -n "$OUT.dtach" "$ASK" "$OUT""#),
        way(
            on,
            Persons("unknown"),
            Program("dtach"),
            "in dtach",
            r#"dtach -A "$OUT.dtach" sh -c '"$ASK" "$OUT"; sleep 1000'"#,
        ),
        way(
            no,
            Persons("unknown"),
            Program("abduco"),
            "abduco -n",
            r#"ABDUCO_SOCKET_DIR="$HOME" abduco -n x "$ASK" "$OUT""#,
        ),
    ]
}

fn without() -> Vec<Way> {
    use Is::{Nobodys, Persons, StartedByAPerson};
    use Needs::{Manager, Nothing, Program};
    let no = |is, needs, name, line| way(Place::Nowhere, is, needs, name, line);
    let forged: &'static str = format!("{FORGED} PS1=x TERM=xterm \"$ASK\" \"$OUT\"").leak();
    vec![
        no(Nobodys, Nothing, "as cron", r#""$ASK" "$OUT""#),
        no(Nobodys, Nothing, "as cron, with forged variables", forged),
        no(Nobodys, Nothing, "as cron, orphaned", r#"("$ASK" "$OUT" &)"#),
        no(Persons("yes"), Program("script"), "as sshd with -t", r#"script -qec '"$ASK" "$OUT"' /dev/null"#),
        no(
            Nobodys,
            Manager,
            "a unit of the user's",
            r#"systemd-run --user --wait --quiet --collect --setenv=ASK="$ASK" --setenv=OUT="$OUT" sh -c '"$ASK" "$OUT"'"#,
        ),
        no(
            StartedByAPerson,
            Manager,
            "a program of the desktop's",
            r#"systemd-run --user --scope --quiet --collect --unit="app-test-${OUT##*-}.scope" "$ASK" "$OUT""#,
        ),
    ]
}

fn in_a_session() -> Vec<Way> {
    use Is::Inside;
    use Needs::{Manager, Nothing, Program};
    let inside = |needs, name, line| way(Place::Session, Inside, needs, name, line);
    let forged: &'static str = format!("{FORGED} \"$ASK\" \"$OUT\"").leak();
    vec![
        inside(Nothing, "in a session", r#""$ASK" "$OUT""#),
        inside(Nothing, "in a session, with forged variables", forged),
        inside(Nothing, "in a session, without variables", r#"env -i "$ASK" "$OUT""#),
        inside(Nothing, "in a session, &", r#""$ASK" "$OUT" &"#),
        inside(Nothing, "in a session, orphaned", r#"(nohup "$ASK" "$OUT" >/dev/null 2>&1 &)"#),
        inside(Program("setsid"), "in a session, setsid", r#"setsid --wait "$ASK" "$OUT""#),
        inside(Program("setsid"), "in a session, daemonised", r#"setsid --fork "$ASK" "$OUT" </dev/null"#),
        inside(
            Program("script"),
            "in a session, on a tool's own terminal",
            r#"script -qec '"$ASK" "$OUT"' /dev/null"#,
        ),
        inside(
            Program("tmux"),
            "in a session, tmux",
            r#"tmux -S "$OUT.tmux" -f /dev/null new-session -d '"$ASK" "$OUT"; exec sleep 1000'"#,
        ),
        inside(
            Program("dtach"),
            "in a session, dtach",
            r#"dtach -n "$OUT.dtach" sh -c '"$ASK" "$OUT"; sleep 1000'"#,
        ),
        inside(
            Manager,
            "in a session, in a scope of its own",
            r#"systemd-run --user --scope --quiet --collect "$ASK" "$OUT""#,
        ),
    ]
}
