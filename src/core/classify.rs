//! Who somebody is: from the kernel's evidence about its process, never from a variable or from what it says of itself.
//!
//! The *subject* is whose class is asked for: the nearest registered agent among the peer and its ancestors, so that a
//! hook or a tool is classified by its agent; without one, the peer. The first row that holds decides:
//!
//! | | Evidence | Kind | Template | Attended |
//! |---|---|---|---|---|
//! | 0 | the process had gone before it was looked at, or cannot be seen from here | unknown | – | unknown |
//! | 0 | it is the supervisor, or a host | daemon, daemon-worker | – | no |
//! | 1 | its ancestry reaches a live host, or its control group is a session's unit | bg | bg | as that session is now |
//! | 1 | its terminal, or its nearest ancestor's, is led by a live host's child (numbers of terminals recycle, and are not looked at) | bg | bg | as that session is now |
//! | 2 | a vendor's background host is between it and the user | bg | bg | no |
//! | 2 | a vendor's daemon that serves attended and unattended clients alike is | unknown | – | unknown |
//! | 3 | it has a controlling terminal, in whose foreground it may or may not be | interactive | foreground | as the terminal's owner tells |
//! | 4 | it has none, and an ancestor of the same user has one | interactive | foreground | unknown |
//! | 4 | it has none, and a terminal multiplexer or a program of the user's desktop started it | interactive | foreground | unknown |
//! | 5 | nothing of these: cron, CI, a unit, `ssh` without a terminal | interactive | none | no |
//!
//! What was declared (`run`, a hook, a call by MCP) says what a new session is *for*, and is no evidence about who asks.
//! The owner of a terminal is the first process above those that have it. A multiplexer tells whether it is shown: on
//! none, then nobody is there; on one or more, then somebody may be, since which of its windows they see is not known. Of
//! a multiplexer further up, with another terminal in between, only that it is shown says something.
//!
//! Being in the foreground group of a terminal says that keys may be typed now, and nothing else: it is wrong as a rule
//! in both directions (`cmd &`, and `tmux new -d` with nobody attached).

use super::id::SessionId;
use super::naming::printable;
use super::record::{Instance, Kind, Template};
use serde::{Deserialize, Serialize};

/// Whether a person is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attended {
    /// A terminal on which somebody can type shows it.
    Yes,
    /// None does.
    No,
    /// There is no telling.
    #[default]
    Unknown,
}

/// What a process is, as far as that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Nothing special.
    #[default]
    Plain,
    /// The supervisor that asks.
    Supervisor,
    /// The live host of this session.
    Host(SessionId),
    /// A terminal multiplexer's server: whether a terminal is attached to it, where that can be seen.
    Multiplexer(Option<bool>),
    /// An agent vendor's own host of unattended sessions.
    VendorBackground,
    /// An agent vendor's daemon that serves whoever comes.
    VendorShared,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proc {
    /// Process id.
    pub pid: u32,
    /// Start time, in the platform's unit.
    pub start: u64,
    /// Its program's name; printable.
    pub name: String,
    /// It runs under the same user as the supervisor.
    pub ours: bool,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Device number of its controlling terminal; 0 for none.
    pub terminal: u64,
    /// Foreground process group of that terminal; -1 for none.
    pub foreground: i32,
    /// With a terminal: start time of the process that leads its session, which is the terminal's; 0 where it is gone.
    pub leader_start: u64,
    /// See [`Role`].
    pub role: Role,
    /// It is a registered agent: the name of its profile.
    pub agent: Option<String>,
}

/// What a control group says about where a process was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nothing that helps.
    #[default]
    Unknown,
    /// A session's own unit.
    Session(SessionId),
    /// A program that the user's desktop started (`app-….scope`, `app-….service`).
    Desktop(String),
    /// A service, with its name.
    Service(String),
    /// A login (`session-….scope`).
    Login(String),
}

/// All that was found out about a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// The process was gone, or its id another's, by the time it had been looked at.
    pub gone: bool,
    /// The peer, its parent, and so on, up to what the system still tells.
    pub chain: Vec<Proc>,
    /// See [`Unit`]; a session's where the subject or one of its ancestors is in one, else the subject's.
    pub unit: Unit,
    /// The live host that owns the subject's controlling terminal.
    pub terminal_of: Option<SessionId>,
}

