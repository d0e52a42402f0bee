//! The programs as users run them: spawned, on real terminals, standalone and under a real `systemd --user`.
//!
//! | Tests | Standalone | Under a user manager |
//! |---|---|---|
//! | of this folder | yes | yes, the same |
//! | `standalone::` | yes | no |
//! | `systemd::` | no (shown as ignored) | yes, each in a user manager of its own |
//!
//! [`under_systemd`] starts this program again for the right-hand column.

mod systemd;

use crate::support::user_manager;

/// The whole suite again, under a user manager.
#[test]
fn under_systemd() {
    let Some(mut suite) = user_manager() else { return };
    suite.args(["e2e::", "--skip", "under_systemd", "--skip", "e2e::standalone::"]);
    passes(suite);
}

/// The tests that need a user manager to themselves.
#[test]
fn under_systemd_alone() {
    let Some(mut list) = user_manager() else { return };
    let listed =
        list.args(["e2e::systemd::", "--list", "--format", "terse"]).output().expect("the test program");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(!names.is_empty(), "no tests in the list: {listed}");
    for name in names {
        let mut test = user_manager().expect("there was one a moment ago");
        test.args(["--exact", name, "--ignored"]);
        passes(test);
    }
}

/// Runs tests inside; what they say is this test's output.
fn passes(mut tests: std::process::Command) {
    let done = tests.stdin(std::process::Stdio::null()).output().expect("the test program");
    let said = String::from_utf8_lossy(&done.stdout);
    print!("{said}");
    eprint!("{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "tests failed under the user manager: see above");
    assert!(!said.contains("running 0 tests"), "no test ran");
}
