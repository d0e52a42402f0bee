//! `SO_PEERCRED`, and `SO_PEERPIDFD` where the kernel has it (6.5).

use super::Credentials;
use nix::sys::socket::{getsockopt, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A pidfd.
#[derive(Debug)]
pub(super) struct Hold(OwnedFd);

impl Hold {
    pub(super) fn is_alive(&self) -> bool {
        let mut fds = [nix::poll::PollFd::new(self.0.as_fd(), nix::poll::PollFlags::POLLIN)];
        // A pidfd is readable once its process is gone.
        matches!(nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO), Ok(0))
    }
}

pub(super) fn credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    // Older kernels: no proof. Opening a pidfd by number instead would prove nothing.
    let hold = getsockopt(&socket, sockopt::PeerPidfd).ok().map(Hold);
    Ok(Credentials { uid: peer.uid(), gid: peer.gid(), pid: u32::try_from(peer.pid()).unwrap_or(0), hold })
}
