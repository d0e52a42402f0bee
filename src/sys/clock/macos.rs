//! `CLOCK_UPTIME_RAW` and `sysctl`. Compiled and linked, never run.

use nix::time::ClockId;

/// Stops in sleep, which `CLOCK_MONOTONIC` does not on this platform.
pub(super) const AWAKE: ClockId = ClockId::from_raw(libc::CLOCK_UPTIME_RAW);

/// `kern.bootsessionuuid`.
pub(super) fn boot_id() -> String {
    let mut id = [0_u8; 64];
    let mut length = id.len();
    // SAFETY: the name ends with a zero, and the kernel writes at most `length` bytes into the buffer.
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            id.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    } != 0;
    if failed {
        return String::new();
    }
    let text = id[..length.min(id.len())].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

pub(super) fn namespace(_kind: &str) -> u64 {
    0
}
