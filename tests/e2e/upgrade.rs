//! The supervisor's program is replaced while it runs, by everything that users and package managers do.

use crate::support::{Home, program, run, signal, until};
use nix::sys::signal::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// The three programs in a folder of a test's own, where they can be replaced.
pub(super) struct Installed {
    pub(super) home: Home,
    pub(super) bin: PathBuf,
    /// The same once more, for keeping.
    originals: PathBuf,
    next: usize,
}

impl Installed {
    pub(super) fn new(home: Home) -> Self {
        let (bin, originals) = (home.path().join("bin"), home.path().join("originals"));
        fs::create_dir(&bin).expect("mkdir");
        fs::create_dir(&originals).expect("mkdir");
        for name in ["abide", "abided", "abide-host"] {
            let original = originals.join(name);
            // Debug builds are large, and are copied many times here.
            let mut strip = Command::new("strip");
            let stripped = strip.arg("-o").arg(&original).arg(program(name)).stderr(Stdio::null()).status();
            if !stripped.is_ok_and(|status| status.success()) {
                fs::copy(program(name), &original).expect("copied");
            }
            fs::copy(&original, bin.join(name)).expect("copied");
        }
        Self { home, bin, originals, next: 0 }
    }

    /// `abide ARGS`, of this folder.
    pub(super) fn abide(&self, args: &[&str]) -> crate::support::Output {
        run(self.home.command(self.bin.join("abide")).args(args))
    }

