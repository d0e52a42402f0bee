//! What clients ask for. Commands change what is wanted of a session; [`super::fleet`] then takes the steps.

use super::action::{ErrorKind, Reply};
use super::address::{Problem, resolve};
use super::event::{Command, Peer, Plan, RunSpec, Ticket};
use super::fleet::Fleet;
use super::id::SessionId;
use super::journal::{By, by};
use super::lifetime::state_names;
use super::naming;
use super::record::{
    Desired, Kind, NameSource, Record, Restart, SpawnedBy, State, Template, Tempo, Times, VERSION,
};
use super::requests::{Goal, STATES, Waiter};
use super::restart;
use super::roll::Roll;
use super::session::{Phase, Session};
use super::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// Sessions in one part of a list.
const LIST_PART: usize = 128;

impl Fleet {
    pub(super) fn command(
        &mut self,
        ticket: Ticket,
        peer: &Peer,
        command: Command,
        draft: Option<(SessionId, Plan)>,
    ) {
        let outcome = match command {
            Command::Run(spec) => self.run(ticket, peer, spec, draft),
            Command::List { all, cwd } => {
                self.list(ticket, all, cwd.as_ref());
                Ok(())
            }
            Command::Show { target } => self.show_one(ticket, &target),
            Command::Stop { targets, all, grace_ms } => {
                self.targets(&targets, all).map(|ids| self.stop(ticket, &by("stop", peer), &ids, grace_ms))
            }
            Command::Respawn { targets, all } => {
                self.targets(&targets, all).and_then(|mut ids| {
                    // `--all` revives nothing that is being ended.
                    let ending = |s: &Session| matches!(s.phase, Phase::Stopping { .. }) && !s.respawning();
                    let kept =
                        |s: &Session| s.record.desired == Desired::Running && !ending(s) && s.has_command();
                    ids.retain(|id| !all || self.sessions.get(id).is_some_and(kept));
                    self.respawn(ticket, &by("respawn", peer), &ids)
                })
            }
            Command::Roll { when_idle } => {
                self.ask_for_roll(ticket, peer, when_idle);
                Ok(())
            }
            Command::Resume { target } => {
                self.resolve(&target).and_then(|id| self.resume(ticket, &by("resume", peer), id))
            }
            Command::Rm { targets } => {
                self.targets(&targets, false).map(|ids| self.rm(ticket, &by("rm", peer), &ids))
            }
            Command::Pin { targets, pinned } => {
                let verb = if pinned { "pin" } else { "unpin" };
                self.targets(&targets, false).map(|ids| self.pin(ticket, &by(verb, peer), &ids, pinned))
            }
            Command::Rename { target, name } => self.rename(ticket, &by("rename", peer), &target, name),
            Command::Why { target } => self.resolve(&target).map(|id| self.why(ticket, id)),
            Command::Wait { target, states } => self.wait(ticket, &target, &states),
            Command::Events { since, follow, target } => match target.map(|t| self.resolve(&t)).transpose() {
                Ok(of) => {
                    self.events(ticket, since, follow, of);
                    Ok(())
                }
                Err(problem) => Err(problem),
            },
            Command::Who => {
                self.who(ticket, peer);
                Ok(())
            }
            Command::Hook { report } => {
                self.hook(ticket, peer, &report);
                Ok(())
            }
            Command::Daemon => {
                self.daemon(ticket);
                Ok(())
            }
            Command::Quit => {
                self.quit(ticket, &by("daemon stop", peer));
                Ok(())
            }
        };
        if let Err(problem) = outcome {
            self.refuse(ticket, problem);
        }
    }

    fn visible(&self) -> impl Iterator<Item = &Session> + Clone {
        self.sessions.values().filter(|s| s.is_visible())
    }

    fn resolve(&self, address: &str) -> Result<SessionId, Problem> {
        resolve(address, self.visible().map(|s| (s.id(), s.record.name.as_str())))
    }

    /// The sessions meant, all of them or an error: nothing is done to some where one of the addresses is wrong.
    fn targets(&self, addresses: &[String], all: bool) -> Result<BTreeSet<SessionId>, Problem> {
        match (addresses, all) {
            ([], true) => Ok(self.visible().filter(|s| s.is_live()).map(Session::id).collect()),
            ([], false) => {
                Err(Problem::new(ErrorKind::Usage, "no session was named", "name one by id or name"))
            }
            ([_, ..], true) => Err(Problem::new(
                ErrorKind::Usage,
                "sessions were named beside --all",
                "leave one of them out",
            )),
            (some, false) => some.iter().map(|a| self.resolve(a)).collect(),
        }
    }

