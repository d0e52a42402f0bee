//! `CLOCK_MONOTONIC` and `/proc`.

use nix::time::ClockId;
use std::os::unix::fs::MetadataExt;

/// Stops in suspend, which `CLOCK_BOOTTIME` does not.
pub(super) const AWAKE: ClockId = ClockId::CLOCK_MONOTONIC;

pub(super) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

pub(super) fn namespace(kind: &str) -> u64 {
    std::fs::metadata(format!("/proc/self/ns/{kind}")).map_or(0, |m| m.ino())
}
