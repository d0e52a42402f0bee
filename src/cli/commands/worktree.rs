//! `abide worktree …`

mod add;

use crate::cli::context::Cx;
use crate::cli::error::{CliError, Kind};
use crate::cli::output::Cell;
use crate::cli::text::{clean, quoted, span};
use crate::client::control::{Control, Start};
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::core::text::Text;
use crate::core::worktree::{Contents, Refusal};
use crate::sys::clock::wall_ms;
use crate::worktree::contents::{self, Session};
use crate::worktree::linked::{Link, Worktree};
use crate::worktree::lock;
use crate::worktree::remove::{How, RemoveError, remove};
use crate::worktree::repository::{Repository, RepositoryError};
use crate::worktree::sweep::{self, Sweep};
use serde::Serialize;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The worktrees of the repository that you are in: make them, list them, remove them so that nothing is lost.
///
/// Whatever is removed is kept first, with its index, its uncommitted and its untracked files and its commits, for 30 days
/// (the setting keep_deleted); `abide undelete` brings it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide worktree add fix-net
  abide worktree list
  abide worktree remove fix-net
  abide worktree sweep --dry-run")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Add(add::AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
    Sweep(SweepArgs),
}

/// List the worktrees, without the main checkout.
///
/// USED is when anything was last done in one. With --status each is looked into, which takes as long as `git status` in
/// each. With --json, an array: name, path, branch, state (ok, missing, broken), usedAt (ms), lock, and with --status
/// contents.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide worktree list
  abide worktree list --status      what is in each that is nowhere else
  abide worktree list --json | jq -r '.[].path'")]
struct ListArgs {
    /// Look into each
    #[arg(long)]
    status: bool,
    /// As JSON: one array
    #[arg(long)]
    json: bool,
}

/// Remove a worktree, its folder and the branch that was made for it.
///
/// Refused, with exit code 4 and what is in it, where that is nowhere else: changes, untracked files, ignored files that
/// may be precious (.env and its like), commits that are neither pushed nor merged, in whatever form. A stash stays in the
/// repository. Also refused, whatever is said, while it is locked, or a process or a session is in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide worktree remove fix-net
  abide worktree remove fix-net --discard-changes   also what is nowhere else; kept for 30 days
  abide undelete fix-net                            and back")]
struct RemoveArgs {
    /// Its name, or its folder
    #[arg(value_name = "NAME|PATH")]
    worktree: PathBuf,
    /// Remove it with what is nowhere else; all of it can be brought back for a while
    #[arg(long)]
    discard_changes: bool,
}

/// Remove the worktrees that programs made and nobody uses any more.
///
/// These are the ones called agent-…, workflow-… and bridge-…, and those made to be ephemeral, if nothing was done in them
/// for 30 days, nothing is in them that is nowhere else, nobody is in them and they are not locked. A lock of abide's own
/// counts only while its owner lives. What was removed longer ago than keep_deleted says is given up.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide worktree sweep --dry-run    only tell
  abide worktree sweep")]
struct SweepArgs {
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    match &args.what {
        What::Add(args) => add::run(cx, args),
        What::List(args) => list(cx, args),
        What::Remove(args) => remove_one(cx, args),
        What::Sweep(args) => sweep_all(cx, args),
    }
}

impl From<RepositoryError> for CliError {
    fn from(error: RepositoryError) -> Self {
        Self::failed(error.to_string())
    }
}

/// The repository of the working directory.
///
/// # Errors
/// There is none.
pub(super) fn here() -> Result<Repository, CliError> {
    let folder =
        std::env::current_dir().map_err(|e| CliError::failed(format!("the working directory: {e}")))?;
    let none = || {
        CliError::failed(format!("{} is in no git repository", folder.display()))
            .hint("go to the repository whose worktree is meant")
    };
    Repository::around(&folder)?.ok_or_else(none)
}

/// The sessions that a supervisor knows; none is started for the question.
fn sessions(cx: &Cx) -> Vec<Session> {
    let ask =
        || Control::connect(&cx.paths, Start::Never)?.ask(Command::List { all: false, cwd: None }, None);
    let Ok(Reply::List { sessions }) = ask() else { return Vec::new() };
    let place = |text: &Text| PathBuf::from(OsString::from_vec(text.0.clone()));
    let live = sessions.into_iter().filter(|view| view.record.host.is_some());
    live.map(|view| Session {
        id: view.record.id.to_string(),
        name: view.record.name.clone(),
        places: vec![place(&view.record.cwd)],
    })
    .collect()
}

