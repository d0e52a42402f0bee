//! Keeping a worktree: all of it becomes objects of its repository, and is on the disk when [`keep`] returns.

use super::meta::{self, Branch, Meta, Modes, Stored, VERSION};
use super::tree::{Tree, is_plain, marked};
use super::{Kept, REFS};
use crate::core::text::Text;
use crate::sys::clock::wall_ms;
use crate::worktree::durable;
use crate::worktree::files::{Folder, Kind, Stamp, Walked};
use crate::worktree::git::move_ref;
use crate::worktree::inner::What;
use crate::worktree::linked::{Head, Worktree};
use crate::worktree::pushed::{lossless, unreferenced};
use crate::worktree::repository::Repository;
use crate::worktree::status::{self, CannotSay, Entry};
use crate::worktree::survey::{GITLINK, STREAMED, Survey, Why, mode_of};
use git2::{Commit, ErrorCode, ObjectType, Odb, Oid, Signature};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Of the books, no larger file is searched for names of objects.
const SEARCHED: usize = 8 << 20;

/// Why a worktree cannot be kept; then it is not removed either.
#[derive(Debug, thiserror::Error)]
pub(in crate::worktree) enum KeepError {
    /// The repository refuses.
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
    /// Git cannot say what is in it.
    #[error(transparent)]
    CannotSay(#[from] CannotSay),
    /// A file cannot be read.
    #[error("{}: {source}", String::from_utf8_lossy(.path))]
    File { path: Vec<u8>, source: io::Error },
    /// A file was changed while it was read.
    #[error("{} was changed meanwhile", String::from_utf8_lossy(.0))]
    Changed(Vec<u8>),
    /// It cannot be made durable.
    #[error("cannot flush {path}: {source}", path = .path.display())]
    Flush { path: PathBuf, source: io::Error },
    /// What was written is not there any more.
    #[error("{0} is missing from the repository: something removes its objects meanwhile")]
    Gone(Oid),
}

/// What was kept, with what is needed to see whether it still is all.
pub(in crate::worktree) struct Keeping {
    pub(in crate::worktree) kept: Kept,
    /// The bytes of each file that is work.
    pub(in crate::worktree) bytes: BTreeMap<Vec<u8>, Oid>,
    /// The bytes of each file of its books.
    pub(in crate::worktree) books: BTreeMap<Vec<u8>, Oid>,
}

/// Keeps a worktree under this id. There is no survey of one whose folder is gone: then its books are kept.
///
/// # Errors
/// [`KeepError`]; what was written of it is garbage, and git collects it.
pub(in crate::worktree) fn keep(
    repository: &Repository,
    worktree: &Worktree,
    survey: Option<&Survey>,
    id: &str,
    contents: Vec<String>,
) -> Result<Keeping, KeepError> {
    // By the common folder: refs and objects are the whole repository's, whichever checkout was asked about.
    let git = git2::Repository::open(&repository.common)?;
    let odb = git.odb()?;
    let mut writer = Writer {
        git: &git,
        odb: &odb,
        written: Vec::new(),
        bytes: BTreeMap::new(),
        books: BTreeMap::new(),
        at_ms: wall_ms(),
    };
    let commit = writer.all(repository, worktree, survey, contents)?;
    let (id, meta) = (id.to_owned(), commit.1);
    let objects = repository.common.join("objects");
    let flush = |path: &Path, result: io::Result<()>| {
        result.map_err(|source| KeepError::Flush { path: path.to_owned(), source })
    };
    flush(&objects, durable::sync_objects(&objects, &writer.written))?;
    let name = format!("{REFS}{id}");
    move_ref(&repository.common, &name, Oid::ZERO_SHA1, commit.0, "").map_err(CannotSay::from)?;
    let file = repository.common.join(&name);
    flush(&file, durable::sync_below(&repository.common, &file))?;
    // Whoever collects garbage with no grace at all may have taken some of it before there was a ref.
    odb.refresh()?;
    if let Some(gone) = writer.written.iter().find(|id| !odb.exists(**id)) {
        return Err(KeepError::Gone(*gone));
    }
    Ok(Keeping { kept: Kept { id, commit: commit.0, meta }, bytes: writer.bytes, books: writer.books })
}

struct Writer<'a> {
    git: &'a git2::Repository,
    odb: &'a Odb<'a>,
    written: Vec<Oid>,
    bytes: BTreeMap<Vec<u8>, Oid>,
    books: BTreeMap<Vec<u8>, Oid>,
    at_ms: u64,
}

