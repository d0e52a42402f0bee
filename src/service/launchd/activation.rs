//! The socket that launchd hands over: `launch_activate_socket(3)`. Compiled and linked for macOS, and never run there.

use std::os::fd::OwnedFd;

/// The descriptors of the socket that the job's property list has under this name, closed by exec from here on. None
/// where this process is not a job of launchd's with such a socket. launchd hands a socket over once in a process's life.
///
/// # Errors
/// What launchd said, for people.
#[cfg(target_os = "macos")]
pub fn handed_over(name: &str) -> Result<Option<Vec<OwnedFd>>, String> {
    use crate::sys::spawn::take_inherited;
    match raunch::activate_socket(name) {
        // launchd hands them over without the flag that has them closed by exec; taking them sets it.
        Ok(raw) => {
            let taken: std::io::Result<Vec<OwnedFd>> = raw.into_iter().map(take_inherited).collect();
            taken.map(Some).map_err(|e| format!("a descriptor that is not open ({e})"))
        }
        Err(raunch::Error::NotManaged | raunch::Error::NotInPlist) => Ok(None),
        Err(error @ (raunch::Error::Null | raunch::Error::AlreadyActivated | raunch::Error::Unknown(_))) => {
            Err(format!("no socket ({error})"))
        }
    }
}

/// Nothing: there is no launchd here.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "macos"))]
pub fn handed_over(_name: &str) -> Result<Option<Vec<OwnedFd>>, String> {
    Ok(None)
}
