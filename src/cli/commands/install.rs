//! `abide install`, `abide uninstall`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::client::control::{Control, Start};
use crate::core::event::Command;
use crate::paths::Paths;
use crate::service::install::{self, InstallError, Plan, Supervisor};

/// Install the supervisor as a service of your user manager (systemd).
///
/// abide works without: its first command starts what it needs. Installed, the service manager listens for it, starts
/// it at the first call, restarts it, and shows it beside your other services. Nothing is enabled for other users, and
/// sessions that run stay. To be repeated after abide was moved; a second time changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide install --dry-run           what would be done, files included
  abide install
  systemctl --user status abide.socket")]
pub(crate) struct InstallArgs {
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
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn install(cx: &mut Cx, args: &InstallArgs) -> Result<(), CliError> {
    let plan = install::install(&cx.paths).map_err(explained)?;
    perform(cx, &plan, args.dry_run, "installed already: nothing to do")?;
    if !args.dry_run && !plan.changes_nothing() {
        cx.out.line("installed; `abide daemon status` tells what listens")?;
    }
    Ok(())
}

pub(super) fn uninstall(cx: &mut Cx, args: &UninstallArgs) -> Result<(), CliError> {
    let plan = install::uninstall(&cx.paths).map_err(explained)?;
    perform(cx, &plan, args.dry_run, "not installed: nothing to do")
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
