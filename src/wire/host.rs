//! The host protocol: supervisor and attached terminals to the host of one session.
//!
//! The one that connects speaks first: [`Request::Hello`], answered by [`Reply::Welcome`] (or [`Reply::Refused`]).
//! Then it turns the connection into one of
//! - a **terminal** by [`Request::Attach`]: a repaint and then live output as [`Reply::Output`]; [`Request::Input`],
//!   [`Request::Resize`]; ended by [`Request::Detach`] or by closing;
//! - a **follower** by [`Request::Follow`]: live output with its offset as [`Reply::Data`], from the offset of the
//!   [`Reply::Following`] that comes first; what is before that offset is in the log by then;
//! - a **watcher** by [`Request::Watch`]: a [`Reply::Status`] now and at each change, [`Reply::Exited`] at the end;
//! - or it asks single questions.
//!
//! A freshly started host dials the supervisor's births socket and sends one [`Birth`] there. Nothing else depends on
//! that socket: a host whose supervisor is gone lives on and is found by its own.

use super::codec::{Missing, Reader, Writer};
use super::exit::ExitRecord;

/// Lowest version that this build speaks.
pub const MIN: u16 = 1;
/// Highest version that this build speaks.
pub const CURRENT: u16 = 1;

/// To the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The versions of the other side.
    Hello {
        /// Lowest.
        min: u16,
        /// Highest.
        max: u16,
        /// Its build, for the log.
        build: String,
    },
    /// Become a terminal of the session.
    Attach {
        /// Size of the terminal.
        cols: u16,
        /// See `cols`.
        rows: u16,
        /// It only looks: its input is ignored, and its size while somebody is attached who may type.
        read_only: bool,
        /// Lines of scrollback to print first, at most; 0 for none.
        scrollback: u32,
    },
    /// What was typed.
    Input(Vec<u8>),
    /// The terminal's new size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// Stop being a terminal: answered by the bytes that restore it (as `Output`) and [`Reply::Bye`].
    Detach,
    /// Become a follower.
    Follow,
    /// Become a watcher.
    Watch,
    /// Type `text` into the session, once per `request`: a repetition is answered and not typed again.
    Send {
        /// Chosen at random by the sender.
        request: [u8; 16],
        /// The bytes to type; as one bracketed paste where the program asked for that and `paste` is set.
        text: Vec<u8>,
        /// Wrap in a bracketed paste where enabled.
        paste: bool,
        /// Follow with a carriage return.
        enter: bool,
    },
    /// The screen as text, without attaching.
    Peek,
    /// End the child: HUP, TERM, and KILL after the grace.
    Stop {
        /// Milliseconds until KILL.
        grace_ms: u32,
    },
    /// Send this signal to the foreground process group.
    Signal(u8),
}

/// From the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The handshake's answer.
    Welcome(Welcome),
    /// Bytes for the terminal.
    Output(Vec<u8>),
    /// Bytes for a follower.
    Data {
        /// Offset of the first.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A follower's start.
    Following {
        /// All output before this is in the log (or lost to a failing disk).
        offset: u64,
    },
    /// To watchers.
    Status(Status),
    /// Answer to `Peek`.
    Screen {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
        /// Cursor column and row, from 0.
        cursor: (u16, u16),
        /// As [`ExitRecord::screen`].
        text: Vec<u8>,
    },
    /// `Send`, `Stop`, `Signal` were done (a stop: begun).
    Done,
    /// A request was not done.
    Refused(Refusal, String),
    /// The session ended.
    Exited(ExitRecord),
    /// The host has no more to say on this terminal.
    Bye(Farewell),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No common version.
    Version,
    /// An unknown or malformed message.
    Unknown,
    /// Out of place (no `Hello` yet, not a terminal, read-only).
    State,
    /// The session does not read its input: nothing was typed.
    Busy,
    /// The other user id.
    Permission,
    /// The system refused; the text says what.
    System,
}

