//! The pseudo-terminal and the program that is started on it.

use super::confine::View;
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{
    self, ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Both ends of a pseudo-terminal.
///
/// The program's end stays open here too: a program that closes its terminal and opens it again finds it as it was,
/// and a poll of the other end never reports a hang-up without end.
#[derive(Debug)]
pub struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
}

impl Pty {
    /// A new one of this size, with the usual line settings.
    ///
    /// # Errors
    /// Where the system has none left, or refuses the settings.
    pub fn open(cols: u16, rows: u16) -> io::Result<Self> {
        let OpenptyResult { master, slave } = openpty(Some(&size(cols, rows)), None)?;
        for fd in [&master, &slave] {
            nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
        }
        // `O_NONBLOCK` belongs to the open file, and nobody else ever holds this end's.
        nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
        let pty = Self { master, slave };
        pty.make_sane()?;
        Ok(pty)
    }

    fn make_sane(&self) -> io::Result<()> {
        use SpecialCharacterIndices as C;
        let mut t = termios::tcgetattr(&self.slave)?;
        t.input_flags = InputFlags::ICRNL | InputFlags::IXON | InputFlags::IMAXBEL | InputFlags::IUTF8;
        t.output_flags = OutputFlags::OPOST | OutputFlags::ONLCR;
        t.control_flags = ControlFlags::CS8 | ControlFlags::CREAD;
        t.local_flags = LocalFlags::ISIG
            | LocalFlags::ICANON
            | LocalFlags::IEXTEN
            | LocalFlags::ECHO
            | LocalFlags::ECHOE
            | LocalFlags::ECHOK
            | LocalFlags::ECHOCTL
            | LocalFlags::ECHOKE;
        for (index, key) in [
            (C::VINTR, 0x03),
            (C::VQUIT, 0x1c),
            (C::VERASE, 0x7f),
            (C::VKILL, 0x15),
            (C::VEOF, 0x04),
            (C::VSTART, 0x11),
            (C::VSTOP, 0x13),
            (C::VSUSP, 0x1a),
            (C::VREPRINT, 0x12),
            (C::VWERASE, 0x17),
            (C::VLNEXT, 0x16),
            (C::VDISCARD, 0x0f),
            (C::VMIN, 1),
            (C::VTIME, 0),
        ] {
            t.control_chars[index as usize] = key;
        }
        termios::cfsetspeed(&mut t, termios::BaudRate::B38400)?;
        Ok(termios::tcsetattr(&self.slave, SetArg::TCSANOW, &t)?)
    }

    /// The end that a host holds, for polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Reads what was written to the terminal; `WouldBlock` while there is nothing.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(&self.master, buffer)?)
    }

    /// Types `bytes`, as many as there is room for; `WouldBlock` while there is none.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(&self.master, bytes)?)
    }

    /// Sets the size and so signals the foreground, if it is another one.
    ///
    /// # Errors
    /// As the `ioctl`.
    pub fn resize(&self, cols: u16, rows: u16) -> io::Result<()> {
        let size = size(cols, rows);
        // SAFETY: the request reads one `winsize`, which lives through the call.
        if unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// The process group in the foreground, if there is one.
    pub fn foreground(&self) -> Option<i32> {
        nix::unistd::tcgetpgrp(&self.master).ok().map(nix::unistd::Pid::as_raw).filter(|group| *group > 1)
    }

    /// The program reads whole lines, as a shell without line editing does.
    pub fn reads_lines(&self) -> bool {
        termios::tcgetattr(&self.slave).is_ok_and(|t| t.local_flags.contains(LocalFlags::ICANON))
    }
}

fn size(cols: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }
}

