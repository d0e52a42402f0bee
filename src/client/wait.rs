//! Waiting for a session's state, over supervisors that come and go, for a time or until somebody has had enough.

use super::control::{Control, ControlError, Start, accepted, repeat_waiting};
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::paths::Paths;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    /// The supervisor answered.
    Answered(Box<Reply>),
    /// The time was up before that.
    TimeUp,
    /// [`Hangup::now`].
    HungUp,
}

/// Ends a wait from another thread.
#[derive(Debug, Default)]
pub struct Hangup(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    over: bool,
    /// The connection over which the wait is under way.
    stream: Option<UnixStream>,
}

impl Hangup {
    /// The wait ends now, or as soon as it begins.
    pub fn now(&self) {
        let mut line = self.line();
        line.over = true;
        if let Some(stream) = line.stream.take() {
            // One that is gone already ends the wait as well.
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Whether it was ended.
    pub fn is_over(&self) -> bool {
        self.line().over
    }

    /// The wait goes on over this connection.
    fn put_on(&self, stream: UnixStream) {
        let mut line = self.line();
        if line.over {
            _ = stream.shutdown(Shutdown::Both);
        } else {
            line.stream = Some(stream);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Two plain values, which are never half written.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits for the one answer to `command`; none for `deadline`: as long as it takes.
///
/// # Errors
/// [`ControlError`], a refusal included.
pub fn wait(
    paths: &Paths,
    command: &Command,
    deadline: Option<Instant>,
    hangup: &Hangup,
) -> Result<Waited, ControlError> {
    let answered = repeat_waiting(|_| {
        if hangup.is_over() {
            return Ok(Waited::HungUp);
        }
        let mut control = Control::connect(paths, Start::Allowed)?;
        hangup.put_on(control.line().map_err(ControlError::Broken)?);
        let tag = control.begin(command.clone(), None)?;
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                control.patience(Some(left.max(Duration::from_millis(1))))?;
            }
            let answer = control.answer()?;
            if answer.tag == tag && answer.last {
                return accepted(answer.reply).map(|reply| Waited::Answered(Box::new(reply)));
            }
        }
    });
    match answered {
        Err(ControlError::Silent) if deadline.is_some_and(|d| d <= Instant::now()) => Ok(Waited::TimeUp),
        Err(_) if hangup.is_over() => Ok(Waited::HungUp),
        answered => answered,
    }
}
