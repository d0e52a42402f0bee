//! Connections to hosts: dialling, and watching one for as long as it lives.
//!
//! The end of a watch is told apart by evidence: the host said how its session ended, or its exit record does; or it
//! is gone without one. A host that cannot be reached but lives (somebody removed its socket) is neither: it is tried
//! again until it is one or the other, and its session goes on.

use super::input::{Input, Inputs};
use crate::VERSION;
use crate::core::event::{Event, Signals};
use crate::core::id::SessionId;
use crate::core::record::{Exit, Host};
use crate::paths::Paths;
use crate::service;
use crate::sys::peer::Credentials;
use crate::sys::process::{self, Process, Signal};
use crate::wire::exit::{Cause, Ending, ExitRecord};
use crate::wire::frame::Inbox;
use crate::wire::host::{self, Reply, Request, Status, Undecodable, Welcome};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long a host may take for the handshake before it counts as silent.
const WELCOME_WITHIN: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to reach a host that lives and does not answer. The first is short: a
/// process that ends closes its sockets before it counts as ended.
const RETRY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));
/// From the polite signal to SIGKILL, for a child that outlived its host.
const LEFTOVER_GRACE: Duration = Duration::from_secs(5);

/// A host could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// Nobody listens there.
    #[error("no host listens: {0}")]
    Absent(io::Error),
    /// It accepts and says nothing.
    #[error("the host does not answer")]
    Silent,
    /// It answers what cannot be understood, or refuses.
    #[error("the host refuses: {0}")]
    Refused(String),
}

/// A connection after the handshake.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) welcome: Welcome,
    stream: UnixStream,
    inbox: Inbox,
    peer: Credentials,
}

impl Link {
    /// Connects to the host of a session.
    ///
    /// # Errors
    /// [`DialError`].
    pub(super) async fn dial(paths: &Paths, id: SessionId) -> Result<Self, DialError> {
        let socket = paths.host_socket(&id.to_string());
        let stream = UnixStream::connect(socket).await.map_err(DialError::Absent)?;
        let peer = Credentials::of(&stream).map_err(DialError::Absent)?;
        if !peer.is_ours() {
            return Err(DialError::Refused(format!("it runs under uid {}", peer.uid)));
        }
        let handshake = tokio::time::timeout(WELCOME_WITHIN, Self::greet(stream, peer));
        handshake.await.map_err(|_| DialError::Silent)?
    }

    async fn greet(mut stream: UnixStream, peer: Credentials) -> Result<Self, DialError> {
        let hello = Request::Hello { min: host::MIN, max: host::CURRENT, build: VERSION.to_owned() };
        let sent = stream.write_all(&hello.frame()).await;
        let mut inbox = Inbox::default();
        match sent.and(next(&mut stream, &mut inbox).await) {
            Ok(Some(Ok(Reply::Welcome(welcome)))) => Ok(Self { welcome, stream, inbox, peer }),
            Ok(Some(Ok(Reply::Refused(_, why)))) => Err(DialError::Refused(why)),
            Ok(Some(Ok(other))) => Err(DialError::Refused(format!("a welcome was due, not {other:?}"))),
            Ok(Some(Err(e))) => Err(DialError::Refused(e.to_string())),
            // It was going away.
            Ok(None) => Err(DialError::Absent(io::ErrorKind::UnexpectedEof.into())),
            Err(e) => Err(DialError::Absent(e)),
        }
    }

    /// Asks for the session's end, and waits until that has begun.
    ///
    /// # Errors
    /// [`DialError`].
    pub(super) async fn stop(mut self, grace_ms: u32) -> Result<(), DialError> {
        let sent = self.stream.write_all(&Request::Stop { grace_ms }.frame()).await;
        let answer = async {
            sent?;
            next(&mut self.stream, &mut self.inbox).await
        };
        match tokio::time::timeout(WELCOME_WITHIN, answer).await {
            // A host whose session has ended in between has no more to say.
            Ok(Ok(None | Some(Ok(Reply::Done | Reply::Exited(_))))) => Ok(()),
            Ok(Ok(Some(Ok(Reply::Refused(_, why))))) => Err(DialError::Refused(why)),
            Ok(Ok(Some(Ok(other)))) => Err(DialError::Refused(format!("unexpected: {other:?}"))),
            Ok(Ok(Some(Err(e)))) => Err(DialError::Refused(e.to_string())),
            Ok(Err(e)) => Err(DialError::Absent(e)),
            Err(_) => Err(DialError::Silent),
        }
    }
}