/// A session with a live host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// The session.
    pub id: SessionId,
    /// Process id of its host.
    pub host: u32,
    /// The child that it holds the terminal for, and which leads that terminal's session.
    pub child: Instance,
}

/// What somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    /// None where there is no telling.
    pub kind: Option<Kind>,
    /// None for what is neither a person's nor dispatched.
    pub template: Option<Template>,
    /// For a session's own processes [`Attended::Unknown`]: whoever knows the session says what it is now.
    pub attended: Attended,
    /// The session that it is inside of.
    pub session: Option<SessionId>,
    /// Row of the table above.
    pub row: u8,
    /// What was seen and what follows, as plain sentences.
    pub reasons: Vec<String>,
}

impl Proc {
    /// It is a registered agent of this user's. What is ours is none, whoever registered it.
    fn is_agent(&self) -> bool {
        self.ours && self.agent.is_some() && !matches!(self.role, Role::Host(_) | Role::Supervisor)
    }
}

impl Evidence {
    /// Whose class is asked for: the nearest registered agent, else the peer.
    pub fn subject(&self) -> Option<&Proc> {
        self.chain.iter().find(|p| p.is_agent()).or_else(|| self.chain.first())
    }

    /// Marks the hosts among the processes, and finds whose the terminal is. Start times tell each from a later process
    /// with its id: a child is known by its own, and a host is older than its child.
    pub fn place(&mut self, live: &[Live]) {
        for p in &mut self.chain {
            let of = live.iter().find(|l| l.host == p.pid && p.start > 0 && p.start <= l.child.start);
            if let Some(of) = of {
                p.role = Role::Host(of.id);
            }
        }
        let leader = self
            .subject_and_ancestors()
            .iter()
            .find(|p| p.ours && p.terminal != 0)
            .map(|p| Instance { pid: u32::try_from(p.session).unwrap_or(0), start: p.leader_start });
        let of = live.iter().find(|l| l.child.start > 0 && Some(l.child) == leader);
        self.terminal_of = of.map(|l| l.id);
    }

    /// The subject is an agent that another one of the same session started.
    pub fn is_nested(&self) -> bool {
        let inside = self.chain.iter().take_while(|p| !matches!(p.role, Role::Host(_)));
        inside.filter(|p| p.is_agent()).count() > 1
    }

    /// The subject and its ancestors.
    fn subject_and_ancestors(&self) -> &[Proc] {
        let subject = self.chain.iter().position(Proc::is_agent).unwrap_or(0);
        self.chain.get(subject..).unwrap_or_default()
    }
}

