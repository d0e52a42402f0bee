//! Errors of commands: a kind, which is the exit code; what failed, on what; what to do next.
//!
//! | Exit code | Kind |
//! |---|---|
//! | 0 | done |
//! | 1 | the thing failed |
//! | 2 | the command line is wrong |
//! | 3 | no such session |
//! | 4 | refused to protect data; the hint says how to override |
//! | 5 | the supervisor cannot be reached |

use super::text::clean;
use crate::client::control::ControlError;
use crate::client::host::HostError;
use crate::core::action::ErrorKind;
use crate::wire::host::Refusal;
use std::io;

/// Where a command's exit code comes from. Ordered by what is worse, where several targets failed differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Standard output was closed: nobody wants to know any more. Not a failure.
    Unheard,
    /// It failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// No such session.
    NoSession,
    /// Refused to protect data.
    Protected,
    /// The supervisor cannot be reached.
    Unreachable,
}

impl Kind {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unheard => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoSession => 3,
            Self::Protected => 4,
            Self::Unreachable => 5,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    /// See [`Kind`].
    pub(crate) kind: Kind,
    /// What failed, on what. Empty: it was said already.
    pub(crate) message: String,
    /// What to do next, a line each.
    pub(crate) hints: Vec<String>,
}

impl CliError {
    /// Of this kind.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }
    /// The thing failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }
    /// With a line on what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hints.push(hint);
        }
        self
    }
    /// With the session that it is about in front.
    pub(crate) fn about(mut self, target: &str) -> Self {
        if !self.message.contains(target) {
            self.message = format!("{target}: {}", self.message);
        }
        self
    }
    /// The lines to show.
    pub(crate) fn lines(&self) -> Vec<(bool, String)> {
        let message = (!self.message.is_empty()).then(|| (false, clean(&self.message)));
        message.into_iter().chain(self.hints.iter().map(|h| (true, clean(h)))).collect()
    }
}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::Unreachable { .. } => Self::new(Kind::Unreachable, message)
                .hint("`abide daemon status` tells what is there; `abide daemon run` starts it in this terminal"),
            ControlError::Start(_) => Self::new(Kind::Unreachable, message)
                .hint("`abide daemon run` starts it in this terminal and shows what is wrong"),
            ControlError::Untrusted { path, .. } => Self::new(Kind::Unreachable, message)
                .hint(format!("look at {} and remove it if it is not yours", path.display())),
            ControlError::Older { .. } => Self::failed(message)
                .hint("`abide daemon stop` makes it leave: sessions live on, and the next command starts the present one"),
            ControlError::Skew { .. } => Self::new(Kind::Unreachable, message)
                .hint("`abide daemon stop` makes the running one leave: sessions live on, and the next command starts the new one"),
            ControlError::Broken(_) => Self::new(Kind::Unreachable, message)
                .hint("sessions live on without it; `abide daemon logs` may tell why it went"),
            ControlError::Silent => Self::new(Kind::Unreachable, message)
                .hint("`abide daemon logs` may tell what it does; attach, logs and peek work with a whole id all the same"),
            ControlError::Garbled(_) => Self::new(Kind::Unreachable, message)
                .hint("`abide daemon stop`, then the command again, takes a fresh supervisor"),
            ControlError::Refused { kind, message, hint } => {
                let kind = match kind {
                    ErrorKind::Failed => Kind::Failed,
                    ErrorKind::Usage => Kind::Usage,
                    ErrorKind::NoSession => Kind::NoSession,
                    ErrorKind::Protected => Kind::Protected,
                };
                let error = Self::new(kind, message).hint(hint);
                if kind == Kind::NoSession && error.hints.is_empty() {
                    error.hint("`abide ls --all` lists the sessions")
                } else {
                    error
                }
            }
        }
    }
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        let message = error.to_string();
        match error {
            HostError::Absent => Self::failed(message)
                .hint("`abide peek` shows its last screen, `abide logs` its output; `abide respawn` starts it again"),
            HostError::Refused(Refusal::Busy, _) => Self::failed(message)
                .hint("nothing was typed: the program does not read its input now"),
            HostError::Skew(_) => Self::failed(message)
                .hint("the abide that started it can still attach; `abide respawn` gives it a new host"),
            HostError::Socket(_) | HostError::Broken(_) | HostError::Garbled(_) | HostError::Refused(..) => {
                Self::failed(message)
            }
        }
    }
}

/// Writing to standard output failed. Where its reader went, that is no news.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Kind::Unheard, "")
        } else {
            Self::failed(format!("the output cannot be written: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_as_documented() {
        let codes =
            [Kind::Unheard, Kind::Failed, Kind::Usage, Kind::NoSession, Kind::Protected, Kind::Unreachable];
        assert_eq!(codes.map(Kind::code), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_closed_output_is_no_failure() {
        assert_eq!(CliError::from(io::Error::from(io::ErrorKind::BrokenPipe)).kind.code(), 0);
        assert_eq!(CliError::from(io::Error::from(io::ErrorKind::StorageFull)).kind.code(), 1);
    }

    #[test]
    fn messages_never_act_on_the_terminal() {
        let error = CliError::failed("no \x1b[2J such").hint("a\x07b");
        assert!(error.lines().iter().all(|(_, line)| !line.chars().any(char::is_control)));
    }
}
