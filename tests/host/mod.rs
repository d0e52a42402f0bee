//! The host as it is: the real program, real terminals, the bare protocol on its socket.
#![expect(clippy::wildcard_enum_match_arm, reason = "any other message than the expected one fails the test")]

mod bytes;
mod clients;
mod ending;
mod log;
mod rig;
mod robust;
mod start;
