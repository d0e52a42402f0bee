//! What each action does. None of it waits: what comes of an action arrives as an event.

use super::connection::answer;
use super::conversation;
use super::input::{Asked, Input, Inputs};
use super::launch::{self, Launch, Preparation, Start};
use super::links::{Link, Watch};
use super::look::Look;
use super::orders::Orders;
use super::outbox::Outbox;
use super::prepare::names;
use super::programs::Programs;
use super::registrar::Registrar;
use super::writer::Writer;
use crate::agents;
use crate::config::Settings;
use crate::core::action::{Action, Entry, Otherwise, Reply};
use crate::core::environment;
use crate::core::event::{Command, Event, Ticket};
use crate::core::guard::Layers;
use crate::core::id::SessionId;
use crate::core::record::{Desired, Record, State};
use crate::paths::Paths;
use crate::service::{Force, Manager, notify};
use crate::wire::host::Welcome;
use crate::worktree::confine::Mounts;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// What a host gets on top of its grace before it is forced.
const STOP_MARGIN: Duration = Duration::from_secs(3);

/// The hands of the engine.
pub(super) struct Hands {
    pub(super) paths: Paths,
    pub(super) settings: Settings,
    pub(super) orders: Option<Orders>,
    pub(super) manager: Arc<Manager>,
    pub(super) writer: Writer,
    pub(super) registrar: Registrar,
    pub(super) inputs: Inputs,
    tickets: HashMap<Ticket, Open>,
    links: HashMap<(SessionId, u64), Watched>,
    /// Those of agents.
    pub(super) programs: Programs,
    /// Hosts that wait for their record to be durable.
    prepared: HashMap<SessionId, Preparation>,
    /// Starts of which neither a birth nor a failure was heard. Dropping the sender ends the wait for it.
    starting: HashMap<(SessionId, u64), oneshot::Sender<()>>,
    /// Nothing is started, watched or ended: see `proof`.
    pub(super) rehearsal: bool,
    /// The core wants to leave; `true` where a client asked for it.
    pub(super) leave: Option<bool>,
}

/// A request under way.
struct Open {
    connection: u64,
    tag: u64,
    outbox: Outbox,
    start: Start,
}

/// A host that is watched.
struct Watched {
    welcome: Welcome,
    /// Turns true when it is over.
    over: watch::Sender<bool>,
    stopping: bool,
}

impl Hands {
    pub(super) fn new(
        paths: Paths,
        settings: Settings,
        orders: Option<Orders>,
        manager: Manager,
        (writer, registrar): (Writer, Registrar),
        inputs: Inputs,
    ) -> Self {
        Self {
            paths,
            settings,
            orders,
            manager: Arc::new(manager),
            writer,
            programs: Programs::new(inputs.clone()),
            registrar,
            inputs,
            tickets: HashMap::new(),
            links: HashMap::new(),
            prepared: HashMap::new(),
            starting: HashMap::new(),
            rehearsal: false,
            leave: None,
        }
    }

    /// Takes note of a request, and makes the event of it.
    pub(super) fn open(&mut self, asked: Asked) -> Event {
        let Asked { ticket, connection, tag, outbox, mut peer, mut prepared, mut context } = asked;
        if let Some(context) = &mut context {
            let env = std::mem::take(&mut context.env);
            context.env = environment::scrub_except(env, &agents::markers(), &context.asked_for);
        }
        let first = if let Command::Run(spec) = &mut prepared.command {
            spec.env_names = context.as_ref().map(|c| names(&c.env)).unwrap_or_default();
            spec.asked_for = context.as_ref().map(|c| c.asked_for.clone()).unwrap_or_default();
            true
        } else {
            false
        };
        let start = Start { context, set: prepared.set, first };
        // A `run` has a name of its own, by which it can be repeated; others are numbered.
        peer.request = if let Command::Run(spec) = &prepared.command
            && !spec.request.is_empty()
        {
            spec.request.clone()
        } else {
            ticket.0.to_string()
        };
        self.tickets.insert(ticket, Open { connection, tag, outbox, start });
        Event::Command { ticket, peer, command: prepared.command, draft: prepared.draft }
    }

