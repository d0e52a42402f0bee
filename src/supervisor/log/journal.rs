//! Lines into systemd's journal, with fields: `journalctl --user ABIDE_SESSION=7c5dcf5d`.
//!
//! `USER_UNIT` names the session's unit, as the service manager does in what it says of a unit: so
//! `journalctl --user -u abide-session-7c5dcf5d` shows what the supervisor did with it beside what the manager did.

use super::Line;
use super::sink::clipped;
use tracing::{Dispatch, Level, dispatcher};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt as _;

/// See the module. The socket blocks: only the log's own thread writes to it.
#[derive(Debug)]
pub(in super::super) struct Journal {
    dispatch: Dispatch,
    /// Where sessions are units: the tag in their names.
    units: Option<Option<String>>,
}

/// The fields that have a name of their own in the journal; the rest is in the message.
const NAMED: [&str; 11] =
    ["session", "request", "name", "event", "seq", "by", "state", "pid", "uid", "error", "why"];

impl Journal {
    /// Where a journal runs. `units` is the tag in the names of the sessions' units, if they are any.
    ///
    /// # Errors
    /// None does.
    pub(super) fn open(units: Option<Option<String>>) -> std::io::Result<Self> {
        let levels = PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        };
        let layer = tracing_journald::layer()?
            .with_field_prefix(None)
            .with_syslog_identifier("abided".into())
            .with_priority_mappings(levels);
        Ok(Self { dispatch: Dispatch::new(tracing_subscriber::registry().with(layer)), units })
    }

    /// Writes a line; a journal that does not take it is nothing that could be reported anywhere.
    pub(super) fn write(&self, line: &Line) {
        let field = |name: &str| {
            line.fields.iter().find(|(n, v)| *n == name && !v.is_empty()).map(|(_, value)| clipped(value))
        };
        let [session, request, name, event, seq, by, state, pid, uid, error, why] = NAMED.map(field);
        let unit = session.zip(self.units.as_ref());
        let unit = unit.map(|(id, tag)| crate::service::unit::session(tag.as_deref(), id));
        let message = message(line);
        // A macro's level is part of its call site.
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    USER_UNIT = unit,
                    ABIDE_SESSION = session,
                    ABIDE_REQUEST = request,
                    ABIDE_NAME = name,
                    ABIDE_EVENT = event,
                    ABIDE_SEQ = seq,
                    ABIDE_BY = by,
                    ABIDE_STATE = state,
                    ABIDE_PID = pid,
                    ABIDE_UID = uid,
                    ABIDE_ERROR = error,
                    ABIDE_WHY = why,
                    "{message}"
                )
            };
        }
        dispatcher::with_default(&self.dispatch, || match line.level {
            Level::ERROR => emit!(Level::ERROR),
            Level::WARN => emit!(Level::WARN),
            Level::INFO => emit!(Level::INFO),
            Level::DEBUG => emit!(Level::DEBUG),
            Level::TRACE => emit!(Level::TRACE),
        });
    }
}

/// What `journalctl` shows: the message, who did it and what went wrong, and fields without a name of their own.
fn message(line: &Line) -> String {
    let mut text = clipped(&line.message).to_owned();
    for (name, value) in line.fields.iter().filter(|(_, value)| !value.is_empty()) {
        let value = clipped(value);
        match *name {
            "by" => text.push_str(&format!(", by {value}")),
            "error" | "why" => text.push_str(&format!(": {value}")),
            name if NAMED.contains(&name) => {}
            name => text.push_str(&format!(" {name}={value}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_who_and_why_and_what_has_no_field_of_its_own() {
        let field = |name, value: &str| (name, value.to_owned());
        let line = Line {
            level: Level::INFO,
            message: "build stopped".into(),
            fields: vec![
                field("session", "0000002a"),
                field("by", "abide stop (pid 7, from bash)"),
                field("error", ""),
                field("lines_lost_before", "3"),
            ],
        };
        assert_eq!(message(&line), "build stopped, by abide stop (pid 7, from bash) lines_lost_before=3");
    }
}
