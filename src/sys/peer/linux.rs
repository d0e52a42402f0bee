//! `SO_PEERCRED`, and `SO_PEERPIDFD` where the kernel has it (6.5).

use super::Credentials;
use nix::sys::socket::{getsockopt, sockopt};
use std::io;
use std::os::fd::BorrowedFd;

pub(super) fn credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    // Older kernels: no proof. Opening a pidfd by number instead would prove nothing.
    let pidfd = getsockopt(&socket, sockopt::PeerPidfd).ok();
    Ok(Credentials { uid: peer.uid(), gid: peer.gid(), pid: u32::try_from(peer.pid()).unwrap_or(0), pidfd })
}
