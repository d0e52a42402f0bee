//! All that is known of what one session does, kept while its process lives: the claim of each source, and which of them
//! stands. See [`super`] for the rules.

use super::claim::{Claim, Doing, SOURCES, Source};
use super::program;
use super::signs::Signs;
use super::talk::{Before, From, Talk, Told};
use super::{SAME_PROMPT_MS, own};
use crate::core::event::Signals;
use crate::core::hook::Report;
use crate::core::naming::printable;
use crate::core::record::{Instance, Record};
use std::collections::BTreeMap;

/// Evidence that could be a flicker must have stood for so long.
pub const SETTLE_MS: u64 = 1_000;
/// And a title that says what was not told at the same time, for so long.
const STAY_MS: u64 = 5_000;
/// Hosts tell what happens together, and hooks may be quicker: evidence that came closer after another is not later.
const LATE_MS: u64 = 500;
/// Overruled claims that are kept to explain what is shown.
const OVERRULED: usize = 3;
/// Characters of a title in a sentence.
const TITLE: usize = 60;

/// See the module. Times in milliseconds of awake time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    claims: BTreeMap<Source, Claim>,
    /// The program's reports as they were seen last.
    reports: (String, Vec<String>),
    title: String,
    talk: Talk,
    /// Profile of the agent that told by its hooks.
    agent: Option<String>,
    inputs: u32,
    alerts: u32,
    active: bool,
    /// Since when it writes, or is silent.
    since: u64,
    /// It was seen at all.
    seen: bool,
    /// It was started a moment ago, and has not written anything since.
    fresh: bool,
    /// When the last look that has come back was asked for.
    looked: Option<u64>,
    overruled: Vec<Overruled>,
}

/// A claim that later evidence of another kind has refuted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    /// Whose.
    pub source: Source,
    /// It.
    pub claim: Claim,
    /// Whose evidence refuted it; none for silence.
    pub by: Option<Source>,
    /// When.
    pub at: u64,
}

/// What an agent told last, as it is kept for the next supervisor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// What it does.
    pub doing: Doing,
    /// For what it waits, or what it does.
    #[serde(default)]
    pub what: String,
    /// Inputs that had been counted then.
    #[serde(default)]
    pub inputs: u32,
    /// The conversation.
    #[serde(default)]
    pub conversation: String,
}

