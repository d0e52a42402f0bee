//! From a start order to a running session, or to nothing at all.

use super::event_loop::{Host, Parts, Socket};
use super::log::Log;
use super::record;
use crate::sys::confine::{Keeper, View};
use crate::sys::dirs::{self, Links};
use crate::sys::pty::{self, Program, Pty, StartError, Step};
use crate::sys::signal::Signals;
use crate::sys::{fd, process};
use crate::wire::host::{Birth, CURRENT, Stage, Welcome};
use crate::wire::order::StartOrder;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a supervisor that does not answer may hold up a start.
const REPORT: Duration = Duration::from_secs(5);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// A step of a start failed.
struct Failure {
    stage: Stage,
    error: io::Error,
    subject: String,
}

impl Failure {
    fn new(stage: Stage, error: io::Error, subject: &[u8]) -> Self {
        Self { stage, error, subject: String::from_utf8_lossy(subject).into_owned() }
    }
}

/// Starts the session of this order and reports that, or why not, to the supervisor. What does not start leaves no
/// socket, no process and no file.
///
/// # Errors
/// What failed, for a log.
pub(super) fn start(mut order: StartOrder) -> Result<Host, String> {
    let births = path(&order.births);
    let started = bind(&order).and_then(|socket| begin(&mut order, socket));
    let report = match &started {
        Ok(host) => Birth::Born(host.welcome.clone()),
        Err(failure) => Birth::Failed {
            id: order.id.clone(),
            generation: order.generation,
            stage: failure.stage,
            errno: failure.error.raw_os_error().and_then(|n| u16::try_from(n).ok()).unwrap_or(0),
            subject: failure.subject.clone(),
        },
    };
    if !births.as_os_str().is_empty() {
        // A session does not depend on it: a supervisor that is not there finds the session by its socket.
        let _ = fd::connect(&births, REPORT).and_then(|mut stream| stream.write_all(&report.frame()));
    }
    started.map_err(|f| format!("{}: {} ({:?})", f.subject, f.error, f.stage))
}

/// Makes the session's socket. It appears under its name only once it can be connected to.
fn bind(order: &StartOrder) -> Result<Socket, Failure> {
    let files = |error, subject: &[u8]| Failure::new(Stage::Files, error, subject);
    let job = path(&order.job_dir);
    match std::fs::metadata(&job) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(files(io::Error::from_raw_os_error(nix::libc::ENOTDIR), &order.job_dir)),
        Err(error) => return Err(files(error, &order.job_dir)),
    }
    Socket::bind(path(&order.socket)).map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        Failure::new(if taken { Stage::Duplicate } else { Stage::Files }, error, &order.socket)
    })
}

fn begin(order: &mut StartOrder, socket: Socket) -> Result<Host, Failure> {
    match launch(order) {
        Ok(launched) => Ok(launched.into_host(order, socket)),
        Err(failure) => {
            socket.remove();
            Err(failure)
        }
    }
}

/// The running program and what was made for it.
struct Launched {
    pty: Pty,
    signals: Signals,
    log: Log,
    child: i32,
    size: (u16, u16),
    mark: Option<File>,
    keeper: Option<Keeper>,
}

fn launch(order: &StartOrder) -> Result<Launched, Failure> {
    let signals = Signals::catch().map_err(|e| Failure::new(Stage::Process, e, b"signals"))?;
    let folder = path(&order.job_dir);
    let log = signals
        .waker()
        .and_then(|waker| Log::open(&folder, order.log_keep, record::last_offset(&folder), waker))
        .map_err(|e| Failure::new(Stage::Files, e, &order.job_dir))?;
    let size = (order.cols.clamp(1, 1000), order.rows.clamp(1, 500));
    let pty = Pty::open(size.0, size.1).map_err(|e| Failure::new(Stage::Pty, e, b"pseudo-terminal"))?;
    let limits: Vec<_> = order.limits.iter().map(|l| (l.resource, l.soft, l.hard)).collect();
    let mounts = order.mounts.iter().map(|mount| (mount.path.as_slice(), mount.writable));
    let view = View::new(mounts).map_err(|e| Failure::new(Stage::View, e, b""))?;
    let view = Some(view).filter(|_| !order.mounts.is_empty());
    let program = Program {
        argv: &order.argv,
        env: &order.env,
        cwd: &order.cwd,
        umask: order.umask,
        limits: &limits,
        oom_score_adj: order.oom_score_adj,
        view: view.as_ref(),
    };
    let mark = mark(&folder);
    let child = pty::start(&pty, &program).map_err(|e| not_started(e, order))?;
    let keeper = view.and_then(|view| keep(child, view));
    Ok(Launched { pty, signals, log, child, size, mark, keeper })
}

