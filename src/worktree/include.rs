//! What a new worktree gets of the main checkout beside its commit: files that git ignores and work needs (`.env`,
//! settings of one's own), as `.worktreeinclude` names them, and folders that are too large to have twice, as links.
//!
//! Only what the file's patterns match *and* git ignores is copied: what is tracked comes with the commit, and what is
//! neither is somebody's unfinished work. Git itself reads the patterns and says what is ignored, so that both are
//! exactly what git means. Nothing goes through a symbolic link: a link is copied as one, and only where it stays in the
//! checkout.

use super::git::{Git, GitError, Trust};
use super::repository::{RepositoryError, io_at};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Patterns of what is copied, in the syntax of `.gitignore`.
pub const FILE: &str = ".worktreeinclude";
/// Files of one's own that are copied without being named.
const ALWAYS: &[&str] = &[".claude/settings.local.json"];

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Included {
    /// Copied files, below the checkout.
    pub copied: Vec<PathBuf>,
    /// Linked folders.
    pub linked: Vec<PathBuf>,
    /// What was left out, and why; for people.
    pub skipped: Vec<String>,
}

/// Copies from the main checkout into a worktree of it. What the worktree has already stays as it is.
///
/// # Errors
/// Git cannot say what to copy, or the disk refuses.
pub fn copy(main: &Path, worktree: &Path, into: &mut Included) -> Result<(), CopyError> {
    for path in matched(main)? {
        copy_one(main, worktree, &path, into)?;
    }
    Ok(())
}

/// Makes links in a worktree to these folders of the main checkout, where git ignores them there. A folder that was
/// linked is shared: what one session changes in it, all have.
///
/// # Errors
/// Git cannot be asked, or the disk refuses.
pub fn link(main: &Path, worktree: &Path, folders: &[String], into: &mut Included) -> Result<(), CopyError> {
    for text in folders {
        let folder = Path::new(text.trim_end_matches('/'));
        let mut skip = |why: &str| into.skipped.push(format!("{text} is not linked: {why}"));
        if folder.components().any(|part| !matches!(part, Component::Normal(_)))
            || folder.as_os_str().is_empty()
        {
            skip("it is no folder below the checkout");
            continue;
        }
        let (from, to) = (main.join(folder), worktree.join(folder));
        let parent = folder.parent().unwrap_or(Path::new(""));
        if through_link(main, folder) || through_link(worktree, parent) {
            skip("a symbolic link leads to it");
        } else if !from.is_dir() {
            skip("there is none");
        } else if std::fs::symlink_metadata(&to).is_ok() {
            skip("the worktree has one of its own");
        } else if ignored(main, &[folder.to_owned()])?.is_empty() {
            skip("git does not ignore it");
        } else {
            make_parents(worktree, folder)?;
            io_at("cannot link", &to, std::os::unix::fs::symlink(&from, &to))?;
            // `node_modules/` in the ignore rules means folders only, and a link is none.
            hide(worktree, folder)?;
            into.linked.push(folder.to_owned());
        }
    }
    Ok(())
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The git program.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] RepositoryError),
}

/// What is to be copied: below the checkout, files and links.
fn matched(main: &Path) -> Result<Vec<PathBuf>, CopyError> {
    let mut wanted: Vec<PathBuf> =
        ALWAYS.iter().map(PathBuf::from).filter(|path| main.join(path).is_file()).collect();
    let patterns = main.join(FILE);
    if std::fs::symlink_metadata(&patterns).is_ok_and(|meta| meta.is_file()) {
        let git = Git::within(main, Trust::Untrusted);
        let git = git.args(["ls-files", "-z", "--others", "--ignored", "--exclude-from"]).args([&patterns]);
        wanted.extend(git.paths()?);
    }
    wanted.sort();
    wanted.dedup();
    Ok(ignored(main, &wanted)?)
}

/// Those of these that git ignores.
fn ignored(main: &Path, paths: &[PathBuf]) -> Result<Vec<PathBuf>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = Vec::new();
    for path in paths {
        // A path that begins with a colon would be taken for something else.
        list.extend_from_slice(b"./");
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(0);
    }
    let git =
        Git::within(main, Trust::Untrusted).any_paths().args(["check-ignore", "-z", "--stdin"]).input(list);
    match git.paths() {
        Err(GitError::Failed { status, .. }) if status.code() == Some(1) => Ok(Vec::new()),
        Ok(paths) => Ok(paths.iter().map(|path| path.strip_prefix(".").unwrap_or(path).to_owned()).collect()),
        Err(e) => Err(e),
    }
}

fn copy_one(main: &Path, worktree: &Path, path: &Path, into: &mut Included) -> Result<(), CopyError> {
    let (from, to) = (main.join(path), worktree.join(path));
    let mut skip = |why: &str| into.skipped.push(format!("{} is not copied: {why}", path.display()));
    let meta = match std::fs::symlink_metadata(&from) {
        Ok(meta) => meta,
        // It went in between.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Ok(io_at("cannot examine", &from, Err(e))?),
    };
    if std::fs::symlink_metadata(&to).is_ok() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    if through_link(main, parent) || through_link(worktree, parent) {
        skip("a symbolic link leads to it");
        return Ok(());
    }
    if meta.is_symlink() {
        let target = io_at("cannot read", &from, std::fs::read_link(&from))?;
        if stays_inside(parent, &target) {
            make_parents(worktree, path)?;
            io_at("cannot link", &to, std::os::unix::fs::symlink(&target, &to))?;
            into.copied.push(path.to_owned());
        } else {
            skip("it is a symbolic link that leads out of the checkout");
        }
    } else if meta.is_file() {
        make_parents(worktree, path)?;
        // The kernel clones the blocks where the file system can.
        io_at("cannot copy", &from, std::fs::copy(&from, &to))?;
        into.copied.push(path.to_owned());
    } else {
        skip("it is neither a file nor a link");
    }
    Ok(())
}

