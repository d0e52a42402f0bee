//! The host as it is: the real program, real terminals, the bare protocol on its socket.

mod bytes;
mod clients;
mod ending;
mod log;
mod rig;
mod robust;
mod start;