impl Link {
    /// The screen as it is now; none where the host does not tell.
    pub(super) async fn peek(mut self) -> Option<Vec<u8>> {
        self.stream.write_all(&Request::Peek.frame()).await.ok()?;
        match next(&mut self.stream, &mut self.inbox).await {
            Ok(Some(Ok(Reply::Screen { text, .. }))) => Some(text),
            // It refuses, or has ended in between: there is nothing to be seen.
            Ok(Some(Ok(_) | Err(_)) | None) | Err(_) => None,
        }
    }
}

/// The next whole message; none at the end of the stream.
async fn next(stream: &mut UnixStream, inbox: &mut Inbox) -> io::Result<Option<Result<Reply, Undecodable>>> {
    loop {
        match inbox.next_frame() {
            Ok(Some((kind, payload))) => return Ok(Some(Reply::decode(kind, payload))),
            Ok(None) => {}
            Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
        }
        let mut chunk = [0; 4 << 10];
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            n => inbox.extend(&chunk[..n]),
        }
    }
}

/// Watches a host to its end and reports all of it.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) id: SessionId,
    pub(super) welcome: Welcome,
    pub(super) paths: Paths,
    pub(super) inputs: Inputs,
}

impl Watch {
    /// Runs until the host's session has ended; `link` is a connection that is there already.
    pub(super) async fn run(self, mut link: Option<Link>) {
        let mut pause = RETRY.0;
        let mut peer = None;
        let event = loop {
            let connected = match link.take() {
                Some(link) => Ok(link),
                None => Link::dial(&self.paths, self.id).await,
            };
            match connected {
                Ok(link) if link.welcome.generation != self.welcome.generation => {
                    break self.ending_on_disk().await.unwrap_or_else(|| self.lost());
                }
                Ok(mut link) => {
                    pause = RETRY.0;
                    if let Some(exited) = self.listen(&mut link).await {
                        break exited;
                    }
                    peer = Some(link.peer);
                }
                Err(DialError::Absent(_)) => {
                    if let Some(exited) = self.ending_on_disk().await {
                        break exited;
                    }
                    if !self.host_lives(peer.as_ref()) {
                        break self.lost();
                    }
                    // Not at once: a process that ends closes its sockets before it counts as ended.
                    if pause > RETRY.0 {
                        self.have_it_shown();
                    }
                    wait(&mut pause).await;
                }
                Err(error @ (DialError::Silent | DialError::Refused(_))) => {
                    tracing::warn!(session = %self.id, %error, "cannot watch a host; trying again");
                    wait(&mut pause).await;
                }
            }
        };
        if matches!(event, Event::HostLost { .. }) {
            end_leftover(self.id, &self.welcome);
        }
        _ = self.inputs.send(Input::Unlinked { welcome: self.welcome, event });
    }