/// A program to start.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// It and its arguments. Without a slash it is looked up in `PATH` of `env`.
    pub argv: &'a [Vec<u8>],
    /// Its whole environment, `NAME=value` each.
    pub env: &'a [Vec<u8>],
    /// Working directory.
    pub cwd: &'a [u8],
    /// File mode creation mask.
    pub umask: u32,
    /// `RLIMIT_*` number, soft and hard limit.
    pub limits: &'a [(u32, u64, u64)],
    /// How much more eagerly than us the system ends it when memory runs out, where there is such a thing.
    pub oom_score_adj: i16,
    /// What it sees of the file system, where that is not what we see.
    pub view: Option<&'a View>,
}

/// The step of a start that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Finding or executing the program.
    Exec,
    /// Changing into the working directory.
    Cwd,
    /// Making the terminal the program's own.
    Terminal,
    /// Making the process.
    Process,
    /// Giving it its view of the file system: the place of the path, from 1; 0 for the view as a whole.
    View(u32),
}

/// Why a program did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartError {
    /// What failed.
    pub step: Step,
    /// The system's error number.
    pub errno: i32,
}

impl StartError {
    fn new(step: Step, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}

/// Starts a program as the leader of a session of its own on the terminal, and waits until it was executed.
///
/// Only for a process with a single thread.
///
/// # Errors
/// What failed; nothing is left of the process then.
pub fn start(pty: &Pty, program: &Program<'_>) -> Result<i32, StartError> {
    let prepared = Prepared::new(pty, program)?;
    let process = |error: &io::Error| StartError::new(Step::Process, error);
    let (report, report_end) = pipe().map_err(|e| process(&e))?;

    // No handler of this process may run in the new one.
    let blocked = Blocked::all().map_err(|e| process(&e))?;
    // SAFETY: this process has one thread, and the new one calls only what is async-signal-safe until it executes.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: this is the new process, and it never returns from there.
        unsafe { prepared.run(report_end.as_raw_fd()) }
    }
    let forked = if pid < 0 { Err(process(&io::Error::last_os_error())) } else { Ok(()) };
    drop(blocked);
    drop(report_end);
    forked?;

    match read_report(&report) {
        None => Ok(pid),
        Some(error) => {
            let mut status = 0;
            // SAFETY: waits for the process that was made above, which is ending.
            while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
            Err(error)
        }
    }
}

/// The pipe closes without a word when the program was executed.
fn read_report(report: &OwnedFd) -> Option<StartError> {
    let mut bytes = [0; REPORT];
    let mut length = 0;
    while length < REPORT {
        match nix::unistd::read(report, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(nix::Error::EINTR) => {}
            Err(error) => return Some(StartError { step: Step::Process, errno: error as i32 }),
        }
    }
    let step = match bytes[0] {
        _ if length < REPORT => return None,
        1 => Step::Exec,
        2 => Step::Cwd,
        3 => Step::Terminal,
        5 => Step::View(u32::from_ne_bytes([bytes[5], bytes[6], bytes[7], bytes[8]])),
        _ => Step::Process,
    };
    Some(StartError { step, errno: i32::from_ne_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) })
}

/// A step, an error number, and what the step says more.
const REPORT: usize = 9;

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe()?;
    for fd in [&read, &write] {
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((read, write))
}

/// All signals are blocked while this lives.
struct Blocked(nix::sys::signal::SigSet);

