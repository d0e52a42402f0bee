//! `abide rename`

use super::stop::report;
use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::core::event::Command;

/// Give a session another name.
///
/// A name is an address: it must not be another session's.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide rename 7c5d docs
  abide attach docs")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// The new name
    name: String,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let target = cx.target(&args.session)?;
    let reply = cx.ask(&Command::Rename { target: target.id, name: args.name.clone() })?;
    report(cx, "renamed", &several(reply)?, false)
}
