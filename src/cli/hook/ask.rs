//! What the agent is: by the supervisor, or without one.

use super::within;
use crate::client::control::{Control, Start};
use crate::core::action::{Reply, View};
use crate::core::classify::{Class, classify};
use crate::core::event::Command;
use crate::core::hook::Report;
use crate::evidence::{self, Look, Mark};
use crate::paths::Paths;
use crate::registry::Registry;
use crate::sys::locks;
use std::time::Duration;

/// One that has not answered by then is not waited for.
const WITHIN: Duration = Duration::from_millis(400);

/// What is known of the agent.
pub(super) struct Known {
    pub(super) class: Class,
    /// The session that it is inside of, where the supervisor has it.
    pub(super) session: Option<Box<View>>,
    pub(super) by_the_supervisor: bool,
}

/// Tells the supervisor what the agent said, and learns what that is.
pub(super) fn ask(paths: &Paths, registry: &Registry, report: &Report) -> Known {
    asked(paths, report).unwrap_or_else(|| Known {
        class: looked(paths, registry),
        session: None,
        by_the_supervisor: false,
    })
}

/// None where no supervisor runs, or it does not answer.
fn asked(paths: &Paths, report: &Report) -> Option<Known> {
    // Where a service manager listens, a connection would start one.
    if !locks::is_held(&paths.daemon_lock()) {
        return None;
    }
    let (paths, command) = (paths.clone(), Command::Hook { report: Box::new(report.clone()) });
    let answer = within(WITHIN, move || Control::connect(&paths, Start::Never)?.ask(command, None))?;
    match answer {
        Ok(Reply::Hooked { class, session }) => {
            Some(Known { class: *class, session, by_the_supervisor: true })
        }
        Ok(_) | Err(_) => None,
    }
}

fn looked(paths: &Paths, registry: &Registry) -> Class {
    let (tag, marks) = (paths.tag(), Mark::all(paths));
    let look = Look { tag: tag.as_deref(), marks: &marks, supervisor: 0, agents: registry };
    classify(&evidence::of_self(paths, &look))
}
