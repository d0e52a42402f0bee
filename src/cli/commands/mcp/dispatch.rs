//! The tool `dispatch`.

use super::list::Brief;
use super::server::{Answer, Call};
use crate::cli::commands::run;
use crate::cli::context::one;
use crate::cli::error::CliError;
use crate::core::event::Command;
use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

pub(super) const TEACHES: &str = "\
Start a session in the background and return at once: either an agent with a `prompt`, or any program with a \
`command`. It gets a terminal of its own and this process's environment, and goes on without you. An agent is not told \
what you know: its prompt has to say all that it needs, and where. Returns the session; go on with `wait`, then `read`.";

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// What an agent is to do, complete in itself. Not together with `command`.
    prompt: Option<String>,
    /// A program and its arguments, one string each, without a shell: ["make", "-j8"]; for a shell's syntax
    /// ["sh", "-c", "make && ./run"]. Not together with `prompt`.
    command: Option<Vec<String>>,
    /// The profile of the agent: claude, or another that the user has set up. Default: the user's usual agent.
    agent: Option<String>,
    /// Further arguments for the agent's program, one string each: ["--model", "opus"].
    arguments: Vec<String>,
    /// A short name of its own, to address it by. Default: derived from the prompt or the command.
    name: Option<String>,
    /// The folder to work in. Default: the folder of this server, which usually is your own.
    cwd: Option<String>,
    /// Keep its process also when it was idle for long.
    pinned: bool,
}

pub(super) fn call(call: &Call, arguments: Arguments) -> Result<Answer, CliError> {
    let rest = match (&arguments.prompt, &arguments.agent, arguments.command) {
        (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
            return Err(CliError::usage("a command has neither a prompt nor an agent")
                .hint("dispatch them one after the other"));
        }
        (None, None, None) => {
            return Err(CliError::usage("nothing to run: give a prompt or a command"));
        }
        (None, None, Some(command)) => {
            if !arguments.arguments.is_empty() {
                return Err(CliError::usage(
                    "`arguments` are an agent's: a command has its own in `command`",
                ));
            }
            if command.is_empty() {
                return Err(CliError::usage("the command is empty"));
            }
            command
        }
        (Some(_), _, None) | (None, Some(_), None) => arguments.arguments,
    };
    let args = run::Args {
        prompt: arguments.prompt.into_iter().collect(),
        rest: rest.into_iter().map(Into::into).collect(),
        name: arguments.name,
        agent: arguments.agent,
        cwd: arguments.cwd.map(Into::into),
        pin: arguments.pinned,
        ..run::Args::default()
    };
    let (spec, context) = run::prepare(&call.cx, args, call.context.clone())?;
    let view = one(call.cx.ask_with(&Command::Run(spec), &context)?)?;
    call.cx.anchor();
    Answer::of(&Brief::from(&*view))
}
