//! The programs as users run them: spawned, on real terminals, standalone and under a real `systemd --user`.
//!
//! | Tests | Standalone | Under a user manager |
//! |---|---|---|
//! | of this folder | yes | yes, the same |
//! | `standalone::` | yes | no |
//! | `reboot::` | yes, where the tests are root's | no |
//! | `systemd::` | no (shown as ignored) | yes, each in a user manager of its own |
//! | `agent::` | in the slow tier | no |
//!
//! [`under_systemd`] starts this program again for the right-hand column.

mod agent;
mod classes;
mod doctor;
mod environment;
mod guard;
mod leave;
mod mcp;
mod mistakes;
mod races;
mod reboot;
mod roll;
mod standalone;
mod survival;
mod systemd;
mod upgrade;
mod usage;

use crate::support::{each_alone, passes, user_manager};

/// The whole suite again, under a user manager.
#[test]
fn under_systemd() {
    let Some(mut suite) = user_manager() else { return };
    suite.args([
        "e2e::",
        "--skip",
        "under_systemd",
        "--skip",
        "e2e::standalone::",
        "--skip",
        "e2e::reboot::",
    ]);
    assert!(passes(suite), "under a user manager: see above");
}

/// The tests that need a user manager to themselves.
#[test]
fn under_systemd_alone() {
    each_alone("e2e::systemd::");
}
