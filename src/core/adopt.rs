//! The supervisor's start: what the records say beside what was found alive, ended or unstarted.
//!
//! | record | found | then |
//! |---|---|---|
//! | of this start, to run | a host | it is adopted |
//! | of an older start, stopped or removed | a host | that one is ended, and what is wanted follows |
//! | of an older start than the host's | a host | the record is an older copy: the host is the later decision |
//! | none | a host | it is given a record: it must be seen and ended like any other |
//! | had a process, or was starting | its exit record | it ended meanwhile |
//! | was starting | a withdrawn order | it is started anew, once, with the kept environment |
//! | was starting | an order that a host took | lost: it may have run, so it is not started again |
//! | was starting | the order of an older start only | it never ran, and is started with that environment |
//! | was starting | nothing | it never ran; a repetition of its dispatch starts it |
//! | respawn under way | nothing alive | it is started, unless what it ran in has gone |
//! | had a process | nothing, and [what it ran in](super::era) has gone | parked; see [`super::restart`] |
//! | had a process | nothing else | its host was lost |
//! | had a process, elsewhere | a lock of its host | parked, and never restarted by itself |
//! | parked by the manager's end | nothing | the same, once |
//! | removed | nothing alive | its files are removed |
//!
//! Whoever is adopted twice comes out the same: all that is done here follows from the record and from what is found.

use super::action::Entry;
use super::era::Gone;
use super::event::{Found, Here, Remains};
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::By;
use super::naming::unique;
use super::record::{
    Desired, Exit, Host, Kind, NameSource, Origin, Record, Restart, SpawnedBy, State, Template, Tempo, Times,
    VERSION,
};
use super::roll::{Program, Roll};
use super::session::{ELSEWHERE, HOST_LOST, NEVER_STARTED, Phase, Session};
use super::status::Evidence;
use super::text::Text;

/// What was found of one session.
#[derive(Debug, Default)]
struct Trace {
    alive: Option<(u64, Host)>,
    ended: Vec<(u64, Exit)>,
    withdrawn: Vec<u64>,
    taken: Vec<u64>,
    seen_ms: u64,
    elsewhere: bool,
}

impl Fleet {
    pub(super) fn adopt(
        &mut self,
        records: Vec<Record>,
        found: Vec<Found>,
        here: Here,
        origin: Origin,
        last_event: u64,
        recent: Vec<Entry>,
    ) {
        self.here = here;
        self.origin = origin;
        self.started = self.now;
        self.last_event = recent.iter().map(|e| e.seq).fold(last_event, u64::max);
        recent.into_iter().for_each(|entry| self.keep(entry));
        let mut traces = std::collections::BTreeMap::<SessionId, Trace>::new();
        for Found { id, generation, what } in found {
            let trace = traces.entry(id).or_default();
            match what {
                Remains::Alive(host) => {
                    if trace.alive.as_ref().is_none_or(|(other, _)| *other < generation) {
                        trace.alive = Some((generation, host));
                    }
                }
                Remains::Ended(exit) => trace.ended.push((generation, exit)),
                Remains::Withdrawn => trace.withdrawn.push(generation),
                Remains::Taken => trace.taken.push(generation),
                Remains::Elsewhere => trace.elsewhere = true,
                Remains::Seen(ms) => trace.seen_ms = trace.seen_ms.max(ms),
            }
        }
        self.journal(None, "supervisor-started", &format!("pid {}", self.settings.pid), &By::default());
        for record in records {
            let id = record.id;
            let grace_ms = self.settings.stop_grace_ms;
            let newer = self.sessions.get(&id).is_none_or(|s| s.record.revision < record.revision);
            if newer {
                self.sessions.insert(id, Session::new(record, grace_ms));
            }
        }
        let known: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in known {
            let trace = traces.remove(&id).unwrap_or_default();
            self.adopt_one(id, trace);
        }
        for (id, trace) in traces {
            if let Some((generation, host)) = trace.alive {
                self.recover(id, generation, host);
            }
        }
    }

