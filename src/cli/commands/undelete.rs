//! `abide undelete`

use super::worktree::here;
use crate::cli::context::Cx;
use crate::cli::error::{CliError, Kind};
use crate::cli::output::Cell;
use crate::cli::text::{clean, moment};
use crate::worktree::kept::{Kept, KeptError, Listed};
use crate::worktree::restore::{RestoreError, undelete};
use serde::Serialize;
use std::path::PathBuf;

/// Bring a removed worktree back as it was: place, branch, commit, index and files. Without an id, list what can be.
///
/// Nothing is overwritten: where something is in its place by now, --to names another one. Where its branch is elsewhere by
/// now, it comes back on another one, called after it. What was removed is kept for 30 days (the setting keep_deleted),
/// inside of the repository, under refs/abide/deleted. With --json, an array: id, at (ms), path, branch, contents.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide undelete                    what was removed from this repository
  abide undelete 3f2a
  abide undelete fix-net --to ../fix-net")]
pub(crate) struct Args {
    /// Its id, the start of it, or the worktree's name
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Another place
    #[arg(long, value_name = "DIR", requires = "id", value_hint = clap::ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// As JSON, when listing
    #[arg(long, conflicts_with = "id")]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let repository = here()?;
    let Some(asked) = &args.id else { return list(cx, Kept::all(&repository)?, args.json) };
    let kept = Kept::find(&repository, asked).map_err(not_found)?;
    let to = match &args.to {
        None => None,
        Some(to) => {
            let to = std::path::absolute(to)
                .map_err(|e| CliError::usage(format!("--to {}: {e}", to.display())))?;
            Some(to)
        }
    };
    let restored = undelete(&repository, &kept, to.as_deref()).map_err(|e| match e {
        RestoreError::Taken(_) => CliError::new(Kind::Protected, e.to_string())
            .hint(format!("move it away, or name another place: `abide undelete {} --to DIR`", kept.id)),
        RestoreError::Failed(_) => CliError::failed(e.to_string()),
        RestoreError::Repository(e) => e.into(),
    })?;
    let branch = restored.branch.as_ref().map(|name| format!(", on branch {name}")).unwrap_or_default();
    cx.out.line(&clean(&format!("{} is back{branch}", restored.path.display())))?;
    if restored.renamed {
        crate::cli::remark("its branch is elsewhere by now, or in use: this is another one, at its commit");
    }
    for problem in &restored.problems {
        crate::cli::remark(problem);
    }
    Ok(())
}

fn not_found(error: KeptError) -> CliError {
    match error {
        KeptError::Repository(e) => e.into(),
        e @ (KeptError::None(_) | KeptError::Several { .. } | KeptError::Unreadable { .. }) => {
            CliError::failed(e.to_string()).hint("`abide undelete` lists what was removed")
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    at: u64,
    path: &'a crate::core::text::Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    contents: &'a [String],
}

fn list(cx: &mut Cx, all: Vec<Listed>, json: bool) -> Result<(), CliError> {
    for Listed { id, kept } in &all {
        if let Err(why) = kept {
            crate::cli::remark(&format!("{id} cannot be read: {why}"));
        }
    }
    let all: Vec<Kept> = all.into_iter().filter_map(|listed| listed.kept.ok()).collect();
    let branch =
        |kept: &Kept| kept.meta.branch.as_ref().map(|b| b.name.to_string().replacen("refs/heads/", "", 1));
    if json {
        let shown: Vec<Shown<'_>> = all
            .iter()
            .map(|kept| Shown {
                id: &kept.id,
                at: kept.meta.at_ms,
                path: &kept.meta.path,
                branch: branch(kept),
                contents: &kept.meta.contents,
            })
            .collect();
        return Ok(cx.out.json(&shown)?);
    }
    if all.is_empty() {
        if cx.out.is_terminal() {
            cx.out.line("nothing was removed here")?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|kept| {
            let what = if kept.meta.contents.is_empty() {
                "nothing of its own".into()
            } else {
                kept.meta.contents.join("; ")
            };
            vec![
                Cell::from(&kept.id),
                Cell::from(moment(kept.meta.at_ms)),
                Cell::from(kept.meta.path.to_string()),
                Cell::from(what),
            ]
        })
        .collect();
    Ok(cx.out.table(&["ID", "REMOVED", "FROM", "WHAT"], &rows, &[2])?)
}
