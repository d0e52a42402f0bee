//! The subcommands, one file each.

mod attach;
mod completions;
mod daemon;
mod doctor;
mod events;
mod hook;
mod install;
mod logs;
mod ls;
mod man;
mod mcp;
mod peek;
mod pin;
mod rename;
mod respawn;
mod rm;
mod run;
mod send;
mod show;
mod stop;
mod trust;
mod undelete;
mod wait;
mod why;
mod worktree;

use super::context::Cx;
use super::error::CliError;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    Attach(attach::Args),
    Peek(peek::Args),
    Logs(logs::Args),
    Send(send::Args),
    Wait(wait::Args),
    Ls(ls::Args),
    Ps(ls::PsArgs),
    Show(show::Args),
    Stop(stop::Args),
    Respawn(respawn::Args),
    Rm(rm::Args),
    Pin(pin::PinArgs),
    Unpin(pin::UnpinArgs),
    Rename(rename::Args),
    Why(why::Args),
    Worktree(worktree::Args),
    Trust(trust::Args),
    Undelete(undelete::Args),
    Events(events::Args),
    Hook(hook::Args),
    Mcp(mcp::Args),
    Daemon(daemon::Args),
    Doctor(doctor::Args),
    Install(install::InstallArgs),
    Uninstall(install::UninstallArgs),
    Completions(completions::Args),
    Man(man::Args),
}

impl Default for Command {
    /// Without a command, the list.
    fn default() -> Self {
        Self::Ls(ls::Args::default())
    }
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// [`CliError`], to be shown.
    pub(crate) fn run(self, cx: &mut Cx) -> Result<(), CliError> {
        match self {
            Self::Run(args) => run::run(cx, args),
            Self::Attach(args) => attach::run(cx, &args),
            Self::Peek(args) => peek::run(cx, &args),
            Self::Logs(args) => logs::run(cx, &args),
            Self::Send(args) => send::run(cx, &args),
            Self::Wait(args) => wait::run(cx, &args),
            Self::Ls(args) => ls::run(cx, &args),
            Self::Ps(args) => ls::ps(cx, &args),
            Self::Show(args) => show::run(cx, &args),
            Self::Stop(args) => stop::run(cx, &args),
            Self::Respawn(args) => respawn::run(cx, &args),
            Self::Rm(args) => rm::run(cx, &args),
            Self::Pin(args) => pin::pin(cx, &args),
            Self::Unpin(args) => pin::unpin(cx, &args),
            Self::Rename(args) => rename::run(cx, &args),
            Self::Why(args) => why::run(cx, &args),
            Self::Worktree(args) => worktree::run(cx, &args),
            Self::Trust(args) => trust::run(cx, &args),
            Self::Undelete(args) => undelete::run(cx, &args),
            Self::Events(args) => events::run(cx, &args),
            Self::Hook(args) => hook::run(cx, &args),
            Self::Mcp(args) => mcp::run(cx, &args),
            Self::Daemon(args) => daemon::run(cx, &args),
            Self::Doctor(args) => doctor::run(cx, &args),
            Self::Install(args) => install::install(cx, &args),
            Self::Uninstall(args) => install::uninstall(cx, &args),
            Self::Completions(args) => completions::run(cx, &args),
            Self::Man(args) => man::run(cx, &args),
        }
    }
}
