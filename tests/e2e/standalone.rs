//! What is so where no service manager is, and what only root can set up.

use super::upgrade::Installed;
use crate::support::{Fifo, Home, ended, run, until};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

#[test]
fn nothing_runs_before_the_first_command_nor_for_a_look() {
    let home = Home::new();
    let status = home.abide(["daemon", "status", "--json"]);
    status.fails(5);
    assert!(status.stdout.contains("absent"), "{status}");
    assert_eq!(home.supervisor(), None, "asking starts none");
    home.abide(["ls"]).ok();
    home.abide(["daemon", "status"]).ok();
    assert!(home.supervisor().is_some());
}

#[test]
fn an_idle_supervisor_leaves_and_the_next_command_starts_another() {
    let home = Home::new();
    let config = home.paths().config_file();
    std::fs::create_dir_all(config.parent().expect("a folder")).expect("a folder");
    std::fs::write(config, "idle_exit = \"100ms\"\n").expect("settings");
    for _ in 0..10 {
        home.abide(["ls"]).ok();
        if let Some(pid) = home.supervisor() {
            crate::support::ended(pid);
        }
    }
    let id = home.session(["sleep", "1000"]);
    let with_a_session = home.supervisor().expect("one that stays");
    home.abide(["stop", "--grace", "0s", &id]).ok();
    crate::support::ended(with_a_session);
}

#[test]
fn sessions_and_supervisor_leave_the_terminal_and_the_group_of_the_command() {
    let home = Home::new();
    let id = home.session(["sleep", "1000"]);
    let own = nix::unistd::getsid(None).expect("a session");
    for pid in home.hosts().into_iter().chain(home.supervisor()) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
        let session = nix::unistd::getsid(Some(pid)).expect("a session");
        assert_ne!(session, own, "it would go with the terminal of whoever ran the command");
    }
    home.abide(["rm", &id]).status.code().expect("an end");
}

#[test]
fn no_descriptor_of_the_command_stays_open() {
    let home = Home::new();
    let tty = home.tty(["run", "--", "sleep", "1000"], (80, 24));
    tty.ok();
    let device = tty.device();
    let processes: Vec<u32> = home.hosts().into_iter().chain(home.supervisor()).collect();
    assert_eq!(processes.len(), 2);
    for pid in processes {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors") {
            let target = std::fs::read_link(entry.expect("an entry").path()).unwrap_or_default();
            assert_ne!(target.to_string_lossy(), device, "{pid} holds the terminal");
        }
    }
}

/// A mount namespace in which the home's state folder is a small disk of its own.
struct SmallDisk(Child);

