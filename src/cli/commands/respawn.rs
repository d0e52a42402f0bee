//! `abide respawn`

use super::run::context_of_this_process;
use super::stop::report;
use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::client::control::{self, Control, Start};
use crate::core::event::Command;
use crate::core::restart::listed;

/// Start sessions again: an agent where it left off, a plain command anew.
///
/// A session that still runs is ended first. It gets the environment of its first start where that is still held,
/// else this one's. A prompt is never given a second time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide respawn 7c5d                after it ended, was stopped, or the machine rebooted
  abide respawn --all               everything that runs, say after an upgrade of the agent")]
pub(crate) struct Args {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    sessions: Vec<String>,
    /// All that have a process
    #[arg(long)]
    all: bool,
    /// As JSON: an array as of `abide ls --json`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let mut done = Vec::new();
    let result = if args.all {
        let running = several(cx.ask(&Command::List { all: false, cwd: None })?)?;
        let running: Vec<String> =
            running.iter().filter(|v| v.record.host.is_some()).map(|v| v.record.id.to_string()).collect();
        cx.each(&running, |cx, id| {
            done.extend(once(cx, id)?);
            Ok(())
        })
    } else {
        cx.each(&args.sessions, |cx, address| {
            let target = cx.target(address)?;
            done.extend(once(cx, &target.id)?);
            Ok(())
        })
    };
    report(cx, "respawned", &done, args.json)?;
    for record in done.iter().map(|view| &view.record).filter(|record| !record.lacks.is_empty()) {
        crate::cli::remark(&format!(
            "{} has your present environment, since its own was not kept; it had {} then, which you do not have now",
            record.name,
            listed(&record.lacks)
        ));
    }
    result
}

/// Respawns one, and not twice: where the supervisor died before its answer, the record's generation tells whether
/// it had begun.
fn once(cx: &Cx, id: &str) -> Result<Vec<crate::core::action::View>, CliError> {
    let show = Command::Show { target: id.to_owned() };
    let before = crate::cli::context::one(cx.ask(&show)?)?.record.generation;
    let context = context_of_this_process();
    let reply = control::repeat(|broken| {
        let mut control = Control::connect(&cx.paths, Start::Allowed)?;
        if broken > 0 {
            let now = control.ask(show.clone(), None)?;
            if crate::cli::context::one(now.clone()).is_ok_and(|v| v.record.generation > before) {
                return Ok(now);
            }
        }
        control.ask(Command::Respawn { targets: vec![id.to_owned()], all: false }, Some(context.clone()))
    })?;
    several(reply)
}
