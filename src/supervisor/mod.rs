//! `abided`: the imperative shell around [`crate::core`]. Sockets in, actions out.
//!
//! | File | Holds |
//! |---|---|
//! | `engine` | the loop, and the sole owner of the fleet |
//! | `perform`, `launch` | what each action does |
//! | `writer` | the thread that waits for disks |
//! | `registrar` | the thread that writes its sessions into the registry |
//! | `orders` | start orders, with the sessions' environments |
//! | `connection`, `outbox`, `prepare` | one client |
//! | `links`, `births`, `adopt` | hosts: watched, reported, found |
//! | `look` | a look at a session that does not tell by itself what it does |
//! | `upgrade`, `watch`, `proof`, `answer` | the exchange of the program for the one that is installed |
//! | `clock`, `surroundings` | awake time; the machine, the manager and the environment that it finds itself in |
//! | `log` | the journal or a file |
//!
//! Nothing here decides anything about a session, and nothing in the loop waits: a stalled client, host, disk or
//! service manager stalls nobody else.

mod adopt;
mod answer;
mod births;
mod clock;
mod connection;
mod conversation;
mod engine;
mod input;
mod launch;
mod links;
mod log;
mod look;
mod orders;
mod outbox;
mod perform;
mod prepare;
mod programs;
mod proof;
mod registrar;
mod surroundings;
mod upgrade;
mod watch;
mod writer;

use crate::VERSION;
use crate::config::Settings;
use crate::core::event::Event;
use crate::core::fleet::{self, Fleet};
use crate::core::id::SessionId;
use crate::core::record::Origin;
use crate::evidence::Mark;
use crate::paths::Paths;
use crate::registry::Registry;
use crate::roster::{self, Store};
use crate::service::notify::{self, Readiness};
use crate::service::{Listener, Manager, program};
use crate::sys::{dirs, exec};
use engine::{Engine, Left};
use std::os::fd::RawFd;
use std::process::ExitCode;
use std::sync::Arc;

const USAGE: &str = "\
abided: the supervisor of abide. It is started by its socket, or by `abide` where there is no service manager.

Usage: abided [--foreground] [--ready-fd N]

      --foreground   log to standard error
      --ready-fd N   write a line to this descriptor when the socket accepts connections, or why it does not
      --self-check   for a supervisor that is about to be replaced by this build: start on its copy of the records
      --version      print the version
      --help         print this
";

/// Entry point.
pub fn main() -> ExitCode {
    // Before anything else: a reload may come at any time.
    exec::survive_hangups();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Print(text)) => return print(&text, false),
        Err(message) => return print(&format!("abided: {message}\n\n{USAGE}"), true),
    };
    if options.self_check {
        return self_check();
    }
    let readiness = match Readiness::new(options.ready_fd) {
        Ok(readiness) => readiness,
        Err(e) => return print(&format!("abided: --ready-fd: {e}\n"), true),
    };
    match Setup::prepare(options.foreground) {
        Ok(setup) => setup.serve(readiness),
        Err(message) => {
            // Whoever waits for us may have gone; standard error is the last resort.
            _ = readiness.failed(&message);
            print(&format!("abided: {message}\n"), true)
        }
    }
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "before there is a log")]
fn print(text: &str, failed: bool) -> ExitCode {
    if failed {
        eprint!("{text}");
        ExitCode::FAILURE
    } else {
        print!("{text}");
        ExitCode::SUCCESS
    }
}

/// Proves that this build starts and answers: see `proof`.
fn self_check() -> ExitCode {
    proof::bound();
    if !Paths::find().is_ok_and(|paths| proof::is_for_proofs(&paths)) {
        let what =
            "--self-check is for the supervisor that runs, which prepares a copy of its records for it";
        return print(&format!("abided: {what}; `abide daemon status` tells what came of it\n"), true);
    }
    print(&format!("abided {VERSION}\n"), false);
    let proved = program::find("abide-host")
        .map_err(|e| e.to_string())
        .and_then(|_| Setup::prepare(true))
        .and_then(|setup| setup.rehearse());
    match proved {
        Ok(sessions) => {
            let lines = sessions.iter().map(|id| format!("session {id}\n")).collect::<String>();
            print(&format!("{lines}ready\n"), false)
        }
        Err(message) => print(&format!("abided: {message}\n"), true),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    self_check: bool,
    foreground: bool,
    ready_fd: Option<RawFd>,
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Run(Options),
    Print(String),
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Parsed, String> {
        let (mut options, mut args) = (Self::default(), args);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--version" | "-V" => return Ok(Parsed::Print(format!("abided {VERSION}\n"))),
                "--help" | "-h" => return Ok(Parsed::Print(USAGE.to_owned())),
                "--foreground" => options.foreground = true,
                "--self-check" => options.self_check = true,
                "--ready-fd" => {
                    let number = args.next().and_then(|n| n.parse().ok()).filter(|n| *n >= 0);
                    options.ready_fd = Some(number.ok_or("--ready-fd needs the number of a descriptor")?);
                }
                other => return Err(format!("unknown argument {other:?}")),
            }
        }
        Ok(Parsed::Run(options))
    }
}

