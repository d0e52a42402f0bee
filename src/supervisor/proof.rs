//! The proof of a build before it replaces the running one: a real start, on a copy of the records, up to an answered
//! list of sessions, while this supervisor serves on.
//!
//! Two sides. The running supervisor makes a home in a private folder, with a copy of all records, and a link to the
//! socket of one live host; starts the build there with `--self-check`, and bounds it. The build does what it does at
//! each start, but starts and ends nothing, and prints to standard output, a line each:
//!
//! | Line | |
//! |---|---|
//! | `abided VERSION` | first of all |
//! | `session ID` | each session that it lists through its own socket |
//! | `ready` | last |
//!
//! It exits with 0 then. What it says on standard error is the reason that people are told where it does not. Nothing of
//! the real state is touched: not the socket, the locks, the journal or a session.

use super::input::{Input, Inputs};
use super::writer::Writer;
use crate::VERSION;
use crate::core::id::SessionId;
use crate::core::upgrade::Event;
use crate::paths::Paths;
use crate::service::start;
use crate::sys::dirs::{self, Links};
use crate::sys::fd::{self, Interest, Poller};
use crate::sys::{exec, spawn};
use crate::wire::frame::Inbox;
use crate::wire::host::{self, Reply, Request};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long the build may take. The running one's clients notice nothing of it.
const WITHIN: Duration = Duration::from_secs(3);
/// How long the copy may take: the disk may be busy, and saves come first.
const COPY_WITHIN: Duration = Duration::from_secs(30);
/// So many hosts are tried at most, for one that answers within the time after that.
const HOSTS: usize = 5;
const HOST_WITHIN: Duration = Duration::from_millis(200);
/// What the build may say on each of its outputs, at most; the rest is cut off.
const LIMIT: usize = 4 << 20;
/// Characters of its last word that people are shown.
const LAST_WORD: usize = 300;

/// The marker that a home is for a proof. Without it `--self-check` does nothing: it is not for people.
const MARK: &str = "self-check";

/// A proof that is about to be made.
pub(super) struct Proof {
    program: PathBuf,
    home: PathBuf,
    copied: Receiver<Result<(), String>>,
    expected: BTreeSet<SessionId>,
    /// Sockets of live hosts: where they are, and where the build will look for them.
    hosts: Vec<(PathBuf, PathBuf)>,
}

/// Is this home one that a running supervisor made for a proof?
pub(super) fn is_for_proofs(paths: &Paths) -> bool {
    paths.home.as_ref().is_some_and(|home| home.join(MARK).exists())
}

/// Where a home for proofs is: in the runtime folder, or beside it where the paths of sockets would get too long.
fn home_of(paths: &Paths) -> PathBuf {
    let inside = paths.runtime.join("proof");
    let longest = below(&inside).host_socket("00000000");
    if dirs::check_socket_path(&longest).is_ok() {
        return inside;
    }
    std::env::temp_dir().join(format!("abide-proof-{}", std::process::id()))
}

fn below(home: &Path) -> Paths {
    Paths {
        runtime: home.join("run"),
        state: home.join("state"),
        config: home.join("config"),
        home: Some(home.to_owned()),
    }
}

/// Removes what a supervisor left behind that died during a proof.
pub(super) fn clean_up(paths: &Paths) {
    remove(&home_of(paths));
}

fn remove(home: &Path) {
    match std::fs::remove_dir_all(home) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %home.display(), %error, "cannot remove what a proof left behind");
        }
        Ok(()) | Err(_) => {}
    }
}

