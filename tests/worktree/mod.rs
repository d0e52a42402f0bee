//! Worktrees on real repositories: what is in them, removing, bringing back, and that nobody loses a line.

mod contents;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod machine;
mod repo;
mod round_trip;
mod sweep;
mod traps;
