//! The tool `send`.

use super::list::Brief;
use super::server::{Answer, Call};
use crate::cli::commands::send::{LIMIT, typed};
use crate::cli::error::CliError;
use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

pub(super) const TEACHES: &str = "\
Type text into a session, exactly once, and Enter after it: an agent's next prompt, the answer to what it asks, a line \
for a shell. Look at it first with `read` when it is blocked: what it asks decides what may be typed. A prompt that is \
sent while an agent works is taken when its turn is over, or as its own rules say.";

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Its id, the unique start of it, or its name.
    session: String,
    /// What to type, 1 MiB at most. Several lines come as one paste where the program understands pastes.
    text: String,
    /// Press Enter after it. Default: true.
    #[serde(default = "yes")]
    enter: bool,
    /// As single keys rather than as a paste, so that control characters act: "\u001b" is Escape, "\u0003" Ctrl-C.
    #[serde(default)]
    keys: bool,
}

fn yes() -> bool {
    true
}

pub(super) fn call(call: &Call, arguments: &Arguments) -> Result<Answer, CliError> {
    if arguments.text.len() as u64 > LIMIT {
        return Err(CliError::usage(format!("more than {LIMIT} bytes are too much to type"))
            .hint("write them to a file, and type the file's name"));
    }
    let target = typed(
        &call.cx,
        &arguments.session,
        arguments.text.as_bytes(),
        !arguments.keys,
        arguments.enter,
        || call.context.clone(),
    )?;
    let mut answer = match &target.view {
        Some(view) => Answer::of(&Brief::from(&**view))?,
        None => Answer::of(&serde_json::json!({ "id": target.id }))?,
    };
    answer.facts["typed"] = arguments.text.len().into();
    Ok(answer)
}
