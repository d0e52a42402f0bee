//! Worktrees: one intent, one checkout. Git and the files, for the decisions of `core::worktree`.
//!
//! All of it is done by the client's process, never by the supervisor, which only keeps in a session's record which
//! worktree it has. git2 reads and reasons; the git program does what it does better, see [`git`].

mod branch;
pub mod contents;
mod convert;
mod delete;
mod durable;
mod files;
pub mod git;
mod inner;
pub mod inspect;
mod journal;
pub mod kept;
pub mod linked;
pub mod lock;
pub mod policy;
mod pushed;
mod recover;
pub mod remove;
pub mod repository;
pub mod restore;
mod settings;
mod status;
mod submodules;
mod survey;
