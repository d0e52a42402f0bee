//! Everything that can happen.

use super::classify::Evidence;
use super::hook::Report;
use super::id::SessionId;
use super::record::{Era, Exit, Host, Instance, Origin, Record, Restart, SpawnedBy};
use super::status::Signs;
use super::text::Text;
use serde::{Deserialize, Serialize};

/// The present: a suspend-aware monotonic clock for rules, the wall clock for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Awake milliseconds since the supervisor's start.
    pub awake_ms: u64,
    /// Wall clock, ms since the Unix epoch.
    pub wall_ms: u64,
}

/// A request under way: where its answers go. Chosen by the shell, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Who asks, from the kernel's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Process id.
    pub pid: u32,
    /// Its parent's program name (the shell or agent that ran the command).
    pub label: String,
    /// Working directory of the peer.
    pub cwd: Text,
    /// How this request is named in the journal.
    pub request: String,
    /// For what depends on who asks (`run`, `who`, `hook`); none where it was not looked for.
    pub evidence: Option<Box<Evidence>>,
}

/// Names one session: its id, a unique prefix of it, or its name.
pub type Address = String;

/// What a client can ask of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Command {
    /// Make a session.
    Run(RunSpec),
    /// All sessions, or those that are not over.
    List {
        /// Finished ones too.
        all: bool,
        /// Only those whose working directory is this or below.
        cwd: Option<Text>,
    },
    /// One session.
    Show {
        /// Which.
        target: Address,
    },
    /// End the processes of these; they stay listed.
    Stop {
        /// Which; empty with `all`.
        targets: Vec<Address>,
        /// All that have a process.
        all: bool,
        /// Milliseconds from the polite signals to SIGKILL; none for the configured grace.
        grace_ms: Option<u32>,
    },
    /// Start these anew, resuming where their profile can.
    Respawn {
        /// Which; empty with `all`.
        targets: Vec<Address>,
        /// All that have a process.
        all: bool,
    },
    /// Start anew every session whose agent's program was replaced since its start; see [`super::roll`].
    Roll {
        /// Each when its turn is over, and nobody is attached.
        when_idle: bool,
    },
    /// Have a process for this one: the one that is there, or, where it is parked, its conversation resumed.
    Resume {
        /// Which.
        target: Address,
    },
    /// Remove these and their files.
    Rm {
        /// Which.
        targets: Vec<Address>,
    },
    /// Exempt from idle eviction, or not.
    Pin {
        /// Which.
        targets: Vec<Address>,
        /// Or unpin.
        pinned: bool,
    },
    /// A new name.
    Rename {
        /// Which.
        target: Address,
        /// To what.
        name: String,
    },
    /// The evidence and the rules behind what is shown.
    Why {
        /// Which.
        target: Address,
    },
    /// Answered when the session is in one of these states, at once if it already is.
    Wait {
        /// Which.
        target: Address,
        /// Any of these (listed names); empty: any in which its turn is over.
        states: Vec<String>,
    },
    /// The numbered events after `since`; then each new one, where `follow`.
    Events {
        /// Last number already seen.
        since: u64,
        /// Stay.
        follow: bool,
        /// Only of this session.
        target: Option<Address>,
    },
    /// What the client is, by the kernel's evidence.
    Who,
    /// An agent's hook was called: what it says, and what it is.
    Hook {
        /// What it says.
        report: Box<Report>,
    },
    /// About the supervisor itself.
    Daemon,
    /// The supervisor is to leave. Sessions stay.
    Quit,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSpec {
    /// Random, 32 hex digits: a repetition of the request finds the same session.
    pub request: String,
    /// A free name, else one is derived.
    pub name: Option<String>,
    /// Profile; none for a plain command.
    pub agent: Option<String>,
    /// A plain command, or an agent's further arguments.
    pub argv: Vec<Text>,
    /// An agent's first prompt.
    pub prompt: Option<String>,
    /// Working directory.
    pub cwd: Text,
    /// Names of the variables of its environment (the values travel beside the core).
    pub env_names: Vec<String>,
    /// Exempt from idle eviction from the start.
    pub pinned: bool,
    /// What becomes of it after a reboot; none: as the settings say.
    #[serde(default)]
    pub restart: Option<Restart>,
    /// Of `env_names`, those that the user named: it is not started without them by itself.
    #[serde(default)]
    pub asked_for: Vec<String>,
}

/// The commands of a session, made by the shell from a profile (or the plain command).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// First start.
    pub argv: Vec<Text>,
    /// Respawn; empty: as `argv`.
    pub respawn_argv: Vec<Text>,
    /// See [`Record::resume`].
    pub resume: Vec<Text>,
    /// See [`Record::anew`].
    pub anew: Vec<Text>,
    /// See [`Record::kept`].
    pub kept: Vec<String>,
    /// Conversation id that was preset.
    pub session_id: Option<String>,
    /// Name to derive from, where none was given.
    pub name_hint: String,
    /// For lists.
    pub intent: String,
    /// `respawn_argv` resumes the very conversation.
    pub resumes: bool,
    /// The argument by which it skips its agent's permission checks; empty for none.
    pub unguarded: String,
    /// Variables that the agent cannot do without where it had them: names, or beginnings of names with a `*`.
    pub needs: Vec<String>,
    /// Folder in which the `PATH` of its environment leads to the program; empty for none.
    pub found_in: Text,
    /// The program that was found; empty for none.
    pub program: super::roll::Program,
    /// How the agent shows what it does.
    pub signs: Signs,
}

