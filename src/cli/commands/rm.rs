//! `abide rm`

use super::stop::report;
use crate::cli::context::{Cx, one};
use crate::cli::error::CliError;
use crate::client::control::{self, Control, ControlError, Start};
use crate::core::action::ErrorKind;
use crate::core::event::Command;

/// Remove sessions: the process is ended, and the record and the output are deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide rm 7c5d
  abide rm $(abide ls --all --json | jq -r '.[] | select(.state == \"done\" and (.pid | not)) | .id')")]
pub(crate) struct Args {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required = true)]
    sessions: Vec<String>,
    /// As JSON: an array as of `abide ls --json`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let mut done = Vec::new();
    let result = cx.each(&args.sessions, |cx, address| {
        let view = one(cx.ask(&Command::Show { target: address.to_owned() })?)?;
        let targets = vec![view.record.id.to_string()];
        control::repeat(|broken| {
            let mut control = Control::connect(&cx.paths, Start::Allowed)?;
            match control.ask(Command::Rm { targets: targets.clone() }, None) {
                // The supervisor that died before its answer had done it.
                Err(ControlError::Refused { kind: ErrorKind::NoSession, .. }) if broken > 0 => Ok(()),
                result => result.map(drop),
            }
        })?;
        done.push(*view);
        Ok(())
    });
    report(cx, "removed", &done, args.json)?;
    result
}
