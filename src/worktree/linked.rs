//! Linked worktrees, as whoever removes one has to know them. Listing any number of them starts no program.
//!
//! Git knows a worktree by a folder below the common git folder (`worktrees/NAME`, its *books*), whose `gitdir` says where
//! the worktree is; and the worktree's `.git` says where its books are. Only where both agree is a folder that worktree:
//! see [`Link`].

use super::files::{Folder, Kind};
use super::repository::{Repository, RepositoryError, io_at};
use nix::fcntl::OFlag;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Git's small files (`gitdir`, `HEAD`, `locked`) are never larger, by far.
const SMALL: u64 = 64 << 10;

/// One of a repository's worktrees; the main checkout is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Git's name for it, that of its books.
    pub id: OsString,
    /// Its books.
    pub books: PathBuf,
    /// Where it is, by its books.
    pub path: PathBuf,
    /// Whether it is there.
    pub link: Link,
    /// What is checked out.
    pub head: Head,
}

/// What is at a worktree's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The worktree.
    Sound,
    /// Nothing.
    Missing,
    /// Something else, and what; for people.
    Broken(String),
}

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A branch, by its whole name (`refs/heads/…`), which may not exist yet.
    Branch(Vec<u8>),
    /// A commit.
    Detached(git2::Oid),
    /// It cannot be read; why.
    Unknown(String),
}

impl Head {
    /// The branch's name without `refs/heads/`, for people.
    pub fn branch(&self) -> Option<String> {
        match self {
            Self::Branch(name) => {
                let name = name.strip_prefix(b"refs/heads/").unwrap_or(name);
                Some(String::from_utf8_lossy(name).into_owned())
            }
            Self::Detached(_) | Self::Unknown(_) => None,
        }
    }
}

impl Worktree {
    /// A repository's worktrees, by the names that its books have for them. One whose books cannot be read is among them,
    /// with a broken link.
    ///
    /// # Errors
    /// The books as a whole cannot be listed.
    pub fn all(repository: &Repository) -> Result<Vec<Self>, RepositoryError> {
        let folder = repository.common.join("worktrees");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return io_at("cannot list", &folder, Err(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = io_at("cannot list", &folder, entry)?;
            if io_at("cannot examine", &entry.path(), entry.file_type())?.is_dir() {
                names.push(entry.file_name());
            }
        }
        names.sort();
        Ok(names.into_iter().map(|name| Self::of(&folder, name)).collect())
    }

    /// Reads a books.
    fn of(shelf: &Path, id: OsString) -> Self {
        let books = shelf.join(&id);
        let head = head_of(&books);
        let (path, link) = match place_of(&books) {
            Ok(path) => {
                let link = link_of(&path, &books);
                (path, link)
            }
            Err(e) => (PathBuf::new(), Link::Broken(format!("{}: {e}", books.join("gitdir").display()))),
        };
        Self { id, books, path, link, head }
    }

    /// As it is now: whoever holds the lock looks again at what it found before.
    pub fn again(&self) -> Self {
        let shelf = self.books.parent().unwrap_or(Path::new("/"));
        Self::of(shelf, self.id.clone())
    }

    /// The name of its folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(&self.id);
        String::from_utf8_lossy(name.as_bytes()).into_owned()
    }
}

/// Where a books says that its worktree is.
fn place_of(books: &Path) -> io::Result<PathBuf> {
    let text = read_small(&books.join("gitdir"))?;
    let text = text.trim_ascii_end();
    let place = books.join(OsString::from_vec(text.to_vec()));
    let name = place.file_name().filter(|name| *name == ".git");
    let folder = name.and(place.parent()).ok_or_else(|| io::Error::other("it leads to no worktree"))?;
    // Written as it is seen from the books, where git was told to.
    if Path::new(OsString::from_vec(text.to_vec()).as_os_str()).is_relative()
        && let Some((parent, name)) = folder.parent().zip(folder.file_name())
        && let Ok(parent) = parent.canonicalize()
    {
        return Ok(parent.join(name));
    }
    Ok(folder.to_owned())
}

/// What is at the place of a worktree with this books.
fn link_of(path: &Path, books: &Path) -> Link {
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Link::Missing,
        Err(e) => return Link::Broken(format!("there is no folder: {e}")),
    };
    match folder.stamp(b".git") {
        Ok(stamp) if stamp.kind == Kind::File => {}
        Ok(_) => return Link::Broken("its .git is no file: another repository is there".into()),
        Err(e) => return Link::Broken(format!("it has no .git: {e}")),
    }
    let leads = match git_folder_of(&path.join(".git"), path) {
        Ok(leads) => leads,
        Err(e) => return Link::Broken(format!("its .git cannot be read: {e}")),
    };
    match (leads.canonicalize(), books.canonicalize()) {
        (Ok(there), Ok(own)) if there == own => Link::Sound,
        (Ok(_), Ok(_)) => Link::Broken(format!("its .git leads to {}", leads.display())),
        (Err(_), _) | (_, Err(_)) => Link::Broken(format!(
            "its .git leads to {}, which does not exist: `git worktree repair` mends that where the repository was moved",
            leads.display()
        )),
    }
}

/// Where a `.git` file leads.
///
/// # Errors
/// It cannot be read, or is no such file.
pub(super) fn git_folder_of(file: &Path, folder: &Path) -> io::Result<PathBuf> {
    let text = read_small(file)?;
    let target = text.trim_ascii_end().strip_prefix(b"gitdir: ");
    let target = target.ok_or_else(|| io::Error::other("it is no link to a git folder"))?;
    Ok(folder.join(OsString::from_vec(target.to_vec())))
}

/// What a books's `HEAD` says.
fn head_of(books: &Path) -> Head {
    let text = match read_small(&books.join("HEAD")) {
        Ok(text) => text,
        Err(e) => return Head::Unknown(format!("{}: {e}", books.join("HEAD").display())),
    };
    let text = text.trim_ascii_end();
    if let Some(name) = text.strip_prefix(b"ref:") {
        return Head::Branch(name.trim_ascii_start().to_vec());
    }
    match std::str::from_utf8(text).ok().and_then(|t| git2::Oid::from_str(t).ok()) {
        Some(id) => Head::Detached(id),
        None => Head::Unknown("HEAD is neither a branch nor a commit".into()),
    }
}

/// Reads one of git's small files, if it is a regular one.
///
/// # Errors
/// It cannot be read, or is something else.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let mut content = Vec::new();
    file.take(SMALL + 1).read_to_end(&mut content)?;
    if content.len() as u64 > SMALL {
        return Err(io::Error::other("it is larger than any of its kind"));
    }
    Ok(content)
}

fn open_regular(path: &Path) -> io::Result<File> {
    // NONBLOCK: a named pipe in its place must not hold us up.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}