impl SmallDisk {
    fn new(home: &mut Home, size: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let state = home.paths().state;
        std::fs::create_dir(&state).expect("a folder");
        std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("chmod");
        let script =
            "mount -t tmpfs -o mode=700,size=\"$2\" tmpfs \"$1\" && echo mounted && exec sleep 100000";
        let mut holder = home.command("unshare");
        holder.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(&state).arg(size);
        let mut holder = holder.stdout(Stdio::piped()).spawn().expect("unshare");
        let mut said = String::new();
        let out = holder.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut said).expect("a word");
        assert_eq!(said, "mounted\n");
        let namespace = format!("--mount=/proc/{}/ns/mnt", holder.id());
        home.go_through(["nsenter".into(), namespace, "--".into()]);
        Some(Self(holder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The home's end may have come first.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A full disk under the log neither stalls nor ends a session; what is missing is said, and logging goes on when
/// there is room again.
#[test]
fn a_full_disk_leaves_a_gap_and_nothing_worse() {
    let mut home = Home::new();
    let Some(_disk) = SmallDisk::new(&mut home, "3m") else { return };
    let mut go = Fifo::new(&home, "go");
    let script = format!(
        "exec 9<{}; read -r x <&9; seq 1000000; echo written; while read -r x <&9; do echo after the gap; done",
        go.path().display()
    );
    let id = home.session(["sh", "-c", &script]);
    go.tell("go");
    // 7.9 MB on a disk of 3 MB: the session gets through all the same.
    until("the end of the flood on the screen", || {
        home.abide(["peek", &id]).ok().contains("written").then_some(())
    });
    let session = home.list().remove(0);
    assert!(session["abide"]["output"]["unlogged"].as_u64() > Some(1_000_000), "{session}");
    assert!(home.abide(["show", &id]).ok().contains("could not be logged"));
    until("the gap among the events", || {
        home.abide(["events", &id, "--json"]).ok().contains("log-gap").then_some(())
    });

    // Room again: output is logged at its true offset, once the host tries again.
    let job = home.paths().job(&id);
    let enter = |line: &[&str]| {
        run(&mut {
            let mut command = home.command(line[0]);
            command.args(&line[1..]);
            command
        })
    };
    enter(&["mount", "-o", "remount,size=64m", home.paths().state.to_str().expect("UTF-8")]).ok();
    until("output after the gap, logged", || {
        go.tell("go");
        is_logged(&enter(&["sh", "-c", &format!("cat {}/output.*.log", job.display())]).stdout)
    });
    let log = home.abide(["logs", &id]);
    assert!(log.ok().contains("after the gap"), "{}", log.stderr);
    assert!(log.stderr.contains("are not in the log"), "the gap is said: {}", log.stderr);
    drop(go);
    home.abide(["wait", &id]).ok();
}

fn is_logged(log: &str) -> Option<()> {
    log.contains("after the gap").then_some(())
}

/// A supervisor whose socket was removed hears nobody any more. It leaves by itself, and the next command has another;
/// so too where the whole folder went, with the locks in it.
#[test]
fn a_supervisor_that_cannot_be_called_leaves_and_the_next_command_has_another() {
    let home = Home::new();
    let id = home.session(["cat"]);
    let hosts = home.hosts();
    let first = home.supervisor().expect("one");
    std::fs::remove_file(home.paths().control_socket()).expect("removed");
    crate::support::ended(first);
    home.abide(["send", &id, "one"]).ok();
    let second = home.supervisor().expect("another");
    std::fs::remove_dir_all(&home.paths().runtime).expect("removed");
    crate::support::ended(second);
    home.abide(["send", &id, "two"]).ok();
    until("both lines", || {
        let screen = home.abide(["peek", &id]).ok().to_owned();
        (screen.contains("one") && screen.contains("two")).then_some(())
    });
    assert_eq!(home.hosts(), hosts);
}

/// Nobody starts it again by itself: the next command does, with what is installed then.
#[test]
fn a_build_that_dies_after_its_proof_is_made_up_for_by_the_next_good_one() {
    let mut installed = Installed::new(Home::new());
    installed.abide(&["run", "--", "sleep", "1000"]).ok();
    let (pid, hosts) = (installed.home.supervisor().expect("one"), installed.home.hosts());
    let dies =
        installed.script("[ \"$1\" = --self-check ] && exec $abided --self-check; echo died >&2; exit 9");
    installed.put(&dies);
    ended(pid);
    let failed = installed.abide(&["ls"]);
    assert!(failed.fails(5).contains("ended while it started"), "{failed}");
    let good = installed.another_build();
    installed.put(&good);
    assert_eq!(installed.abide(&["ls", "--json"]).json().as_array().expect("a list").len(), 1);
    assert_eq!(installed.home.hosts(), hosts);
    // One that hangs instead is ended by its alarm.
    let pid = installed.home.supervisor().expect("one");
    let hangs = installed.script("[ \"$1\" = --self-check ] && exec $abided --self-check; exec sleep 1000");
    installed.put(&hangs);
    ended(pid);
    let good = installed.another_build();
    installed.put(&good);
    installed.abide(&["ls"]).ok();
    assert_eq!(installed.home.hosts(), hosts);
}

/// It waits for the last host, whatever becomes of supervisors, and there is one at a time.
#[test]
fn an_anchor_stays_until_the_last_session_has_ended() {
    let home = Home::new();
    let first = home.session(["sleep", "1000"]);
    let lock = home.path().join("run/anchor.lock");
    let start = || {
        let mut anchor = home.command(crate::support::program("abide-host"));
        anchor.arg("anchor").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        anchor.spawn().expect("abide-host")
    };
    let holds = |pid: u32| {
        let note = || std::fs::read_to_string(&lock).unwrap_or_default();
        until("the anchor's note", || (note().trim() == pid.to_string()).then_some(()));
    };
    let mut anchor = start();
    holds(anchor.id());
    assert!(start().wait().expect("wait").success(), "a second one is not needed");
    home.session(["sleep", "1000"]);
    home.kill_supervisor();
    home.abide(["stop", "--grace", "0s", &first]).ok();
    let host = until("the host of the first to be gone", || {
        let hosts: Vec<u32> = home.hosts().into_iter().filter(|pid| *pid != anchor.id()).collect();
        (hosts.len() == 1).then(|| hosts[0])
    });
    assert!(anchor.try_wait().expect("wait").is_none(), "a session runs");
    // The host of the second is killed, and can say nothing any more.
    crate::support::signal(host, nix::sys::signal::Signal::SIGKILL);
    assert!(anchor.wait().expect("wait").success(), "the last session has ended");
    // Nothing of it is in the way of the next.
    home.session(["sleep", "1000"]);
    let mut next = start();
    holds(next.id());
    assert!(next.try_wait().expect("wait").is_none(), "a session runs");
    home.abide(["stop", "--grace", "0s", "--all"]).ok();
    next.wait().expect("wait");
}

/// Two runtime folders, one home: another machine, a container, a shell without a login.
#[test]
fn records_in_use_elsewhere_are_left_alone_and_that_is_said_in_one_line() {
    let mut home = Home::new();
    let runtime = |name: &str| {
        let folder = home.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("chmod");
        folder
    };
    let (here, there) = (runtime("here"), runtime("there"));
    home.unset("ABIDE_HOME");
    home.set("XDG_RUNTIME_DIR", &here);
    let id = home.session(["sleep", "1000"]);
    home.set("XDG_RUNTIME_DIR", &there);
    let refused = home.abide(["ls"]);
    let said = refused.fails(5);
    let line = said.lines().next().unwrap_or_default();
    assert!(line.contains("in use by another supervisor") && line.contains("here/abide"), "{refused}");
    let report = home.abide(["doctor", "--json"]);
    report.fails(1);
    assert!(report.stdout.contains("is in use by process"), "{report}");
    home.set("XDG_RUNTIME_DIR", &here);
    assert!(home.list().iter().any(|s| s["id"] == id.as_str() && s["pid"].is_u64()), "it lives on");
}
