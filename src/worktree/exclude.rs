//! Keeps the folder of worktrees out of `git status`, by the repository's own exclude file: nothing that is committed
//! changes, and nobody else's checkout does.

use super::repository::{Repository, RepositoryError, git_at, io_at};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Repository {
    /// Has git ignore this folder, where it is in the main checkout and not ignored already.
    ///
    /// # Errors
    /// The exclude file cannot be read or written.
    pub fn exclude(&self, folder: &Path) -> Result<(), RepositoryError> {
        let Some(main) = &self.main else { return Ok(()) };
        let Ok(below) = folder.strip_prefix(main) else { return Ok(()) };
        let of_main = git_at("cannot open", main, git2::Repository::open(main))?;
        // A folder's own rules end with a slash, which a path that is not there yet does not show to be one.
        let mut asked = below.as_os_str().as_bytes().to_vec();
        asked.push(b'/');
        let ignored = of_main.is_path_ignored(Path::new(OsStr::from_bytes(&asked)));
        if git_at("cannot ask for the ignore rules of", main, ignored)? {
            return Ok(());
        }
        self.add_rule(&rule(below, true))
    }

    /// Has git ignore exactly this, a file or a link, in all checkouts.
    ///
    /// # Errors
    /// As [`Repository::exclude`].
    pub fn exclude_exactly(&self, below: &Path) -> Result<(), RepositoryError> {
        self.add_rule(&rule(below, false))
    }

    fn add_rule(&self, rule: &[u8]) -> Result<(), RepositoryError> {
        let path = self.common.join("info/exclude");
        let old = match std::fs::read(&path) {
            Ok(old) => old,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return io_at("cannot read", &path, Err(e)),
        };
        let info = self.common.join("info");
        io_at("cannot make", &info, std::fs::create_dir_all(&info))?;
        let written = tempfile_beside(&path).and_then(|(new, mut file)| {
            file.write_all(&with_line(&old, rule))?;
            file.sync_all()?;
            if let Ok(meta) = std::fs::metadata(&path) {
                file.set_permissions(meta.permissions())?;
            }
            std::fs::rename(new, &path)
        });
        io_at("cannot write", &path, written)
    }
}

/// A new file beside `path`; one that a crash left there is replaced. Only who has the repository's lock writes it.
fn tempfile_beside(path: &Path) -> io::Result<(std::path::PathBuf, std::fs::File)> {
    let new = path.with_file_name("exclude.abide");
    match std::fs::remove_file(&new) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&new)?;
    Ok((new, file))
}

/// The file with one more rule.
fn with_line(old: &[u8], rule: &[u8]) -> Vec<u8> {
    let mut text = old.to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(rule);
    text.push(b'\n');
    text
}

/// The rule for exactly this path: as a folder, or as whatever it is.
fn rule(path: &Path, folder: bool) -> Vec<u8> {
    let mut text = vec![b'/'];
    for byte in path.as_os_str().as_bytes() {
        // What has a meaning in a rule stands for itself.
        if matches!(byte, b'*' | b'?' | b'[' | b'\\' | b' ') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    if folder {
        text.push(b'/');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::git::{Git, Trust};
    use super::*;

    #[test]
    fn the_folder_is_ignored_once_and_all_else_stays() {
        for folder in [".abide/worktrees", "a b*[x]/wt"] {
            let dir = tempfile::tempdir().expect("folder");
            let main = dir.path().canonicalize().expect("path");
            let git = || Git::within(&main, Trust::Untrusted);
            git().args(["init", "-q"]).run().expect("init");
            let rules = main.join(".git/info/exclude");
            std::fs::write(&rules, "*.mine").expect("rules");
            std::fs::create_dir_all(main.join(folder).join("x")).expect("folder");
            std::fs::write(main.join(folder).join("x/file"), "x").expect("file");
            std::fs::write(main.join("other"), "x").expect("file");
            let repository = Repository::around(&main).expect("opened").expect("found");
            repository.exclude(&main.join(folder)).expect("excluded");
            let untracked =
                git().args(["ls-files", "-z", "-o", "--exclude-standard"]).paths().expect("paths");
            assert_eq!(untracked, [Path::new("other")], "{folder}");
            let once = std::fs::read_to_string(&rules).expect("rules");
            assert!(once.starts_with("*.mine\n"), "{once}");
            Repository::around(&main)
                .expect("opened")
                .expect("found")
                .exclude(&main.join(folder))
                .expect("again");
            assert_eq!(std::fs::read_to_string(&rules).expect("rules"), once);
        }
    }
}
