//! A session's own socket: connect, shake hands, typed messages. The supervisor has no part in this.

use super::control::{ControlError, dial, nobody_there, read_frame};
use crate::VERSION;
use crate::paths::Paths;
use crate::service;
use crate::wire::frame::Inbox;
use crate::wire::host::{CURRENT, MIN, Refusal, Reply, Request, Undecodable, Welcome};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a host may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a host may take to show its socket again. One that is about to end does not any more.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// Between looks whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What went wrong between us and a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No host: the session has not started yet, or has ended.
    #[error("the session has no process")]
    Absent,
    /// The socket is not to be trusted, or not to be had.
    #[error("{0}")]
    Socket(String),
    /// The connection broke.
    #[error("the session's host went away: {0}")]
    Broken(#[source] io::Error),
    /// No protocol version in common.
    #[error("this abide ({VERSION}) and the session's host speak no common protocol version: {0}")]
    Skew(String),
    /// It does not speak the protocol.
    #[error("the session's host makes no sense: {0}")]
    Garbled(String),
    /// It did not do it.
    #[error("{1}")]
    Refused(Refusal, String),
}

/// A connection to a host.
#[derive(Debug)]
pub struct HostLink {
    stream: UnixStream,
    inbox: Inbox,
    /// What it said about itself.
    pub welcome: Welcome,
}

impl HostLink {
    /// Connects to the host of session `id` and shakes hands.
    ///
    /// # Errors
    /// [`HostError`]; [`HostError::Absent`] where there is none.
    pub fn connect(paths: &Paths, id: &str) -> Result<Self, HostError> {
        let stream = match dial(&paths.runtime, &paths.host_socket(id)) {
            Ok(stream) => stream,
            Err(ControlError::Unreachable { source, .. }) if nobody_there(&source) => {
                return Err(HostError::Absent);
            }
            Err(e) => return Err(HostError::Socket(e.to_string())),
        };
        stream.set_read_timeout(Some(PATIENCE)).map_err(HostError::Broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(HostError::Broken)?;
        let nobody = Welcome {
            version: 0,
            id: String::new(),
            generation: 0,
            host_pid: 0,
            child_pid: 0,
            child_start: 0,
            started_ms: 0,
            build: String::new(),
        };
        let mut link = Self { stream, inbox: Inbox::default(), welcome: nobody };
        // A connection that breaks before the welcome met a host that was leaving while we came.
        let left = |e: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            [UnexpectedEof, ConnectionReset, BrokenPipe].contains(&e.kind())
        };
        match link.send(&Request::Hello { min: MIN, max: CURRENT, build: VERSION.to_owned() }) {
            Err(HostError::Broken(e)) if left(&e) => return Err(HostError::Absent),
            result => result?,
        }
        match link.receive() {
            Ok(Reply::Welcome(welcome)) if welcome.id == id => link.welcome = welcome,
            Ok(Reply::Welcome(welcome)) => {
                return Err(HostError::Garbled(format!("it says that it is {}", welcome.id)));
            }
            Ok(other) => return Err(HostError::Garbled(format!("{other:?} instead of a welcome"))),
            Err(HostError::Refused(Refusal::Version, text)) => return Err(HostError::Skew(text)),
            Err(HostError::Broken(e)) if left(&e) => return Err(HostError::Absent),
            Err(e) => return Err(e),
        }
        Ok(link)
    }

    /// As [`HostLink::connect`], to a host that is known to be this process: where its socket has lost its name, to a
    /// cleaner of temporary files for instance, the host is made to show it again.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn reach(paths: &Paths, id: &str, pid: Option<u32>) -> Result<Self, HostError> {
        let mut until = None;
        loop {
            match Self::connect(paths, id) {
                Err(HostError::Absent) => {}
                done => return done,
            }
            let now = Instant::now();
            let lives = pid.is_some_and(|pid| service::show_host(id, pid).unwrap_or(false));
            if !lives || now > *until.get_or_insert(now + SHOWN_WITHIN) {
                return Err(HostError::Absent);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`HostError::Broken`].
    pub fn send(&mut self, request: &Request) -> Result<(), HostError> {
        self.stream.write_all(&request.frame()).map_err(HostError::Broken)
    }

    /// Receives a message. Types that this build does not know are skipped; a refusal is an error.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn receive(&mut self) -> Result<Reply, HostError> {
        loop {
            let (kind, payload) = read_frame(&mut self.stream, &mut self.inbox).map_err(HostError::Broken)?;
            match Reply::decode(kind, &payload) {
                Ok(Reply::Refused(why, text)) => return Err(HostError::Refused(why, text)),
                Ok(reply) => return Ok(reply),
                Err(Undecodable::Kind(_)) => {}
                Err(Undecodable::Missing(missing)) => return Err(HostError::Garbled(missing.to_string())),
            }
        }
    }

    /// Sends a question and receives its answer.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, HostError> {
        self.send(request)?;
        self.receive()
    }

    /// Waits for messages without a limit from here on.
    ///
    /// # Errors
    /// [`HostError::Broken`].
    pub fn wait_for_ever(&self) -> Result<(), HostError> {
        self.stream.set_read_timeout(None).map_err(HostError::Broken)
    }

    /// The socket and what was already read from it.
    pub fn into_parts(self) -> (UnixStream, Inbox) {
        (self.stream, self.inbox)
    }
}

/// Types `text` into a session exactly once: a request that broke before its answer is repeated under its id.
///
/// # Errors
/// [`HostError`].
pub fn send_once(
    paths: &Paths,
    (id, pid): (&str, Option<u32>),
    text: &[u8],
    paste: bool,
    enter: bool,
) -> Result<(), HostError> {
    let mut request = [0; 16];
    getrandom::fill(&mut request).map_err(|e| HostError::Socket(e.to_string()))?;
    let message = Request::Send { request, text: text.to_vec(), paste, enter };
    let mut repeats = 0;
    loop {
        let done = HostLink::reach(paths, id, pid).and_then(|mut link| link.ask(&message));
        match done {
            Ok(Reply::Done) => return Ok(()),
            Ok(other) => return Err(HostError::Garbled(format!("{other:?} instead of a confirmation"))),
            Err(HostError::Broken(_)) if repeats < 3 => repeats += 1,
            Err(e) => return Err(e),
        }
    }
}
