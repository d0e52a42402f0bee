//! What somebody counts as: every way of starting a program that we know of, on real terminals, under real multiplexers
//! and in real sessions, asked with and without a supervisor.

mod ways;

use crate::support::{Fifo, Home, Stage, Tty, from_nowhere, must_be_nowhere, program, run, until};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use ways::{Is, Place, Way};

/// Ctrl-\, d
const DETACH: &str = "\x1cd";

#[test]
fn every_way_of_starting_is_known_by_the_kernels_evidence() {
    from_nowhere("e2e::classes::each_way_with_and_without_a_supervisor");
}

#[test]
fn a_dispatch_keeps_where_it_came_from() {
    from_nowhere("e2e::classes::dispatches_from_everywhere");
}

#[test]
fn who_watches_comes_and_goes_and_a_terminals_number_says_nothing() {
    from_nowhere("e2e::classes::attended_now_and_a_number_used_again");
}

/// A home with what the ways need, and a count of the answers.
struct World {
    home: Home,
    count: std::cell::Cell<u32>,
}

impl World {
    fn new() -> Self {
        must_be_nowhere();
        let mut home = Home::new();
        let ask = home.path().join("user/ask");
        // The answer appears whole, or not at all.
        let text = format!(
            "#!/bin/sh\nABIDE_HOME='{}' '{}' why --self --json >\"$1.part\" 2>\"$1.error\" && mv \"$1.part\" \"$1\"\n",
            home.path().display(),
            program("abide").display()
        );
        write_program(&ask, &text);
        home.set("ASK", &ask);
        write_program(&home.path().join("user/toy"), "#!/bin/sh\n\"$ASK\" \"$OUT\"\n");
        std::fs::write(home.path().join("user/Makefile"), "all:\n\t@\"$$ASK\" \"$$OUT\"\n").expect("a file");
        let profiles = home.paths().config.join("agents.d");
        std::fs::create_dir_all(&profiles).expect("a folder");
        let profile = "program = \"toy\"\nbackground = [\"--bg-host\"]\nshared = [\"serve\"]\n";
        std::fs::write(profiles.join("toy.toml"), profile).expect("a profile");
        Self { home, count: std::cell::Cell::new(0) }
    }

    /// A file that no answer is in yet.
    fn out(&self) -> PathBuf {
        self.count.set(self.count.get() + 1);
        self.home.path().join(format!("user/answer-{}", self.count.get()))
    }

    /// Starts it in that way; the answer, and the session in which it was asked.
    fn ask(&self, way: &Way, supervised: bool) -> (Value, Option<String>) {
        let out = self.out();
        match way.place {
            Place::Terminal => {
                let tty = self.type_in(way.line, &out);
                let said = answer(&out, way.name);
                drop(tty);
                (said, None)
            }
            Place::Nowhere => {
                let mut shell = self.home.command("sh");
                run(shell.env("OUT", &out).args(["-c", way.line]));
                (answer(&out, way.name), None)
            }
            Place::Session => {
                let (id, mut fifo) = self.session(way.line, &out);
                if !supervised {
                    self.home.abide(["daemon", "stop"]).ok();
                }
                fifo.tell("go");
                (answer(&out, way.name), Some(id))
            }
        }
    }

    /// An interactive shell on a terminal of its own, in which that was typed.
    fn type_in(&self, line: &str, out: &Path) -> Tty {
        let mut bash = self.home.command("bash");
        bash.args(["--norc", "--noprofile", "-i"]).env("OUT", out);
        let tty = Tty::spawn(bash, 80, 24);
        tty.send(format!("{line}\n"));
        tty
    }