    fn run(
        &mut self,
        ticket: Ticket,
        peer: &Peer,
        spec: RunSpec,
        draft: Option<(SessionId, Plan)>,
    ) -> Result<(), Problem> {
        let by = by("run", peer);
        let known =
            self.sessions.values().find(|s| !spec.request.is_empty() && s.record.request == spec.request);
        if let Some(id) = known.map(Session::id) {
            return self.run_again(ticket, id, by);
        }
        let internal = |what| Problem::new(ErrorKind::Failed, what, "try again");
        let (id, plan) = draft.ok_or_else(|| internal("the dispatch came without a plan"))?;
        if self.sessions.contains_key(&id) {
            return Err(internal("the new session's id is already taken"));
        }
        if plan.argv.is_empty() {
            return Err(Problem::new(ErrorKind::Usage, "there is no command to run", "put it after `--`"));
        }
        let class = self.class_of(peer);
        if let Some(agent) = &spec.agent {
            self.settings.signs.insert(agent.clone(), plan.signs.clone());
        }
        let (name, name_source) = match &spec.name {
            Some(name) => (self.given_name(name, None)?, NameSource::User),
            None => (self.derived_name(&plan), NameSource::Auto),
        };
        let record = Record {
            version: VERSION,
            id,
            state: State::Starting,
            tempo: Tempo::Idle,
            template: Template::Bg,
            kind: Kind::Bg,
            name,
            name_source,
            restart: spec.restart.unwrap_or(match spec.agent {
                Some(_) => self.settings.restart,
                // A command that is run twice does everything twice: only where somebody said so for this one.
                None => self.settings.restart.min(Restart::Manual),
            }),
            resumes: plan.resumes,
            unguarded: plan.unguarded,
            needs: restart::needed(&spec.env_names, &plan.needs, &spec.asked_for),
            lacks: Vec::new(),
            stand_in: false,
            found_in: plan.found_in,
            attempts: 0,
            due_ms: 0,
            program: plan.program,
            roll: Roll::No,
            agent: spec.agent,
            respawn_flags: if plan.respawn_argv.is_empty() { Vec::new() } else { spec.argv },
            argv: plan.argv,
            respawn_argv: plan.respawn_argv,
            resume: plan.resume,
            anew: plan.anew,
            kept: plan.kept,
            cwd: spec.cwd,
            env_names: spec.env_names,
            session_id: plan.session_id,
            intent: plan.intent,
            origin: self.origin,
            spawned_by: SpawnedBy::from(peer),
            parent: class.session,
            dispatch: class.reasons,
            pinned: spec.pinned,
            desired: Desired::Running,
            generation: 1,
            start: 0,
            revision: 0,
            request: spec.request,
            host: None,
            exit: None,
            era: self.here.era.clone(),
            manager: self.here.manager,
            waiting_for: None,
            detail: String::new(),
            told: None,
            times: Times { created_ms: self.now.wall_ms, ..Times::default() },
            cli_version: self.settings.version.clone(),
            extra: serde_json::Map::new(),
        };
        let mut session = Session::new(record, self.settings.stop_grace_ms);
        session.first = true;
        session.environment = Some(ticket);
        session.by = by.clone();
        self.sessions.insert(id, session);
        self.begin(id);
        self.journal(Some(id), "created", "", &by);
        self.shown(id);
        self.await_goals(ticket, true, BTreeMap::from([(id, Goal::Started)]));
        Ok(())
    }

    /// The same dispatch once more: its client lost the answer.
    fn run_again(&mut self, ticket: Ticket, id: SessionId, by: By) -> Result<(), Problem> {
        let Some(s) = self.touch(id) else { return Ok(()) };
        if !s.is_visible() {
            let message = format!("{} was removed", s.record.name);
            return Err(Problem::new(ErrorKind::Failed, message, "dispatch it again"));
        }
        if s.could_start_late() {
            // A supervisor died between the record and the start; the environment is at hand again.
            s.record.generation += 1;
            s.first = true;
            s.environment = Some(ticket);
            s.by = by;
        }
        let starts = match s.phase {
            Phase::Waiting { .. } | Phase::Launching | Phase::Alive => s.record.desired == Desired::Running,
            Phase::Ended | Phase::Stopping { .. } | Phase::Removing | Phase::Stuck => s.respawning(),
        };
        if starts {
            self.await_goals(ticket, true, BTreeMap::from([(id, Goal::Started)]));
        } else {
            let session = Box::new(s.view());
            self.reply(ticket, Reply::Session { session }, true);
        }
        Ok(())
    }

