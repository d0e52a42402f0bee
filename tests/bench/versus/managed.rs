//! Figures under a real `systemd --user`: the first answer of a socket that nobody listens behind yet, and a dispatch
//! beside `systemd-run` and dtach. The user manager is the tests' own, which needs root; elsewhere this part says why it
//! is left out.

use crate::figures::percentile;
use crate::report::Report;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The figures, one a line, as the run inside tells them to the one outside.
const MARK: &str = "managed-figure:";

/// Runs this program under a user manager and takes over its figures.
pub(crate) fn figures(rounds: usize, report: &mut Report) {
    let abide = Path::new(env!("CARGO_BIN_EXE_abide"));
    let programs = abide.parent().expect("a folder");
    let me = crate::peers::me();
    let inside = me.strip_prefix(programs).expect("this program is below the programs' folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/user-manager");
    let mut command = Command::new("bash");
    command.arg(script).arg("--see").arg(format!("{}=programs", programs.display())).arg("--");
    command.arg(Path::new("/run/see/programs").join(inside)).arg("__managed").arg(rounds.to_string());
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("bash");
    if done.status.code() == Some(125) {
        println!("no user manager can be had here: its figures are left out");
        return;
    }
    assert!(done.status.success(), "under a user manager: {}", String::from_utf8_lossy(&done.stdout));
    for line in String::from_utf8_lossy(&done.stdout).lines() {
        let Some(figure) = line.strip_prefix(MARK) else { continue };
        let [name, who, value]: [&str; 3] =
            figure.split('\t').collect::<Vec<_>>().try_into().expect("three parts");
        let name = FIGURES.into_iter().find(|known| *known == name).expect("a known figure");
        report.add(name, who, value.parse().expect("a number"), "ms", "under systemd --user".to_owned());
    }
}

const COLD: &str = "first answer, cold socket";
const WARM: &str = "an answer, supervisor up";
const DISPATCH: &str = "dispatch as a unit, p50";
const FIGURES: [&str; 3] = [COLD, WARM, DISPATCH];

/// What runs inside: this program again, as an unprivileged user.
pub(crate) fn within(rounds: usize) {
    let abide = |args: &[&str]| {
        let mut command = Command::new("/run/see/programs/abide");
        command.args(args);
        command
    };
    run(abide(&["install", "--linger", "no"]));
    let mut cold = Vec::new();
    let mut warm = Vec::new();
    for _ in 0..rounds {
        run(systemctl(&["stop", "abide.service"]));
        cold.push(timed(abide(&["ls"])));
        warm.push(timed(abide(&["ls"])));
    }
    tell(COLD, "abide", &mut cold);
    tell(WARM, "abide", &mut warm);

    let sockets = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").expect("a session"));
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..rounds {
        let [ours, theirs, dtachs] = &mut times;
        ours.push(timed(abide(&["run", "--", "sleep", "1000"])));
        let mut systemd_run = Command::new("systemd-run");
        systemd_run.args(["--user", "--quiet", "--collect", "--slice=bench.slice"]);
        systemd_run.args(["--property=Type=exec", "--", "sleep", "1000"]);
        theirs.push(timed(systemd_run));
        let mut dtach = Command::new("dtach");
        dtach.arg("-n").arg(sockets.join(format!("{round}.dtach"))).args(["-Ez", "-r", "none"]);
        dtach.args(["sleep", "1000"]);
        if crate::peers::find("dtach").is_some() {
            dtachs.push(timed(dtach));
        }
    }
    for (who, times) in ["abide", "systemd-run", "dtach"].into_iter().zip(&mut times) {
        tell(DISPATCH, who, times);
    }
    run(abide(&["stop", "--all", "--grace", "0s"]));
    run(systemctl(&["stop", "bench.slice"]));
}

#[allow(clippy::print_stdout, reason = "to the run outside")]
fn tell(figure: &str, who: &str, times: &mut [f64]) {
    if !times.is_empty() {
        println!("{MARK}{figure}\t{who}\t{}", percentile(times, 50));
    }
}

fn systemctl(args: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(args);
    command
}

fn run(mut command: Command) {
    let done = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Wall time of a command, ms.
fn timed(mut command: Command) -> f64 {
    let start = Instant::now();
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let taken = start.elapsed().as_secs_f64() * 1e3;
    assert!(done.expect("the program runs").success(), "{command:?}");
    taken
}
