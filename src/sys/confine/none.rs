//! Where there is no such thing. macOS has sandbox profiles, which its maker discourages and which nest in no other: an
//! agent's own sandbox would fail in ours.

use super::View;
use std::io;
use std::os::fd::BorrowedFd;

impl View {
    /// Fails: see the module.
    ///
    /// # Safety
    /// None is needed.
    pub(in crate::sys) unsafe fn enter(&self) -> Result<(), u32> {
        nix::errno::Errno::set_raw(nix::libc::ENOTSUP);
        Err(0)
    }
}

/// Whether a process could be given a view of its own.
///
/// # Errors
/// It could not.
pub fn probe(_folder: &std::path::Path) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(nix::libc::ENOTSUP))
}

/// Never there.
#[derive(Debug)]
pub struct Keeper(std::convert::Infallible);

impl Keeper {
    /// Fails: no process has a view.
    ///
    /// # Errors
    /// Always.
    pub fn of(_process: i32, _view: View) -> io::Result<Self> {
        Err(io::Error::from_raw_os_error(nix::libc::ENOTSUP))
    }

    /// For a poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }

    /// Mends nothing.
    ///
    /// # Errors
    /// Never.
    pub fn mend(&self) -> io::Result<()> {
        match self.0 {}
    }
}
