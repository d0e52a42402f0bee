//! `abide install`, `abide uninstall`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::client::control::{Control, Start};
use crate::core::event::Command;
use crate::paths::Paths;
use crate::service::install::{self, InstallError, Plan, Supervisor};
use std::io::IsTerminal;

/// Install the supervisor as a service of your user manager (systemd, launchd).
///
/// abide works without: its first command starts what it needs. Installed, the service manager listens for it, starts
/// it at the first call, restarts it, and shows it beside your other services. Nothing is enabled for other users, and
/// sessions that run stay. To be repeated after abide was moved; a second time changes nothing.
///
/// A user manager ends with its user's last logout, and sessions with it, unless the user lingers. On a terminal you are
/// asked whether you want to; elsewhere --linger says it. Without an answer nothing is changed about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide install --dry-run           what would be done, files included
  abide install
  abide install --linger yes        sessions outlive your last logout, too
  systemctl --user status abide.socket")]
pub(crate) struct InstallArgs {
    /// Outlive the last logout, by lingering; `no` takes back what an earlier `yes` did
    #[arg(long, value_enum, value_name = "yes|no", hide_possible_values = true)]
    linger: Option<Answer>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Take away what `abide install` did.
///
/// Sessions go on, and so does abide: without the service, its commands start the supervisor by themselves. Records and
/// output stay as well; `abide rm` removes those of a session.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide uninstall --dry-run
  abide uninstall
  abide stop --all && abide uninstall    end all sessions, too")]
pub(crate) struct UninstallArgs {
    /// With `no`, end the lingering that `abide install` turned on
    #[arg(long, value_enum, value_name = "yes|no", hide_possible_values = true)]
    linger: Option<Answer>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
}

/// What a question is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Answer {
    Yes,
    No,
}

fn wish(answer: Option<Answer>) -> Option<bool> {
    answer.map(|answer| answer == Answer::Yes)
}

pub(super) fn install(cx: &mut Cx, args: &InstallArgs) -> Result<(), CliError> {
    let linger = match wish(args.linger) {
        None if !args.dry_run && cx.out.is_terminal() && std::io::stdin().is_terminal() => ask_to_linger(cx)?,
        wish => wish,
    };
    let plan = install::install(&cx.paths, linger).map_err(explained)?;
    perform(cx, &plan, args.dry_run, "installed already: nothing to do")?;
    if !args.dry_run && !plan.changes_nothing() {
        cx.out.line("installed; `abide daemon status` tells what listens")?;
    }
    Ok(())
}

pub(super) fn uninstall(cx: &mut Cx, args: &UninstallArgs) -> Result<(), CliError> {
    let plan = install::uninstall(&cx.paths, wish(args.linger)).map_err(explained)?;
    perform(cx, &plan, args.dry_run, "not installed: nothing to do")
}

/// Asks, where it would change something.
fn ask_to_linger(cx: &mut Cx) -> Result<Option<bool>, CliError> {
    let Some(user) = install::could_linger(&cx.paths).map_err(explained)? else { return Ok(None) };
    cx.out.line("Your user manager ends some seconds after your last logout, and your sessions with it.")?;
    let question = format!("Keep both running after it (loginctl enable-linger {user})? [y/N] ");
    ask(cx, &question).map(Some)
}

/// A question whose answer is no unless it is yes.
fn ask(cx: &mut Cx, question: &str) -> Result<bool, CliError> {
    cx.out.bytes(question.as_bytes())?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|e| CliError::failed(format!("the answer cannot be read: {e}")))?;
    if !answer.ends_with('\n') {
        cx.out.line("")?;
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn perform(cx: &mut Cx, plan: &Plan, dry_run: bool, nothing: &str) -> Result<(), CliError> {
    if plan.changes_nothing() {
        cx.out.line(nothing)?;
    }
    if dry_run {
        return Ok(cx.out.bytes(plan.to_string().as_bytes())?);
    }
    let paths = cx.paths.clone();
    let mut unwritable = None;
    let result = plan.perform(&ByItsSocket(&paths), |step| {
        if let Err(e) = cx.out.line(&step.to_string()) {
            unwritable.get_or_insert(e);
        }
    });
    result.map_err(explained)?;
    unwritable.map_or(Ok(()), |e| Err(e.into()))
}

fn explained(error: InstallError) -> CliError {
    CliError::failed(error.to_string())
}

struct ByItsSocket<'a>(&'a Paths);

impl Supervisor for ByItsSocket<'_> {
    fn greet(&self) -> Result<u32, String> {
        Control::connect(self.0, Start::Never).map(|c| c.welcome.pid).map_err(|e| e.to_string())
    }

    fn leave(&self) -> Result<(), String> {
        Control::connect(self.0, Start::Never)
            .and_then(|mut control| control.ask(Command::Quit, None))
            .map(drop)
            .map_err(|e| e.to_string())
    }
}