impl Writer<'_> {
    fn all(
        &mut self,
        repository: &Repository,
        worktree: &Worktree,
        survey: Option<&Survey>,
        contents: Vec<String>,
    ) -> Result<(Oid, Meta), KeepError> {
        let head = self.head_commit(&worktree.head)?;
        let books = Folder::open(&worktree.books)
            .map_err(|source| KeepError::File { path: b".".to_vec(), source })?;
        let (books_walked, index) = match survey {
            Some(survey) => (None, survey.index.clone()),
            None => {
                let walked = crate::worktree::files::walk(&books, |_| false)
                    .map_err(|e| KeepError::File { path: e.path, source: e.source })?;
                (Some(walked), status::index(&worktree.books, &worktree.books)?)
            }
        };
        let walked = survey.map(|s| &s.books).or(books_walked.as_ref());
        let mut whole = Tree::default();
        let mut objects = BTreeSet::new();

        let staged = self.index_tree(&index, &mut objects)?;
        let index_commit = self.commit(head, staged, "the index")?;
        let (mut work_tree, mut beside) = (Tree::default(), Tree::default());
        for entry in index.iter().filter(|e| e.stage == 0) {
            let shown =
                survey.is_none_or(|s| !s.absent.contains(&entry.path) && !s.work.contains_key(&entry.path));
            if shown {
                work_tree.put(&entry.path, entry.mode, entry.id);
            }
        }
        let mut meta = Meta {
            version: VERSION,
            at_ms: self.at_ms,
            path: Text(worktree.path.as_os_str().as_bytes().to_vec()),
            name: Text(worktree.id.as_bytes().to_vec()),
            branch: self.branch(&worktree.head)?,
            head: head.map(|id| id.to_string()),
            index: index_commit.to_string(),
            work: String::new(),
            present: survey.is_some(),
            contents,
            modes: Modes::default(),
            files: Vec::new(),
            folders: Vec::new(),
            pipes: Vec::new(),
            stored: Vec::new(),
            books: Vec::new(),
        };
        if let Some(survey) = survey {
            self.put_work(worktree, survey, &mut work_tree, &mut beside)?;
            describe(survey, &mut meta);
        }
        let work_tree = work_tree.write(self.odb, &mut self.written)?;
        meta.work = self.commit(head, work_tree, "the files")?.to_string();
        if let Some(walked) = walked {
            self.put_books(&books, walked, survey, &mut whole, &mut objects, &mut meta)?;
        }
        self.put_log(repository, worktree, &mut whole, &mut objects)?;
        let own = self.sort_out(repository, worktree, objects, &mut whole)?;
        if !beside.is_empty() {
            whole.put(b"files", 0o040_000, beside.write(self.odb, &mut self.written)?);
        }
        let text = serde_json::to_vec(&meta).map_err(|e| git2::Error::from_str(&e.to_string()))?;
        whole.put(b"abide.json", 0o100_644, self.blob(&text)?);
        let tree = whole.write(self.odb, &mut self.written)?;
        let mut parents: Vec<Oid> = head.into_iter().collect();
        let work = Oid::from_str(&meta.work)?;
        parents.extend([index_commit, work]);
        parents.extend(own.into_iter().filter(|id| Some(*id) != head));
        let name = worktree.name();
        let mut message = format!("abide: {name}, as it was when it was removed\n");
        for line in &meta.contents {
            message.push_str("\n- ");
            message.push_str(line);
        }
        let commit = self.commit_of(&parents, tree, &message)?;
        Ok((commit, meta))
    }

    /// The commit that is checked out; none on a branch that has none.
    fn head_commit(&self, head: &Head) -> Result<Option<Oid>, KeepError> {
        match head {
            Head::Detached(id) => Ok(Some(self.git.find_commit(*id)?.id())),
            Head::Branch(name) => match self.git.find_reference(&lossless(name)?) {
                Ok(reference) => Ok(Some(reference.peel_to_commit()?.id())),
                Err(e) if e.code() == ErrorCode::NotFound => Ok(None),
                Err(e) => Err(e.into()),
            },
            Head::Unknown(why) => Err(git2::Error::from_str(why).into()),
        }
    }

    fn branch(&self, head: &Head) -> Result<Option<Branch>, KeepError> {
        let Head::Branch(name) = head else { return Ok(None) };
        let mut config = Vec::new();
        let short = lossless(name.strip_prefix(b"refs/heads/").unwrap_or(name))?;
        let section = format!("branch.{short}.");
        // Only what the repository itself says, since that alone goes with a branch.
        let local = self.git.config()?.open_level(git2::ConfigLevel::Local)?;
        let mut entries = local.entries(None)?;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else { continue };
            if let Some(key) = name.strip_prefix(&section).filter(|key| !key.contains('.')) {
                config.push((key.to_owned(), value.to_owned()));
            }
        }
        Ok(Some(Branch { name: Text(name.clone()), config }))
    }

    fn index_tree(&mut self, index: &[Entry], objects: &mut BTreeSet<Oid>) -> Result<Oid, KeepError> {
        let mut tree = Tree::default();
        for entry in index {
            if entry.stage == 0 {
                tree.put(&entry.path, entry.mode, entry.id);
            } else if entry.mode != GITLINK {
                objects.insert(entry.id);
            }
        }
        // What is only meant to be added stands for an empty file, which the repository need not have.
        self.blob(b"")?;
        Ok(tree.write(self.odb, &mut self.written)?)
    }

    /// The files whose bytes the index does not have.
    fn put_work(
        &mut self,
        worktree: &Worktree,
        survey: &Survey,
        tree: &mut Tree,
        beside: &mut Tree,
    ) -> Result<(), KeepError> {
        let root =
            Folder::open(&worktree.path).map_err(|source| KeepError::File { path: b".".to_vec(), source })?;
        for (path, why) in &survey.work {
            let Some(stamp) = survey.walked.files.get(path) else {
                return Err(KeepError::Changed(path.clone()));
            };
            let (mode, id) = self.file(&root, path, stamp)?;
            if *why != Why::Inner && is_plain(path) {
                tree.put(path, mode, id);
            } else {
                beside.put(&marked(path), mode, id);
            }
            self.bytes.insert(path.clone(), id);
        }
        Ok(())
    }

    /// Git's own files about it.
    fn put_books(
        &mut self,
        folder: &Folder,
        walked: &Walked,
        survey: Option<&Survey>,
        whole: &mut Tree,
        objects: &mut BTreeSet<Oid>,
        meta: &mut Meta,
    ) -> Result<(), KeepError> {
        // Submodules without work of their own are fetched again.
        let modules = survey.is_none_or(|s| s.inner.iter().any(|(found, _)| found.what == What::Submodule));
        let mut books = Tree::default();
        for (path, stamp) in &walked.files {
            let in_modules = path.starts_with(b"modules/");
            let left_out = path == b"locked" || path.ends_with(b".lock") || in_modules && !modules;
            if left_out || !matches!(stamp.kind, Kind::File | Kind::Link) {
                continue;
            }
            let (mode, id) = self.file(folder, path, stamp)?;
            books.put(&marked(path), mode, id);
            self.books.insert(path.clone(), id);
            meta.books.push(file_of(path, stamp, true));
            let is_index = path == b"index" || path.starts_with(b"sharedindex.");
            if !in_modules && !is_index && stamp.size < SEARCHED as u64 {
                objects.extend(names_in(self.odb.read(id)?.data()));
            }
        }
        if !books.is_empty() {
            whole.put(b"books", 0o040_000, books.write(self.odb, &mut self.written)?);
        }
        Ok(())
    }

    /// The log of its branch, which goes with the branch.
    fn put_log(
        &mut self,
        repository: &Repository,
        worktree: &Worktree,
        whole: &mut Tree,
        objects: &mut BTreeSet<Oid>,
    ) -> Result<(), KeepError> {
        let Head::Branch(name) = &worktree.head else { return Ok(()) };
        let path = repository.common.join("logs").join(crate::worktree::survey::os(name));
        match std::fs::read(&path) {
            Ok(log) => {
                whole.put(b"log", 0o100_644, self.blob(&log)?);
                objects.extend(names_in(&log));
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(KeepError::File { path: path.into_os_string().as_bytes().to_vec(), source }),
        }
    }

    /// Of all the objects that were named: commits that nothing else reaches are returned, and what is no commit is put
    /// into the tree.
    fn sort_out(
        &mut self,
        repository: &Repository,
        worktree: &Worktree,
        named: BTreeSet<Oid>,
        whole: &mut Tree,
    ) -> Result<Vec<Oid>, KeepError> {
        let mut commits = Vec::new();
        for id in named {
            let mode = match self.odb.read_header(id) {
                Ok((_, ObjectType::Commit)) => {
                    commits.push(id);
                    continue;
                }
                Ok((_, ObjectType::Tree)) => 0o040_000,
                Ok((_, ObjectType::Blob)) => 0o100_644,
                // A tag leads to what is named as well; a number that is no object is none.
                Ok((_, _)) | Err(_) => continue,
            };
            whole.put(format!("objects/{id}").as_bytes(), mode, id);
        }
        let own = unreferenced(repository, &worktree.head, &commits)?;
        let mut covered = BTreeSet::new();
        let mut tips = Vec::new();
        for id in own {
            if !covered.contains(&id) {
                tips.push(id);
            }
            covered.extend(self.git.find_commit(id)?.parent_ids());
        }
        Ok(tips)
    }

    fn blob(&mut self, bytes: &[u8]) -> Result<Oid, KeepError> {
        let id = self.odb.write(ObjectType::Blob, bytes)?;
        self.written.push(id);
        Ok(id)
    }

    /// A file that must be as it was when it was looked at.
    fn file(&mut self, root: &Folder, path: &[u8], expected: &Stamp) -> Result<(u32, Oid), KeepError> {
        let failed = |source| KeepError::File { path: path.to_vec(), source };
        let changed = || KeepError::Changed(path.to_vec());
        let (holder, name) = root.holder(path).map_err(failed)?;
        let folder = holder.as_ref().unwrap_or(root);
        if expected.kind == Kind::Link {
            let target = folder.link(name).map_err(failed)?;
            let same = folder.stamp(name).map_err(failed)? == *expected;
            return if same { Ok((0o120_000, self.blob(&target)?)) } else { Err(changed()) };
        }
        let (file, stamp) = folder.file(name).map_err(failed)?;
        if stamp != *expected {
            return Err(changed());
        }
        let id = if stamp.size < STREAMED {
            let mut bytes = Vec::new();
            (&file).take(STREAMED).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 != stamp.size {
                return Err(changed());
            }
            self.blob(&bytes)?
        } else {
            let size = usize::try_from(stamp.size).map_err(|_| failed(io::ErrorKind::FileTooLarge.into()))?;
            let mut object = self.odb.writer(size, ObjectType::Blob)?;
            let copied = io::copy(&mut (&file).take(stamp.size), &mut object).map_err(failed)?;
            if copied != stamp.size {
                return Err(changed());
            }
            object.flush().map_err(failed)?;
            let id = object.finalize()?;
            self.written.push(id);
            id
        };
        if folder.stamp(name).map_err(failed)? != *expected {
            return Err(changed());
        }
        Ok((mode_of(&stamp), id))
    }

    fn commit(&mut self, parent: Option<Oid>, tree: Oid, what: &str) -> Result<Oid, KeepError> {
        let parents: Vec<Oid> = parent.into_iter().collect();
        self.commit_of(&parents, tree, &format!("abide: {what} of a worktree that was removed\n"))
    }

    fn commit_of(&mut self, parents: &[Oid], tree: Oid, message: &str) -> Result<Oid, KeepError> {
        let seconds = i64::try_from(self.at_ms / 1000).unwrap_or(0);
        // Nobody's name: it is no commit that anybody made.
        let who = Signature::new("abide", "abide@localhost", &git2::Time::new(seconds, 0))?;
        let parents =
            parents.iter().map(|id| self.git.find_commit(*id)).collect::<Result<Vec<Commit<'_>>, _>>()?;
        let parents: Vec<&Commit<'_>> = parents.iter().collect();
        let id = self.git.commit(None, &who, &who, message, &self.git.find_tree(tree)?, &parents)?;
        self.written.push(id);
        Ok(id)
    }
}

