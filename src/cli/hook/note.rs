//! What could not be done, for whoever wonders: a file of bounded size.

use crate::core::naming::printable;
use crate::paths::Paths;
use crate::sys::clock::wall_ms;
use crate::sys::dirs::create_private_file;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// At this size the file is begun anew, and the last one kept beside it.
const SIZE: u64 = 256 << 10;

/// Adds a line. Where that cannot be done there is nobody left to tell.
pub(super) fn note(paths: &Paths, what: &str) {
    _ = append(
        &paths.hook_log(),
        &format!("{} {}\n", crate::core::era::utc(wall_ms()), printable(what, 1000)),
    );
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    if std::fs::symlink_metadata(file).is_ok_and(|meta| meta.len() > SIZE) {
        std::fs::rename(file, file.with_extension("log.1"))?;
    }
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let open = || OpenOptions::new().append(true).custom_flags(flags).open(file);
    let mut log = match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            create_private_file(file)?;
            open()?
        }
        opened => opened?,
    };
    log.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_does_not_grow_without_end() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("hooks.log");
        let line = "x".repeat(1000);
        for _ in 0..2000 {
            append(&file, &line).expect("written");
        }
        let meta = std::fs::metadata(&file).expect("there");
        assert!(meta.len() <= SIZE + 1000, "{}", meta.len());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        let names = std::fs::read_dir(dir.path()).expect("listed").count();
        assert_eq!(names, 2);
    }

    #[test]
    fn nothing_is_written_where_something_else_is() {
        let dir = tempfile::tempdir().expect("folder");
        let (file, other) = (dir.path().join("hooks.log"), dir.path().join("other"));
        std::fs::write(&other, "").expect("written");
        std::os::unix::fs::symlink(&other, &file).expect("a link");
        append(&file, "x").expect_err("a link");
        assert_eq!(std::fs::read(&other).expect("read"), b"");
        append(&dir.path().join("no/folder"), "x").expect_err("no folder");
    }
}
