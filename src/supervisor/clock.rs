//! Awake time: what the rules run on.
//!
//! The sum of the steps of a clock that stands still while the machine sleeps. A process can also be put to sleep
//! without that clock noticing (a paused virtual machine, a frozen control group): it shows as a timer that fires far
//! too late, and what it is late by counts as sleep. So a laptop's lid, or a debugger, never makes a session idle.

use crate::core::event::Now;
use crate::sys::clock;

/// How late a timer may be before its lateness counts as sleep, in milliseconds.
const LATE_MS: u64 = 60_000;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Awake {
    awake_ms: u64,
    last: u64,
    /// When the armed timer should fire, on the monotonic clock.
    due: Option<u64>,
}

impl Awake {
    pub(super) fn start() -> Self {
        Self { awake_ms: 0, last: clock::monotonic_ms(), due: None }
    }

    /// The present.
    pub(super) fn now(&mut self) -> Now {
        Now { awake_ms: self.advance(clock::monotonic_ms()), wall_ms: clock::wall_ms() }
    }

    /// A timer is armed for this awake time, or none is. Returns the milliseconds until then.
    pub(super) fn arm(&mut self, at: Option<u64>) -> Option<u64> {
        let wait = at.map(|at| at.saturating_sub(self.awake_ms));
        self.due = wait.map(|wait| self.last.saturating_add(wait));
        wait
    }

    fn advance(&mut self, monotonic: u64) -> u64 {
        let awake_until = match self.due {
            Some(due) if monotonic > due.saturating_add(LATE_MS) => due.max(self.last),
            Some(_) | None => monotonic,
        };
        self.awake_ms += awake_until.saturating_sub(self.last);
        if awake_until != monotonic {
            // Slept through: the timer is past, and is not counted as late a second time.
            self.due = None;
        }
        self.last = self.last.max(monotonic);
        self.awake_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u64) -> Awake {
        Awake { awake_ms: 0, last, due: None }
    }

    #[test]
    fn awake_time_is_the_sum_of_the_steps() {
        let mut clock = at(1_000);
        assert_eq!(clock.advance(1_500), 500);
        assert_eq!(clock.advance(1_500), 500);
        assert_eq!(clock.advance(9_000_000), 8_999_000, "waiting for nothing is no sleep");
        assert_eq!(clock.advance(8_000_000), 8_999_000, "never back");
    }

    #[test]
    fn a_timer_that_is_far_too_late_was_slept_through() {
        let mut clock = at(1_000);
        assert_eq!(clock.arm(Some(30_000)), Some(30_000));
        assert_eq!(clock.advance(31_000 + LATE_MS + 1), 30_000);
        assert_eq!(clock.advance(31_000 + LATE_MS + 11), 30_010, "and counts on from there");
    }

    #[test]
    fn a_timer_that_is_a_little_late_was_waited_for() {
        let mut clock = at(1_000);
        clock.arm(Some(30_000));
        assert_eq!(clock.advance(31_000 + LATE_MS), 30_000 + LATE_MS);
    }

    proptest::proptest! {
        /// However a machine sleeps, a container is frozen or a debugger stops the process: no deadline is missed, time
        /// goes only forward, and no stop makes a session idle by more than the lateness that is waited for.
        #[test]
        fn stops_of_any_length_make_nobody_idle(
            steps in proptest::collection::vec((proptest::option::of(0_u64..7_200_000), 0_u64..7_200_000, 0_u64..90_000_000), 1..40)
        ) {
            let mut clock = at(1_000);
            let (mut monotonic, mut awake) = (1_000, 0);
            for (timer, work, stop) in steps {
                let armed = clock.arm(timer.map(|ms| awake + ms));
                proptest::prop_assert_eq!(armed, timer);
                // Something happens before the timer fires, or it fires; and the process is stopped meanwhile.
                let worked = timer.map_or(work, |ms| work.min(ms));
                let fires = timer == Some(worked);
                monotonic += worked + stop;
                let now = clock.advance(monotonic);
                let counted = now - awake;
                proptest::prop_assert!(counted >= worked.min(timer.unwrap_or(worked)));
                if let Some(ms) = timer {
                    proptest::prop_assert!(counted <= ms + LATE_MS, "{} for a timer of {}", counted, ms);
                    proptest::prop_assert!(!fires || counted >= ms, "a timer that fired is due");
                }
                awake = now;
                proptest::prop_assert_eq!(clock.advance(monotonic), awake, "a stop is counted once");
            }
        }
    }

    #[test]
    fn a_deadline_of_the_past_is_due_at_once() {
        let mut clock = at(1_000);
        clock.advance(5_000);
        assert_eq!(clock.arm(Some(10)), Some(0));
        assert_eq!(clock.arm(None), None);
        assert_eq!(clock.advance(500_000), 499_000);
    }
}
