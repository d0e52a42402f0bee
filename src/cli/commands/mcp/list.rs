//! The tool `list`, and a session as the tools tell of it.

use super::server::{Answer, Call};
use crate::cli::commands::show::ending;
use crate::cli::context::several;
use crate::cli::error::CliError;
use crate::cli::output::name_of;
use crate::cli::text::span;
use crate::core::action::View;
use crate::core::event::Command;
use crate::core::naming::printable;
use crate::core::text::Text;
use crate::sys::clock::wall_ms;
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

pub(super) const TEACHES: &str = "\
List the user's sessions, the newest first. Each has its id, name, state and working directory, what it was asked to \
do, what it does now or waits for. States: queued and starting; working; blocked (it needs the user: waitingFor says \
for what); idle (its turn is over, and it can be sent more); done, failed, stopped (it has no process any more, but \
its output is kept); parked (it has no process, and can be resumed).";

/// Sessions in one answer, at most and where nothing else is said.
const MOST: u32 = 200;
const USUAL: u32 = 50;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// Also those that are over: done, failed, stopped.
    all: bool,
    /// Only sessions that work in this folder or below it: an absolute path.
    cwd: Option<String>,
    /// So many sessions at most, from 1 to 200. Default: 50.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A session, in a few hundred bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Brief {
    id: String,
    name: String,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    waiting_for: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    agent: String,
    /// Its prompt, or its command.
    #[serde(skip_serializing_if = "String::is_empty")]
    asked: String,
    cwd: String,
    /// Somebody who may type is attached.
    attended: bool,
    /// Since its dispatch: `4s`, `12m`, `3h`, `9d`.
    age: String,
    /// How its process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

impl From<&View> for Brief {
    fn from(view: &View) -> Self {
        let r = &view.record;
        let command = || r.argv.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let asked = if r.agent.is_some() { r.intent.clone() } else { command() };
        Self {
            id: r.id.to_string(),
            name: printable(&r.name, 64),
            state: name_of(r.state),
            waiting_for: printable(r.waiting_for.as_deref().unwrap_or_default(), 200),
            detail: printable(&r.detail, 200),
            agent: r.agent.as_deref().map(|a| printable(a, 40)).unwrap_or_default(),
            asked: printable(&asked, 200),
            cwd: printable(&r.cwd.to_string(), 400),
            attended: view.attended,
            age: span(wall_ms().saturating_sub(r.times.created_ms)),
            ended: r.exit.as_ref().filter(|_| r.host.is_none()).map(|e| printable(&ending(e), 200)),
        }
    }
}

#[derive(Serialize)]
struct Listed {
    sessions: Vec<Brief>,
    /// Older ones that are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

pub(super) fn call(call: &Call, arguments: &Arguments) -> Result<Answer, CliError> {
    let limit = arguments.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(CliError::usage(format!("limit is {limit}, and has to be from 1 to {MOST}")));
    }
    if arguments.cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
        return Err(CliError::usage("cwd is no absolute path"));
    }
    let cwd = arguments.cwd.as_deref().map(Text::from);
    let mut views = several(call.cx.ask(&Command::List { all: arguments.all, cwd })?)?;
    views.reverse();
    let more = views.len().saturating_sub(limit as usize);
    let sessions = views.iter().take(limit as usize).map(Brief::from).collect();
    Answer::of(&Listed { sessions, more: (more > 0).then_some(more) })
}
