//! `abide peek`

use super::run::context_of_this_process;
use super::send::takes_input;
use crate::cli::context::{Cx, Target};
use crate::cli::error::CliError;
use crate::client::host::HostError;
use crate::client::strip;
use crate::wire::exit::ExitRecord;
use crate::wire::host::{Reply, Request};
use serde::Serialize;
use std::time::Duration;

/// How long an agent that was resumed may take to draw its screen.
const DRAWN_WITHIN: Duration = Duration::from_secs(10);

/// Show a session's screen as it is now, without attaching.
///
/// Colours are kept on a terminal and left out elsewhere. Of a session that has ended, its last screen; one that is
/// parked is resumed first, but with --last.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide peek 7c5d
  abide peek 7c5d --last            as it was left, where it is parked
  watch -c abide peek --color docs
  abide peek 7c5d --json | jq -r .lines[]")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// Of a session that is parked, its last screen: it is not resumed
    #[arg(long)]
    last: bool,
    /// With colours, also where standard output is no terminal
    #[arg(long, alias = "colour", conflicts_with = "json")]
    color: bool,
    /// As JSON: id, live, cols, rows, cursor (column and row, from 0; while live), lines
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Peeked<'a> {
    id: &'a str,
    live: bool,
    cols: u16,
    rows: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<(u16, u16)>,
    lines: Vec<String>,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let mut target = cx.target(&args.session)?;
    if !args.last {
        let resumed;
        (target, resumed) = cx.awake(target, context_of_this_process)?;
        if resumed {
            // Who wants to see more looks again.
            takes_input(cx, &target, DRAWN_WITHIN)?;
        }
    }
    let Shown { live, cols, rows, cursor, text } = screen(cx, &target)?;
    if args.json {
        let plain = strip::plain(&text);
        let lines = String::from_utf8_lossy(&plain).lines().map(str::to_owned).collect();
        return Ok(cx.out.json(&Peeked { id: &target.id, live, cols, rows, cursor, lines })?);
    }
    let mut shown =
        if args.color || cx.out.has_colours() { strip::harmless(&text) } else { strip::plain(&text) };
    if shown.last().is_some_and(|b| *b != b'\n') {
        shown.push(b'\n');
    }
    Ok(cx.out.bytes(&shown)?)
}

/// A session's screen.
pub(super) struct Shown {
    /// It has a process.
    pub(super) live: bool,
    cols: u16,
    rows: u16,
    /// Of a live session.
    cursor: Option<(u16, u16)>,
    /// With its colours.
    pub(super) text: Vec<u8>,
}

/// A session's screen as it is now; of one that has ended, its last.
pub(super) fn screen(cx: &Cx, target: &Target) -> Result<Shown, CliError> {
    let live = match cx.host(target)? {
        None => None,
        Some(mut link) => match link.ask(&Request::Peek) {
            Ok(Reply::Screen { cols, rows, cursor, text }) => {
                Some(Shown { live: true, cols, rows, cursor: Some(cursor), text })
            }
            Ok(other) => return Err(HostError::Garbled(format!("{other:?} instead of a screen")).into()),
            // It ended in this very moment: then its record has the screen.
            Err(HostError::Broken(_)) => None,
            Err(e) => return Err(CliError::from(e).about(&target.id)),
        },
    };
    let last =
        |r: ExitRecord| Shown { live: false, cols: r.cols, rows: r.rows, cursor: None, text: r.screen };
    live.or_else(|| cx.exit_record(&target.id).map(last)).ok_or_else(|| {
        CliError::failed(format!(
            "{} has no screen: it has no process, and left no last screen",
            target.label()
        ))
        .hint(format!("`abide show {}` tells what became of it", target.id))
    })
}
