//! Everything that the shell may be asked to do. Each is started without waiting; what comes of it is an event.

use super::classify::{Class, Evidence};
use super::event::{Signals, Ticket};
use super::id::SessionId;
use super::record::{Record, State};
use super::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make this record durable; answered by `Saved` or `SaveFailed`. Saves of one session never overtake each other.
    Save(Box<Record>),
    /// Write the start order and ask the service manager for a host; `Linked` or `StartFailed` follows.
    Launch {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// What to execute.
        argv: Vec<Text>,
        /// What to execute instead, where there is no conversation that `argv` could resume.
        otherwise: Option<Box<Otherwise>>,
        /// Where.
        cwd: Text,
        /// The ticket whose environment it takes, where that brought one, else that of its last start order. The
        /// ticket's last reply never comes before this.
        environment: Option<Ticket>,
        /// Nobody asked for this start: where no environment of it is kept, the service manager's has to do.
        by_itself: bool,
        /// Its last start order has a stand-in's environment: the ticket's is better.
        renew: bool,
        /// Folder in which its own `PATH` led to its program: a stand-in's may not lead there. Empty for none.
        found_in: Text,
        /// Names of the variables that it had at its dispatch: those that it will lack are told by `Lacking`.
        had: Vec<String>,
    },
    /// End a session's process: by its host, and by the service manager where the host does not answer. `Exited` or
    /// `HostLost` of that generation follows, also where there was none.
    Stop {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// Milliseconds from polite to SIGKILL.
        grace_ms: u32,
    },
    /// Look at a session's screen, and at the file that its agent keeps about itself; answered by `Seen`, whatever comes of
    /// it.
    Look {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// Its process.
        child_pid: u32,
        /// See [`Signs::own`](super::status::Signs::own).
        own: Vec<String>,
    },
    /// Remove a session's files and its start order; answered by `Removed`.
    Remove {
        /// Whose.
        id: SessionId,
    },
    /// One answer to a request. Every ticket gets exactly one with `last`, also after its client has gone.
    Reply {
        /// Whose.
        ticket: Ticket,
        /// What.
        reply: Reply,
        /// No more follows.
        last: bool,
    },
    /// Append to the event journal, the session's timeline and the log.
    Journal(Entry),
    /// Have a supervisor started at the next boot or login, or no longer.
    ComeBack(bool),
    /// Watch the programs at these paths, and no others: what lies there is told by `Program`, at once and after each
    /// change.
    WatchPrograms(BTreeSet<Text>),
    /// The line that the service manager shows.
    StatusLine(String),
    /// Leave; unless asked to, not where a client connected in the meantime.
    Leave {
        /// By a client, who is still connected.
        asked: bool,
    },
}

/// See [`Action::Launch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otherwise {
    /// Where the conversation's file is, if there is one: `$NAME` and `~` stand for what the session's environment has,
    /// `*` for any part of a name. Without any of these files there is no conversation.
    pub kept: Vec<String>,
    /// What to execute then.
    pub argv: Vec<Text>,
}

/// A line of the event journal and of a session's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number: from 1, without gaps.
    pub seq: u64,
    /// Wall clock, ms since the epoch.
    pub at_ms: u64,
    /// Whose; none for the supervisor's own.
    pub id: Option<SessionId>,
    /// Its name at the time.
    #[serde(default)]
    pub name: String,
    /// `created started state stopped exited removed renamed pinned unpinned adopted lost attached detached alert
    /// log-gap save-failed restart-due restart-refused roll-refused environment program-replaced` and `supervisor-…`.
    pub event: String,
    /// State after it.
    pub state: Option<State>,
    /// For people; printable.
    #[serde(default)]
    pub text: String,
    /// Who asked for it: `abide stop (pid 123, from bash)`; empty for what happened by itself.
    #[serde(default)]
    pub by: String,
    /// The request that it came of: 32 hex digits for a `run`, else a number of the supervisor's; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
}

/// A session as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The record.
    pub record: Record,
    /// What its host reports; none while it has no process.
    pub signals: Option<Signals>,
    /// Somebody is attached who may type.
    pub attended: bool,
    /// It runs a program of its agent's that was replaced since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

/// Answers of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
// Named from outside: a tag among the fields would have a reader buffer the whole list before it understands it.
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done; per target where there are several.
    Done {
        /// Sessions that it was done to.
        sessions: Vec<View>,
    },
    /// A list, oldest first, in one or more answers.
    List {
        /// The next sessions of it.
        sessions: Vec<View>,
    },
    /// One session.
    Session {
        /// It.
        session: Box<View>,
    },
    /// Sessions that were rolled, or will be when their turn is over.
    Rolled {
        /// These.
        sessions: Vec<View>,
        /// Those that were not, and why: a sentence each.
        left: Vec<String>,
    },
    /// An explanation.
    Why {
        /// The session.
        session: Box<View>,
        /// Plain sentences: the evidence, then the rule.
        reasons: Vec<String>,
    },
    /// An event.
    Event {
        /// It.
        entry: Entry,
    },
    /// What the client is.
    Who {
        /// It; `attended` as its session is now, where it is inside of one.
        class: Box<Class>,
        /// The session that it is inside of, where this supervisor has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Box<View>>,
        /// What that was concluded from.
        evidence: Box<Evidence>,
    },
    /// A hook's report was taken note of.
    Hooked {
        /// What the agent is, as in `Who`.
        class: Box<Class>,
        /// Its session, as in `Who`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Box<View>>,
    },
    /// About the supervisor.
    Daemon {
        /// Process id.
        pid: u32,
        /// Version of its program.
        version: String,
        /// `transient` or `service`.
        origin: super::record::Origin,
        /// Wall clock of its start, ms since the epoch.
        started_ms: u64,
        /// Sessions with a process.
        live: usize,
        /// Sessions in all.
        sessions: usize,
        /// What keeps it here, or when it leaves; for people.
        holding: String,
        /// Sessions that run a program of their agent's that was replaced since.
        #[serde(default)]
        outdated: usize,
        /// Of these, those that are started anew as soon as their turn is over.
        #[serde(default)]
        rolling: usize,
        /// How far the exchange of its program is; none from one that knows no such thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upgrade: Option<super::upgrade::Status>,
    },
    /// Not done.
    Error {
        /// See [`ErrorKind`].
        kind: ErrorKind,
        /// What failed, on what.
        message: String,
        /// What to do next; empty for nothing.
        hint: String,
    },
}

/// Classes of errors, by what a caller does about them (and so by exit code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// It failed: 1.
    Failed,
    /// The request makes no sense: 2.
    Usage,
    /// No such session, or more than one: 3.
    NoSession,
    /// Refused to protect data: 4.
    Protected,
}
