//! The end of everything: a process namespace with a boot id of its own stands for a machine. When it ends, the kernel
//! kills all that ran in it, as a power cut does, and what was kept in memory is gone.

use crate::support::{Home, Stage, signal, until};
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// One start of the machine.
struct Machine {
    holder: Child,
    init: u32,
}

impl Machine {
    /// Starts it, with this boot id; none without the rights that it takes.
    fn boot(home: &mut Home, boot_id: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || Stage::current() != Stage::Standalone {
            return None;
        }
        let file = home.path().join(boot_id);
        std::fs::write(&file, format!("{boot_id}\n")).expect("a boot id");
        let runtime = home.paths().runtime;
        std::fs::create_dir_all(&runtime).expect("a folder");
        let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && \
                      mount -t tmpfs -o mode=700 tmpfs \"$2\" && echo up && exec sleep 100000";
        let mut holder = Command::new("unshare");
        holder.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"]);
        holder.arg(&file).arg(&runtime);
        let mut holder = holder
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut said).expect("a word");
        assert_eq!(said, "up\n");
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let init: u32 = std::fs::read_to_string(children).expect("its child").trim().parse().expect("one");
        let target = init.to_string();
        home.go_through(["nsenter", "--target", &target, "--pid", "--mount", "--"]);
        Some(Self { holder, init })
    }

    /// Pulls the plug.
    fn end(mut self) {
        signal(self.init, Signal::SIGKILL);
        self.holder.wait().expect("unshare");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The test's end may have come first.
        _ = self.holder.kill();
        _ = self.holder.wait();
    }
}

fn session(home: &Home, name: &str, args: &[&str], argv: &[&str]) -> String {
    let line = ["run", "--json", "-n", name].into_iter().chain(args.iter().copied()).chain(["--"]);
    let said = home.abide(line.chain(argv.iter().copied())).json();
    said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned()
}

