//! Who somebody is, gathered from what the kernel says: the evidence that [`crate::core::classify`] judges.
//!
//! | File | Gathers |
//! |---|---|
//! | `ancestors` | a process and its ancestors, each the very one that it was read for |
//! | `roles` | multiplexers and vendors' own programs among them |
//! | `unit` | what a control group says |
//! | `hosts` | which of them are hosts, for who is no supervisor: the hosts are asked |
//!
//! Nothing here looks at a variable. Everything that is read about a process may be about a later one that got its id;
//! so a peer must prove that it was there all the while: by the handle that the kernel gives with a connection, or,
//! where it gives none (Linux before 6.5), by the start time that it stated when it was there.

mod ancestors;
mod hosts;
mod roles;
mod unit;

pub use roles::Mark;

use crate::core::classify::{Evidence, Proc, Role, Unit};
use crate::paths::Paths;
use crate::registry::Registry;
use crate::sys::peer::Credentials;
use crate::sys::process::{self, Process};
use std::collections::HashMap;
use std::fmt;

/// What to look for.
pub struct Look<'a> {
    /// Tells the units of this abide from another's: [`Paths::tag`].
    pub tag: Option<&'a str>,
    /// Programs by which vendors of agents run sessions.
    pub marks: &'a [Mark],
    /// The supervisor that asks; 0 for none.
    pub supervisor: u32,
    /// Who is registered.
    pub agents: &'a dyn Agents,
}

/// Agents that are known by their processes.
pub trait Agents {
    /// The profile of the registered agent with this process id and start time.
    fn at(&self, pid: u32, start: u64) -> Option<String>;
}

impl Agents for Registry {
    fn at(&self, pid: u32, start: u64) -> Option<String> {
        self.agent_at(pid, start)
    }
}

impl fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// Of the process at the other end of a connection. `stated`: the start time that it gave of itself. Which of its
/// ancestors are hosts is left to [`Evidence::place`].
pub fn of_peer(peer: &Credentials, stated: Option<u64>, look: &Look<'_>) -> Evidence {
    // Outside of our process namespace.
    if peer.pid == 0 {
        return Evidence::default();
    }
    let evidence = of_process(peer.pid, look);
    let start = evidence.chain.first().map_or(0, |p| p.start);
    let proved = match peer.is_held() {
        true => peer.still_alive(),
        false => start > 0 && stated == Some(start) && process::is_running(peer.pid, start),
    };
    if proved { evidence } else { Evidence { gone: true, ..Evidence::default() } }
}

/// Of this very process, without a supervisor.
pub fn of_self(paths: &Paths, look: &Look<'_>) -> Evidence {
    let mut evidence = of_process(std::process::id(), look);
    let live = hosts::among(&evidence.chain, paths);
    evidence.place(&live);
    evidence
}

fn of_process(pid: u32, look: &Look<'_>) -> Evidence {
    let found = ancestors::of(pid);
    let mut starts: HashMap<u32, u64> = found.iter().map(|(pid, p)| (*pid, p.start)).collect();
    let mut chain: Vec<Proc> = Vec::with_capacity(found.len());
    for (pid, p) in found {
        let ours = process::user(pid).is_ok_and(|uid| uid == nix::unistd::geteuid().as_raw());
        let leader = u32::try_from(p.session).unwrap_or(0);
        chain.push(Proc {
            pid,
            start: p.start,
            ours,
            group: p.group,
            session: p.session,
            terminal: p.terminal,
            foreground: p.foreground,
            leader_start: match p.terminal {
                0 => 0,
                _ => *starts.entry(leader).or_insert_with(|| process::start_time(leader)),
            },
            role: role(pid, &p, ours, look),
            agent: if ours { look.agents.at(pid, p.start) } else { None },
            name: p.name,
        });
    }
    let mut evidence = Evidence { chain, ..Evidence::default() };
    evidence.unit = match evidence.subject() {
        Some(subject) => unit::of(subject.pid, look.tag),
        None => Unit::Unknown,
    };
    evidence
}

fn role(pid: u32, p: &Process, ours: bool, look: &Look<'_>) -> Role {
    match ours {
        _ if pid == look.supervisor => Role::Supervisor,
        true => roles::of(pid, &p.name, look.marks),
        false => Role::Plain,
    }
}

#[cfg(test)]
mod tests;
