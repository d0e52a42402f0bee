//! `abide show`

use crate::cli::context::{Cx, one};
use crate::cli::error::CliError;
use crate::cli::output::{Listed, name_of};
use crate::cli::text::{bytes, clean, moment, quoted, span};
use crate::cli::usage;
use crate::core::action::View;
use crate::core::event::Command;
use crate::core::record::{Exit, Restart};
use crate::core::session::{describe, ran_out_of_memory};
use crate::sys::usage::Reader;
use anstyle::Style;

/// Show all that is known of one session.
///
/// With --json, one object as in `abide ls --json`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide show 7c5d
  abide show docs --json | jq .abide.exit")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// As JSON: one object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let view = one(cx.ask(&Command::Show { target: args.session.clone() })?)?;
    if args.json {
        let listed = Listed::from(&*view).using(usage::of(&mut Reader::new(), &cx.paths, &view));
        return Ok(cx.out.json(&listed)?);
    }
    for (key, value) in facts(cx, &view) {
        let key = cx.out.paint(Style::new().dimmed(), &format!("{key:<10}"));
        cx.out.line(&format!("{key} {}", clean(&value)))?;
    }
    Ok(())
}

fn facts(cx: &Cx, view: &View) -> Vec<(&'static str, String)> {
    let r = &view.record;
    let mut facts = vec![("id", r.id.to_string()), ("name", r.name.clone())];
    let mut state = name_of(r.state).to_owned();
    if let Some(what) = &r.waiting_for {
        state = format!("{state}: {what}");
    }
    facts.push(("state", state));
    let mut add = |key, value: String| {
        if !value.is_empty() {
            facts.push((key, value));
        }
    };
    add("detail", r.detail.clone());
    add("title", view.signals.as_ref().map(|s| s.title.clone()).unwrap_or_default());
    add("agent", r.agent.clone().unwrap_or_default());
    add("asked", r.intent.clone());
    add("command", r.argv.iter().map(|a| quoted(&a.to_string())).collect::<Vec<_>>().join(" "));
    add("cwd", r.cwd.to_string());
    if let Some(host) = &r.host {
        add("process", format!("{} (host {}, abide {})", host.child_pid, host.pid, host.build));
        let usage = usage::of(&mut Reader::new(), &cx.paths, view);
        add("uses", usage.map(usage::sentence).unwrap_or_default());
    }
    let attached = view.signals.as_ref().map_or((0, 0), |s| (s.writers, s.readers));
    match attached {
        (0, 0) => {}
        (writers, readers) => add("attached", format!("{writers} typing, {readers} looking")),
    }
    add("pinned", if r.pinned { "yes".to_owned() } else { String::new() });
    match r.restart {
        Restart::Never => add("restart", "never".to_owned()),
        Restart::Manual => {}
        Restart::Auto => add("restart", "auto".to_owned()),
    }
    add("created", moment(r.times.created_ms));
    if r.times.started_ms > 0 && r.times.started_ms != r.times.created_ms {
        add("started", moment(r.times.started_ms));
    }
    if let Some(exit) = r.exit.as_ref().filter(|_| r.host.is_none()) {
        add("ended", format!("{}: {}", moment(exit.ended_ms), ending(exit)));
        add(
            "used",
            format!(
                "{} of CPU, {} of memory at most",
                span(exit.cpu_us / 1000),
                bytes(exit.max_rss_kib * 1024)
            ),
        );
    }
    if !r.spawned_by.label.is_empty() {
        add("by", format!("{} (pid {}) in {}", r.spawned_by.label, r.spawned_by.pid, r.spawned_by.cwd));
    }
    add("parent", r.parent.map(|id| id.to_string()).unwrap_or_default());
    let (offset, unlogged) = match (&view.signals, &r.exit) {
        (Some(s), _) => (s.offset, s.unlogged),
        (None, Some(e)) => (e.offset, e.unlogged),
        (None, None) => (0, 0),
    };
    let lost =
        if unlogged > 0 { format!(", {} of it could not be logged", bytes(unlogged)) } else { String::new() };
    add("output", format!("{}{lost}", bytes(offset)));
    add("files", cx.paths.job(&r.id.to_string()).display().to_string());
    facts
}

/// How a process ended, for people.
pub(super) fn ending(exit: &Exit) -> String {
    let how = match (exit.code, exit.signal) {
        (Some(0), _) => "exited".to_owned(),
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(_)) if ran_out_of_memory(exit) => describe(exit),
        (None, Some(signal)) => format!("ended by {}", signal_name(signal)),
        (None, None) => "ended".to_owned(),
    };
    let text = match exit.cause.as_str() {
        "asked" => format!("{how}, as asked"),
        "terminated" => format!("{how}, terminated from outside"),
        "manager-stopping" => format!("{how}, since the service manager went down"),
        "host-lost" => format!("{how}, since its host was killed"),
        "never-started" => "never started".to_owned(),
        // Their messages say it whole.
        "reboot" | "container" | "logout" | "elsewhere" => String::new(),
        _ => how,
    };
    // Where nothing but its status is known, the message says the same.
    let said = exit.message.is_empty() || exit.message == describe(exit);
    match (said, text.is_empty()) {
        (true, _) => text,
        (false, true) => exit.message.clone(),
        (false, false) => format!("{text}: {}", exit.message),
    }
}

/// `SIGTERM`, or a number where it has no name.
pub(super) fn signal_name(signal: u8) -> String {
    nix::sys::signal::Signal::try_from(i32::from(signal))
        .map_or_else(|_| format!("signal {signal}"), |s| s.as_str().to_owned())
}
