//! `proc_pid_rusage`. Compiled, and never run.

use super::{Source, Usage};
use crate::sys::reap::descendants;
use std::io;

/// See [`super::Reader`].
#[derive(Debug, Default)]
pub(super) struct Reader;

impl Reader {
    pub(super) fn of_tree(&mut self, pid: u32, _unit: &str) -> io::Result<Usage> {
        let (mut memory, mut cpu) = of_one(pid)?;
        for pid in descendants(pid) {
            // One that ends meanwhile counts for nothing.
            let (more_memory, more_cpu) = of_one(pid).unwrap_or((0, 0));
            memory = memory.saturating_add(more_memory);
            cpu = cpu.saturating_add(more_cpu);
        }
        Ok(Usage {
            memory,
            memory_from: Source::Processes,
            memory_max: None,
            cpu_us: microseconds(cpu),
            cpu_from: Source::Processes,
            oom_kills: 0,
        })
    }
}

/// Bytes of memory that count against a process (its footprint, as the activity monitor shows it), and its processor
/// time with that of its ended children, in the unit of `mach_absolute_time`.
fn of_one(pid: u32) -> io::Result<(u64, u64)> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let mut info = std::mem::MaybeUninit::<libc::rusage_info_v2>::zeroed();
    // SAFETY: for this flavor the kernel writes one rusage_info_v2, for which the buffer has room.
    let done = unsafe { libc::proc_pid_rusage(pid, libc::RUSAGE_INFO_V2, info.as_mut_ptr().cast()) };
    nix::errno::Errno::result(done)?;
    // SAFETY: it was written, and any bytes are valid integers.
    let info = unsafe { info.assume_init() };
    let times = [info.ri_user_time, info.ri_system_time, info.ri_child_user_time, info.ri_child_system_time];
    Ok((info.ri_phys_footprint, times.iter().fold(0, |sum: u64, n| sum.saturating_add(*n))))
}

/// One unit of `mach_absolute_time` is a nanosecond on Intel's processors and another time on Apple's.
#[expect(deprecated, reason = "what replaces it is a crate for this one call")]
fn microseconds(time: u64) -> u64 {
    let mut base = libc::mach_timebase_info { numer: 1, denom: 1 };
    // SAFETY: fills in the structure.
    let done = unsafe { libc::mach_timebase_info(&mut base) };
    let (numer, denom) = if done == 0 { (base.numer, base.denom.max(1)) } else { (1, 1) };
    let nanoseconds = u128::from(time) * u128::from(numer) / u128::from(denom);
    u64::try_from(nanoseconds / 1_000).unwrap_or(u64::MAX)
}

pub(super) fn own_oom_kills() -> u64 {
    0
}
