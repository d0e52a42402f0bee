//! `abide daemon …`

use crate::cli::context::{Cx, unexpected};
use crate::cli::error::{CliError, Kind};
use crate::cli::text::{clean, moment, span};
use crate::client::control::{Control, ControlError, Start};
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::core::record::Origin;
use crate::service::{Manager, program, unit};
use crate::sys::clock::wall_ms;
use crate::sys::locks;
use serde::Serialize;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;

/// The supervisor: what it does now, and how to make it leave or show its log.
///
/// It is started by the first command that needs it and leaves when nothing does; there is nothing to take care of. No
/// session ever ends with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide daemon status
  abide daemon stop                 it leaves; sessions live on
  abide daemon logs -f")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Status(StatusArgs),
    Run(RunArgs),
    Stop(StopArgs),
    Logs(LogsArgs),
}

/// Tell whether a supervisor runs, without ever starting one.
///
/// Exit code: 0 where one runs, or sleeps behind a listening socket of the service manager; 5 where nothing would
/// answer. With --json: state (running, sleeping, absent), socket, and while it runs pid, version, origin, startedAt
/// (ms), live, sessions, holding.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide daemon status
  abide daemon status --json | jq .live")]
struct StatusArgs {
    /// As JSON: one object
    #[arg(long)]
    json: bool,
}

/// Run the supervisor in this terminal, instead of in the background.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide daemon run                  until Ctrl-C; sessions live on")]
struct RunArgs {}

/// Make the supervisor leave. No session ends; the next command starts it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide daemon stop")]
struct StopArgs {}

/// Show the supervisor's log: from the journal, or from its file where there is no journal.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide daemon logs -n 50
  abide daemon logs -f")]
struct LogsArgs {
    /// Stay, and print what comes
    #[arg(short, long)]
    follow: bool,
    /// So many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 200)]
    lines: u32,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    match &args.what {
        What::Status(args) => status(cx, args),
        What::Run(RunArgs {}) => run_here(),
        What::Stop(StopArgs {}) => stop(cx),
        What::Logs(args) => logs(cx, args),
    }
}

/// What is at the control socket, found out without connecting to it: a connection would start a supervisor where a
/// service manager listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Presence {
    Running,
    Sleeping,
    Absent,
}

fn presence(cx: &Cx) -> Presence {
    let socket = cx.paths.control_socket();
    if locks::is_held(&cx.paths.daemon_lock()) {
        Presence::Running
    } else if locks::is_listening(&socket) || launchd_listens(cx) {
        Presence::Sleeping
    } else {
        Presence::Absent
    }
}

/// launchd's sockets cannot be looked at. Where it cannot be asked either, nobody is assumed to listen.
fn launchd_listens(cx: &Cx) -> bool {
    let Manager::Launchd(launchd) = Manager::detect(&cx.paths) else { return false };
    launchd.listens(&cx.paths).unwrap_or(false)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    state: Presence,
    socket: &'a Path,
    #[serde(flatten)]
    running: Option<Running>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    pid: u32,
    version: String,
    origin: Origin,
    started_at: u64,
    live: usize,
    sessions: usize,
    holding: String,
}

fn status(cx: &mut Cx, args: &StatusArgs) -> Result<(), CliError> {
    let state = presence(cx);
    let socket = cx.paths.control_socket();
    let running = match state {
        Presence::Running => Some(ask(cx)?),
        Presence::Sleeping | Presence::Absent => None,
    };
    let status = Status { state, socket: &socket, running };
    if args.json {
        cx.out.json(&status)?;
    } else {
        for (key, value) in facts(&status) {
            cx.out.line(&clean(&format!("{key:<11} {value}")))?;
        }
    }
    match state {
        Presence::Running | Presence::Sleeping => Ok(()),
        Presence::Absent => Err(CliError::new(Kind::Unreachable, "")),
    }
}

fn ask(cx: &Cx) -> Result<Running, CliError> {
    let reply = Control::connect(&cx.paths, Start::Never)?.ask(Command::Daemon, None)?;
    let Reply::Daemon { pid, version, origin, started_ms, live, sessions, holding } = reply else {
        return Err(unexpected(&reply));
    };
    Ok(Running { pid, version, origin, started_at: started_ms, live, sessions, holding })
}

fn facts(status: &Status<'_>) -> Vec<(&'static str, String)> {
    let state = match status.state {
        Presence::Running => "running",
        Presence::Sleeping => "not running; the service manager starts it at the first call",
        Presence::Absent => "not running; the next command starts it",
    };
    let mut facts = vec![("supervisor", state.to_owned())];
    if let Some(r) = &status.running {
        let origin = match r.origin {
            Origin::Transient => "transient (started on demand)",
            Origin::Service => "service (installed)",
        };
        facts.push(("pid", r.pid.to_string()));
        facts.push(("version", r.version.clone()));
        facts.push(("origin", origin.to_owned()));
        let since = span(wall_ms().saturating_sub(r.started_at));
        facts.push(("started", format!("{} ({since} ago)", moment(r.started_at))));
        facts.push(("sessions", format!("{} live of {}", r.live, r.sessions)));
        if !r.holding.is_empty() {
            facts.push(("holding", r.holding.clone()));
        }
    }
    facts.push(("socket", status.socket.display().to_string()));
    facts
}

fn run_here() -> Result<(), CliError> {
    let program = program::find("abided").map_err(|e| CliError::failed(e.to_string()))?;
    let error = process::Command::new(&program).exec();
    Err(CliError::failed(format!("{} cannot be executed: {error}", program.display())))
}

fn stop(cx: &mut Cx) -> Result<(), CliError> {
    match presence(cx) {
        Presence::Running => {}
        Presence::Sleeping | Presence::Absent => return Ok(cx.out.line("no supervisor runs")?),
    }
    let mut control = match Control::connect(&cx.paths, Start::Never) {
        Ok(control) => control,
        // It left by itself in between.
        Err(ControlError::Unreachable { .. }) if presence(cx) != Presence::Running => {
            return Ok(cx.out.line("no supervisor runs")?);
        }
        Err(e) => return Err(e.into()),
    };
    let pid = control.welcome.pid;
    match control.ask(Command::Quit, None) {
        Ok(_) | Err(ControlError::Broken(_)) => {}
        Err(e) => return Err(e.into()),
    }
    // Its end of the connection closes when it leaves; then the next command finds nothing half gone.
    while control.answer().is_ok() {}
    Ok(cx.out.line(&format!("stopped the supervisor (pid {pid}); sessions live on"))?)
}

fn logs(cx: &Cx, args: &LogsArgs) -> Result<(), CliError> {
    let lines = args.lines.to_string();
    let error = if matches!(Manager::detect(&cx.paths), Manager::Standalone | Manager::Launchd(_)) {
        let file = cx.paths.log();
        if !file.exists() {
            return Err(CliError::failed(format!("there is no log yet: {} does not exist", file.display()))
                .hint("`abide daemon run` runs the supervisor in this terminal"));
        }
        let mut tail = process::Command::new("tail");
        tail.args(["-n", &lines]).args(args.follow.then_some("-F")).arg("--").arg(&file);
        ("tail", tail.exec())
    } else {
        let mut journal = process::Command::new("journalctl");
        journal.args(["--user", "-n", &lines, "-u", "abide.service", "-u"]);
        journal.arg(unit::on_demand(cx.paths.tag().as_deref())).args(args.follow.then_some("-f"));
        ("journalctl", journal.exec())
    };
    Err(CliError::failed(format!("{} cannot be executed: {}", error.0, error.1)))
}
