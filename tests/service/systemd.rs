//! Under a real user manager, with the usual folders. Each of these has a manager, and a home, to itself.

use crate::support::{Output, program, run, until};
use std::path::PathBuf;
use std::process::Command;

fn systemctl(args: &[&str]) -> Output {
    run(Command::new("systemctl").arg("--user").args(args))
}

fn abide(args: &[&str]) -> Output {
    run(Command::new(program("abide")).args(args))
}

/// A unit's state, or the word for none.
fn state(unit: &str) -> String {
    systemctl(&["is-active", unit]).stdout.trim().to_owned()
}

fn property(unit: &str, name: &str) -> String {
    systemctl(&["show", "--value", &format!("--property={name}"), unit]).ok().trim().to_owned()
}

/// A session of `sleep 1000`: its id and its unit.
fn session() -> (String, String) {
    let said = abide(&["run", "--json", "--", "sleep", "1000"]).json();
    let id = said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned();
    let unit = format!("abide-session-{id}.service");
    (id, unit)
}

fn runtime() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR").expect("the stage has one").into()
}

fn state_of(id: &str) -> String {
    let list = abide(&["ls", "--json", "--all"]).json();
    let found = list.as_array().expect("an array").iter().find(|session| session["id"] == *id).cloned();
    found.unwrap_or_else(|| panic!("{id} is not in {list}"))["state"].as_str().expect("a state").to_owned()
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn installed_the_first_call_activates_and_no_end_of_the_service_ends_a_session() {
    abide(&["install"]).ok();
    assert_eq!((state("abide.socket"), state("abide.service")), ("active".into(), "inactive".into()));
    abide(&["ls"]).ok();
    assert_eq!(state("abide.service"), "active");
    let (id, unit) = session();
    let host = property(&unit, "MainPID");
    assert_eq!(property(&unit, "Slice"), "abide.slice");
    assert_eq!(property("abide.service", "Slice"), "app.slice");
    for end in [&["kill", "--signal=KILL"][..], &["restart"], &["stop"]] {
        let mut arguments = end.to_vec();
        arguments.push("abide.service");
        systemctl(&arguments).ok();
        assert_eq!(state_of(&id), "working", "after {end:?}");
        assert_eq!(property(&unit, "MainPID"), host, "after {end:?}");
    }
    abide(&["daemon", "stop"]).ok();
    assert_eq!(property(&unit, "MainPID"), host);
    assert_eq!(state_of(&id), "working");
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn stopping_a_sessions_unit_stops_it_and_the_slice_refuses() {
    abide(&["install"]).ok();
    let ((first, first_unit), (second, second_unit)) = (session(), session());
    let refused = systemctl(&["stop", "abide.slice"]);
    assert!(!refused.status.success(), "{refused}");
    assert_eq!((state(&first_unit), state(&second_unit)), ("active".into(), "active".into()));
    systemctl(&["stop", &first_unit]).ok();
    until("the stopped session", || (state_of(&first) == "stopped").then_some(()));
    assert_eq!(state_of(&second), "working");
    assert_eq!(property(&first_unit, "LoadState"), "not-found", "an ended session leaves no unit");
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn uninstalled_one_of_many_first_calls_starts_the_supervisor_and_an_installation_takes_over() {
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..20).map(|_| scope.spawn(|| abide(&["ls"]))).collect();
        for call in calls {
            call.join().expect("no panic").ok();
        }
    });
    assert_eq!(abide(&["events", "--json"]).ok().matches("supervisor-started").count(), 1);
    assert_eq!(state("abide-ondemand.service"), "active");
    let (id, unit) = session();
    let host = property(&unit, "MainPID");
    abide(&["install"]).ok();
    assert_eq!(state("abide-ondemand.service"), "inactive");
    assert_eq!(state("abide.service"), "active", "it watches the session");
    assert_eq!(state_of(&id), "working");
    assert_eq!(property(&unit, "MainPID"), host);
    let again = abide(&["install"]);
    assert!(again.ok().contains("nothing to do"), "{again}");
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn a_supervisor_on_demand_is_started_again_after_a_crash() {
    let (id, _) = session();
    let crashed = property("abide-ondemand.service", "MainPID");
    systemctl(&["kill", "--signal=KILL", "abide-ondemand.service"]).ok();
    // By whichever comes first: the manager, or this call.
    assert_eq!(state_of(&id), "working");
    assert_ne!(property("abide-ondemand.service", "MainPID"), crashed);
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn a_supervisor_that_is_called_and_leaves_fifty_times_never_fails_its_socket() {
    abide(&["install"]).ok();
    for _ in 0..50 {
        abide(&["ls"]).ok();
        abide(&["daemon", "stop"]).ok();
    }
    assert_eq!(state("abide.socket"), "active");
    abide(&["ls"]).ok();
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn a_socket_that_was_removed_or_stopped_is_listened_on_again() {
    abide(&["install"]).ok();
    let (id, _) = session();
    std::fs::remove_file(runtime().join("abide/abide.sock")).expect("a cleaner");
    assert_eq!(state_of(&id), "working");
    systemctl(&["stop", "abide.socket"]).ok();
    assert_eq!(state_of(&id), "working");
    assert_eq!(state("abide.socket"), "active");
    assert_eq!(state("abide-ondemand.service"), "inactive");
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn an_uninstallation_leaves_nothing_and_ends_nothing() {
    let config = PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".config");
    let dry = abide(&["install", "--dry-run"]);
    assert!(dry.ok().contains("ListenStream=%t/abide/abide.sock"), "{dry}");
    assert!(!config.join("systemd").exists(), "a dry run writes nothing");
    abide(&["install"]).ok();
    let (id, unit) = session();
    let host = property(&unit, "MainPID");
    abide(&["uninstall"]).ok();
    assert!(!config.join("systemd").exists());
    let units = systemctl(&["list-unit-files", "--no-legend", "abide.*"]);
    assert_eq!(units.stdout, "", "{units}");
    assert_eq!(property(&unit, "MainPID"), host);
    assert_eq!(state_of(&id), "working", "found by a supervisor on demand");
    assert!(abide(&["uninstall"]).ok().contains("nothing"));
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn without_a_session_bus_hosts_are_units_all_the_same() {
    systemctl(&["stop", "dbus.socket", "dbus.service"]);
    _ = std::fs::remove_file(runtime().join("bus"));
    let (id, unit) = session();
    assert_eq!((state(&unit), property(&unit, "Slice")), ("active".into(), "abide.slice".into()));
    for (name, value) in
        [("KillMode", "mixed"), ("OOMPolicy", "continue"), ("SendSIGHUP", "yes"), ("UMask", "0077")]
    {
        assert_eq!(property(&unit, name), value, "{name}");
    }
    abide(&["stop", &id]).ok();
    until("the unit's end", || (property(&unit, "LoadState") == "not-found").then_some(()));
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn a_unit_tells_nothing_of_its_client_and_takes_the_users_drop_ins() {
    abide(&["install"]).ok();
    let home = PathBuf::from(std::env::var_os("HOME").expect("HOME"));
    let drop_ins = home.join(".config/systemd/user/abide-session-.service.d");
    std::fs::write(drop_ins.join("50-mine.conf"), "[Service]\nTasksMax=77\n").expect("write");
    systemctl(&["daemon-reload"]).ok();
    let said = run(Command::new(program("abide"))
        .args(["run", "--json", "--", "sleep", "1000"])
        .env("SECRET_TOKEN", "open-sesame"))
    .json();
    let unit = format!("abide-session-{}.service", said["id"].as_str().expect("an id"));
    let shown = systemctl(&["show", &unit]);
    assert!(!shown.ok().contains("open-sesame") && !shown.ok().contains("SECRET_TOKEN"), "{shown}");
    assert_eq!(property(&unit, "TasksMax"), "77");
    assert_eq!(property(&unit, "MemoryAccounting"), "yes");
    assert_eq!(property(&unit, "CollectMode"), "inactive-or-failed");
    assert_eq!(property(&unit, "Type"), "exec");
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn the_units_pass_the_linter() {
    abide(&["install"]).ok();
    let folder = PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".config/systemd/user");
    let units =
        ["abide.socket", "abide.service", "abide.slice", "abide-upgrade.path", "abide-upgrade.service"];
    let units = units.map(|unit| folder.join(unit));
    let linted = run(Command::new("systemd-analyze").args(["--user", "--man=no", "verify"]).args(units));
    linted.ok();
    assert_eq!(linted.stderr, "", "{linted}");
}

/// The manager ends, as it does at a last logout and at a shutdown, and another one is started in its place, as at the
/// next login: in the same control group, by the same user.
fn log_out_and_in() -> std::process::Child {
    let unit = |line: &str| line.split("::").nth(1).map(str::to_owned);
    let own = std::fs::read_to_string("/proc/self/cgroup").expect("a cgroup");
    let own = unit(own.lines().last().expect("a line")).expect("the unified hierarchy");
    let user = own.rsplit_once('/').expect("a session's scope").0.to_owned();
    let uid = user.rsplit_once('-').and_then(|(_, end)| end.strip_suffix(".slice")).expect("a user's slice");
    let group = format!("/sys/fs/cgroup{user}/user@{uid}.service");
    systemctl(&["exit"]).ok();
    until("the end of the manager", || {
        let list = std::fs::read_dir("/proc").expect("/proc").flatten();
        let mut names = list.filter_map(|e| std::fs::read_to_string(e.path().join("comm")).ok());
        (!names.any(|name| name.trim() == "systemd")).then_some(())
    });
    let script = "echo $$ >\"$0/cgroup.procs\" && exec setsid /lib/systemd/systemd --user";
    let mut login = Command::new("sh");
    login.args(["-c", script, &group]).stdin(std::process::Stdio::null());
    let login = login.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
    let login = login.expect("another manager");
    until("the next manager", || {
        (systemctl(&["is-system-running"]).stdout.trim() == "running").then_some(())
    });
    login
}

#[test]
#[ignore = "needs a user manager: service::under_systemd_alone runs it"]
fn a_stopped_unit_stays_stopped_and_the_end_of_the_manager_parks_and_brings_back() {
    abide(&["install"]).ok();
    let run = |args: &[&str]| {
        let said = abide(&[&["run", "--json"], args, &["--", "sleep", "1000"]].concat()).json();
        said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned()
    };
    let (manual, auto, stopped) = (run(&[]), run(&["--restart", "auto"]), run(&["--restart", "auto"]));
    systemctl(&["stop", &format!("abide-session-{stopped}.service")]).ok();
    until("the stopped session", || (state_of(&stopped) == "stopped").then_some(()));
    let mut login = log_out_and_in();
    // Nobody called us since: the session comes back with the login.
    let unit = format!("abide-session-{auto}.service");
    until("the session that comes back", || (state(&unit) == "active").then_some(()));
    assert_eq!(state_of(&auto), "working");
    assert_eq!(state_of(&stopped), "stopped");
    let list = abide(&["ls", "--json", "--all"]).json();
    let found = list.as_array().expect("an array").iter().find(|s| s["id"] == *manual).expect("listed");
    assert_eq!(found["abide"]["state"], "parked");
    assert_eq!(found["abide"]["exit"]["cause"], "manager-stopping", "its host asked the manager");
    let why = abide(&["why", &manual]);
    assert!(why.ok().contains("the service manager went down"), "{why}");
    // With nothing left to come back the next login starts nothing.
    abide(&["stop", &auto]).ok();
    abide(&["daemon", "stop"]).ok();
    assert_eq!(systemctl(&["start", "abide-resume.service"]).status.code(), Some(0));
    assert_eq!(state("abide.service"), "inactive");
    systemctl(&["exit"]).ok();
    login.wait().expect("the second manager");
}