    /// Reports what a host says; some when it said how its session ended.
    async fn listen(&self, link: &mut Link) -> Option<Event> {
        link.stream.write_all(&Request::Watch.frame()).await.ok()?;
        loop {
            match next(&mut link.stream, &mut link.inbox).await {
                Ok(Some(Ok(Reply::Status(status)))) => {
                    let signals = signals(status);
                    let event = Event::Status { id: self.id, generation: self.welcome.generation, signals };
                    self.inputs.send(Input::Event(event)).ok()?;
                }
                Ok(Some(Ok(Reply::Exited(record)))) => return Some(self.exited(&record)),
                // Of a later version, or nothing that a watcher needs.
                Ok(Some(Ok(_) | Err(_))) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Its socket is gone, or it is about to end; the former can be mended.
    fn have_it_shown(&self) {
        match service::show_host(&self.id.to_string(), self.welcome.host_pid) {
            Ok(true) => {
                tracing::warn!(session = %self.id, "a host's socket is gone; the host is to make another")
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(session = %self.id, %error, "a host's socket is gone"),
        }
    }

    async fn ending_on_disk(&self) -> Option<Event> {
        let record = exit_record(&self.paths, self.id)?;
        (record.generation == self.welcome.generation).then(|| self.exited(&record))
    }

    fn exited(&self, record: &ExitRecord) -> Event {
        Event::Exited { id: self.id, generation: self.welcome.generation, exit: exit(record) }
    }

    fn lost(&self) -> Event {
        Event::HostLost { id: self.id, generation: self.welcome.generation }
    }

    fn host_lives(&self, peer: Option<&Credentials>) -> bool {
        match peer {
            Some(peer) if peer.is_held() => peer.still_alive(),
            // Without a handle on the process: its id, and the name that the host's program has.
            Some(_) | None => {
                Process::of(self.welcome.host_pid).is_ok_and(|p| !p.zombie && p.name == "abide-host")
            }
        }
    }
}

/// Until the next attempt, which comes later each time.
async fn wait(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(RETRY.1);
}

/// A child whose host is gone has no terminal any more, and a respawn must not find it at work.
fn end_leftover(id: SessionId, welcome: &Welcome) {
    let (pid, start) = (welcome.child_pid, welcome.child_start);
    match process::signal_exactly(pid, start, Signal::SIGTERM) {
        Ok(false) => return,
        Ok(true) => tracing::warn!(session = %id, pid, "ending a process that outlived its host"),
        Err(error) => {
            tracing::warn!(session = %id, pid, %error, "cannot end a process that outlived its host")
        }
    }
    tokio::spawn(async move {
        tokio::time::sleep(LEFTOVER_GRACE).await;
        if let Err(error) = process::signal_exactly(pid, start, Signal::SIGKILL) {
            tracing::warn!(session = %id, pid, %error, "cannot kill a process that outlived its host");
        }
    });
}

/// The exit record of a session; none where there is none, or none that can be read.
pub(super) fn exit_record(paths: &Paths, id: SessionId) -> Option<ExitRecord> {
    let path = paths.job(&id.to_string()).join("exit");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(session = %id, %error, "cannot read an exit record");
            return None;
        }
    };
    let record = ExitRecord::decode(&bytes);
    match record {
        Ok(record) if record.id == id.to_string() => Some(record),
        Ok(_) | Err(_) => {
            tracing::warn!(session = %id, path = %path.display(), "an exit record is damaged; it is ignored");
            None
        }
    }
}

/// An exit record as the core looks at it.
pub(super) fn exit(record: &ExitRecord) -> Exit {
    let (code, signal) = match record.ending {
        Ending::Exited(code) => (Some(code), None),
        Ending::Signaled(signal) => (None, Some(signal)),
        Ending::Unknown => (None, None),
    };
    let cause = match record.cause {
        Cause::Own => "own",
        Cause::Asked => "asked",
        Cause::Terminated => "terminated",
        Cause::ManagerStopping => "manager-stopping",
    };
    Exit {
        code,
        signal,
        cause: cause.to_owned(),
        message: String::new(),
        ended_ms: record.ended_ms,
        cpu_us: record.user_us.saturating_add(record.system_us),
        max_rss_kib: record.max_rss_kib,
        oom_kills: record.oom_kills,
        offset: record.offset,
        unlogged: record.unlogged,
    }
}

/// A welcome as the core looks at it.
pub(super) fn host(welcome: &Welcome) -> Host {
    Host {
        pid: welcome.host_pid,
        child_pid: welcome.child_pid,
        child_start: welcome.child_start,
        started_ms: welcome.started_ms,
        build: welcome.build.clone(),
        protocol: welcome.version,
    }
}

fn signals(status: Status) -> Signals {
    Signals {
        writers: status.writers,
        readers: status.readers,
        offset: status.offset,
        unlogged: status.unlogged,
        log_errno: status.log_errno,
        active: status.active,
        leader_foreground: status.leader_foreground,
        title: status.title,
        program: status.program,
        blocked: status.blocked,
        prompt_mark: status.prompt_mark,
        notification: status.notification,
        alerts: status.alerts,
        inputs: status.inputs,
    }
}
