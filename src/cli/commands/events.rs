//! `abide events`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::cli::output::name_of;
use crate::cli::text::{clean, moment};
use crate::client::control::{Control, ControlError, Start, accepted, repeat_waiting};
use crate::core::action::{Entry, Reply};
use crate::core::event::Command;
use anstyle::Style;

/// What happened, as numbered events: starts, states, ends, who asked.
///
/// With --json, a line each: seq (its number, from 1), atMs, id, name, event, state, text, by. A script that notes the
/// last seq goes on there with --since, whatever happened in between.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide events                      what is still known
  abide events -f                   and then what happens
  abide events --since 120 --json   all after number 120
  abide events -f --json | jq --unbuffered -r 'select(.state == \"blocked\") | .name'")]
pub(crate) struct Args {
    /// Only of this session: its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: Option<String>,
    /// Only those after this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    since: u64,
    /// Stay, and print what happens
    #[arg(short, long)]
    follow: bool,
    /// As JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let target = args.session.as_ref().map(|s| cx.target(s).map(|t| t.id)).transpose()?;
    let mut since = args.since;
    let mut unwritable = None;
    let paths = cx.paths.clone();
    let result = repeat_waiting(|_| {
        let mut control = Control::connect(&paths, Start::Allowed)?;
        let command = Command::Events { since, follow: args.follow, target: target.clone() };
        let tag = control.begin(command, None)?;
        loop {
            let answer = control.answer()?;
            if answer.tag != tag {
                continue;
            }
            match accepted(answer.reply)? {
                // Seen before the supervisor went away.
                Reply::Event { entry } if entry.seq <= since => {}
                Reply::Event { entry } => {
                    since = entry.seq;
                    if let Err(e) = print(cx, &entry, args.json) {
                        unwritable = Some(e);
                        return Ok(());
                    }
                }
                Reply::Done { .. }
                | Reply::List { .. }
                | Reply::Session { .. }
                | Reply::Why { .. }
                | Reply::Who { .. }
                | Reply::Hooked { .. }
                | Reply::Rolled { .. }
                | Reply::Daemon { .. }
                | Reply::Error { .. } => {}
            }
            if answer.last {
                // A supervisor that leaves ends its streams in order; who follows goes on with the next one.
                return if args.follow { Err(left()) } else { Ok(()) };
            }
        }
    });
    match unwritable {
        Some(e) => Err(e),
        None => Ok(result?),
    }
}

fn left() -> ControlError {
    ControlError::Broken(std::io::ErrorKind::UnexpectedEof.into())
}

fn print(cx: &mut Cx, entry: &Entry, json: bool) -> Result<(), CliError> {
    if json {
        let line = serde_json::to_string(entry).map_err(|e| CliError::failed(e.to_string()))?;
        return Ok(cx.out.line(&line)?);
    }
    let when = cx.out.paint(Style::new().dimmed(), &moment(entry.at_ms));
    let who = entry.id.map(|id| crate::cli::context::label(&id.to_string(), &entry.name)).unwrap_or_default();
    let state = entry.state.map(|s| format!(" → {}", name_of(s))).unwrap_or_default();
    let mut rest = String::new();
    for part in [&entry.text, &entry.by] {
        if !part.is_empty() {
            rest.push_str(" · ");
            rest.push_str(part);
        }
    }
    let seq = entry.seq;
    cx.out
        .line(&format!("{seq:>6} {when}  {}", clean(&format!("{:<10} {who}{state}{rest}", entry.event))))?;
    Ok(())
}
