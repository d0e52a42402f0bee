//! Worktrees: one intent, one checkout. Git and the files, for the decisions of `core::worktree`.
//!
//! Worktrees are made and removed by the client's process, never by the supervisor, which only keeps in a session's record
//! which worktree it has, and asks [`confine`] what is to be read-only for it. git2 reads and reasons; the git program
//! does what it does better, see [`git`].

pub mod base;
mod branch;
pub mod confine;
pub mod contents;
mod convert;
pub mod create;
pub mod declared;
mod delete;
mod durable;
mod exclude;
mod files;
pub mod git;
pub mod include;
mod inner;
pub mod inspect;
mod journal;
pub mod kept;
pub mod linked;
pub mod lock;
pub mod note;
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
pub mod trust;
