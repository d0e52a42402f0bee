//! Gemini CLI's form: <https://geminicli.com/docs/hooks/reference>.

use super::loose::{Object, Word};
use super::{Heard, about_tool, name, prompt};
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
    source: Word,
    prompt: Word,
    tool_name: Word,
    tool_input: Object<Tool>,
    notification_type: Word,
    message: Word,
    details: Object<Tool>,
    reason: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tool {
    #[serde(alias = "filePath")]
    file_path: Word,
    #[serde(alias = "rootCommand")]
    command: Word,
    title: Word,
}

pub(super) fn read(input: &[u8]) -> Option<Heard> {
    let input: Input = serde_json::from_slice(input).ok()?;
    let event = input.hook_event_name.0;
    if event.is_empty() {
        return None;
    }
    let tool = || name(&input.tool_name.0);
    let what = match event.as_str() {
        "SessionStart" => Happening::Begins { source: name(&input.source.0), title: String::new() },
        "BeforeAgent" => Happening::Prompted { prompt: prompt(&input.prompt.0) },
        "BeforeTool" => {
            Happening::Tool { tool: tool(), writes: writes(&input.tool_name.0, &input.tool_input.0) }
        }
        "AfterTool" => Happening::ToolOver { tool: tool() },
        "AfterAgent" => Happening::TurnOver { waits_for_own: false },
        "Notification" if input.notification_type.0 == "ToolPermission" => {
            let of = &input.details.0;
            let subject = [&of.command, &of.file_path].into_iter().find(|word| !word.0.is_empty());
            let what = match subject {
                Some(subject) => about_tool(&of.title.0, &subject.0),
                None => printable(&input.message.0, 200),
            };
            Happening::NeedsUser { what }
        }
        "SessionEnd" => Happening::Ends { reason: name(&input.reason.0) },
        other => Happening::Other { name: name(other) },
    };
    Some(Heard { event, session_id: input.session_id.0, cwd: input.cwd.0, of_sub_agent: false, what })
}

fn writes(tool: &str, input: &Tool) -> Vec<Text> {
    match tool {
        "write_file" | "replace" if !input.file_path.0.is_empty() => {
            vec![Text::from(input.file_path.0.as_str())]
        }
        _ => Vec::new(),
    }
}
