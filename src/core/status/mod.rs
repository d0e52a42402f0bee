//! What a live session does, and how that is known.
//!
//! # Evidence, the best first
//! 1. A program status report (`OSC 7501`): the program says it itself; and where a part of its work waits for the user,
//!    so does the session.
//! 2. What the agent told last by its hooks.
//! 3. The file that it keeps about itself, where it is about this very process.
//! 4. Its window title. Where its profile knows no title of a blocked agent, an idle one is *vague*: it may mean either.
//! 5. Its screen, by the rules of its profile.
//! 6. Where none of these says anything: the shell's prompt marks (`OSC 133`); a notification (`OSC 9`, `99`, `777`)
//!    since the last input, with silence after it, which asks for the user; who is in the terminal's foreground, and
//!    quiet time. A shell in the foreground that is silent is at its prompt; an agent that is silent has nothing to do; any
//!    other program works while it lives.
//!
//! Titles and reports come by themselves. The screen and the agent's own file are looked at, once, where no program
//! status report tells and something happened from which the state may have changed: it fell silent or began to write,
//! something was typed, it notified, its title says something else, two sources contradict each other. Nothing is looked at while nothing happens.
//!
//! # Which of it stands
//! The best source that says something is believed; but what it said may be over. Hooks tell of beginnings and ends, and
//! some ends are told by nobody: a turn that the user interrupts, a question that is answered with Escape, an agent that
//! is killed. So a claim (not one of a program status report, which is withdrawn when it is over) is *overruled* by a claim of
//! a lesser source that cannot be true at the same time and that
//! - was made clearly after it was last renewed, and has stood for [`SETTLE_MS`] since, or at once where something was typed in
//!   between, which explains a change; or
//! - was renewed when that long had passed since: a title that still moves; or
//! - is a title that does not say that it works, and has stayed for five seconds.
//!
//! What was overruled is dropped. It never comes back, so older evidence undoes nothing; only something new does. The same
//! goes for everything that was said before a program status report was withdrawn, and before a shell that leads the
//! session came back into the foreground: who had said it is gone. A resumed process begins with nothing.
//!
//! # When it is shown
//! At once where a program, a hook or the agent's own file says it. A title that says idle or blocked must have stood for
//! [`SETTLE_MS`]; a screen that says so must have been found so twice where the session still writes, since it may be
//! half drawn; and where a look may tell more, it is waited for. Until then what was shown before is shown.

mod claim;
mod evidence;
mod own;
mod program;
mod quiet;
mod signs;
mod talk;

pub use claim::{Claim, Doing, Source};
pub use evidence::{Evidence, Kept, Overruled, SETTLE_MS};
pub use quiet::is_shell;
pub use signs::{Rule, Signs, Titles, lines};
pub use talk::From;

use super::event::Signals;
use super::record::{Record, State, Tempo};
use evidence::Standing;

/// What is shown of a live session, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `Working`, `Blocked`, `Idle` or `Done`.
    pub state: State,
    /// How lively.
    pub tempo: Tempo,
    /// What a blocked session waits for.
    pub waiting_for: Option<String>,
    /// One printable line; empty for none.
    pub detail: String,
    /// The evidence, as a sentence.
    pub evidence: String,
    /// The rule, as a sentence.
    pub rule: &'static str,
}

/// Two sources tell of one prompt within so many milliseconds, whichever comes first.
const SAME_PROMPT_MS: u64 = 2_000;

/// A report about a session whose leader is a shell, once that is back in the foreground: void.
pub(super) fn is_left(record: &Record, signals: &Signals) -> bool {
    quiet::is_left(record, signals)
}

/// What the session of `record` does, by its host's last report (none yet: it was just started) and by what else is known,
/// which has been [settled](Evidence::settle).
///
/// `alert_pending`: a bell or a notification came, and nothing was typed since. `can_look`: see [`Evidence::settle`].
pub fn judge(
    record: &Record,
    signals: Option<&Signals>,
    evidence: &Evidence,
    alert_pending: bool,
    can_look: bool,
    now: u64,
) -> Verdict {
    let active = signals.is_some_and(|s| s.active);
    let alert = || signals.and_then(|s| quiet::called(s, alert_pending));
    match evidence.standing(now, can_look) {
        // Who called for the user with words waits, where nothing else tells the one from the other.
        Standing::Certain(_, claim) if claim.vague => {
            alert().unwrap_or_else(|| by_claim(Source::Title, claim, active))
        }
        Standing::Certain(source, claim) => {
            let mut v = by_claim(source, claim, active);
            if v.state == State::Blocked
                && let Some(words) = evidence.words(source, claim)
            {
                v.waiting_for = Some(words.clone());
                v.detail = words;
            }
            v
        }
        Standing::Unsure(_, claim) => as_before(record, active, &claim.says),
        Standing::Nothing => match signals {
            None => {
                let evidence = "its host has not reported yet".into();
                verdict(State::Working, true, evidence, "a session that was just started works")
            }
            Some(s) if record.agent.is_some() && (evidence.is_fresh() || s.offset == 0) && !s.active => {
                let evidence = "it has not written anything yet".into();
                verdict(State::Working, false, evidence, "an agent that was just started works")
            }
            Some(_) if evidence.may_learn(can_look) => {
                as_before(record, active, "its screen is to be looked at")
            }
            Some(s) => quiet::judge(record, s, alert_pending),
        },
    }
}

fn by_claim(source: Source, claim: &Claim, active: bool) -> Verdict {
    let rule = match source {
        Source::Program => "what a program says of itself is believed first",
        Source::Hook => "what an agent told by its hooks is believed until something later contradicts it",
        Source::Own => "what an agent writes about itself is believed where it tells nothing better",
        Source::Title => "an agent's title is believed where it tells nothing better",
        Source::Screen => "an agent's screen is believed where it tells nothing better",
    };
    let state = match claim.doing {
        Doing::Working => State::Working,
        Doing::Blocked => State::Blocked,
        Doing::Idle => State::Idle,
        Doing::Done => State::Done,
    };
    let mut v = verdict(state, state == State::Working || active, claim.says.clone(), rule);
    v.detail.clone_from(&claim.what);
    if state == State::Blocked {
        let what = if claim.what.is_empty() { "the user" } else { &claim.what };
        v.waiting_for = Some(what.to_owned());
    }
    v
}

/// What was shown before goes on being shown.
fn as_before(record: &Record, active: bool, says: &str) -> Verdict {
    let known = matches!(record.state, State::Working | State::Blocked | State::Idle | State::Done);
    let state = if known { record.state } else { State::Working };
    let evidence = format!("it was so before, and what speaks against that is not certain yet: {says}");
    let mut v = verdict(state, active, evidence, "nothing is shown that may be over in a moment");
    v.waiting_for = record.waiting_for.clone().filter(|_| state == State::Blocked);
    if state == State::Blocked && v.waiting_for.is_none() {
        v.waiting_for = Some("the user".into());
    }
    v.detail.clone_from(&record.detail);
    v
}

fn verdict(state: State, active: bool, evidence: String, rule: &'static str) -> Verdict {
    let tempo = match (state == State::Blocked, active) {
        (true, _) => Tempo::Blocked,
        (false, true) => Tempo::Active,
        (false, false) => Tempo::Idle,
    };
    Verdict { state, tempo, waiting_for: None, detail: String::new(), evidence, rule }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
