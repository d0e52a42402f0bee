//! Other processes: what they are, and signals that hit the right one.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod procargs;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

pub use nix::sys::signal::Signal;
use std::io;
use std::path::PathBuf;

/// What the kernel says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its program's name, cut by the kernel to 15 bytes; printable.
    pub name: String,
    /// It has ended and waits for its parent.
    pub zombie: bool,
    /// Its parent; 0 for none.
    pub parent: u32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Device number of its controlling terminal; 0 for none.
    pub terminal: u64,
    /// The foreground process group of that terminal; -1 for none.
    pub foreground: i32,
    /// When it started, in a unit of the platform (Linux: clock ticks since boot). With the id it names one process.
    pub start: u64,
}

impl Process {
    /// Looks at a process.
    ///
    /// # Errors
    /// `NotFound` where there is none, `PermissionDenied` where it is hidden from us, `InvalidData` where the kernel's
    /// answer cannot be read.
    pub fn of(pid: u32) -> io::Result<Self> {
        platform::process(pid)
    }
}

/// When this process started, as [`Process::start`]; 0 where there is none (or none that we may see).
pub fn start_time(pid: u32) -> u64 {
    Process::of(pid).map_or(0, |p| p.start)
}

/// Working directory of a process.
///
/// # Errors
/// As [`Process::of`].
pub fn cwd(pid: u32) -> io::Result<PathBuf> {
    platform::cwd(pid)
}

/// Command line of a process.
///
/// # Errors
/// As [`Process::of`].
pub fn arguments(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    platform::arguments(pid)
}

/// Effective user id of a process.
///
/// # Errors
/// As [`Process::of`].
pub fn user(pid: u32) -> io::Result<u32> {
    platform::user(pid)
}

/// Paths of the control groups of a process, those first by which a service manager keeps processes apart.
///
/// # Errors
/// As [`Process::of`]; `Unsupported` where the platform has none.
pub fn control_groups(pid: u32) -> io::Result<Vec<String>> {
    platform::control_groups(pid)
}

/// Whether a process has a terminal open, of which it is not the other end.
///
/// # Errors
/// As [`Process::of`]; `Unsupported` where the platform does not tell.
pub fn has_terminal_open(pid: u32) -> io::Result<bool> {
    platform::has_terminal_open(pid)
}

/// Whether that very process still runs (a zombie does not).
pub fn is_running(pid: u32, start: u64) -> bool {
    Process::of(pid).is_ok_and(|p| p.start == start && !p.zombie)
}

/// Signals that very process, and its process group where it leads one. False where it is gone.
///
/// # Errors
/// The system's, where the process is there and the signal could not be sent.
pub fn signal_exactly(pid: u32, start: u64, signal: Signal) -> io::Result<bool> {
    match (i32::try_from(pid), Process::of(pid)) {
        // Ids 0 and 1 and negative ones mean other things to kill(2).
        (Ok(raw @ 2..), Ok(process)) if start != 0 && process.start == start && !process.zombie => {
            platform::signal(raw, start, signal, process.group == raw)
        }
        (Ok(_) | Err(_), Ok(_)) => Ok(false),
        (Ok(_) | Err(_), Err(e)) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        (Ok(_) | Err(_), Err(e)) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn we_are_what_we_seem() {
        let me = Process::of(std::process::id()).expect("self");
        assert!(me.start > 0 && !me.zombie && me.parent > 0);
        let here = std::env::current_dir().expect("cwd");
        assert_eq!(cwd(std::process::id()).expect("cwd"), here);
        let own: Vec<_> = std::env::args_os().map(std::os::unix::ffi::OsStringExt::into_vec).collect();
        assert_eq!(arguments(std::process::id()).expect("arguments"), own);
        assert!(is_running(std::process::id(), me.start));
        assert!(!is_running(std::process::id(), me.start + 1));
    }

    #[test]
    fn users_and_terminals_are_told() {
        let own = std::process::id();
        assert_eq!(user(own).expect("user"), nix::unistd::geteuid().as_raw());
        assert!(user(u32::MAX).is_err());
        // Whether there is one depends on who runs the tests; that it can be told does not.
        assert!(has_terminal_open(own).is_ok() || cfg!(not(target_os = "linux")));
    }

    #[test]
    fn a_missing_process_is_not_found() {
        // Above the kernel's largest pid.
        assert_eq!(Process::of(u32::MAX).expect_err("none").kind(), io::ErrorKind::NotFound);
        assert_eq!(start_time(u32::MAX), 0);
        assert!(!signal_exactly(u32::MAX, 1, Signal::SIGTERM).expect("gone"));
    }

    #[test]
    fn a_signal_hits_the_process_with_that_start_time_only() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let start = start_time(child.id());
        assert!(!signal_exactly(child.id(), start + 1, Signal::SIGKILL).expect("other"));
        assert!(!signal_exactly(child.id(), 0, Signal::SIGKILL).expect("unknown"));
        assert!(is_running(child.id(), start));
        assert!(signal_exactly(child.id(), start, Signal::SIGKILL).expect("sent"));
        let status = child.wait().expect("wait");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(!signal_exactly(child.id(), start, Signal::SIGKILL).expect("gone"));
    }
}