/// Whether one of the folders on the way is a symbolic link.
fn through_link(root: &Path, below: &Path) -> bool {
    let mut at = root.to_owned();
    below.components().any(|part| {
        at.push(part);
        std::fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_symlink())
    })
}

/// Whether a link in the folder `at` (below the checkout) leads to something below the checkout, as text.
fn stays_inside(at: &Path, target: &Path) -> bool {
    let mut depth = at.components().count();
    target.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir if depth > 0 => {
            depth -= 1;
            true
        }
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
    })
}

fn make_parents(worktree: &Path, path: &Path) -> Result<(), RepositoryError> {
    let folder = worktree.join(path.parent().unwrap_or(Path::new("")));
    io_at("cannot make", &folder, std::fs::create_dir_all(&folder))
}

/// Has git ignore a link in all checkouts, where its rules do not already.
fn hide(worktree: &Path, folder: &Path) -> Result<(), CopyError> {
    let found = super::repository::Repository::around(worktree)?;
    if let Some(repository) = found
        && ignored(worktree, &[folder.to_owned()])?.is_empty()
    {
        repository.exclude_exactly(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, args: &[&str]) -> String {
        let git = Git::within(folder, Trust::Untrusted).args(["-c", "user.name=A", "-c", "user.email=a@b"]);
        String::from_utf8(git.args(args.iter().copied()).run().expect("git")).expect("text").trim().to_owned()
    }

    fn checkouts() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("folder");
        let main = dir.path().canonicalize().expect("path").join("main");
        std::fs::create_dir(&main).expect("main");
        git(&main, &["init", "-q", "-b", "main"]);
        std::fs::write(main.join(".gitignore"), ".env*\n*.local\nnode_modules/\nlink\nout\n").expect("rules");
        std::fs::write(
            main.join(FILE),
            "# of one's own\n.env*\n!.env.example\n/conf/*.local\ntracked\nlink\nout\n",
        )
        .expect("patterns");
        std::fs::write(main.join("tracked"), "x").expect("file");
        git(&main, &["add", "."]);
        git(&main, &["commit", "-q", "-m", "first"]);
        git(&main, &["worktree", "add", "-q", "-b", "side", "../side"]);
        let side = main.with_file_name("side");
        (dir, main, side)
    }

    #[test]
    fn what_matches_and_is_ignored_is_copied_and_nothing_else() {
        let (_dir, main, side) = checkouts();
        std::fs::create_dir_all(main.join("conf")).expect("folder");
        let all = [".env", ".env.example", ".env with space", "conf/a.local", "b.local", "unfinished"];
        for name in all {
            std::fs::write(main.join(name), name).expect("file");
        }
        std::fs::write(side.join(".env with space"), "its own").expect("file");
        let mut done = Included::default();
        copy(&main, &side, &mut done).expect("copied");
        assert_eq!(done.copied, [Path::new(".env"), Path::new("conf/a.local")]);
        assert_eq!(std::fs::read_to_string(side.join("conf/a.local")).expect("read"), "conf/a.local");
        assert_eq!(std::fs::read_to_string(side.join(".env with space")).expect("read"), "its own");
        assert_eq!(git(&side, &["status", "--porcelain"]), "");
    }

    #[test]
    fn links_are_copied_as_links_and_only_where_they_stay_inside() {
        let (dir, main, side) = checkouts();
        std::fs::write(dir.path().join("secret"), "x").expect("file");
        std::os::unix::fs::symlink("tracked", main.join("link")).expect("link");
        std::os::unix::fs::symlink("../secret", main.join("out")).expect("link");
        std::os::unix::fs::symlink(dir.path(), main.join("conf")).expect("link");
        let mut done = Included::default();
        copy(&main, &side, &mut done).expect("copied");
        assert_eq!(done.copied, [Path::new("link")]);
        assert_eq!(std::fs::read_link(side.join("link")).expect("a link"), Path::new("tracked"));
        assert!(
            done.skipped.len() == 1 && done.skipped[0].starts_with("out is not copied"),
            "{:?}",
            done.skipped
        );
    }

    #[test]
    fn a_folder_is_linked_where_git_ignores_it_and_stays_out_of_sight() {
        let (_dir, main, side) = checkouts();
        for folder in ["node_modules/a", "src"] {
            std::fs::create_dir_all(main.join(folder)).expect("folder");
        }
        let wanted = ["node_modules", "src", "none", "../main", "/", "a/../b"].map(ToOwned::to_owned);
        let mut done = Included::default();
        link(&main, &side, &wanted, &mut done).expect("linked");
        assert_eq!(done.linked, [Path::new("node_modules")]);
        assert_eq!(done.skipped.len(), 5, "{:?}", done.skipped);
        assert_eq!(std::fs::read_link(side.join("node_modules")).expect("a link"), main.join("node_modules"));
        assert_eq!(git(&side, &["status", "--porcelain"]), "");
        link(&main, &side, &wanted[..1], &mut done).expect("again");
        assert!(done.skipped[5].contains("one of its own"), "{:?}", done.skipped);
    }

    #[test]
    fn links_that_leave_are_told_by_their_text() {
        for (at, target, inside) in [
            ("", "a", true),
            ("a/b", "../../c", true),
            ("a/b", "../../../c", false),
            ("", "../x", false),
            ("", "/etc/passwd", false),
            ("a", "./x/../../y", true),
            ("a", "x/../../../y", false),
        ] {
            assert_eq!(stays_inside(Path::new(at), Path::new(target)), inside, "{at}: {target}");
        }
    }
}
