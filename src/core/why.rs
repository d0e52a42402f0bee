//! The evidence and the rules behind what is shown of a session, in plain sentences.

use super::action::Reply;
use super::event::{Now, Ticket};
use super::fleet::Fleet;
use super::id::SessionId;
use super::record::{Desired, Kind, NameSource, Restart, State, Template};
use super::requests::shown_state;
use super::restart::{ATTEMPTS, listed, refusal};
use super::roll::Roll;
use super::session::{ELSEWHERE, Phase, Session};
use super::status::{Doing, Source};

impl Fleet {
    pub(super) fn why(&mut self, ticket: Ticket, id: SessionId) {
        let Some(s) = self.sessions.get(&id) else { return };
        let mut reasons = self.state_reasons(s);
        reasons.push(class_reason(s));
        if let Some(parent) = s.record.parent {
            let name =
                self.sessions.get(&parent).map(|p| format!(" ({})", p.record.name)).unwrap_or_default();
            reasons.push(format!("It was dispatched from inside of session {parent}{name}."));
        }
        // The evidence; the rule is about who dispatched, and not about this session.
        reasons.extend(s.record.dispatch.first().map(|said| format!("When it was dispatched: {said}")));
        reasons.push(attendance_reason(s));
        let wall = self.now.wall_ms;
        for (event, what) in [
            ("started", "Last start"),
            ("adopted", "Last adoption"),
            ("stopped", "Last stop"),
            ("exited", "Last exit"),
            ("lost", "Host lost"),
            ("restart-refused", "Not restarted by itself"),
            ("roll-refused", "Others not rolled after it"),
        ] {
            let last = self.tail.iter().rev().find(|e| e.id == Some(id) && e.event == event);
            if let Some(entry) = last {
                let by = if entry.by.is_empty() { String::new() } else { format!(", by {}", entry.by) };
                let text = if entry.text.is_empty() { String::new() } else { format!(": {}", entry.text) };
                reasons.push(format!("{what} {}{by}{text} (event {}).", ago(wall, entry.at_ms), entry.seq));
            }
        }
        if !s.record.lacks.is_empty() {
            let whose = match s.record.stand_in {
                true => "the service manager's environment",
                false => "another environment than its own",
            };
            let names = listed(&s.record.lacks);
            reasons.push(format!("It was started with {whose}, which lacks {names}."));
        }
        reasons.extend(program_reason(s));
        if s.record.name_source == NameSource::Auto {
            reasons.push("Its name was derived; `abide rename` gives it another.".into());
        }
        if !s.saves.error.is_empty() {
            reasons.push(format!("Its record could not be written and is tried again: {}.", s.saves.error));
        }
        let session = Box::new(s.view());
        self.reply(ticket, Reply::Why { session, reasons }, true);
    }

    fn state_reasons(&self, s: &Session) -> Vec<String> {
        let state = shown_state(s.record.state);
        match s.phase {
            Phase::Alive => {
                let v = s.verdict(&self.settings, self.now);
                let mut reasons = vec![format!("It is {state}{}: {}.", since(s, self.now), v.evidence)];
                reasons.push(format!("Rule: {}.", v.rule));
                reasons.extend(evidence_reasons(s, self.now));
                reasons
            }
            Phase::Waiting { .. } => {
                let ahead = self.sessions.values().filter(|o| matches!(o.phase, Phase::Launching)).count();
                vec![
                    format!("It is {state}: its record is being written, or it waits for its turn."),
                    format!(
                        "Rule: a record is on disk before its host starts, and at most {} start at a time ({ahead} do).",
                        self.settings.max_starting
                    ),
                ]
            }
            Phase::Launching => {
                vec![format!("It is {state}: its host was asked for and has not reported yet.")]
            }
            Phase::Stopping { .. } => {
                let then = match (s.record.desired, s.respawning()) {
                    (Desired::Removed, _) => "and its files are removed then",
                    (Desired::Running, true) => "and it is started anew then",
                    (Desired::Stopped, _) | (Desired::Running, false) => "and it stays stopped then",
                };
                vec![format!("It is {state}, but its process is being ended, {then}.")]
            }
            Phase::Ended => {
                let mut reasons = vec![ended_reason(s, state)];
                reasons.extend(self.restart_reason(s));
                reasons
            }
            Phase::Removing | Phase::Stuck => {
                vec!["It is to be removed, and its files are not gone yet.".into()]
            }
        }
    }
}

impl Fleet {
    /// What becomes of a parked session by itself.
    fn restart_reason(&self, s: &Session) -> Option<String> {
        if s.record.state != State::Parked || s.record.desired != Desired::Running {
            return None;
        }
        if let Some(at) = s.restart_at {
            let wait = at.saturating_sub(self.now.awake_ms).div_ceil(1_000);
            let next = s.record.attempts + 1;
            return Some(format!("It is restarted by itself in {wait} s (attempt {next} of {ATTEMPTS})."));
        }
        let id = s.id();
        Some(match s.record.restart {
            Restart::Never | Restart::Manual => {
                format!("It stays so until `abide respawn {id}`: its `restart` is not auto.")
            }
            Restart::Auto if s.record.exit.as_ref().is_some_and(|e| e.cause == ELSEWHERE) => return None,
            Restart::Auto => {
                let within = self.settings.restart_within_ms;
                let why = refusal(&s.record, &self.here, within, self.started.wall_ms)
                    .unwrap_or_else(|| "nothing that it ran in has gone since".into());
                format!("It is not restarted by itself: {why}. `abide respawn {id}` starts it.")
            }
        })
    }
}

