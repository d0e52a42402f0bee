//! The `abided` program; see `abide::supervisor`.
fn main() -> std::process::ExitCode {
    abide::supervisor::main()
}
