//! What is known of a session and must outlive the supervisor: the content of `jobs/<id>/state.json`.

use super::id::SessionId;
use super::roll::{Program, Roll};
use super::status::Kept;
use super::text::Text;
use serde::{Deserialize, Serialize};

/// What the user wants of a session. `Stopped` and `Removed` are tombstones, durable before anything is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// It should have a process (or be resumable, where it was parked).
    Running,
    /// It must not run until the user says so.
    Stopped,
    /// It and its files are to go.
    Removed,
}

/// What is listed. See the design's "States".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for its turn to start.
    Queued,
    /// Its host was asked for.
    Starting,
    /// Busy.
    Working,
    /// Needs the user.
    Blocked,
    /// Alive with nothing to do.
    Idle,
    /// Its process ended with status 0.
    Done,
    /// Its process or its host ended otherwise, or never started.
    Failed,
    /// Ended by the user.
    Stopped,
    /// Its process is gone and it can be resumed: evicted, rebooted, the service manager went down.
    Parked,
}

/// How lively a live session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tempo {
    /// Wrote something in the last seconds, or says that it works.
    Active,
    /// Silent.
    Idle,
    /// Waits for the user.
    Blocked,
}

/// Session kinds, as agent CLIs name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody's own terminal.
    Interactive,
    /// Dispatched by `run`.
    Bg,
    /// The supervisor.
    Daemon,
    /// A host.
    DaemonWorker,
}

/// Session templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// A person's.
    Foreground,
    /// Unattended by intent.
    Bg,
}

/// Where a name came from; only an automatic one is ever replaced automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameSource {
    /// `--name` or `rename`.
    User,
    /// Derived from the prompt or the command.
    Auto,
    /// An agent's plan.
    Plan,
}

/// Whether the supervisor was installed as a service when the session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Started on demand.
    Transient,
    /// By its installed unit or plist.
    Service,
}

/// Who dispatched it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpawnedBy {
    /// Program that asked, from the kernel's evidence (`bash`, `claude`).
    pub label: String,
    /// Its working directory.
    pub cwd: Text,
    /// Its process id.
    pub pid: u32,
}

/// A boot and what its clocks mean; times of another era are never compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Era {
    /// Boot id; empty where there is none.
    pub boot_id: String,
    /// Start time of pid 1, clock ticks.
    pub pid1_start: u64,
    /// Inode of the pid namespace.
    pub pid_ns: u64,
    /// Inode of the time namespace.
    pub time_ns: u64,
}

/// What becomes of a session that its machine, its container or the user's service manager took down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// It counts as stopped.
    Never,
    /// It is parked until somebody asks for it.
    #[default]
    Manual,
    /// It is started again when a supervisor next starts, within the bounds of [`super::restart`].
    Auto,
}

/// One process: with its start time an id is never another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Instance {
    /// Process id.
    pub pid: u32,
    /// Start time, in the platform's unit.
    pub start: u64,
}

/// The live (or last) host of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Host {
    /// Process id of the host.
    pub pid: u32,
    /// Process id of the child.
    pub child_pid: u32,
    /// Start time of the child, clock ticks.
    pub child_start: u64,
    /// Wall clock of the start, ms since the epoch.
    pub started_ms: u64,
    /// Build of the host.
    pub build: String,
    /// Protocol version in use.
    pub protocol: u16,
}

/// How the last process ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exit {
    /// Exit status, where it exited.
    pub code: Option<u8>,
    /// Signal, where one ended it.
    pub signal: Option<u8>,
    /// `own`, `asked`, `terminated`, `manager-stopping`, `host-lost`, `never-started`, `reboot`, `container`, `logout`,
    /// `elsewhere`.
    pub cause: String,
    /// What failed, for people; empty where nothing did.
    pub message: String,
    /// Wall clock, ms since the epoch.
    pub ended_ms: u64,
    /// CPU time of the child, µs.
    pub cpu_us: u64,
    /// Peak memory of the child, KiB.
    pub max_rss_kib: u64,
    /// How many of its processes the kernel killed for want of memory; 0 also where nobody counted.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_kills: u64,
    /// Output bytes of the session in all.
    pub offset: u64,
    /// Output bytes of this run that could not be logged.
    pub unlogged: u64,
}

/// Wall-clock times, ms since the epoch; 0 for never. For display and files only: no rule compares them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Times {
    /// Dispatched.
    pub created_ms: u64,
    /// Last change of the record.
    pub updated_ms: u64,
    /// Last start of a process.
    pub started_ms: u64,
    /// First and last end of work (idle, done or worse).
    pub first_terminal_ms: u64,
    /// See `first_terminal_ms`.
    pub last_terminal_ms: u64,
    /// Since when it is in its present state, and waits for what it waits for.
    #[serde(skip_serializing_if = "is_default")]
    pub since_ms: u64,
}

