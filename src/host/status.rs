//! What watchers are told, and when.
//!
//! A status is told when it differs from the last one in more than its offset, at most every [`SPACING`]; what changes
//! within that time is told together. When the session falls silent, one more timeout tells so, and then nothing wakes
//! this process until something happens.

use crate::wire::host::{QUIET_MS, Status};
use std::time::{Duration, Instant};

/// Between two looks at the status.
const SPACING: Duration = Duration::from_millis(250);
/// A session is silent after that.
const QUIET: Duration = Duration::from_millis(QUIET_MS);

/// What is known of a session, beside what is asked of others when a status is made.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// What the output said about itself.
    pub(super) facts: Status,
    last_output: Option<Instant>,
    told: Option<Status>,
    last_look: Option<Instant>,
    look_at: Option<Instant>,
}

impl Reporter {
    /// The session wrote something.
    pub(super) fn saw_output(&mut self, now: Instant) {
        self.last_output = Some(now);
        self.may_have_changed(now);
    }

    /// Something may be worth telling.
    pub(super) fn may_have_changed(&mut self, now: Instant) {
        if self.look_at.is_none() {
            self.look_at = Some(self.last_look.map_or(now, |t| (t + SPACING).max(now)));
        }
    }

    /// When to look whether there is something to tell. Only of interest while there are watchers.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let told_active = self.told.as_ref().is_some_and(|s| s.active);
        let silent_at = self.last_output.filter(|_| told_active).map(|t| t + QUIET);
        self.look_at.into_iter().chain(silent_at).min()
    }

    /// The session wrote something within the last [`QUIET_MS`].
    pub(super) fn active(&self, now: Instant) -> bool {
        self.last_output.is_some_and(|t| now.duration_since(t) < QUIET)
    }

    /// Takes the present status; true where it is to be told.
    pub(super) fn looked(&mut self, status: &Status, now: Instant) -> bool {
        (self.last_look, self.look_at) = (Some(now), None);
        let same = |told: &Status| Status { offset: status.offset, ..told.clone() } == *status;
        if self.told.as_ref().is_some_and(same) {
            return false;
        }
        self.told = Some(status.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_together_and_silence_ends_all_deadlines() {
        let t0 = Instant::now();
        let mut reporter = Reporter::default();
        assert_eq!(reporter.deadline(), None);
        reporter.saw_output(t0);
        assert_eq!(reporter.deadline(), Some(t0));
        let mut status = Status { active: reporter.active(t0), offset: 1, ..Status::default() };
        assert!(reporter.looked(&status, t0));

        let t1 = t0 + Duration::from_millis(10);
        reporter.saw_output(t1);
        assert_eq!(reporter.deadline(), Some(t0 + SPACING), "not at once again");
        status.offset = 2;
        assert!(!reporter.looked(&status, t0 + SPACING), "an offset alone is not told");

        assert_eq!(reporter.deadline(), Some(t1 + QUIET));
        status.active = reporter.active(t1 + QUIET);
        assert!(!status.active && reporter.looked(&status, t1 + QUIET));
        assert_eq!(reporter.deadline(), None);
    }
}