    /// The requests of a client that left.
    pub(super) fn of_connection(&self, connection: u64) -> Vec<Ticket> {
        let of = self.tickets.iter().filter(|(_, open)| open.connection == connection);
        let mut tickets: Vec<Ticket> = of.map(|(ticket, _)| *ticket).collect();
        tickets.sort_unstable();
        tickets
    }

    /// A start has its outcome: nobody waits for it any more.
    pub(super) fn reported(&mut self, id: SessionId, generation: u64) {
        self.starting.remove(&(id, generation));
    }

    /// The sessions whose hosts are watched.
    pub(super) fn hosts(&self) -> Vec<SessionId> {
        self.links.keys().map(|(id, _)| *id).collect()
    }

    /// Does what the core decided.
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Launch { .. }
            | Action::Stop { .. }
            | Action::Look { .. }
            | Action::Remove { .. }
            | Action::WatchPrograms(_)
                if self.rehearsal => {}
            Action::Save(record) => {
                if !self.rehearsal {
                    self.prepare(&record);
                    self.registrar.tell(&record);
                }
                self.writer.save(record);
            }
            Action::Launch {
                id,
                generation,
                argv,
                otherwise,
                cwd,
                environment,
                by_itself,
                renew,
                found_in,
                had,
            } => {
                let wanted = launch::Wanted { argv, cwd, by_itself, renew, found_in, had };
                match otherwise {
                    Some(otherwise) => self.look_first(id, generation, wanted, environment, *otherwise),
                    None => self.launch(id, generation, &wanted, environment),
                }
            }
            Action::Stop { id, generation, grace_ms } => self.stop(id, generation, grace_ms),
            Action::Look { id, generation, child_pid, own } => {
                let look = Look {
                    id,
                    generation,
                    child_pid,
                    own,
                    paths: self.paths.clone(),
                    orders: self.orders.clone(),
                    inputs: self.inputs.clone(),
                };
                tokio::spawn(look.run());
            }
            Action::Remove { id } => {
                self.prepared.remove(&id);
                self.registrar.forget(id);
                self.writer.remove(id);
            }
            Action::Reply { ticket, reply, last } => self.reply(ticket, &reply, last),
            Action::Journal(entry) => self.journal(entry),
            Action::ComeBack(wanted) => self.writer.come_back(wanted),
            Action::WatchPrograms(paths) => self.programs.watch(paths),
            Action::StatusLine(line) => {
                if let Err(error) = notify::status(&line) {
                    tracing::debug!(%error, "cannot tell the service manager");
                }
            }
            Action::Leave { asked } => self.leave = Some(asked),
        }
    }

    fn reply(&mut self, ticket: Ticket, reply: &Reply, last: bool) {
        let Some(open) = self.tickets.get(&ticket) else { return };
        // One that is gone, or does not read, is dropped by its connection.
        _ = open.outbox.push(answer(open.tag, last, reply));
        if last {
            // The environment that came with the request goes too.
            self.tickets.remove(&ticket);
        }
    }

    fn journal(&self, entry: Entry) {
        let id = entry.id.map(|id| id.to_string()).unwrap_or_default();
        tracing::info!(
            session = id,
            request = entry.request,
            name = entry.name,
            event = entry.event,
            by = entry.by,
            seq = entry.seq,
            "{}{}{}{}",
            entry.event,
            if entry.name.is_empty() { "" } else { " " },
            entry.name,
            if entry.text.is_empty() { String::new() } else { format!(": {}", entry.text) },
        );
        self.writer.journal(entry);
    }

    /// Looks for the conversation that is to be resumed, which is on a disk: its answer starts the launch.
    fn look_first(
        &self,
        id: SessionId,
        generation: u64,
        mut wanted: launch::Wanted,
        environment: Option<Ticket>,
        otherwise: Otherwise,
    ) {
        let nothing = Start::default();
        let start = self.start_of(environment).unwrap_or(&nothing);
        let orders = self.orders.as_ref();
        let surroundings = orders.and_then(|orders| launch::surroundings(orders, id, &wanted, start));
        let look = conversation::Look::new(&otherwise.kept, &surroundings.map(|s| s.env).unwrap_or_default());
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            if look.finds_none().await {
                wanted.argv = otherwise.argv;
            }
            // Without an engine there is nothing to start.
            _ = inputs.send(Input::Looked { id, generation, wanted: Box::new(wanted), environment });
        });
    }

    /// What a request brought for a start.
    fn start_of(&self, ticket: Option<Ticket>) -> Option<&Start> {
        ticket.and_then(|ticket| self.tickets.get(&ticket)).map(|open| &open.start)
    }

    /// Writes the order, and has a host started that takes it.
    pub(super) fn launch(
        &mut self,
        id: SessionId,
        generation: u64,
        wanted: &launch::Wanted,
        environment: Option<Ticket>,
    ) {
        let nothing = Start::default();
        let start = self.start_of(environment).unwrap_or(&nothing);
        let laid_out = launch::lay_out(self, id, generation, wanted, start);
        let prepared = self.prepared.remove(&id);
        match laid_out {
            Ok(launch::LaidOut { lacks, stand_in, found_in, program, home }) => {
                let event = Event::Lacking { id, generation, names: lacks, stand_in, found_in, program };
                // The engine's own queue, as below.
                _ = self.inputs.send(Input::Event(event));
                let (waiting, outcome) = oneshot::channel();
                self.starting.insert((id, generation), waiting);
                let launch = Launch {
                    id,
                    generation,
                    paths: self.paths.clone(),
                    manager: Arc::clone(&self.manager),
                    inputs: self.inputs.clone(),
                    prepared,
                    outcome,
                };
                if self.settings.guard == Layers::Kernel {
                    tokio::spawn(launch.plan(self.settings.clone(), home, wanted.cwd.clone()));
                } else {
                    tokio::spawn(launch.run());
                }
            }
            Err(message) => self.start_failed(id, generation, message),
        }
    }

    /// Goes on with a start, unless it was given up in between.
    pub(super) fn planned(&mut self, launch: Launch, mounts: Result<Mounts, String>) {
        let (id, generation) = (launch.id, launch.generation);
        if !self.starting.contains_key(&(id, generation)) {
            return;
        }
        let mounts = match mounts {
            Ok(mounts) => mounts,
            Err(why) => return self.give_up(id, generation, why, true),
        };
        if let (Some(orders), false) = (&self.orders, mounts.is_empty())
            && let Err(e) = orders.amend(id, |order| launch::guard(order, mounts))
        {
            let why = format!("its start order cannot be changed: {e}");
            return self.give_up(id, generation, why, true);
        }
        tokio::spawn(launch.run());
    }

    /// What can be started of a host while the disk is at work on its record, is.
    fn prepare(&mut self, record: &Record) {
        let id = record.id;
        if record.state != State::Starting || record.desired != Desired::Running {
            self.prepared.remove(&id);
            return;
        }
        if self.prepared.contains_key(&id) || self.starting.contains_key(&(id, record.start)) {
            return;
        }
        let (manager, paths) = (Arc::clone(&self.manager), self.paths.clone());
        let preparation = async move { manager.prepare_host(&paths, &id.to_string()).await };
        self.prepared.insert(id, tokio::spawn(preparation));
    }

    fn start_failed(&self, id: SessionId, generation: u64, message: String) {
        let event = Event::StartFailed { id, generation, message, users_fault: false };
        // This is the engine's own queue, which is there for as long as the engine is.
        _ = self.inputs.send(Input::Event(event));
    }

    /// A start did not come to its end: it is taken back, unless a host has it. Then its report is waited for, but not
    /// for ever.
    pub(super) fn give_up(&mut self, id: SessionId, generation: u64, why: String, overdue: bool) {
        if !self.starting.contains_key(&(id, generation)) {
            return;
        }
        let fate = self.orders.as_ref().map(|orders| orders.withdraw(id, generation));
        match fate {
            Some(Ok(super::orders::Fate::Taken)) if !overdue => {
                tracing::warn!(session = %id, why, "a start went wrong, but a host has taken the order");
            }
            Some(_) | None => {
                self.starting.remove(&(id, generation));
                self.start_failed(id, generation, why);
            }
        }
    }

    /// Watches a host from now on, if it is not watched already.
    pub(super) fn watch(&mut self, id: SessionId, welcome: Welcome, link: Option<Link>) {
        let key = (id, welcome.generation);
        if self.rehearsal || self.links.contains_key(&key) {
            return;
        }
        let (over, _) = watch::channel(false);
        let watched = Watched { welcome: welcome.clone(), over, stopping: false };
        self.links.insert(key, watched);
        let watch = Watch { id, welcome, paths: self.paths.clone(), inputs: self.inputs.clone() };
        tokio::spawn(async move {
            // Whoever waits for the start is answered first.
            tokio::task::yield_now().await;
            watch.run(link).await;
        });
    }

    /// A watched host is over.
    pub(super) fn unlink(&mut self, id: SessionId, generation: u64) {
        if let Some(watched) = self.links.remove(&(id, generation)) {
            watched.over.send_replace(true);
        }
    }

    fn stop(&mut self, id: SessionId, generation: u64, grace_ms: u32) {
        let Some(watched) = self.links.get_mut(&(id, generation)) else {
            // Its end is on its way to the core already.
            return;
        };
        if std::mem::replace(&mut watched.stopping, true) {
            return;
        }
        let stop = Stop {
            id,
            grace_ms,
            host_pid: watched.welcome.host_pid,
            generation,
            paths: self.paths.clone(),
            manager: Arc::clone(&self.manager),
            over: watched.over.subscribe(),
        };
        tokio::spawn(stop.run());
    }
}

