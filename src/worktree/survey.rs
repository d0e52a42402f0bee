//! Everything that is in a worktree: what git says of it, and what is there.
//!
//! First all files are looked at, then git is asked: what changes in between shows when they are looked at again. Git
//! knows nothing of some files (in a folder called `.git` that is no repository, say) and is told not to look at others,
//! so that the files themselves decide: whatever is neither in the index with the same bytes nor ignored is work.

use super::convert::{Conversions, Pointer};
use super::files::{Folder, Kind, Stamp, Walked, walk};
use super::inner::{self, Found, What};
use super::linked::Worktree;
use super::repository::Repository;
use super::status::{self, CannotSay, Entry, Status};
use git2::{ObjectType, Oid};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Why a file's bytes are more than the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Git sees a change.
    Changed,
    /// It has no place in the index, and is not ignored.
    Untracked,
    /// Ignored, and precious all the same.
    Precious,
    /// Unmerged.
    Unmerged,
    /// Git does not look, and it was changed.
    Unwatched,
    /// Git sees no change, and its bytes are others (line ends, filters).
    Converted,
    /// Of a repository in it.
    Inner,
}

/// A worktree, looked at once.
#[derive(Debug)]
pub(super) struct Survey {
    /// All that is below the worktree, without its own `.git`.
    pub(super) walked: Walked,
    /// All that is in its books.
    pub(super) books: Walked,
    pub(super) status: Status,
    pub(super) index: Vec<Entry>,
    /// Files whose bytes the index does not have, by path.
    pub(super) work: BTreeMap<Vec<u8>, Why>,
    /// Files of the index that are not there.
    pub(super) absent: BTreeSet<Vec<u8>>,
    /// Folders with nothing in them.
    pub(super) empty: Vec<Vec<u8>>,
    /// Named pipes.
    pub(super) pipes: Vec<Vec<u8>>,
    /// Repositories in it that are neither worktrees nor without work of their own, and what they have.
    pub(super) inner: Vec<(Found, String)>,
    /// Worktrees in it.
    pub(super) worktrees: Vec<Vec<u8>>,
    /// Large files of which only a pointer is in the index, and whose content is in the repository's own store.
    pub(super) stored: BTreeMap<Vec<u8>, Pointer>,
    /// Those whose content is here only.
    pub(super) only_here: Vec<Vec<u8>>,
    ignored: Ignored,
}

