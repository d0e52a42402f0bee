//! Files that are read with suspicion.

use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Reads a regular file of ours, of at most `largest` bytes, that is no symbolic link. None where there is none.
///
/// # Errors
/// It is something else, or cannot be read.
pub fn read_ours(path: &Path, largest: u64) -> io::Result<Option<Vec<u8>>> {
    // NONBLOCK: a FIFO in its place must not hold us up.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let meta = file.metadata()?;
    let us = nix::unistd::geteuid().as_raw();
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if meta.uid() != us {
        return Err(io::Error::other(format!("it belongs to uid {}, not to you (uid {us})", meta.uid())));
    }
    if meta.len() > largest {
        return Err(io::Error::other(format!("it has {} bytes, more than any of ours", meta.len())));
    }
    let mut content = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(largest).read_to_end(&mut content)?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_of_sane_size_are_read() {
        let dir = tempfile::tempdir().expect("folder");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "12345").expect("write");
        symlink(&file, &link).expect("link");
        assert_eq!(read_ours(&file, 5).expect("read"), Some(b"12345".to_vec()));
        assert_eq!(read_ours(&dir.path().join("none"), 5).expect("none"), None);
        read_ours(&file, 4).expect_err("too large");
        read_ours(&link, 5).expect_err("a link");
        read_ours(dir.path(), 5).expect_err("a folder");
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
        read_ours(&fifo, 5).expect_err("a fifo");
    }
}
