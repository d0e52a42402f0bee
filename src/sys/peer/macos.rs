//! `LOCAL_PEERCRED` and `LOCAL_PEERPID`.

use super::Credentials;
use nix::sys::socket::{getsockopt, sockopt};
use std::io;
use std::os::fd::BorrowedFd;

pub(super) fn credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let peer = getsockopt(&socket, sockopt::LocalPeerCred)?;
    let pid = getsockopt(&socket, sockopt::LocalPeerPid)?;
    Ok(Credentials {
        uid: peer.uid(),
        gid: peer.groups().first().copied().unwrap_or(u32::MAX),
        pid: u32::try_from(pid).unwrap_or(0),
        pidfd: None,
    })
}
