//! The control socket: handed over by the service manager, or our own.
//!
//! Either way the supervisor holds the daemon lock, so that there is one. A socket of our own appears under its name
//! only when it accepts, and its name is removed only while it still leads to this socket.

use super::handover::Handover;
use super::launchd::{activation, agent::SOCKET_NAME};
use crate::paths::Paths;
use crate::sys::dirs::{self, DirError, Lock, SocketName};
use crate::sys::process::{self, Process, Signal};
use crate::sys::{exec, spawn};
use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a supervisor waits for a predecessor that is about to leave.
const PREDECESSOR_LEAVES: Duration = Duration::from_secs(5);

/// And one that holds the socket of a service manager, before it asks whoever has the lock to leave.
const SOON: Duration = Duration::from_millis(500);

/// The variables of socket activation. `LISTEN_FDS_FIRST_FD` is of other launchers only.
const ACTIVATION: [&str; 5] =
    ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "LISTEN_FDS_FIRST_FD"];

/// There is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A supervisor runs already.
    #[error("a supervisor runs already{by}: `abide daemon stop` ends it, and no session", by = by(.0))]
    Running(Option<u32>),
    /// A file could not be used.
    #[error("{doing} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// What the supervisor before this one handed over cannot be used. The service manager, or the next command, starts
    /// a fresh one.
    #[error("the supervisor that was exchanged for this one handed over {0}")]
    HandedOver(String),
    /// What the service manager handed over is not our socket.
    #[error(
        "the service manager handed over {what}, where the socket {expected} belongs: compare the socket's path in what \
         is installed (abide.socket, or local.abide.plist) with `abide daemon status`",
        expected = .expected.display()
    )]
    Inherited {
        /// What it is.
        what: String,
        /// What it should be.
        expected: PathBuf,
    },
}

fn by(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// The control socket, held with the daemon lock.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    // Before the lock, since fields are dropped in order: the name goes while nobody else may take it.
    own: Option<SocketName>,
    path: PathBuf,
    handed_over: bool,
    lock: Lock,
}

impl Listener {
    /// Takes over the inherited socket, or makes one. To be called before the first thread, since it removes the
    /// variables of activation from the environment; after [`Paths::prepare`].
    ///
    /// # Errors
    /// [`ListenError`]: a second supervisor, an inherited descriptor that is not our socket, or no socket can be made.
    pub fn acquire(paths: &Paths) -> Result<Self, ListenError> {
        let path = paths.control_socket();
        if let Some(handover) = Handover::take().map_err(ListenError::HandedOver)? {
            spawn::forget_variables(&ACTIVATION);
            return Self::take_over(handover, paths, path);
        }
        let inherited = inherited(&path)?;
        let lock = daemon_lock(paths, inherited.is_some())?;
        let (socket, own) = match inherited {
            Some(socket) => (socket, None),
            None => dirs::bind_private(&path).map(|(socket, name)| (socket, Some(name)))?,
        };
        Ok(Self { socket, own, path, handed_over: false, lock })
    }

    fn take_over(handover: Handover, paths: &Paths, path: PathBuf) -> Result<Self, ListenError> {
        let wrong = |what: String| ListenError::HandedOver(what);
        let socket = exec::take_kept(handover.listener).map_err(|e| wrong(format!("no socket ({e})")))?;
        let socket = UnixListener::from(socket);
        let own = handover.own.map(|identity| SocketName::take_over(&path, identity));
        match &own {
            // One of our own was bound under another name, so its address says nothing. That the name leads to this very
            // descriptor shows when this process asks itself through it.
            Some(name) if name.is_ours() => check_listens(&socket).map_err(wrong)?,
            Some(_) => return Err(wrong(format!("a socket whose name {} is gone", path.display()))),
            None => check(&socket, &path).map_err(wrong)?,
        }
        let lock = exec::take_kept(handover.lock).and_then(|fd| Lock::take_over(fd, &paths.daemon_lock()));
        let lock = lock.map_err(|e| wrong(format!("no lock ({e})")))?;
        Ok(Self { socket, own, path, handed_over: true, lock })
    }

