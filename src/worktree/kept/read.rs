//! Writing what was kept into folders that are new.

use super::Kept;
use super::meta::{self, Meta, Modes};
use super::tree::{is_name, unmarked};
use crate::sys::pipe;
use crate::worktree::convert::Pointer;
use crate::worktree::files::Folder;
use crate::worktree::git::{Git, GitError, Trust};
use crate::worktree::repository::Repository;
use crate::worktree::survey::GITLINK;
use git2::{ObjectType, Oid, Tree};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmod, fchmodat, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// Larger objects are written by git as it unpacks them: libgit2 would have them in memory as a whole.
const LARGE: usize = 64 << 20;

/// Why it cannot be written.
#[derive(Debug, thiserror::Error)]
pub(in crate::worktree) enum ReadError {
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
    #[error(transparent)]
    Program(#[from] GitError),
    #[error("{}: {source}", String::from_utf8_lossy(.path))]
    File { path: Vec<u8>, source: io::Error },
    /// Nothing of ours has such a name.
    #[error("{:?} is no name of a file", String::from_utf8_lossy(.0))]
    Name(Vec<u8>),
}

/// A part of what was kept, as names in it stand for names of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Plain,
    Marked,
}

/// What to say of a file beside its bytes.
#[derive(Default)]
struct About<'a> {
    files: BTreeMap<&'a [u8], &'a meta::File>,
    stored: BTreeMap<&'a [u8], &'a meta::Stored>,
    modes: Modes,
}

struct Reader<'a> {
    git: &'a git2::Repository,
    repository: &'a Repository,
    about: About<'a>,
    problems: Vec<String>,
}

/// Writes the files of a worktree into a folder that is empty. What could not be had is returned, for people.
///
/// # Errors
/// [`ReadError`]
pub(in crate::worktree) fn files(
    repository: &Repository,
    kept: &Kept,
    folder: &Folder,
) -> Result<Vec<String>, ReadError> {
    let (git, meta) = (&repository.git, &kept.meta);
    let about = About {
        files: meta.files.iter().map(|file| (file.path.0.as_slice(), file)).collect(),
        stored: meta.stored.iter().map(|stored| (stored.path.0.as_slice(), stored)).collect(),
        modes: meta.modes,
    };
    let mut reader = Reader { git, repository, about, problems: Vec::new() };
    let work = git.find_commit(Oid::from_str(&meta.work)?)?.tree()?;
    reader.tree(folder, &work, b"", Names::Plain)?;
    if let Some(beside) = part(git, kept, "files")? {
        reader.tree(folder, &beside, b"", Names::Marked)?;
    }
    folders(folder, meta)?;
    Ok(reader.problems)
}

/// Writes its books into a folder that is empty.
///
/// # Errors
/// [`ReadError`]
pub(in crate::worktree) fn books(
    repository: &Repository,
    kept: &Kept,
    folder: &Folder,
) -> Result<(), ReadError> {
    let git = &repository.git;
    let about = About {
        files: kept.meta.books.iter().map(|file| (file.path.0.as_slice(), file)).collect(),
        ..About::default()
    };
    let mut reader = Reader { git, repository, about, problems: Vec::new() };
    let Some(books) = part(git, kept, "books")? else {
        return Err(git2::Error::from_str("its books were not kept").into());
    };
    reader.tree(folder, &books, b"", Names::Marked)
}

/// The log of its branch.
///
/// # Errors
/// [`ReadError`]
pub(in crate::worktree) fn log(repository: &Repository, kept: &Kept) -> Result<Option<Vec<u8>>, ReadError> {
    let tree = repository.git.find_commit(kept.commit)?.tree()?;
    let Some(id) = tree.get_name("log").map(|entry| entry.id()) else { return Ok(None) };
    Ok(Some(repository.git.find_blob(id)?.content().to_vec()))
}

fn part<'a>(git: &'a git2::Repository, kept: &Kept, name: &str) -> Result<Option<Tree<'a>>, ReadError> {
    let tree = git.find_commit(kept.commit)?.tree()?;
    let Some(id) = tree.get_name(name).map(|entry| entry.id()) else { return Ok(None) };
    Ok(Some(git.find_tree(id)?))
}

/// A file that is new.
fn create(folder: &Folder, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
}

/// A folder that is new, or that was made before.
fn enter(folder: &Folder, name: &[u8]) -> io::Result<Folder> {
    match mkdirat(folder, name, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => folder.below(name),
        Err(e) => Err(e.into()),
    }
}

#[allow(clippy::unnecessary_cast, reason = "mode_t has another width on other platforms")]
fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits as libc::mode_t)
}

fn time(file: &meta::File) -> Option<TimeSpec> {
    let (seconds, nanos) = file.modified?;
    Some(TimeSpec::new(seconds, nanos.into()))
}