/// Without it the view is what it is until something in it is replaced from outside. That is no reason to end a program
/// that runs: there is none for one that has ended already.
fn keep(child: i32, view: View) -> Option<Keeper> {
    match Keeper::of(child, view) {
        Ok(keeper) => Some(keeper),
        Err(e) => {
            fd::say(&format!("abide-host: what is read-only for the session cannot be kept so: {e}\n"));
            None
        }
    }
}

/// A lock on the session's folder tells that its host lives to whoever shares the folder and cannot see the process: a
/// supervisor in another container. It ends with this process. A session does not depend on it: some file systems have
/// no locks.
fn mark(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn not_started(StartError { step, errno }: StartError, order: &StartOrder) -> Failure {
    let name = order.argv.first().map_or(b"".as_slice(), Vec::as_slice);
    let (stage, subject) = match step {
        Step::Exec => (Stage::Exec, name),
        Step::Cwd => (Stage::Cwd, order.cwd.as_slice()),
        Step::Terminal => (Stage::Pty, b"pseudo-terminal".as_slice()),
        Step::Process => (Stage::Process, name),
        Step::View(number) => {
            let path = number.checked_sub(1).and_then(|at| order.mounts.get(usize::try_from(at).ok()?));
            (Stage::View, path.map_or(b"".as_slice(), |mount| mount.path.as_slice()))
        }
    };
    Failure::new(stage, io::Error::from_raw_os_error(errno), subject)
}

impl Launched {
    fn into_host(self, order: &mut StartOrder, socket: Socket) -> Host {
        let Self { pty, signals, log, child, size, mark, keeper } = self;
        let child_pid = u32::try_from(child).unwrap_or(0);
        let welcome = Welcome {
            version: CURRENT,
            id: order.id.clone(),
            generation: order.generation,
            host_pid: std::process::id(),
            child_pid,
            child_start: process::start_time(child_pid),
            started_ms: wall_ms(),
            build: crate::VERSION.to_owned(),
        };
        // The environment has done its duty; it holds secrets, and room.
        order.env = Vec::new();
        order.mounts = Vec::new();
        let order = order.clone();
        Host::new(Parts { order, welcome, child, pty, signals, socket, log, size, mark, keeper })
    }
}

impl Socket {
    /// A listening socket that appears under its name only once it can be connected to.
    ///
    /// # Errors
    /// `AddrInUse` where somebody listens there; as the system's calls.
    fn bind(path: PathBuf) -> io::Result<Self> {
        if fd::connect(&path, REPORT).is_ok() {
            return Err(io::Error::from_raw_os_error(nix::libc::EADDRINUSE));
        }
        let fresh = path.with_extension("bind");
        // Left by a host that was killed at this very place.
        let _ = std::fs::remove_file(&fresh);
        let listener = fd::listen(&fresh, BACKLOG)?;
        let named = std::fs::symlink_metadata(&fresh).and_then(|found| {
            std::fs::rename(&fresh, &path)?;
            Ok((found.dev(), found.ino()))
        });
        match named {
            Ok(node) => Ok(Self { listener, path, node }),
            Err(error) => {
                let _ = std::fs::remove_file(&fresh);
                Err(error)
            }
        }
    }

    /// The name is another's, or nobody's.
    pub(super) fn is_lost(&self) -> bool {
        !std::fs::symlink_metadata(&self.path).is_ok_and(|f| (f.dev(), f.ino()) == self.node)
    }

    /// Another socket in this one's place, whose name a cleaner of temporary files took away, perhaps with the folder.
    ///
    /// # Errors
    /// As [`Socket::bind`]; the folder cannot be made, or is not ours alone.
    pub(super) fn again(&self) -> io::Result<Self> {
        if let Some(folder) = self.path.parent() {
            dirs::make_private_dir(folder, Links::Refused).map_err(io::Error::other)?;
        }
        Self::bind(self.path.clone())
    }

    /// Removes it from the file system, unless another has taken its place, and accepts nobody any more.
    pub(super) fn remove(self) {
        if !self.is_lost() {
            // One that stays is found to be dead by whoever connects.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether a service manager runs this process: then a SIGTERM may mean that the manager itself goes down.
pub(super) fn is_unit() -> bool {
    std::env::var_os("INVOCATION_ID").is_some()
        || std::fs::read_to_string("/proc/self/cgroup").is_ok_and(|text| text.contains("/abide-session-"))
}

/// Wall clock, ms since the Unix epoch.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn path(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}
