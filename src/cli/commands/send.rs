//! `abide send`

use super::run::context_of_this_process;
use crate::cli::context::{Cx, Target};
use crate::cli::error::CliError;
use crate::client::host::send_once;
use crate::client::wait::{Hangup, Waited, wait};
use crate::core::event::Command;
use crate::wire::control::Context;
use std::io::Read;
use std::time::{Duration, Instant};

/// How long an agent that was resumed may take until it can be typed to.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Type text into a session, and Enter after it.
///
/// It is typed exactly once, as one paste where the program understands pastes. The command returns when the session's
/// terminal has taken it. A session that is parked is resumed first, and typed to when it waits for input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide send docs \"now add a chapter on installing\"
  abide send 7c5d --no-enter y
  git diff | abide send 7c5d -      from standard input")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// What to type; - for standard input
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// Without Enter at the end
    #[arg(long)]
    no_enter: bool,
    /// As single keys rather than as a paste: control characters act
    #[arg(long)]
    keys: bool,
}

/// More than this is a file, not something to type.
pub(super) const LIMIT: u64 = 1 << 20;

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let text = if args.text == "-" {
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .take(LIMIT + 1)
            .read_to_end(&mut text)
            .map_err(|e| CliError::failed(format!("standard input cannot be read: {e}")))?;
        // The end of the last line is not part of what is to be typed: --no-enter must be able to leave it out.
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        text
    } else {
        args.text.clone().into_bytes()
    };
    if text.len() as u64 > LIMIT {
        return Err(CliError::usage(format!("more than {LIMIT} bytes are too much to type"))
            .hint("put it into a file, and type the file's name"));
    }
    typed(cx, &args.session, &text, !args.keys, !args.no_enter, context_of_this_process).map(|_| ())
}

/// Whether a session that was resumed came to wait for input within this time.
pub(super) fn takes_input(cx: &Cx, target: &Target, within: Duration) -> Result<bool, CliError> {
    let command = Command::Wait { target: target.id.clone(), states: Vec::new() };
    Ok(match wait(&cx.paths, &command, Some(Instant::now() + within), &Hangup::default())? {
        Waited::Answered(_) => true,
        Waited::TimeUp | Waited::HungUp => false,
    })
}

/// Types into the session that `address` means, exactly once; one that is parked is resumed first.
pub(super) fn typed(
    cx: &Cx,
    address: &str,
    text: &[u8],
    paste: bool,
    enter: bool,
    context: impl FnOnce() -> Context,
) -> Result<Target, CliError> {
    let (target, resumed) = cx.awake(cx.target(address)?, context)?;
    if resumed && !takes_input(cx, &target, READY_WITHIN)? {
        return Err(CliError::failed(format!(
            "{} was parked and is resumed, but does not wait for input yet: nothing was typed",
            target.label()
        ))
        .hint(format!("`abide wait {0}`, then send it again", target.id)));
    }
    send_once(&cx.paths, (&target.id, target.host_pid()), text, paste, enter)
        .map_err(|e| CliError::from(e).about(&target.id))?;
    Ok(target)
}
