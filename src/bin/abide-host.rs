//! The `abide-host` program; see `abide::host`.
fn main() -> std::process::ExitCode {
    abide::host::main()
}