impl Blocked {
    fn all() -> io::Result<Self> {
        use nix::sys::signal::{SigSet, SigmaskHow};
        Ok(Self(SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // A mask that was in force cannot be refused.
        let _ = self.0.thread_set_mask();
    }
}

/// All that the new process needs, made before it exists: between `fork` and `execve` nothing may be allocated.
struct Prepared {
    slave: i32,
    candidates: Vec<CString>,
    cwd: CString,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    umask: libc::mode_t,
    limits: Vec<(u32, libc::rlimit)>,
    oom_score_adj: CString,
    view: Option<View>,
    // The pointers above point into these.
    _strings: Vec<CString>,
}

impl Prepared {
    fn new(pty: &Pty, program: &Program<'_>) -> Result<Self, StartError> {
        let invalid = |step| StartError { step, errno: libc::EINVAL };
        let c = |bytes: &[u8], step| CString::new(bytes).map_err(|_| invalid(step));
        let name = program.argv.first().ok_or(invalid(Step::Exec))?;
        let mut strings = Vec::with_capacity(program.argv.len() + program.env.len());
        let (mut argv, mut envp) = (Vec::new(), Vec::new());
        for (list, pointers) in [(program.argv, &mut argv), (program.env, &mut envp)] {
            for item in list {
                let string = c(item, Step::Exec)?;
                pointers.push(string.as_ptr());
                strings.push(string);
            }
            pointers.push(std::ptr::null());
        }
        let candidates =
            candidates(name, program.env).iter().map(|p| c(p, Step::Exec)).collect::<Result<_, _>>()?;
        let limits =
            program.limits.iter().filter_map(|&(what, soft, hard)| clamped(what, soft, hard)).collect();
        Ok(Self {
            slave: pty.slave.as_raw_fd(),
            candidates,
            cwd: c(program.cwd, Step::Cwd)?,
            argv,
            envp,
            umask: libc::mode_t::try_from(program.umask & 0o777).unwrap_or(0o077),
            limits,
            oom_score_adj: c(raised_oom_score(program.oom_score_adj).to_string().as_bytes(), Step::Process)?,
            view: program.view.cloned(),
            _strings: strings,
        })
    }

    /// The new process, up to the program or to its end.
    ///
    /// # Safety
    /// Only in a process that `fork` has just made, with all signals blocked.
    unsafe fn run(&self, report: i32) -> ! {
        // SAFETY: only async-signal-safe functions, with pointers into memory that was made before the fork.
        unsafe {
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            if libc::setsid() < 0 || libc::ioctl(self.slave, libc::TIOCSCTTY as _, 0) < 0 {
                fail(report, 3, 0);
            }
            // The leader of a new session on a new terminal is in its foreground; a failure shows only later.
            libc::tcsetpgrp(self.slave, libc::getpid());
            for fd in 0..3 {
                if libc::dup2(self.slave, fd) < 0 {
                    fail(report, 3, 0);
                }
            }
            libc::umask(self.umask);
            set_oom_score(&self.oom_score_adj);
            // Everything of this program is closed on execution already; this is for what a library may open.
            #[cfg(target_os = "linux")]
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if let Some(view) = &self.view
                && let Err(number) = view.enter()
            {
                fail(report, 5, number);
            }
            // Only now, since it leads into the mounts of a view.
            if libc::chdir(self.cwd.as_ptr()) < 0 {
                fail(report, 2, 0);
            }
            for (what, limit) in &self.limits {
                // They were clamped to what is allowed; one that the system refuses all the same stays as it is.
                libc::setrlimit(*what as _, limit);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            let mut refused = false;
            for candidate in &self.candidates {
                libc::execve(candidate.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
                match errno() {
                    libc::ENOENT | libc::ENOTDIR => {}
                    libc::EACCES => refused = true,
                    _ => fail(report, 1, 0),
                }
            }
            set_errno(if refused { libc::EACCES } else { libc::ENOENT });
            fail(report, 1, 0)
        }
    }
}

/// Our own score and so much more: a service manager gives its services a high one already.
fn raised_oom_score(by: i16) -> i16 {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").ok();
    let own: i16 = own.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    own.saturating_add(by).clamp(-1000, 1000)
}

/// # Safety
/// As [`Prepared::run`].
#[cfg(target_os = "linux")]
unsafe fn set_oom_score(value: &std::ffi::CStr) {
    // SAFETY: async-signal-safe calls on strings that live. It may not be allowed to be lowered; the default does.
    unsafe {
        let fd = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd >= 0 {
            libc::write(fd, value.as_ptr().cast(), value.count_bytes());
            libc::close(fd);
        }
    }
}

/// No process of this platform has such a score.
///
/// # Safety
/// None is needed.
#[cfg(not(target_os = "linux"))]
unsafe fn set_oom_score(_value: &std::ffi::CStr) {}

/// Reports the present error number for a step, and ends.
///
/// # Safety
/// As [`Prepared::run`].
unsafe fn fail(report: i32, step: u8, more: u32) -> ! {
    // SAFETY: async-signal-safe calls; the bytes live on the stack.
    unsafe {
        let number = errno().to_ne_bytes();
        let more = more.to_ne_bytes();
        let mut bytes = [step; REPORT];
        bytes[1..5].copy_from_slice(&number);
        bytes[5..].copy_from_slice(&more);
        libc::write(report, bytes.as_ptr().cast(), REPORT);
        libc::_exit(127)
    }
}

fn errno() -> i32 {
    nix::errno::Errno::last_raw()
}

fn set_errno(number: i32) {
    nix::errno::Errno::set_raw(number);
}

/// Where the program may be, in the order of trying, as `execvp` has it.
fn candidates(name: &[u8], env: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if name.is_empty() || name.contains(&b'/') {
        return vec![name.to_vec()];
    }
    let path = env.iter().find_map(|v| v.strip_prefix(b"PATH=")).unwrap_or(b"/usr/local/bin:/usr/bin:/bin");
    path.split(|b| *b == b':')
        .map(|folder| [if folder.is_empty() { b".".as_slice() } else { folder }, b"/", name].concat())
        .collect()
}

/// A limit, lowered to the hard limit that this process has; nothing where the system has no such limit.
fn clamped(what: u32, soft: u64, hard: u64) -> Option<(u32, libc::rlimit)> {
    let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one `rlimit`, which lives through the call.
    if unsafe { libc::getrlimit(what as _, &raw mut own) } != 0 {
        return None;
    }
    let to_system = |v: u64| if v == u64::MAX { libc::RLIM_INFINITY } else { v as libc::rlim_t };
    let rlim_max = to_system(hard).min(own.rlim_max);
    Some((what, libc::rlimit { rlim_cur: to_system(soft).min(rlim_max), rlim_max }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<Vec<u8>> {
        items.iter().map(|s| s.as_bytes().to_vec()).collect()
    }

    /// The platforms do not agree on the type.
    fn number(resource: impl TryInto<u32>) -> u32 {
        resource.try_into().ok().expect("a small number")
    }

    #[test]
    fn a_program_is_looked_up_as_execvp_does() {
        let env = list(&["HOME=/h", "PATH=/a::b", "PATH=/later"]);
        assert_eq!(candidates(b"x", &env), list(&["/a/x", "./x", "b/x"]));
        assert_eq!(candidates(b"./x", &env), list(&["./x"]));
        assert_eq!(candidates(b"", &env), list(&[""]));
        assert!(!candidates(b"x", &[]).is_empty());
    }

    #[test]
    fn a_limit_is_never_above_the_own_hard_limit() {
        let what = number(libc::RLIMIT_NOFILE);
        let (_, limit) = clamped(what, u64::MAX, u64::MAX).expect("a limit that every system has");
        let (_, again) = clamped(what, 5, 1).expect("as before");
        assert!(limit.rlim_cur <= limit.rlim_max);
        assert_eq!((again.rlim_cur, again.rlim_max), (1, 1));
        assert!(clamped(9999, 1, 1).is_none());
    }

    #[test]
    fn a_new_terminal_has_its_size_and_reads_lines() {
        let pty = Pty::open(200, 50).expect("a pseudo-terminal");
        assert!(pty.reads_lines());
        assert_eq!(pty.foreground(), None);
        assert_eq!(pty.read(&mut [0; 8]).expect_err("nothing yet").kind(), io::ErrorKind::WouldBlock);
        pty.resize(80, 24).expect("resize");
    }
}