/// The worktree that a name or a folder means.
fn find(repository: &Repository, asked: &Path) -> Result<Worktree, CliError> {
    let all = Worktree::all(repository)?;
    let path =
        asked.canonicalize().or_else(|_| std::path::absolute(asked)).unwrap_or_else(|_| asked.to_owned());
    let flat = asked.to_string_lossy().replace('/', "+");
    let by_path = all.iter().find(|worktree| worktree.path == path);
    let found = by_path
        .or_else(|| all.iter().find(|w| w.name() == flat || w.id.as_bytes() == asked.as_os_str().as_bytes()));
    found.cloned().ok_or_else(|| {
        CliError::failed(format!("{} is no worktree of this repository", asked.display()))
            .hint("`abide worktree list` shows them")
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    path: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    state: &'static str,
    used_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<crate::core::worktree::Lock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Contents>,
}

fn list(cx: &mut Cx, args: &ListArgs) -> Result<(), CliError> {
    let repository = here()?;
    let (precious, sessions) =
        (cx.settings().precious.clone(), if args.status { sessions(cx) } else { Vec::new() });
    let listed = |worktree: &Worktree| Listed {
        name: worktree.name(),
        path: Text(worktree.path.as_os_str().as_bytes().to_vec()),
        branch: worktree.head.branch(),
        state: match worktree.link {
            Link::Sound => "ok",
            Link::Missing => "missing",
            Link::Broken(_) => "broken",
        },
        used_at: sweep::used_ms(worktree),
        // What cannot be read is told by whoever looks into it.
        lock: lock::of(worktree).ok().flatten(),
        contents: args.status.then(|| contents::look(&repository, worktree, &precious, &sessions)),
    };
    let all: Vec<Listed> = Worktree::all(&repository)?.iter().map(listed).collect();
    if args.json {
        return Ok(cx.out.json(&all)?);
    }
    if all.is_empty() {
        if cx.out.is_terminal() {
            cx.out.line("no worktrees; `abide undelete` lists what was removed")?;
        }
        return Ok(());
    }
    let now = wall_ms();
    let rows: Vec<Vec<Cell>> = all.iter().map(|one| row(one, now)).collect();
    let mut head = vec!["NAME", "BRANCH", "USED", "STATE", "PATH"];
    head.extend(args.status.then_some("WHAT"));
    Ok(cx.out.table(&head, &rows, &[4, 1])?)
}

fn row(one: &Listed, now: u64) -> Vec<Cell> {
    let state = if one.lock.is_some() && one.state == "ok" { "locked" } else { one.state };
    let used = if one.used_at > 0 { span(now.saturating_sub(one.used_at)) } else { String::new() };
    let mut cells: Vec<Cell> = vec![
        Cell::from(&one.name),
        Cell::from(one.branch.as_deref().unwrap_or("(no branch)")),
        Cell::from(used),
        Cell::from(state),
        Cell::from(one.path.to_string()),
    ];
    cells.extend(one.contents.as_ref().map(|contents| {
        let lines: Vec<String> = contents.obstacles().into_iter().chain(contents.work()).collect();
        Cell::from(lines.join("; "))
    }));
    cells
}

fn remove_one(cx: &mut Cx, args: &RemoveArgs) -> Result<(), CliError> {
    let repository = here()?;
    let worktree = find(&repository, &args.worktree)?;
    let (precious, sessions) = (cx.settings().precious.clone(), sessions(cx));
    let how = How { discard: args.discard_changes, precious: &precious, sessions: &sessions };
    let removed = remove(&repository, &worktree, &how).map_err(|e| refused(&worktree, e))?;
    let branch = removed.branch.as_ref().map(|name| format!(" and its branch {name}")).unwrap_or_default();
    let id = &removed.kept.id;
    cx.out.line(&clean(&format!(
        "removed {}{branch}; `abide undelete {id}` brings it back",
        worktree.path.display()
    )))?;
    if !removed.contents.stashes.is_empty() {
        cx.out
            .line(&format!("{} of it stay in `git stash list`", stashes(removed.contents.stashes.len())))?;
    }
    match removed.left {
        None => Ok(()),
        Some(why) => Err(CliError::failed(why).hint("what is left of it can be deleted: all of it is kept")),
    }
}

fn stashes(n: usize) -> String {
    if n == 1 { "1 stash".into() } else { format!("{n} stashes") }
}

fn refused(worktree: &Worktree, error: RemoveError) -> CliError {
    let place = worktree.path.display();
    match error {
        RemoveError::Refused(Refusal::Obstacle(what)) => {
            let told = CliError::new(Kind::Protected, format!("{place} is kept: {}", what.join("; ")));
            told.hint("`git worktree unlock` takes a lock off; whoever is in it has to leave it first")
        }
        RemoveError::Refused(Refusal::Work(what)) => {
            let name = quoted(&worktree.name());
            CliError::new(Kind::Protected, format!("{place} is kept, with {}", what.join("; "))).hint(format!(
                "`abide worktree remove {name} --discard-changes` removes it all the same; `abide undelete` brings it back"
            ))
        }
        e @ (RemoveError::NotKept(_) | RemoveError::Restless(_) | RemoveError::Broken { .. }) => {
            CliError::new(Kind::Protected, format!("{place}: {e}"))
        }
        RemoveError::Repository(e) => e.into(),
    }
}

fn sweep_all(cx: &mut Cx, args: &SweepArgs) -> Result<(), CliError> {
    let repository = here()?;
    let (settings, sessions) = (cx.settings().clone(), sessions(cx));
    let how = Sweep {
        precious: &settings.precious,
        sessions: &sessions,
        keep_ms: settings.keep_deleted_ms,
        now_ms: wall_ms(),
        dry_run: args.dry_run,
    };
    let swept = sweep::sweep(&repository, &how)?;
    let would = if args.dry_run { "would remove" } else { "removed" };
    for (worktree, removed) in &swept.removed {
        let id = removed.as_ref().map(|r| format!("; `abide undelete {}` brings it back", r.kept.id));
        cx.out.line(&clean(&format!("{would} {}{}", worktree.path.display(), id.unwrap_or_default())))?;
    }
    for (worktree, why) in &swept.spared {
        cx.out.line(&clean(&format!("kept {}: {}", worktree.path.display(), why.join("; "))))?;
    }
    let would = if args.dry_run { "would give up" } else { "gave up" };
    for kept in &swept.forgotten {
        let ago = span(how.now_ms.saturating_sub(kept.meta.at_ms));
        cx.out.line(&clean(&format!("{would} {}, removed {ago} ago from {}", kept.id, kept.meta.path)))?;
    }
    Ok(())
}