fn state(home: &Home, id: &str) -> String {
    let list = home.list();
    let found = list.iter().find(|s| s["id"] == id).unwrap_or_else(|| panic!("no {id} in {list:?}"));
    found["abide"]["state"].as_str().expect("a state").to_owned()
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn program(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a program");
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
}

/// An agent that notes how it was called, and can resume.
fn install_toy(home: &mut Home) {
    let programs = home.path().join("user/programs");
    std::fs::create_dir(&programs).expect("a folder");
    program(&programs.join("toy"), "#!/bin/sh\necho \"$@\" >>\"$HOME/toy.$1\"\nexec sleep 100000\n");
    let profiles = home.path().join("config/agents.d");
    std::fs::create_dir_all(&profiles).expect("a folder");
    let profile = "program = 'toy'\nstart = ['--id', '{id}']\nprompt = ['{prompt}']\n\
                   resume = ['--resume', '{id}']\nunguarded = ['--yolo']\n";
    std::fs::write(profiles.join("toy.toml"), profile).expect("a profile");
    for folder in [home.path().to_owned(), home.path().join("config"), profiles] {
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("chmod");
    }
    let path = std::env::var("PATH").expect("PATH");
    home.set("PATH", format!("{}:{path}", programs.display()));
}

#[test]
fn after_a_reboot_sessions_are_parked_or_come_back_and_no_prompt_is_given_twice() {
    let mut home = Home::on_disk();
    install_toy(&mut home);
    let Some(machine) = Machine::boot(&mut home, "first") else { return };
    let user = home.path().join("user");
    let run = "echo run >>\"$HOME/$0\"; exec sleep 100000";
    let shell = |name: &'static str| ["sh", "-c", run, name];
    home.set("KEPT_IN_MEMORY", "a-secret-value");
    let auto = session(&home, "auto", &["--restart", "auto"], &shell("auto"));
    let manual = session(&home, "manual", &[], &shell("manual"));
    let never = session(&home, "never", &["--restart", "never"], &shell("never"));
    let stopped = session(&home, "stopped", &["--restart", "auto"], &shell("stopped"));
    let needs = ["--restart", "auto", "--env", "KEPT_IN_MEMORY"];
    let needs = session(&home, "needs", &needs, &shell("needs"));
    let toy = session(&home, "toy", &["--restart", "auto", "--agent", "toy", "fix it"], &["one"]);
    let wild = session(&home, "wild", &["--restart", "auto", "--agent", "toy", "do it"], &["two", "--yolo"]);
    home.abide(["stop", &stopped]).ok();
    until("every first start", || {
        let files = ["auto", "manual", "never", "needs", "toy.one", "toy.two"];
        files.iter().all(|name| lines(&user.join(name)).len() == 1).then_some(())
    });
    machine.end();
    home.unset("KEPT_IN_MEMORY");
    // Like a service manager's: it does not lead to what users install for themselves.
    home.set("PATH", std::env::var("PATH").expect("PATH"));

    let machine = Machine::boot(&mut home, "second").expect("once more");
    home.abide(["wait", &auto, "--for", "working"]).ok();
    home.abide(["wait", &toy, "--for", "working", "--for", "idle"]).ok();
    until("both second starts", || {
        (lines(&user.join("auto")).len() == 2 && lines(&user.join("toy.one")).len() == 2).then_some(())
    });
    let calls = lines(&user.join("toy.one"));
    let id = calls[0].strip_prefix("one --id ").and_then(|rest| rest.strip_suffix(" fix it"));
    assert_eq!(calls[1], format!("one --resume {}", id.expect("the first call has the prompt")));
    let states = [&manual, &never, &stopped, &needs, &wild].map(|id| state(&home, id));
    assert_eq!(states, ["parked", "stopped", "stopped", "parked", "parked"]);
    for name in ["manual", "never", "stopped", "needs"] {
        assert_eq!(lines(&user.join(name)), ["run"], "{name}");
    }
    for (id, says) in [
        (&manual, "the machine was started anew, at 20"),
        (&needs, "it needs KEPT_IN_MEMORY,"),
        (&wild, "it skips permission checks (--yolo)"),
    ] {
        let why = home.abide(["why", id]);
        assert!(why.ok().contains(says), "{says}: {why}");
    }
    let listed = home.abide(["ls"]);
    assert!(listed.ok().contains("the machine was started anew"), "{listed}");
    let grep = Command::new("grep").arg("-r").arg("a-secret-value").arg(home.paths().state).output();
    assert_eq!(grep.expect("grep").stdout, b"", "values of variables are on no disk");

    // By hand, with what this caller has.
    let respawned = home.abide(["respawn", &needs]);
    respawned.ok();
    assert!(respawned.stderr.contains("KEPT_IN_MEMORY"), "{respawned}");
    until("the second start by hand", || (lines(&user.join("needs")).len() == 2).then_some(()));
    machine.end();
}

#[test]
fn what_lives_in_another_container_is_not_started_a_second_time() {
    let mut home = Home::on_disk();
    let Some(first) = Machine::boot(&mut home, "shared") else { return };
    let file = home.path().join("user/auto");
    let argv = ["sh", "-c", "echo run >>\"$HOME/auto\"; exec sleep 100000"];
    let id = session(&home, "auto", &["--restart", "auto"], &argv);
    until("the start", || (lines(&file).len() == 1).then_some(()));
    // While its supervisor lives, no other one may write the records; the host outlives it.
    home.kill_supervisor();
    // The same kernel and the same home, and a runtime folder and processes of its own.
    let second = Machine::boot(&mut home, "shared").expect("once more");
    assert_eq!(state(&home, &id), "parked");
    let why = home.abide(["why", &id]);
    assert!(why.ok().contains("it still runs where it cannot be reached"), "{why}");
    assert!(home.list()[0]["abide"]["restartAt"].is_null());
    first.end();
    second.end();
    // Now nothing of it is left, and it comes back.
    let third = Machine::boot(&mut home, "third").expect("once more");
    home.abide(["ls"]).ok();
    until("the second start", || (lines(&file).len() == 2).then_some(()));
    third.end();
}
