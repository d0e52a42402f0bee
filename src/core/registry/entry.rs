//! What a file of the registry says, and changes to it.

use crate::core::record::{Instance, Kind};
use crate::core::text::Text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of a file, at most: ours are never larger, by far.
pub const LARGEST: u64 = 512 << 10;
/// Bytes of a value, at most; what is longer is cut. Paths are never longer.
pub const LONGEST_VALUE: usize = 4096;

/// A key that names the process: never changed once it is written.
const PID: &str = "pid";
const PROC_START: &str = "procStart";
const BOOT_ID: &str = "bootId";
const PID_NS: &str = "pidNs";
const IDENTITY: [&str; 4] = [PID, PROC_START, BOOT_ID, PID_NS];

/// A key that may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The conversation, as the agent names it.
    SessionId,
    /// Working directory.
    Cwd,
    /// When the session began: ms since the epoch.
    StartedAt,
    /// See [`Kind`].
    Kind,
    /// How the agent was started, in its own word (`cli`, `sdk-ts`).
    Entrypoint,
    /// Socket at which the agent takes messages.
    MessagingSocketPath,
    /// The session's name.
    Name,
    /// Profile of the agent.
    Agent,
    /// File with its output: of sessions that abide runs.
    LogPath,
    /// See [`Status`].
    Status,
    /// What it waits for, while it does.
    WaitingFor,
    /// When the file changed last: ms since the epoch.
    UpdatedAt,
    /// The conversation, as another machine names it by which it can be reached.
    BridgeSessionId,
}

impl Key {
    /// All of them, in the order of the files.
    pub const ALL: [Self; 13] = [
        Self::SessionId,
        Self::Cwd,
        Self::StartedAt,
        Self::Kind,
        Self::Entrypoint,
        Self::MessagingSocketPath,
        Self::Name,
        Self::Agent,
        Self::LogPath,
        Self::Status,
        Self::WaitingFor,
        Self::UpdatedAt,
        Self::BridgeSessionId,
    ];

    /// As it is in the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionId => "sessionId",
            Self::Cwd => "cwd",
            Self::StartedAt => "startedAt",
            Self::Kind => "kind",
            Self::Entrypoint => "entrypoint",
            Self::MessagingSocketPath => "messagingSocketPath",
            Self::Name => "name",
            Self::Agent => "agent",
            Self::LogPath => "logPath",
            Self::Status => "status",
            Self::WaitingFor => "waitingFor",
            Self::UpdatedAt => "updatedAt",
            Self::BridgeSessionId => "bridgeSessionId",
        }
    }
}

/// What a session does, as agents tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Busy,
    /// It has nothing to do.
    Idle,
    /// It needs the user.
    Waiting,
}

/// Changes to an entry: keys with their new values, and keys that go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch(Map<String, Value>);

impl Patch {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key that holds text.
    #[must_use]
    pub fn text(self, key: Key, value: &str) -> Self {
        let cut = value.floor_char_boundary(LONGEST_VALUE);
        self.set(key, Value::String(value[..cut].to_owned()))
    }

    /// Sets a key that holds text where there is one, and leaves it as it is where there is none.
    #[must_use]
    pub fn text_if(self, key: Key, value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// Sets a key that holds a path, whatever its bytes.
    #[must_use]
    pub fn path(self, key: Key, value: &Text) -> Self {
        match std::str::from_utf8(&value.0) {
            Ok(text) => self.text(key, text),
            Err(_) => {
                let bytes = value.0.iter().take(LONGEST_VALUE).map(|byte| Value::from(*byte)).collect();
                self.set(key, Value::Array(bytes))
            }
        }
    }

    /// Sets a key that holds a time: ms since the epoch.
    #[must_use]
    pub fn time(self, key: Key, ms: u64) -> Self {
        self.set(key, Value::from(ms))
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        let name = match kind {
            Kind::Interactive => "interactive",
            Kind::Bg => "bg",
            Kind::Daemon => "daemon",
            Kind::DaemonWorker => "daemon-worker",
        };
        self.text(Key::Kind, name)
    }

    /// Sets the status, and what it waits for, which goes where it waits for nothing.
    #[must_use]
    pub fn status(self, status: Status, waiting_for: Option<&str>) -> Self {
        let (name, waiting_for) = match status {
            Status::Busy => ("busy", None),
            Status::Idle => ("idle", None),
            Status::Waiting => ("waiting", waiting_for),
        };
        let patch = self.text(Key::Status, name);
        match waiting_for {
            Some(what) => patch.text(Key::WaitingFor, what),
            None => patch.clear(Key::WaitingFor),
        }
    }

    /// Lets a key go.
    #[must_use]
    pub fn clear(self, key: Key) -> Self {
        self.set(key, Value::Null)
    }

    /// With the changes of another on top.
    #[must_use]
    pub fn and(mut self, later: &Self) -> Self {
        self.0.extend(later.0.iter().map(|(key, value)| (key.clone(), value.clone())));
        self
    }

    fn set(mut self, key: Key, value: Value) -> Self {
        self.0.insert(key.name().to_owned(), value);
        self
    }
}

/// One session, as its file says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its process.
    pub process: Instance,
    /// The boot in which that runs; empty where there is no name for it.
    pub boot_id: String,
    /// The pid namespace, and the machine, in which its id counts: see [`super::fate`]. Empty where there is none.
    pub pid_ns: String,
    /// The other keys, those of later versions and of others included; never the identity's.
    rest: Map<String, Value>,
}

