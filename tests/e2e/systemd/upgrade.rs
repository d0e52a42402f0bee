//! The program of the installed service is replaced, crashes, or leaves again and again.

use super::{installed, property, systemctl};
use crate::e2e::upgrade::{Installed, replaced_again_and_again, to_and_fro};
use crate::support::{Home, until};
use std::process::Stdio;

/// An installed service whose programs can be replaced.
fn replaceable() -> Installed {
    let installed = Installed::new(Home::of_the_user());
    installed.abide(&["install"]).ok();
    installed
}

/// What an upgrade must leave behind: nothing failed, nothing started anew.
fn check_units() {
    for unit in ["abide.socket", "abide.service", "abide-upgrade.path"] {
        assert_eq!(property(unit, "ActiveState"), "active", "{unit}");
    }
    assert_eq!(property("abide.service", "NRestarts"), "0");
    until("the upgrade's unit", || {
        (property("abide-upgrade.service", "ActiveState") == "inactive").then_some(())
    });
    assert_eq!(property("abide-upgrade.service", "Result"), "success");
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn replacements_of_the_installed_program_lose_nothing() {
    let mut installed = replaceable();
    replaced_again_and_again(&mut installed, 6, 3);
    check_units();
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn a_build_that_passes_its_proof_and_then_dies_or_hangs_delays_calls_until_the_next_good_one() {
    let mut installed = replaceable();
    installed.abide(&["run", "--", "sleep", "1000"]).ok();
    let hosts = installed.home.hosts();
    let proves = "[ \"$1\" = --self-check ] && exec $abided --self-check";
    for then in ["exit 9", "exec sleep 1000"] {
        let before = property("abide.service", "MainPID");
        let running = move || std::fs::read_link(format!("/proc/{before}/exe")).ok();
        let original = running().expect("a supervisor");
        let bad = installed.script(&format!("{proves}; {then}"));
        let good = installed.another_build();
        installed.put(&bad);
        until("the bad build in its place", || (running().as_ref() != Some(&original)).then_some(()));
        // The call waits, and nobody has to do anything but to install a good build.
        let abide = installed.bin.join("abide");
        let mut call = installed.home.command(abide);
        let call = call.args(["ls", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        installed.put(&good);
        let said = call.expect("abide").wait_with_output().expect("waited");
        assert!(said.status.success(), "{then}: {}", String::from_utf8_lossy(&said.stderr));
        let sessions: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
        assert_eq!(sessions.as_array().expect("a list").len(), 1, "{then}");
        assert_eq!(installed.home.hosts(), hosts, "{then}");
        assert_eq!(property("abide.socket", "ActiveState"), "active", "{then}");
    }
}

/// A socket that somebody's limits made fail refuses like a stale one. It is the manager's all the same: it is mended,
/// never replaced.
#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn a_failed_socket_is_mended_by_the_next_good_build_or_the_next_command() {
    let mut installed = replaceable();
    let folder = installed.home.user_paths().config.with_file_name("systemd/user/abide.service.d");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("mine.conf"), "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=2\n")
        .expect("a drop-in");
    systemctl(&["daemon-reload"]).ok();
    for heals_by_itself in [true, false] {
        systemctl(&["stop", "abide.service"]).ok();
        let (bad, good) = (installed.script("exit 9"), installed.another_build());
        installed.put(&bad);
        systemctl(&["stop", "abide-upgrade.path"]).ok();
        until("the failed socket", || {
            // The manager starts it in vain, until its limit.
            drop(std::os::unix::net::UnixStream::connect(installed.home.user_paths().control_socket()));
            (property("abide.socket", "ActiveState") == "failed").then_some(())
        });
        if heals_by_itself {
            systemctl(&["start", "abide-upgrade.path"]).ok();
            installed.put(&good);
            until("the socket", || (property("abide.socket", "ActiveState") == "active").then_some(()));
        } else {
            installed.put(&good);
        }
        installed.abide(&["ls"]).ok();
        assert_eq!(property("abide.socket", "ActiveState"), "active");
        assert_eq!(property("abide.service", "ActiveState"), "active");
    }
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn each_call_after_an_idle_exit_is_answered() {
    // 200 in the slow tier; a supervisor that was started stays for a second at least.
    let calls = std::env::var("ABIDE_TEST_CALLS").map_or(8, |n| n.parse().expect("a number"));
    let home = installed();
    let file = home.user_paths().config_file();
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("mkdir");
    std::fs::write(file, "idle_exit = '0s'\n").expect("written");
    for call in 0..calls {
        home.abide(["ls"]).ok();
        until("the idle exit", || (property("abide.service", "ActiveState") == "inactive").then_some(()));
        assert_eq!(property("abide.socket", "ActiveState"), "active", "after call {call}");
    }
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_connection_that_activated_the_service_is_known_by_its_own_pid() {
    let home = installed();
    systemctl(&["stop", "abide.service"]).ok();
    assert_eq!(home.supervisor(), None);
    let mut call = home.abide_command(["run", "-n", "first", "--", "sleep", "1000"]);
    let call = call.stdout(Stdio::null()).spawn().expect("abide");
    let pid = call.id();
    assert!(call.wait_with_output().expect("waited").status.success());
    let events = home.abide(["events", "--json"]);
    let created =
        events.ok().lines().find(|line| line.contains("\"created\"")).expect("a creation").to_owned();
    assert!(created.contains(&format!("abide run (pid {pid},")), "{pid}: {created}");
}

/// Only where the slow tier says where another build is: it runs with all tests of this module.
#[test]
#[ignore = "takes minutes: tests/slow/upgrades runs it under a user manager"]
fn a_hundred_replacements_and_twenty_changes_of_protocol_lose_nothing() {
    if std::env::var_os("ABIDE_TEST_OTHER").is_none() {
        return;
    }
    let mut installed = replaceable();
    replaced_again_and_again(&mut installed, 100, 20);
    check_units();
    to_and_fro(&installed, 20, 20);
    check_units();
}
