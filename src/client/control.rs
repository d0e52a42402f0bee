//! The supervisor's socket: connect (starting the supervisor where nothing answers), shake hands, ask.

use crate::VERSION;
use crate::core::action::{ErrorKind, Reply};
use crate::core::event::Command;
use crate::paths::Paths;
use crate::service::start;
use crate::sys::dirs::{self, Links};
use crate::sys::peer::Credentials;
use crate::sys::process;
use crate::wire::control::{
    ANSWER, Answer, CURRENT, Context, HELLO, Hello, MIN, REQUEST, Request, WELCOME, Welcome, since,
};
use crate::wire::frame::{self, Inbox};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a supervisor may take to answer what it can answer at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that dying supervisors left unanswered, one soon after the other, is repeated so often.
const REPEATS: u32 = 8;

/// And one that waits for what may take days, so often.
const REPEATS_WAITING: u32 = 100;

/// One that died only after so long is not counted: who waits or follows for days outlives many.
const SOON: Duration = Duration::from_millis(500);

/// What went wrong between us and the supervisor.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing answers, and nothing was (or could be) started.
    #[error("the supervisor cannot be reached at {path}: {source}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing answered, and starting a supervisor failed.
    #[error("the supervisor could not be started: {0}")]
    Start(String),
    /// The folder or the other side is not the user's own: nothing was sent there.
    #[error("{path} cannot be trusted: {why}")]
    Untrusted {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No protocol version in common.
    #[error(
        "this abide ({VERSION}) and the running supervisor ({theirs}) have no protocol version in common"
    )]
    Skew {
        /// Version of the supervisor's program; empty where it did not say.
        theirs: String,
    },
    /// It speaks an older version, in which there is no such request.
    #[error(
        "the running supervisor ({theirs}) is older than this abide ({VERSION}) and does not know this yet"
    )]
    Older {
        /// Version of the supervisor's program.
        theirs: String,
    },
    /// The connection broke after the request had been sent, time and again.
    #[error("the supervisor went away before it answered: {0}")]
    Broken(#[source] io::Error),
    /// It is there, and says nothing.
    #[error("the supervisor runs and does not answer")]
    Silent,
    /// It does not speak the protocol.
    #[error("the supervisor's answer makes no sense: {0}")]
    Garbled(String),
    /// It answered that it did not do it.
    #[error("{message}")]
    Refused {
        /// See [`ErrorKind`].
        kind: ErrorKind,
        /// What failed, on what.
        message: String,
        /// What to do next; empty for nothing.
        hint: String,
    },
}

/// Whether a supervisor may be started to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As for nearly everything.
    Allowed,
    /// As for `daemon status`.
    Never,
}

/// A connection to the supervisor.
#[derive(Debug)]
pub struct Control {
    stream: UnixStream,
    inbox: Inbox,
    tag: u64,
    /// What it said about itself.
    pub welcome: Welcome,
}

impl Control {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn connect(paths: &Paths, start: Start) -> Result<Self, ControlError> {
        match Self::dial(paths) {
            Err(ControlError::Unreachable { source, .. })
                if start == Start::Allowed && nobody_there(&source) =>
            {
                start::ensure_running(paths).map_err(|e| ControlError::Start(e.to_string()))?;
                Self::dial(paths)
            }
            result => result,
        }
    }

