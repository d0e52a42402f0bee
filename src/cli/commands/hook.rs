//! `abide hook`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::cli::hook;
use std::ffi::OsString;

/// Answer a hook of an agent, whose settings have it call this.
///
/// The agent's event comes on standard input, and the answer goes to standard output, both in the agent's own form. The
/// session is registered, so that `abide ps` shows it, and its state is reported. A background session's agent is told
/// that nobody watches, and kept from writing into a checkout that is not its own. Whatever goes wrong, it says nothing
/// and succeeds within a second: no agent ever stands still because of it. What went wrong is in hooks.log, in the
/// folder of the supervisor's log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide hook claude < event.json    what it would be answered")]
pub(crate) struct Args {
    /// The agent's profile
    agent: String,
    // What a later version's settings may add must not make this fail.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    later: Vec<OsString>,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let answer = hook::answer(&cx.paths, &args.agent);
    if !answer.is_empty() {
        cx.out.bytes(answer.as_bytes())?;
    }
    Ok(())
}
