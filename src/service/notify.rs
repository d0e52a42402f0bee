//! What the supervisor tells whoever started it: the service manager (sd-notify), or the client that started it without
//! one (a pipe, see `service::start`).
//!
//! On the pipe a single line `ready` means that the socket accepts; anything else is the text of an error; its end
//! without a word means that the supervisor died.

use crate::sys::spawn;
use sd_notify::NotifyState;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;

/// What the supervisor writes to the pipe when it accepts connections.
pub(super) const READY: &str = "ready\n";

/// Says once how the start went. Dropped without a word, it says nothing, which the other side takes for a crash.
#[derive(Debug)]
#[must_use]
pub struct Readiness {
    pipe: Option<File>,
}

impl Readiness {
    /// With the descriptor that `--ready-fd` named, where there is one.
    ///
    /// # Errors
    /// The descriptor is not open.
    pub fn new(ready_fd: Option<RawFd>) -> io::Result<Self> {
        Ok(Self { pipe: ready_fd.map(spawn::take_inherited).transpose()?.map(File::from) })
    }

    /// The supervisor accepts connections.
    ///
    /// # Errors
    /// Somebody could not be told: for the log.
    pub fn ready(self, status: &str) -> io::Result<()> {
        let piped = self.pipe.map_or(Ok(()), |mut pipe| pipe.write_all(READY.as_bytes()));
        sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]).and(piped)
    }

    /// The supervisor will not come up, and this is why.
    ///
    /// # Errors
    /// As [`Readiness::ready`].
    pub fn failed(self, message: &str) -> io::Result<()> {
        let piped = self.pipe.map_or(Ok(()), |mut pipe| pipe.write_all(message.as_bytes()));
        sd_notify::notify(&[NotifyState::Status(&one_line(message))]).and(piped)
    }
}

/// The line that `systemctl status` shows.
///
/// # Errors
/// The manager could not be told.
pub fn status(line: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Status(&one_line(line))])
}

/// The supervisor is leaving.
///
/// # Errors
/// The manager could not be told.
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// A line end would begin another notification.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::IntoRawFd;

    fn said(by: impl FnOnce(Readiness)) -> String {
        let (mut reader, writer) = io::pipe().expect("pipe");
        by(Readiness::new(Some(writer.into_raw_fd())).expect("open"));
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("closed after one word");
        text
    }

    #[test]
    fn the_pipe_carries_ready_or_the_error_or_nothing() {
        assert_eq!(said(|r| r.ready("up").expect("told")), READY);
        assert_eq!(said(|r| r.failed("no room").expect("told")), "no room");
        assert_eq!(said(drop), "");
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a\nREADY=1\u{7}"), "a READY=1 ");
    }
}
