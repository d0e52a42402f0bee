//! Programs that outlive whoever started them, and what a program was handed by whoever started it.

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Starts a program that is nobody's child and in a session of its own: no terminal's end reaches it, and its end leaves
/// no zombie. It starts with default signal handling, in `/`, and with no descriptor but the three that `command` says.
///
/// # Errors
/// As [`Command::spawn`], those of executing the program included.
pub fn spawn_detached(command: &mut Command) -> io::Result<()> {
    command.current_dir("/");
    // SAFETY: the closure runs in a forked child with one thread. It makes only system calls, allocates nothing and
    // takes no lock; `fork` of a process that is a fresh fork itself finds the allocator as `fork` left it.
    unsafe { command.pre_exec(leave_parent) };
    // The process in between ends at once; nothing that could fail is left to it.
    command.spawn()?.wait().map(drop)
}

/// Runs between fork and exec. The grandchild goes on to exec, and reports its failure to our caller through the pipe
/// that `std` keeps for that, which it inherited.
fn leave_parent() -> io::Result<()> {
    // SAFETY: plain system calls on our own process; `_exit` runs no handlers of the parent's program.
    unsafe {
        if libc::setsid() == -1 {
            return Err(io::Error::last_os_error());
        }
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        // What a terminal or `nohup` made its programs ignore is not for ours.
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
    keep_only_standard_descriptors();
    Ok(())
}

/// Has every descriptor above the standard ones closed by exec: a shell's pipe that a lasting program keeps open would
/// make its reader wait for ever.
#[cfg(target_os = "linux")]
pub(super) fn keep_only_standard_descriptors() {
    // SAFETY: `close_range` with CLOEXEC only sets flags.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    if done == -1 {
        set_cloexec_one_by_one();
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_only_standard_descriptors() {
    set_cloexec_one_by_one();
}

fn set_cloexec_one_by_one() {
    // SAFETY: flags of descriptors, open or not.
    unsafe {
        let end = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 65_536);
        for fd in 3..RawFd::try_from(end).unwrap_or(256) {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Has a program that is about to be started killed when the thread that starts it ends, where the system can do that:
/// one that hangs must not be left behind.
pub fn end_with_starter(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: one system call between fork and exec.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// Takes over a descriptor that whoever started this program announced by number. One of the standard three is replaced
/// by `/dev/null`, so that no file opened later becomes one of them.
///
/// # Errors
/// No such descriptor is open.
pub fn take_inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: borrowed only for the duplication, which fails where it is not open.
    let taken = fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: a descriptor that was just made, owned by nobody else.
    let taken = unsafe { OwnedFd::from_raw_fd(taken) };
    if fd <= 2 {
        let null =
            nix::fcntl::open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
        // SAFETY: replaces a standard descriptor, which no value in this program owns.
        if unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), fd) } == -1 {
            return Err(io::Error::last_os_error());
        }
    } else {
        // SAFETY: announced to us for this very use; nothing else in this program knows the number.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    Ok(taken)
}

/// Is the descriptor closed by exec?
///
/// # Errors
/// It is not open.
pub fn is_cloexec(fd: &impl std::os::fd::AsFd) -> io::Result<bool> {
    Ok(FdFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFD)?).contains(FdFlag::FD_CLOEXEC))
}

/// Removes variables from this process's environment, so that they mislead no program that it starts. To be called
/// before the first thread.
pub fn forget_variables(names: &[&str]) {
    for name in names {
        // SAFETY: no other thread reads the environment yet, as the documentation asks of callers.
        unsafe { std::env::remove_var(name) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_detached_program_has_a_session_of_its_own_and_is_nobodys_child() {
        use std::io::Read;
        use std::os::fd::{AsRawFd, OwnedFd};
        use std::process::Stdio;
        let (mut reader, writer) = io::pipe().expect("pipe");
        // A descriptor such as a careless shell leaves open: without CLOEXEC.
        let leak = fcntl(&reader, FcntlArg::F_DUPFD(100)).expect("duplicate");
        // SAFETY: just made, owned by nobody else.
        let leak = unsafe { OwnedFd::from_raw_fd(leak) };
        let mut shell = Command::new("sh");
        // Fields 4 (parent) and 6 (session) of /proc/PID/stat; its own pid first.
        let says = format!(
            "echo $$ $(cut -d' ' -f4,6 /proc/$$/stat) $(pwd) $(test -e /proc/$$/fd/{} && echo leaked || echo clean)",
            leak.as_raw_fd()
        );
        shell.args(["-c", &says]);
        shell.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        spawn_detached(&mut shell).expect("started");
        drop(shell);
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("readable");
        let fields: Vec<&str> = said.split_whitespace().collect();
        let [pid, parent, session, cwd, leaked] = fields[..] else { panic!("{said:?}") };
        assert_ne!(parent, std::process::id().to_string());
        // The process in between led the session, so that no terminal can become its controlling one.
        assert_ne!(session, pid);
        assert_eq!((cwd, leaked), ("/", "clean"));
    }

    #[test]
    fn a_missing_program_is_reported_to_the_caller() {
        let error = spawn_detached(&mut Command::new("/nonexistent/program")).expect_err("cannot start");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_announced_descriptor_is_taken_or_refused() {
        use std::os::fd::IntoRawFd;
        let (_reader, writer) = io::pipe().expect("pipe");
        let announced = writer.into_raw_fd();
        let taken = take_inherited(announced).expect("open");
        assert!(is_cloexec(&taken).expect("open"));
        assert!(take_inherited(-1).is_err());
        assert!(take_inherited(1_000_000).is_err());
    }
}