    /// Another build that works just as well: what follows a program's last section is not looked at.
    pub(super) fn another_build(&mut self) -> PathBuf {
        self.next += 1;
        let path = self.bin.join(format!("build-{}", self.next));
        let mut bytes = fs::read(self.originals.join("abided")).expect("read");
        bytes.extend_from_slice(format!("build {}", self.next).as_bytes());
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// A build that is a shell script: `$abided` is the working one.
    pub(super) fn script(&mut self, text: &str) -> PathBuf {
        self.next += 1;
        let path = self.bin.join(format!("build-{}", self.next));
        let working = self.originals.join("abided");
        fs::write(&path, format!("#!/bin/sh\nabided={}\n{text}\n", working.display())).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// Renames it over the program.
    pub(super) fn put(&self, build: &Path) {
        fs::rename(build, self.bin.join("abided")).expect("renamed");
    }

    pub(super) fn status(&self) -> serde_json::Value {
        self.abide(&["daemon", "status", "--json"]).json()
    }

    /// How often a build went on in the place of another.
    pub(super) fn upgrades(&self) -> usize {
        let events = self.abide(&["events", "--json"]);
        events.ok().lines().filter(|line| line.contains("\"supervisor-upgraded\"")).count()
    }

    /// Sessions that write numbered lines.
    fn counters(&self, sessions: usize) -> Vec<String> {
        let args = ["run", "--json", "--", "sh", "-c", COUNTER];
        let id = |_| self.abide(&args).json()["id"].as_str().expect("an id").to_owned();
        (0..sessions).map(id).collect()
    }

    /// Ends them: every line is in the log once.
    fn check_counters(&self, ids: &[String]) {
        for id in ids {
            self.abide(&["stop", id]).ok();
            assert!(check_lines(self.abide(&["logs", id]).ok()) > 0);
        }
    }

    pub(super) fn until_upgraded(&self, times: usize) {
        until(&format!("upgrade {times}"), || (self.upgrades() >= times).then_some(()));
    }

    pub(super) fn until_refused(&self) -> String {
        until("a refusal", || {
            let status = self.status();
            (status["upgrade"]["stage"] == "refused")
                .then(|| status["upgrade"]["why"].as_str().expect("a reason").to_owned())
        })
    }
}

const COUNTER: &str = "i=0; while :; do i=$((i+1)); echo \"line $i.\"; sleep 0.02; done";

/// Every line once, in order.
#[track_caller]
fn check_lines(said: &str) -> usize {
    let numbers: Vec<usize> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("line ")?.strip_suffix('.')?.parse().ok())
        .collect();
    for (at, number) in numbers.iter().enumerate() {
        assert_eq!(*number, at + 1, "a line is missing or doubled in {said}");
    }
    numbers.len()
}

#[test]
fn six_replacements_of_every_kind_under_a_loop_of_calls_lose_nothing() {
    replaced_again_and_again(&mut Installed::new(Home::new()), 6, 3);
}

#[test]
#[ignore = "takes minutes: tests/slow/upgrades"]
fn a_hundred_replacements_with_twenty_sessions_lose_nothing() {
    replaced_again_and_again(&mut Installed::new(Home::new()), 100, 20);
}

#[test]
#[ignore = "needs another build: tests/slow/upgrades"]
fn twenty_downgrades_and_upgrades_between_protocols_lose_nothing() {
    to_and_fro(&Installed::new(Home::new()), 20, 20);
}

/// Between these programs and those of `ABIDE_TEST_OTHER`, command line included.
pub(super) fn to_and_fro(installed: &Installed, times: usize, sessions: usize) {
    let other = PathBuf::from(std::env::var_os("ABIDE_TEST_OTHER").expect("a folder with another build"));
    let (builds, earlier) = ([other, installed.originals.clone()], installed.upgrades());
    let ids = installed.counters(sessions);
    let (pid, hosts) = (installed.home.supervisor().expect("one"), installed.home.hosts());
    let before = installed.status()["version"].clone();
    for n in 0..times {
        for name in ["abided", "abide"] {
            let new = installed.bin.join(format!("{name}.new"));
            fs::copy(builds[n % 2].join(name), &new).expect("copied");
            fs::rename(&new, installed.bin.join(name)).expect("renamed");
            // The new supervisor with the old command line, then the other way around: they talk.
            installed.abide(&["ls", "--json"]).json();
        }
        installed.until_upgraded(earlier + n + 1);
        let version = installed.status()["version"].clone();
        assert_eq!(version == before, n % 2 == 1, "{version} after {before}");
        assert_eq!(installed.abide(&["ls", "--json"]).json().as_array().expect("a list").len(), sessions);
    }
    assert_eq!((installed.home.supervisor(), installed.home.hosts()), (Some(pid), hosts));
    installed.check_counters(&ids);
}

pub(super) fn replaced_again_and_again(installed: &mut Installed, times: usize, sessions: usize) {
    let ids = installed.counters(sessions);
    let (pid, hosts) = (installed.home.supervisor().expect("one"), installed.home.hosts());
    let builds: Vec<PathBuf> = (0..times).map(|_| installed.another_build()).collect();
    let installed = &*installed;
    let (over, calls, slowest) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut follower = installed.home.command(installed.bin.join("abide"));
    let mut follower = follower
        .args(["events", "--follow", "--json"])
        .stdout(fs::File::create(installed.home.path().join("followed")).expect("a file"))
        .spawn()
        .expect("abide events");
    std::thread::scope(|scope| {
        for command in [&["ls", "--json"][..], &["daemon", "status", "--json"]] {
            let (over, calls, slowest, installed) = (&over, &calls, &slowest, installed);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    installed.abide(command).json();
                    let took = usize::try_from(begin.elapsed().as_millis()).expect("a short time");
                    slowest.fetch_max(took, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for (n, build) in builds.iter().enumerate() {
            let place = installed.bin.join("abided");
            match n % 3 {
                0 => fs::rename(build, &place).expect("a rename over it"),
                1 => {
                    let link = installed.bin.join("link");
                    symlink(build, &link).expect("a link");
                    fs::rename(&link, &place).expect("a link over it");
                }
                _ => {
                    // As `cp -f` does where the program is being executed.
                    fs::remove_file(&place).expect("removed");
                    fs::copy(build, &place).expect("copied in place");
                }
            }
            installed.until_upgraded(n + 1);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(calls.load(Ordering::Relaxed) > times, "too few calls: {calls:?}");
    println!("{times} replacements, {calls:?} calls, none failed, the slowest took {slowest:?} ms");
    assert_eq!(installed.home.supervisor(), Some(pid), "one process all the time");
    assert_eq!(installed.home.hosts(), hosts);
    assert_eq!(installed.upgrades(), times, "one replacement makes one exchange");
    installed.check_counters(&ids);
    let followed = installed.home.path().join("followed");
    let last = installed.abide(&["events", "--json"]).ok().lines().last().expect("one").to_owned();
    until("the follower", || {
        fs::read_to_string(&followed).is_ok_and(|text| text.contains(&last)).then_some(())
    });
    signal(follower.id(), Signal::SIGKILL);
    follower.wait().expect("wait");
    let text = fs::read_to_string(&followed).expect("read");
    let numbers: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_u64().expect("seq")
        })
        .collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "no event is missing or doubled for who follows");
}

#[test]
fn builds_that_do_not_work_are_refused_by_name_and_the_old_one_serves_on() {
    let mut installed = Installed::new(Home::new());
    let id = installed.abide(&["run", "--json", "--", "sleep", "1000"]).json()["id"].clone();
    let pid = installed.home.supervisor().expect("one");
    let original = fs::read(installed.originals.join("abided")).expect("read");
    let mut bad: Vec<(PathBuf, &str)> = vec![
        (installed.script("echo boom >&2; exit 3"), "its start failed (3): boom"),
        (installed.script("kill -SEGV $$"), "signal 11"),
        (installed.script("while :; do sleep 1; done"), "not ready within 3 s"),
        (installed.script("echo 'abided 9.9.9'; echo ready"), "cannot read the records of 1 of 1 sessions"),
        (installed.script("echo \"unknown argument $1\" >&2; exit 1"), "too old to prove itself"),
    ];
    let not_executable = installed.another_build();
    fs::set_permissions(&not_executable, Permissions::from_mode(0o644)).expect("chmod");
    bad.push((not_executable, "cannot be executed: Permission denied"));
    let truncated = installed.bin.join("truncated");
    fs::write(&truncated, &original[..original.len() / 2]).expect("written");
    fs::set_permissions(&truncated, Permissions::from_mode(0o755)).expect("chmod");
    bad.push((truncated, ""));
    for (build, expected) in bad {
        let name = build.display().to_string();
        installed.put(&build);
        let why = until("its refusal", || {
            let why = installed.until_refused();
            why.contains(expected).then_some(why)
        });
        assert!(!why.is_empty(), "{name}");
        assert_eq!(installed.home.supervisor(), Some(pid), "{name}");
        assert_eq!(installed.abide(&["ls", "--json"]).json()[0]["id"], id, "{name}");
        let shown = installed.abide(&["daemon", "status"]);
        assert!(shown.ok().contains("is not used since"), "{shown}");
        // Back to what runs: nothing is to be exchanged.
        let again = installed.bin.join("again");
        fs::write(&again, &original).expect("written");
        fs::set_permissions(&again, Permissions::from_mode(0o755)).expect("chmod");
        installed.put(&again);
        until("peace", || (installed.status()["upgrade"]["stage"] == "current").then_some(()));
    }
    assert_eq!(installed.upgrades(), 0);
    let journal = installed.abide(&["events", "--json"]);
    assert!(journal.ok().matches("supervisor-upgrade-refused").count() >= 7, "{journal}");
    // Nothing of a proof is left.
    assert!(!installed.home.paths().runtime.join("proof").exists());
}

#[test]
fn a_replacement_during_the_exchange_is_noticed_and_hang_ups_harm_nothing() {
    let mut installed = Installed::new(Home::new());
    installed.abide(&["run", "--", "sleep", "1000"]).ok();
    let pid = installed.home.supervisor().expect("one");
    for round in 0..5 {
        let (first, second) = (installed.another_build(), installed.another_build());
        let wanted = run(Command::new("sha256sum").arg(&second)).ok()[..64].to_owned();
        installed.put(&first);
        // Somewhere between the first reading and the end of the exchange.
        std::thread::park_timeout(std::time::Duration::from_millis(round * 130));
        installed.put(&second);
        for _ in 0..20 {
            signal(pid, Signal::SIGHUP);
            std::thread::park_timeout(std::time::Duration::from_millis(15));
        }
        until("the second build", || {
            let running = run(Command::new("sha256sum").arg(format!("/proc/{pid}/exe")));
            running.stdout.starts_with(&wanted).then_some(())
        });
    }
    assert_eq!(installed.home.supervisor(), Some(pid));
    installed.abide(&["ls"]).ok();
}

#[test]
fn a_reload_without_another_build_changes_nothing() {
    let installed = Installed::new(Home::new());
    installed.abide(&["run", "--", "sleep", "1000"]).ok();
    let pid = installed.home.supervisor().expect("one");
    let started = installed.status()["startedAt"].clone();
    signal(pid, Signal::SIGHUP);
    // The same content in another file is the same build.
    let same = installed.bin.join("same");
    fs::copy(installed.originals.join("abided"), &same).expect("copied");
    installed.put(&same);
    until("the comparison", || {
        let status = installed.status();
        assert_eq!(status["startedAt"], started);
        (status["upgrade"]["installedBuild"] != "").then_some(())
    });
    assert_eq!((installed.upgrades(), installed.home.supervisor()), (0, Some(pid)));
}