/// Ends one session's process: by its host, which is asked; where that has not ended in time, by the manager.
struct Stop {
    id: SessionId,
    generation: u64,
    grace_ms: u32,
    host_pid: u32,
    paths: Paths,
    manager: Arc<Manager>,
    over: watch::Receiver<bool>,
}

impl Stop {
    async fn run(mut self) {
        let asked = match Link::dial(&self.paths, self.id).await {
            Ok(link) if link.welcome.generation == self.generation => link.stop(self.grace_ms).await,
            // Another start's host has the socket: this one has none any more.
            Ok(_) => Ok(()),
            Err(e) => Err(e),
        };
        let grace = Duration::from_millis(self.grace_ms.into());
        let patience = match asked {
            Ok(()) => grace + STOP_MARGIN,
            Err(error) => {
                tracing::warn!(session = %self.id, %error, "cannot ask a host to end its session");
                Duration::ZERO
            }
        };
        for (force, wait) in [(Force::Polite, patience), (Force::Kill, grace + STOP_MARGIN)] {
            if self.ended_within(wait).await {
                return;
            }
            tracing::warn!(session = %self.id, ?force, "a session does not end; forcing its host");
            let id = self.id.to_string();
            if let Err(error) = self.manager.stop_host(&id, self.host_pid, force).await {
                tracing::error!(session = %self.id, %error, "cannot force a host");
            }
        }
    }

    async fn ended_within(&mut self, wait: Duration) -> bool {
        // An error means that the watch is gone, and so is what was watched.
        tokio::time::timeout(wait, self.over.wait_for(|over| *over)).await.is_ok()
    }
}
