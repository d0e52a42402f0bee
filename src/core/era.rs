//! What took a session's process along: the machine, the container or the user's service manager.
//!
//! A host leaves an exit record wherever it has the time to. Where it had not, what it ran in tells: the record has the
//! era and the service manager of its last start, and each of them ends with everything that ran in it. Times of two
//! eras are never compared; only whether they are the same is.

use super::event::Here;
use super::record::Record;
use super::session::{CONTAINER, LOGOUT, REBOOT};

/// What went, since a session was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The machine was started anew.
    Machine,
    /// The same machine: the container, or whatever else has a process 1 of its own, was started anew.
    Container,
    /// The same process 1: the user's service manager was started anew, as after the last logout without lingering.
    Manager,
}

impl Gone {
    /// The difference between where a session was started and where a supervisor finds itself; none where nothing that
    /// it ran in has gone. What is not known of either side is no evidence.
    pub fn since(record: &Record, here: &Here) -> Option<Self> {
        let (then, now) = (&record.era, &here.era);
        if then.boot_id != now.boot_id {
            return Some(Self::Machine);
        }
        if then != now {
            return Some(Self::Container);
        }
        match (record.manager, here.manager) {
            (Some(then), Some(now)) if then != now => Some(Self::Manager),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// As an exit's cause.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Machine => REBOOT,
            Self::Container => CONTAINER,
            Self::Manager => LOGOUT,
        }
    }

    /// For people.
    pub fn message(self, here: &Here) -> String {
        match (self, here.booted_ms) {
            (Self::Machine, 0) => "the machine was started anew".into(),
            (Self::Machine, at) => format!("the machine was started anew, at {}", utc(at)),
            (Self::Container, _) => "the container that it ran in was started anew".into(),
            (Self::Manager, _) => "the user's service manager ended, as it does at the last logout".into(),
        }
    }
}

/// A moment that everybody reads alike, wherever they are: `2026-01-31 08:05 UTC`. From ms since the epoch.
pub fn utc(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (days, minute) = (minutes / 1_440, minutes % 1_440);
    // The Gregorian calendar repeats every 400 years, and a year that begins in March ends with its leap day.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let year = era * 400 + year + u64::from(month < 3);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (ms, shown) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_825_599_999, "2000-02-29 11:59 UTC"),
            (951_868_800_000, "2000-03-01 00:00 UTC"),
            (1_767_225_599_999, "2025-12-31 23:59 UTC"),
            (1_767_225_600_000, "2026-01-01 00:00 UTC"),
            (4_107_542_399_000, "2100-02-28 23:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(ms), shown);
        }
        // No time of a hostile file is too large to be shown.
        assert!(utc(u64::MAX).ends_with("UTC"));
    }
}