/// Why a terminal's connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// As asked.
    Detached,
    /// The session ended; [`Reply::Exited`] came before.
    Ended,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Version to speak from here on.
    pub version: u16,
    /// The session.
    pub id: String,
    /// Which start of it.
    pub generation: u64,
    /// Process id of the host.
    pub host_pid: u32,
    /// Process id of the child; 0 once it is gone.
    pub child_pid: u32,
    /// Start time of the child as in `/proc/PID/stat` field 22 (clock ticks); 0 where there is none.
    pub child_start: u64,
    /// Wall clock of the start, ms since the Unix epoch.
    pub started_ms: u64,
    /// Build of the host.
    pub build: String,
}

/// What a supervisor wants to know of a live session. Sent at changes only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Terminals that may type.
    pub writers: u16,
    /// Terminals that only look.
    pub readers: u16,
    /// Bytes written by the session so far.
    pub offset: u64,
    /// Output bytes that could not be logged, and the system's error number of the last failure; 0, 0 for none.
    pub unlogged: u64,
    /// See `unlogged`.
    pub log_errno: u16,
    /// The session wrote something within the last [`QUIET_MS`].
    pub active: bool,
    /// The foreground process group is the child's own.
    pub leader_foreground: bool,
    /// Window title, printable text; empty for none.
    pub title: String,
    /// Last `OSC 7501` report of the program about itself, without introducer and terminator, printable; empty for none.
    pub program: String,
    /// Last of the `OSC 133` marks: `A`, `B`, `C` or `D`; 0 for none.
    pub prompt_mark: u8,
    /// Last text of a notification (`OSC 9`, `99`, `777`), printable; empty for none.
    pub notification: String,
    /// Counts bells and notifications.
    pub alerts: u32,
    /// Counts what was typed by terminals and by `Send`.
    pub inputs: u32,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The alternate screen is shown.
    pub alternate: bool,
    /// Last `OSC 7501` reports about parts of the program's work that wait for the user; a few at most.
    pub blocked: Vec<String>,
}

/// A session is active until it has been silent for so long, in milliseconds.
pub const QUIET_MS: u64 = 5_000;

/// What a host says to the supervisor when it has started, or could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Birth {
    /// The child runs.
    Born(Welcome),
    /// It could not be started; the host is gone after this, and left nothing.
    Failed {
        /// The session.
        id: String,
        /// Which start of it.
        generation: u64,
        /// What failed.
        stage: Stage,
        /// The system's error number; 0 where the failure is not the system's.
        errno: u16,
        /// On what: a path or a name.
        subject: String,
    },
}

/// The step of a start that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The program was not found in `PATH`, or cannot be run.
    Exec,
    /// The working directory.
    Cwd,
    /// The pseudo-terminal.
    Pty,
    /// The session's socket or its files.
    Files,
    /// `fork`, limits and the like.
    Process,
    /// Another host of this session lives.
    Duplicate,
    /// What the program would see of the file system.
    View,
}

/// A message cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// A type byte of a later version or of another protocol.
    #[error("unknown message type {0:#04x}")]
    Kind(u8),
    /// Cut short.
    #[error(transparent)]
    Missing(#[from] Missing),
}

