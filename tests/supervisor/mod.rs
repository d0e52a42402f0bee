//! The supervisor as it is: real processes, the bare control protocol, real hosts.

mod activation;
mod clients;
mod crashes;
mod raw;
mod sessions;
mod who;
