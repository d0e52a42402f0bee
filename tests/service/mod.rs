//! Where hosts and the supervisor run: the promises of the service port, by the programs as they are.
//!
//! | Tests | Where |
//! |---|---|
//! | `standalone::` | here |
//! | `systemd::` | each in a user manager of its own (shown as ignored here) |

mod standalone;
mod systemd;

use crate::support::each_alone;

/// The tests that need a user manager to themselves.
#[test]
fn under_systemd_alone() {
    each_alone("service::systemd::");
}
