//! Processes with a view of the file system of their own, in which some folders and files are read-only.
//!
//! On Linux that is a mount namespace, and a user namespace where this process may make the former only in one. What is
//! in it cannot be undone from a further namespace, as sandboxes make them; but for a process with the rights of the
//! system's administrator it is no wall, and it is not meant as one.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod none;

#[cfg(target_os = "linux")]
pub use linux::{Keeper, probe};
#[cfg(not(target_os = "linux"))]
pub use none::{Keeper, probe};

use std::ffi::CString;
use std::io;

/// A view: what is read-only in it, and what within that is not.
#[derive(Debug, Clone)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has such views"))]
pub struct View {
    /// Absolute paths without links, what holds others first; whether each is writable.
    mounts: Vec<(CString, bool)>,
    uid_map: CString,
    gid_map: CString,
}

impl View {
    /// The view with these paths, each writable or not: absolute, without links, and after what holds it. A writable one
    /// that is gone is left out; a read-only one has to be there.
    ///
    /// # Errors
    /// A path holds a NUL byte.
    pub fn new<'a>(mounts: impl IntoIterator<Item = (&'a [u8], bool)>) -> io::Result<Self> {
        let same = |id: u32| CString::new(format!("{id} {id} 1\n"));
        let mounts = mounts.into_iter().map(|(path, writable)| Ok((CString::new(path)?, writable)));
        Ok(Self {
            mounts: mounts.collect::<io::Result<_>>()?,
            uid_map: same(nix::unistd::geteuid().as_raw())?,
            gid_map: same(nix::unistd::getegid().as_raw())?,
        })
    }
}
