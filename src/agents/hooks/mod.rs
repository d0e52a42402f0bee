//! Agents' hooks: what each agent says, read into one form, and answers in the agent's own.
//!
//! | Form | Said | Answered |
//! |---|---|---|
//! | `claude` | one JSON object on standard input | one on standard output |
//! | `codex` | the same, with patches as text | the same |
//! | `gemini` | the same, with other names | the same, with another refusal |
//! | `opencode` | the same: what our plugin makes of its events | the same |
//! | `aider` | nothing: it calls when it is the user's turn | nothing |
//!
//! What is not understood is passed over: an agent must never stand still, or lose an edit, because a later version of it
//! says something new. Only what is needed is read, and whatever is not of the expected type counts as missing.

mod answer;
mod claude;
mod gemini;
mod loose;
mod opencode;
mod patch;
#[cfg(test)]
mod tests;

use crate::core::hook::{Happening, Report};
use crate::core::naming::printable;
use crate::core::text::Text;
use std::borrow::Cow;

pub use answer::Answer;

/// Bytes of a prompt that are passed on: names come from its beginning.
const PROMPT: usize = 4096;
/// Characters of a line about what is waited for, at most.
const LINE: usize = 200;
/// Characters of a name, of a tool or an event, at most.
const NAME: usize = 80;

/// How an agent speaks with its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Claude Code's.
    Claude,
    /// Codex's, which is nearly Claude Code's.
    Codex,
    /// Gemini CLI's.
    Gemini,
    /// That of our plugin for opencode.
    Opencode,
    /// A command without any input.
    Aider,
}

impl Form {
    /// By the word that profiles use.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "claude" => Some(Self::Claude),
            "codex" => Some(Self::Codex),
            "gemini" => Some(Self::Gemini),
            "opencode" => Some(Self::Opencode),
            "aider" => Some(Self::Aider),
            _ => None,
        }
    }

    /// Whether anything is said on standard input. Where not, that may be the user's terminal.
    pub fn has_input(self) -> bool {
        self != Self::Aider
    }
}

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it says.
    pub report: Report,
    form: Form,
    /// The agent's name of the event, which an answer repeats.
    event: String,
}

/// Reads a call. `agent` is the profile, `cwd` the hook's own working directory, for where the agent does not say. None
/// for what is no call.
pub fn read(form: Form, agent: &str, input: &[u8], cwd: &Text) -> Option<Call> {
    let heard = match form {
        Form::Claude | Form::Codex => claude::read(input)?,
        Form::Gemini => gemini::read(input)?,
        Form::Opencode => opencode::read(input)?,
        Form::Aider => Heard { what: Happening::TurnOver { waits_for_own: false }, ..Heard::default() },
    };
    let cwd = if heard.cwd.is_empty() { cwd.clone() } else { Text::from(heard.cwd.as_str()) };
    let session_id =
        if crate::core::conversation::is_id(&heard.session_id) { heard.session_id } else { String::new() };
    let report = Report {
        agent: agent.to_owned(),
        session_id,
        cwd,
        what: heard.what,
        of_sub_agent: heard.of_sub_agent,
    };
    Some(Call { report, form, event: heard.event })
}

/// What a form makes of its input.
struct Heard {
    event: String,
    session_id: String,
    cwd: String,
    of_sub_agent: bool,
    what: Happening,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            event: String::new(),
            session_id: String::new(),
            cwd: String::new(),
            of_sub_agent: false,
            what: Happening::Other { name: String::new() },
        }
    }
}

/// The beginning of a prompt.
fn prompt(text: &str) -> String {
    text[..text.floor_char_boundary(PROMPT)].to_owned()
}

/// A name of the agent's.
fn name(text: &str) -> String {
    printable(text, NAME)
}

/// `Bash: make test`, or the tool alone.
fn about_tool(tool: &str, subject: &str) -> String {
    let line =
        if subject.is_empty() { Cow::Borrowed(tool) } else { Cow::Owned(format!("{tool}: {subject}")) };
    printable(&line, LINE)
}
