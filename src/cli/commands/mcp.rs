//! `abide mcp`

mod dispatch;
mod list;
mod read;
mod send;
mod server;
mod wait;

use super::run::context_of_this_process;
use crate::cli::context::Cx;
use crate::cli::error::CliError;

/// Give an agent tools to work with sessions, by the Model Context Protocol on standard input and output.
///
/// An agent that speaks this protocol starts it by itself, once it is told to. It has five tools: dispatch starts an
/// agent or a command in the background, list and read look at sessions, send types into one, and wait waits for one.
/// What they start has the environment of this process, as with `abide run`, and belongs to the agent's session where
/// that is one of abide's.
///
/// Starting it starts no supervisor; the first tool that needs one does. It ends when its standard input does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide mcp                         speaks the protocol, which is nothing to type
  claude mcp add abide -- abide mcp
  codex mcp add abide -- abide mcp
  gemini mcp add abide abide mcp")]
pub(crate) struct Args {}

pub(super) fn run(_cx: &mut Cx, _args: &Args) -> Result<(), CliError> {
    // Now, while nothing else runs in this process.
    let context = context_of_this_process();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(server::AT_ONCE)
        .build()
        .map_err(|e| CliError::failed(format!("cannot start: {e}")))?;
    let served = runtime.block_on(server::serve(context));
    // Who asked has gone: what is still under way is not waited for.
    runtime.shutdown_background();
    served
}
