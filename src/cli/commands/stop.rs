//! `abide stop`

use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::cli::output::Listed;
use crate::config::parse_duration;
use crate::core::action::View;
use crate::core::event::Command;

/// End the processes of sessions. They stay listed, with their output.
///
/// The program is asked to end (SIGHUP, SIGTERM) and killed after a grace. A stopped session does not come back by
/// itself; `abide respawn` starts it again, `abide rm` forgets it.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "kill",
    after_help = "\
Examples:
  abide stop 7c5d
  abide stop docs tests             several, by name
  abide stop --all                  every session that has a process
  abide stop --grace 0s 7c5d        at once"
)]
pub(crate) struct Args {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    sessions: Vec<String>,
    /// All that have a process
    #[arg(long)]
    all: bool,
    /// How long the program may take to end by itself [default: `stop_grace` of the settings]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    grace: Option<u64>,
    /// As JSON: an array as of `abide ls --json`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let grace_ms = args.grace.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
    if args.all {
        let sessions = several(cx.ask(&Command::Stop { targets: Vec::new(), all: true, grace_ms })?)?;
        return report(cx, "stopped", &sessions, args.json);
    }
    let mut done = Vec::new();
    let result = cx.each(&args.sessions, |cx, target| {
        let command = Command::Stop { targets: vec![target.to_owned()], all: false, grace_ms };
        done.extend(several(cx.ask(&command)?)?);
        Ok(())
    });
    report(cx, "stopped", &done, args.json)?;
    result
}

/// What was done, to which.
pub(super) fn report(cx: &mut Cx, verb: &str, sessions: &[View], json: bool) -> Result<(), CliError> {
    if json {
        let listed: Vec<Listed<'_>> = sessions.iter().map(Listed::from).collect();
        return Ok(cx.out.json(&listed)?);
    }
    for view in sessions {
        let label = crate::cli::context::label(&view.record.id.to_string(), &view.record.name);
        cx.out.line(&crate::cli::text::clean(&format!("{verb} · {label}")))?;
    }
    Ok(())
}
