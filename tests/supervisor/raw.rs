//! A supervisor of a test's own, and the bare protocol to it.

use crate::support::{Home, PATIENCE, program};
use abide::core::action::{Reply, View};
use abide::core::event::{Command, RunSpec};
use abide::core::text::Text;
use abide::wire::control::{self, Answer, Context, Hello, Request, Welcome};
use abide::wire::frame::{self, Inbox};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// An `abided` that accepts connections.
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts one, and returns when it is ready.
    pub(super) fn start(home: &Home) -> Self {
        Self::try_start(home).unwrap_or_else(|said| panic!("abided did not start: {said}"))
    }

    /// As [`Daemon::start`]; the error is what it said instead.
    pub(super) fn try_start(home: &Home) -> Result<Self, String> {
        let mut command = home.command(program("abided"));
        command.args(["--ready-fd", "1"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("abided");
        let mut said = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
        if said == "ready\n" {
            return Ok(Self { child });
        }
        child.wait().expect("wait");
        Err(said)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(super) fn crash(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Waits until it has left by itself; false where it failed.
    pub(super) fn left(mut self) -> bool {
        crate::support::ended(self.child.id());
        self.child.wait().expect("wait").success()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be gone already, by `crash` or by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A client after its handshake.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    inbox: Inbox,
    tag: u64,
}

impl Client {
    /// Connects and shakes hands.
    pub(super) fn connect(home: &Home) -> (Self, Welcome) {
        Self::try_connect(home).expect("a supervisor that answers")
    }

    /// As [`Client::connect`].
    pub(super) fn try_connect(home: &Home) -> io::Result<(Self, Welcome)> {
        Self::dial(home)?.greet()
    }

    /// Shakes hands over a connection that somebody made.
    pub(super) fn over(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, inbox: Inbox::default(), tag: 0 }.greet()?.0)
    }

    fn greet(mut self) -> io::Result<(Self, Welcome)> {
        let client = &mut self;
        client.put(
            control::HELLO,
            &Hello { min: control::MIN, max: control::CURRENT, build: "test".into(), start: None },
        )?;
        let (kind, payload) = client.next()?;
        assert_eq!(kind, control::WELCOME, "{}", String::from_utf8_lossy(&payload));
        let welcome = serde_json::from_slice(&payload)?;
        Ok((self, welcome))
    }

    /// Connects and says nothing.
    pub(super) fn dial(home: &Home) -> io::Result<Self> {
        let stream = UnixStream::connect(home.paths().control_socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, inbox: Inbox::default(), tag: 0 })
    }

    pub(super) fn put(&mut self, kind: u8, what: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::push(&mut bytes, kind, &serde_json::to_vec(what)?);
        self.stream.write_all(&bytes)
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            if let Some((kind, payload)) = self.inbox.next_frame().map_err(io::Error::other)? {
                return Ok((kind, payload.to_vec()));
            }
            let mut chunk = [0; 1 << 16];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.inbox.extend(&chunk[..n]),
            }
        }
    }

    /// The next answer.
    pub(super) fn answer(&mut self) -> io::Result<Answer> {
        let (kind, payload) = self.next()?;
        assert_eq!(kind, control::ANSWER);
        Ok(serde_json::from_slice(&payload)?)
    }

    /// Asks; returns the tag.
    pub(super) fn ask(&mut self, command: Command, context: Option<Context>) -> io::Result<u64> {
        self.tag += 1;
        self.put(control::REQUEST, &Request { tag: self.tag, command, context })?;
        Ok(self.tag)
    }

    /// Asks, and waits for the answer.
    pub(super) fn get(&mut self, command: Command) -> Reply {
        let tag = self.ask(command, None).expect("asked");
        let answer = self.answer().expect("answered");
        assert!(answer.last && answer.tag == tag, "{answer:?}");
        answer.reply
    }

    /// All sessions.
    pub(super) fn list(&mut self) -> Vec<View> {
        match self.get(Command::List { all: true, cwd: None }) {
            Reply::List { sessions } => sessions,
            other => panic!("no list: {other:?}"),
        }
    }

    /// Runs a plain command; panics where it is refused.
    pub(super) fn run(&mut self, argv: &[&str]) -> View {
        match self.try_run(spec(argv), &[]) {
            Reply::Session { session } => *session,
            other => panic!("not started: {other:?}"),
        }
    }

    /// Runs, with more variables.
    pub(super) fn try_run(&mut self, spec: RunSpec, more: &[&str]) -> Reply {
        self.ask(Command::Run(spec), Some(context(more))).expect("asked");
        self.answer().expect("answered").reply
    }
}

/// A plain command.
pub(super) fn spec(argv: &[&str]) -> RunSpec {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    RunSpec {
        request: format!("{:016x}{count:016x}", std::process::id()),
        name: None,
        agent: None,
        argv: argv.iter().map(|arg| Text::from(*arg)).collect(),
        prompt: None,
        cwd: "/".into(),
        env_names: Vec::new(),
        pinned: false,
        restart: None,
        asked_for: Vec::new(),
    }
}

/// What a client brings along.
pub(super) fn context(more: &[&str]) -> Context {
    let path = std::env::var("PATH").expect("PATH");
    let mut env = vec![Text(format!("PATH={path}").into_bytes()), Text::from("LANG=C")];
    env.extend(more.iter().map(|v| Text::from(*v)));
    Context { env, asked_for: Vec::new(), umask: 0o22, limits: Vec::new() }
}
