//! Reaching the supervisor and the hosts, over blocking sockets: a command should be over in a few milliseconds.
//!
//! [`control`] asks the supervisor, starting it where nothing answers; [`host`] speaks to a session's own host;
//! [`attach`] joins a terminal to one, with [`detach`] watching what is typed; [`log`] reads a session's output from
//! its files, [`strip`] makes it safe or plain, and [`printer`] picks lines of it; [`wait`] waits for what may take days.

pub mod attach;
pub mod control;
pub mod detach;
pub mod host;
pub mod log;
pub mod printer;
pub mod strip;
pub mod wait;
