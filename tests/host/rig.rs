//! A host of a test's own, and connections to it.

use crate::support::{Home, PATIENCE, ended, program, until};
use abide::wire::exit::ExitRecord;
use abide::wire::frame::Inbox;
use abide::wire::host::{Birth, CURRENT, MIN, Reply, Request, Status, Welcome};
use abide::wire::order::StartOrder;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

pub(super) const ID: &str = "0badcafe";

/// A home, prepared for one session.
pub(super) struct Rig {
    pub(super) home: Home,
    births: UnixListener,
    pub(super) order: StartOrder,
}

impl Rig {
    /// With an order for this command.
    pub(super) fn new(argv: &[&str]) -> Self {
        Self::with(Home::new(), argv)
    }

    pub(super) fn with(home: Home, argv: &[&str]) -> Self {
        let paths = home.paths();
        paths.prepare().expect("folders");
        let job = paths.job(ID);
        std::fs::create_dir(&job).expect("the session's folder");
        let births = UnixListener::bind(paths.births_socket()).expect("a socket for births");
        let env = [
            ("PATH", std::env::var("PATH").expect("PATH")),
            ("TERM", "xterm-256color".to_owned()),
            ("ABIDE_TEST_HOME", home.path().display().to_string()),
        ];
        let bytes = |p: &Path| p.as_os_str().as_bytes().to_vec();
        let order = StartOrder {
            id: ID.to_owned(),
            generation: 7,
            argv: argv.iter().map(|a| a.as_bytes().to_vec()).collect(),
            cwd: bytes(&home.path().join("user")),
            env: env.iter().map(|(n, v)| format!("{n}={v}").into_bytes()).collect(),
            umask: 0o022,
            limits: Vec::new(),
            cols: 200,
            rows: 50,
            job_dir: bytes(&job),
            socket: bytes(&paths.host_socket(ID)),
            births: bytes(&paths.births_socket()),
            log_keep: 16 << 20,
            scrollback: 10_000,
            oom_score_adj: 0,
            grace_ms: 60_000,
            mounts: Vec::new(),
        };
        Self { home, births, order }
    }

    /// The session's folder.
    pub(super) fn job(&self) -> PathBuf {
        self.home.paths().job(ID)
    }

    /// The host's command line, with its order lying ready.
    pub(super) fn command(&self) -> Command {
        let orders = self.home.paths().orders().expect("orders").expect("a folder in memory");
        let (new, _) = abide::paths::order_names(&orders, ID);
        std::fs::write(new, self.order.encode()).expect("the order");
        let mut command = self.home.command(program("abide-host"));
        command.arg(ID).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts the host and takes its report.
    pub(super) fn launch(&self) -> (Child, Birth) {
        let host = self.command().spawn().expect("abide-host");
        (host, self.birth())
    }

    /// The report of a host that was started.
    pub(super) fn birth(&self) -> Birth {
        let (stream, _) = self.births.accept().expect("a connection");
        let mut link = Link::over(stream);
        let (kind, payload) = link.frame().expect("a report");
        Birth::decode(kind, &payload).expect("a report")
    }

    /// Starts it, and expects that it runs.
    pub(super) fn start(self) -> Session {
        let host = self.command().spawn().expect("abide-host");
        self.adopt(host)
    }

    /// The session of a host that was started, which is expected to run.
    pub(super) fn adopt(self, host: Child) -> Session {
        match self.birth() {
            Birth::Born(welcome) => Session { rig: self, host, welcome },
            failed @ Birth::Failed { .. } => panic!("{failed:?}"),
        }
    }
}

/// A running session.
pub(super) struct Session {
    pub(super) rig: Rig,
    host: Child,
    pub(super) welcome: Welcome,
}

impl Session {
    pub(super) fn new(argv: &[&str]) -> Self {
        Rig::new(argv).start()
    }

    /// A connection that said hello.
    pub(super) fn connect(&self) -> Link {
        let mut link = self.connect_silently();
        link.send(&Request::Hello { min: MIN, max: CURRENT, build: "test".to_owned() });
        match link.next() {
            Reply::Welcome(welcome) => assert_eq!(welcome.id, ID),
            other => panic!("{other:?}"),
        }
        link
    }

    /// A connection that said nothing yet.
    pub(super) fn connect_silently(&self) -> Link {
        Link::over(UnixStream::connect(self.rig.home.paths().host_socket(ID)).expect("the session's socket"))
    }

    /// A terminal of this size that may type.
    pub(super) fn attach(&self, cols: u16, rows: u16) -> Link {
        let mut link = self.connect();
        link.send(&Request::Attach { cols, rows, read_only: false, scrollback: 0 });
        link
    }

    /// A terminal that only looks.
    pub(super) fn look(&self) -> Link {
        let mut link = self.connect();
        link.send(&Request::Attach { cols: 80, rows: 24, read_only: true, scrollback: 0 });
        link
    }

    /// A follower, and its first offset.
    pub(super) fn follow(&self) -> (Link, u64) {
        let mut link = self.connect();
        link.send(&Request::Follow);
        match link.next() {
            Reply::Following { offset } => (link, offset),
            other => panic!("{other:?}"),
        }
    }

    /// A watcher, and its first status.
    pub(super) fn watch(&self) -> (Link, Status) {
        let mut link = self.connect();
        link.send(&Request::Watch);
        let status = link.status(|_| true);
        (link, status)
    }

    pub(super) fn host_pid(&self) -> u32 {
        self.host.id()
    }

