//! Leaving an agent, and coming back to it.
//!
//! Who ends an agent from within an attached session (`/exit`, Ctrl-C, Ctrl-D) has left it and has not given it up: the
//! session is parked. So it is when all of this holds, as far as is known:
//!
//! | | Else |
//! |---|---|
//! | `park_on_leave` of the settings | as any other end |
//! | nobody wanted it stopped, removed or started anew | that is what becomes of it |
//! | its process ended by itself, with a status that means leaving: 0, 130, or by SIGINT | it failed |
//! | a terminal was attached that may type | nobody left it: it is done |
//! | its agent resumes the conversation | there is nothing to come back to: it is done |
//!
//! The next attach or input resumes what is parked where it left off. Nothing else is ever resumed that way: not what
//! was stopped, not what would begin anew, and not what another container still runs.

use super::action::{ErrorKind, Reply};
use super::address::Problem;
use super::event::Ticket;
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::By;
use super::record::{Desired, Exit, State};
use super::requests::{Goal, shown_state};
use super::session::{ELSEWHERE, Phase, Session};
use std::collections::BTreeMap;

/// Exit status of what Ctrl-C ended, as shells count.
const INTERRUPTED: u8 = 130;
/// Its signal.
const SIGINT: u8 = 2;

/// Whether this is how an agent ends that its user left.
pub fn is_leaving(exit: &Exit) -> bool {
    exit.cause == "own" && (matches!(exit.code, Some(0 | INTERRUPTED)) || exit.signal == Some(SIGINT))
}

impl Session {
    /// Its user left it by ending it so.
    pub(super) fn is_left(&self, exit: &Exit) -> bool {
        let attended = self.signals.as_ref().is_some_and(|signals| signals.writers > 0);
        let wanted = self.record.desired == Desired::Running && !self.respawning();
        wanted && attended && self.record.agent.is_some() && self.record.resumes && is_leaving(exit)
    }

    /// The next attach or input brings it back.
    pub(super) fn is_resumable(&self) -> bool {
        let elsewhere = self.record.exit.as_ref().is_some_and(|exit| exit.cause == ELSEWHERE);
        self.phase == Phase::Ended
            && self.record.state == State::Parked
            && self.record.desired == Desired::Running
            && self.record.resumes
            && !elsewhere
    }
}

impl Fleet {
    /// Has a process for it: the one that is there, or that of its conversation, resumed.
    pub(super) fn resume(&mut self, ticket: Ticket, by: &By, id: SessionId) -> Result<(), Problem> {
        let Some(s) = self.touch(id) else { return Ok(()) };
        let comes = match s.phase {
            Phase::Waiting { .. } | Phase::Launching | Phase::Alive => s.record.desired == Desired::Running,
            Phase::Ended | Phase::Stopping { .. } | Phase::Removing | Phase::Stuck => s.respawning(),
        };
        if s.is_resumable() && !s.respawning() {
            s.record.generation += 1;
            s.decided();
            s.environment = Some(ticket);
            s.by = by.clone();
            s.save_first();
        } else if !comes {
            let state = shown_state(s.record.state);
            let message = format!("{} is {state} and is not resumed by itself", s.record.name);
            let hint = format!("`abide respawn {id}` starts it again");
            return Err(Problem::new(ErrorKind::Failed, message, hint));
        } else if s.phase == Phase::Alive && !s.respawning() {
            let session = Box::new(s.view());
            self.reply(ticket, Reply::Session { session }, true);
            return Ok(());
        }
        self.await_goals(ticket, true, BTreeMap::from([(id, Goal::Started)]));
        Ok(())
    }
}