/// A session's record. Keys that this build does not know are kept in `extra`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Format version of the file.
    pub version: u32,
    /// The session.
    pub id: SessionId,
    /// As last known.
    pub state: State,
    /// As last known.
    pub tempo: Tempo,
    /// See [`Template`].
    pub template: Template,
    /// See [`Kind`].
    pub kind: Kind,
    /// Shown and usable as an address; unique among sessions that are not removed.
    pub name: String,
    /// See [`NameSource`].
    pub name_source: NameSource,
    /// Profile; none for a plain command.
    pub agent: Option<String>,
    /// First start's command.
    pub argv: Vec<Text>,
    /// Command of a respawn; empty: as `argv`. Never carries the prompt again.
    #[serde(default)]
    pub respawn_argv: Vec<Text>,
    /// Command that resumes a conversation; a NUL stands for its id. Empty where there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resume: Vec<Text>,
    /// Command that starts the agent anew where there is no conversation to resume, without a prompt; a NUL stands for
    /// the id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anew: Vec<Text>,
    /// Where the agent keeps a conversation, as its profile says it; empty where that is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kept: Vec<String>,
    /// What followed `--` for an agent, kept for respawns.
    #[serde(default)]
    pub respawn_flags: Vec<Text>,
    /// Working directory.
    pub cwd: Text,
    /// Names (never values) of the variables that its environment had.
    #[serde(default)]
    pub env_names: Vec<String>,
    /// The agent's own conversation id, where it has one.
    #[serde(default)]
    pub session_id: Option<String>,
    /// What it was asked to do, for lists; empty for plain commands.
    #[serde(default)]
    pub intent: String,
    /// See [`Origin`].
    pub origin: Origin,
    /// See [`SpawnedBy`].
    #[serde(default)]
    pub spawned_by: SpawnedBy,
    /// The session that it was dispatched from inside of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parent: Option<SessionId>,
    /// What the kernel said about who dispatched it, and what followed, as plain sentences.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dispatch: Vec<String>,
    /// Exempt from idle eviction.
    #[serde(default)]
    pub pinned: bool,
    /// What the user wants.
    pub desired: Desired,
    /// Moves on with every start and every stop. A host of an older one is never kept.
    pub generation: u64,
    /// The generation of the last start that was decided; 0 for none. Lower than `generation`: whatever still runs of
    /// that start is to end, and where `desired` is `Running` another start follows.
    #[serde(default)]
    pub start: u64,
    /// Counts saves of this record; of two copies the higher is the later.
    #[serde(default)]
    pub revision: u64,
    /// The request that made it, so that a repetition finds it: 32 hex digits.
    #[serde(default)]
    pub request: String,
    /// See [`Host`]; none while it has no process.
    #[serde(default)]
    pub host: Option<Host>,
    /// See [`Exit`]; of the last process.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// When its process was started last; once that is known to be gone with its era, the era in which that was found.
    #[serde(default)]
    pub era: Era,
    /// The user's service manager then; none where there was none, or an older build wrote this.
    #[serde(default, skip_serializing_if = "is_default")]
    pub manager: Option<Instance>,
    /// See [`Restart`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: Restart,
    /// `respawn_argv` resumes the very conversation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resumes: bool,
    /// The argument by which it skips its agent's permission checks; empty for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unguarded: String,
    /// Names of variables that it had and cannot do without.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs: Vec<String>,
    /// Names of variables that it had at its dispatch and was started without last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lacks: Vec<String>,
    /// Its last start had the service manager's environment, since its own was not known any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stand_in: bool,
    /// Folder in which its own `PATH` led to its program; empty where its command names a path.
    #[serde(default, skip_serializing_if = "is_default")]
    pub found_in: Text,
    /// Restarts that nobody asked for since it last stayed up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: u32,
    /// When the next of these is due, wall clock, ms since the epoch; 0 for never.
    #[serde(default, skip_serializing_if = "is_default")]
    pub due_ms: u64,
    /// The program of its last start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub program: Program,
    /// It is to be started anew, since that was replaced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roll: Roll,
    /// What it waits for, while blocked.
    #[serde(default)]
    pub waiting_for: Option<String>,
    /// One line on what it does now; printable.
    #[serde(default)]
    pub detail: String,
    /// What the agent told last by its hooks, since it tells everything once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub told: Option<Kept>,
    /// See [`Times`].
    #[serde(default)]
    pub times: Times,
    /// Version of the program that wrote it.
    #[serde(default)]
    pub cli_version: String,
    /// Keys of other versions, written back as they were.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    /// Without what no list shows, and which is most of it: lists are long, and asked for often.
    pub fn brief(&self) -> Self {
        Self {
            version: self.version,
            id: self.id,
            state: self.state,
            tempo: self.tempo,
            template: self.template,
            kind: self.kind,
            name: self.name.clone(),
            name_source: self.name_source,
            agent: self.agent.clone(),
            argv: self.argv.clone(),
            respawn_argv: Vec::new(),
            resume: Vec::new(),
            anew: Vec::new(),
            kept: Vec::new(),
            respawn_flags: Vec::new(),
            cwd: self.cwd.clone(),
            env_names: Vec::new(),
            session_id: self.session_id.clone(),
            intent: self.intent.clone(),
            origin: self.origin,
            spawned_by: self.spawned_by.clone(),
            parent: self.parent,
            dispatch: Vec::new(),
            pinned: self.pinned,
            desired: self.desired,
            generation: self.generation,
            start: self.start,
            revision: self.revision,
            request: String::new(),
            host: self.host.clone(),
            exit: self.exit.clone(),
            era: Era::default(),
            manager: None,
            restart: self.restart,
            resumes: false,
            unguarded: String::new(),
            needs: Vec::new(),
            lacks: Vec::new(),
            stand_in: self.stand_in,
            found_in: Text::default(),
            attempts: self.attempts,
            due_ms: self.due_ms,
            program: Program::default(),
            roll: self.roll,
            waiting_for: self.waiting_for.clone(),
            detail: self.detail.clone(),
            told: None,
            times: self.times.clone(),
            cli_version: String::new(),
            extra: serde_json::Map::new(),
        }
    }
}

/// Keys that only some sessions have are left out of the others' files.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The format version that this build writes.
pub const VERSION: u32 = 1;
