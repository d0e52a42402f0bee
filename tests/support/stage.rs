//! Where the suite runs: on its own, or inside a real `systemd --user`.
//!
//! The same tests run on both stages. `cargo test` runs them standalone; the test `e2e::under_systemd` starts this
//! very program again inside a user manager of its own (`tests/support/user-manager`), with these variables:
//!
//! | Variable | Says |
//! |---|---|
//! | `ABIDE_TEST_STAGE` | `systemd` inside a user manager |
//! | `ABIDE_TEST_PROGRAMS` | the folder of the three programs, where it is seen under another path there |
//! | `ABIDE_TEST_SOURCE` | the source tree, likewise |

use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No service manager.
    Standalone,
    /// Under a user manager.
    Systemd,
}

impl Stage {
    /// The one that this process is on.
    pub(crate) fn current() -> Self {
        match std::env::var("ABIDE_TEST_STAGE").as_deref() {
            Ok("systemd") => Self::Systemd,
            Ok(other) => panic!("ABIDE_TEST_STAGE={other}: only `systemd` is known"),
            Err(_) => Self::Standalone,
        }
    }
}

/// One of the three programs under test.
pub(crate) fn program(name: &str) -> PathBuf {
    match std::env::var_os("ABIDE_TEST_PROGRAMS") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => PathBuf::from(env!("CARGO_BIN_EXE_abide")).with_file_name(name),
    }
}

/// The source tree.
pub(crate) fn source() -> PathBuf {
    std::env::var_os("ABIDE_TEST_SOURCE").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}
