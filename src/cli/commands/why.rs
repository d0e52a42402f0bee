//! `abide why`

use crate::cli::context::{Cx, unexpected};
use crate::cli::error::CliError;
use crate::cli::output::Listed;
use crate::cli::text::clean;
use crate::cli::usage;
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::sys::usage::Reader;

/// Explain a session's state: the evidence, and the rule that it led to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide why 7c5d
  abide why docs --json             the session, and the sentences in an array `reasons`")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// As JSON: an object of `session` (as in `abide ls --json`) and `reasons`
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Explained<'a> {
    session: Listed<'a>,
    reasons: &'a [String],
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let reply = cx.ask(&Command::Why { target: args.session.clone() })?;
    let Reply::Why { session, mut reasons } = reply else { return Err(unexpected(&reply)) };
    // Of a session that goes on, its control group tells; of one that is over, its exit record, which is in the reasons.
    let used = usage::of(&mut Reader::new(), &cx.paths, &session);
    if let Some(used) = used.filter(|used| used.oom_kills > 0) {
        reasons.push(format!("It goes on, and uses {}.", usage::sentence(used)));
    }
    if args.json {
        return Ok(cx.out.json(&Explained { session: Listed::from(&*session), reasons: &reasons })?);
    }
    for reason in reasons {
        cx.out.line(&clean(&reason))?;
    }
    Ok(())
}
