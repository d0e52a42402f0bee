//! What one build of the supervisor tells the next, which is executed in its place: which descriptors are the socket and
//! the lock. In a variable of our own, since those of socket activation promise descriptors from 3 on, and a library
//! that reads them closes or hides what it does not know.
//!
//! `1 PID LISTENER LOCK DEVICE:INODE`, the last one being the socket's name in the file system, or `-` where that is a
//! service manager's. The process id keeps a variable that leaked into another program from being believed.

use crate::sys::spawn;
use std::os::fd::RawFd;

/// The variable.
pub const VARIABLE: &str = "ABIDE_HANDOVER";

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    pub(super) listener: RawFd,
    pub(super) lock: RawFd,
    pub(super) own: Option<(u64, u64)>,
}

impl Handover {
    /// What was handed over to this process, or none. Afterwards no variable speaks of it: to be called before the first
    /// thread.
    pub(super) fn take() -> Result<Option<Self>, String> {
        let Some(value) = std::env::var_os(VARIABLE) else { return Ok(None) };
        spawn::forget_variables(&[VARIABLE]);
        let value = value.to_string_lossy();
        match Self::parse(&value) {
            Some((pid, handover)) if pid == std::process::id() => Ok(Some(handover)),
            // Of another process: it was inherited by mistake.
            Some(_) => Ok(None),
            None => Err(format!("{value:?}, which this build does not understand")),
        }
    }

    /// The variable's value for the program that this process is about to execute.
    pub fn value(&self) -> String {
        let own = self.own.map_or_else(|| "-".to_owned(), |(device, inode)| format!("{device}:{inode}"));
        format!("1 {} {} {} {own}", std::process::id(), self.listener, self.lock)
    }

    fn parse(value: &str) -> Option<(u32, Self)> {
        let words: Vec<&str> = value.split(' ').collect();
        let ["1", pid, listener, lock, own] = words.as_slice() else { return None };
        let own = match *own {
            "-" => None,
            own => {
                let (device, inode) = own.split_once(':')?;
                Some((device.parse().ok()?, inode.parse().ok()?))
            }
        };
        let handover = Self { listener: listener.parse().ok()?, lock: lock.parse().ok()?, own };
        Some((pid.parse().ok()?, handover))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_read_as_it_was_meant() {
        for own in [None, Some((7, u64::MAX))] {
            let handover = Handover { listener: 5, lock: 9, own };
            assert_eq!(Handover::parse(&handover.value()), Some((std::process::id(), handover)));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["", "1", "2 1 3 4 -", "1 1 3 4", "1 1 3 4 5", "1 x 3 4 -", "1 1 3 4 1:x", "1 1 3 4 - -"] {
            assert_eq!(Handover::parse(bad), None, "{bad:?}");
        }
    }
}
