//! Memory and processor time of a session: its host, its program, and all that these started.
//!
//! A control group of its own counts all of it, what has ended included, and is what the limits are about. Elsewhere the
//! living processes are added up. Everything is read when it is asked for, and nothing is kept up to date.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

use super::process::Process;
use std::io;

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The control group's accounting.
    Cgroup,
    /// The sum over its living processes.
    Processes,
}

/// What a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes. Of a control group: what counts against its limits, cached files included (`memory.current`). Of
    /// processes: each with its share of what it shares with others (PSS), or with all that is resident where the
    /// kernel does not tell the shares.
    pub memory: u64,
    /// See [`Source`].
    pub memory_from: Source,
    /// Bytes that it may use at most; none without a limit.
    pub memory_max: Option<u64>,
    /// Processor time, µs. Of processes: with that of their ended children, as far as these were waited for.
    pub cpu_us: u64,
    /// See [`Source`].
    pub cpu_from: Source,
    /// How many of its processes the kernel killed for want of memory; 0 where nobody counts.
    pub oom_kills: u64,
}

/// Reads usages; all of one reader are of about the same time.
#[derive(Debug, Default)]
pub struct Reader(platform::Reader);

impl Reader {
    /// One that has looked at nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the session uses whose host is this process. `unit` is the name that the session's own control group has if
    /// it has one: any other is shared with strangers.
    ///
    /// # Errors
    /// There is no such process, it is no host, or the system does not tell.
    pub fn of_host(&mut self, pid: u32, unit: &str) -> io::Result<Usage> {
        let process = Process::of(pid)?;
        // The id may have gone to another since somebody looked.
        if process.zombie || process.name != "abide-host" {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.0.of_tree(pid, unit)
    }
}

/// How many processes of this process's own control group the kernel killed for want of memory, where that group belongs
/// to one session; else 0.
pub fn own_oom_kills() -> u64 {
    platform::own_oom_kills()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_no_host_has_no_usage() {
        let own = Reader::new().of_host(std::process::id(), "no.service");
        assert_eq!(own.expect_err("these tests are no host").kind(), io::ErrorKind::NotFound);
        assert!(Reader::new().of_host(u32::MAX, "no.service").is_err());
    }

    #[test]
    fn a_tree_is_added_up() {
        let own = std::process::id();
        let before = Reader::new().0.of_tree(own, "no.service").expect("ourselves");
        assert!(before.memory > 100_000, "{before:?}");
        assert_eq!(before.memory_from, Source::Processes);
        // Children count, whether they live or have been waited for.
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let one = Reader::new().0.of_tree(child.id(), "no.service").expect("the child");
        assert!(one.memory > 0 && one.memory < before.memory, "{one:?} {before:?}");
        drop(child.stdin.take());
        child.wait().expect("its end");
        let counts = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
        assert!(Command::new("sh").args(["-c", counts]).status().expect("sh").success());
        let after = Reader::new().0.of_tree(own, "no.service").expect("ourselves");
        assert!(after.cpu_us >= before.cpu_us + 20_000, "{before:?} {after:?}");
    }
}
