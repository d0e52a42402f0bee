//! Worktrees: what is in one, and what may become of it. Nobody loses a line that nobody named.
//!
//! # What is in a worktree
//! [`Contents`] is filled by looking. What cannot be found out stands in `unknown`, and counts as something: a worktree
//! is untouched only where everything could be looked at and nothing was there.
//!
//! Two kinds of findings are told apart. **Work** would go with the worktree: changes, files, commits that are nowhere
//! else. Somebody may name that loss, and even then it is kept for a while under a hidden ref. **Obstacles** are other
//! people's or other programs' concerns: a lock, a process that is in it, another worktree in it. No option of ours
//! overrides these: whoever set a lock can take it off, and who is in it can leave.
//!
//! # Remove
//! | obstacle | work | loss named | |
//! |---|---|---|---|
//! | yes | | | refused |
//! | no | yes | no | refused, with what is in it |
//! | no | yes | yes | removed |
//! | no | no | | removed |
//!
//! A stash is no work in this sense: its entries are the repository's, and stay where they are.
//!
//! # Finish, when a session ends
//! | who ends | obstacle | untouched | named | on a terminal | |
//! |---|---|---|---|---|---|
//! | a background session | | | | | kept: only `rm` removes |
//! | a sub-agent | no | yes | | | removed |
//! | a sub-agent | otherwise | | | | kept |
//! | a session at a terminal | yes | | | | kept |
//! | a session at a terminal | no | yes | no | yes | removed |
//! | a session at a terminal | no | otherwise | | yes | asked |
//! | anybody else | | | | no | kept |
//!
//! # Sweep
//! Only what programs made for a while, by its name or by `--ephemeral`; unused for [`SWEEP_AFTER_MS`]; untouched,
//! without a stash of its own, and without an obstacle but a lock of ours whose owner is dead, which is released first.

use super::slug::Slug;
use super::text::Text;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// How long an ephemeral worktree may be unused until it is swept.
pub const SWEEP_AFTER_MS: u64 = 30 * 86_400_000;

/// All that is in a worktree beside what its repository has elsewhere. Paths are below it, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Differ between its commit and its index.
    pub staged: Vec<Text>,
    /// Differ between its index and its files.
    pub unstaged: Vec<Text>,
    /// Unmerged.
    pub conflicted: Vec<Text>,
    /// Known to git no more and not ignored, whole repositories aside.
    pub untracked: Vec<Text>,
    /// Ignored, and matched by the patterns of what is precious all the same.
    pub precious: Vec<Text>,
    /// Changed where git was told not to look (`--assume-unchanged`, `--skip-worktree`).
    pub unwatched: Vec<Text>,
    /// Commits that no other ref has, and that were merged in no form; the latest first.
    pub commits: Vec<Commit>,
    /// Stashes that were made on its branch or its commits. They stay.
    pub stashes: Vec<Commit>,
    /// What it is in the middle of.
    pub operation: Option<Operation>,
    /// Submodules and other repositories in it that have work of their own.
    pub repositories: Vec<Inner>,
    /// Large files (LFS) whose content the repository does not have.
    pub only_here: Vec<Text>,
    /// What could not be found out, and why.
    pub unknown: Vec<String>,
    /// Somebody locked it.
    pub lock: Option<Lock>,
    /// Processes and sessions in it.
    pub occupants: Vec<Occupant>,
    /// Worktrees in it, of this or another repository.
    pub worktrees: Vec<Text>,
    /// File systems mounted in it.
    pub mounts: Vec<Text>,
}

/// A commit, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its id, whole.
    pub id: String,
    /// Its first line; printable.
    pub summary: String,
}

/// What git is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `git merge` stopped at conflicts, or before its commit.
    Merge,
    /// `git rebase`.
    Rebase,
    /// `git am`.
    Am,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
}

impl Operation {
    /// As its command is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::Am => "am",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Bisect => "bisect",
        }
    }
}

/// A repository in a worktree, with work of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inner {
    /// Where.
    pub path: Text,
    /// It is a submodule of the worktree's commit.
    pub submodule: bool,
    /// What it has, for people: `2 changes, 1 commit`.
    pub work: String,
}

