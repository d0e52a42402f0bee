//! What tells one machine from another.

#[cfg(target_os = "linux")]
pub use linux::name;
#[cfg(target_os = "macos")]
pub use macos::name;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;

    /// Bytes that differ from machine to machine, and from container to container where these have names. Not for others'
    /// eyes: show a hash of them. Empty where there are none.
    ///
    /// Both names are needed: copies of one image have the same id, and names of hosts repeat.
    pub fn name() -> Vec<u8> {
        let mut name = Vec::new();
        if let Ok(file) = std::fs::File::open("/etc/machine-id") {
            // 32 digits and a line end; a machine without an id has its host name still.
            _ = file.take(64).read_to_end(&mut name);
        }
        if let Ok(host) = nix::unistd::gethostname() {
            name.extend_from_slice(host.as_bytes());
        }
        name
    }
}

#[cfg(target_os = "macos")]
mod macos {
    /// Bytes that differ from machine to machine. Not for others' eyes: show a hash of them. Empty where there are none.
    ///
    /// The name of the host is left out: it changes with the network.
    pub fn name() -> Vec<u8> {
        let mut id = [0_u8; 16];
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes 16 bytes, which the array has, and reads one time.
        let failed = unsafe { libc::gethostuuid(id.as_mut_ptr(), &raw const at_once) } != 0;
        if failed { Vec::new() } else { id.to_vec() }
    }
}