    /// A session that runs this line each time that it is told to, and how to tell it.
    fn session(&self, line: &str, out: &Path) -> (String, Fifo) {
        let name = format!("fifo-{}", out.file_name().expect("a name").to_string_lossy());
        let fifo = Fifo::new(&self.home, &name);
        let script = format!("while read -r N; do {line}\ndone <'{}'", fifo.path().display());
        let mut command = self.home.abide_command(["run", "--json", "--", "sh", "-c", &script]);
        let said = run(command.env("OUT", out)).json();
        (said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned(), fifo)
    }
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn answer(out: &Path, what: &str) -> Value {
    let text = until(&format!("an answer to: {what}"), || std::fs::read_to_string(out).ok());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{what}: {e}: {text}"))
}

#[test]
#[ignore = "needs a place without a terminal above: another test runs it there"]
fn each_way_with_and_without_a_supervisor() {
    let mut wrong = Vec::new();
    for supervised in [true, false] {
        let world = World::new();
        if supervised {
            // One session, so that it stays.
            world.home.session(["sleep", "1000"]);
        }
        let ways: Vec<Way> = ways::all().into_iter().filter(|way| way.can_be_had(&world.home)).collect();
        assert!(ways.len() > 30, "a machine without most of what people use: {}", ways.len());
        for way in &ways {
            let (said, session) = world.ask(way, supervised);
            let by = if supervised { "supervisor" } else { "itself" };
            let expected = way.is.expected(session.as_deref(), supervised);
            let got = ["kind", "template", "attended", "row", "session"].map(|key| said[key].clone());
            if got != expected || said["by"] != by {
                wrong.push(format!("{} ({by}): {got:?} instead of {expected:?}: {said:#}", way.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs a place without a terminal above: another test runs it there"]
fn another_abides_session_is_a_background_session_to_this_one() {
    let (world, other) = (World::new(), Home::new());
    world.home.session(["sleep", "1000"]);
    let out = world.out();
    let ask = world.home.path().join("user/ask");
    let id = other.session([ask.as_os_str(), out.as_os_str()]);
    let said = answer(&out, "in another abide's session");
    let got = ["kind", "template", "attended", "row", "session"].map(|key| said[key].clone());
    assert_eq!(got, Is::Vendors.expected(None, true), "{id}: {said:#}");
}

#[test]
fn sessions_of_another_abide_are_not_taken_for_a_persons() {
    from_nowhere("e2e::classes::another_abides_session_is_a_background_session_to_this_one");
}

#[test]
#[ignore = "needs a place without a terminal above: another test runs it there"]
fn dispatches_from_everywhere() {
    let world = World::new();
    let abide = program("abide").display().to_string();
    let line = format!("'{abide}' run --json -- sleep 1000 >\"$OUT.part\" && mv \"$OUT.part\" \"$OUT\"");
    let why = |id: &str| world.home.abide(["why", id, "--json"]).json();
    let said = |explained: &Value| explained["class"]["dispatch"][0].as_str().unwrap_or_default().to_owned();
    let dispatched = |out: &Path| {
        let session = answer(out, "a dispatch");
        why(session["id"].as_str().unwrap_or_else(|| panic!("no id: {session}")))
    };
    // Forged variables and all: what it was dispatched from is the kernel's to say.
    let out = world.out();
    let (parent, mut fifo) = world.session(&format!("ABIDE_SESSION=00000001 {line}"), &out);
    fifo.tell("go");
    let child = dispatched(&out);
    assert_eq!(child["class"]["parent"], parent.as_str(), "{child:#}");
    assert!(said(&child).contains(&format!("inside of session {parent}")), "{child:#}");

    let out = world.out();
    let tty = world.type_in(&format!("ABIDE_SESSION={parent} {line}"), &out);
    let from_terminal = dispatched(&out);
    drop(tty);
    assert!(said(&from_terminal).contains("has a terminal"), "{from_terminal:#}");

    let out = world.out();
    run(world.home.command("sh").env("OUT", &out).args(["-c", &line]));
    let from_nowhere = dispatched(&out);
    assert!(said(&from_nowhere).contains("no terminal"), "{from_nowhere:#}");
    for session in [&child, &from_terminal, &from_nowhere] {
        let class = &session["class"];
        let is = (&class["kind"], &class["template"], &class["attended"]);
        assert_eq!(is, (&"bg".into(), &"bg".into(), &"no".into()), "{session:#}");
    }
    for session in [&from_terminal, &from_nowhere] {
        assert!(session["class"].get("parent").is_none(), "{session:#}");
    }
}

#[test]
#[ignore = "needs a place without a terminal above: another test runs it there"]
fn attended_now_and_a_number_used_again() {
    let world = World::new();
    let out = world.out();
    let (id, mut fifo) =
        world.session("\"$ASK\" \"$OUT.$N\"; readlink \"/proc/$$/fd/1\" >\"$OUT.tty\"", &out);
    let numbered = |n: u32| PathBuf::from(format!("{}.{n}", out.display()));
    let mut now = |n: u32| {
        fifo.tell(&n.to_string());
        answer(&numbered(n), "in a session")["attended"].clone()
    };
    let shown_as = |attended: bool| {
        until("an attach or a detach to be known", || {
            let session = world.home.abide(["show", &id, "--json"]).json();
            (session["abide"]["attended"] == attended).then_some(())
        });
    };
    assert_eq!(now(1), "no");
    let tty = world.home.tty(["attach", "--quiet", &id], (80, 24));
    shown_as(true);
    assert_eq!(now(2), "yes");
    tty.send(DETACH);
    tty.ok();
    shown_as(false);
    assert_eq!(now(3), "no");

    let device = until("its terminal", || {
        let device = std::fs::read_to_string(format!("{}.tty", out.display())).ok()?;
        device.trim().starts_with("/dev/").then(|| device.trim().to_owned())
    });
    world.home.abide(["stop", "--grace", "0s", &id]).ok();
    // The lowest free number comes next, unless somebody else was quicker.
    let mut held = Vec::new();
    for _ in 0..64 {
        let out = world.out();
        let tty = world.type_in("\"$ASK\" \"$OUT\"", &out);
        let is_it = tty.device() == device;
        let said = answer(&out, "on a terminal that was a session's");
        assert_eq!((&said["template"], &said["row"]), (&"foreground".into(), &3.into()), "{said:#}");
        held.push(tty);
        if is_it {
            return;
        }
    }
    eprintln!("{device} was never given again");
}

/// Whether there is this program.
fn exists(home: &Home, name: &str) -> bool {
    let mut look = home.command("sh");
    look.args(["-c", "command -v \"$0\" >/dev/null", name]);
    look.status().is_ok_and(|status| status.success())
}

/// Whether we are the machine's root, and not only a namespace's.
fn is_root() -> bool {
    let whole = std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295"));
    Stage::current() == Stage::Standalone && whole && nix::unistd::geteuid().is_root()
}

/// Whether this command line succeeds.
fn succeeds(line: &[&str]) -> bool {
    let [program, arguments @ ..] = line else { return false };
    Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
}
