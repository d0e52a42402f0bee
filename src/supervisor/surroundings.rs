//! Where this supervisor finds itself: the machine's boot, the namespaces, the user's service manager, and the
//! environment that it was given.

use crate::agents;
use crate::core::environment;
use crate::core::event::Here;
use crate::core::record::{Era, Instance};
use crate::core::text::Text;
use crate::service::Manager;
use crate::sys::{clock, process};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Looks around.
pub(super) fn here(manager: &Manager, comes_back: bool) -> Here {
    let env_names = super::prepare::names(&environment());
    Here { era: era(), booted_ms: clock::booted_ms(), manager: instance(manager), comes_back, env_names }
}

/// The environment of a session that nobody starts: the one that this supervisor was given by the service manager (or,
/// without one, by the command that started it: where the home is and who the user is, and nothing else).
pub(super) fn environment() -> Vec<Text> {
    let variables = std::env::vars_os().map(|(name, value)| {
        let mut text = name.into_vec();
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        Text(text)
    });
    environment::scrub(variables, &agents::markers())
}

fn era() -> Era {
    Era {
        boot_id: clock::boot_id(),
        pid1_start: process::start_time(1),
        pid_ns: clock::namespace("pid"),
        time_ns: clock::namespace("time"),
    }
}

fn instance(manager: &Manager) -> Option<Instance> {
    let pid = manager.pid()?;
    // Without its start time an id says nothing: the next manager may have the same.
    let start = Some(process::start_time(pid)).filter(|start| *start > 0)?;
    Some(Instance { pid, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_is_one_era_and_is_not_the_past() {
        let here = here(&Manager::Standalone, false);
        assert_eq!(here.era, era());
        assert!(here.era.pid1_start > 0 || cfg!(not(target_os = "linux")));
        assert_eq!(here.manager, None);
        assert!(here.booted_ms > 0 && here.booted_ms <= clock::wall_ms());
        assert!(here.env_names.iter().any(|name| name == "PATH"));
    }
}
