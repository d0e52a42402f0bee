//! The `abide` program: its command line, and what each command does (`commands`).
//!
//! A command is a struct whose doc comments are its help, with examples after it, and a function that does it. What
//! goes wrong is an `error::CliError`, whose kind is the exit code; only here is one shown.

mod commands;
mod context;
mod error;
mod hook;
mod output;
mod registered;
mod text;
mod usage;

use clap::{CommandFactory, Parser};
use commands::Command;
use context::Cx;
use error::{CliError, Kind};
use std::io::Write;
use std::process::ExitCode;

/// Keeps coding-agent sessions running: they outlive the terminal, the supervisor and the binary.
///
/// `abide run` puts an agent or any command into the background, on a terminal of its own. It goes on when you close
/// your terminal, when the supervisor dies and when abide is upgraded. `abide attach` brings it back to your terminal:
/// same screen, same scrollback. Without a command, abide lists what runs.
#[derive(Debug, Parser)]
#[command(name = "abide", version, max_term_width = 100, after_help = TEACH)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const TEACH: &str = "\
A first session:
  abide run -- bash               a shell in the background; prints its id
  abide attach 7c5d               into it; the start of an id, or its name, is enough
  (Ctrl-\\, then d)                out of it again: it goes on
  abide ls                        what runs, and what waits for you
  abide ps                        your own sessions at terminals, too
  abide logs -f 7c5d              its output as it comes
  abide stop 7c5d                 end it; `abide rm 7c5d` forgets it

With an agent:
  abide run \"fix the failing test\"
  abide run -n docs --agent claude \"write the README\" -- --model opus

Exit codes: 0 done, 1 it failed, 2 wrong command line, 3 no such session,
4 refused to protect data, 5 supervisor unreachable.
`abide COMMAND --help` has examples for every command.";

/// Entry point of the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version go to standard output and are no errors; clap knows.
            let code = u8::try_from(e.exit_code()).unwrap_or(2);
            return match e.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(if e.use_stderr() { code } else { 0 }),
            };
        }
    };
    let command = cli.command.unwrap_or_default();
    match Cx::of_this_process().and_then(|mut cx| command.run(&mut cx)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            show(&e);
            ExitCode::from(e.kind.code())
        }
    }
}

/// The command line, for completions and manual pages.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Shows an error on standard error.
pub(crate) fn show(error: &CliError) {
    if error.kind == Kind::Unheard {
        return;
    }
    let mut stderr = anstream::stderr().lock();
    let red = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())).bold();
    let cyan = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Cyan.into()));
    for (is_hint, line) in error.lines() {
        let (style, label) = if is_hint { (cyan, "hint") } else { (red, "error") };
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(stderr, "{style}{label}:{style:#} {line}");
    }
}

/// A remark on standard error, beside what the command prints.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text::clean(text));
}
