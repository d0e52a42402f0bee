//! Worktrees: one intent, one checkout. Git and the files, for the decisions of `core::worktree`.
//!
//! Worktrees are made and removed by the client's process, never by the supervisor, which only keeps in a session's record
//! which worktree it has, and asks [`confine`] what is to be read-only for it. git2 reads and reasons; the git program
//! does what it does better, see [`git`].

mod branch;
pub mod confine;
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
pub mod sweep;
