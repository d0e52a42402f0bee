//! `abide why --self`

use crate::VERSION;
use crate::cli::commands::daemon::{Presence, presence};
use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::cli::text::clean;
use crate::client::control::{Control, ControlError, Start};
use crate::core::action::Reply;
use crate::core::classify::{Attended, Class, Evidence, Proc, classify};
use crate::core::event::Command;
use crate::core::id::SessionId;
use crate::core::record::{Kind, Template};
use crate::evidence::{self, Look, Mark};
use crate::registry::Registry;
use serde::Serialize;

/// What the caller counts as. Keys are only ever added.
#[derive(Debug, Serialize)]
struct Described<'a> {
    kind: &'static str,
    template: &'static str,
    attended: Attended,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    row: u8,
    reasons: &'a [String],
    /// Who looked: `supervisor`, or `itself` where none runs.
    by: &'static str,
    processes: Vec<Ancestor<'a>>,
}

/// A process of the ancestry, the caller's first.
#[derive(Debug, Serialize)]
struct Ancestor<'a> {
    pid: u32,
    name: &'a str,
    /// It has a controlling terminal.
    terminal: bool,
    /// The registered agent that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
}

impl<'a> From<&'a Proc> for Ancestor<'a> {
    fn from(p: &'a Proc) -> Self {
        Self { pid: p.pid, name: &p.name, terminal: p.terminal != 0, agent: p.agent.as_deref() }
    }
}

pub(super) fn explain(cx: &mut Cx, json: bool) -> Result<(), CliError> {
    let asked = match presence(&cx.paths) {
        Presence::Running => ask(cx)?,
        Presence::Sleeping | Presence::Absent => None,
    };
    let (by, (class, evidence)) = match asked {
        Some(answer) => ("supervisor", answer),
        None => ("itself", look(cx)),
    };
    let described = Described {
        kind: match class.kind {
            None => "unknown",
            Some(Kind::Interactive) => "interactive",
            Some(Kind::Bg) => "bg",
            Some(Kind::Daemon) => "daemon",
            Some(Kind::DaemonWorker) => "daemon-worker",
        },
        template: match class.template {
            None => "none",
            Some(Template::Foreground) => "foreground",
            Some(Template::Bg) => "bg",
        },
        attended: class.attended,
        session: class.session,
        row: class.row,
        reasons: &class.reasons,
        by,
        processes: evidence.chain.iter().map(Ancestor::from).collect(),
    };
    if json {
        return Ok(cx.out.json(&described)?);
    }
    let attended = match class.attended {
        Attended::Yes => "yes",
        Attended::No => "no",
        Attended::Unknown => "not known",
    };
    let head = format!("Kind {}, template {}, attended: {attended}.", described.kind, described.template);
    cx.out.line(&head)?;
    for reason in &class.reasons {
        cx.out.line(&clean(reason))?;
    }
    if by == "itself" {
        cx.out.line("No supervisor runs: abide found that out by itself, and started none.")?;
    }
    Ok(())
}

/// The supervisor's answer; none where it has gone in between, or is of a version that cannot tell.
fn ask(cx: &Cx) -> Result<Option<(Class, Evidence)>, CliError> {
    let answer = Control::connect(&cx.paths, Start::Never).and_then(|mut c| c.ask(Command::Who, None));
    match answer {
        Ok(Reply::Who { class, evidence, .. }) => Ok(Some((*class, *evidence))),
        Ok(other) => Err(crate::cli::context::unexpected(&other)),
        Err(ControlError::Unreachable { .. } | ControlError::Broken(_)) => Ok(None),
        Err(ControlError::Older { theirs }) => {
            let text = format!("the running supervisor ({theirs}) is older than this abide ({VERSION})");
            crate::cli::remark(&format!("{text} and cannot be asked; what follows is without it"));
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

/// Without a supervisor.
fn look(cx: &Cx) -> (Class, Evidence) {
    let (tag, marks) = (cx.paths.tag(), Mark::all(&cx.paths));
    let agents = Registry::of(&cx.paths);
    let look = Look { tag: tag.as_deref(), marks: &marks, supervisor: 0, agents: &agents };
    let evidence = evidence::of_self(&cx.paths, &look);
    (classify(&evidence), evidence)
}
