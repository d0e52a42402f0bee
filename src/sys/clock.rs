//! The system's clocks, and what tells one boot from another.

use nix::time::{ClockId, clock_gettime};

/// Milliseconds that stand still while the machine sleeps.
pub fn monotonic_ms() -> u64 {
    // On Linux CLOCK_MONOTONIC stops in suspend; on macOS it does not, but CLOCK_UPTIME_RAW does.
    #[cfg(target_os = "linux")]
    const AWAKE: ClockId = ClockId::CLOCK_MONOTONIC;
    #[cfg(target_os = "macos")]
    const AWAKE: ClockId = ClockId::from_raw(libc::CLOCK_UPTIME_RAW);
    millis(AWAKE)
}

/// Wall clock, milliseconds since the Unix epoch. For display and files: no rule compares it.
pub fn wall_ms() -> u64 {
    millis(ClockId::CLOCK_REALTIME)
}

/// 0 where the clock cannot be read or is before its epoch: both clocks exist on every system that we run on.
fn millis(clock: ClockId) -> u64 {
    let Ok(now) = clock_gettime(clock) else { return 0 };
    let (seconds, nanos) = (now.tv_sec(), now.tv_nsec());
    u64::try_from(seconds).unwrap_or(0) * 1_000 + u64::try_from(nanos).unwrap_or(0) / 1_000_000
}

/// Names this boot: `/proc/sys/kernel/random/boot_id`; empty where there is none.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Inode of this process's namespace of a kind (`pid`, `time`); 0 where there are no namespaces.
pub fn namespace(kind: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/self/ns/{kind}")).map_or(0, |m| m.ino())
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
