//! `abide ls`

use crate::cli::context::{Cx, several};
use crate::cli::error::CliError;
use crate::cli::output::{Cell, Listed, name_of, style_of};
use crate::cli::text::{quoted, span};
use crate::cli::usage;
use crate::core::action::View;
use crate::core::event::Command;
use crate::core::record::State;
use crate::core::text::Text;
use crate::service::anchor;
use crate::sys::clock::wall_ms;
use crate::sys::usage::{Reader, Usage};
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
///
/// With --memory, MEM and CPU: memory now, and processor time since the start, of everything in the session. Under systemd
/// that is what its unit's control group counts, cached files included, where the system has those counters; elsewhere
/// the sum over its living processes. With --json as well, an object abide.usage: memory and memoryMax (bytes), cpuUs,
/// memoryFrom and cpuFrom (cgroup, processes), oomKills (processes that the kernel killed for want of memory).
#[derive(Debug, Default, clap::Args)]
#[command(visible_aliases = ["ps", "agents", "list"], after_help = "\
Examples:
  abide ls                          what runs
  abide ls --all                    what is over, too
  abide ls --memory                 what each uses
  abide ls --cwd .                  only what runs in this folder or below
  abide ls --json | jq -r '.[] | select(.state == \"blocked\") | .id'")]
pub(crate) struct Args {
    /// As JSON: one array
    #[arg(long)]
    json: bool,
    /// Sessions that are over, too
    #[arg(short, long)]
    all: bool,
    /// Show what each uses: memory and processor time
    #[arg(short, long)]
    memory: bool,
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
    let mut reader = Reader::new();
    let mut used = |view: &View| args.memory.then(|| usage::of(&mut reader, &cx.paths, view));
    if args.json {
        let listed = sessions.iter().map(|view| Listed::from(view).using(used(view).flatten()));
        let listed: Vec<Listed<'_>> = listed.collect();
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
    let rows: Vec<Vec<Cell>> = sessions.iter().map(|s| row(s, used(s), now, home.as_deref())).collect();
    let (mut head, mut gives_way) = (vec!["ID", "NAME", "STATE", "AGE", "CWD", "WHAT"], [4, 1]);
    if args.memory {
        head.splice(4..4, ["MEM", "CPU"]);
        gives_way = [6, 1];
    }
    if cx.out.is_terminal()
        && let Some(pid) = anchor::running(&cx.paths)
    {
        crate::cli::remark(&format!(
            "an anchor (process {pid}) keeps a login of yours open while these run; it ends with the last of them"
        ));
    }
    Ok(cx.out.table(&head, &rows, &gives_way)?)
}

/// `used`: none where it was not asked for, and nothing in it where it is not known.
fn row(view: &View, used: Option<Option<Usage>>, now: u64, home: Option<&str>) -> Vec<Cell> {
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
    let used = used.map(usage::columns).into_iter().flatten().map(Cell::from);
    let mut cells = vec![
        Cell::from(r.id.to_string()),
        Cell::from(&r.name),
        Cell::styled(state, style_of(r.state)),
        Cell::from(span(end.saturating_sub(r.times.created_ms))),
    ];
    cells.extend(used);
    cells.extend([Cell::from(shortened(&r.cwd.to_string(), home)), Cell::from(what(view))]);
    cells
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
