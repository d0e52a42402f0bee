//! Making a worktree: a folder below the repository's folder of worktrees, on a branch of its own.
//!
//! | There is | Then |
//! |---|---|
//! | a worktree of this repository at the folder | it is opened again, as it is |
//! | one of the same name where Claude Code keeps its own | likewise |
//! | something else at the folder | an error: nothing is written into what is not known |
//! | the branch, checked out elsewhere | an error that says where |
//! | the branch, with commits that nothing else has | it is gone on with, as it is |
//! | the branch, left over by a worktree that was removed | it starts anew |
//! | nothing | both are made |
//!
//! All of it is done under the repository's lock. A kill in between leaves what git leaves: a folder that git knows as
//! one that it has begun, which is said when its name is asked for again, and is never written over.

use super::base::{Base, Start};
use super::git::{Git, GitError, Trust};
use super::linked::{Link, Worktree};
use super::note::Note;
use super::repository::{Repository, RepositoryError, git_at, io_at};
use crate::core::slug::Slug;
use git2::{BranchType, Oid};
use std::io;
use std::path::{Path, PathBuf};

/// Where Claude Code keeps its worktrees, below the main checkout.
const CLAUDES: &str = ".claude/worktrees";
/// How often another made-up name is tried.
const TRIES: u32 = 100;

/// What is wished for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its name; none has one made up.
    pub slug: Option<Slug>,
    /// It goes when it is old and nothing is in it.
    pub ephemeral: bool,
    /// What it starts from.
    pub base: &'a Base,
    /// Where worktrees are, as the settings have it.
    pub folder: &'a Path,
    /// Folders that are checked out, with the files at the top; empty for all.
    pub sparse: &'a [String],
    /// Whether the repository's hooks may run.
    pub trust: Trust,
    /// Wall clock, ms since the epoch.
    pub now_ms: u64,
}

/// What was made, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub slug: Slug,
    /// Its folder.
    pub path: PathBuf,
    /// Its books.
    pub books: PathBuf,
    /// Its branch, without `refs/heads/`; none where its head is detached.
    pub branch: Option<String>,
    /// It was there before.
    pub reopened: bool,
    /// What it was started from, for people; empty where it was there before.
    pub from: String,
    /// What the user should know; each a sentence without its end.
    pub remarks: Vec<String>,
}

/// Why none was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something of the repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The git program.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Something else is there.
    #[error("{path} is there, and is no worktree of this repository", path = .0.display())]
    Occupied(PathBuf),
    /// It is a worktree that was begun and not finished.
    #[error("{path} was begun and not finished", path = .0.display())]
    Unfinished(PathBuf),
    /// Git knows a worktree there that is gone or cannot be read.
    #[error("git has a worktree at {path} in its books, which is not there as it should be", path = .0.display())]
    Lost(PathBuf),
    /// Its branch is in use.
    #[error("the branch {branch} is checked out in {path}", path = .path.display())]
    InUse {
        /// The branch.
        branch: String,
        /// Where.
        path: PathBuf,
    },
    /// No name is free.
    #[error("no free name was found in {TRIES} tries")]
    NoName,
    /// No random number can be had.
    #[error("no random number can be had: {0}")]
    Random(io::Error),
}

impl Repository {
    /// See the module.
    ///
    /// # Errors
    /// [`CreateError`]; then nothing was changed, or git says itself what it left.
    pub fn create(&self, wanted: &Wanted<'_>) -> Result<Made, CreateError> {
        let folder = self.worktrees_folder(wanted.folder);
        self.refuse_links(&folder)?;
        // What may take long comes before the lock.
        let known = wanted.slug.as_ref().map(|slug| self.known(&folder, slug)).transpose()?.flatten();
        let start = if known.is_some() { None } else { Some(self.start(wanted.base)?) };
        let _lock = self.lock()?;
        if let Some(slug) = &wanted.slug
            && let Some(found) = self.known(&folder, slug)?
        {
            return self.reopen(slug, &found);
        }
        let Some(start) = start else {
            // It was there a moment ago, and somebody removed it.
            return Err(CreateError::Lost(folder));
        };
        let slug = match &wanted.slug {
            Some(slug) => slug.clone(),
            None => self.made_up(&folder, wanted.ephemeral)?,
        };
        self.make(&slug, &folder, &start, wanted)
    }

    /// The worktree of this name, where there is one.
    fn known(&self, folder: &Path, slug: &Slug) -> Result<Option<Worktree>, RepositoryError> {
        let places = [Some(folder.to_owned()), self.main.as_ref().map(|main| main.join(CLAUDES))];
        let places: Vec<PathBuf> =
            places.into_iter().flatten().map(|place| real(&place).join(slug.flat())).collect();
        let all = Worktree::all(self)?;
        Ok(places.iter().find_map(|place| all.iter().find(|w| real(&w.path) == *place)).cloned())
    }

    fn reopen(&self, slug: &Slug, found: &Worktree) -> Result<Made, CreateError> {
        if std::fs::read(found.books.join("locked"))
            .is_ok_and(|reason| reason.trim_ascii() == b"initializing")
        {
            return Err(CreateError::Unfinished(found.path.clone()));
        }
        match found.link {
            Link::Sound => {}
            Link::Missing | Link::Broken(_) => return Err(CreateError::Lost(found.path.clone())),
        }
        self.refuse_links(&found.path)?;
        Ok(Made {
            slug: slug.clone(),
            path: found.path.clone(),
            books: found.books.clone(),
            branch: found.head.branch(),
            reopened: true,
            from: String::new(),
            remarks: Vec::new(),
        })
    }

