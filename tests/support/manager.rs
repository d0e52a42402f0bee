//! A real `systemd --user`, by the script `tests/support/user-manager`.

use super::source;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// `tests/support/user-manager`, to run this test program (with the arguments that follow) under a user manager of
/// its own; `None`, with a word on standard error, where this machine cannot have one.
///
/// # Panics
/// Where it cannot be had and `ABIDE_CI=1` says that it must.
pub(crate) fn user_manager() -> Option<Command> {
    static WHY_NOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let tried = command().arg("--").arg("true").stdin(Stdio::null()).output().expect("bash");
        (!tried.status.success()).then(|| String::from_utf8_lossy(&tried.stderr).trim().to_owned())
    });
    match &*WHY_NOT {
        None => {
            let exe = std::env::current_exe().expect("this program");
            let programs = super::program("abide").parent().expect("a folder").to_owned();
            let inside = exe.strip_prefix(&programs).expect("the test program is below the programs' folder");
            let mut command = command();
            command.arg("--see").arg(format!("{}=programs", programs.display()));
            command.arg("--see").arg(format!("{}=source", source().display()));
            command.args(["--", "env", "ABIDE_TEST_STAGE=systemd", "ABIDE_TEST_PROGRAMS=/run/see/programs"]);
            command.arg("ABIDE_TEST_SOURCE=/run/see/source");
            command.arg(std::path::Path::new("/run/see/programs").join(inside));
            Some(command)
        }
        Some(reason) if std::env::var_os("ABIDE_CI").is_some_and(|v| v == "1") => {
            panic!("no user manager, and ABIDE_CI=1 wants one: {reason}")
        }
        Some(reason) => {
            // Past the test harness, which keeps what a passing test prints.
            let note = format!("SKIPPED, no user manager on this machine: {reason}\n");
            std::io::stderr().write_all(note.as_bytes()).expect("standard error");
            None
        }
    }
}

/// Runs the ignored tests below this module, each in a user manager of its own.
pub(crate) fn each_alone(module: &str) {
    let Some(mut list) = user_manager() else { return };
    let listed = list.args([module, "--list", "--format", "terse"]).output().expect("the test program");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(!names.is_empty(), "no tests in the list: {listed}");
    let mut failed = Vec::new();
    for name in names {
        let mut test = user_manager().expect("there was one a moment ago");
        test.args(["--exact", name, "--ignored"]);
        if !passes(test) {
            failed.push(name);
        }
    }
    assert_eq!(failed, Vec::<&str>::new(), "under a user manager: see above");
}

/// Runs tests inside; what they say is this test's output.
pub(crate) fn passes(mut tests: Command) -> bool {
    let done = tests.stdin(Stdio::null()).output().expect("the test program");
    let said = String::from_utf8_lossy(&done.stdout);
    print!("{said}");
    eprint!("{}", String::from_utf8_lossy(&done.stderr));
    done.status.success() && !said.contains("running 0 tests")
}

fn command() -> Command {
    let mut command = Command::new("bash");
    command.arg(source().join("tests/support/user-manager"));
    command
}