/// What stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// This claim, and nothing speaks against showing it.
    Certain(Source, &'a Claim),
    /// The best claim may be a flicker, or a look at the session may tell more.
    Unsure(Source, &'a Claim),
    /// No source says anything.
    Nothing,
}

impl Evidence {
    /// Of a session that an earlier supervisor knew.
    pub fn of(kept: Option<&Kept>, now: u64) -> Self {
        let mut evidence = Self::default();
        if let Some(kept) = kept {
            evidence.talk = Talk::of(&kept.conversation);
            let says = "its hooks told so to the supervisor before this one".to_owned();
            let what = kept.what.clone();
            let claim = Claim {
                doing: kept.doing,
                vague: false,
                old: true,
                what,
                made: now,
                renewed: now,
                inputs: kept.inputs,
                says,
            };
            evidence.claims.insert(Source::Hook, claim);
        }
        evidence
    }

    /// Of a process that was just started.
    pub fn of_start() -> Self {
        Self { fresh: true, ..Self::default() }
    }

    /// What the next supervisor has to know, since nobody will tell it again.
    pub fn kept(&self) -> Option<Kept> {
        let claim = self.claims.get(&Source::Hook)?;
        // What it does in the meantime changes often, and is of no use to anybody later.
        let what = if claim.doing == Doing::Blocked { claim.what.clone() } else { String::new() };
        let conversation = self.talk.conversation().to_owned();
        Some(Kept { doing: claim.doing, what, inputs: claim.inputs, conversation })
    }

    /// Profile of the agent that told by its hooks.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Takes a host's report in. True where a look at the session may tell something new.
    ///
    /// `left`: the leader is a shell that is in the foreground, so that nothing of what others said is true any more.
    pub fn saw(&mut self, signals: &Signals, left: bool, signs: &Signs, now: u64) -> bool {
        let mut news = !self.seen || self.inputs != signals.inputs || self.alerts != signals.alerts;
        (self.seen, self.inputs, self.alerts) = (true, signals.inputs, signals.alerts);
        self.fresh &= !signals.active;
        if self.active != signals.active {
            (self.active, self.since) = (signals.active, now);
            news = true;
        }
        news |= self.saw_reports(signals, now);
        news |= self.saw_title(signals, signs, now);
        if left {
            self.claims.clear();
            self.agent = None;
        }
        news
    }

    fn saw_reports(&mut self, signals: &Signals, now: u64) -> bool {
        if (&self.reports.0, &self.reports.1) == (&signals.program, &signals.blocked) {
            return false;
        }
        self.reports = (signals.program.clone(), signals.blocked.clone());
        match program::claim(signals, now) {
            Some(claim) => {
                self.claims.insert(Source::Program, claim);
                false
            }
            None if self.claims.remove(&Source::Program).is_some() => {
                // What others said before it spoke last is not true again because it is silent now.
                self.claims.retain(|source, _| *source == Source::Title);
                true
            }
            None => false,
        }
    }

    fn saw_title(&mut self, signals: &Signals, signs: &Signs, now: u64) -> bool {
        if self.title == signals.title {
            return false;
        }
        self.title.clone_from(&signals.title);
        let before = self.claims.get(&Source::Title).map(|claim| claim.doing);
        match signs.titles.says(&self.title) {
            Some(doing) => {
                let says = format!("its title is {:?}", printable(&self.title, TITLE));
                let vague = doing == Doing::Idle && signs.titles.blocked.is_empty();
                self.claim(Source::Title, doing, vague, String::new(), says, now);
                before != Some(doing)
            }
            None => self.claims.remove(&Source::Title).is_some(),
        }
    }

    /// Takes a hook's report in.
    pub fn told(&mut self, record: &Record, report: &Report, from: From, now: u64) {
        if !self.talk.concerns(record, report, from) {
            return;
        }
        self.agent = Some(report.agent.clone());
        let last = self.claims.get(&Source::Hook);
        let before = last.map(|c| Before { doing: c.doing, at: c.renewed, typed: c.inputs != self.inputs });
        match self.talk.told(report, before, now) {
            Told::Nothing => {}
            Told::Again => {
                if let Some(claim) = self.claims.get_mut(&Source::Hook) {
                    claim.renewed = now;
                }
            }
            Told::Forget => _ = self.claims.remove(&Source::Hook),
            Told::That(doing, what) => {
                let says = format!("its hook told {}", happening(report));
                self.claims.remove(&Source::Hook);
                self.claim(Source::Hook, doing, false, what, says, now);
            }
        }
    }

    /// Takes in what a look that was asked for at `asked` has brought. True where another look is to confirm it.
    pub fn looked(
        &mut self,
        screen: Option<&[String]>,
        own: Option<&str>,
        signs: &Signs,
        child: Instance,
        asked: u64,
    ) -> bool {
        self.looked = Some(asked);
        match own.and_then(|text| own::says(text, child)) {
            Some((doing, what)) => {
                let says = "its own file says so".to_owned();
                self.claim(Source::Own, doing, false, what, says, asked);
            }
            None => _ = self.claims.remove(&Source::Own),
        }
        let Some(rule) = screen.and_then(|lines| signs.rule(lines)) else {
            self.claims.remove(&Source::Screen);
            return false;
        };
        let shows: Vec<String> =
            rule.shows.iter().map(|text| format!("{:?}", printable(text, TITLE))).collect();
        let says = format!("its screen shows {}", shows.join(" and "));
        self.claim(Source::Screen, rule.state, false, printable(&rule.what, program::TEXT), says, asked);
        self.claims.get(&Source::Screen).is_some_and(|claim| !self.is_certain(Source::Screen, claim, asked))
    }

    fn claim(&mut self, source: Source, doing: Doing, vague: bool, what: String, says: String, now: u64) {
        let made = self
            .claims
            .get(&source)
            .filter(|c| c.doing == doing)
            .map_or((now, self.inputs), |c| (c.made, c.inputs));
        let claim =
            Claim { doing, vague, old: false, what, made: made.0, renewed: now, inputs: made.1, says };
        self.claims.insert(source, claim);
    }

    /// A program that can tell by itself has spoken: there is nothing to look for.
    pub fn tells_itself(&self) -> bool {
        self.claims.contains_key(&Source::Program)
    }

    /// Drops the claims that later evidence refutes, and says when time alone may change what stands. `can_look`: what
    /// no title tells is looked for.
    pub fn settle(&mut self, now: u64, can_look: bool) -> Option<u64> {
        loop {
            let (source, top) = self.claims.first_key_value()?;
            if *source == Source::Program {
                return None;
            }
            let (source, mut again, mut refuted) = (*source, self.settled_at(*source, top), None);
            for (other, claim) in self.claims.range(source..).skip(1) {
                match self.refutes((*other, claim), (source, top), now, can_look) {
                    Refutes::Now => {
                        refuted = Some(Some(*other));
                        break;
                    }
                    Refutes::At(at) => again = Some(again.map_or(at, |t| t.min(at))),
                    Refutes::No => {}
                }
            }
            if refuted.is_none() && source == Source::Hook && self.is_abandoned(top, can_look) {
                refuted = Some(None);
            }
            let Some(by) = refuted else { return again.filter(|at| *at > now) };
            let claim = self.claims.remove(&source)?;
            self.overruled.insert(0, Overruled { source, claim, by, at: now });
            self.overruled.truncate(OVERRULED);
        }
    }

    fn refutes(
        &self,
        (source, claim): (Source, &Claim),
        (of, top): (Source, &Claim),
        now: u64,
        can_look: bool,
    ) -> Refutes {
        if !claim.contradicts(top) || !self.is_certain_but_for_time(source, claim) {
            return Refutes::No;
        }
        if claim.vague && can_look && self.looked.is_none_or(|at| at < claim.made) {
            return Refutes::No;
        }
        // What was typed since explains a change.
        let explained = claim.inputs != top.inputs;
        let late = if of == Source::Hook { LATE_MS } else { 0 };
        let later = top.old || claim.made > top.renewed + late;
        let moves = claim.renewed >= top.renewed + SETTLE_MS;
        if moves || later && explained && !claim.vague {
            return Refutes::Now;
        }
        // A title is there all the time: one that says that nothing works would not stay while something does.
        let stays = source == Source::Title && claim.doing != Doing::Working;
        let at = match (later, stays) {
            (true, _) => claim.made + SETTLE_MS,
            (false, true) => claim.renewed.max(top.renewed) + STAY_MS,
            (false, false) => return Refutes::No,
        };
        if now >= at { Refutes::Now } else { Refutes::At(at) }
    }

    /// An agent that told that it works, was typed to and is silent was interrupted: some tell nothing of that.
    fn is_abandoned(&self, top: &Claim, can_look: bool) -> bool {
        let looked = !can_look || self.looked.is_some_and(|at| at >= self.since);
        let typed = top.inputs != self.inputs;
        top.doing == Doing::Working && typed && !self.active && self.since > top.renewed && looked
    }

    /// What is to be shown.
    pub(super) fn standing(&self, now: u64, can_look: bool) -> Standing<'_> {
        let Some((source, claim)) = self.claims.first_key_value() else { return Standing::Nothing };
        if !self.is_certain(*source, claim, now) {
            return Standing::Unsure(*source, claim);
        }
        if claim.vague {
            let clearer = |(_, other): &(&Source, &Claim)| {
                !other.vague && !other.contradicts(claim) && other.renewed >= claim.made
            };
            if let Some((other, clear)) = self.claims.range(*source..).skip(1).find(clearer) {
                return match self.is_certain(*other, clear, now) {
                    true => Standing::Certain(*other, clear),
                    false => Standing::Unsure(*other, clear),
                };
            }
            if can_look && self.looked.is_none_or(|at| at < claim.made) {
                return Standing::Unsure(*source, claim);
            }
        }
        Standing::Certain(*source, claim)
    }

    /// What a blocked session waits for, in better words than those of the claim that stands: hooks tell more than some
    /// programs' reports.
    pub(super) fn words(&self, source: Source, claim: &Claim) -> Option<String> {
        let hook = self.claims.get(&Source::Hook).filter(|hook| hook.doing == Doing::Blocked)?;
        let same = source == Source::Program && hook.renewed + SAME_PROMPT_MS >= claim.made;
        // Some say no more than `permission`.
        let terse = !claim.what.contains(' ');
        (same && terse && !hook.what.is_empty()).then(|| hook.what.clone())
    }

    /// Two sources contradict each other, and no look since has told which of them is right.
    pub fn is_disputed(&self) -> bool {
        let Some((source, top)) = self.claims.first_key_value() else { return false };
        let mut lesser = self.claims.range(*source..).skip(1);
        let looked = self.looked.is_some_and(|at| at >= top.renewed + SETTLE_MS);
        *source != Source::Program && !looked && lesser.any(|(_, claim)| claim.contradicts(top))
    }

    /// It has not written anything yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Nobody says anything, and a look may still tell something.
    pub(super) fn may_learn(&self, can_look: bool) -> bool {
        can_look && self.looked.is_none_or(|at| at < self.since)
    }

    fn is_certain(&self, source: Source, claim: &Claim, now: u64) -> bool {
        self.is_certain_but_for_time(source, claim)
            && self.settled_at(source, claim).is_none_or(|at| now >= at)
    }

    /// One look at a screen that is being drawn may catch what is there for a moment.
    fn is_certain_but_for_time(&self, source: Source, claim: &Claim) -> bool {
        source != Source::Screen
            || claim.doing == Doing::Working
            || !self.active
            || claim.renewed > claim.made
    }

    fn settled_at(&self, source: Source, claim: &Claim) -> Option<u64> {
        (source == Source::Title && claim.doing != Doing::Working).then_some(claim.made + SETTLE_MS)
    }

    /// The claims, the best first.
    pub fn claims(&self) -> impl Iterator<Item = (Source, &Claim)> {
        SOURCES.iter().filter_map(|source| Some((*source, self.claims.get(source)?)))
    }

    /// What was overruled last, the latest first.
    pub fn overruled(&self) -> &[Overruled] {
        &self.overruled
    }
}

enum Refutes {
    No,
    At(u64),
    Now,
}

fn happening(report: &Report) -> &'static str {
    use crate::core::hook::Happening as H;
    match &report.what {
        H::Begins { .. } => "that a conversation begins",
        H::Prompted { .. } => "of a prompt",
        H::Tool { .. } => "that a tool is going to be used",
        H::ToolOver { .. } => "that a tool was used",
        H::NeedsUser { .. } => "that it needs the user",
        H::TurnOver { waits_for_own: false } => "that its turn is over",
        H::TurnOver { waits_for_own: true } => "that its turn is over, but for what it started",
        H::TurnFailed { .. } => "that its turn failed",
        H::Ends { .. } => "that the conversation ends",
        H::Moved | H::Titled { .. } | H::Other { .. } => "something else",
    }
}
