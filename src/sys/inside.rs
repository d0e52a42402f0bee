//! Which processes are in a folder, as far as this user may see.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use other as platform;

use std::io;
use std::path::Path;

/// What a process has of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Its working directory is the folder, or below it.
    Directory,
    /// A file below the folder is open in it, for writing.
    File,
}

/// The processes that have something of this folder, without our own; `folder` is absolute and without links.
///
/// # Errors
/// Processes cannot be listed. One that is hidden from us is not found.
pub fn processes(folder: &Path) -> io::Result<Vec<(u32, Hold)>> {
    platform::processes(folder)
}

/// Folders below this one on which a file system is mounted.
///
/// # Errors
/// Mounts cannot be listed.
pub fn mounts(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    platform::mounts(folder)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A process that lives until it is dropped.
    struct Living(std::process::Child);

    impl Living {
        fn new(command: &mut Command) -> Self {
            let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a process");
            Self(child)
        }
    }

    impl Drop for Living {
        fn drop(&mut self) {
            self.0.kill().expect("killed");
            self.0.wait().expect("ended");
        }
    }

    #[test]
    fn who_is_in_a_folder_is_found_and_nobody_else() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = dir.path().join("tree");
        std::fs::create_dir_all(folder.join("deep/er")).expect("folders");
        std::fs::create_dir_all(dir.path().join("tree2")).expect("folder");
        assert_eq!(processes(&folder).expect("list"), []);
        let within = Living::new(Command::new("cat").current_dir(folder.join("deep/er")));
        let _beside = Living::new(Command::new("cat").current_dir(dir.path().join("tree2")));
        let _above = Living::new(Command::new("cat").current_dir(dir.path()));
        assert_eq!(processes(&folder).expect("list"), [(within.0.id(), Hold::Directory)]);
        drop(within);
        assert_eq!(processes(&folder).expect("list"), []);
    }

    #[test]
    fn who_writes_below_a_folder_is_found_and_who_reads_is_not() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("file");
        let writer = std::fs::File::create(&file).expect("file");
        let writing =
            Living::new(Command::new("cat").current_dir("/").stderr(writer.try_clone().expect("file")));
        let reader = std::fs::File::open(&file).expect("file");
        let _reading = Living::new(Command::new("cat").current_dir("/").stderr(reader));
        drop(writer);
        assert_eq!(processes(dir.path()).expect("list"), [(writing.0.id(), Hold::File)]);
    }

    #[test]
    fn nothing_is_mounted_in_an_ordinary_folder() {
        let dir = tempfile::tempdir().expect("folder");
        assert_eq!(mounts(dir.path()).expect("list"), Vec::<std::path::PathBuf>::new());
        assert!(!mounts(Path::new("/")).expect("list").is_empty());
    }
}