    /// A name that no folder and no branch has.
    fn made_up(&self, folder: &Path, ephemeral: bool) -> Result<Slug, CreateError> {
        for _ in 0..TRIES {
            let bits = getrandom::u64().map_err(|e| CreateError::Random(io::Error::other(e)))?;
            let slug = if ephemeral { Slug::of_sub_agent((bits >> 32) as u32) } else { Slug::made_up(bits) };
            let taken = std::fs::symlink_metadata(folder.join(slug.flat())).is_ok();
            if !taken && self.git.find_branch(&slug.branch(), BranchType::Local).is_err() {
                return Ok(slug);
            }
        }
        Err(CreateError::NoName)
    }

    fn make(
        &self,
        slug: &Slug,
        folder: &Path,
        start: &Start,
        wanted: &Wanted<'_>,
    ) -> Result<Made, CreateError> {
        let (path, branch) = (folder.join(slug.flat()), slug.branch());
        // Also where the file system does not tell upper case from lower.
        if std::fs::symlink_metadata(&path).is_ok() {
            return Err(CreateError::Occupied(path));
        }
        let mut remarks: Vec<String> = start.remark.iter().cloned().collect();
        let full = format!("refs/heads/{branch}");
        let left_over =
            self.git.find_reference(&full).ok().and_then(|r| r.peel_to_commit().ok()).map(|c| c.id());
        if let Some(tip) = left_over {
            self.refuse_in_use(&branch)?;
            if self.has_own_commits(tip, &full, start.commit)? {
                remarks.push(format!("the branch {branch} has commits of its own: it goes on from these"));
                return self.add(slug, &path, &[&branch], tip, start, wanted, remarks);
            }
        }
        let option = if left_over.is_some() { "-B" } else { "-b" };
        self.add(slug, &path, &[option, &branch], start.commit, start, wanted, remarks)
    }

    /// Has git add it. `on`: the branch, with its option where it is made or starts anew.
    #[expect(clippy::too_many_arguments, reason = "the parts of one command line")]
    fn add(
        &self,
        slug: &Slug,
        path: &Path,
        on: &[&str],
        commit: Oid,
        start: &Start,
        wanted: &Wanted<'_>,
        remarks: Vec<String>,
    ) -> Result<Made, CreateError> {
        let folder = path.parent().unwrap_or(path);
        io_at("cannot make", folder, std::fs::create_dir_all(folder))?;
        self.refuse_links(path)?;
        if self.main.as_deref().is_some_and(|main| folder.starts_with(main)) {
            self.exclude(folder)?;
        }
        let mut git = Git::within(&self.common, wanted.trust).args(["worktree", "add", "--quiet"]);
        if !wanted.sparse.is_empty() {
            git = git.args(["--no-checkout"]);
        }
        let commit_id = commit.to_string();
        // An existing branch that goes on is named instead of a commit.
        git = match on {
            [branch] => git.args([path.as_os_str(), branch.as_ref()]),
            _ => git.args(["--no-track"]).args(on).args([path.as_os_str(), commit_id.as_ref()]),
        };
        git.run()?;
        if !wanted.sparse.is_empty() {
            let here = || Git::within(path, wanted.trust);
            here().args(["sparse-checkout", "set", "--cone", "--"]).args(wanted.sparse).run()?;
            here().args(["checkout", "--quiet"]).run()?;
        }
        let of_it = git_at("cannot open", path, git2::Repository::open(path))?;
        let books = io_at("cannot find", of_it.path(), of_it.path().canonicalize())?;
        let named = wanted.slug.is_some() && !wanted.ephemeral;
        Note::new(slug, named, wanted.ephemeral, commit, &start.from, wanted.now_ms).write(&books)?;
        Ok(Made {
            slug: slug.clone(),
            path: path.to_owned(),
            books,
            branch: Some(slug.branch()),
            reopened: false,
            from: start.from.clone(),
            remarks,
        })
    }

    /// Refuses a branch that a checkout is on: git would as well, in words that name no way on.
    fn refuse_in_use(&self, branch: &str) -> Result<(), CreateError> {
        let in_use =
            |path: &Path| Err(CreateError::InUse { branch: branch.to_owned(), path: path.to_owned() });
        if let Some(main) = &self.main {
            let of_main = git_at("cannot open", main, git2::Repository::open(main))?;
            if of_main
                .head()
                .is_ok_and(|head| head.name().ok() == Some(format!("refs/heads/{branch}").as_str()))
            {
                return in_use(main);
            }
        }
        let all = Worktree::all(self)?;
        match all.iter().find(|w| w.head.branch().as_deref() == Some(branch)) {
            Some(other) => in_use(&other.path),
            None => Ok(()),
        }
    }

    /// Whether a branch has a commit that neither `start` nor any other ref has.
    fn has_own_commits(&self, tip: Oid, branch: &str, start: Oid) -> Result<bool, RepositoryError> {
        let look = || -> Result<bool, git2::Error> {
            let mut walk = self.git.revwalk()?;
            walk.push(tip)?;
            walk.hide(start)?;
            for reference in self.git.references()? {
                let reference = reference?;
                if reference.name_bytes() == branch.as_bytes()
                    || reference.name_bytes().starts_with(b"refs/abide/")
                {
                    continue;
                }
                // A ref to something else than a commit has none.
                if let Ok(commit) = reference.peel_to_commit() {
                    walk.hide(commit.id())?;
                }
            }
            Ok(walk.next().transpose()?.is_some())
        };
        git_at("cannot compare the branches of", &self.common, look())
    }
}

/// Without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize() {
            let missing = path.strip_prefix(there).unwrap_or(Path::new(""));
            return if missing.as_os_str().is_empty() { real } else { real.join(missing) };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests;
