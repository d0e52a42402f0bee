//! abide: the per-user supervisor for coding-agent sessions.
//!
//! # Code map
//! Three programs share this library: `abide` ([`cli`]), `abided` ([`supervisor`]) and `abide-host` ([`host`]).
//!
//! | Module | Holds | Files, sockets | Clock | `unsafe` | May use |
//! |---|---|---|---|---|---|
//! | [`core`] | every decision: `handle(now, event) -> actions` | no | no | no | nothing of ours |
//! | [`wire`] | what is on the sockets, as types | no | no | no | `core` (from `wire::control` only) |
//! | [`config`] | the settings' format | no | no | no | `core` |
//! | [`paths`] | where everything is | reads | no | no | `sys` |
//! | [`sys`] | every raw system call, one API per platform | yes | yes | yes | nothing of ours |
//! | [`host`] | one session's terminal, screen, log | yes | yes | no | `sys`, `paths`, `wire::codec`, `wire::frame`, `wire::host`, `wire::order`, `wire::exit` |
//! | [`service`] | the service managers: unit files, placing hosts | yes | no | no | `sys`, `paths`, `wire` |
//! | [`roster`] | records on disk | yes | no | no | `core`, `sys`, `paths` |
//! | [`worktree`] | checkouts of a session's own: git, and the files | yes | yes | no | `core`, `sys`, `paths`, `config` |
//! | [`registry`] | live sessions on disk, the user's own included | yes | yes | no | `core`, `sys`, `paths` |
//! | [`agents`] | profiles of agent CLIs, as data | no | no | no | `core`, `config` |
//! | [`evidence`] | what the kernel says of a peer, for `core` to judge | yes | no | no | `agents`, `core`, `paths`, `registry`, `sys` |
//! | [`supervisor`] | the shell around `core`: sockets in, actions out | yes | yes | no | `agents`, `config`, `core`, `evidence`, `paths`, `registry`, `roster`, `service`, `sys`, `wire`, `worktree` |
//! | [`client`] | reaching the supervisor and the hosts | yes | yes | no | `wire`, `sys`, `service`, `paths`, `config`, `core` |
//! | [`cli`] | commands, tables, help | yes | yes | no | `agents`, `client`, `config`, `core`, `evidence`, `paths`, `registry`, `roster`, `service`, `sys`, `wire`, `worktree` |
//!
//! `tests/tidy.rs` checks this table against the code.
#![deny(unsafe_code, clippy::disallowed_methods)]

pub mod agents;
pub mod config;
pub mod core;
pub mod wire;

#[allow(clippy::disallowed_methods, reason = "sole reader of XDG_*, HOME and ABIDE_HOME")]
pub mod paths;

#[allow(unsafe_code, clippy::disallowed_methods, reason = "every raw system call is here")]
pub mod sys;

#[allow(clippy::disallowed_methods, reason = "the session's files, sockets and times are its task")]
pub mod host;

#[allow(clippy::disallowed_methods, reason = "unit files and service managers' programs")]
pub mod service;

#[allow(clippy::disallowed_methods, reason = "records on disk")]
pub mod roster;

#[allow(clippy::disallowed_methods, reason = "a repository's files, and the git program")]
pub mod worktree;

#[allow(clippy::disallowed_methods, reason = "other processes are read from the system's files")]
pub mod evidence;

#[allow(clippy::disallowed_methods, reason = "files of live sessions, which hooks write too")]
pub mod registry;

#[allow(clippy::disallowed_methods, reason = "the imperative shell")]
pub mod supervisor;

#[allow(clippy::disallowed_methods, reason = "sockets and starting a supervisor")]
pub mod client;

#[allow(clippy::disallowed_methods, reason = "the command line is a shell too")]
pub mod cli;

/// Version of this build, as every program and handshake states it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