impl Proof {
    /// Prepares the home, and has the records copied. `hosts` are live sessions: one of their hosts has to understand the
    /// build.
    ///
    /// # Errors
    /// Why not, for people.
    pub(super) fn prepare(
        program: PathBuf,
        paths: &Paths,
        writer: &Writer,
        expected: Vec<SessionId>,
        hosts: Vec<SessionId>,
    ) -> Result<Self, String> {
        let home = home_of(paths);
        remove(&home);
        let copy = below(&home);
        let failed = |e: &dyn std::fmt::Display| format!("no place for its proof: {e}");
        dirs::make_private_dir(&home, Links::Refused).map_err(|e| failed(&e))?;
        std::fs::write(home.join(MARK), "").map_err(|e| failed(&e))?;
        copy.prepare().map_err(|e| failed(&e))?;
        dirs::make_private_dir(&copy.config, Links::Refused).map_err(|e| failed(&e))?;
        match std::fs::copy(paths.config_file(), copy.config_file()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&e)),
            Ok(_) | Err(_) => {}
        }
        let hosts = hosts
            .iter()
            .take(HOSTS)
            .map(|id| (paths.host_socket(&id.to_string()), copy.host_socket(&id.to_string())))
            .collect();
        let copied = writer.copy(copy);
        Ok(Self { program, home, copied, expected: expected.into_iter().collect(), hosts })
    }

    /// Makes it, on a thread of its own; the outcome is an input.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(self, inputs: Inputs) -> io::Result<()> {
        let make = move || {
            let begin = Instant::now();
            let outcome = self.make();
            remove(&self.home);
            let (version, failure) = outcome;
            let after = super::upgrade::stamp_at(&self.program);
            let took = begin.elapsed().as_millis();
            tracing::info!(version, took_ms = took, failure, "another build was started beside this one");
            // Without an engine nobody waits for it.
            _ = inputs.send(Input::Upgrade(Event::Proved { version, failure, after }));
        };
        std::thread::Builder::new().name("proof".into()).spawn(make).map(drop)
    }

    fn make(&self) -> (String, Option<String>) {
        let nothing = |why: String| (String::new(), Some(why));
        match self.copied.recv_timeout(COPY_WITHIN) {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return nothing(format!("the records could not be copied for its proof: {why}")),
            Err(_) => return nothing("the records could not be copied for its proof in time".into()),
        }
        // One that hangs would hang the build too, which is not to blame.
        if let Some((real, seen)) = self.hosts.iter().find(|(socket, _)| answers(socket))
            && let Err(e) = symlink(real, seen)
        {
            return nothing(format!("no place for its proof: {e}"));
        }
        let mut command = Command::new(&self.program);
        command.arg("--self-check");
        start::environment(&mut command, &below(&self.home));
        command.env("ABIDE_SERVICE", "standalone").env_remove("ABIDE_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).current_dir("/");
        spawn::end_with_starter(&mut command);
        match command.spawn() {
            Ok(child) => self.judge(child),
            Err(e) => nothing(format!("it cannot be executed: {e}")),
        }
    }

    fn judge(&self, mut child: Child) -> (String, Option<String>) {
        let said = listen(&mut child, Instant::now() + WITHIN);
        // Also what it left behind in its process group.
        if let Ok(group) = i32::try_from(child.id())
            && let Err(error) = crate::sys::signal::send_group(group, crate::sys::signal::KILL)
            && said.is_none()
        {
            tracing::warn!(%error, "cannot end a build that does not prove itself");
        }
        let status = child.wait();
        let Some((out, err)) = said else {
            return (String::new(), Some(format!("it was not ready within {} s", WITHIN.as_secs())));
        };
        let version = out.lines().next().and_then(|line| line.strip_prefix("abided ")).map(printable);
        let failure = match status {
            Ok(status) => self.failure(status, &out, &err),
            Err(e) => Some(format!("it cannot be waited for: {e}")),
        };
        (version.unwrap_or_default(), failure)
    }

    fn failure(&self, status: ExitStatus, out: &str, err: &str) -> Option<String> {
        let said = err.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(printable);
        if err.contains("--self-check") && !status.success() {
            return Some(
                "it is too old to prove itself; to use it all the same: abide daemon stop, then any command"
                    .into(),
            );
        }
        let with_word = |what: String| match &said {
            Some(word) => format!("{what}: {word}"),
            None => what,
        };
        if let Some(signal) = status.signal() {
            return Some(with_word(format!("its start was ended by signal {signal}")));
        }
        if !status.success() {
            return Some(with_word(format!("its start failed ({})", status.code().unwrap_or(-1))));
        }
        if out.lines().next_back() != Some("ready") {
            return Some("it did not say that it is ready".into());
        }
        let listed: BTreeSet<SessionId> =
            out.lines().filter_map(|line| line.strip_prefix("session ")?.parse().ok()).collect();
        match self.expected.difference(&listed).count() {
            0 => None,
            n => Some(with_word(format!(
                "it cannot read the records of {n} of {} sessions",
                self.expected.len()
            ))),
        }
    }
}

/// Does the host behind this socket understand the running build?
fn answers(socket: &Path) -> bool {
    let hello = Request::Hello { min: host::MIN, max: host::CURRENT, build: VERSION.to_owned() };
    let greet = || -> io::Result<bool> {
        let mut stream = fd::connect(socket, HOST_WITHIN)?;
        stream.write_all(&hello.frame())?;
        let mut inbox = Inbox::default();
        let mut piece = [0; 4096];
        loop {
            if let Ok(Some((kind, payload))) = inbox.next_frame() {
                return Ok(matches!(Reply::decode(kind, payload), Ok(Reply::Welcome(_))));
            }
            match stream.read(&mut piece)? {
                0 => return Ok(false),
                n => inbox.extend(&piece[..n]),
            }
        }
    };
    greet().unwrap_or(false)
}

/// One line of somebody else's text.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LAST_WORD).collect()
}

/// What a child says on both outputs until it closes them; none where it does not in time.
fn listen(child: &mut Child, until: Instant) -> Option<(String, String)> {
    let (mut out, mut err) = (child.stdout.take()?, child.stderr.take()?);
    let (mut texts, mut open) = ([Vec::new(), Vec::new()], [true, true]);
    let mut poller = Poller::default();
    while open != [false, false] {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        poller.clear();
        // A closed one would be reported for ever.
        let interest = Interest { read: true, write: false };
        let numbers = [
            open[0].then(|| poller.add(out.as_fd(), interest)),
            open[1].then(|| poller.add(err.as_fd(), interest)),
        ];
        poller.wait(Some(left)).ok()?;
        for n in 0..2 {
            let ready = numbers[n].map(|number| poller.ready(number)).unwrap_or_default();
            if !(ready.read || ready.hangup) {
                continue;
            }
            let mut piece = [0; 8192];
            let read = if n == 0 { out.read(&mut piece) } else { err.read(&mut piece) };
            match read {
                Ok(0) | Err(_) => open[n] = false,
                Ok(size) => {
                    let room = LIMIT.saturating_sub(texts[n].len());
                    texts[n].extend_from_slice(&piece[..size.min(room)]);
                }
            }
        }
    }
    let [out, err] = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    Some((out, err))
}

/// For a build that proves itself: it ends in time whatever it does, also where whoever started it died.
pub(super) fn bound() {
    exec::end_after(10);
}