/// Why a worktree cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum SurveyError {
    /// Its files.
    #[error("cannot look at {0}")]
    Blind(#[from] super::files::Blind),
    /// Git.
    #[error(transparent)]
    CannotSay(#[from] CannotSay),
    /// Its objects.
    #[error("git: {}", .0.message())]
    Objects(#[from] git2::Error),
    /// A file of it.
    #[error("{}: {source}", String::from_utf8_lossy(.path))]
    File {
        /// Which.
        path: Vec<u8>,
        /// Why.
        source: io::Error,
    },
}

impl Survey {
    /// Looks at a worktree whose files are in `root`; that is where it is, or where it was moved to.
    ///
    /// # Errors
    /// [`SurveyError`]: it was not looked at as a whole.
    pub(super) fn of(
        repository: &Repository,
        worktree: &Worktree,
        precious: &[String],
    ) -> Result<Self, SurveyError> {
        let (place, books) = (worktree.path.as_path(), worktree.books.as_path());
        let missing = |source| SurveyError::File { path: b".".to_vec(), source };
        let root = Folder::open(place).map_err(missing)?;
        let mut walked = walk(&root, |_| false)?;
        // The link to its books is no file of anybody's.
        walked.files.remove(&b".git"[..]);
        let kept_books = walk(&Folder::open(books).map_err(missing)?, |_| false)?;
        let status = status::status(place, books)?;
        let index = status::index(place, books)?;
        let precious: BTreeSet<Vec<u8>> = status::matching(place, books, precious)?.into_iter().collect();
        let ignored = Ignored::of(&status);
        let mut survey = Self {
            books: kept_books,
            index,
            work: BTreeMap::new(),
            absent: BTreeSet::new(),
            empty: Vec::new(),
            pipes: Vec::new(),
            inner: Vec::new(),
            worktrees: Vec::new(),
            stored: BTreeMap::new(),
            only_here: Vec::new(),
            ignored: Ignored::default(),
            walked,
            status,
        };
        let repositories = survey.look_into_repositories(place, books, &ignored);
        survey.compare_index(repository, place, books, &root, &repositories)?;
        let tracked: BTreeSet<&[u8]> = survey.index.iter().map(|e| e.path.as_slice()).collect();
        let mut found = BTreeMap::new();
        for (path, stamp) in &survey.walked.files {
            if tracked.contains(path.as_slice()) || repositories.iter().any(|r| within(path, r)) {
                continue;
            }
            let why = match (ignored.has(path), precious.contains(path)) {
                (true, false) => continue,
                (true, true) => Why::Precious,
                (false, _) => Why::Untracked,
            };
            match stamp.kind {
                Kind::File | Kind::Link => _ = found.insert(path.clone(), why),
                Kind::Fifo if why == Why::Untracked => survey.pipes.push(path.clone()),
                // A socket has no content, and a device is none of git's.
                Kind::Fifo | Kind::Special | Kind::Folder => {}
            }
        }
        survey.work.append(&mut found);
        let empty = survey.walked.folders.iter().filter(|(path, (_, filled))| {
            !filled && !ignored.has(path) && !repositories.iter().any(|r| within(path, r))
        });
        let empty: Vec<Vec<u8>> = empty.map(|(path, _)| path.clone()).collect();
        // Beside those of repositories in it: git takes a folder for none whose `refs` is missing.
        survey.empty.extend(empty);
        survey.ignored = ignored;
        Ok(survey)
    }

    /// Takes all of those with work, and returns where they all are.
    fn look_into_repositories(&mut self, place: &Path, books: &Path, ignored: &Ignored) -> Vec<Vec<u8>> {
        let mut places = Vec::new();
        for found in inner::find(place, books, &self.walked) {
            let path = found.path.clone();
            match found.what {
                What::Worktree => self.worktrees.push(path.clone()),
                What::Submodule | What::Clone => {
                    // What is part of another one's work is told with that.
                    let outer = self.inner.iter().any(|(outer, _)| within(&path, &outer.path));
                    let folder = place.join(os(&path));
                    let work = match inner::work_of(&folder) {
                        Ok(work) => work,
                        Err(why) => Some(format!("not known: {why}")),
                    };
                    // One that is not ignored is somebody's, whatever is in it; a submodule comes back by itself.
                    let whole = match found.what {
                        What::Submodule => self.status.unstaged.contains(&path),
                        What::Clone | What::Worktree => !ignored.has(&path),
                    };
                    if (work.is_some() || whole) && !outer {
                        let files = self.walked.files.iter().filter(|(file, _)| within(file, &path));
                        let files = files.filter(|(_, stamp)| matches!(stamp.kind, Kind::File | Kind::Link));
                        self.work.extend(files.map(|(file, _)| (file.clone(), Why::Inner)));
                        let empty =
                            self.walked.folders.iter().filter(|(f, (_, any))| !any && within(f, &path));
                        self.empty.extend(empty.map(|(folder, _)| folder.clone()));
                        let work = work.unwrap_or_else(|| "nothing that its remotes do not have".into());
                        self.inner.push((found, work));
                    }
                }
            }
            places.push(path);
        }
        places
    }

    /// Compares what is in the index with what is there.
    fn compare_index(
        &mut self,
        repository: &Repository,
        place: &Path,
        books: &Path,
        root: &Folder,
        repositories: &[Vec<u8>],
    ) -> Result<(), SurveyError> {
        let odb = repository.git.odb()?;
        let changed: BTreeSet<&[u8]> = self.status.unstaged.iter().map(Vec::as_slice).collect();
        let conversions = Conversions::of(repository, place, books, &self.index)?;
        let same = |entry: &Entry| {
            let read = has_bytes_of(root, &entry.path, entry.id);
            read.map_err(|source| SurveyError::File { path: entry.path.clone(), source })
        };
        for entry in &self.index {
            let path = &entry.path;
            let there = self.walked.files.get(path).filter(|s| matches!(s.kind, Kind::File | Kind::Link));
            let Some(stamp) = there else {
                if entry.mode != GITLINK && entry.stage == 0 {
                    self.absent.insert(path.clone());
                }
                continue;
            };
            let why = if entry.stage > 0 {
                Some(Why::Unmerged)
            } else if entry.unwatched {
                (mode_of(stamp) != entry.mode || !same(entry)?).then_some(Why::Unwatched)
            } else if changed.contains(path.as_slice()) || entry.mode == GITLINK {
                Some(Why::Changed)
            } else if stamp.kind == Kind::File && conversions.may_be() {
                let same_size = odb.read_header(entry.id)?.0 as u64 == stamp.size;
                let same = same_size && (!conversions.is_filtered(path) || same(entry)?);
                (!same).then_some(Why::Converted)
            } else {
                None
            };
            let Some(why) = why.filter(|_| !repositories.iter().any(|r| within(path, r))) else { continue };
            if why == Why::Converted && conversions.is_filtered(path) {
                match Pointer::of(&odb, entry.id) {
                    Some(pointer) if pointer.is_stored(&repository.common) => {
                        self.stored.insert(path.clone(), pointer);
                        continue;
                    }
                    Some(_) => self.only_here.push(path.clone()),
                    None => {}
                }
            }
            self.work.insert(path.clone(), why);
        }
        Ok(())
    }

    /// The first path at which anything that matters has changed since: all but what is ignored and not precious.
    pub(super) fn difference(&self, walked: &Walked, books: &Walked) -> Option<Vec<u8>> {
        let matters = |path: &[u8]| self.work.contains_key(path) || !self.ignored.has(path);
        first_difference(&self.walked, walked, matters)
            .or_else(|| first_difference(&self.books, books, |_| true))
    }

    /// The paths of work of this kind.
    pub(super) fn paths(&self, why: Why) -> impl Iterator<Item = &[u8]> {
        self.work.iter().filter(move |(_, w)| **w == why).map(|(path, _)| path.as_slice())
    }
}

/// Larger files are read piece by piece.
pub(super) const STREAMED: u64 = 4 << 20;

/// As a tree has it.
pub(super) fn mode_of(stamp: &Stamp) -> u32 {
    match (stamp.kind, stamp.mode & 0o100) {
        (Kind::Link, _) => 0o120_000,
        (_, 0) => 0o100_644,
        (_, _) => 0o100_755,
    }
}

/// A submodule's place in an index or a tree.
pub(super) const GITLINK: u32 = 0o160_000;

fn first_difference(before: &Walked, after: &Walked, matters: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let changed =
        before.files.iter().find(|(path, stamp)| matters(path) && after.files.get(*path) != Some(*stamp));
    let new = after.files.keys().find(|path| matters(path) && !before.files.contains_key(*path));
    changed.map(|(path, _)| path).or(new).cloned()
}

/// `path` is `folder`, or below it.
pub(super) fn within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

pub(super) fn os(path: &[u8]) -> OsString {
    OsString::from_vec(path.to_vec())
}

/// Whether a file, or a link, has the very bytes of this object.
///
/// # Errors
/// It cannot be read.
pub(super) fn has_bytes_of(root: &Folder, path: &[u8], id: Oid) -> io::Result<bool> {
    let (holder, name) = root.holder(path)?;
    let folder = holder.as_ref().unwrap_or(root);
    let git = |result: Result<Oid, git2::Error>| result.map_err(io::Error::other);
    if folder.stamp(name)?.kind == Kind::Link {
        return Ok(git(Oid::hash_object(ObjectType::Blob, &folder.link(name)?))? == id);
    }
    let (mut file, stamp) = folder.file(name)?;
    if stamp.size >= STREAMED {
        // By its descriptor: no path leads to another file.
        let path = format!("/dev/fd/{}", file.as_raw_fd());
        return Ok(git(Oid::hash_file(ObjectType::Blob, path))? == id);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(git(Oid::hash_object(ObjectType::Blob, &bytes))? == id)
}

/// What git ignores.
#[derive(Debug, Default)]
struct Ignored {
    files: BTreeSet<Vec<u8>>,
    folders: BTreeSet<Vec<u8>>,
}

impl Ignored {
    fn of(status: &Status) -> Self {
        let (folders, files): (Vec<_>, Vec<_>) = status.ignored.iter().partition(|path| path.ends_with(b"/"));
        Self {
            files: files.into_iter().cloned().collect(),
            folders: folders.into_iter().map(|path| path[..path.len() - 1].to_vec()).collect(),
        }
    }

    /// Whether it, or a folder that it is in, is ignored.
    fn has(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(n, _)| n);
        self.files.contains(path) || ends.chain([path.len()]).any(|end| self.folders.contains(&path[..end]))
    }
}
