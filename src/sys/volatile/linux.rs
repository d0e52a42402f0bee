//! Plain files on tmpfs.

use crate::sys::dirs;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn is_possible_in(folder: &Path) -> bool {
    dirs::is_in_memory(folder).unwrap_or(false)
}

pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    dirs::create_private_file(path)?.write_all(content).inspect_err(|_| {
        // The first error is the one to report.
        _ = std::fs::remove_file(path);
    })
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    super::gone(std::fs::remove_file(path))
}
