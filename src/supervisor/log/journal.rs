//! Lines into systemd's journal, with fields: `journalctl --user ABIDE_SESSION=7c5dcf5d`.

use super::Line;
use super::sink::clipped;
use tracing::{Dispatch, Level, dispatcher};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt as _;

/// See the module. The socket blocks: only the log's own thread writes to it.
#[derive(Debug)]
pub(in super::super) struct Journal(Dispatch);

/// The fields that have a name of their own in the journal; the rest is in the message.
const NAMED: [&str; 10] = ["session", "name", "event", "seq", "by", "state", "pid", "uid", "error", "why"];

impl Journal {
    /// Where a journal runs.
    ///
    /// # Errors
    /// None does.
    pub(super) fn open() -> std::io::Result<Self> {
        let levels = PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        };
        let layer = tracing_journald::layer()?
            .with_field_prefix(Some("ABIDE".into()))
            .with_syslog_identifier("abided".into())
            .with_priority_mappings(levels);
        Ok(Self(Dispatch::new(tracing_subscriber::registry().with(layer))))
    }

    /// Writes a line; a journal that does not take it is nothing that could be reported anywhere.
    pub(super) fn write(&self, line: &Line) {
        let field = |name: &str| {
            line.fields.iter().find(|(n, v)| *n == name && !v.is_empty()).map(|(_, value)| clipped(value))
        };
        let [session, name, event, seq, by, state, pid, uid, error, why] = NAMED.map(field);
        let message = message(line);
        // A macro's level is part of its call site.
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    session,
                    name,
                    event,
                    seq,
                    by,
                    state,
                    pid,
                    uid,
                    error,
                    why,
                    "{message}"
                )
            };
        }
        dispatcher::with_default(&self.0, || match line.level {
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
