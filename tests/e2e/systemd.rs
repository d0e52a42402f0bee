//! What only a service manager shows. Each of these has a user manager to itself.

use crate::support::{Stage, run};
use std::process::Command;

/// Runs one of systemd's programs for the user.
fn systemctl(args: &[&str]) -> crate::support::Output {
    run(Command::new("systemctl").arg("--user").args(args))
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_stage_is_a_fresh_user_manager() {
    assert_eq!(Stage::current(), Stage::Systemd);
    assert_eq!(systemctl(&["is-system-running"]).ok().trim(), "running");
    let units = systemctl(&["list-units", "--all", "--plain", "--no-legend", "abide*"]);
    assert_eq!(units.ok(), "", "nothing of abide before the first call");
}
