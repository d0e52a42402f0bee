//! What a session's record learns from its agent: the conversation that it is in, and what it is about.
//!
//! | Told | Becomes |
//! |---|---|
//! | a conversation's id, but at its end | the one that a respawn resumes |
//! | the first prompt, where none was given at dispatch | what it was asked, and an automatic name |
//! | a title | its name, unless the user gave it one |
//!
//! Only the session's own agent counts: no sub-agent, no agent that it started in turn, and no other agent's. A name that
//! the user gave stays. Sessions of the user's own terminals are none of ours to name: nothing is made up for them.

use super::conversation::{self, is_id};
use super::fleet::Fleet;
use super::hook::{Happening, Report};
use super::id::SessionId;
use super::journal::By;
use super::naming::{self, LONGEST, derive, printable};
use super::record::NameSource;
use super::session::Phase;

/// Characters of what a session was asked, at most.
const INTENT: usize = 4096;

impl Fleet {
    /// Takes note of a report from inside of this session. `nested`: an agent said it that another one started there.
    pub(super) fn learn(&mut self, id: SessionId, report: &Report, nested: bool) {
        let Some(s) = self.sessions.get(&id) else { return };
        let own = s.record.agent.as_deref() == Some(report.agent.as_str()) && !report.of_sub_agent && !nested;
        if !own || s.phase != Phase::Alive {
            return;
        }
        // At its end it names the conversation that is over, and the next one may have begun.
        let over = matches!(report.what, Happening::Ends { .. });
        if !over
            && is_id(&report.session_id)
            && let Some(s) = self.touch(id)
            && conversation::converse(&mut s.record, &report.session_id)
        {
            s.save();
        }
        match &report.what {
            Happening::Prompted { prompt } => self.asked(id, prompt),
            Happening::Begins { title, .. } | Happening::Titled { title } => self.titled(id, title),
            Happening::Tool { .. }
            | Happening::ToolOver { .. }
            | Happening::NeedsUser { .. }
            | Happening::TurnOver { .. }
            | Happening::TurnFailed { .. }
            | Happening::Ends { .. }
            | Happening::Moved
            | Happening::Other { .. } => {}
        }
    }

    /// Its first prompt, where it was started without one.
    fn asked(&mut self, id: SessionId, prompt: &str) {
        let prompt = printable(prompt, INTENT);
        let Some(s) = self.touch(id).filter(|s| s.record.intent.is_empty() && !prompt.is_empty()) else {
            return;
        };
        s.record.intent.clone_from(&prompt);
        s.save();
        if s.record.name_source == NameSource::Auto {
            self.name(id, &derive(&prompt), NameSource::Auto);
        }
    }

    fn titled(&mut self, id: SessionId, title: &str) {
        let title = printable(title, LONGEST);
        let Some(s) = self.sessions.get(&id) else { return };
        let says_something = naming::check(&title).is_ok() && title.chars().any(char::is_alphanumeric);
        if s.record.name_source != NameSource::User && says_something {
            self.name(id, &title, NameSource::Plan);
        }
    }

    fn name(&mut self, id: SessionId, wanted: &str, source: NameSource) {
        let others = |name: &str| {
            self.sessions.values().any(|s| s.id() != id && s.is_visible() && s.record.name == name)
        };
        let name = naming::unique(wanted, others);
        let Some(s) = self.touch(id) else { return };
        s.record.name_source = source;
        if s.record.name != name {
            let old = std::mem::replace(&mut s.record.name, name);
            s.save();
            self.journal(Some(id), "renamed", &format!("it was {old}"), &By::default());
        }
    }
}