impl Request {
    /// Type byte and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut w = Writer::default();
        let kind = match self {
            Self::Hello { min, max, build } => {
                w.u16(*min).u16(*max).str(build);
                0x01
            }
            Self::Attach { cols, rows, read_only, scrollback } => {
                w.u16(*cols).u16(*rows).u8(u8::from(*read_only)).u32(*scrollback);
                0x02
            }
            Self::Input(bytes) => {
                w.0.extend_from_slice(bytes);
                INPUT
            }
            Self::Resize { cols, rows } => {
                w.u16(*cols).u16(*rows);
                0x04
            }
            Self::Detach => 0x05,
            Self::Follow => 0x06,
            Self::Watch => 0x07,
            Self::Send { request, text, paste, enter } => {
                w.0.extend_from_slice(request);
                w.bytes(text).u8(u8::from(*paste)).u8(u8::from(*enter));
                0x08
            }
            Self::Peek => 0x09,
            Self::Stop { grace_ms } => {
                w.u32(*grace_ms);
                0x0a
            }
            Self::Signal(n) => {
                w.u8(*n);
                0x0b
            }
        };
        (kind, w.0)
    }

    /// The frame to send.
    pub fn frame(&self) -> Vec<u8> {
        framed(self.encode())
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// [`Undecodable`]; the connection can go on.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Undecodable> {
        let mut r = Reader(payload);
        Ok(match kind {
            0x01 => Self::Hello { min: r.u16()?, max: r.u16()?, build: r.str()? },
            0x02 => {
                Self::Attach { cols: r.u16()?, rows: r.u16()?, read_only: r.u8()? != 0, scrollback: r.u32()? }
            }
            INPUT => Self::Input(payload.to_vec()),
            0x04 => Self::Resize { cols: r.u16()?, rows: r.u16()? },
            0x05 => Self::Detach,
            0x06 => Self::Follow,
            0x07 => Self::Watch,
            0x08 => {
                let (request, rest) = payload.split_first_chunk::<16>().ok_or(Missing)?;
                let mut r = Reader(rest);
                Self::Send {
                    request: *request,
                    text: r.bytes()?.to_vec(),
                    paste: r.u8()? != 0,
                    enter: r.u8()? != 0,
                }
            }
            0x09 => Self::Peek,
            0x0a => Self::Stop { grace_ms: r.u32()? },
            0x0b => Self::Signal(r.u8()?),
            other => return Err(Undecodable::Kind(other)),
        })
    }
}

/// Type byte of [`Request::Input`], whose payload is the bytes as they are.
pub const INPUT: u8 = 0x03;
/// Type byte of [`Reply::Output`], whose payload is the bytes as they are.
pub const OUTPUT: u8 = 0x82;

impl Reply {
    /// Type byte and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut w = Writer::default();
        let kind = match self {
            Self::Welcome(welcome) => {
                welcome.put(&mut w);
                0x81
            }
            Self::Output(bytes) => {
                w.0.extend_from_slice(bytes);
                OUTPUT
            }
            Self::Data { offset, bytes } => {
                w.u64(*offset);
                w.0.extend_from_slice(bytes);
                0x83
            }
            Self::Following { offset } => {
                w.u64(*offset);
                0x84
            }
            Self::Status(s) => {
                s.put(&mut w);
                0x85
            }
            Self::Screen { cols, rows, cursor, text } => {
                w.u16(*cols).u16(*rows).u16(cursor.0).u16(cursor.1).bytes(text);
                0x86
            }
            Self::Done => 0x87,
            Self::Refused(why, text) => {
                w.u8(match why {
                    Refusal::Version => 1,
                    Refusal::Unknown => 2,
                    Refusal::State => 3,
                    Refusal::Busy => 4,
                    Refusal::Permission => 5,
                    Refusal::System => 6,
                })
                .str(text);
                0x88
            }
            Self::Exited(record) => {
                w.bytes(&record.encode());
                0x89
            }
            Self::Bye(why) => {
                w.u8(match why {
                    Farewell::Detached => 1,
                    Farewell::Ended => 2,
                });
                0x8a
            }
        };
        (kind, w.0)
    }

    /// The frame to send.
    pub fn frame(&self) -> Vec<u8> {
        framed(self.encode())
    }

    /// Reads what [`Reply::encode`] wrote.
    ///
    /// # Errors
    /// [`Undecodable`]; the connection can go on.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Undecodable> {
        let mut r = Reader(payload);
        Ok(match kind {
            0x81 => Self::Welcome(Welcome::get(&mut r)?),
            OUTPUT => Self::Output(payload.to_vec()),
            0x83 => Self::Data { offset: r.u64()?, bytes: r.0.to_vec() },
            0x84 => Self::Following { offset: r.u64()? },
            0x85 => Self::Status(Status::get(&mut r)?),
            0x86 => Self::Screen {
                cols: r.u16()?,
                rows: r.u16()?,
                cursor: (r.u16()?, r.u16()?),
                text: r.bytes()?.to_vec(),
            },
            0x87 => Self::Done,
            0x88 => {
                let why = match r.u8()? {
                    1 => Refusal::Version,
                    2 => Refusal::Unknown,
                    3 => Refusal::State,
                    4 => Refusal::Busy,
                    5 => Refusal::Permission,
                    _ => Refusal::System,
                };
                Self::Refused(why, r.str()?)
            }
            0x89 => Self::Exited(ExitRecord::decode(r.bytes()?)?),
            0x8a => Self::Bye(if r.u8()? == 1 { Farewell::Detached } else { Farewell::Ended }),
            other => return Err(Undecodable::Kind(other)),
        })
    }
}

