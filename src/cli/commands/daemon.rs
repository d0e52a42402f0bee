//! `abide daemon …`

use crate::VERSION;
use crate::cli::context::{Cx, unexpected};
use crate::cli::error::{CliError, Kind};
use crate::cli::text::{clean, moment, span};
use crate::client::control::{Control, ControlError, Start, repeat};
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::core::record::Origin;
use crate::core::upgrade::{self, Stage};
use crate::paths::Paths;
use crate::service::{Manager, program, unit};
use crate::sys::clock::wall_ms;
use crate::sys::{locks, process as processes};
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
/// (ms), live, sessions, holding, outdated (sessions whose agent was replaced since), rolling (those of them that are
/// started anew when their turn is over), upgrade. That tells whether it runs the program that is installed now: stage (current,
/// checking, refused, missing), program, build and installedBuild (SHA-256), installedVersion, sinceMs, why.
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

/// Show the supervisor's log: from the journal, or from its file where there is no journal or no journalctl.
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
pub(super) enum Presence {
    Running,
    Sleeping,
    Absent,
}

pub(super) fn presence(paths: &Paths) -> Presence {
    let socket = paths.control_socket();
    if locks::is_held(&paths.daemon_lock()) {
        Presence::Running
    } else if locks::is_listening(&socket) || launchd_listens(paths) {
        Presence::Sleeping
    } else {
        Presence::Absent
    }
}

/// launchd's sockets cannot be looked at. Where it cannot be asked either, nobody is assumed to listen.
fn launchd_listens(paths: &Paths) -> bool {
    let Manager::Launchd(launchd) = Manager::detect(paths) else { return false };
    launchd.listens(paths).unwrap_or(false)
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
    outdated: usize,
    rolling: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<upgrade::Status>,
}

fn status(cx: &mut Cx, args: &StatusArgs) -> Result<(), CliError> {
    let state = presence(&cx.paths);
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
    // It may be exchanged for another build at this moment.
    let reply = repeat(|_| Control::connect(&cx.paths, Start::Never)?.ask(Command::Daemon, None))?;
    let Reply::Daemon {
        pid,
        version,
        origin,
        started_ms,
        live,
        sessions,
        holding,
        outdated,
        rolling,
        upgrade,
    } = reply
    else {
        return Err(unexpected(&reply));
    };
    let started_at = started_ms;
    Ok(Running { pid, version, origin, started_at, live, sessions, holding, outdated, rolling, upgrade })
}

/// What is installed, beside what runs.
fn installed(of: &upgrade::Status) -> String {
    let mut name =
        if of.installed_version.is_empty() { "another build".into() } else { of.installed_version.clone() };
    // As many digits as tell builds apart by eye.
    if let Some(short) = of.installed_build.get(..12) {
        name.push_str(&format!(" (sha256 {short}…)"));
    }
    let since =
        || format!("since {} ({} ago)", moment(of.since_ms), span(wall_ms().saturating_sub(of.since_ms)));
    match of.stage {
        Stage::Current => format!("the same: {}", of.program),
        Stage::Checking => format!("{name} is being checked: {}", of.program),
        Stage::Refused => format!("{name} is not used {}: {}: {}", since(), of.program, of.why),
        Stage::Missing => format!("cannot be read {}: {}", since(), of.why),
        Stage::Unknown => format!("{name}: {}", of.program),
    }
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
        if let Some(upgrade) = &r.upgrade {
            facts.push(("installed", installed(upgrade)));
        }
        if r.version != VERSION {
            facts.push(("this abide", VERSION.to_owned()));
        }
        facts.push(("origin", origin.to_owned()));
        let since = span(wall_ms().saturating_sub(r.started_at));
        facts.push(("started", format!("{} ({since} ago)", moment(r.started_at))));
        facts.push(("sessions", format!("{} live of {}", r.live, r.sessions)));
        if r.outdated > 0 {
            let then = match r.rolling {
                0 => "`abide respawn --all --when-idle` starts them anew".to_owned(),
                n => format!("{n} of them are started anew when their turn is over"),
            };
            facts.push(("outdated", format!("{} run an agent that was replaced since: {then}", r.outdated)));
        }
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
    match presence(&cx.paths) {
        Presence::Running => {}
        Presence::Sleeping | Presence::Absent => return Ok(cx.out.line("no supervisor runs")?),
    }
    let mut pid = None;
    let asked = repeat(|_| {
        let mut control = match Control::connect(&cx.paths, Start::Never) {
            Ok(control) => control,
            // It left by itself in between, or with the request that got no answer.
            Err(ControlError::Unreachable { .. }) if presence(&cx.paths) != Presence::Running => {
                return Ok(pid);
            }
            Err(e) => return Err(e),
        };
        pid = Some(control.welcome.pid);
        // One whose connection broke may have been exchanged for another build: then that one is asked.
        control.ask(Command::Quit, None)?;
        // Its end of the connection closes when it leaves; then the next command finds nothing half gone.
        while control.answer().is_ok() {}
        Ok(pid)
    });
    let pid = match asked {
        Ok(Some(pid)) => pid,
        Ok(None) => return Ok(cx.out.line("no supervisor runs")?),
        Err(ControlError::Skew { .. }) => stop_by_signal(cx)?,
        Err(e) => return Err(e.into()),
    };
    Ok(cx.out.line(&format!("stopped the supervisor (pid {pid}); sessions live on"))?)
}

/// One that speaks no protocol of ours still obeys a signal. It is known by the lock that it holds.
fn stop_by_signal(cx: &Cx) -> Result<u32, CliError> {
    let file = cx.paths.daemon_lock();
    let read =
        std::fs::read_to_string(&file).map_err(|e| CliError::failed(format!("{}: {e}", file.display())))?;
    let unknown = || CliError::failed(format!("{} names no supervisor", file.display()));
    let pid: u32 = read.trim().parse().map_err(|_| unknown())?;
    let process = processes::Process::of(pid).map_err(|_| unknown())?;
    if process.name != "abided" || presence(&cx.paths) != Presence::Running {
        return Err(unknown());
    }
    processes::signal_exactly(pid, process.start, processes::Signal::SIGTERM)
        .map_err(|e| CliError::failed(format!("cannot signal the supervisor (process {pid}): {e}")))?;
    Ok(pid)
}

fn logs(cx: &Cx, args: &LogsArgs) -> Result<(), CliError> {
    let lines = args.lines.to_string();
    if !matches!(Manager::detect(&cx.paths), Manager::Standalone | Manager::Launchd(_)) {
        let mut journal = process::Command::new("journalctl");
        journal.args(["--user", "-n", &lines, "-u", "abide.service", "-u"]);
        journal.arg(unit::on_demand(cx.paths.tag().as_deref())).args(args.follow.then_some("-f"));
        let error = journal.exec();
        if error.kind() != std::io::ErrorKind::NotFound {
            return Err(CliError::failed(format!("journalctl cannot be executed: {error}")));
        }
    }
    let file = cx.paths.log();
    if !file.exists() {
        return Err(CliError::failed(format!("there is no log yet: {} does not exist", file.display()))
            .hint("`abide daemon run` runs the supervisor in this terminal"));
    }
    let mut tail = process::Command::new("tail");
    tail.args(["-n", &lines]).args(args.follow.then_some("-F")).arg("--").arg(&file);
    Err(CliError::failed(format!("tail cannot be executed: {}", tail.exec())))
}