impl Reader<'_> {
    fn tree(&mut self, folder: &Folder, tree: &Tree<'_>, path: &[u8], names: Names) -> Result<(), ReadError> {
        for entry in tree {
            let whole = entry.name_bytes();
            let name = match names {
                Names::Plain => Some(whole).filter(|name| is_name(name)),
                Names::Marked => unmarked(whole),
            };
            let name = name.ok_or_else(|| ReadError::Name(whole.to_vec()))?;
            let at = if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') };
            let failed = |source| ReadError::File { path: at.clone(), source };
            if at == b".git" {
                // The worktree's own link is written anew, and nothing else may stand there.
                return Err(ReadError::Name(at));
            }
            match u32::try_from(entry.filemode()).unwrap_or(0) {
                0o040_000 => {
                    let inner = enter(folder, name).map_err(failed)?;
                    self.tree(&inner, &self.git.find_tree(entry.id())?, &at, names)?;
                }
                GITLINK => drop(enter(folder, name).map_err(failed)?),
                0o120_000 => {
                    let target = self.git.find_blob(entry.id())?;
                    let target = OsStr::from_bytes(target.content());
                    symlinkat(target, folder, name).map_err(|e| failed(e.into()))?;
                    if let Some(time) = self.about.files.get(at.as_slice()).and_then(|file| time(file)) {
                        let set = utimensat(folder, name, &time, &time, UtimensatFlags::NoFollowSymlink);
                        set.map_err(|e| failed(e.into()))?;
                    }
                }
                kind => self.file(folder, name, &at, entry.id(), kind == 0o100_755)?,
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        folder: &Folder,
        name: &[u8],
        at: &[u8],
        id: Oid,
        program: bool,
    ) -> Result<(), ReadError> {
        let failed = |source| ReadError::File { path: at.to_vec(), source };
        let mut file = create(folder, name).map_err(failed)?;
        if !self.copy_stored(at, &mut file).map_err(failed)? {
            let odb = self.git.odb()?;
            if odb.read_header(id)?.0 > LARGE {
                let out = file.try_clone().map_err(failed)?;
                let git = Git::within(&self.repository.common, Trust::Untrusted);
                git.args(["cat-file", "blob", &id.to_string()]).run_into(out)?;
            } else {
                let object = odb.read(id)?;
                if object.kind() != ObjectType::Blob {
                    return Err(git2::Error::from_str("a file of it is no blob").into());
                }
                file.write_all(object.data()).map_err(failed)?;
            }
        }
        let about = self.about.files.get(at);
        let usual = if program { self.about.modes.program } else { self.about.modes.file };
        let bits = about.and_then(|file| file.mode).unwrap_or(usual);
        fchmod(&file, mode(bits)).map_err(|e| failed(e.into()))?;
        if let Some(time) = about.and_then(|file| time(file)) {
            futimens(&file, &time, &time).map_err(|e| failed(e.into()))?;
        }
        Ok(())
    }

    /// The content of a large file, from where LFS keeps it. False where it is none, or is not there any more.
    fn copy_stored(&mut self, at: &[u8], file: &mut File) -> io::Result<bool> {
        let Some(stored) = self.about.stored.get(at) else { return Ok(false) };
        let pointer = Pointer { oid: stored.oid.clone(), size: stored.size };
        if !pointer.is_sane() || !pointer.is_stored(&self.repository.common) {
            let path = &stored.path;
            self.problems
                .push(format!("{path}: its content is not here any more; `git lfs pull` fetches it"));
            return Ok(false);
        }
        let mut from = File::open(pointer.store(&self.repository.common))?;
        io::copy(&mut from, file)?;
        Ok(true)
    }
}

/// Empty folders, pipes, and last of all how folders are closed.
fn folders(root: &Folder, meta: &Meta) -> Result<(), ReadError> {
    let failed = |path: &[u8]| {
        let path = path.to_vec();
        move |source| ReadError::File { path, source }
    };
    let reach = |path: &[u8]| -> io::Result<Folder> {
        let mut at = root.below(b".")?;
        for part in path.split(|b| *b == b'/') {
            if !is_name(part) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            at = enter(&at, part)?;
        }
        Ok(at)
    };
    for pipe in &meta.pipes {
        let path = &pipe.path.0;
        let (parent, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(slash) => (reach(&path[..slash]).map_err(failed(path))?, &path[slash + 1..]),
            None => (root.below(b".").map_err(failed(path))?, path.as_slice()),
        };
        if !is_name(name) {
            return Err(ReadError::Name(path.clone()));
        }
        let made = pipe::make_in(&parent, OsStr::from_bytes(name));
        let made = made.and_then(|()| {
            fchmodat(&parent, name, mode(pipe.mode), FchmodatFlags::NoFollowSymlink).map_err(Into::into)
        });
        made.map_err(failed(path))?;
    }
    for folder in &meta.folders {
        reach(&folder.path.0).map_err(failed(&folder.path.0))?;
    }
    let odd: BTreeMap<&[u8], u32> = meta.folders.iter().map(|f| (f.path.0.as_slice(), f.mode)).collect();
    let walked = crate::worktree::files::walk(root, |_| false)
        .map_err(|e| ReadError::File { path: e.path, source: e.source })?;
    // The innermost first: what is closed cannot be entered.
    for path in walked.folders.keys().rev() {
        let bits = odd.get(path.as_slice()).copied().unwrap_or(meta.modes.folder);
        let folder = reach(path).map_err(failed(path))?;
        fchmod(&folder, mode(bits)).map_err(|e| failed(path)(e.into()))?;
    }
    Ok(())
}
