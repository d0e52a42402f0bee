//! The `abide` program; see `abide::cli`.
fn main() -> std::process::ExitCode {
    abide::cli::main()
}