    fn dial(paths: &Paths) -> Result<Self, ControlError> {
        let path = paths.control_socket();
        let stream = dial(&paths.runtime, &path)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| unreachable_at(&path, e))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|e| unreachable_at(&path, e))?;
        let nobody = Welcome { version: 0, build: String::new(), pid: 0 };
        let mut control = Self { stream, inbox: Inbox::default(), tag: 0, welcome: nobody };
        // Until the handshake is over nothing was asked, so a connection that breaks here was only never made.
        match control.shake_hands() {
            Err(ControlError::Broken(source)) => return Err(unreachable_at(&path, source)),
            result => result?,
        }
        Ok(control)
    }

    fn shake_hands(&mut self) -> Result<(), ControlError> {
        let start = Some(process::start_time(std::process::id()));
        let hello = Hello { min: MIN, max: CURRENT, build: VERSION.to_owned(), start };
        self.put(HELLO, &hello)?;
        let (kind, payload) = self.frame()?;
        match kind {
            WELCOME => {
                // The error first: it is told by its tag, and a welcome has none.
                if let Ok(Reply::Error { message, .. }) = serde_json::from_slice::<Reply>(&payload) {
                    return Err(ControlError::Skew { theirs: message });
                }
                self.welcome = parse(&payload)?;
            }
            ANSWER => {
                let answer: Answer = parse(&payload)?;
                let theirs = match answer.reply {
                    Reply::Error { message, .. } => message,
                    Reply::Done { .. }
                    | Reply::List { .. }
                    | Reply::Session { .. }
                    | Reply::Why { .. }
                    | Reply::Rolled { .. }
                    | Reply::Event { .. }
                    | Reply::Who { .. }
                    | Reply::Hooked { .. }
                    | Reply::Daemon { .. } => String::new(),
                };
                return Err(ControlError::Skew { theirs });
            }
            other => return Err(ControlError::Garbled(format!("type {other} instead of a welcome"))),
        }
        let version = self.welcome.version;
        if (MIN..=CURRENT).contains(&version) {
            Ok(())
        } else {
            Err(ControlError::Skew { theirs: self.welcome.build.clone() })
        }
    }

    /// Sends a request; its answers are read by [`Control::answer`].
    ///
    /// # Errors
    /// [`ControlError::Broken`]; [`ControlError::Older`], and nothing was sent.
    pub fn begin(&mut self, command: Command, context: Option<Context>) -> Result<u64, ControlError> {
        if since(&command) > self.welcome.version {
            return Err(ControlError::Older { theirs: self.welcome.build.clone() });
        }
        self.tag += 1;
        // What may take as long as it takes is waited for without a limit.
        let patience = match &command {
            Command::Wait { .. } | Command::Events { .. } | Command::Roll { when_idle: false } => None,
            Command::Run(_)
            | Command::List { .. }
            | Command::Show { .. }
            | Command::Stop { .. }
            | Command::Roll { when_idle: true }
            | Command::Respawn { .. }
            | Command::Resume { .. }
            | Command::Rm { .. }
            | Command::Pin { .. }
            | Command::Rename { .. }
            | Command::Why { .. }
            | Command::Who
            | Command::Hook { .. }
            | Command::Daemon
            | Command::Quit => Some(PATIENCE * 3),
        };
        self.patience(patience)?;
        let request = Request { tag: self.tag, command, context };
        self.put(REQUEST, &request)?;
        Ok(self.tag)
    }

    /// The connection, for who may want to end it while its answer is waited for.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn line(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }

    /// Changes how long [`Control::answer`] waits; `None`: for ever.
    ///
    /// # Errors
    /// [`ControlError::Broken`].
    pub fn patience(&mut self, patience: Option<Duration>) -> Result<(), ControlError> {
        self.stream.set_read_timeout(patience).map_err(ControlError::Broken)
    }

    /// The next answer to any request of this connection.
    ///
    /// # Errors
    /// [`ControlError`]; what the supervisor refused comes as [`ControlError::Refused`] from [`Control::ask`] only.
    pub fn answer(&mut self) -> Result<Answer, ControlError> {
        let (kind, payload) = self.frame()?;
        if kind != ANSWER {
            return Err(ControlError::Garbled(format!("type {kind} instead of an answer")));
        }
        parse(&payload)
    }

    /// Asks and reads the one answer; a list's parts are put together.
    ///
    /// # Errors
    /// [`ControlError`], a refusal included.
    pub fn ask(&mut self, command: Command, context: Option<Context>) -> Result<Reply, ControlError> {
        let tag = self.begin(command, context)?;
        let mut parts = Vec::new();
        loop {
            let answer = self.answer()?;
            if answer.tag != tag {
                continue;
            }
            match accepted(answer.reply)? {
                Reply::List { sessions } => {
                    parts.extend(sessions);
                    if answer.last {
                        return Ok(Reply::List { sessions: parts });
                    }
                }
                reply if answer.last => return Ok(reply),
                Reply::Done { .. }
                | Reply::Session { .. }
                | Reply::Why { .. }
                | Reply::Rolled { .. }
                | Reply::Event { .. }
                | Reply::Who { .. }
                | Reply::Hooked { .. }
                | Reply::Daemon { .. }
                | Reply::Error { .. } => {}
            }
        }
    }

    fn put(&mut self, kind: u8, message: &impl serde::Serialize) -> Result<(), ControlError> {
        let payload = serde_json::to_vec(message).map_err(|e| ControlError::Garbled(e.to_string()))?;
        if payload.len() > frame::MAX_PAYLOAD {
            return Err(ControlError::Refused {
                kind: ErrorKind::Usage,
                message: format!("a request of {} bytes is too large", payload.len()),
                hint: "pass large inputs in files".to_owned(),
            });
        }
        let mut out = Vec::with_capacity(payload.len() + frame::HEADER);
        frame::push(&mut out, kind, &payload);
        self.stream.write_all(&out).map_err(ControlError::Broken)
    }

    fn frame(&mut self) -> Result<(u8, Vec<u8>), ControlError> {
        read_frame(&mut self.stream, &mut self.inbox).map_err(|e| {
            let is = |kinds: &[io::ErrorKind]| kinds.contains(&e.kind());
            if is(&[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]) {
                ControlError::Silent
            } else if is(&[io::ErrorKind::InvalidData]) {
                // Not frames: whoever it is, it is no supervisor.
                ControlError::Garbled(e.to_string())
            } else {
                ControlError::Broken(e)
            }
        })
    }
}

