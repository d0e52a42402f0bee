//! `abide attach`

use super::run::context_of_this_process;
use super::show::{ending, signal_name};
use crate::cli::context::{Cx, Target, one};
use crate::cli::error::CliError;
use crate::cli::remark;
use crate::cli::text::{clean, span};
use crate::client::attach::{self, Ended, Options};
use crate::client::host::HostLink;
use crate::client::wait::{Hangup, Waited, wait};
use crate::config::DetachKey;
use crate::core::event::Command;
use crate::core::record::State;
use crate::sys::clock::wall_ms;
use crate::wire::exit::{Ending, ExitRecord};
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long the supervisor may take to say what became of a session that has just ended.
const JUDGED_WITHIN: Duration = Duration::from_secs(2);

/// Open a session in this terminal.
///
/// Its screen appears as it is, with the lines that scrolled off it above. What you type goes to it, until you detach
/// with Ctrl-\ and then d (`detach_key` of the settings or --detach-key changes that). Ctrl-\ twice types one.
/// Detaching, closing the terminal or killing this command never ends the session.
///
/// An agent that you leave by its own means (/exit, Ctrl-C, Ctrl-D) is parked: attaching again resumes it where it left
/// off, and so do `send` and `peek`. What was stopped stays so.
///
/// Several terminals may be attached to one session; its size follows the one that was used last.
///
/// Exit code: 0 when detached, and when the session ended while attached, however it ended; 1 when the connection
/// broke or the session has no process.
#[derive(Debug, Default, clap::Args)]
#[command(
    visible_alias = "a",
    after_help = "\
Examples:
  abide attach 7c5d
  abide attach docs --read-only     look without being able to type
  abide attach 7c5d --detach-key 'ctrl-a d'"
)]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// Only look: nothing that is typed reaches it
    #[arg(short, long)]
    read_only: bool,
    /// Only the screen, without the lines above it
    #[arg(long)]
    no_scrollback: bool,
    /// What detaches: a chord like `ctrl-q`, or one and a key like `ctrl-\ d`; `none` for nothing
    #[arg(long, value_name = "KEYS")]
    detach_key: Option<String>,
    /// No remarks before and after
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    need_terminal("attach needs a terminal")?;
    session(cx, &args.session, args)
}

/// Standard input and output must be a terminal.
pub(super) fn need_terminal(what: &str) -> Result<(), CliError> {
    for (is, name) in [(std::io::stdin().is_terminal(), "input"), (std::io::stdout().is_terminal(), "output")]
    {
        if !is {
            return Err(CliError::usage(format!("{what}, and standard {name} is none")).hint(
                "`abide peek ID` prints its screen, `abide logs ID` its output, `abide send ID TEXT` types",
            ));
        }
    }
    Ok(())
}

/// Attaches this terminal to a session.
pub(super) fn session(cx: &mut Cx, address: &str, args: &Args) -> Result<(), CliError> {
    let detach = match args.detach_key.as_deref() {
        None => Some(cx.settings().detach_key.clone()),
        Some("none") => None,
        Some(text) => Some(DetachKey::parse(text).ok_or_else(|| {
            CliError::usage(format!(
                "--detach-key {text}: expected one or two keys, like 'ctrl-\\ d' or 'ctrl-]'"
            ))
        })?),
    };
    let (target, resumed) = cx.awake(cx.target(address)?, context_of_this_process)?;
    if resumed && !args.quiet {
        remark(&format!("{} was parked, and goes on where it left off", target.label()));
    }
    let link = connect(cx, &target, args.quiet)?;
    let options = Options {
        read_only: args.read_only,
        scrollback: if args.no_scrollback { 0 } else { cx.settings().scrollback },
        detach,
    };
    if !args.quiet {
        let how = match &options.detach {
            Some(key) => format!("{key} detaches"),
            None => "no key detaches".to_owned(),
        };
        let only = if args.read_only { " · read-only" } else { "" };
        cx.out.line(&clean(&format!("[attached to {}{only} · {how}]", target.label())))?;
    }
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let ended = attach::run(link, stdin.as_fd(), stdout.as_fd(), &options)
        .map_err(|e| CliError::from(e).about(&target.id))?;
    match ended {
        Ended::Detached => {
            if !args.quiet {
                farewell(cx, &format!("[detached from {}]", target.label()));
            }
            Ok(())
        }
        Ended::Session(record) => {
            let record = record.map(|r| *r).or_else(|| cx.exit_record(&target.id));
            let how = record.as_ref().map_or_else(|| "ended".to_owned(), how_it_ended);
            if !args.quiet && may_be_left(&target, record.as_ref()) && is_parked(cx, &target) {
                farewell(cx, &format!("[{} parked: abide attach {} resumes]", target.label(), target.id));
            } else if !args.quiet {
                farewell(cx, &format!("[{} {how}]", target.label()));
            }
            Ok(())
        }
        Ended::Lost(why) => match cx.exit_record(&target.id).filter(|r| is_of(r, &target)) {
            Some(record) => {
                farewell(cx, &format!("[{} {}]", target.label(), how_it_ended(&record)));
                Ok(())
            }
            None => Err(CliError::failed(format!("the connection to {} broke: {why}", target.label())).hint(
                format!(
                    "`abide show {0}` tells what became of it, `abide attach {0}` tries again",
                    target.id
                ),
            )),
        },
    }
}