/// Where a supervisor finds itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// Times of another are never compared with times of this one.
    pub era: Era,
    /// When the machine was started, wall clock, ms since the epoch; 0 where that is not known.
    pub booted_ms: u64,
    /// The user's service manager; none where there is none.
    pub manager: Option<Instance>,
    /// A supervisor is started at the next boot or login, as the last one has left it.
    pub comes_back: bool,
    /// Names of the variables that a session gets which nobody starts.
    pub env_names: Vec<String>,
}

/// A host found alive (or its remains) at the supervisor's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The session.
    pub id: SessionId,
    /// Which start.
    pub generation: u64,
    /// What was found.
    pub what: Remains,
}

/// See [`Found`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// A host that answered.
    Alive(Host),
    /// An exit record.
    Ended(Exit),
    /// A start order that no host has taken; it was withdrawn, so that none will. Reported again at the next start
    /// for as long as the withdrawn order lies there.
    Withdrawn,
    /// The order of this generation was taken by a host, of which nothing else was found: it may have run.
    Taken,
    /// Its last sign of life in its files: wall clock, ms since the epoch.
    Seen(u64),
    /// A host of it lives where it cannot be reached: in another container that shares its folder.
    Elsewhere,
}

/// A host's report, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Signals {
    /// Terminals that may type.
    pub writers: u16,
    /// Terminals that only look.
    pub readers: u16,
    /// Bytes written so far.
    pub offset: u64,
    /// Output bytes lost to a failing disk.
    pub unlogged: u64,
    /// Error number of that disk's last failure.
    pub log_errno: u16,
    /// Wrote something in the last seconds.
    pub active: bool,
    /// The child itself is in the terminal's foreground.
    pub leader_foreground: bool,
    /// Window title.
    pub title: String,
    /// Last `OSC 7501` report of the program about itself.
    pub program: String,
    /// Last `OSC 7501` reports about parts of its work that wait for the user.
    pub blocked: Vec<String>,
    /// Last `OSC 133` mark, 0 for none.
    pub prompt_mark: u8,
    /// Last notification.
    pub notification: String,
    /// Counts bells and notifications.
    pub alerts: u32,
    /// Counts inputs.
    pub inputs: u32,
}

/// What a look at a session brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Its screen, with colours; none where its host did not tell.
    pub screen: Option<Vec<u8>>,
    /// The file that its agent keeps about itself; none where there is none that can be read.
    pub own: Option<String>,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and never kept")]
pub enum Event {
    /// Once, first: what the disk and the runtime folder hold.
    Adopt {
        /// All readable records.
        records: Vec<Record>,
        /// Hosts and exits that were found.
        found: Vec<Found>,
        /// Where this supervisor is.
        here: Here,
        /// How this supervisor was started.
        origin: Origin,
        /// Last number in the event journal.
        last_event: u64,
        /// The journal's last entries, oldest first; as many as the settings' `events_tail` at most.
        recent: Vec<super::action::Entry>,
    },
    /// A client asks.
    Command {
        /// Where the answer goes.
        ticket: Ticket,
        /// Who.
        peer: Peer,
        /// What. For `Run` a fresh id and the plan come along.
        command: Command,
        /// For `Run`: a random id that no folder has, and what to execute.
        draft: Option<(SessionId, Plan)>,
    },
    /// The client of a ticket has gone.
    Gone {
        /// Which.
        ticket: Ticket,
    },
    /// A record is durable.
    Saved {
        /// Whose.
        id: SessionId,
        /// Which revision.
        revision: u64,
    },
    /// A record could not be made durable.
    SaveFailed {
        /// Whose.
        id: SessionId,
        /// Which revision.
        revision: u64,
        /// Why, for people.
        message: String,
    },
    /// The start could not even be asked for, or the host reported that it failed; nothing runs.
    StartFailed {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// Why, for people: what failed, on what, what to do.
        message: String,
        /// The command or the folder is at fault, rather than the system.
        users_fault: bool,
    },
    /// A host reported that its child runs, or was found, and is watched now.
    Linked {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// Its host.
        host: Host,
    },
    /// The environment of a start did not have all that the session had at its dispatch.
    Lacking {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// The names of what it lacks; empty for none.
        names: Vec<String>,
        /// It is the service manager's environment.
        stand_in: bool,
        /// Folder in which its `PATH` leads to the program; empty for none.
        found_in: Text,
        /// The program that was found; empty for none.
        program: super::roll::Program,
    },
    /// What lies at the path of a watched program.
    Program {
        /// The path.
        path: Text,
        /// What the file system says of it; empty for nothing.
        stamp: String,
    },
    /// A watched host reported.
    Status {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// What.
        signals: Signals,
    },
    /// A look that was asked for.
    Seen {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// What.
        seen: Seen,
    },
    /// The session's process ended, by its exit record.
    Exited {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// How.
        exit: Exit,
    },
    /// The connection to a host ended without an exit record, and a new one could not be had.
    HostLost {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
    },
    /// A session's files are gone (or could not be removed).
    Removed {
        /// Whose.
        id: SessionId,
        /// Why not, for people; none when done.
        error: Option<String>,
    },
    /// Clients connected to the supervisor now, this many.
    Clients(usize),
    /// The exchange of the supervisor's program came further: what clients are told from now on, and what the journal
    /// is told.
    Upgrade {
        /// For clients.
        status: Box<super::upgrade::Status>,
        /// The event's name, and a text.
        tell: Option<(&'static str, String)>,
    },
    /// A deadline came.
    Tick,
}

/// Who dispatched, from a peer.
impl From<&Peer> for SpawnedBy {
    fn from(peer: &Peer) -> Self {
        Self { label: peer.label.clone(), cwd: peer.cwd.clone(), pid: peer.pid }
    }
}
