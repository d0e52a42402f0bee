//! The control protocol: frames whose payload is JSON.
//!
//! | Type | From | Payload |
//! |---|---|---|
//! | 1 | client | [`Hello`] |
//! | 2 | supervisor | [`Welcome`], or an [`Error`](crate::core::action::Reply::Error) reply where no version is common |
//! | 3 | client | [`Request`] |
//! | 4 | supervisor | [`Answer`], one or more to a request; the last one has `last` |
//!
//! Requests of one connection are answered in any order; `tag` says which answer is whose. Unknown keys are ignored.

use crate::core::action::Reply;
use crate::core::event::Command;
use serde::{Deserialize, Serialize};

/// Lowest version that this build speaks.
pub const MIN: u16 = 1;
/// Highest version that this build speaks.
pub const CURRENT: u16 = 2;

/// Type byte of [`Hello`].
pub const HELLO: u8 = 1;
/// Type byte of [`Welcome`].
pub const WELCOME: u8 = 2;
/// Type byte of [`Request`].
pub const REQUEST: u8 = 3;
/// Type byte of [`Answer`].
pub const ANSWER: u8 = 4;

/// First frame of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Lowest version.
    pub min: u16,
    /// Highest version.
    pub max: u16,
    /// Version of its program.
    pub build: String,
    /// Start time of its process: by it the supervisor knows that process again where the kernel gives no handle on it
    /// (Linux before 6.5). Not stated before version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
}

/// First frame of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Version to speak.
    pub version: u16,
    /// Version of its program.
    pub build: String,
    /// Its process id.
    pub pid: u32,
}

/// The version in which a request came.
pub fn since(command: &Command) -> u16 {
    match command {
        Command::Run(_)
        | Command::List { .. }
        | Command::Show { .. }
        | Command::Stop { .. }
        | Command::Respawn { .. }
        | Command::Resume { .. }
        | Command::Rm { .. }
        | Command::Pin { .. }
        | Command::Rename { .. }
        | Command::Why { .. }
        | Command::Wait { .. }
        | Command::Events { .. }
        | Command::Daemon
        | Command::Quit => 1,
        Command::Who | Command::Hook { .. } | Command::Roll { .. } => 2,
    }
}

/// A request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the answers.
    pub tag: u64,
    /// What.
    pub command: Command,
    /// For `run` and `respawn`: what the session is to have from its client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

/// What a session takes over from the client that dispatched it. Kept off disks and logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The environment, scrubbed: `NAME=value` each.
    pub env: Vec<crate::core::text::Text>,
    /// Names of variables that the user asked for, and that no scrub takes out.
    #[serde(default)]
    pub asked_for: Vec<String>,
    /// File mode creation mask.
    pub umask: u32,
    /// Resource limits: number of the resource, soft, hard (`u64::MAX`: none).
    pub limits: Vec<(u32, u64, u64)>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({} variables)", self.env.len())
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("tag", &self.tag)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of the request.
    pub tag: u64,
    /// No more follows for this tag.
    pub last: bool,
    /// What.
    pub reply: Reply,
}
