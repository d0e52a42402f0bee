//! The system's clocks, and what tells one boot from another.

use nix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

/// Milliseconds that stand still while the machine sleeps.
pub fn monotonic_ms() -> u64 {
    millis(platform::AWAKE)
}

/// Wall clock, milliseconds since the Unix epoch. For display and files: no rule compares it.
pub fn wall_ms() -> u64 {
    millis(ClockId::CLOCK_REALTIME)
}

/// When this machine was started: wall clock, milliseconds since the Unix epoch, as right as that clock is now.
pub fn booted_ms() -> u64 {
    // These go on while the machine sleeps.
    #[cfg(target_os = "linux")]
    const SINCE: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(target_os = "macos")]
    const SINCE: ClockId = ClockId::CLOCK_MONOTONIC;
    wall_ms().saturating_sub(millis(SINCE))
}

/// 0 where the clock cannot be read or is before its epoch: both clocks exist on every system that we run on.
fn millis(clock: ClockId) -> u64 {
    let Ok(now) = clock_gettime(clock) else { return 0 };
    let (seconds, nanos) = (now.tv_sec(), now.tv_nsec());
    u64::try_from(seconds).unwrap_or(0) * 1_000 + u64::try_from(nanos).unwrap_or(0) / 1_000_000
}

/// Names this boot, and no other; empty where the system has no such name.
pub fn boot_id() -> String {
    platform::boot_id()
}

/// Inode of this process's namespace of a kind (`pid`, `time`); 0 where there are no namespaces.
pub fn namespace(kind: &str) -> u64 {
    platform::namespace(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_advance_and_agree_on_their_units() {
        let (a, b) = (monotonic_ms(), monotonic_ms());
        assert!(a <= b && a > 0);
        // 2020 and 2100 in milliseconds: seconds or microseconds would be outside.
        assert!((1_577_836_800_000..4_102_444_800_000).contains(&wall_ms()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_boot_and_its_namespaces_have_names() {
        assert_eq!(boot_id().len(), 36);
        assert!(namespace("pid") > 0);
        assert_eq!(namespace("no-such-kind"), 0);
    }
}