/// What is had before the first connection is served.
struct Setup {
    paths: Paths,
    settings: Settings,
    listener: Listener,
    /// None where the file system of the records has no locks.
    records: Option<dirs::Lock>,
    log: log::Guard,
    foreground: bool,
}

/// What a start is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Serving.
    Serve {
        /// It logs to standard error, and so does what is executed in its place.
        foreground: bool,
    },
    /// A proof: nothing is started, watched or ended.
    Rehearse,
}

impl Setup {
    /// Finds the folders and the socket, and starts the log. The error is for people.
    fn prepare(foreground: bool) -> Result<Self, String> {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        let (paths, warning) = Paths::find_with_warning().map_err(|e| e.to_string())?;
        paths.prepare().map_err(|e| e.to_string())?;
        let variable = |name| std::env::var(name).ok();
        let managed = std::env::var_os("INVOCATION_ID").is_some();
        // Before the first thread: it takes variables out of the environment.
        let listener = Listener::acquire(&paths).map_err(|e| e.to_string())?;
        let records = roster::hold(&paths).map_err(|e| e.to_string())?;
        let targets = if foreground {
            vec![log::Target::Stderr]
        } else {
            log::Target::choose(variable("JOURNAL_STREAM").as_deref(), managed, paths.tag(), paths.log())
        };
        let whereto: Vec<String> = targets.iter().map(log::Target::describe).collect();
        let whereto = whereto.join(" and ");
        let (log, complaint) = log::start(targets, variable("ABIDE_LOG").as_deref())
            .map_err(|e| format!("cannot start the log: {e}"))?;
        tracing::info!(pid = std::process::id(), "abided {VERSION} starts; it logs to {whereto}");
        for warning in warning.into_iter().chain(complaint) {
            tracing::warn!("{warning}");
        }
        if records.is_none() {
            tracing::warn!("the file system of the records has no locks: use it from one machine only");
        }
        let settings = settings(&paths);
        Ok(Self { paths, settings, listener, records, log, foreground })
    }

    fn serve(self, readiness: Readiness) -> ExitCode {
        let purpose = Purpose::Serve { foreground: self.foreground };
        let outcome = start(self.paths, self.settings, self.listener, readiness, purpose);
        let code = match outcome {
            Ok(Left::Deaf(why)) => {
                let message = format!("it does not hear itself through its own socket: {why}");
                tracing::error!("{message}");
                print(&format!("abided: {message}\n"), true)
            }
            Ok(left) => {
                tracing::info!(?left, "abided leaves; sessions stay");
                ExitCode::SUCCESS
            }
            Err(message) => {
                tracing::error!("{message}");
                print(&format!("abided: {message}\n"), true)
            }
        };
        self.log.flush();
        drop(self.records);
        code
    }
}

impl Setup {
    /// The sessions that this build lists through its socket.
    fn rehearse(self) -> Result<Vec<SessionId>, String> {
        let readiness = Readiness::new(None).map_err(|e| e.to_string())?;
        match start(self.paths, self.settings, self.listener, readiness, Purpose::Rehearse)? {
            Left::Proved(sessions) => Ok(sessions),
            Left::Deaf(why) => Err(format!("it does not hear itself through its own socket: {why}")),
            left @ (Left::Idle | Left::Asked | Left::Signal(_) | Left::Unreachable) => {
                Err(format!("it left early ({left:?})"))
            }
        }
    }
}

fn start(
    paths: Paths,
    settings: Settings,
    listener: Listener,
    readiness: Readiness,
    purpose: Purpose,
) -> Result<Left, String> {
    // Files are read and hosts are started by calls that block for moments, and never many at a time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    runtime
        .map_err(|e| format!("cannot start: {e}"))?
        .block_on(run(paths, settings, listener, readiness, purpose))
}

