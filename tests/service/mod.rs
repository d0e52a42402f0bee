//! Where hosts and the supervisor run: the promises of the service port, by the programs as they are.
//!
//! | Tests | Where |
//! |---|---|
//! | `launchd::` | here, as far as its property lists can be judged without a Mac |
//! | `standalone::` | here |
//! | `systemd::` | each in a user manager of its own (shown as ignored here) |

mod launchd;
mod standalone;
mod systemd;

use crate::support::each_alone;

/// The tests that need a user manager to themselves.
#[test]
fn under_systemd_alone() {
    each_alone("service::systemd::");
}
