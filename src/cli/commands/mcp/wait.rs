//! The tool `wait`.

use super::list::Brief;
use super::server::{Answer, Call};
use crate::cli::context::one;
use crate::cli::error::CliError;
use crate::cli::output::name_of;
use crate::client::wait::{Waited, wait};
use crate::core::event::Command;
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

pub(super) const TEACHES: &str = "\
Wait until a session's turn is over (idle, done, failed, stopped, parked) or it is blocked and needs somebody, or for \
given states; at most so many seconds. Returns the session as it is then. `timedOut` is true where the time was up \
first: call again, or do something else meanwhile. `reached` tells whether it came to what was waited for.";

/// Seconds, at most and where nothing else is said: less than clients usually let a call take.
const MOST: u32 = 3_600;
const USUAL: u32 = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Its id, the unique start of it, or its name.
    session: String,
    /// Wait for any of these states; an end by itself or by a stop ends the wait all the same. Default: until its turn
    /// is over or it is blocked.
    #[serde(default)]
    states: Vec<For>,
    /// Give up after so many seconds, from 0 to 3600; 0 only looks. Default: 50.
    #[schemars(range(min = 0, max = 3600))]
    #[serde(default)]
    timeout_seconds: Option<u32>,
}

/// A state that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars", inline)]
#[serde(rename_all = "lowercase")]
enum For {
    Working,
    Blocked,
    Idle,
    Done,
    Failed,
    Stopped,
    Parked,
}

impl For {
    fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Blocked => "blocked",
            Self::Idle => "idle",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Parked => "parked",
        }
    }
}

/// Ends that nothing comes after.
const ENDS: [&str; 3] = ["done", "failed", "stopped"];
/// States in which a turn is over, or goes on only when somebody does something.
const OVER: [&str; 6] = ["blocked", "idle", "done", "failed", "stopped", "parked"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    #[serde(flatten)]
    session: Brief,
    reached: bool,
    timed_out: bool,
}

pub(super) fn call(call: &Call, arguments: &Arguments) -> Result<Answer, CliError> {
    let seconds = arguments.timeout_seconds.unwrap_or(USUAL);
    if seconds > MOST {
        return Err(CliError::usage(format!("timeout_seconds is {seconds}, and may be {MOST} at most"))
            .hint("call it again when the time is up"));
    }
    // The id, once: a name may become another session's meanwhile.
    let target = call.cx.target(&arguments.session)?;
    let wanted: Vec<&str> = match arguments.states.as_slice() {
        [] => OVER.to_vec(),
        states => states.iter().map(|state| state.name()).collect(),
    };
    let states = wanted.iter().chain(&ENDS).map(|state| (*state).to_owned()).collect();
    let command = Command::Wait { target: target.id.clone(), states };
    let deadline = Instant::now() + Duration::from_secs(seconds.into());
    let (view, timed_out) = match wait(&call.cx.paths, &command, Some(deadline), &call.hangup)? {
        Waited::Answered(reply) => (one(*reply)?, false),
        Waited::TimeUp => (one(call.cx.ask(&Command::Show { target: target.id })?)?, true),
        Waited::HungUp => return Err(CliError::failed("nobody waits for it any more")),
    };
    let reached = !timed_out && wanted.contains(&name_of(view.record.state));
    Answer::of(&Outcome { session: Brief::from(&*view), reached, timed_out })
}
