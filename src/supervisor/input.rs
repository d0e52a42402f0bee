//! What reaches the engine, and what its sources need.

use super::launch::{Launch, Wanted};
use super::outbox::Outbox;
use super::prepare::{Prepare, Prepared};
use crate::core::event::{Event, Peer, Ticket};
use crate::core::id::SessionId;
use crate::core::text::Text;
use crate::wire::control::Context;
use crate::wire::host::{Birth, Welcome};
use crate::worktree::confine::Mounts;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::UnboundedSender;

/// Where sources send.
pub(super) type Inputs = UnboundedSender<Input>;

/// Everything that can wake the engine, apart from its timer, its listener and signals.
#[derive(Debug)]
pub(super) enum Input {
    /// Something that only the core cares about.
    Event(Event),
    /// A request.
    Asked(Box<Asked>),
    /// A client left.
    Left {
        /// Which.
        connection: u64,
    },
    /// A host reported its start.
    Birth(Birth),
    /// It was looked for the conversation of a session that is to be started.
    Looked {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// With what to execute.
        wanted: Box<Wanted>,
        /// As of `Launch`.
        environment: Option<Ticket>,
    },
    /// The service manager could not start a host, or did not say that it has.
    NotLaunched {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
        /// Why, for people.
        error: String,
    },
    /// What is to be read-only for a session is known, or why not; its start goes on with that.
    Planned {
        /// The start.
        launch: Box<Launch>,
        /// See `worktree::confine`.
        mounts: Result<Mounts, String>,
    },
    /// A start took too long.
    Overdue {
        /// Whose.
        id: SessionId,
        /// Which start.
        generation: u64,
    },
    /// About the exchange of this program.
    Upgrade(crate::core::upgrade::Event),
    /// Something may have changed at the path of a watched program.
    ProgramTouched(Text),
    /// The control socket of our own may have lost its name.
    SocketTouched,
    /// It asked itself, through its own socket: the sessions that it lists, or why there was no answer.
    OwnAnswer(Result<Vec<SessionId>, String>),
    /// A watched host is gone; the event says how.
    Unlinked {
        /// What its welcome said.
        welcome: Welcome,
        /// `Exited` or `HostLost`.
        event: Event,
    },
}

/// A request on its way to the core.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) ticket: Ticket,
    pub(super) connection: u64,
    pub(super) tag: u64,
    pub(super) outbox: Outbox,
    pub(super) peer: Peer,
    pub(super) prepared: Prepared,
    pub(super) context: Option<Context>,
}

/// What a connection needs of the rest.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) connection: u64,
    pub(super) inputs: Inputs,
    pub(super) prepare: Arc<Prepare>,
    tickets: Arc<AtomicU64>,
}

impl Client {
    pub(super) fn new(inputs: Inputs, prepare: Arc<Prepare>) -> Self {
        Self { connection: 0, inputs, prepare, tickets: Arc::default() }
    }

    /// The same for another connection.
    pub(super) fn with(&self, connection: u64) -> Self {
        Self { connection, ..self.clone() }
    }

    /// A number that no request had before.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Says that the client has gone.
    pub(super) fn left(&self) {
        // Without an engine nobody needs to know.
        _ = self.inputs.send(Input::Left { connection: self.connection });
    }
}
