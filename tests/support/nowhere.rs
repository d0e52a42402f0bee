//! A place that nobody's terminal, multiplexer or agent is above, whoever runs the tests: what programs are taken for
//! depends on their ancestors.

use super::{Stage, passes};
use std::io::Write;
use std::process::{Command, Stdio};

/// Says that this program runs in such a place.
const THERE: &str = "ABIDE_TEST_NOWHERE";

/// Runs an ignored test of this program there: standalone as process 1 of a pid namespace, and under a user manager as a
/// unit of it. False, with a word on standard error, where this machine cannot have that.
///
/// # Panics
/// Where it cannot be had and `ABIDE_CI=1` says that it must.
pub(crate) fn from_nowhere(test: &str) -> bool {
    let mut tried = there();
    let tried = tried.arg("true").stdin(Stdio::null()).output();
    let reason = match tried {
        Ok(tried) if tried.status.success() => {
            let mut again = there();
            again.arg(std::env::current_exe().expect("this program"));
            assert!(passes(match_one(again, test)), "{test}: see above");
            return true;
        }
        Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var_os("ABIDE_CI").is_none_or(|v| v != "1"),
        "no place without a terminal above: {reason}"
    );
    let note = format!("SKIPPED {test}, no place without a terminal above: {reason}\n");
    std::io::stderr().write_all(note.as_bytes()).expect("standard error");
    false
}

/// This is such a place.
pub(crate) fn must_be_nowhere() {
    assert!(std::env::var_os(THERE).is_some(), "this test is run by another one, by `from_nowhere`");
}

fn match_one(mut command: Command, test: &str) -> Command {
    command.args(["--exact", test, "--ignored"]);
    command
}

/// The beginning of a command line that runs there.
fn there() -> Command {
    match Stage::current() {
        Stage::Standalone => {
            let mut command = Command::new("setsid");
            command.args(["--wait", "unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]);
            if !nix::unistd::geteuid().is_root() {
                command.args(["--user", "--map-root-user"]);
            }
            command.env(THERE, "1");
            command
        }
        Stage::Systemd => {
            let mut command = Command::new("systemd-run");
            command.args([
                "--user",
                "--wait",
                "--pipe",
                "--quiet",
                "--collect",
                &format!("--setenv={THERE}=1"),
            ]);
            let kept = [
                "PATH",
                "USER",
                "LOGNAME",
                "HOME",
                "ABIDE_CI",
                "ABIDE_TEST_STAGE",
                "ABIDE_TEST_PROGRAMS",
                "ABIDE_TEST_SOURCE",
                "DBUS_SESSION_BUS_ADDRESS",
            ];
            for (name, value) in kept.iter().filter_map(|name| Some((name, std::env::var(name).ok()?))) {
                command.arg(format!("--setenv={name}={value}"));
            }
            command
        }
    }
}
