//! The one test program: every test that needs more than one module, or real processes.
//!
//! | Module | Holds |
//! |---|---|
//! | `support` | what tests stand on: a home of their own, a runner, terminals, a user manager |
//! | `cli` | the command line: help, examples, mistakes, terminals |
//! | `e2e` | the programs as users run them, standalone and under a real `systemd --user` |
//! | `fuzz` | what holds for any bytes from outside, on the seeds |
//! | `host` | the host as it is: real terminals, the bare protocol |
//! | `registry` | the registry of live sessions: many processes that write, are killed, and whose ids come again |
//! | `service` | where hosts and the supervisor run, standalone and under a real `systemd --user` |
//! | `supervisor` | the supervisor as it is: the bare protocol, crashes, activation |
//! | `screen` | the screen of a session beside tmux |
//! | `tidy` | the rules of the source tree |
//! | `worktree` | worktrees on real repositories: nobody loses a line |
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests are a shell of their own: they start programs, read clocks and talk to people"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test fails on whatever it does not expect")]

mod cli;
mod e2e;
mod fuzz;
mod host;
mod registry;
mod screen;
mod service;
mod supervisor;
mod support;
mod tidy;
mod worktree;