fn ended_reason(s: &Session, state: &str) -> String {
    let Some(exit) = &s.record.exit else {
        return format!("It is {state}: it has no process and no exit record.");
    };
    let how = match (exit.code, exit.message.is_empty()) {
        (Some(0), true) => "exit status 0".to_owned(),
        (_, false) => exit.message.clone(),
        (_, true) => "it ended".to_owned(),
    };
    let rule = match exit.cause.as_str() {
        "own" if s.record.state == State::Parked => {
            "who leaves an agent while attached parks it: the conversation is kept, and `abide attach` resumes it"
        }
        "own" => "its process ended by itself: done with status 0, else failed",
        "asked" => "its process was ended by a stop",
        "terminated" => "its host was terminated past the supervisor, which means the same as a stop",
        "manager-stopping" => "the service manager went down, so it was parked and not stopped",
        "host-lost" => "a host that vanishes without an exit record counts as failed",
        "never-started" => "nothing was ever executed",
        "reboot" => "what ended with its machine is parked, since nobody had meant to end it",
        "elsewhere" => {
            "what another container runs is left to its supervisor: respawn it here only when it has ended there"
        }
        "container" => "what ended with its container is parked, since nobody had meant to end it",
        "logout" => "what ended with the user's service manager is parked, since nobody had meant to end it",
        _ => "a later version of the host said why",
    };
    let memory = match exit.oom_kills {
        0 => String::new(),
        n => format!(" In all, {}.", super::session::killed_for_memory(n)),
    };
    format!("It is {state}: {how}. Rule: {rule}.{memory}")
}

/// For what a blocked session waits, and since when.
fn since(s: &Session, now: Now) -> String {
    if s.record.state != State::Blocked {
        return String::new();
    }
    let what = s.record.waiting_for.as_deref().unwrap_or("the user");
    let time = span(now.wall_ms.saturating_sub(s.record.times.since_ms) / 1_000);
    format!(" on {what:?}, for {time}")
}

/// What else is known, and what was overruled.
fn evidence_reasons(s: &Session, now: Now) -> Vec<String> {
    let age = |at: u64| ago(now.awake_ms, at);
    let mut reasons: Vec<String> = Vec::new();
    for (source, claim) in s.evidence.claims() {
        let doing = match (claim.doing, claim.vague) {
            (Doing::Working, _) => "working",
            (Doing::Blocked, _) => "blocked",
            (Doing::Idle | Doing::Done, true) => "idle or blocked",
            (Doing::Idle, false) => "idle",
            (Doing::Done, false) => "done",
        };
        let again = if claim.renewed > claim.made {
            format!(", again {}", age(claim.renewed))
        } else {
            String::new()
        };
        reasons.push(format!(
            "Evidence ({}): {doing}, since {}{again}: {}.",
            named(source),
            age(claim.made),
            claim.says
        ));
    }
    for o in s.evidence.overruled() {
        let by = o
            .by
            .map_or("by silence after something was typed".to_owned(), |by| format!("by its {}", named(by)));
        reasons.push(format!("Overruled {} {by}: {}.", age(o.at), o.claim.says));
    }
    reasons
}

fn named(source: Source) -> &'static str {
    match source {
        Source::Program => "program status",
        Source::Hook => "hooks",
        Source::Own => "own file",
        Source::Title => "title",
        Source::Screen => "screen",
    }
}

fn class_reason(s: &Session) -> String {
    let kind = match s.record.kind {
        Kind::Interactive => "interactive",
        Kind::Bg => "bg",
        Kind::Daemon => "daemon",
        Kind::DaemonWorker => "daemon-worker",
    };
    let template = match s.record.template {
        Template::Foreground => "foreground",
        Template::Bg => "bg",
    };
    let from = &s.record.spawned_by;
    let who = match from.label.is_empty() {
        true => "a client".to_owned(),
        false => format!("{} (pid {})", super::naming::printable(&from.label, 40), from.pid),
    };
    format!("Its kind is {kind} and its template {template}: it was dispatched by {who} with `abide run`.")
}

/// What of its program is not as it should be.
fn program_reason(s: &Session) -> Option<String> {
    let path = &s.record.program.path;
    let then = match s.record.roll {
        Roll::No => format!("`abide respawn {}` starts it with the present one", s.id()),
        Roll::WhenIdle => "it is started anew when its turn is over and nobody is attached".to_owned(),
        Roll::Now => "it is started anew when its turn comes".to_owned(),
    };
    s.is_outdated()
        .then(|| format!("{path} was replaced since it was started, and it runs the one before: {then}."))
}

fn attendance_reason(s: &Session) -> String {
    match s.signals.as_ref().map(|n| (n.writers, n.readers)) {
        None => "It is unattended: it has no terminal.".into(),
        Some((0, 0)) => "It is unattended: no terminal is attached.".into(),
        Some((0, 1)) => "It is unattended: one terminal looks, but may not type.".into(),
        Some((0, readers)) => format!("It is unattended: {readers} terminals look, but none may type."),
        Some((1, _)) => "It is attended: a terminal that may type is attached.".into(),
        Some((writers, _)) => format!("It is attended: {writers} terminals that may type are attached."),
    }
}

/// A time in the past; for display only.
fn ago(now_ms: u64, then_ms: u64) -> String {
    format!("{} ago", span(now_ms.saturating_sub(then_ms) / 1_000))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
