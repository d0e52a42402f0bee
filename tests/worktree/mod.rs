//! Worktrees on real repositories: what is in them, removing, bringing back, and that nobody loses a line.

mod contents;
mod repo;
mod round_trip;
