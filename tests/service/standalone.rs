//! Without a service manager.

use crate::support::{Home, ended, run};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

/// The fields of `/proc/PID/stat` after the program's name: state, parent, process group, session, …
fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = text.rsplit_once(')').expect("a name");
    fields.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_host_is_nobodys_child_in_a_session_of_its_own() {
    let home = Home::new();
    home.session(["sleep", "1000"]);
    let (supervisor, hosts) = (home.supervisor().expect("one"), home.hosts());
    let [host] = hosts[..] else { panic!("{hosts:?}") };
    let (host, supervisor_stat) = (stat(host), stat(supervisor));
    let clients = [std::process::id().to_string(), supervisor.to_string()];
    assert!(!clients.contains(&host[1]), "the host's parent is a bystander: {host:?}");
    assert!(!clients.contains(&supervisor_stat[1]), "the supervisor's too: {supervisor_stat:?}");
    assert_ne!(host[3], supervisor_stat[3], "sessions");
    assert_ne!(host[2], supervisor_stat[2], "process groups");
}

#[test]
fn the_end_of_a_clients_terminal_reaches_neither_supervisor_nor_host() {
    let home = Home::new();
    // In a process group of its own, which is then killed as a closing terminal does.
    let mut client = home.abide_command(["run", "--", "sleep", "1000"]);
    let mut client =
        client.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("abide");
    let group = i32::try_from(client.id()).expect("a process id");
    assert!(client.wait().expect("wait").success());
    let (supervisor, hosts) = (home.supervisor(), home.hosts());
    // Nobody is left in that group, which is what this is about.
    let hangup =
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGHUP);
    assert_eq!(hangup, Err(nix::errno::Errno::ESRCH));
    assert!(supervisor.is_some() && hosts.len() == 1);
    assert_eq!((home.supervisor(), home.hosts()), (supervisor, hosts));
}

#[test]
fn of_twenty_first_commands_one_starts_the_supervisor() {
    let home = Home::new();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..20).map(|_| scope.spawn(|| run(&mut home.abide_command(["ls"])))).collect();
        for call in calls {
            call.join().expect("no panic").ok();
        }
    });
    let journal = home.abide(["events", "--json"]);
    assert_eq!(journal.ok().matches("supervisor-started").count(), 1, "{journal}");
}

#[test]
fn a_supervisor_that_cannot_start_says_why_to_the_client() {
    let home = Home::new();
    let births = home.paths().births_socket();
    std::fs::create_dir_all(births.join("in the way")).expect("mkdir");
    std::os::unix::fs::chown(&home.paths().runtime, None, None).expect("ours");
    for folder in [home.paths().runtime, births.clone()] {
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder, closed).expect("chmod");
    }
    let failed = home.abide(["ls"]);
    let said = failed.fails(5);
    assert!(said.contains("births.sock"), "{failed}");
    std::fs::remove_dir_all(births).expect("out of the way");
    home.abide(["ls"]).ok();
}

#[test]
fn a_runtime_folder_open_to_others_is_refused_with_what_to_do() {
    let home = Home::new();
    let runtime = home.paths().runtime;
    std::fs::create_dir_all(&runtime).expect("mkdir");
    std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("chmod");
    let failed = home.abide(["ls"]);
    assert!(!failed.status.success());
    assert!(failed.stderr.contains(&format!("chmod 700 {}", runtime.display())), "{failed}");
    assert_eq!(home.supervisor(), None);
}

#[test]
fn a_home_too_long_for_sockets_is_refused_before_anything_is_made() {
    let home = Home::new();
    let long = home.path().join("x".repeat(100));
    let failed = run(home.abide_command(["ls"]).env("ABIDE_HOME", &long));
    assert!(!failed.status.success());
    assert!(failed.stderr.contains("set ABIDE_HOME to a shorter path"), "{failed}");
    assert!(!long.exists());
}

#[test]
fn a_killed_host_leaves_no_zombie() {
    let home = Home::new();
    home.session(["sleep", "1000"]);
    let host = home.hosts()[0];
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(host).expect("a process id")),
        nix::sys::signal::Signal::SIGKILL,
    )
    .expect("kill");
    ended(host);
    let supervisor = home.supervisor().expect("one");
    let children = std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children"));
    assert_eq!(children.expect("readable"), "", "the supervisor has no children to bury");
}
