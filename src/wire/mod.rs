//! What is on the sockets: bytes to types and back, without a socket in sight.
//!
//! Two protocols, both length-prefixed ([`frame`]) and both opened by a handshake in which each side states the
//! range of versions that it speaks:
//!
//! - [`control`], the command line and hooks to the supervisor: JSON, since it changes with every feature and both
//!   ends are replaced together;
//! - [`host`], the supervisor and attached terminals to a session's host: a small binary protocol, since a host lives
//!   for weeks while everything around it is upgraded and downgraded. [`order`] and [`exit`] are the two files that
//!   pass between a host and the rest; they are encoded alike.
//!
//! # Version log
//! | Protocol | Version | Release | Change |
//! |---|---|---|---|
//! | host | 1 | 0.1.0 | first |
//! | host | 1 | 0.1.0 | birth: a failed start's stage 7, read as 5 by those that do not know it |
//! | host | 1 | 0.1.0 | appended to a status: parts of a program's work that wait for the user |
//! | start order | 1 | 0.1.0 | first |
//! | start order | 1 | 0.1.0 | appended: mounts, in an order whose first word is another, so that no host ignores them |
//! | control | 1 | 0.1.0 | first |
//! | control | 2 | 0.1.0 | `who`, `hook` and `roll`; the hello states its process's start time |
//! | exit record | 1 | 0.1.0 | first |
//! | exit record | 2 | 0.1.0 | appended: processes that the kernel killed for want of memory |
//!
//! # The skew rule
//! Fields of a binary message are positional; a later version only appends. A reader takes a missing tail as the
//! defaults and ignores what follows the fields that it knows. An unknown message type is answered with
//! [`host::Refusal::Unknown`]; it never ends the connection, and never the process.

pub mod codec;
pub mod control;
pub mod exit;
pub mod frame;
pub mod host;
pub mod order;

#[cfg(test)]
mod properties;
