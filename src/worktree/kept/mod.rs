//! Worktrees that were removed, kept for a while: `refs/abide/deleted/ID`.
//!
//! # What is kept
//! The ref is a commit of ours. Everything is in the repository's own objects, so that git's collection of garbage, its
//! clones of the disk and its checks see it, and any git can read it:
//!
//! | Where | What |
//! |---|---|
//! | its parents | the worktree's commit; a commit of its index; a commit of its files; commits that only its logs name |
//! | `abide.json` | [`meta::Meta`] |
//! | `books` | the worktree's own git files (index, head, logs, an unfinished rebase, modules) as they were, names marked |
//! | `files` | files that no tree of git's may have: of repositories in it, and whatever is called `.git` |
//! | `objects` | what the index or the books name and no commit reaches |
//! | `log` | the log of its branch |
//!
//! Bytes are kept as they are, through no filter. An index as it was also knows what was staged, unmerged or only meant
//! to be added, and with the time of its file git trusts it exactly as far as before.
//!
//! Ignored files that nobody called precious are not kept. What others may not read does become part of the
//! repository's objects, whoever may read these.

pub mod meta;
mod names;
pub(super) mod read;
mod tree;
mod write;

pub use names::{Kept, KeptError, Listed};
pub(super) use write::{KeepError, Keeping, keep};

/// What the refs begin with.
pub const REFS: &str = "refs/abide/deleted/";
