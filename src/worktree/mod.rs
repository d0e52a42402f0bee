//! Worktrees: one intent, one checkout. Git and the files, for the decisions of `core::worktree`.
//!
//! All of it is done by the client's process, never by the supervisor, which only keeps in a session's record which
//! worktree it has. git2 reads and reasons; the git program does what it does better, see [`git`].

pub mod git;
pub mod inspect;
pub mod policy;
pub mod repository;