/// Names of objects that stand in a file of git's: 40 hex digits that nothing continues.
fn names_in(bytes: &[u8]) -> impl Iterator<Item = Oid> + '_ {
    let words = bytes.split(|b| !b.is_ascii_alphanumeric()).filter(|word| word.len() == 40);
    let ids = words.filter_map(|word| Oid::from_str(std::str::from_utf8(word).ok()?).ok());
    ids.filter(|id| *id != Oid::ZERO_SHA1)
}

fn file_of(path: &[u8], stamp: &Stamp, timed: bool) -> meta::File {
    let second = stamp.modified.div_euclid(1_000_000_000);
    let nanos = stamp.modified.rem_euclid(1_000_000_000);
    let modified = i64::try_from(second).ok().zip(u32::try_from(nanos).ok()).filter(|_| timed);
    meta::File { path: Text(path.to_vec()), mode: Some(stamp.mode), modified }
}

fn place(path: &[u8], stamp: &Stamp) -> meta::Place {
    meta::Place { path: Text(path.to_vec()), mode: stamp.mode }
}

/// Modes and times, pipes, folders.
fn describe(survey: &Survey, meta: &mut Meta) {
    let mut counts: [BTreeMap<u32, usize>; 3] = Default::default();
    let is_program = |stamp: &Stamp| stamp.mode & 0o100 != 0;
    let files = || survey.walked.files.iter().filter(|(_, stamp)| stamp.kind == Kind::File);
    for (_, stamp) in files() {
        *counts[usize::from(is_program(stamp))].entry(stamp.mode).or_default() += 1;
    }
    for (stamp, _) in survey.walked.folders.values() {
        *counts[2].entry(stamp.mode).or_default() += 1;
    }
    let most =
        |n: usize, usual: u32| counts[n].iter().max_by_key(|(_, n)| **n).map_or(usual, |(mode, _)| *mode);
    meta.modes = Modes { file: most(0, 0o644), program: most(1, 0o755), folder: most(2, 0o755) };
    let kept: BTreeSet<&[u8]> = survey.index.iter().map(|e| e.path.as_slice()).collect();
    for (path, stamp) in &survey.walked.files {
        let is_work = survey.work.contains_key(path);
        let usual = if is_program(stamp) { meta.modes.program } else { meta.modes.file };
        let odd = stamp.kind == Kind::File && stamp.mode != usual && kept.contains(path.as_slice());
        if is_work || odd {
            let mut file = file_of(path, stamp, is_work);
            file.mode = file.mode.filter(|mode| stamp.kind == Kind::File && *mode != usual);
            meta.files.push(file);
        }
    }
    for (path, (stamp, _)) in &survey.walked.folders {
        if stamp.mode != meta.modes.folder || survey.empty.contains(path) {
            meta.folders.push(place(path, stamp));
        }
    }
    let pipes = survey.pipes.iter().filter_map(|path| Some((path, survey.walked.files.get(path)?)));
    meta.pipes = pipes.map(|(path, stamp)| place(path, stamp)).collect();
    let stored = survey.stored.iter();
    meta.stored = stored
        .map(|(path, pointer)| Stored {
            path: Text(path.clone()),
            oid: pointer.oid.clone(),
            size: pointer.size,
        })
        .collect();
}