impl Welcome {
    fn put(&self, w: &mut Writer) {
        w.u16(self.version).str(&self.id).u64(self.generation).u32(self.host_pid).u32(self.child_pid);
        w.u64(self.child_start).u64(self.started_ms).str(&self.build);
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Missing> {
        Ok(Self {
            version: r.u16()?,
            id: r.str()?,
            generation: r.u64()?,
            host_pid: r.u32()?,
            child_pid: r.u32()?,
            child_start: r.u64()?,
            started_ms: r.u64()?,
            build: r.str()?,
        })
    }
}

impl Status {
    fn put(&self, w: &mut Writer) {
        w.u16(self.writers).u16(self.readers).u64(self.offset).u64(self.unlogged).u16(self.log_errno);
        w.u8(u8::from(self.active)).u8(u8::from(self.leader_foreground)).str(&self.title).str(&self.program);
        w.u8(self.prompt_mark).str(&self.notification).u32(self.alerts).u32(self.inputs);
        w.u16(self.cols).u16(self.rows).u8(u8::from(self.alternate));
        w.list(&self.blocked, |w, text| {
            w.str(text);
        });
    }
    fn get(r: &mut Reader<'_>) -> Result<Self, Missing> {
        Ok(Self {
            writers: r.u16()?,
            readers: r.u16()?,
            offset: r.u64()?,
            unlogged: r.u64()?,
            log_errno: r.u16()?,
            active: r.u8()? != 0,
            leader_foreground: r.u8()? != 0,
            title: r.str()?,
            program: r.str()?,
            prompt_mark: r.u8()?,
            notification: r.str()?,
            alerts: r.u32()?,
            inputs: r.u32()?,
            cols: r.u16()?,
            rows: r.u16()?,
            alternate: r.u8()? != 0,
            blocked: if r.0.is_empty() { Vec::new() } else { r.list(Reader::str)? },
        })
    }
}

impl Birth {
    /// The frame to send.
    pub fn frame(&self) -> Vec<u8> {
        let mut w = Writer::default();
        let kind = match self {
            Self::Born(welcome) => {
                welcome.put(&mut w);
                0xc1
            }
            Self::Failed { id, generation, stage, errno, subject } => {
                let stage = match stage {
                    Stage::Exec => 1,
                    Stage::Cwd => 2,
                    Stage::Pty => 3,
                    Stage::Files => 4,
                    Stage::Process => 5,
                    Stage::Duplicate => 6,
                    Stage::View => 7,
                };
                w.str(id).u64(*generation).u8(stage).u16(*errno).str(subject);
                0xc2
            }
        };
        framed((kind, w.0))
    }

    /// Reads what [`Birth::frame`] wrote.
    ///
    /// # Errors
    /// [`Undecodable`].
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, Undecodable> {
        let mut r = Reader(payload);
        Ok(match kind {
            0xc1 => Self::Born(Welcome::get(&mut r)?),
            0xc2 => Self::Failed {
                id: r.str()?,
                generation: r.u64()?,
                stage: match r.u8()? {
                    1 => Stage::Exec,
                    2 => Stage::Cwd,
                    3 => Stage::Pty,
                    4 => Stage::Files,
                    6 => Stage::Duplicate,
                    7 => Stage::View,
                    _ => Stage::Process,
                },
                errno: r.u16()?,
                subject: r.str()?,
            },
            other => return Err(Undecodable::Kind(other)),
        })
    }
}

fn framed((kind, payload): (u8, Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + super::frame::HEADER);
    super::frame::push(&mut out, kind, &payload);
    out
}
