//! `abide man`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use std::path::PathBuf;

/// Print the manual page, of abide or of one of its commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide man | man -l -
  abide man run | man -l -
  abide man --dir ~/.local/share/man/man1     all pages, as files")]
pub(crate) struct Args {
    /// A command
    command: Option<String>,
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let mut abide = crate::cli::command_line().disable_help_subcommand(true);
    abide.build();
    if let Some(dir) = &args.dir {
        return clap_mangen::generate_to(abide, dir)
            .map_err(|e| CliError::failed(format!("the pages cannot be written to {}: {e}", dir.display())));
    }
    let command = match &args.command {
        None => abide,
        Some(name) => abide.find_subcommand(name).cloned().ok_or_else(|| {
            CliError::usage(format!("there is no command {name:?}")).hint("`abide help` lists them")
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(cx.out.bytes(&page)?)
}