    fn given_name(&self, name: &str, own: Option<SessionId>) -> Result<String, Problem> {
        naming::check(name).map_err(|what| {
            Problem::new(
                ErrorKind::Usage,
                format!("the name {:?} {what}", naming::printable(name, 80)),
                "choose another name",
            )
        })?;
        match self.visible().find(|s| s.record.name == name && Some(s.id()) != own) {
            None => Ok(name.to_owned()),
            Some(other) => Err(Problem::new(
                ErrorKind::Failed,
                format!("the name {name:?} is that of session {}", other.id()),
                format!("choose another name, or `abide rm {}` first", other.id()),
            )),
        }
    }

    fn derived_name(&self, plan: &Plan) -> String {
        let program = plan.argv.first().map(Text::to_string).unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        let hint = if plan.name_hint.is_empty() { program } else { &plan.name_hint };
        naming::unique(&naming::derive(hint), |name| self.visible().any(|s| s.record.name == name))
    }

    fn list(&mut self, ticket: Ticket, all: bool, cwd: Option<&Text>) {
        let below = |path: &[u8], folder: &[u8]| match path.strip_prefix(folder) {
            Some(rest) => rest.is_empty() || rest.starts_with(b"/") || folder.ends_with(b"/"),
            None => false,
        };
        let over = |s: &Session| {
            matches!(s.record.state, State::Done | State::Failed | State::Stopped) && !s.is_live()
        };
        let mut listed: Vec<&Session> = self
            .visible()
            .filter(|s| all || !over(s))
            .filter(|s| cwd.is_none_or(|folder| below(&s.record.cwd.0, &folder.0)))
            .collect();
        listed.sort_by_key(|s| (s.record.times.created_ms, s.id()));
        // In parts: a list of any length fits into frames of bounded size.
        let parts = listed.len().div_ceil(LIST_PART).max(1);
        let mut views = listed.into_iter().map(Session::listed).collect::<Vec<_>>().into_iter();
        for part in 1..=parts {
            let sessions = views.by_ref().take(LIST_PART).collect();
            self.reply(ticket, Reply::List { sessions }, part == parts);
        }
    }

    fn show_one(&mut self, ticket: Ticket, target: &str) -> Result<(), Problem> {
        let id = self.resolve(target)?;
        if let Some(view) = self.sessions.get(&id).map(Session::view) {
            self.reply(ticket, Reply::Session { session: Box::new(view) }, true);
        }
        Ok(())
    }

    fn stop(&mut self, ticket: Ticket, by: &By, ids: &BTreeSet<SessionId>, grace_ms: Option<u32>) {
        let mut goals = BTreeMap::new();
        for id in ids {
            let grace_ms = grace_ms.unwrap_or(self.settings.stop_grace_ms);
            let Some(s) = self.touch(*id) else { continue };
            // What has ended is left as it is, but what could come back is told not to.
            let resumable = s.record.state == State::Parked || s.could_start_late();
            if s.record.desired == Desired::Running && (s.is_live() || resumable || s.respawning()) {
                s.record.desired = Desired::Stopped;
                s.record.generation += 1;
                s.decided();
                s.grace_ms = grace_ms;
                s.by = by.clone();
                s.environment = None;
                s.save_first();
                if resumable {
                    s.record.state = State::Stopped;
                    self.journal(Some(*id), "stopped", "it will not be resumed", by);
                    self.shown(*id);
                }
                self.fail_start(*id, "it was stopped before it had started", "");
            }
            let Some(s) = self.sessions.get(id) else { continue };
            let start = s.live().unwrap_or(s.record.start);
            // Also for what ended by itself: a crash must not bring back what is still on disk as about to start.
            goals.insert(*id, Goal::Over { start, revision: s.revision() });
        }
        self.await_goals(ticket, false, goals);
    }

