//! The registry of live sessions with real processes.

mod full;
mod listed;
mod random;