    fn adopt_one(&mut self, id: SessionId, trace: Trace) {
        let (now, here) = (self.now, self.here.clone());
        let Some(s) = self.touch(id) else { return };
        let start = s.record.start;
        let gone = Gone::since(&s.record, &here);
        if let Some((generation, host)) = trace.alive {
            if generation > s.record.generation {
                s.record.generation = generation;
                s.record.start = generation;
                s.record.desired = Desired::Running;
            }
            let wanted = s.record.start == generation && s.record.generation == generation;
            if s.record.desired == Desired::Running && wanted {
                self.take_over(id, host);
            } else {
                // Told to end, and followed to it; a start that was withdrawn comes after.
                s.phase = Phase::Stopping { live: generation, again: None };
                if s.record.desired == Desired::Running
                    && trace.withdrawn.contains(&start)
                    && start != generation
                {
                    s.record.generation += 1;
                    s.save_first();
                }
                s.record.host = Some(host).filter(|_| generation == s.record.start);
            }
            return;
        }
        let was_elsewhere = s.record.exit.as_ref().is_some_and(|exit| exit.cause == ELSEWHERE);
        let left_there = was_elsewhere && s.record.state == State::Parked && !trace.elsewhere;
        let pending = matches!(s.record.state, State::Queued | State::Starting) || left_there;
        if s.record.host.is_none() && !pending && !s.respawning() {
            match gone {
                Some(gone) => self.reconsider(id, gone),
                None => self.restart_planned(id),
            }
            return;
        }
        if s.record.host.is_some() || pending {
            let exit = trace.ended.into_iter().find(|(generation, _)| *generation == start && start > 0);
            if let Some((_, mut exit)) = exit {
                let wanted = s.record.desired == Desired::Running;
                let respawn = s.respawning();
                if let Some(gone) = gone.filter(|_| wanted && (respawn || exit.cause == "terminated")) {
                    // Who takes everything down ends hosts too, and what was to follow on them.
                    exit.cause = gone.cause().into();
                    exit.message = gone.message(&here);
                }
                s.end(now, exit);
                if respawn && gone.is_some() {
                    s.record.start = s.record.generation;
                    s.record.state = State::Parked;
                    s.save_first();
                }
                self.journal_end(id);
                if let Some(gone) = gone {
                    self.reconsider(id, gone);
                }
                return;
            }
        }
        if s.record.desired != Desired::Running {
            s.end(now, lost("its process was gone when the supervisor started"));
            self.journal_end(id);
            return;
        }
        if let Some(gone) = gone {
            s.record.start = s.record.generation;
            let seen_ms = trace.seen_ms.max(s.record.times.updated_ms).min(now.wall_ms);
            let exit = Exit {
                cause: if trace.elsewhere { ELSEWHERE } else { gone.cause() }.into(),
                message: match trace.elsewhere {
                    true => {
                        "it still runs where it cannot be reached, in another container or machine".into()
                    }
                    false => gone.message(&here),
                },
                ended_ms: seen_ms,
                ..Exit::default()
            };
            // Whether it ran is not known either, where it was starting: its prompt is not delivered again.
            s.end(now, exit);
            self.journal_end(id);
            self.reconsider(id, gone);
            return;
        }
        // An order that was kept or withdrawn has the environment that a start needs.
        let startable = !trace.withdrawn.is_empty() || !trace.taken.is_empty();
        let may_have_run = left_there || s.record.host.is_some() || trace.taken.contains(&start);
        if s.respawning() && startable {
            // A respawn under way, and what it was to end is over: only the start is left.
            if may_have_run {
                s.end(now, lost("it was being respawned"));
            }
            return;
        }
        if startable && !may_have_run {
            match trace.withdrawn.contains(&start) {
                true => s.record.generation += 1,
                // The order of this start was never written, and that of the one before is there.
                false => s.record.start = start.saturating_sub(1),
            }
            return;
        }
        s.record.start = s.record.generation;
        let exit = match may_have_run {
            true => lost("its host vanished while no supervisor ran"),
            false => Exit {
                cause: NEVER_STARTED.into(),
                message: "the supervisor was ended before it could start this".into(),
                ended_ms: now.wall_ms,
                ..Exit::default()
            },
        };
        s.end(now, exit);
        self.journal_end(id);
        self.restart_failed(id);
    }

    /// A live host of the present start.
    fn take_over(&mut self, id: SessionId, host: Host) {
        let (now, here) = (self.now, self.here.clone());
        let Some(s) = self.touch(id) else { return };
        let known = s.record.host.as_ref() == Some(&host) && s.record.era == here.era;
        if known {
            s.watch_health(now);
            s.rolling.up_since = now.awake_ms;
        } else {
            let state = s.record.state;
            s.link(now, host);
            s.record.era = here.era;
            s.record.manager = here.manager;
            if !matches!(
                state,
                State::Queued | State::Starting | State::Stopped | State::Failed | State::Parked
            ) {
                s.record.state = state;
            }
        }
        s.phase = Phase::Alive;
        s.adopted = true;
        s.evidence = Evidence::of(s.record.told.as_ref(), now.awake_ms);
        let pid = s.record.host.as_ref().map_or(0, |h| h.child_pid);
        self.shown(id);
        self.journal(Some(id), "adopted", &format!("process {pid}"), &By::default());
    }

    /// A live host without a record.
    fn recover(&mut self, id: SessionId, generation: u64, host: Host) {
        let taken = |name: &str| self.sessions.values().any(|s| s.is_visible() && s.record.name == name);
        let record = Record {
            version: VERSION,
            id,
            state: State::Working,
            tempo: Tempo::Idle,
            template: Template::Bg,
            kind: Kind::Bg,
            name: unique("recovered", taken),
            name_source: NameSource::Auto,
            agent: None,
            argv: Vec::new(),
            respawn_argv: Vec::new(),
            resume: Vec::new(),
            anew: Vec::new(),
            kept: Vec::new(),
            respawn_flags: Vec::new(),
            cwd: Text::default(),
            env_names: Vec::new(),
            session_id: None,
            intent: String::new(),
            origin: self.origin,
            spawned_by: SpawnedBy::default(),
            pinned: false,
            desired: Desired::Running,
            generation,
            start: generation,
            revision: 0,
            request: String::new(),
            host: None,
            exit: None,
            era: self.here.era.clone(),
            manager: self.here.manager,
            restart: Restart::Manual,
            resumes: false,
            unguarded: String::new(),
            needs: Vec::new(),
            lacks: Vec::new(),
            stand_in: false,
            parent: None,
            dispatch: Vec::new(),
            found_in: Text::default(),
            attempts: 0,
            due_ms: 0,
            program: Program::default(),
            roll: Roll::No,
            waiting_for: None,
            detail: String::new(),
            told: None,
            times: Times { created_ms: host.started_ms, ..Times::default() },
            cli_version: self.settings.version.clone(),
            extra: serde_json::Map::new(),
        };
        self.sessions.insert(id, Session::new(record, self.settings.stop_grace_ms));
        self.take_over(id, host);
    }
}

fn lost(message: &str) -> Exit {
    Exit { cause: HOST_LOST.into(), message: message.into(), ..Exit::default() }
}
