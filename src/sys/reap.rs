//! Children: waiting for them, and finding those that slipped away.

#[cfg(target_os = "linux")]
use super::process::Process;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Exited(u8),
    /// By this signal.
    Signaled(u8),
}

/// A child that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its process id, free from now on.
    pub pid: i32,
    /// How it ended.
    pub ended: Ended,
    /// Its CPU time and that of its waited-for children in user mode, µs.
    pub user_us: u64,
    /// And in the kernel.
    pub system_us: u64,
    /// Peak resident set, KiB.
    pub max_rss_kib: u64,
}

/// What waiting found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// This one ended.
    Reaped(Reaped),
    /// There are children, and all of them live.
    Alive,
    /// There are none.
    Childless,
}

/// Waits for any child without blocking.
pub fn wait_any() -> Waited {
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes one status and one `rusage`, which live through the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage) };
    if pid < 0 {
        return Waited::Childless;
    }
    if pid == 0 {
        return Waited::Alive;
    }
    let ended = if libc::WIFSIGNALED(status) {
        Ended::Signaled(u8::try_from(libc::WTERMSIG(status)).unwrap_or(u8::MAX))
    } else {
        Ended::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    let unit = if cfg!(target_os = "macos") { 1024 } else { 1 };
    Waited::Reaped(Reaped {
        pid,
        ended,
        user_us: micros(usage.ru_utime.tv_sec, usage.ru_utime.tv_usec),
        system_us: micros(usage.ru_stime.tv_sec, usage.ru_stime.tv_usec),
        max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0) / unit,
    })
}

/// The fields of a `timeval`, which have other widths on other platforms, as µs.
fn micros(seconds: impl Into<i64>, micros: impl Into<i64>) -> u64 {
    let total = seconds.into().saturating_mul(1_000_000).saturating_add(micros.into());
    u64::try_from(total).unwrap_or(0)
}

/// Makes this process the parent of every descendant whose own parent ends, where the system can do that.
pub fn become_subreaper() {
    #[cfg(target_os = "linux")]
    // Refused only by a system that does not know it: orphans then go to its first process, unseen.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Leaves the session and the terminal of whoever started this program, if it is not in one of its own already.
pub fn leave_session() {
    // The leader of a process group cannot; then it was given a group, and a session's end does not reach it where
    // SIGHUP is ignored.
    let _ = nix::unistd::setsid();
}

/// All living descendants of `root`, in no order. One that is made meanwhile may be missed: ask again.
#[cfg(target_os = "linux")]
pub fn descendants(root: u32) -> Vec<u32> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<(u32, Process)> = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Process::of(pid).ok()?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|(pid, p)| p.parent == parent && *pid != root).map(|(pid, _)| pid));
        next += 1;
    }
    found.retain(|pid| *pid != root && all.iter().any(|(other, p)| other == pid && !p.zombie));
    found
}

/// All living descendants of `root`, in no order. One that is made meanwhile may be missed: ask again.
#[cfg(target_os = "macos")]
pub fn descendants(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let mut children = [0_i32; 1024];
        let Ok(parent) = i32::try_from(parent) else { break };
        let size = i32::try_from(std::mem::size_of_val(&children)).unwrap_or(0);
        // SAFETY: writes at most `size` bytes into the array, which lives through the call.
        let count = unsafe { libc::proc_listchildpids(parent, children.as_mut_ptr().cast(), size) };
        let count = usize::try_from(count).unwrap_or(0).min(children.len());
        found.extend(
            children[..count].iter().filter_map(|pid| u32::try_from(*pid).ok()).filter(|pid| *pid > 1),
        );
        next += 1;
    }
    found.retain(|pid| *pid != root);
    found
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_a_descendant() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let (pid, own) = (child.id(), std::process::id());
        assert!(descendants(own).contains(&pid));
        drop(child.stdin.take());
        child.wait().expect("its end");
        assert!(!descendants(own).contains(&pid));
    }
}