/// A lock of git's (`git worktree lock`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The reason that was given; may be empty.
    pub reason: Text,
    /// Whose it is.
    pub holder: Holder,
}

/// Whose a lock is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "whose")]
pub enum Holder {
    /// Not ours.
    Somebody,
    /// One of our processes, and whether it still is.
    Ours {
        /// Its process.
        pid: u32,
        /// Its session, where it has one.
        session: Option<String>,
        /// It runs.
        alive: bool,
    },
}

/// Who is in a worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Occupant {
    /// A process.
    Process {
        /// Its id.
        pid: u32,
        /// Its program.
        name: String,
        /// What it has of the worktree.
        has: Hold,
    },
    /// A session that is there to be used, whether its process is found or not.
    Session {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
}

/// What a process has of a worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Its working directory.
    Directory,
    /// A file that is open for writing.
    File,
}

/// `3 files` and `1 file`.
fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// What it is, and the first few of them.
fn listed<T: std::fmt::Display>(what: &str, items: &[T]) -> Option<String> {
    const SHOWN: usize = 5;
    if items.is_empty() {
        return None;
    }
    let mut names: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    if items.len() > SHOWN {
        names.push(format!("and {} more", items.len() - SHOWN));
    }
    Some(format!("{what}: {}", names.join(", ")))
}

impl Contents {
    /// What would be lost with it, one line for each kind; none where nothing would.
    pub fn work(&self) -> Vec<String> {
        let file = |files: &[Text], one: &str, many: &str| listed(&count(files.len(), one, many), files);
        let commits: Vec<String> = self
            .commits
            .iter()
            .map(|c| format!("{} {}", c.id.get(..9).unwrap_or(&c.id), c.summary))
            .collect();
        let inner: Vec<String> =
            self.repositories.iter().map(|r| format!("{} ({})", r.path, r.work)).collect();
        let lines = [
            file(&self.conflicted, "unmerged file", "unmerged files"),
            file(&self.staged, "staged change", "staged changes"),
            file(&self.unstaged, "change", "changes"),
            file(&self.unwatched, "change where git does not look", "changes where git does not look"),
            file(&self.untracked, "untracked file", "untracked files"),
            file(&self.precious, "ignored file that may be precious", "ignored files that may be precious"),
            file(&self.only_here, "large file with its only content", "large files with their only content"),
            listed(
                &count(commits.len(), "commit that is nowhere else", "commits that are nowhere else"),
                &commits,
            ),
            self.operation.map(|o| format!("an unfinished {}", o.name())),
            listed(&count(inner.len(), "repository with work", "repositories with work"), &inner),
            listed("not known", &self.unknown),
        ];
        lines.into_iter().flatten().collect()
    }

    /// What keeps it from being removed whatever anybody names, one line each.
    pub fn obstacles(&self) -> Vec<String> {
        let lock = self.lock.as_ref().map(|lock| {
            let whose = match &lock.holder {
                Holder::Somebody => String::new(),
                Holder::Ours { pid, session, alive } => {
                    let session = session.as_ref().map(|s| format!("session {s}, ")).unwrap_or_default();
                    let gone = if *alive { "" } else { ", which is gone" };
                    format!(" by {session}process {pid}{gone}")
                }
            };
            let reason = if lock.reason.0.is_empty() { String::new() } else { format!(": {}", lock.reason) };
            format!("it is locked{whose}{reason}")
        });
        let occupants = self.occupants.iter().map(|who| match who {
            Occupant::Process { pid, name, has: Hold::Directory } => {
                format!("process {pid} ({name}) is in it")
            }
            Occupant::Process { pid, name, has: Hold::File } => {
                format!("process {pid} ({name}) writes in it")
            }
            Occupant::Session { id, name } => format!("session {id} ({name}) is in it"),
        });
        let inner = listed("worktrees in it", &self.worktrees);
        let mounts = listed("file systems are mounted in it", &self.mounts);
        lock.into_iter().chain(occupants).chain(inner).chain(mounts).collect()
    }

    /// Nothing would be lost with it, and that is certain.
    pub fn is_untouched(&self) -> bool {
        self.work().is_empty()
    }
}

