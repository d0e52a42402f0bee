//! The one test program: every test that needs more than one module, or real processes.
//!
//! | Module | Holds |
//! |---|---|
//! | `support` | what tests stand on: a home of their own, a runner, terminals, a user manager |
//! | `tidy` | the rules of the source tree |
#![allow(
    clippy::disallowed_methods,
    reason = "tests are a shell of their own: they start programs and read clocks"
)]

mod support;
