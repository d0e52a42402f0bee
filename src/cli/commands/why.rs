//! `abide why`

mod caller;

use crate::cli::context::{Cx, unexpected};
use crate::cli::error::CliError;
use crate::cli::output::Listed;
use crate::cli::text::clean;
use crate::cli::usage;
use crate::core::action::{Reply, View};
use crate::core::event::Command;
use crate::core::id::SessionId;
use crate::core::record::{Kind, Template};
use crate::sys::usage::Reader;

/// Explain a session's state and what it counts as, or with --self what the caller counts as.
///
/// What somebody counts as follows from what the kernel says of the process: the session that it is inside of, its
/// terminal, its ancestors, its control group. No variable changes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide why 7c5d
  abide why docs --json             the session, and the sentences in an array `reasons`
  abide why --self                  what this shell counts as, and why; no supervisor is started
  abide why --self --json | jq -r .template

Of --self, the keys are `kind` (interactive, bg, daemon, daemon-worker, unknown), `template` (foreground, bg, none),
`attended` (yes, no, unknown), `session` (the id of the session that it is inside of, if any), `row` (of the table of
rules), `reasons`, `by` (supervisor or itself) and `processes` (it and its ancestors).")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID", required_unless_present = "own")]
    session: Option<String>,
    /// Explain what the process that asks counts as
    #[arg(long = "self", conflicts_with = "session")]
    own: bool,
    /// As JSON: an object of `session` (as in `abide ls --json`), `class` and `reasons`
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Explained<'a> {
    session: Listed<'a>,
    class: Counts<'a>,
    reasons: &'a [String],
}

/// What a session counts as.
#[derive(serde::Serialize)]
struct Counts<'a> {
    kind: Kind,
    template: Template,
    /// `yes` or `no`, as it is now.
    attended: &'static str,
    /// The session that it was dispatched from inside of.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<SessionId>,
    /// What was found out about who dispatched it, when that happened.
    dispatch: &'a [String],
}

impl<'a> From<&'a View> for Counts<'a> {
    fn from(view: &'a View) -> Self {
        let r = &view.record;
        Self {
            kind: r.kind,
            template: r.template,
            attended: if view.attended { "yes" } else { "no" },
            parent: r.parent,
            dispatch: &r.dispatch,
        }
    }
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    match &args.session {
        Some(session) => explain(cx, session, args.json),
        None => caller::explain(cx, args.json),
    }
}

fn explain(cx: &mut Cx, session: &str, json: bool) -> Result<(), CliError> {
    let reply = cx.ask(&Command::Why { target: session.to_owned() })?;
    let Reply::Why { session, mut reasons } = reply else { return Err(unexpected(&reply)) };
    // Of a session that goes on, its control group tells; of one that is over, its exit record, which is in the reasons.
    let used = usage::of(&mut Reader::new(), &cx.paths, &session);
    if let Some(used) = used.filter(|used| used.oom_kills > 0) {
        reasons.push(format!("It goes on, and uses {}.", usage::sentence(used)));
    }
    if json {
        let class = Counts::from(&*session);
        return Ok(cx.out.json(&Explained { session: Listed::from(&*session), class, reasons: &reasons })?);
    }
    for reason in reasons {
        cx.out.line(&clean(&reason))?;
    }
    Ok(())
}