/// The session ended as an agent does that its user leaves.
fn may_be_left(target: &Target, record: Option<&ExitRecord>) -> bool {
    let resumes = target.view.as_ref().is_some_and(|v| v.record.agent.is_some() && v.record.resumes);
    let leaving = record.is_some_and(|r| match r.ending {
        Ending::Exited(code) => code == 0 || code == 130,
        Ending::Signaled(signal) => signal == 2,
        Ending::Unknown => false,
    });
    resumes && leaving
}

/// What the supervisor makes of its end is that it is parked. It hears of the end when we do, or a moment later.
fn is_parked(cx: &Cx, target: &Target) -> bool {
    let states = ["done", "failed", "stopped", "parked"].map(str::to_owned).to_vec();
    let command = Command::Wait { target: target.id.clone(), states };
    // Where it cannot be asked, how it ended is told all the same.
    match wait(&cx.paths, &command, Some(Instant::now() + JUDGED_WITHIN), &Hangup::default()) {
        Ok(Waited::Answered(reply)) => one(*reply).is_ok_and(|view| view.record.state == State::Parked),
        Ok(Waited::TimeUp | Waited::HungUp) | Err(_) => false,
    }
}

/// A last remark; nobody may be left to read it, after the terminal was closed.
fn farewell(cx: &mut Cx, text: &str) {
    let _ = cx.out.line(&clean(text));
}

/// The exit record is of the start that we were attached to.
fn is_of(record: &ExitRecord, target: &Target) -> bool {
    target.view.as_ref().is_none_or(|v| record.generation >= v.record.start)
}

/// The host, waited for where the session is only just starting.
fn connect(cx: &Cx, target: &Target, quiet: bool) -> Result<HostLink, CliError> {
    if let Some(link) = cx.host(target)? {
        return Ok(link);
    }
    let view = match &target.view {
        Some(view) if matches!(view.record.state, State::Queued | State::Starting) => {
            if !quiet {
                remark(&format!("waiting for {} to start …", target.label()));
            }
            let states = ["working", "blocked", "idle", "done", "failed", "stopped", "parked"];
            let wait =
                Command::Wait { target: target.id.clone(), states: states.map(str::to_owned).to_vec() };
            let view = crate::cli::context::one(cx.ask(&wait)?)?;
            if let Some(link) = cx.host(target)? {
                return Ok(link);
            }
            Some(view)
        }
        view => view.clone(),
    };
    let exit = view.as_ref().and_then(|v| v.record.exit.as_ref()).filter(|e| e.ended_ms > 0);
    let how = match exit {
        Some(exit) => format!("it {}, {} ago", ending(exit), span(wall_ms().saturating_sub(exit.ended_ms))),
        None => "it has no process".to_owned(),
    };
    Err(CliError::failed(format!("{} cannot be attached to: {how}", target.label())).hint(format!(
        "`abide peek {0}` shows its last screen, `abide logs {0}` its output; `abide respawn {0}` starts it again",
        target.id
    )))
}

fn how_it_ended(record: &ExitRecord) -> String {
    match record.ending {
        Ending::Exited(0) => "ended: exited".to_owned(),
        Ending::Exited(code) => format!("ended: exited with status {code}"),
        Ending::Signaled(signal) => format!("ended: {}", signal_name(signal)),
        Ending::Unknown => "ended".to_owned(),
    }
}
