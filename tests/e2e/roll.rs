//! Sessions of agents whose own program is replaced while they run.

use crate::support::{Home, until};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// An agent that says which version it is and how it was called, and is idle until it is told otherwise.
struct Toy {
    home: Home,
    program: PathBuf,
}

impl Toy {
    fn installed() -> Self {
        let mut home = Home::new();
        let programs = home.path().join("user/programs");
        std::fs::create_dir(&programs).expect("a folder");
        let profiles = home.path().join("config/agents.d");
        std::fs::create_dir_all(&profiles).expect("a folder");
        let profile = "program = 'toy'\nstart = ['--id', '{uuid}']\nprompt = ['{prompt}']\nresume = ['--resume', '{uuid}']\n";
        std::fs::write(profiles.join("toy.toml"), profile).expect("a profile");
        for folder in [home.path().to_owned(), home.path().join("config"), profiles] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).expect("chmod");
        }
        let path = std::env::var("PATH").expect("PATH");
        home.set("PATH", format!("{}:{path}", programs.display()));
        let toy = Self { home, program: programs.join("toy") };
        toy.replace("1", "exec cat");
        toy
    }

    /// As updaters do: another file by the same name.
    fn replace(&self, version: &str, then: &str) {
        let text = format!(
            "#!/bin/sh\necho \"version {version} $1 for $KEPT\"\nprintf '\\033]7501;state=idle\\007'\n{then}\n"
        );
        let new = self.program.with_extension("new");
        std::fs::write(&new, text).expect("a program");
        std::fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).expect("chmod");
        std::fs::rename(new, &self.program).expect("rename");
    }

    fn run(&self, name: &str) -> String {
        let said = self.home.abide(["run", "--json", "--agent", "toy", "-n", name, "a prompt"]).json();
        let id = said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned();
        self.home.abide(["wait", &id, "--for", "idle"]).ok();
        id
    }

    /// How many sessions run a program that is gone.
    fn outdated(&self) -> u64 {
        // A look alone starts no supervisor.
        self.home.abide(["ls"]).ok();
        self.home.abide(["daemon", "status", "--json"]).json()["outdated"].as_u64().expect("a number")
    }

    fn log(&self, id: &str) -> Vec<String> {
        self.home.abide(["logs", "--plain", id]).ok().lines().map(str::to_owned).collect()
    }

    fn pids(&self) -> Vec<u64> {
        let list = self.home.list();
        list.iter().map(|s| s["pid"].as_u64().unwrap_or_else(|| panic!("no process: {s}"))).collect()
    }
}

#[test]
fn sessions_of_a_replaced_agent_are_named_and_rolled_one_first() {
    let mut toy = Toy::installed();
    toy.home.set("KEPT", "its-own");
    let ids = [toy.run("a"), toy.run("b")];
    let plain = toy.home.session(["sleep", "100000"]);
    toy.home.set("KEPT", "the-callers");
    let said = toy.home.abide(["respawn", "--all"]);
    assert!(said.ok().is_empty() && said.stderr.contains("the program that is installed now"), "{said}");
    toy.replace("2", "exec cat");
    until("word of the replacement", || (toy.outdated() == 2).then_some(()));
    let why = toy.home.abide(["why", &ids[0]]);
    assert!(why.ok().contains("was replaced since it was started"), "{why}");
    // Which of them run it is known to the next supervisor as well.
    toy.home.kill_supervisor();
    until("the same, of another supervisor", || (toy.outdated() == 2).then_some(()));
    let before = toy.pids();
    let said = toy.home.abide(["respawn", "--all"]);
    assert_eq!(said.ok().lines().filter(|l| l.starts_with("respawned · ")).count(), 2, "{said}");
    for id in &ids {
        let wanted = ["version 1 --id for its-own", "version 2 --resume for its-own"];
        until("the new version", || (toy.log(id) == wanted).then_some(()));
    }
    assert_eq!(toy.outdated(), 0);
    let after = toy.pids();
    assert_eq!(before.iter().filter(|pid| after.contains(pid)).count(), 1, "{plain} is no agent's");
    let events = toy.home.abide(["events", "--json"]);
    let starts: Vec<&str> =
        events.ok().lines().filter(|l| l.contains("\"started\"") && l.contains("respawn --all")).collect();
    assert_eq!(starts.len(), 2, "{events}");
}

#[test]
fn a_new_version_that_does_not_come_up_costs_one_session_its_process_and_no_more() {
    let toy = Toy::installed();
    let ids = [toy.run("a"), toy.run("b"), toy.run("c")];
    toy.replace("2", "exit 3");
    until("word of the replacement", || (toy.outdated() == 3).then_some(()));
    let said = toy.home.abide(["respawn", "--all"]);
    let error = said.fails(1);
    assert!(error.contains("stays as it is") && error.contains("did not come up with"), "{said}");
    let list = toy.home.list();
    let failed: Vec<_> = list.iter().filter(|s| s["abide"]["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{list:?}");
    let canary = failed[0]["id"].as_str().expect("an id");
    for id in ids.iter().filter(|id| id.as_str() != canary) {
        assert_eq!(toy.log(id), ["version 1 --id for "], "{id} runs as before");
    }
    // A good one heals all.
    toy.replace("3", "exec cat");
    toy.home.abide(["respawn", canary]).ok();
    until("the good one", || toy.log(canary).contains(&"version 3 --resume for ".to_owned()).then_some(()));
}

#[test]
fn when_idle_leaves_an_attached_session_until_its_terminal_has_gone() {
    let toy = Toy::installed();
    let id = toy.run("a");
    let tty = toy.home.tty(["attach", &id], (80, 24));
    tty.see("version 1");
    until("an attached one", || (toy.home.list()[0]["abide"]["attended"] == true).then_some(()));
    toy.replace("2", "exec cat");
    until("word of the replacement", || (toy.outdated() == 1).then_some(()));
    let said = toy.home.abide(["respawn", "--all", "--when-idle"]);
    assert!(said.ok().starts_with(&format!("when idle · {id}")), "{said}");
    let status = toy.home.abide(["daemon", "status"]);
    assert!(status.ok().contains("1 of them are started anew"), "{status}");
    // That it is wanted outlasts this supervisor.
    toy.home.kill_supervisor();
    assert_eq!(toy.log(&id), ["version 1 --id for "]);
    tty.send(b"\x1cd");
    tty.wait();
    let wanted = ["version 1 --id for ", "version 2 --resume for "];
    until("the new version", || (toy.log(&id) == wanted).then_some(()));
}
