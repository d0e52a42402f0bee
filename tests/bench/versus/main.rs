//! `cargo bench --bench versus`: abide beside dtach, tmux and shpool, in one run, in ratios.
//!
//! Each peer is measured only if it is installed (in `PATH`; `SHPOOL=PATH` names that one). Absolute times on shared
//! machines mean nothing: what counts is the ratio within one run, so the peers take turns.
//!
//! `-- --quick` runs fewer rounds; `-- echo flood dispatch memory ls adopt managed` selects figures; `-- --without=NAME`
//! leaves a peer out.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench starts programs, reads clocks and talks to people"
)]

mod child;
mod figures;
mod managed;
mod peers;
mod pty;
mod report;

use peers::Peer;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("__child") => return child::main(),
        Some("__nap") => return child::nap(),
        Some("__managed") => {
            let rounds = args.get(1).and_then(|n| n.parse().ok()).expect("a number of rounds");
            return managed::within(rounds);
        }
        _ => {}
    }
    let quick = args.iter().any(|a| a == "--quick");
    let wanted: Vec<&str> = args.iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    let wants = |figure: &str| wanted.is_empty() || wanted.contains(&figure);
    let scratch = tempfile::Builder::new().prefix("abide-b-").tempdir().expect("a temporary folder");
    let without: Vec<&str> = args.iter().filter_map(|a| a.strip_prefix("--without=")).collect();
    let peers = Peer::installed(scratch.path(), &without);
    let mut report = report::Report::default();
    if wants("echo") {
        figures::echo(&peers, if quick { 500 } else { 4_000 }, &mut report);
    }
    if wants("flood") {
        figures::flood(&peers, if quick { 1 } else { 3 }, &mut report);
    }
    if wants("dispatch") {
        figures::dispatch(&peers, if quick { 10 } else { 60 }, &mut report);
    }
    if wants("memory") {
        figures::memory(&peers, &mut report);
    }
    if wants("ls") {
        figures::ls(scratch.path(), if quick { 5 } else { 40 }, &mut report);
    }
    if wants("adopt") {
        figures::adopt(scratch.path(), if quick { 1 } else { 5 }, &mut report);
    }
    if wants("managed") {
        managed::figures(if quick { 10 } else { 60 }, &mut report);
    }
    for peer in &peers {
        peer.end();
    }
    report.print();
}