    fn respawn(&mut self, ticket: Ticket, by: &By, ids: &BTreeSet<SessionId>) -> Result<(), Problem> {
        for s in ids.iter().filter_map(|id| self.sessions.get(id)) {
            if !s.has_command() {
                let message = format!("how {} was started is not known: its record was lost", s.record.name);
                return Err(Problem::new(ErrorKind::Failed, message, "start a new session with `abide run`"));
            }
            if s.record.desired == Desired::Removed {
                let message = format!("{} is being removed", s.record.name);
                return Err(Problem::new(
                    ErrorKind::Failed,
                    message,
                    format!("`abide rm {}` tries that again", s.id()),
                ));
            }
        }
        let mut goals = BTreeMap::new();
        for id in ids {
            let Some(s) = self.touch(*id) else { continue };
            let under_way = matches!(s.phase, Phase::Waiting { .. } | Phase::Launching)
                && s.record.start == s.record.generation;
            if !(s.record.desired == Desired::Running && (s.respawning() || under_way)) {
                s.record.desired = Desired::Running;
                s.record.generation += 1;
                s.decided();
                s.environment = Some(ticket);
                s.by = by.clone();
                s.save_first();
            }
            goals.insert(*id, Goal::Started);
        }
        self.await_goals(ticket, false, goals);
        Ok(())
    }

    fn rm(&mut self, ticket: Ticket, by: &By, ids: &BTreeSet<SessionId>) {
        let mut goals = BTreeMap::new();
        for id in ids {
            let Some(s) = self.touch(*id) else { continue };
            s.record.desired = Desired::Removed;
            s.record.generation += 1;
            s.decided();
            s.by = by.clone();
            s.environment = None;
            if s.phase == Phase::Stuck {
                // Its tombstone is on disk; only the files are to be tried again.
                s.phase = Phase::Ended;
                s.gate = 0;
            } else {
                s.save_first();
            }
            self.fail_start(*id, "it was removed before it had started", "");
            goals.insert(*id, Goal::Removed);
        }
        self.await_goals(ticket, false, goals);
    }

    fn pin(&mut self, ticket: Ticket, by: &By, ids: &BTreeSet<SessionId>, pinned: bool) {
        let mut goals = BTreeMap::new();
        for id in ids {
            let Some(s) = self.touch(*id) else { continue };
            let changed = s.record.pinned != pinned && s.phase != Phase::Stuck;
            let revision = if changed { s.save() } else { s.revision() };
            if changed {
                s.record.pinned = pinned;
                self.journal(Some(*id), if pinned { "pinned" } else { "unpinned" }, "", by);
            }
            goals.insert(*id, Goal::Saved(revision));
        }
        self.await_goals(ticket, false, goals);
    }

    fn rename(&mut self, ticket: Ticket, by: &By, target: &str, name: String) -> Result<(), Problem> {
        let id = self.resolve(target)?;
        let name = self.given_name(&name, Some(id))?;
        let Some(s) = self.touch(id) else { return Ok(()) };
        if s.phase == Phase::Stuck {
            let message = format!("{} is being removed", s.record.name);
            return Err(Problem::new(
                ErrorKind::Failed,
                message,
                format!("`abide rm {id}` tries that again"),
            ));
        }
        let old = std::mem::replace(&mut s.record.name, name);
        s.record.name_source = NameSource::User;
        let revision = s.save();
        self.journal(Some(id), "renamed", &format!("it was {old}"), by);
        self.await_goals(ticket, false, BTreeMap::from([(id, Goal::Saved(revision))]));
        Ok(())
    }

    fn wait(&mut self, ticket: Ticket, target: &str, states: &[String]) -> Result<(), Problem> {
        let id = self.resolve(target)?;
        let wanted = states.iter().map(|wanted| {
            STATES.iter().find(|(_, name)| name == wanted).map(|(state, _)| *state).ok_or_else(|| {
                let message = format!("{:?} is no state", naming::printable(wanted, 40));
                Problem::new(ErrorKind::Usage, message, format!("one of: {}", state_names()))
            })
        });
        let mut states = wanted.collect::<Result<BTreeSet<_>, _>>()?;
        if states.is_empty() {
            // Its turn is over, or it goes on only when the user does something.
            states = BTreeSet::from([
                State::Blocked,
                State::Idle,
                State::Done,
                State::Failed,
                State::Stopped,
                State::Parked,
            ]);
        }
        self.waits.insert(ticket, Waiter { id, states });
        Ok(())
    }
}
