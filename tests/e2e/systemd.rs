//! What only a service manager shows. Each of these has a user manager to itself.

mod upgrade;

use crate::support::{Home, Output, Stage, ended, program, run, until};
use std::process::Command;

/// Runs one of systemd's programs for the user.
fn systemctl(args: &[&str]) -> Output {
    run(Command::new("systemctl").arg("--user").args(args))
}

/// A property of a unit.
fn property(unit: &str, name: &str) -> String {
    systemctl(&["show", "--value", "-p", name, unit]).ok().trim().to_owned()
}

fn unit_of(id: &str) -> String {
    format!("abide-session-{id}.service")
}

/// A session of the list, by its id.
fn listed(home: &Home, id: &str) -> serde_json::Value {
    let list = home.list();
    let found = list.iter().find(|s| s["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {list:?}")).clone()
}

/// A user with abide installed as a service.
fn installed() -> Home {
    let home = Home::of_the_user();
    home.abide(["install"]).ok();
    home
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_stage_is_a_fresh_user_manager() {
    assert_eq!(Stage::current(), Stage::Systemd);
    assert_eq!(systemctl(&["is-system-running"]).ok().trim(), "running");
    let units = systemctl(&["list-units", "--all", "--plain", "--no-legend", "abide*"]);
    assert_eq!(units.ok(), "", "nothing of abide before the first call");
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn after_install_only_the_socket_is_active_until_the_first_command() {
    let home = installed();
    assert_eq!(property("abide.socket", "ActiveState"), "active");
    until("the service to be off", || (property("abide.service", "ActiveState") == "inactive").then_some(()));
    assert_eq!(home.supervisor(), None, "no supervisor before the first call");
    home.abide(["daemon", "status"]).ok();
    assert_eq!(home.supervisor(), None, "a look starts none");
    home.abide(["ls"]).ok();
    assert_eq!(property("abide.service", "ActiveState"), "active");
    let main = property("abide.service", "MainPID");
    assert_eq!(home.supervisor().map(|p| p.to_string()), Some(main));
    let status = home.abide(["daemon", "status", "--json"]).json();
    assert_eq!(status["origin"], "service", "{status}");
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn a_session_is_a_unit_of_its_own_in_the_slice() {
    let home = installed();
    let id = home.session(["sleep", "1000"]);
    let unit = unit_of(&id);
    for (name, value) in [
        ("ActiveState", "active"),
        ("Slice", "abide.slice"),
        ("Type", "exec"),
        ("KillMode", "mixed"),
        ("SendSIGHUP", "yes"),
        ("OOMPolicy", "continue"),
        ("CollectMode", "inactive-or-failed"),
        ("Transient", "yes"),
    ] {
        assert_eq!(property(&unit, name), value, "{name}");
    }
    assert!(!property("abide.service", "ControlGroup").contains("abide.slice"));
    let group = property(&unit, "ControlGroup");
    let pid = listed(&home, &id)["pid"].as_u64().expect("a pid");
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a cgroup");
    assert!(cgroup.lines().any(|l| l.ends_with(&group)), "{cgroup} is not {group}");
    // When memory runs out the program goes, and the host stays to tell of it.
    let score = |pid: &dyn std::fmt::Display| -> i32 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a score");
        text.trim().parse().expect("a number")
    };
    let host = &listed(&home, &id)["abide"]["hostPid"];
    assert_eq!(score(&pid), (score(host) + 200).min(1000));
}

/// Whatever is done to the supervisor's service, no session notices.
#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn killing_restarting_or_stopping_the_service_ends_no_session() {
    let home = installed();
    let id = home.session(["cat"]);
    let process = listed(&home, &id)["pid"].clone();
    for verb in [
        &["kill", "-s", "KILL", "abide.service"][..],
        &["restart", "abide.service"],
        &["stop", "abide.service"],
        &["restart", "abide.socket"],
        &["daemon-reload"],
        &["daemon-reexec"],
    ] {
        let before = home.supervisor();
        systemctl(verb).ok();
        if let (Some(pid), "kill" | "stop") = (before, verb[0]) {
            ended(pid);
        }
        assert_eq!(listed(&home, &id)["pid"], process, "after {verb:?}");
        let word = format!("after-{}", verb[0]);
        home.abide(["send", &id, &word]).ok();
        until("its echo", || home.abide(["logs", &id]).ok().contains(&word).then_some(()));
    }
    home.abide(["daemon", "stop"]).ok();
    assert_eq!(listed(&home, &id)["pid"], process);
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_slice_refuses_to_be_stopped_by_hand() {
    let home = installed();
    let id = home.session(["sleep", "1000"]);
    let said = systemctl(&["stop", "abide.slice"]);
    assert!(!said.status.success(), "{said}");
    assert_eq!(property(&unit_of(&id), "ActiveState"), "active");
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn stopping_a_sessions_unit_means_stopped_and_never_revived() {
    let home = installed();
    let id = home.session(["sleep", "1000"]);
    systemctl(&["stop", &unit_of(&id)]).ok();
    home.abide(["wait", &id, "--for", "stopped"]).ok();
    home.kill_supervisor();
    assert_eq!(listed(&home, &id)["state"], "stopped");
    // And the same while no supervisor runs.
    let other = home.session(["sleep", "1000"]);
    systemctl(&["stop", "abide.service"]).ok();
    until("the service to be off", || home.supervisor().is_none().then_some(()));
    systemctl(&["stop", &unit_of(&other)]).ok();
    assert_eq!(listed(&home, &other)["state"], "stopped");
    assert!(home.hosts().is_empty());
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_journal_knows_who_did_what_by_session() {
    let home = installed();
    let id = home.session(["sleep", "1000"]);
    home.abide(["stop", "--grace", "0s", &id]).ok();
    let entries = until("the stop in the journal", || {
        let entries = journal(&[&format!("ABIDE_SESSION={id}")]);
        entries.iter().any(|e| message(e).contains("stopped")).then_some(entries)
    });
    let by = |part: &str| {
        let found = entries.iter().find(|e| message(e).contains(part));
        found.unwrap_or_else(|| panic!("{part:?} in {entries:?}"))
    };
    let created = by("created sleep, by abide run (pid ");
    let started = by("started sleep: process ");
    let stopped = by("by abide stop (pid ");
    assert_eq!(created["ABIDE_REQUEST"], started["ABIDE_REQUEST"], "what came of a request is found by it");
    let of_the_stop =
        journal(&[&format!("ABIDE_REQUEST={}", stopped["ABIDE_REQUEST"].as_str().expect("one"))]);
    assert!(
        of_the_stop.contains(stopped) && !of_the_stop.contains(created),
        "{of_the_stop:?} of {entries:?}"
    );
    let of_the_unit = journal(&["-u", &unit_of(&id)]);
    assert!(of_the_unit.contains(created) && of_the_unit.contains(stopped), "{of_the_unit:?}");

    // The same is in the file, for those who cannot read the journal.
    assert!(home.abide(["daemon", "logs", "-n", "50"]).ok().contains("created sleep"));
    let file = home.user_paths().log();
    until("the stop in the file", || {
        std::fs::read_to_string(&file).ok()?.contains("abide stop").then_some(())
    });
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().expect("the file").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// Entries of the user's journal.
fn journal(of: &[&str]) -> Vec<serde_json::Value> {
    let said = run(Command::new("journalctl").args(["--user", "--output=json", "--no-pager"]).args(of));
    said.ok().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn message(entry: &serde_json::Value) -> &str {
    entry["MESSAGE"].as_str().unwrap_or_default()
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn never_installed_the_first_command_works_and_install_takes_over() {
    let home = Home::of_the_user();
    let id = home.session(["sleep", "1000"]);
    let process = listed(&home, &id)["pid"].clone();
    assert_eq!(property(&unit_of(&id), "ActiveState"), "active");
    let supervisor = home.supervisor().expect("a supervisor");
    let group = std::fs::read_to_string(format!("/proc/{supervisor}/cgroup")).expect("a cgroup");
    assert!(group.contains(".service"), "a transient unit, not the terminal's: {group}");
    home.abide(["install"]).ok();
    assert_eq!(listed(&home, &id)["pid"], process);
    assert_eq!(property("abide.service", "ActiveState"), "active");
    assert_ne!(home.supervisor(), Some(supervisor));
}

#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn install_can_be_repeated_and_uninstall_leaves_nothing_but_the_sessions() {
    let home = Home::of_the_user();
    let units = home.user_paths().config.with_file_name("systemd/user");
    let tree = || run(Command::new("find").arg(&units).arg("-not").arg("-type").arg("d")).stdout;
    let dry = home.abide(["install", "--dry-run"]);
    assert!(dry.ok().contains("ListenStream="), "it shows what it would write: {dry}");
    assert_eq!(tree(), "", "and writes nothing");
    home.abide(["install"]).ok();
    let once = tree();
    for file in [
        "abide.socket",
        "abide.service",
        "abide.slice",
        "abide-upgrade.path",
        "abide-upgrade.service",
        "abide-resume.service",
    ] {
        assert!(once.contains(file), "{once}");
        run(Command::new("systemd-analyze").args(["--user", "--man=no", "verify"]).arg(units.join(file)))
            .ok();
    }
    home.abide(["install"]).ok();
    assert_eq!(tree(), once);
    let id = home.session(["sleep", "1000"]);
    let process = listed(&home, &id)["pid"].clone();
    home.abide(["uninstall"]).ok();
    assert_eq!(tree(), "", "no file is left");
    assert_eq!(property("abide.socket", "LoadState"), "not-found");
    assert_eq!(property(&unit_of(&id), "ActiveState"), "active", "sessions stay");
    assert_eq!(listed(&home, &id)["pid"], process, "and the next command finds them");
}

/// A service that exits after each answer would fail its socket under systemd's default limits.
#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn a_supervisor_that_leaves_again_and_again_never_fails_the_socket() {
    let home = installed();
    for call in 0..30 {
        home.abide(["ls"]).ok();
        home.abide(["daemon", "stop"]).ok();
        assert_eq!(property("abide.socket", "ActiveState"), "active", "after call {call}");
    }
    home.abide(["ls"]).ok();
}

/// Limits come by a drop-in for all sessions, as for any unit.
#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn limits_come_by_a_drop_in() {
    let home = installed();
    let folder = home.user_paths().config.with_file_name("systemd/user/abide-session-.service.d");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("mine.conf"), "[Service]\nTasksMax=77\n").expect("a drop-in");
    systemctl(&["daemon-reload"]).ok();
    let id = home.session(["sleep", "1000"]);
    assert_eq!(property(&unit_of(&id), "TasksMax"), "77");
    // And of one session alone, while it runs; a reload of the manager keeps it.
    let other = home.session(["sleep", "1000"]);
    systemctl(&["set-property", "--runtime", &unit_of(&id), "MemoryMax=100M", "CPUWeight=50"]).ok();
    systemctl(&["daemon-reload"]).ok();
    assert_eq!(property(&unit_of(&id), "MemoryMax"), "104857600");
    assert_eq!(property(&unit_of(&id), "CPUWeight"), "50");
    assert_eq!(property(&unit_of(&other), "MemoryMax"), "infinity");
    assert!(listed(&home, &id)["pid"].is_u64());
}

/// A terminal emulator's own scope goes when its window closes; sessions are not in it.
#[test]
#[ignore = "needs a user manager: e2e::under_systemd_alone runs it"]
fn the_end_of_the_scope_that_dispatched_ends_no_session() {
    let home = installed();
    let mut window = home.command("systemd-run");
    window.args(["--user", "--scope", "--quiet", "--unit=window"]).arg(program("abide"));
    window.args(["run", "--json", "--", "sleep", "1000"]);
    let id = run(&mut window).json()["id"].as_str().expect("an id").to_owned();
    // It may be gone with its last process already.
    _ = systemctl(&["stop", "window.scope"]);
    assert_eq!(property(&unit_of(&id), "ActiveState"), "active");
    assert!(listed(&home, &id)["pid"].is_u64());
}
