//! The pure core: it decides, the shell acts. No I/O, no clock, no environment, no randomness, no lock.
//!
//! [`fleet::Fleet::handle`] takes the time and an [`event::Event`] and returns [`action::Action`]s; outcomes of
//! actions, failures included, come back as events. Equal inputs give equal actions.

pub mod action;
mod address;
mod adopt;
pub mod background;
pub mod classify;
mod commands;
pub mod conversation;
pub mod doctor;
pub mod environment;
pub mod era;
pub mod event;
pub mod fleet;
pub mod guard;
pub mod hook;
pub mod id;
mod journal;
mod learn;
pub mod leave;
mod lifetime;
pub mod naming;
mod outcomes;
pub mod record;
pub mod registry;
mod requests;
pub mod restart;
pub mod roll;
pub mod session;
pub mod slug;
pub mod status;
pub mod text;
pub mod upgrade;
mod watch;
mod who;
mod why;
pub mod worktree;

pub use requests::{STATES, shown_state};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
