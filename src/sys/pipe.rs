//! Named pipes.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;

/// Makes a named pipe of this name in a folder, for its owner alone.
///
/// # Errors
/// The system's; `AlreadyExists` where something of that name is there.
pub fn make_in(folder: &impl AsFd, name: &OsStr) -> io::Result<()> {
    let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
    #[cfg(not(target_os = "macos"))]
    nix::unistd::mkfifoat(folder, name, mode)?;
    // Compiled and linked, never run. Only since macOS 13 is there a call for a folder's descriptor.
    #[cfg(target_os = "macos")]
    {
        let mut path = std::path::PathBuf::new();
        nix::fcntl::fcntl(folder, nix::fcntl::FcntlArg::F_GETPATH(&mut path))?;
        nix::unistd::mkfifo(&path.join(name), mode)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    #[test]
    fn a_pipe_is_its_owners_and_never_replaces_anything() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = std::fs::File::open(dir.path()).expect("open");
        make_in(&folder, "pipe".as_ref()).expect("made");
        let meta = std::fs::symlink_metadata(dir.path().join("pipe")).expect("there");
        assert!(meta.file_type().is_fifo());
        assert_eq!(meta.permissions().mode() & 0o7177, 0);
        let again = make_in(&folder, "pipe".as_ref()).expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
