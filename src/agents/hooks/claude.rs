//! Claude Code's form, and Codex': <https://code.claude.com/docs/en/hooks>, <https://developers.openai.com/codex/hooks>.

use super::loose::{Items, Object, Word};
use super::{Heard, about_tool, name, patch, prompt};
use crate::core::hook::Happening;
use crate::core::naming::printable;
use crate::core::text::Text;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    hook_event_name: Word,
    session_id: Word,
    cwd: Word,
    /// Of a sub-agent; the conversation itself has none.
    agent_id: Word,
    source: Word,
    session_title: Word,
    prompt: Word,
    tool_name: Word,
    tool_input: Object<Tool>,
    notification_type: Word,
    message: Word,
    background_tasks: Items,
    session_crons: Items,
    error: Word,
    error_details: Word,
    reason: Word,
    new_cwd: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tool {
    file_path: Word,
    notebook_path: Word,
    command: Word,
    description: Word,
    url: Word,
}

pub(super) fn read(input: &[u8]) -> Option<Heard> {
    let input: Input = serde_json::from_slice(input).ok()?;
    let event = input.hook_event_name.0;
    if event.is_empty() {
        return None;
    }
    let tool = || name(&input.tool_name.0);
    let asked = || {
        let of = &input.tool_input.0;
        let subjects = [&of.command, &of.file_path, &of.notebook_path, &of.url, &of.description];
        let subject = subjects.iter().map(|word| word.0.as_str()).find(|text| !text.is_empty());
        about_tool(&tool(), subject.unwrap_or_default())
    };
    let mut cwd = input.cwd.0;
    let what = match event.as_str() {
        "SessionStart" => {
            Happening::Begins { source: name(&input.source.0), title: printable(&input.session_title.0, 200) }
        }
        "UserPromptSubmit" => Happening::Prompted { prompt: prompt(&input.prompt.0) },
        "PreToolUse" => {
            Happening::Tool { tool: tool(), writes: writes(&input.tool_name.0, &input.tool_input.0) }
        }
        "PostToolUse" | "PostToolUseFailure" => Happening::ToolOver { tool: tool() },
        "PermissionRequest" => Happening::NeedsUser { what: asked() },
        "Notification" => notified(&input.notification_type.0, &input.message.0),
        "Stop" => Happening::TurnOver { waits_for_own: input.background_tasks.0 || input.session_crons.0 },
        // The user interrupted it.
        "Interrupt" => Happening::TurnOver { waits_for_own: false },
        "StopFailure" => {
            let details = &input.error_details.0;
            let error = if details.is_empty() { &input.error.0 } else { details };
            Happening::TurnFailed { error: printable(error, 200) }
        }
        "SessionEnd" => Happening::Ends { reason: name(&input.reason.0) },
        "CwdChanged" => {
            if !input.new_cwd.0.is_empty() {
                cwd = input.new_cwd.0;
            }
            Happening::Moved
        }
        other => Happening::Other { name: name(other) },
    };
    let of_sub_agent = !input.agent_id.0.is_empty() || event.starts_with("Subagent");
    Some(Heard { event, session_id: input.session_id.0, cwd, of_sub_agent, what })
}

/// A notification that is no call for the user says nothing that other hooks do not say better.
fn notified(kind: &str, message: &str) -> Happening {
    match kind {
        "permission_prompt" | "elicitation_dialog" | "elicitation_url_dialog" => {
            Happening::NeedsUser { what: printable(message, 200) }
        }
        other => Happening::Other { name: name(other) },
    }
}

/// The files that a tool is going to write. What a shell command writes is not known to anybody before it runs.
fn writes(tool: &str, input: &Tool) -> Vec<Text> {
    let named = |path: &Word| if path.0.is_empty() { Vec::new() } else { vec![Text::from(path.0.as_str())] };
    match tool {
        "Write" | "Edit" | "MultiEdit" => named(&input.file_path),
        "NotebookEdit" => named(&input.notebook_path),
        "apply_patch" | "Bash" => patch::files(&input.command.0),
        _ => Vec::new(),
    }
}