/// See the module.
pub fn classify(evidence: &Evidence) -> Class {
    let chain = evidence.subject_and_ancestors();
    let Some(subject) = chain.first().filter(|_| !evidence.gone) else {
        let why = match evidence.gone {
            true => "its process had gone before it could be looked at",
            false => "its process cannot be seen from here",
        };
        return class(None, None, Attended::Unknown, 0, why);
    };
    let who = named(subject);
    match subject.role {
        Role::Supervisor => {
            return class(Some(Kind::Daemon), None, Attended::No, 0, &format!("{who} is the supervisor"));
        }
        Role::Host(id) => {
            let text = format!("{who} is the host of session {id}");
            return Class {
                session: Some(id),
                ..class(Some(Kind::DaemonWorker), None, Attended::No, 0, &text)
            };
        }
        Role::Plain | Role::Multiplexer(_) | Role::VendorBackground | Role::VendorShared => {}
    }
    if let Some((id, why)) = inside(evidence, chain) {
        let text = format!("{who} is inside of session {id}: {why}");
        let bg = class(Some(Kind::Bg), Some(Template::Bg), Attended::Unknown, 1, &text);
        return Class { session: Some(id), ..bg };
    }
    if let Some(vendor) = chain.iter().find(|p| is_vendor(p.role)) {
        let host = named(vendor);
        return if vendor.role == Role::VendorBackground {
            let text = format!("{who} belongs to {host}, by which its vendor runs unattended sessions");
            class(Some(Kind::Bg), Some(Template::Bg), Attended::No, 2, &text)
        } else {
            let text =
                format!("{who} belongs to {host}, which serves attended and unattended sessions alike");
            class(None, None, Attended::Unknown, 2, &text)
        };
    }
    let foreground = |attended, row, text: &str| {
        class(Some(Kind::Interactive), Some(Template::Foreground), attended, row, text)
    };
    let multiplexer = chain.iter().find_map(|p| match p.role {
        Role::Multiplexer(attached) => Some((p, attached)),
        Role::Plain | Role::Supervisor | Role::Host(_) | Role::VendorBackground | Role::VendorShared => None,
    });
    if subject.terminal != 0 {
        let keys = if subject.group == subject.foreground { "in" } else { "not in" };
        let at = format!("{who} has a terminal ({}), {keys} its foreground", device(subject.terminal));
        let owner = chain.iter().find(|p| p.terminal != subject.terminal);
        let (attended, owner) = match multiplexer {
            None => (Attended::Yes, String::new()),
            Some((p, Some(true))) => (Attended::Yes, format!("; {} is shown on a terminal", named(p))),
            Some((p, Some(false))) if owner == Some(p) => {
                (Attended::No, format!("; {}, whose it is, is shown on none now", named(p)))
            }
            Some((p, Some(false) | None)) => {
                (Attended::Unknown, format!("; whether {} shows it is not known", named(p)))
            }
        };
        return foreground(attended, 3, &format!("{at}{owner}"));
    }
    if let Some(ancestor) = chain.iter().skip(1).find(|p| p.ours && p.terminal != 0) {
        let text = format!(
            "{who} has no terminal, and its ancestor {} has one ({})",
            named(ancestor),
            device(ancestor.terminal)
        );
        return foreground(Attended::Unknown, 4, &text);
    }
    if let Some((p, _)) = multiplexer {
        let text = format!("{who} has no terminal, and was started by {}", named(p));
        return foreground(Attended::Unknown, 4, &text);
    }
    if let Unit::Desktop(unit) = &evidence.unit {
        let text = format!(
            "{who} has no terminal, and is part of {}, a program of the desktop",
            printable(unit, 80)
        );
        return foreground(Attended::Unknown, 4, &text);
    }
    let place = match &evidence.unit {
        Unit::Service(unit) | Unit::Login(unit) => format!(" (in {})", printable(unit, 80)),
        Unit::Unknown | Unit::Session(_) | Unit::Desktop(_) => String::new(),
    };
    let text = format!("{who} has no terminal, and none of its ancestors has one{place}");
    class(Some(Kind::Interactive), None, Attended::No, 5, &text)
}

/// The session that the subject is inside of, and the evidence.
fn inside(evidence: &Evidence, chain: &[Proc]) -> Option<(SessionId, &'static str)> {
    let host = chain.iter().find_map(|p| match p.role {
        Role::Host(id) => Some(id),
        Role::Plain
        | Role::Supervisor
        | Role::Multiplexer(_)
        | Role::VendorBackground
        | Role::VendorShared => None,
    });
    if let Some(id) = host {
        return Some((id, "its ancestry reaches that session's host"));
    }
    if let Unit::Session(id) = evidence.unit {
        return Some((id, "its control group is that session's unit"));
    }
    evidence.terminal_of.map(|id| (id, "its terminal is that session's host's"))
}

fn is_vendor(role: Role) -> bool {
    matches!(role, Role::VendorBackground | Role::VendorShared)
}

fn class(
    kind: Option<Kind>,
    template: Option<Template>,
    attended: Attended,
    row: u8,
    evidence: &str,
) -> Class {
    let rule = match row {
        0 => "what cannot be looked at, or is abide itself, belongs to no session",
        1 => "whatever runs inside of a session is that session's, whatever its terminal",
        2 => "an agent that its vendor's own program runs is what that program is for",
        3 => "a terminal that no session owns is a person's, also where others have its keys",
        4 => "what a person's program started is the person's; whether they look is not known",
        _ => "without any terminal nobody is there, and nobody dispatched it either",
    };
    Class {
        kind,
        template,
        attended,
        session: None,
        row,
        reasons: vec![format!("{evidence}."), format!("Rule: {rule}.")],
    }
}

/// `bash (pid 12)`.
fn named(p: &Proc) -> String {
    let name = printable(&p.name, 40);
    if name.is_empty() { format!("pid {}", p.pid) } else { format!("{name} (pid {})", p.pid) }
}

/// A terminal's device number as people write it: Linux' encoding, which macOS' smaller numbers fit as well.
fn device(number: u64) -> String {
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
    format!("device {major}:{minor}")
}

#[cfg(test)]
mod tests;