async fn run(
    paths: Paths,
    settings: Settings,
    listener: Listener,
    readiness: Readiness,
    purpose: Purpose,
) -> Result<Left, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let (inputs, queue) = tokio::sync::mpsc::unbounded_channel();
    let (births, births_name) = match dirs::bind_private(&paths.births_socket()) {
        Ok(bound) => bound,
        Err(error) => {
            // Whoever waits for us may have gone; the log has it too.
            _ = readiness.failed(&text(&error));
            return Err(text(&error));
        }
    };
    // The socket accepts: whoever connects from here on waits for the inventory, and no longer for us.
    if let Err(error) = readiness.ready("looking for sessions") {
        tracing::warn!(%error, "cannot tell that the socket is ready");
    }
    let rehearsal = purpose == Purpose::Rehearse;
    let orders =
        if rehearsal { None } else { paths.orders().map_err(|e| text(&e))?.map(orders::Orders::new) };
    if !rehearsal && orders.is_none() {
        tracing::warn!(
            "no folder in memory can be had: sessions cannot be started, since environments stay off disks"
        );
    }
    let store = Store::open(&paths).map_err(|e| text(&e))?;
    let roster::Loaded { mut records, without_folder, messages } = store.load();
    let manager = Manager::detect(&paths);
    let shortest_life = u64::try_from(manager.shortest_life().as_millis()).unwrap_or(u64::MAX);
    let fleet_settings = fleet::Settings {
        idle_exit_ms: settings.idle_exit_ms.max(shortest_life),
        stop_grace_ms: settings.stop_grace_ms,
        restart: settings.restart,
        restart_within_ms: settings.restart_within_ms,
        park_on_leave: settings.park_on_leave,
        signs: prepare::signs(&paths),
        pid: std::process::id(),
        ..fleet::Settings::default()
    };
    let recent = store.recent_events(fleet_settings.events_tail).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read the event journal");
        Vec::new()
    });
    for message in messages {
        tracing::warn!("{message}");
    }
    tracing::info!(manager = manager.name(), sessions = records.len(), "records are read");
    let writer = writer::Writer::start(store.clone(), &records, orders.clone(), inputs.clone())
        .map_err(|e| text(&e))?;
    // A rehearsal's sessions are another supervisor's.
    let own = if rehearsal { &[][..] } else { &records };
    let registrar = registrar::Registrar::start(&paths, own).map_err(|e| text(&e))?;
    let origin = if listener.is_inherited() { Origin::Service } else { Origin::Transient };
    let inventory = adopt::look(&paths, orders.as_ref(), &records).await;
    if rehearsal && let Some(unspoken) = inventory.unspoken.first() {
        return Err(format!("it cannot speak to {unspoken}"));
    }
    // A session without its folder is gone, unless its host lives.
    records.extend(without_folder.into_iter().filter(|record| inventory.lives(record.id)));
    let here = surroundings::here(&manager, store.comes_back());
    let adopt = Event::Adopt {
        records,
        found: inventory.found.clone(),
        here,
        origin,
        last_event: recent.last().map_or(0, |entry| entry.seq),
        recent,
    };
    let prepare = Arc::new(prepare::Prepare {
        tag: paths.tag(),
        registry: Registry::of(&paths),
        marks: Mark::all(&paths),
        paths: paths.clone(),
        store: store.clone(),
        agent: settings.agent.clone(),
    });
    let client = input::Client::new(inputs.clone(), prepare);
    let fleet = Fleet::new(fleet_settings);
    let (own_socket, handed_over) = (paths.control_socket(), listener.is_handed_over());
    let upgrader = match purpose {
        Purpose::Serve { foreground } => Some(upgrade::Upgrader::start(&paths, inputs.clone(), foreground)),
        Purpose::Rehearse => None,
    };
    let name_watch = (!rehearsal && !listener.is_inherited()).then(|| {
        let inputs = inputs.clone();
        // Without an engine nobody needs to know.
        watch::FileWatch::start(own_socket.clone(), move || _ = inputs.send(input::Input::SocketTouched))
    });
    let mut hands = perform::Hands::new(paths, settings, orders, manager, (writer, registrar), inputs);
    hands.rehearsal = rehearsal;
    let mut engine = Engine::new(fleet, hands, queue, listener, births, client).map_err(|e| text(&e))?;
    engine.adopt(adopt, inventory);
    match upgrader {
        Some(Ok(upgrader)) => engine.set_upgrader(upgrader),
        Some(Err(error)) => tracing::warn!(error, "another build cannot take over while this one runs"),
        None => {}
    }
    if let Some(watch) = name_watch {
        engine.set_name_watch(watch);
    }
    if handed_over || rehearsal {
        engine.ask_itself(own_socket);
    }
    let left = engine.run().await;
    if !rehearsal && let Err(error) = notify::stopping() {
        tracing::debug!(%error, "cannot tell the service manager");
    }
    // Hosts that start from here on live on without a report, and are found by their sockets.
    drop(births_name);
    engine.finish().await;
    Ok(left)
}

/// The user's settings. What is wrong with them is logged; the defaults keep every session reachable.
fn settings(paths: &Paths) -> Settings {
    let file = paths.config_file();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Settings::default(),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "cannot read the settings; the defaults stand");
            return Settings::default();
        }
    };
    let (settings, problems) = Settings::parse(&text);
    for problem in problems {
        tracing::warn!("{}, {problem}", file.display());
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Parsed, String> {
        Options::parse(args.iter().map(|a| (*a).to_owned()))
    }

    #[test]
    fn arguments_are_few_and_checked() {
        assert_eq!(parse(&[]), Ok(Parsed::Run(Options::default())));
        let all = Options { foreground: true, ready_fd: Some(3), self_check: false };
        assert_eq!(parse(&["--foreground", "--ready-fd", "3"]), Ok(Parsed::Run(all)));
        assert!(matches!(parse(&["--version"]), Ok(Parsed::Print(v)) if v.contains(VERSION)));
        for bad in [&["--ready-fd"][..], &["--ready-fd", "x"], &["--ready-fd", "-1"], &["serve"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
