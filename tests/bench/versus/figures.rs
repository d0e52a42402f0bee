//! What is measured, and how.

use crate::child::{END, FLOOD};
use crate::peers::{Abide, Peer, signal};
use crate::pty::Pty;
use crate::report::Report;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// Round trip of one key: the driver types it into the attach program and waits for its echo. Rounds of the peers
/// alternate, so that a busy moment of the machine meets all of them.
pub(crate) fn echo(peers: &[Peer], rounds: usize, report: &mut Report) {
    let mut lines: Vec<(&Peer, Pty, Vec<f64>)> =
        peers.iter().map(|p| (p, attached(p, "echo"), Vec::new())).collect();
    let keys = [b"%", b"&", b"|", b"^"];
    for round in 0..rounds {
        let key = keys[round % keys.len()];
        for (peer, pty, times) in &mut lines {
            let start = Instant::now();
            pty.write(key);
            pty.wait_for(key, PATIENCE).unwrap_or_else(|| panic!("{}: no echo", peer.name()));
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    for (peer, pty, mut times) in lines {
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        report.add("echo through attach, p50", peer.name(), p50, "µs", String::new());
        report.add("echo through attach, p99", peer.name(), p99, "µs", String::new());
        drop(pty);
        peer.stop("echo");
    }
    aim_against_dtach(report, "echo through attach, p50", "echo p50 at or below dtach's", 1.0, false);
}

/// 64 MB of text from the session to the driver.
pub(crate) fn flood(peers: &[Peer], rounds: usize, report: &mut Report) {
    for peer in peers {
        peer.start("flood", "__child");
    }
    let mut best = vec![(0f64, 0usize); peers.len()];
    for _ in 0..rounds {
        for (peer, best) in peers.iter().zip(&mut best) {
            let mut pty = Pty::spawn(peer.attach("flood"));
            pty.ready(peer.name());
            let start = Instant::now();
            pty.write(b"G");
            let bytes = pty.wait_for(END, PATIENCE).unwrap_or_else(|| panic!("{}: no end", peer.name()));
            let speed = FLOOD as f64 / 1e6 / start.elapsed().as_secs_f64();
            if speed > best.0 {
                *best = (speed, bytes);
            }
        }
    }
    for (peer, (speed, bytes)) in peers.iter().zip(best) {
        let drawn = format!("{:.0} % of the bytes reached the terminal", bytes as f64 / FLOOD as f64 * 100.0);
        report.add("flood of 64 MB", peer.name(), speed, "MB/s", drawn);
        peer.stop("flood");
    }
    aim_against_dtach(report, "flood of 64 MB", "flood at or above dtach's", 1.0, true);
}

/// Wall time of the command that makes a detached session.
pub(crate) fn dispatch(peers: &[Peer], rounds: usize, report: &mut Report) {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for peer in peers {
        peer.start("dispatch-first", "__nap");
    }
    for round in 0..rounds {
        for (peer, times) in peers.iter().zip(&mut times) {
            let Some(mut command) = peer.dispatch(&format!("dispatch-{round}"), "__nap") else { continue };
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let start = Instant::now();
            let status = command.status().expect("the peer runs");
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert!(status.success(), "{}", peer.name());
        }
    }
    for (peer, mut times) in peers.iter().zip(times) {
        if !times.is_empty() {
            report.add("dispatch, p50", peer.name(), percentile(&mut times, 50), "ms", String::new());
        }
        peer.stop("dispatch-first");
        for round in 0..rounds {
            match peer {
                Peer::Abide(abide) => {
                    _ = abide.command(&["rm", &format!("dispatch-{round}")]).output();
                }
                Peer::Raw | Peer::Dtach(_) | Peer::Tmux(_) | Peer::Shpool(_) => {
                    peer.stop(&format!("dispatch-{round}"))
                }
            }
        }
    }
    aim_against_dtach(report, "dispatch, p50", "dispatch within twice dtach's", 2.0, false);
}

/// Memory of what holds the sessions, per session: fresh, and after a flood with 10,000 lines of scrollback behind.
pub(crate) fn memory(peers: &[Peer], report: &mut Report) {
    const SESSIONS: usize = 8;
    for peer in peers.iter().filter(|p| !matches!(p, Peer::Raw)) {
        let before = sum(&peer.holders());
        for n in 0..SESSIONS {
            peer.start(&format!("memory-{n}"), "__child");
        }
        settle(peer);
        let per =
            |now: (f64, f64)| ((now.0 - before.0) / SESSIONS as f64, (now.1 - before.1) / SESSIONS as f64);
        let fresh = per(sum(&peer.holders()));
        report.add("PSS per session, fresh", peer.name(), fresh.0, "kB", String::new());
        report.add("private per session, fresh", peer.name(), fresh.1, "kB", String::new());
        for n in 0..SESSIONS {
            let mut pty = Pty::spawn(peer.attach(&format!("memory-{n}")));
            pty.ready(peer.name());
            pty.write(b"G");
            pty.wait_for(END, PATIENCE).unwrap_or_else(|| panic!("{}: no end", peer.name()));
        }
        settle(peer);
        let after = per(sum(&peer.holders()));
        report.add("PSS per session, flooded", peer.name(), after.0, "kB", String::new());
        report.add("private per session, flooded", peer.name(), after.1, "kB", String::new());
        for n in 0..SESSIONS {
            peer.stop(&format!("memory-{n}"));
        }
    }
    if let Some(ours) = report.value("private per session, flooded", "abide") {
        report.aim("private kB per idle session after a flood".to_owned(), ours, 450.0, false);
    }
}

/// `abide ls` with 1,000 sessions on the disk.
pub(crate) fn ls(scratch: &Path, rounds: usize, report: &mut Report) {
    use abide::core::id::SessionId;
    let abide = Abide::new(scratch.join("thousand"));
    // One session of its own keeps the supervisor there and shows what a record looks like.
    let made =
        abide.command(&["run", "--json", "-n", "keep", "--"]).arg(crate::peers::me()).arg("__nap").output();
    let made: serde_json::Value = serde_json::from_slice(&made.expect("abide runs").stdout).expect("JSON");
    let kept = made["id"].as_str().expect("an id");
    stop_supervisor(&abide);
    let state = std::fs::read(abide.jobs().join(kept).join("state.json")).expect("a record");
    let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
    for n in 0..999u32 {
        let id = SessionId::from_bits(n).to_string();
        let mut record = state.clone();
        record["id"] = id.clone().into();
        record["name"] = format!("session-{n}").into();
        record["state"] = "done".into();
        record["request"] = format!("{n:032x}").into();
        record["desired"] = "stopped".into();
        record["host"] = serde_json::Value::Null;
        let folder = abide.jobs().join(&id);
        std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("a folder");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join("state.json"))
            .expect("a file");
        serde_json::to_writer(&mut file, &record).expect("a record is written");
    }
    for (figure, args) in [
        ("ls --all, 1,000 sessions", &["ls", "--all"][..]),
        ("ls --all --json, 1,000", &["ls", "--all", "--json"][..]),
    ] {
        let mut times = Vec::new();
        let mut lines = 0;
        for round in 0..=rounds {
            let start = Instant::now();
            let out = abide.command(args).stdin(Stdio::null()).output().expect("abide runs");
            if round > 0 {
                // The first one starts the supervisor.
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            lines = out.stdout.split(|&b| b == b'\n').filter(|l| !l.is_empty()).count();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
        let p50 = percentile(&mut times, 50);
        report.add(figure, "abide", p50, "ms", format!("{lines} lines"));
        report.aim(format!("{figure}, in ms"), p50, 10.0, false);
    }
    abide.end();
}

/// From the death of a supervisor with 200 sessions to the first complete answer of the next one.
pub(crate) fn adopt(scratch: &Path, rounds: usize, report: &mut Report) {
    const HOSTS: usize = 200;
    let peer = Peer::Abide(Abide::new(scratch.join("adopt")));
    let Peer::Abide(abide) = &peer else { return };
    for n in 0..HOSTS {
        peer.start(&format!("adopt-{n}"), "__nap");
    }
    let mut times = Vec::new();
    for _ in 0..rounds {
        stop_supervisor(abide);
        let start = Instant::now();
        let out = abide.command(&["ls", "--json"]).stdin(Stdio::null()).output().expect("abide runs");
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let list: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).expect("JSON");
        let live = list.iter().filter(|s| s["pid"].is_u64()).count();
        assert_eq!(live, HOSTS, "all hosts are adopted");
    }
    let p50 = percentile(&mut times, 50);
    report.add("adopt 200 hosts", "abide", p50, "ms", "kill -9, start and a complete list".to_owned());
    report.aim("200 hosts adopted after SIGKILL, in ms".to_owned(), p50, 100.0, false);
    abide.end();
}

fn attached(peer: &Peer, session: &str) -> Pty {
    peer.start(session, "__child");
    let mut pty = Pty::spawn(peer.attach(session));
    pty.ready(peer.name());
    pty
}

fn stop_supervisor(abide: &Abide) {
    let pid = abide.supervisor().expect("a supervisor runs");
    signal(pid, nix::sys::signal::Signal::SIGKILL);
    let gone = Path::new("/proc").join(pid.to_string());
    while std::fs::read_to_string(gone.join("stat")).is_ok_and(|s| !s.contains(") Z ")) {
        std::thread::yield_now();
    }
}

/// Waits until the holders' memory stands still: what is freed when a session falls quiet is freed by then.
fn settle(peer: &Peer) {
    let mut last = sum(&peer.holders());
    let mut still = 0;
    while still < 4 {
        std::thread::sleep(Duration::from_millis(500));
        let now = sum(&peer.holders());
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
}

/// PSS and private dirty plus private clean, kB, of these processes.
fn sum(pids: &[u32]) -> (f64, f64) {
    let mut total = (0.0, 0.0);
    for pid in pids {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(key), Some(value)) = (words.next(), words.next()) else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            match key {
                "Pss:" => total.0 += value,
                "Private_Clean:" | "Private_Dirty:" => total.1 += value,
                _ => {}
            }
        }
    }
    total
}

pub(crate) fn percentile(times: &mut [f64], p: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * p / 100).min(times.len() - 1)]
}

fn aim_against_dtach(report: &mut Report, figure: &str, text: &str, factor: f64, more: bool) {
    if let (Some(ours), Some(theirs)) = (report.value(figure, "abide"), report.value(figure, "dtach")) {
        report.aim(text.to_owned(), ours, theirs * factor, more);
    }
}
