//! `abide pin`, `abide unpin`

use super::stop::report;
use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::core::event::Command;

/// Keep sessions running, however long they are idle.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide pin 7c5d
  abide run --pin -- npm run dev    from the start")]
pub(crate) struct PinArgs {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required = true)]
    sessions: Vec<String>,
}

/// Undo `abide pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide unpin 7c5d")]
pub(crate) struct UnpinArgs {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required = true)]
    sessions: Vec<String>,
}

pub(super) fn pin(cx: &mut Cx, args: &PinArgs) -> Result<(), CliError> {
    set(cx, &args.sessions, true)
}

pub(super) fn unpin(cx: &mut Cx, args: &UnpinArgs) -> Result<(), CliError> {
    set(cx, &args.sessions, false)
}

fn set(cx: &mut Cx, sessions: &[String], pinned: bool) -> Result<(), CliError> {
    let mut done = Vec::new();
    let result = cx.each(sessions, |cx, target| {
        done.extend(several(cx.ask(&Command::Pin { targets: vec![target.to_owned()], pinned })?)?);
        Ok(())
    });
    report(cx, if pinned { "pinned" } else { "unpinned" }, &done, false)?;
    result
}
