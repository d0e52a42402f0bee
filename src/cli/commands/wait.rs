//! `abide wait`

use super::show::ending;
use crate::cli::context::{Cx, one};
use crate::cli::error::CliError;
use crate::cli::output::{Listed, STATES, name_of};
use crate::cli::text::clean;
use crate::client::wait::{Hangup, Waited, wait};
use crate::config::parse_duration;
use crate::core::event::Command;
use crate::core::record::State;
use std::time::{Duration, Instant};

/// Wait until a session's turn is over, or until it is in a given state.
///
/// Without --for: until it is idle, done, blocked, failed, stopped or parked. Prints the state.
///
/// Exit code: 0 when it came to a state of --for, or without --for to its turn's end; 1 when it failed or was stopped
/// instead, and when the time was up.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide wait 7c5d && abide peek 7c5d
  abide wait docs --for blocked --for done --timeout 10m
  abide wait 7c5d --json | jq -r .abide.exit.code")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// A state to wait for; may be repeated
    #[arg(long = "for", value_name = "STATE", value_parser = states())]
    states: Vec<String>,
    /// Give up after this time, as `90s`, `10m`, `1h`
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    timeout: Option<u64>,
    /// Print the session as JSON: one object as in `abide ls --json`
    #[arg(long)]
    json: bool,
}

fn states() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(STATES.map(name_of))
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    // The id, once: a name may become another session's while we wait.
    let target = cx.target(&args.session)?;
    let mut states = args.states.clone();
    if !states.is_empty() {
        // What never comes must not be waited for: an end is an answer too.
        states.extend(["done", "failed", "stopped"].map(str::to_owned));
    }
    let command = Command::Wait { target: target.id.clone(), states };
    let deadline = args.timeout.map(|ms| Instant::now() + Duration::from_millis(ms));
    let reply = match wait(&cx.paths, &command, deadline, &Hangup::default())? {
        Waited::Answered(reply) => *reply,
        // Nobody hangs up here.
        Waited::TimeUp | Waited::HungUp => {
            return Err(CliError::failed(format!("{} is not there yet, and the time is up", target.label()))
                .hint(format!("`abide why {}` explains its state", target.id)));
        }
    };
    let view = one(reply)?;
    let state = view.record.state;
    if args.json {
        cx.out.json(&Listed::from(&*view))?;
    } else {
        cx.out.line(name_of(state))?;
    }
    let reached = if args.states.is_empty() {
        !matches!(state, State::Failed | State::Stopped)
    } else {
        args.states.iter().any(|s| s == name_of(state))
    };
    if reached {
        return Ok(());
    }
    let how = view.record.exit.as_ref().map(|e| format!(": it {}", ending(e))).unwrap_or_default();
    Err(CliError::failed(clean(&format!("{} is {}{how}", target.label(), name_of(state)))))
}
