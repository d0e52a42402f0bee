//! Under construction.

pub mod scan;
pub mod screen;

/// Entry point.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
