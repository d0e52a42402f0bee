//! `LOCAL_PEERCRED`, `LOCAL_PEERPID` and `LOCAL_PEERTOKEN`. Compiled and linked, never run.

use super::Credentials;
use nix::errno::Errno;
use nix::sys::socket::{audit_token_t, getsockopt, sockopt};
use std::io;
use std::os::fd::BorrowedFd;

unsafe extern "C" {
    /// `libproc.h`, since macOS 11: writes the path of the program of the process that the token names.
    fn proc_pidpath_audittoken(
        token: *mut audit_token_t,
        buffer: *mut libc::c_void,
        size: u32,
    ) -> libc::c_int;
}

/// An audit token: a process id with a version that no later process of that id has.
pub(super) struct Hold(audit_token_t);

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

impl Hold {
    pub(super) fn is_alive(&self) -> bool {
        const SIZE: u32 = libc::PROC_PIDPATHINFO_MAXSIZE.cast_unsigned();
        let (mut token, mut path) = (self.0, [0_u8; SIZE as usize]);
        // SAFETY: a token, and a buffer of `SIZE` bytes; both live through the call.
        let length = unsafe { proc_pidpath_audittoken(&raw mut token, path.as_mut_ptr().cast(), SIZE) };
        // The process is looked up first: one whose program was removed from the disk is alive.
        length > 0 || Errno::last() == Errno::ENOENT
    }
}

pub(super) fn credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let peer = getsockopt(&socket, sockopt::LocalPeerCred)?;
    let pid = getsockopt(&socket, sockopt::LocalPeerPid)?;
    // A peer that is gone already has no token.
    let hold = getsockopt(&socket, sockopt::LocalPeerToken).ok().map(Hold);
    Ok(Credentials {
        uid: peer.uid(),
        gid: peer.groups().first().copied().unwrap_or(u32::MAX),
        pid: u32::try_from(pid).unwrap_or(0),
        hold,
    })
}
