//! Running programs to their end, and waiting for processes that are somebody else's children.

use super::{Output, PATIENCE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs it to its end, standard input closed.
///
/// Fails where it, or anything that kept its standard output open, is still there after [`PATIENCE`]: a program left
/// in the background must let go of the terminal of the one that started it.
pub(crate) fn run(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let pid = child.id();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(PATIENCE) {
        Ok(done) => Output::new(format!("{command:?}"), done.expect("wait")),
        Err(_) => {
            signal(pid, Signal::SIGKILL);
            let said = receive.recv_timeout(Duration::from_secs(2)).map(|d| d.expect("wait"));
            match said {
                Ok(said) => panic!("{command:?} did not end; it said {}", Output::new(String::new(), said)),
                Err(_) => panic!("{command:?}: its output is kept open by something that it started"),
            }
        }
    }
}

/// Sends a signal; a process that is gone already is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    assert!(pid > 1, "never a group, never init");
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(e) => panic!("{signal} to {pid}: {e}"),
    }
}

/// Waits until this process, anybody's child, has ended.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ended(pid: u32) {
    until("the end of a process", || abide::sys::process::Process::of(pid).is_err().then_some(()));
}

/// Waits until this process, anybody's child, has ended.
#[cfg(target_os = "linux")]
pub(crate) fn ended(pid: u32) {
    let Some(handle) = pidfd(pid) else { return };
    let mut wait = [nix::poll::PollFd::new(handle.as_fd(), nix::poll::PollFlags::POLLIN)];
    let patience = nix::poll::PollTimeout::try_from(PATIENCE).expect("fits");
    let events = nix::poll::poll(&mut wait, patience).expect("poll");
    assert_eq!(events, 1, "process {pid} did not end");
}

/// A handle on a process; none where it is gone.
#[cfg(target_os = "linux")]
fn pidfd(pid: u32) -> Option<OwnedFd> {
    // SAFETY: the call takes two integers and returns a descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0) };
    // SAFETY: a fresh descriptor that nobody else owns.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor")) })
}

/// Makes this thread alone another user's; only root can. The thread should end soon, since nothing makes it root's again.
pub(crate) fn become_another_user() {
    const NOBODY: u32 = 65534;
    // SAFETY: integers only; the bare call changes the credentials of this thread alone.
    #[cfg(target_os = "linux")]
    let changed = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    #[cfg(not(target_os = "linux"))]
    let changed = {
        unsafe extern "C" {
            fn pthread_setugid_np(uid: libc::uid_t, gid: libc::gid_t) -> libc::c_int;
        }
        // SAFETY: integers only; as its name says it changes this thread.
        unsafe { pthread_setugid_np(NOBODY, NOBODY) }
    };
    assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
}

/// Waits for what the system announces by no event (a file of another process, a line of `/proc`): asks again and
/// again, rarer and rarer. Prefer `abide wait`, `abide events --follow`, [`ended`] or a terminal's `until`.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let (start, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "never came: {what}");
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
