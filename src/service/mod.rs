//! The port to service managers.

pub mod listener;
pub mod notify;