/// Asks on a connection of its own; a request that a dying supervisor left unanswered is repeated. For requests that
/// may be repeated: `run` carries its own id, and the rest say what is to be rather than what is to change.
///
/// # Errors
/// [`ControlError`].
pub fn ask(paths: &Paths, command: &Command, context: Option<&Context>) -> Result<Reply, ControlError> {
    repeat(|_| Control::connect(paths, Start::Allowed)?.ask(command.clone(), context.cloned()))
}

/// Does something over a connection, again where that broke; the closure is told how often it broke before.
///
/// # Errors
/// The last one.
pub fn repeat<T>(once: impl FnMut(u32) -> Result<T, ControlError>) -> Result<T, ControlError> {
    repeat_at_most(REPEATS, once)
}

/// As [`repeat`], for what waits: supervisors may come and go meanwhile.
///
/// # Errors
/// The last one.
pub fn repeat_waiting<T>(once: impl FnMut(u32) -> Result<T, ControlError>) -> Result<T, ControlError> {
    repeat_at_most(REPEATS_WAITING, once)
}

fn repeat_at_most<T>(
    limit: u32,
    mut once: impl FnMut(u32) -> Result<T, ControlError>,
) -> Result<T, ControlError> {
    let (mut broken, mut streak) = (0, 0);
    loop {
        let begin = Instant::now();
        let served = match once(broken) {
            Err(ControlError::Broken(_)) if streak < limit => true,
            // It may die between its accept and its welcome as well. One that never served anybody is counted however
            // long it took: a build that dies at each start must not be waited for without end.
            Err(ControlError::Unreachable { source, .. })
                if streak < limit && (nobody_there(&source) || cut_off(&source)) =>
            {
                false
            }
            result => return result,
        };
        broken += 1;
        streak = if served && begin.elapsed() >= SOON { 0 } else { streak + 1 };
        // A supervisor that comes up and dies at once should find its callers waiting longer each time.
        std::thread::sleep(Duration::from_millis(10 << streak.min(6)));
    }
}

/// An answer's refusal as an error.
///
/// # Errors
/// [`ControlError::Refused`].
pub fn accepted(reply: Reply) -> Result<Reply, ControlError> {
    match reply {
        Reply::Error { kind, message, hint } => Err(ControlError::Refused { kind, message, hint }),
        reply @ (Reply::Done { .. }
        | Reply::List { .. }
        | Reply::Session { .. }
        | Reply::Why { .. }
        | Reply::Rolled { .. }
        | Reply::Event { .. }
        | Reply::Who { .. }
        | Reply::Hooked { .. }
        | Reply::Daemon { .. }) => Ok(reply),
    }
}

/// Connects to a socket in a folder that must be ours and closed to others, at whose other end must be our own user.
pub(super) fn dial(folder: &Path, path: &Path) -> Result<UnixStream, ControlError> {
    match std::fs::symlink_metadata(folder) {
        // One of ours that others can only read is closed; whatever else is wrong with it is the user's to judge.
        Ok(_) => dirs::make_private_dir(folder, Links::Refused)
            .map_err(|e| ControlError::Untrusted { path: folder.to_owned(), why: e.to_string() })?,
        Err(source) => return Err(unreachable_at(path, source)),
    }
    let stream = UnixStream::connect(path).map_err(|e| unreachable_at(path, e))?;
    let peer = Credentials::of(&stream).map_err(|e| unreachable_at(path, e))?;
    if !peer.is_ours() {
        return Err(ControlError::Untrusted {
            path: path.to_owned(),
            why: format!(
                "{} cannot be trusted: another user (uid {}) answers there",
                path.display(),
                peer.uid
            ),
        });
    }
    Ok(stream)
}

/// Reads until a whole frame is there. An end before that is `UnexpectedEof`.
pub(super) fn read_frame(stream: &mut UnixStream, inbox: &mut Inbox) -> io::Result<(u8, Vec<u8>)> {
    let mut buffer = [0; 16 << 10];
    loop {
        let damaged = |e: frame::FrameError| io::Error::new(io::ErrorKind::InvalidData, e);
        if let Some((kind, payload)) = inbox.next_frame().map_err(damaged)? {
            return Ok((kind, payload.to_vec()));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => inbox.extend(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(payload).map_err(|e| ControlError::Garbled(e.to_string()))
}

fn unreachable_at(path: &Path, source: io::Error) -> ControlError {
    ControlError::Unreachable { path: path.to_owned(), source }
}

/// No socket, or one that nobody listens on.
pub fn nobody_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// The other side vanished in the middle.
fn cut_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
