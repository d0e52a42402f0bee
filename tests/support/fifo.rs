//! A pipe with a name, by which a test tells a session's program to go on.

use super::Home;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// See the module. The program that reads it comes to its end when this is dropped.
pub(crate) struct Fifo {
    path: PathBuf,
    file: File,
}

impl Fifo {
    /// In the home, under this name.
    pub(crate) fn new(home: &Home, name: &str) -> Self {
        let path = home.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        // Open for reading too, opening does not wait for a reader that may never come, and no word gets lost.
        let mut options = File::options();
        let file = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("a FIFO");
        Self { path, file }
    }

    /// For the program.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A line for the program.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.file, "{line}").expect("room in the pipe");
    }
}
