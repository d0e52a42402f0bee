//! `abide trust`

use super::worktree::here;
use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::sys::clock::wall_ms;
use crate::worktree::repository::Repository;
use crate::worktree::trust::{Standing, Trusted};
use std::path::PathBuf;

/// Trust a repository: let what it brings be executed in worktrees of it.
///
/// That is its hooks (a core.hooksPath within the checkout), its setup command and links to folders, as .abide/config.toml
/// and .claude/settings*.json have them. Read them first. When one of these files changes, it has to be trusted anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide trust               the repository of this folder
  abide trust ~/src/web
  abide trust --status      is it, and as it is now?
  abide trust --revoke")]
pub(crate) struct Args {
    /// A folder of it [default: this one]
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// No longer
    #[arg(long, conflicts_with = "status")]
    revoke: bool,
    /// Only say
    #[arg(long)]
    status: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let repository = match &args.folder {
        None => here()?,
        Some(folder) => Repository::around(folder)?
            .ok_or_else(|| CliError::failed(format!("{} is in no git repository", folder.display())))?,
    };
    let trusted = Trusted::below(&cx.paths.state);
    if !args.status {
        cx.paths.prepare().map_err(|e| CliError::failed(e.to_string()))?;
        trusted.decide(&repository, !args.revoke, wall_ms())?;
    }
    let root = repository.main.as_deref().unwrap_or(&repository.common).display();
    let says = match trusted.standing(&repository)? {
        Standing::Trusted => "is trusted, as it is now",
        Standing::Changed => "was trusted, and has changed since",
        Standing::Unknown => "is not trusted",
    };
    Ok(cx.out.line(&crate::cli::text::clean(&format!("{root} {says}")))?)
}
