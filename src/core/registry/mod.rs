//! The registry of live sessions, the user's own included: one file `<pid>.json` for each, written by whoever knows
//! something of it (the session's own hooks, the supervisor), and merged.
//!
//! A file is one JSON object. What names the process is in `pid`, `procStart`, `bootId` and `pidNs`; the rest is in
//! [`Key`]. Keys that this build does not know, and values that it cannot read, are kept as they are: a later build, or an
//! agent, put them there. Keys are only ever added, and none changes its meaning.
//!
//! Here is decided what a file says and means ([`Entry`], [`Patch`]), whose process its name stands for ([`names`]), whether
//! its session lives ([`fate`]), and which of them are one session ([`same`]).

mod entry;
pub mod fate;
pub mod names;
pub mod ours;
pub mod same;

pub use entry::{Entry, Key, LARGEST, LONGEST_VALUE, Patch, Status};
pub use fate::{Fate, Here, Seen};

#[cfg(test)]
mod tests;
