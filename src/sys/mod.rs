//! Every raw system call and every `unsafe` block, behind one API for all platforms.

pub mod clock;
pub mod confine;
pub mod dirs;
pub mod disk;
pub mod exec;
pub mod fd;
pub mod files;
pub mod inside;
pub mod locks;
pub mod machine;
pub mod mount;
pub mod peer;
pub mod pipe;
pub mod process;
pub mod pty;
pub mod reap;
pub mod signal;
pub mod spawn;
pub mod terminal;
pub mod usage;
pub mod volatile;
