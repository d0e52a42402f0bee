//! Who is at the other end of a Unix-domain socket, by the kernel's word.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

use std::io;
use std::os::fd::AsFd;

/// The process that connected, as it was then.
#[derive(Debug)]
pub struct Credentials {
    /// Its effective user id: the one thing on which access is decided.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Its process id: for display and evidence. 0 where it is outside of our pid namespace.
    pub pid: u32,
    /// Names that very process and no later one, where the kernel can.
    hold: Option<platform::Hold>,
}

impl Credentials {
    /// Of the peer of a connected socket.
    ///
    /// # Errors
    /// The system's, where the socket has no such peer.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        platform::credentials(socket.as_fd())
    }

    /// Whether the peer runs under our own user id.
    pub fn is_ours(&self) -> bool {
        self.uid == nix::unistd::geteuid().as_raw()
    }

    /// Whether the kernel could give a hold on that very process, so that [`Credentials::still_alive`] knows.
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// As on a kernel that gives no hold.
    #[cfg(test)]
    pub(crate) fn let_go(&mut self) {
        self.hold = None;
    }

    /// Whether what was read about that process id in the meantime was this process's and not that of a later one with its
    /// id: true only where the kernel says that it still lives.
    pub fn still_alive(&self) -> bool {
        self.hold.as_ref().is_some_and(platform::Hold::is_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn our_own_peer_is_ourselves_and_alive() {
        let (a, _b) = UnixStream::pair().expect("pair");
        let peer = Credentials::of(&a).expect("credentials");
        assert!(peer.is_ours());
        assert_eq!(peer.pid, std::process::id());
        // SO_PEERPIDFD came with Linux 6.5.
        assert!(!peer.is_held() || peer.still_alive());
    }

    #[test]
    fn what_is_no_socket_has_no_peer() {
        let file = std::fs::File::open("/").expect("root");
        assert!(Credentials::of(&file).is_err());
    }
}