    /// Starts the session anew, once its host has ended.
    pub(super) fn again(&mut self) {
        self.ended();
        self.rig.order.generation += 1;
        let (host, birth) = self.rig.launch();
        let Birth::Born(welcome) = birth else { panic!("{birth:?}") };
        (self.host, self.welcome) = (host, welcome);
    }

    /// Waits for the host's own end.
    pub(super) fn ended(&mut self) -> ExitStatus {
        ended(self.host.id());
        self.host.wait().expect("wait")
    }

    /// The exit record on disk.
    pub(super) fn record(&self) -> ExitRecord {
        let bytes = std::fs::read(self.rig.job().join("exit")).expect("an exit record");
        ExitRecord::decode(&bytes).expect("an exit record")
    }

    /// The log, joined: first offset and bytes. Fails on a gap.
    pub(super) fn log(&self) -> (u64, Vec<u8>) {
        let pieces = segments(&self.rig.job());
        let first = pieces.first().map_or(0, |p| p.0);
        let mut all = Vec::new();
        for (start, bytes) in pieces {
            assert_eq!(start, first + all.len() as u64, "a gap in the log");
            all.extend(bytes);
        }
        (first, all)
    }

    /// Waits until a file that the session writes has this content.
    pub(super) fn wrote(&self, path: &Path, content: &str) {
        until(&format!("{content:?} in {}", path.display()), || {
            std::fs::read_to_string(path).is_ok_and(|t| t == content).then_some(())
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // One that was waited for is left alone by this.
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

/// The log's segments: first offset and bytes of each, in order.
pub(super) fn segments(job: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(job).expect("the session's folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_str().expect("UTF-8").to_owned();
        let digits = name.strip_prefix("output.").and_then(|n| n.strip_suffix(".log"));
        if let Some(start) = digits.and_then(|d| d.parse().ok()) {
            found.push((start, std::fs::read(&path).expect("a segment")));
        }
    }
    found.sort();
    found
}

/// A connection. Everything that is waited for comes within [`PATIENCE`], or the test fails.
pub(super) struct Link {
    pub(super) stream: UnixStream,
    inbox: Inbox,
    /// What came while something else was waited for.
    kept: VecDeque<Reply>,
    /// Output that came, in order.
    pub(super) output: Vec<u8>,
}

impl Link {
    pub(super) fn over(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        Self { stream, inbox: Inbox::default(), kept: VecDeque::new(), output: Vec::new() }
    }

    pub(super) fn send(&mut self, request: &Request) {
        self.stream.write_all(&request.frame()).expect("send");
    }

    pub(super) fn input(&mut self, text: &str) {
        self.send(&Request::Input(text.as_bytes().to_vec()));
    }

    /// The next frame; none at the end of the connection.
    pub(super) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((kind, payload)) = self.inbox.next_frame().expect("frames") {
                return Some((kind, payload.to_vec()));
            }
            let mut buffer = [0; 65_536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.inbox.extend(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return None,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("{e} while waiting; output so far: {:?}", tail(&self.output)),
            }
        }
    }

    /// The next message that is no output; none at the end of the connection.
    pub(super) fn try_next(&mut self) -> Option<Reply> {
        if let Some(reply) = self.kept.pop_front() {
            return Some(reply);
        }
        loop {
            let (kind, payload) = self.frame()?;
            match Reply::decode(kind, &payload).expect("a known message") {
                Reply::Output(bytes) => self.output.extend(bytes),
                reply => return Some(reply),
            }
        }
    }

    /// The next message that is no output.
    pub(super) fn next(&mut self) -> Reply {
        self.try_next().expect("a message before the end")
    }

    /// Asks, and takes the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Reply {
        self.send(request);
        self.next()
    }

    /// Waits until the output, from `from` on, has this text; returns where it ends.
    pub(super) fn until_output(&mut self, from: usize, text: &str) -> usize {
        let mut seen = from;
        loop {
            let found = memchr::memmem::find(&self.output[seen.min(self.output.len())..], text.as_bytes());
            if let Some(at) = found {
                return seen + at + text.len();
            }
            // What may be the beginning of it is looked at again.
            seen = seen.max((self.output.len() + 1).saturating_sub(text.len()));
            let (kind, payload) = self
                .frame()
                .unwrap_or_else(|| panic!("the end instead of {text:?} in {:?}", tail(&self.output)));
            match Reply::decode(kind, &payload).expect("a known message") {
                Reply::Output(bytes) => self.output.extend(bytes),
                reply => self.kept.push_back(reply),
            }
        }
    }

    /// Waits for a status of which this holds.
    pub(super) fn status(&mut self, holds: impl Fn(&Status) -> bool) -> Status {
        loop {
            match self.next() {
                Reply::Status(status) if holds(&status) => return status,
                Reply::Status(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// A follower's next piece, which begins where the last one ended.
    pub(super) fn data(&mut self, offset: &mut u64) -> Option<Vec<u8>> {
        match self.try_next()? {
            Reply::Data { offset: at, bytes } => {
                assert_eq!(at, *offset, "a gap, or something twice");
                *offset += bytes.len() as u64;
                Some(bytes)
            }
            Reply::Exited(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the session's end.
    pub(super) fn exited(&mut self) -> ExitRecord {
        loop {
            match self.next() {
                Reply::Exited(record) => return record,
                Reply::Status(_) | Reply::Data { .. } | Reply::Done => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(400)..]).into_owned()
}
