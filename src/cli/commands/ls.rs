//! `abide ls` and `abide ps`

use crate::cli::context::{Cx, several};
use crate::cli::error::{CliError, Kind};
use crate::cli::output::{Cell, Listed, name_of, style_of};
use crate::cli::registered::{self, Registered};
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

/// List the sessions that abide runs.
///
/// Shows those that have a process or can be resumed (`abide ps` shows your own sessions at terminals, too); with --all also those that are over. AGE counts from the
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
#[command(
    visible_alias = "list",
    after_help = "\
Examples:
  abide ls                          what runs
  abide ls --all                    what is over, too
  abide ls --memory                 what each uses
  abide ls --cwd .                  only what runs in this folder or below
  abide ls --json | jq -r '.[] | select(.state == \"blocked\") | .id'"
)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Default, clap::Args)]
struct Options {
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

/// List every live session: those that abide runs, and your own at terminals.
///
/// Your own are the conversations of agents whose hooks speak to abide (`abide hook`), wherever they were started.
/// A session that is known in both ways is shown once. Your own have no id, and nothing is done to them from here; what
/// one waits for is said. With --all also sessions of abide that are over.
///
/// With --json, one array, with the fields of `abide ls --json`. Your own have kind interactive and no id and no state,
/// but pid, cwd, startedAt, and where they are known sessionId, name, status (busy, idle, waiting), waitingFor and
/// abide.agent.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "agents",
    after_help = "\
Examples:
  abide ps                          everything that runs
  abide ps --cwd .                  in this folder or below
  abide agents --json | jq -r '.[] | select(.status == \"waiting\") | .name'"
)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    options: Options,
}

pub(super) fn ps(cx: &mut Cx, args: &PsArgs) -> Result<(), CliError> {
    let cwd = folder(&args.options)?;
    let entries = registered::live(&cx.paths, cwd.as_ref());
    let asked = cx.ask(&Command::List { all: args.options.all, cwd }).and_then(several);
    let (sessions, reached) = match asked {
        Ok(sessions) => (sessions, true),
        // What is registered is known without a supervisor.
        Err(e) if e.kind == Kind::Unreachable => {
            crate::cli::remark(&format!("{}; showing what is registered", e.message));
            (Vec::new(), false)
        }
        Err(e) => return Err(e),
    };
    let others = registered::others(&cx.paths, entries, &sessions, reached);
    show(cx, &args.options, &sessions, Some(&others))
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let sessions = several(cx.ask(&Command::List { all: args.options.all, cwd: folder(&args.options)? })?)?;
    show(cx, &args.options, &sessions, None)
}

/// The folder that was asked for.
fn folder(args: &Options) -> Result<Option<Text>, CliError> {
    let Some(dir) = &args.cwd else { return Ok(None) };
    let dir =
        std::path::absolute(dir).map_err(|e| CliError::usage(format!("--cwd {}: {e}", dir.display())))?;
    // Through `..` and links, as sessions have it; a folder that is gone may still have sessions.
    let dir = dir.canonicalize().unwrap_or(dir);
    Ok(Some(Text(dir.as_os_str().as_bytes().to_vec())))
}

/// `others`: none where only abide's own are listed.
fn show(
    cx: &mut Cx,
    args: &Options,
    sessions: &[View],
    others: Option<&[Registered]>,
) -> Result<(), CliError> {
    let mut reader = Reader::new();
    let mut used = |view: &View| args.memory.then(|| usage::of(&mut reader, &cx.paths, view));
    let registered = others.unwrap_or_default();
    if args.json {
        let ours =
            sessions.iter().map(|view| Row::Ours(Box::new(Listed::from(view).using(used(view).flatten()))));
        let listed: Vec<Row<'_>> = ours.chain(registered.iter().map(Row::Other)).collect();
        return Ok(cx.out.json(&listed)?);
    }
    if sessions.is_empty() && registered.is_empty() {
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
    let mut rows: Vec<Vec<Cell>> = sessions.iter().map(|s| row(s, used(s), now, home.as_deref())).collect();
    let mut head = vec!["ID", "NAME", "STATE", "AGE", "CWD", "WHAT"];
    if args.memory {
        head.splice(4..4, ["MEM", "CPU"]);
    }
    let mut gives_way = [head.len() - 2, 1];
    let other = |other: &Registered| {
        let cwd = other.cwd().map(|cwd| shortened(&cwd.to_string(), home.as_deref()));
        other.row(now, cwd.unwrap_or_default(), args.memory)
    };
    rows.extend(registered.iter().map(other));
    if others.is_some() {
        // By which one's own session is told from another.
        head.insert(1, "PID");
        gives_way = gives_way.map(|column| column + 1);
        let ours = sessions.iter().map(|view| crate::cli::output::pid(&view.record));
        let pids = ours.chain(registered.iter().map(|other| Some(other.pid())));
        for (row, pid) in rows.iter_mut().zip(pids) {
            row.insert(1, Cell::from(pid.map(|pid| pid.to_string()).unwrap_or_default()));
        }
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

/// A line of the array.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Ours(Box<Listed<'a>>),
    Other(&'a Registered),
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