impl Entry {
    /// A session that is this process. Where it runs is filled in by whoever writes it.
    pub fn new(process: Instance, patch: &Patch) -> Self {
        let mut entry = Self { process, boot_id: String::new(), pid_ns: String::new(), rest: Map::new() };
        entry.merge(patch);
        entry
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Why it is no entry, for people.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        let value = serde_json::from_slice(content).map_err(|e| format!("it is no JSON: {e}"))?;
        let Value::Object(mut rest) = value else { return Err("it is no JSON object".into()) };
        let pid = rest.get(PID).and_then(number).and_then(|pid| u32::try_from(pid).ok());
        let start = rest.get(PROC_START).and_then(number).filter(|start| *start > 0);
        let (Some(pid), Some(start)) = (pid, start) else {
            return Err("it does not say which process it is about".into());
        };
        let text = |key: &str| match rest.get(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(format!("its {key} is none")),
        };
        let (boot_id, pid_ns) = (text(BOOT_ID)?, text(PID_NS)?);
        rest.retain(|key, value| !IDENTITY.contains(&key.as_str()) && !value.is_null());
        Ok(Self { process: Instance { pid, start }, boot_id, pid_ns, rest })
    }

    /// The file's content.
    pub fn encode(&self) -> Vec<u8> {
        let mut all = Map::new();
        all.insert(PID.into(), self.process.pid.into());
        // As text, as agents write it: it may be larger than what JavaScript counts exactly.
        all.insert(PROC_START.into(), self.process.start.to_string().into());
        for (key, value) in [(BOOT_ID, &self.boot_id), (PID_NS, &self.pid_ns)] {
            if !value.is_empty() {
                all.insert(key.into(), value.clone().into());
            }
        }
        all.extend(self.rest.clone());
        let mut content = Value::Object(all).to_string().into_bytes();
        content.push(b'\n');
        content
    }

    /// Makes changes; whether there were any. What names the process stays.
    pub fn merge(&mut self, patch: &Patch) -> bool {
        let mut changed = false;
        for (key, value) in patch.0.iter().filter(|(key, _)| !IDENTITY.contains(&key.as_str())) {
            if value.is_null() {
                changed |= self.rest.remove(key).is_some();
            } else if self.rest.get(key) != Some(value) {
                self.rest.insert(key.clone(), value.clone());
                changed = true;
            }
        }
        changed
    }

    /// All of it but what names the process, as changes to another entry of the same one.
    pub fn as_patch(&self) -> Patch {
        Patch(self.rest.clone())
    }

    /// Takes over what another has and this one lacks.
    pub(super) fn fill_from(&mut self, other: &Self) {
        for (key, value) in &other.rest {
            self.rest.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }

    /// A key that holds text; none where it is empty, or anything else.
    pub fn text(&self, key: Key) -> Option<&str> {
        self.rest.get(key.name())?.as_str().filter(|text| !text.is_empty())
    }

    /// A key that holds a path.
    pub fn path(&self, key: Key) -> Option<Text> {
        serde_json::from_value(self.rest.get(key.name())?.clone())
            .ok()
            .filter(|path: &Text| !path.0.is_empty())
    }

    /// A key that holds a time: ms since the epoch; 0 for none.
    pub fn time(&self, key: Key) -> u64 {
        self.rest.get(key.name()).and_then(Value::as_u64).unwrap_or(0)
    }

    /// See [`Status`].
    pub fn status(&self) -> Option<Status> {
        serde_json::from_value(self.rest.get(Key::Status.name())?.clone()).ok()
    }

    /// See [`Kind`].
    pub fn kind(&self) -> Option<Kind> {
        serde_json::from_value(self.rest.get(Key::Kind.name())?.clone()).ok()
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