    /// Did another build run in this process before, and hand the socket over?
    pub fn is_handed_over(&self) -> bool {
        self.handed_over
    }

    /// What a build that is executed in this process's place needs: the variable that says so, and the descriptors that
    /// must stay open.
    pub fn hand_over(&self) -> (Handover, [BorrowedFd<'_>; 2]) {
        let handover = Handover {
            listener: exec::number(&self.socket),
            lock: exec::number(self.lock.file()),
            own: self.own.as_ref().map(SocketName::identity),
        };
        (handover, [self.socket.as_fd(), self.lock.file().as_fd()])
    }

    /// The socket, for accepting.
    pub fn socket(&self) -> &UnixListener {
        &self.socket
    }

    /// Does a service manager own the socket? Then it holds connections while no supervisor runs.
    pub fn is_inherited(&self) -> bool {
        self.own.is_none()
    }

    /// Has the socket of our own lost its name, to a cleaner of temporary files for instance?
    pub fn is_lost(&self) -> bool {
        self.own.as_ref().is_some_and(|name| !name.is_ours())
    }

    /// Takes a socket of our own out of sight before leaving: who connects from now on finds no supervisor and starts
    /// one. Connections that came before are accepted once more, and then [`Listener::show`] takes it back. An inherited
    /// socket stays where it is, with its queue.
    ///
    /// # Errors
    /// The name cannot be changed.
    pub fn hide(&mut self) -> io::Result<()> {
        let hidden = self.path.with_extension("leaving");
        self.own.as_mut().map_or(Ok(()), |name| name.move_to(&hidden))
    }

    /// Undoes [`Listener::hide`].
    ///
    /// # Errors
    /// The name cannot be changed back.
    pub fn show(&mut self) -> io::Result<()> {
        let path = self.path.clone();
        self.own.as_mut().map_or(Ok(()), |name| name.move_to(&path))
    }
}

/// Takes the daemon lock and writes our process id into it, for messages and for a successor that the manager started.
fn daemon_lock(paths: &Paths, inherited: bool) -> Result<Lock, ListenError> {
    let path = paths.daemon_lock();
    let failed = |source| ListenError::Io { doing: "cannot lock", path: path.clone(), source };
    let soon = if inherited { SOON } else { PREDECESSOR_LEAVES };
    let mut lock = Lock::acquire(&path, soon).map_err(failed)?;
    if lock.is_none() && inherited {
        // The socket's name leads to us: whoever has the lock listens where nobody comes any more, started by a command
        // before the manager listened. Its sessions are ours from here on.
        ask_to_leave(holder(&path)).map_err(failed)?;
        lock = Lock::acquire(&path, PREDECESSOR_LEAVES).map_err(failed)?;
    }
    let lock = lock.ok_or_else(|| ListenError::Running(holder(&path)))?;
    let mut file = lock.file();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(lock)
}

/// Who has the lock, by its own note.
fn holder(path: &Path) -> Option<u32> {
    let mut holder = String::new();
    let read = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut holder));
    read.ok().and_then(|_| holder.trim().parse().ok())
}

