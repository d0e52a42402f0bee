//! What an agent tells by its hooks: which reports are about the session's own conversation, and what they say of it.
//!
//! An agent may run others, and even itself, as tools; their hooks come from inside of the same session. A report counts
//! where it is of the session's own agent and of the conversation that began last after the one before had ended; one
//! that begins as `startup` while another goes on is somebody else's. And hooks are processes of their own: one that was
//! called before another and tells after it tells nothing new.

use super::claim::Doing;
use super::program::TEXT;
use crate::core::hook::{Happening, Report};
use crate::core::naming::printable;
use crate::core::record::Record;

/// Reports of tools that come so soon after the agent asked the user for something are of tools that it uses at the same
/// time, and say nothing of what it asked.
const TOGETHER_MS: u64 = 1_000;

/// The conversation that a session's hooks speak of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Talk {
    /// Its id; empty where none is known.
    conversation: String,
    /// It has ended.
    over: bool,
    /// When the hook was called that told last: the start time of its process; 0 where none is known.
    called: u64,
}

/// Where a report comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct From {
    /// An agent that another one of the same session started.
    pub nested: bool,
    /// Start time of the hook's process, in the platform's unit; 0 where it is not known.
    pub called: u64,
}

/// What the last report said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) doing: Doing,
    pub(super) at: u64,
    /// Something was typed since.
    pub(super) typed: bool,
}

/// What a report does to what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// What was said before stands, and was said again.
    Again,
    /// Nothing of what was said before stands.
    Forget,
    /// This.
    That(Doing, String),
}

impl Talk {
    /// Goes on with a conversation that an earlier supervisor knew.
    pub(super) fn of(conversation: &str) -> Self {
        Self { conversation: conversation.to_owned(), ..Self::default() }
    }

    pub(super) fn conversation(&self) -> &str {
        &self.conversation
    }

    /// Whether the report is about the session's own conversation, and no older than the one before.
    pub(super) fn concerns(&mut self, record: &Record, report: &Report, from: From) -> bool {
        if from.nested || record.agent.as_ref().is_some_and(|agent| *agent != report.agent) {
            return false;
        }
        let id = report.session_id.as_str();
        if id.is_empty() || id == self.conversation && !self.over {
            return self.is_news(from.called);
        }
        let known = if self.conversation.is_empty() { record.session_id.as_deref() } else { None };
        let mine = known.is_none_or(|known| known == id);
        let free = self.over || self.conversation.is_empty() && mine;
        let switches = matches!(&report.what, Happening::Begins { source, .. } if source != "startup");
        if !free && !switches {
            return false;
        }
        *self = Self { called: self.called, ..Self::of(id) };
        self.is_news(from.called)
    }

    /// Hooks are processes, and one may overtake another.
    fn is_news(&mut self, called: u64) -> bool {
        let overtaken = called > 0 && called < self.called;
        self.called = self.called.max(called);
        !overtaken
    }

    /// What a report of that conversation says.
    pub(super) fn told(&mut self, report: &Report, before: Option<Before>, now: u64) -> Told {
        let is = |doing| before.is_some_and(|b| b.doing == doing);
        let same_time = is(Doing::Blocked) && before.is_some_and(|b| !b.typed && now < b.at + TOGETHER_MS);
        let that = |doing, what: &str| Told::That(doing, printable(what, TEXT));
        match &report.what {
            Happening::NeedsUser { .. } if is(Doing::Blocked) && before.is_some_and(|b| !b.typed) => {
                Told::Again
            }
            Happening::NeedsUser { what } => that(Doing::Blocked, what),
            Happening::Tool { .. } | Happening::ToolOver { .. } if same_time => Told::Nothing,
            // What it left running goes on after its turn.
            Happening::Prompted { .. } | Happening::Tool { .. } | Happening::ToolOver { .. }
                if report.of_sub_agent =>
            {
                match before.map(|b| b.doing) {
                    Some(Doing::Blocked) => that(Doing::Working, ""),
                    Some(Doing::Working) => Told::Again,
                    Some(Doing::Idle | Doing::Done) | None => Told::Nothing,
                }
            }
            Happening::Begins { .. }
            | Happening::TurnOver { .. }
            | Happening::TurnFailed { .. }
            | Happening::Ends { .. }
            | Happening::Moved
            | Happening::Titled { .. }
            | Happening::Other { .. }
                if report.of_sub_agent =>
            {
                Told::Nothing
            }
            Happening::Prompted { .. } => that(Doing::Working, ""),
            Happening::Tool { tool, .. } => that(Doing::Working, tool),
            // Told late: a tool that has been used begins no turn.
            Happening::ToolOver { .. } if is(Doing::Idle) || is(Doing::Done) => Told::Nothing,
            Happening::ToolOver { .. } => that(Doing::Working, ""),
            Happening::TurnOver { waits_for_own: true } => that(Doing::Working, "waits for what it started"),
            Happening::TurnOver { waits_for_own: false } => that(Doing::Done, ""),
            Happening::TurnFailed { error } if error.is_empty() => that(Doing::Blocked, "an error"),
            Happening::TurnFailed { error } => that(Doing::Blocked, &format!("an error: {error}")),
            // It makes room in a conversation that goes on.
            Happening::Begins { source, .. } if source == "compact" => Told::Nothing,
            Happening::Begins { .. } => Told::Forget,
            Happening::Ends { .. } => {
                self.over = true;
                Told::Forget
            }
            Happening::Moved | Happening::Titled { .. } | Happening::Other { .. } => Told::Nothing,
        }
    }
}
