//! `abide completions`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use clap_complete::Shell;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide completions bash > ~/.local/share/bash-completion/completions/abide
  abide completions zsh > ~/.zfunc/_abide
  abide completions fish > ~/.config/fish/completions/abide.fish")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::command_line(), "abide", &mut script);
    Ok(cx.out.bytes(&script)?)
}
