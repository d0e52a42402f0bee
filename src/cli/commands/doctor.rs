//! `abide doctor`

mod look;
mod machine;
mod prove;

use crate::cli::context::Cx;
use crate::cli::error::{CliError, Kind};
use crate::cli::output::{Cell, Out};
use crate::cli::text::clean;
use crate::core::doctor::{Check, Facts, Fate, Forecast, Verdict, checks, forecast, worst};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io;

/// Check this machine, and tell what will become of sessions on it.
///
/// Looks at everything that abide stands on: service manager, folders, programs, logins, the kernel. What is not well
/// says what it means and what to do. Then a forecast: what happens to sessions when their terminal is closed, at your
/// logout, when the supervisor dies, at an upgrade, and so on, on this machine as it is now. Nothing is changed, and no
/// supervisor is started.
///
/// With --prove it is shown on a session made for that: the supervisor is killed and replaced, and the session must go
/// on and lose no byte of output. Other sessions do not notice, since none hangs on the supervisor.
///
/// Exit code: 1 where something fails, 0 otherwise, warnings or not. With --json, one object: version, verdict (ok, warn,
/// fail), checks (name, verdict, found, means, todo), forecast (event, sessions, why), and with --prove, proof (step,
/// done, said). Fields are only ever added.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide doctor
  abide doctor --prove              show that sessions outlive the supervisor, here and now
  abide doctor --json | jq -r '.forecast[] | \"\\(.event): \\(.sessions)\"'")]
pub(crate) struct Args {
    /// As JSON: one object
    #[arg(long)]
    json: bool,
    /// Kill and replace the supervisor under a session made for it
    #[arg(long)]
    prove: bool,
}

/// What programs get.
#[derive(Debug, Serialize)]
struct Report {
    version: String,
    verdict: Verdict,
    checks: Vec<Check>,
    forecast: Vec<Forecast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<prove::Step>>,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let facts = look::facts(cx);
    let mut report = report(&facts);
    if !args.json {
        show(&mut cx.out, &report)?;
    }
    let proven = if args.prove {
        if !args.json {
            cx.out.line("")?;
        }
        let quiet = args.json;
        let (steps, proven) = prove::prove(cx, |out, step| if quiet { Ok(()) } else { tell(out, step) })?;
        report.proof = Some(steps);
        proven
    } else {
        true
    };
    if args.json {
        cx.out.json(&report)?;
    }
    if proven && report.verdict != Verdict::Fail { Ok(()) } else { Err(CliError::new(Kind::Failed, "")) }
}

fn report(facts: &Facts) -> Report {
    let checks = checks(facts);
    let verdict = worst(&checks);
    Report { version: facts.version.clone(), verdict, checks, forecast: forecast(facts), proof: None }
}

fn show(out: &mut Out, report: &Report) -> io::Result<()> {
    for check in &report.checks {
        let (label, style) = labelled(check.verdict);
        let found = clean(&check.found);
        out.line(&format!("{} {:<15}  {found}", out.paint(style, label), check.name))?;
        if !check.means.is_empty() {
            out.line(&format!("{:22}{}", "", clean(&check.means)))?;
        }
        if !check.todo.is_empty() {
            out.line(&format!("{:22}do: {}", "", clean(&check.todo)))?;
        }
    }
    out.line("")?;
    let rows: Vec<Vec<Cell>> = report
        .forecast
        .iter()
        .map(|line| {
            let colour = match line.sessions {
                Fate::LiveOn => AnsiColor::Green,
                Fate::Unknown | Fate::AtRisk => AnsiColor::Yellow,
                Fate::End => AnsiColor::Red,
            };
            let style = Style::new().fg_color(Some(colour.into()));
            vec![
                Cell::from(line.event.name()),
                Cell::styled(line.sessions.name(), style),
                Cell::from(&line.why),
            ]
        })
        .collect();
    // Sentences are to be read: the terminal may wrap them.
    let width = out.width.take();
    let shown = out.table(&["AT", "SESSIONS", "SINCE"], &rows, &[]);
    out.width = width;
    shown
}

fn labelled(verdict: Verdict) -> (&'static str, Style) {
    let (label, colour) = match verdict {
        Verdict::Ok => ("ok  ", AnsiColor::Green),
        Verdict::Warn => ("warn", AnsiColor::Yellow),
        Verdict::Fail => ("FAIL", AnsiColor::Red),
    };
    (label, Style::new().fg_color(Some(colour.into())))
}

fn tell(out: &mut Out, step: &prove::Step) -> io::Result<()> {
    let (label, style) = labelled(if step.done { Verdict::Ok } else { Verdict::Fail });
    out.line(&format!("{} {}: {}", out.paint(style, label), step.step, clean(&step.said)))
}
