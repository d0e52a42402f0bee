//! The sole owner of the fleet: one thing happens, the core decides, the hands do it; nothing in between waits.

mod exchange;

use super::adopt::Inventory;
use super::births;
use super::clock::Awake;
use super::connection;
use super::input::{Client, Input};
use super::perform::Hands;
use super::upgrade::Upgrader;
use super::watch::FileWatch;
use crate::core::event::{Event, Ticket};
use crate::core::fleet::Fleet;
use crate::core::id::SessionId;
use crate::core::upgrade::{self, Stamp};
use crate::service::Listener;
use crate::wire::host::Birth;
use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// After a failed `accept` (no descriptors left): as long as this no other is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long clients may take to read their last answers when the supervisor leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long requests under way may hold up an exchange of the program. Whoever is cut off asks again.
const DRAIN: Duration = Duration::from_secs(2);

/// Why the supervisor left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing needed it.
    Idle,
    /// A client asked for it.
    Asked,
    /// A signal.
    Signal(&'static str),
    /// It does not hear itself through its own socket.
    Deaf(String),
    /// Its socket has lost its name, so that nobody reaches it. The next command starts another.
    Unreachable,
    /// The proof of this build is over: the sessions that it listed.
    Proved(Vec<SessionId>),
}

/// See the module.
pub(super) struct Engine {
    fleet: Fleet,
    clock: Awake,
    hands: Hands,
    inputs: UnboundedReceiver<Input>,
    listener: Listener,
    control: UnixListener,
    births: UnixListener,
    client: Client,
    connections: JoinSet<()>,
    connected: HashSet<u64>,
    next_connection: u64,
    leaving: watch::Sender<bool>,
    /// No connection is accepted before this: the last attempt failed.
    pause: Option<Pin<Box<Sleep>>>,
    signals: Signals,
    upgrader: Option<Upgrader>,
    /// Another build is to be executed as soon as nothing is under way, or at this time.
    exchange: Option<(Stamp, Pin<Box<Sleep>>)>,
    /// That time has come.
    cut_off: bool,
    /// Something that is no client and no signal wants it to leave.
    left: Option<Left>,
    /// Over the name of a socket of our own.
    name_watch: Option<FileWatch>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// One turn's cause.
enum Cause {
    Input(Box<Input>),
    Client(io::Result<UnixStream>),
    Birth(io::Result<UnixStream>),
    Timer,
    Leave(Left),
    Hangup,
    Resume,
    Drained,
}

impl Engine {
    /// Takes over what was set up.
    ///
    /// # Errors
    /// The sockets or signals cannot be watched.
    pub(super) fn new(
        fleet: Fleet,
        hands: Hands,
        inputs: UnboundedReceiver<Input>,
        listener: Listener,
        births: std::os::unix::net::UnixListener,
        client: Client,
    ) -> io::Result<Self> {
        let own = listener.socket().try_clone()?;
        own.set_nonblocking(true)?;
        births.set_nonblocking(true)?;
        Ok(Self {
            fleet,
            clock: Awake::start(),
            hands,
            inputs,
            control: UnixListener::from_std(own)?,
            listener,
            births: UnixListener::from_std(births)?,
            client,
            connections: JoinSet::new(),
            connected: HashSet::new(),
            next_connection: 1,
            leaving: watch::channel(false).0,
            pause: None,
            upgrader: None,
            exchange: None,
            cut_off: false,
            left: None,
            name_watch: None,
            signals: Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            },
        })
    }

    /// Hands over what was found, and watches the hosts among it.
    pub(super) fn adopt(&mut self, adopt: Event, inventory: Inventory) {
        for (id, welcome, link) in inventory.hosts {
            self.hands.watch(id, welcome, link);
        }
        self.handle(adopt);
    }

    /// Leaves when the socket loses its name, as this watch tells.
    pub(super) fn set_name_watch(&mut self, watch: FileWatch) {
        self.name_watch = Some(watch);
        self.look_at_name();
    }

    fn look_at_name(&mut self) {
        if let Some(watch) = &mut self.name_watch {
            watch.rearm();
        }
        if self.listener.is_lost() {
            tracing::warn!("something removed the control socket, and nobody can call any more");
            self.left = Some(Left::Unreachable);
        }
    }

    /// Serves until it is time to leave.
    pub(super) async fn run(&mut self) -> Left {
        loop {
            let cause = self.next().await;
            let mut left = self.turn(cause);
            if left.is_none() {
                left = self.exchange_if_quiet().await;
            }
            if let Some(left) = left {
                self.hands.leave = None;
                if self.may_leave(&left) {
                    return left;
                }
            }
        }
    }

