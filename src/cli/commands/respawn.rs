//! `abide respawn`

use super::run::context_of_this_process;
use super::stop::report;
use crate::cli::context::{Cx, several, unexpected};
use crate::cli::error::CliError;
use crate::client::control::{self, Control, Start};
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::core::restart::listed;

/// Start sessions again: an agent where it left off, a plain command anew.
///
/// A session that still runs is ended first. It gets the environment of its first start where that is still held,
/// else this one's. A prompt is never given a second time.
///
/// --all is for after an upgrade of an agent: it starts those anew that still run the program from before, and nothing
/// else. Per program one goes first, and where that has not come up after 10 seconds the others are left as they are.
/// With --when-idle each goes when its turn is over and no terminal is attached; that outlasts this command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide respawn 7c5d                after it ended, was stopped, or the machine rebooted
  abide respawn --all --when-idle   the agent was upgraded: each session when its turn is over
  abide respawn --all               the same now, also those that work")]
pub(crate) struct Args {
    /// Ids, starts of ids, or names
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    sessions: Vec<String>,
    /// All whose agent's program was replaced since they were started
    #[arg(long)]
    all: bool,
    /// Each when its turn is over and nobody is attached; does not wait for that
    #[arg(long, requires = "all")]
    when_idle: bool,
    /// As JSON: an array as of `abide ls --json`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    if args.all {
        return roll(cx, args);
    }
    let mut done = Vec::new();
    let result = cx.each(&args.sessions, |cx, address| {
        let target = cx.target(address)?;
        done.extend(once(cx, &target.id)?);
        Ok(())
    });
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

/// Those whose agent was replaced. A repetition finds what the one before has begun.
fn roll(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let command = Command::Roll { when_idle: args.when_idle };
    let reply = cx.ask_with(&command, &context_of_this_process())?;
    let Reply::Rolled { sessions, left } = reply else { return Err(unexpected(&reply)) };
    if sessions.is_empty() && left.is_empty() {
        crate::cli::remark("every running agent has the program that is installed now");
    }
    for why in &left {
        crate::cli::remark(&format!("left alone: {why}"));
    }
    report(cx, if args.when_idle { "when idle" } else { "respawned" }, &sessions, args.json)
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
