//! Another program in this process's place, with the descriptors that it goes on with.
//!
//! What was tried and breaks otherwise: a hang-up signal kills a program that has no handler yet, so it is blocked until
//! the new one ignores or handles it; a descriptor that is closed by exec leaves a supervisor that hears nobody; a new
//! program that hangs is ended by an alarm, which exec does not disarm.

use super::spawn;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};
use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

/// Executes `program` as this process. Its first argument is its path. It gets this process's environment with `set` in
/// addition, its standard descriptors and those of `keep`, under the numbers that they have. After `deadline` it is
/// ended by `SIGALRM`, unless it calls [`disarm`].
///
/// # Errors
/// The system's; then nothing has changed for this process.
pub fn replace(
    program: &Path,
    arguments: &[&str],
    set: (&str, &str),
    keep: &[BorrowedFd<'_>],
    deadline: Duration,
) -> io::Result<Infallible> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(io::Error::from);
    let path = text(program.as_os_str().as_bytes().to_vec())?;
    let mut argv = vec![path.clone()];
    for argument in arguments {
        argv.push(text(argument.as_bytes().to_vec())?);
    }
    let mut variables: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| name != set.0).collect();
    variables.push((set.0.into(), set.1.into()));
    let mut environment = Vec::new();
    for (name, value) in variables {
        let mut variable = name.into_vec();
        variable.push(b'=');
        variable.extend(value.into_vec());
        environment.push(text(variable)?);
    }
    let hangup = SigSet::from(Signal::SIGHUP);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&hangup), None)?;
    let done = execute(&path, &argv, &environment, keep, deadline);
    disarm();
    for fd in keep {
        // A descriptor that is open can have its flag set.
        _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&hangup), None)?;
    done
}

fn execute(
    path: &CString,
    argv: &[CString],
    environment: &[CString],
    keep: &[BorrowedFd<'_>],
    deadline: Duration,
) -> io::Result<Infallible> {
    spawn::keep_only_standard_descriptors();
    for fd in keep {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    let seconds = u32::try_from(deadline.as_secs()).unwrap_or(u32::MAX).max(1);
    // Whoever started us may have made us ignore or block it.
    // SAFETY: the default action, no handler.
    unsafe { signal(Signal::SIGALRM, SigHandler::SigDfl) }?;
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::from(Signal::SIGALRM)), None)?;
    nix::unistd::alarm::set(seconds);
    Ok(nix::unistd::execve(path, argv, environment)?)
}

/// Takes back the deadline of [`replace`], or of [`end_after`].
pub fn disarm() {
    nix::unistd::alarm::cancel();
}

/// Ends this process by `SIGALRM` after so long, whatever it does.
pub fn end_after(seconds: u32) {
    nix::unistd::alarm::set(seconds.max(1));
}

/// For a program's first lines: hang-ups neither end it nor stay blocked, as [`replace`] left them. One that came in
/// between is forgotten.
pub fn survive_hangups() {
    // SAFETY: sets a disposition without a handler.
    _ = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    _ = pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::from(Signal::SIGHUP)), None);
}

/// Takes over a descriptor that [`replace`] kept, under its number; it is closed by the next exec again.
///
/// # Errors
/// No such descriptor is open, or it is a standard one.
pub fn take_kept(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= 2 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: borrowed only for setting its flag, which fails where it is not open.
    fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: kept open for this very use; nothing else in this program knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number under which a descriptor is kept.
pub fn number(fd: &impl AsRawFd) -> RawFd {
    fd.as_raw_fd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_cannot_be_executed_changes_nothing() {
        use std::os::fd::AsFd;
        let file = std::fs::File::open("/").expect("root");
        let keep = [file.as_fd()];
        let path = Path::new("/nonexistent/program");
        let error = replace(path, &[], ("A", "b"), &keep, Duration::from_secs(60)).expect_err("cannot");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(spawn::is_cloexec(&file).expect("open"));
        assert_eq!(nix::unistd::alarm::cancel(), None, "disarmed");
        assert!(take_kept(1).is_err() && take_kept(1_000_000).is_err());
    }
}
