//! `abide ls`

use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::cli::output::{Cell, Listed, name_of, style_of};
use crate::cli::text::{quoted, span};
use crate::core::action::View;
use crate::core::event::Command;
use crate::core::record::State;
use crate::core::text::Text;
use crate::sys::clock::wall_ms;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// List the sessions.
///
/// Shows those that have a process or can be resumed; with --all also those that are over. AGE counts from the
/// dispatch, and stands still at the session's end. Behind a state, @ says that somebody is attached, and ^ that the
/// session is pinned.
///
/// With --json, one array: id, sessionId, name, cwd, pid, kind (background, interactive), state (working, blocked,
/// done, failed, stopped), status (busy, idle, waiting), waitingFor, startedAt (ms), and an object `abide` with more:
/// state (queued, starting, working, blocked, idle, done, failed, stopped, parked), tempo, agent, argv, intent, detail,
/// title, nameSource, attended, pinned, origin, spawnedBy, generation, hostPid, createdAt, updatedAt, endedAt, exit,
/// output. A field that does not apply is left out. Fields are only ever added.
#[derive(Debug, Default, clap::Args)]
#[command(visible_aliases = ["ps", "agents", "list"], after_help = "\
Examples:
  abide ls                          what runs
  abide ls --all                    what is over, too
  abide ls --cwd .                  only what runs in this folder or below
  abide ls --json | jq -r '.[] | select(.state == \"blocked\") | .id'")]
pub(crate) struct Args {
    /// As JSON: one array
    #[arg(long)]
    json: bool,
    /// Sessions that are over, too
    #[arg(short, long)]
    all: bool,
    /// Only sessions whose working directory is this, or below
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    cwd: Option<PathBuf>,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let cwd = match &args.cwd {
        None => None,
        Some(dir) => {
            let dir = std::path::absolute(dir)
                .map_err(|e| CliError::usage(format!("--cwd {}: {e}", dir.display())))?;
            // Through `..` and links, as sessions have it; a folder that is gone may still have sessions.
            let dir = dir.canonicalize().unwrap_or(dir);
            Some(Text(dir.as_os_str().as_bytes().to_vec()))
        }
    };
    let sessions = several(cx.ask(&Command::List { all: args.all, cwd })?)?;
    if args.json {
        let listed: Vec<Listed<'_>> = sessions.iter().map(Listed::from).collect();
        return Ok(cx.out.json(&listed)?);
    }
    if sessions.is_empty() {
        if cx.out.is_terminal() {
            let what = if args.all { "no sessions" } else { "nothing runs" };
            cx.out.line(&format!(
                "{what}; `abide run -- bash` starts a first session, `abide --help` tells more"
            ))?;
        }
        return Ok(());
    }
    let now = wall_ms();
    let home = std::env::home_dir().map(|h| h.display().to_string());
    let rows: Vec<Vec<Cell>> = sessions.iter().map(|s| row(s, now, home.as_deref())).collect();
    Ok(cx.out.table(&["ID", "NAME", "STATE", "AGE", "CWD", "WHAT"], &rows, &[4, 1])?)
}

fn row(view: &View, now: u64, home: Option<&str>) -> Vec<Cell> {
    let r = &view.record;
    let mut state = name_of(r.state).to_owned();
    for (mark, is) in [(" @", view.attended), (" ^", r.pinned)] {
        if is {
            state.push_str(mark);
        }
    }
    let end = match (&r.host, &r.exit) {
        (None, Some(exit)) if exit.ended_ms > 0 => exit.ended_ms,
        (Some(_) | None, _) => now,
    };
    vec![
        Cell::from(r.id.to_string()),
        Cell::from(&r.name),
        Cell::styled(state, style_of(r.state)),
        Cell::from(span(end.saturating_sub(r.times.created_ms))),
        Cell::from(shortened(&r.cwd.to_string(), home)),
        Cell::from(what(view)),
    ]
}

/// What to say of a session in one line: what it needs, what went wrong, what it does, what it is.
fn what(view: &View) -> String {
    let r = &view.record;
    if let (State::Blocked, Some(what)) = (r.state, &r.waiting_for) {
        return what.clone();
    }
    if let (State::Failed | State::Parked, Some(exit)) = (r.state, &r.exit) {
        return super::show::ending(exit);
    }
    let command = || r.argv.iter().map(|a| quoted(&a.to_string())).collect::<Vec<_>>().join(" ");
    [&r.detail, &r.intent].into_iter().find(|t| !t.is_empty()).cloned().unwrap_or_else(command)
}

/// With `~` for the home folder.
fn shortened(path: &str, home: Option<&str>) -> String {
    match home.and_then(|h| path.strip_prefix(h)) {
        Some("") => "~".to_owned(),
        Some(rest) if rest.starts_with('/') => format!("~{rest}"),
        Some(_) | None => path.to_owned(),
    }
}
