#![allow(dead_code, unused_imports, reason = "benches include it too, and use less of it")]
//! What the tests stand on. Everything waits for events, with a deadline that only a failing test ever reaches.

mod fifo;
mod home;
mod manager;
mod model;
mod nowhere;
mod process;
mod stage;
mod tmux;
mod tty;

pub(crate) use fifo::Fifo;
pub(crate) use home::{Home, Output};
pub(crate) use manager::{each_alone, passes, user_manager};
pub(crate) use model::Model;
pub(crate) use nowhere::{from_nowhere, must_be_nowhere};
pub(crate) use process::{become_another_user, ended, run, signal, until};
pub(crate) use stage::{Stage, program, source};
pub(crate) use tmux::Tmux;
pub(crate) use tty::{Seen, Tty, on_terminal};

use std::time::Duration;

/// How long anything may take before a test gives up on it: far beyond what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
