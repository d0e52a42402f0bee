//! Small files whose content never reaches a disk's file system: what they hold may be a secret.
//!
//! On Linux they are files of a file system in memory. macOS has none that a user could have, so there a file only
//! names an object of shared memory that holds the content; the objects are gone with the machine's next start, which
//! leaves names of nothing behind.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(target_os = "macos", test))]
mod object;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use object as platform;

use std::io;
use std::path::Path;

/// Can such files be made in this folder?
pub fn is_possible_in(folder: &Path) -> bool {
    platform::is_possible_in(folder)
}

/// Makes such a file, for its owner only. It must not exist yet; nothing is left behind where it cannot be written.
///
/// # Errors
/// As for making and writing a file.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    platform::write(path, content)
}

/// What such a file holds.
///
/// # Errors
/// As for reading a file; `NotFound` also where the content went with an earlier start of the machine.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    platform::read(path)
}

/// Gives such a file another name, in one step; what had that name is gone.
///
/// # Errors
/// As `rename(2)`.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    platform::rename(from, to)
}

/// Removes such a file. One that is not there needs no removing.
///
/// # Errors
/// As for removing a file.
pub fn remove(path: &Path) -> io::Result<()> {
    platform::remove(path)
}

/// `NotFound` is what was wanted.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
