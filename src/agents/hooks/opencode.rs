//! What our plugin for opencode (`integrate/opencode.js`) makes of its events: an object with the event, and what belongs
//! to it.

use super::loose::{Object, Word};
use super::{Heard, about_tool, name, patch, prompt};
use crate::core::hook::Happening;
use crate::core::naming::printable;
use crate::core::text::Text;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    event: Word,
    session: Word,
    cwd: Word,
    /// The conversation that this one is a part of.
    parent: Word,
    source: Word,
    title: Word,
    prompt: Word,
    tool: Word,
    args: Object<Args>,
    what: Word,
    error: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Args {
    file_path: Word,
    patch_text: Word,
    command: Word,
}

pub(super) fn read(input: &[u8]) -> Option<Heard> {
    let input: Input = serde_json::from_slice(input).ok()?;
    let event = input.event.0;
    let tool = || name(&input.tool.0);
    let title = || printable(&input.title.0, 200);
    let what = match event.as_str() {
        "" => return None,
        "begins" => Happening::Begins { source: name(&input.source.0), title: title() },
        "titled" => Happening::Titled { title: title() },
        "prompted" => Happening::Prompted { prompt: prompt(&input.prompt.0) },
        "tool" => Happening::Tool { tool: tool(), writes: writes(&input.tool.0, &input.args.0) },
        "tool-over" => Happening::ToolOver { tool: tool() },
        "needs-user" => Happening::NeedsUser { what: about_tool(&tool(), &input.what.0) },
        "turn-over" => Happening::TurnOver { waits_for_own: false },
        "turn-failed" => Happening::TurnFailed { error: printable(&input.error.0, 200) },
        "ends" => Happening::Ends { reason: String::new() },
        other => Happening::Other { name: name(other) },
    };
    let of_sub_agent = !input.parent.0.is_empty();
    Some(Heard { event, session_id: input.session.0, cwd: input.cwd.0, of_sub_agent, what })
}

fn writes(tool: &str, args: &Args) -> Vec<Text> {
    match tool {
        "write" | "edit" | "multiedit" if !args.file_path.0.is_empty() => {
            vec![Text::from(args.file_path.0.as_str())]
        }
        "patch" | "apply_patch" => patch::files(&args.patch_text.0),
        "bash" => patch::files(&args.command.0),
        _ => Vec::new(),
    }
}