    async fn next(&mut self) -> Cause {
        // The present, so that the timer is armed from it.
        self.clock.now();
        let fleet = self.fleet.next_deadline().map(|(at, _)| at);
        let upgrade = self.upgrader.as_ref().and_then(Upgrader::next_deadline);
        let wait = self.clock.arm(fleet.into_iter().chain(upgrade).min());
        let timer = async {
            match wait {
                Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
        };
        let paused = self.pause.is_some();
        let drained = async {
            match &mut self.exchange {
                Some((_, sleep)) => sleep.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let pause = async {
            match &mut self.pause {
                Some(sleep) => sleep.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => Cause::Leave(Left::Signal("SIGTERM")),
            _ = self.signals.interrupt.recv() => Cause::Leave(Left::Signal("SIGINT")),
            _ = self.signals.hangup.recv() => Cause::Hangup,
            Some(input) = self.inputs.recv() => Cause::Input(Box::new(input)),
            birth = self.births.accept(), if !paused => Cause::Birth(birth.map(|(stream, _)| stream)),
            client = self.control.accept(), if !paused => Cause::Client(client.map(|(stream, _)| stream)),
            () = timer => Cause::Timer,
            () = pause => Cause::Resume,
            () = drained => Cause::Drained,
        }
    }

    /// Some where it is time to leave.
    fn turn(&mut self, cause: Cause) -> Option<Left> {
        match cause {
            Cause::Input(input) => self.take(*input),
            Cause::Client(Ok(stream)) => self.welcome(stream),
            Cause::Birth(Ok(stream)) => {
                let heard = births::hear(stream, self.client.inputs.clone());
                self.connections.spawn(heard);
            }
            Cause::Client(Err(error)) | Cause::Birth(Err(error)) => self.refused(&error),
            Cause::Timer => {
                self.handle(Event::Tick);
                self.upgrade(upgrade::Event::Tick);
            }
            Cause::Leave(left) => return Some(left),
            Cause::Resume => self.pause = None,
            Cause::Hangup => self.upgrade(upgrade::Event::Noticed { reload: true }),
            // Requests that are still under way are cut off.
            Cause::Drained => self.patience_is_over(),
        }
        // Finished connections are let go of.
        while self.connections.try_join_next().is_some() {}
        let left = self.left.take();
        left.or_else(|| self.hands.leave.map(|asked| if asked { Left::Asked } else { Left::Idle }))
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        for action in self.fleet.handle(now, event) {
            self.hands.perform(action);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.handle(event),
            Input::Asked(asked) => {
                let event = self.hands.open(*asked);
                self.handle(event);
            }
            Input::Left { connection } => {
                self.connected.remove(&connection);
                let tickets: Vec<Ticket> = self.hands.of_connection(connection);
                for ticket in tickets {
                    self.handle(Event::Gone { ticket });
                }
                self.handle(Event::Clients(self.connected.len()));
            }
            Input::Upgrade(event) => self.upgrade(event),
            Input::ProgramTouched(path) => self.hands.programs.look(path),
            Input::SocketTouched => self.look_at_name(),
            Input::OwnAnswer(answer) => self.heard_itself(answer),
            Input::Birth(birth) => self.birth(birth),
            Input::Looked { id, generation, wanted, environment } => {
                self.hands.launch(id, generation, &wanted, environment);
            }
            Input::NotLaunched { id, generation, error } => self.hands.give_up(id, generation, error, false),
            Input::Planned { launch, mounts } => self.hands.planned(*launch, mounts),
            Input::Overdue { id, generation } => {
                let why = "its host did not report in time".to_owned();
                self.hands.give_up(id, generation, why, true);
            }
            Input::Unlinked { welcome, event } => {
                if let Ok(id) = welcome.id.parse() {
                    self.hands.unlink(id, welcome.generation);
                }
                self.handle(event);
            }
        }
    }

    fn birth(&mut self, birth: Birth) {
        let parse = |id: &str| id.parse::<SessionId>();
        match birth {
            Birth::Born(welcome) => {
                let Ok(id) = parse(&welcome.id) else { return };
                let generation = welcome.generation;
                self.hands.reported(id, generation);
                let host = super::links::host(&welcome);
                self.hands.watch(id, welcome, None);
                self.handle(Event::Linked { id, generation, host });
            }
            Birth::Failed { id, generation, stage, errno, subject } => {
                let Ok(id) = parse(&id) else { return };
                self.hands.reported(id, generation);
                let (message, users_fault) = births::explain(stage, errno, &subject);
                self.handle(Event::StartFailed { id, generation, message, users_fault });
            }
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        let Some(peer) = connection::admit(&stream) else { return };
        let connection = self.next_connection;
        self.next_connection += 1;
        self.connected.insert(connection);
        let client = self.client.with(connection);
        let leaving = self.leaving.subscribe();
        self.connections.spawn(connection::serve(stream, peer, client, leaving));
        self.handle(Event::Clients(self.connected.len()));
    }

    fn refused(&mut self, error: &io::Error) {
        tracing::error!(%error, "cannot accept a connection");
        // Rather than to fail again at once: a descriptor may come free.
        self.pause = Some(Box::pin(tokio::time::sleep(ACCEPT_PAUSE)));
    }

    /// Looks once more whether somebody came. One that comes later finds no socket (or the service manager's queue),
    /// and a new supervisor.
    fn may_leave(&mut self, left: &Left) -> bool {
        match left {
            Left::Asked | Left::Signal(_) | Left::Deaf(_) | Left::Unreachable | Left::Proved(_) => {
                return true;
            }
            Left::Idle => {}
        }
        if let Err(error) = self.listener.hide() {
            tracing::warn!(%error, "the control socket has lost its name");
        }
        let mut came = Vec::new();
        loop {
            match self.listener.socket().accept() {
                Ok((stream, _)) => came.push(stream),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if came.is_empty() && self.inputs.is_empty() {
            return true;
        }
        if let Err(error) = self.listener.show() {
            tracing::error!(%error, "the control socket cannot be shown again");
        }
        for stream in came {
            match stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream)) {
                Ok(stream) => self.welcome(stream),
                Err(error) => self.refused(&error),
            }
        }
        false
    }

    /// Finishes what was begun: every save, and the last answers. No connection is left.
    pub(super) async fn finish(&mut self) {
        self.hands.writer.flush().await;
        // Outcomes of those saves may be somebody's answer.
        while let Ok(input) = self.inputs.try_recv() {
            self.take(input);
        }
        self.hands.writer.flush().await;
        // Whoever keeps the registry's lock must not keep us: the next count makes up for it.
        _ = tokio::time::timeout(FAREWELL, self.hands.registrar.flush()).await;
        self.leaving.send_replace(true);
        let farewell = async { while self.connections.join_next().await.is_some() {} };
        // Who does not read by then has lost an answer, and nothing else.
        _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}