/// Why a worktree is not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What nothing overrides, one line each.
    Obstacle(Vec<String>),
    /// What would be lost, one line each; naming that loss overrides it.
    Work(Vec<String>),
}

/// Whether a worktree may be removed; `named`: whoever asked named the loss.
///
/// # Errors
/// Why not.
pub fn remove(contents: &Contents, named: bool) -> Result<(), Refusal> {
    let obstacles = contents.obstacles();
    if !obstacles.is_empty() {
        return Err(Refusal::Obstacle(obstacles));
    }
    let work = contents.work();
    if work.is_empty() || named { Ok(()) } else { Err(Refusal::Work(work)) }
}

/// Whose end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A session in the background.
    Background,
    /// An agent's own helper, in a worktree that was made for it.
    SubAgent,
    /// A session in somebody's terminal, which can be asked or not.
    Foreground {
        /// Standard input and output are a terminal with a person.
        terminal: bool,
    },
}

/// What becomes of a worktree at an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It goes.
    Remove,
    /// Somebody decides, knowing this; it stays where nobody answers.
    Ask(Vec<String>),
    /// It stays, because of this; empty where nothing needs to be said.
    Keep(Vec<String>),
}

/// What becomes of a worktree when its session ends; `named`: by its user.
pub fn finish(contents: &Contents, ending: Ending, named: bool) -> Finish {
    let (obstacles, work) = (contents.obstacles(), contents.work());
    match ending {
        Ending::Background | Ending::Foreground { terminal: false } => {
            Finish::Keep(obstacles.into_iter().chain(work).collect())
        }
        Ending::SubAgent | Ending::Foreground { terminal: true } if !obstacles.is_empty() => {
            Finish::Keep(obstacles.into_iter().chain(work).collect())
        }
        Ending::SubAgent => {
            if work.is_empty() {
                Finish::Remove
            } else {
                Finish::Keep(work)
            }
        }
        Ending::Foreground { terminal: true } => {
            if work.is_empty() && !named {
                Finish::Remove
            } else {
                Finish::Ask(work)
            }
        }
    }
}

/// What a sweep knows of a worktree before it looks into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Of its folder's name; none for a folder that is none of ours.
    pub slug: Option<Slug>,
    /// It was made with `--ephemeral`.
    pub ephemeral: bool,
    /// Somebody gave it its name.
    pub named: bool,
    /// When anything was last done in it, ms since the epoch; 0 where that is not known.
    pub used_ms: u64,
}

/// Why a sweep leaves a worktree alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spared {
    /// Somebody may want it.
    NotEphemeral,
    /// It was used less than [`SWEEP_AFTER_MS`] ago, or nobody knows when.
    Young,
    /// This is in it, or in the way.
    Holds(Vec<String>),
}

/// Whether a sweep looks into it at all.
///
/// # Errors
/// Why not.
pub fn is_due(candidate: &Candidate, now_ms: u64) -> Result<(), Spared> {
    let by_name = candidate.slug.as_ref().is_some_and(Slug::is_ephemeral) && !candidate.named;
    if !by_name && !candidate.ephemeral {
        return Err(Spared::NotEphemeral);
    }
    let unused = now_ms.checked_sub(candidate.used_ms).filter(|_| candidate.used_ms > 0);
    if unused.is_some_and(|ms| ms >= SWEEP_AFTER_MS) { Ok(()) } else { Err(Spared::Young) }
}

/// Whether a sweep removes what is due; a lock that [`is_stale`] counts as none.
///
/// # Errors
/// Why not.
pub fn sweep(contents: &Contents) -> Result<(), Spared> {
    let mut free = contents.clone();
    free.lock = free.lock.filter(|lock| !is_stale(lock));
    let mut holds = free.obstacles();
    holds.extend(free.work());
    holds.extend(listed("stashes", &free.stashes.iter().map(|s| &s.summary).collect::<Vec<_>>()));
    if holds.is_empty() { Ok(()) } else { Err(Spared::Holds(holds)) }
}

/// A lock of ours that nobody holds any more.
pub fn is_stale(lock: &Lock) -> bool {
    match lock.holder {
        Holder::Somebody => false,
        Holder::Ours { alive, .. } => !alive,
    }
}
