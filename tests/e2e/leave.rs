//! Leaving an agent while attached parks its session; attaching, sending and peeking resume it.

use crate::support::{Home, Tty, until};

/// A home with an agent that tells how it was started, and leaves when it is told to.
fn home() -> Home {
    let home = Home::new();
    let program = home.path().join("user/toy");
    let script = "#!/bin/sh\necho \"started: $1\"\nprintf '\\033]7501;state=idle:app=toy\\033\\\\'\n\
                  while read line; do [ \"$line\" = /exit ] && exit 0; echo \"<$line>\"; done\n";
    std::fs::write(&program, script).expect("a program");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let folder = home.paths().config.join("agents.d");
    std::fs::create_dir_all(&folder).expect("a folder");
    let profile = format!(
        "program = '{}'\nstart = ['new', '{{id}}']\nprompt = ['{{prompt}}']\nresume = ['again', '{{id}}']\n",
        program.display()
    );
    std::fs::write(folder.join("toy.toml"), profile).expect("a profile");
    home
}

fn dispatched(home: &Home) -> String {
    let said = home.abide(["run", "--json", "--agent", "toy", "hello"]).json();
    said["id"].as_str().expect("an id").to_owned()
}

fn state(home: &Home, id: &str) -> String {
    home.abide(["show", "--json", id]).json()["abide"]["state"].as_str().expect("a state").to_owned()
}

/// Attaches, and comes back when that is known.
fn attached(home: &Home, id: &str, says: &str) -> Tty {
    let tty = home.tty(["attach", id], (100, 24));
    tty.see(says);
    until("attended", || {
        let session = home.abide(["show", "--json", id]).json();
        (session["abide"]["attended"] == true).then_some(())
    });
    tty
}

/// Attaches, and leaves the agent.
fn leave(home: &Home, id: &str, says: &str) {
    let tty = attached(home, id, says);
    tty.send("/exit\r");
    tty.see(&format!("parked: abide attach {id} resumes]"));
    tty.ok();
    assert_eq!(state(home, id), "parked");
}

#[test]
fn an_agent_that_was_left_goes_on_at_the_next_attach() {
    let home = home();
    let id = dispatched(&home);
    leave(&home, &id, "started: new");
    leave(&home, &id, "started: again");
    home.abide(["stop", &id]).ok();
    let tty = home.tty(["attach", &id], (100, 24));
    tty.see("abide respawn");
    assert_eq!((tty.wait().code(), state(&home, &id).as_str()), (Some(1), "stopped"));
}

#[test]
fn what_is_parked_is_resumed_to_be_typed_to_or_looked_at() {
    let home = home();
    let id = dispatched(&home);
    leave(&home, &id, "started: new");
    let last = home.abide(["peek", "--last", &id]);
    assert!(last.ok().contains("started: new"), "{last}");
    assert_eq!(state(&home, &id), "parked");
    home.abide(["send", &id, "go on"]).ok();
    let tty = attached(&home, &id, "<go on>");
    tty.send("/exit\r");
    tty.see("parked");
    tty.ok();
    let screen = home.abide(["peek", &id]);
    assert!(screen.ok().contains("started: again"), "{screen}");
    assert_ne!(state(&home, &id), "parked");
}

#[test]
fn whoever_wants_ends_to_be_ends_switches_it_off() {
    let home = home();
    std::fs::write(home.paths().config_file(), "park_on_leave = false\n").expect("settings");
    let id = dispatched(&home);
    let tty = attached(&home, &id, "started: new");
    tty.send("/exit\r");
    tty.see("ended: exited]");
    tty.ok();
    assert_eq!(state(&home, &id), "done");
}