/// Sends a supervisor the polite signal, which ends no session. The note may be of an earlier one, whose process id is
/// somebody else's now: only a process of that name is meant.
fn ask_to_leave(holder: Option<u32>) -> io::Result<()> {
    let Some(pid) = holder.filter(|pid| *pid != std::process::id()) else { return Ok(()) };
    match Process::of(pid) {
        Ok(process) if process.name == "abided" => {
            process::signal_exactly(pid, process.start, Signal::SIGTERM).map(drop)
        }
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The socket that the service manager handed over, checked, or none. Afterwards no variable speaks of it.
fn inherited(expected: &Path) -> Result<Option<UnixListener>, ListenError> {
    let wrong = |what: String| ListenError::Inherited { what, expected: expected.into() };
    if let Some(mut sockets) = activation::handed_over(SOCKET_NAME).map_err(wrong)? {
        let one = if sockets.len() == 1 { sockets.pop() } else { None };
        let socket = UnixListener::from(one.ok_or_else(|| wrong(format!("{} descriptors", sockets.len())))?);
        check(&socket, expected).map_err(wrong)?;
        return Ok(Some(socket));
    }
    // `listenfd` takes descriptors for its own where LISTEN_PID is missing; such variables were meant for somebody else.
    let for_us = std::env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()))
        && std::env::var_os("LISTEN_FDS_FIRST_FD").is_none();
    if !for_us {
        spawn::forget_variables(&ACTIVATION);
        return Ok(None);
    }
    let mut handed = ListenFd::from_env();
    spawn::forget_variables(&ACTIVATION);
    match handed.len() {
        0 => return Ok(None),
        1 => {}
        several => return Err(wrong(format!("{several} descriptors"))),
    }
    let socket = handed
        .take_unix_listener(0)
        .map_err(|e| wrong(format!("a descriptor that is no stream socket ({e})")))?
        .ok_or_else(|| wrong("nothing".into()))?;
    check(&socket, expected).map_err(wrong)?;
    Ok(Some(socket))
}

fn check_listens(socket: &UnixListener) -> Result<(), String> {
    let accepts = getsockopt(socket, sockopt::AcceptConn).map_err(|e| format!("a strange socket ({e})"))?;
    if !accepts {
        return Err("a socket that does not listen".into());
    }
    if !spawn::is_cloexec(socket).map_err(|e| e.to_string())? {
        return Err("a socket that stays open in other programs".into());
    }
    Ok(())
}

fn check(socket: &UnixListener, expected: &Path) -> Result<(), String> {
    check_listens(socket)?;
    let address = socket.local_addr().map_err(|e| format!("a socket without an address ({e})"))?;
    let path = address.as_pathname().ok_or("a socket without a path")?;
    // The manager may spell the runtime folder in another way (/var/run).
    if path != expected && real(path).is_none_or(|path| Some(path) != real(expected)) {
        return Err(format!("the socket {}", path.display()));
    }
    Ok(())
}

fn real(path: &Path) -> Option<PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn paths(root: &Path) -> Paths {
        let paths = Paths {
            runtime: root.join("run"),
            state: root.join("state"),
            config: root.join("config"),
            home: Some(root.into()),
        };
        paths.prepare().expect("prepared");
        paths
    }

    #[test]
    fn an_own_socket_can_be_hidden_and_shown_and_goes_with_the_listener() {
        let root = tempfile::tempdir().expect("tempdir");
        let paths = paths(root.path());
        let mut listener = Listener::acquire(&paths).expect("first");
        assert!(!listener.is_inherited());
        let early = UnixStream::connect(paths.control_socket()).expect("accepts");
        listener.hide().expect("hidden");
        UnixStream::connect(paths.control_socket()).expect_err("out of sight");
        listener.socket().accept().expect("who came before is still answered");
        drop(early);
        listener.show().expect("shown");
        UnixStream::connect(paths.control_socket()).expect("found again");
        std::fs::remove_file(paths.control_socket()).expect("a cleaner");
        assert!(listener.is_lost());
        drop(listener);
        Listener::acquire(&paths).expect("the lock went too");
        assert!(!paths.control_socket().exists());
    }

    #[test]
    fn a_socket_is_judged_by_its_path_however_that_is_spelt() {
        let root = tempfile::tempdir().expect("tempdir");
        let (path, other) = (root.path().join("a.sock"), root.path().join("b.sock"));
        let (socket, _name) = dirs::bind_private(&path).expect("bound");
        // The system remembers the name that was bound, which is the temporary one.
        let bound = socket.local_addr().expect("address").as_pathname().expect("path").to_owned();
        check(&socket, &bound).expect("the same");
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).expect("symlink");
        check(&socket, &link.join(bound.file_name().expect("name"))).expect("the same by another way");
        assert!(check(&socket, &other).expect_err("another").starts_with("the socket "));
    }
}
