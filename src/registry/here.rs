//! Where we are, and whether a process is there.

use crate::core::registry::{Here, Seen};
use crate::sys::process::Process;
use crate::sys::{clock, machine};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;

/// Inode number of the first time namespace of any Linux machine, by the kernel's headers.
const FIRST_TIME_NS: u64 = 0xEFFF_FFFA;

/// Looks around.
pub fn here() -> Here {
    let mut pid_ns = clock::namespace("pid").to_string();
    let time = clock::namespace("time");
    if time != 0 && time != FIRST_TIME_NS {
        pid_ns.push_str(&format!(".{time}"));
    }
    let machine = machine::name();
    if !machine.is_empty() {
        pid_ns.push_str(&format!("@{:08x}", digest(&machine)));
    }
    Here { boot_id: clock::boot_id(), pid_ns }
}

/// What there is of a process id.
pub fn look(pid: u32) -> Seen {
    look_closely(pid).0
}

/// The same, with the leader of the process's session; 0 for none.
pub(super) fn look_closely(pid: u32) -> (Seen, u32) {
    match Process::of(pid) {
        Ok(process) if process.zombie => (Seen::Gone, 0),
        Ok(process) => (Seen::Runs(process.start), u32::try_from(process.session).unwrap_or(0)),
        Err(e) if e.kind() == ErrorKind::NotFound => (Seen::Gone, 0),
        Err(_) => (Seen::Hidden, 0),
    }
}

/// Tells names of files of one place from another's.
pub(super) fn tag(here: &Here) -> u32 {
    digest(here.pid_ns.as_bytes())
}

/// Must never change. The prefix keeps it from being the hash that another program shows of the same.
fn digest(bytes: &[u8]) -> u32 {
    let mut hash = Sha256::new_with_prefix(b"abide registry\0");
    hash.update(bytes);
    hash.finalize().iter().take(4).fold(0, |n, byte| n << 8 | u32::from(*byte))
}
