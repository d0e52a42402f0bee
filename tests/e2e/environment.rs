//! A session gets its client's environment, and nobody gets to see it.

use crate::support::{Home, Stage, run};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Variables of a session that dumps them, as lines.
fn variables(home: &Home) -> Vec<String> {
    let id = home.session(["env"]);
    home.abide(["wait", &id]).ok();
    let said = home.abide(["logs", &id, "--plain"]);
    said.ok().lines().map(|l| l.trim_end().to_owned()).collect()
}

#[test]
fn a_session_has_its_clients_variables_and_never_the_supervisors() {
    let mut home = Home::new();
    home.set("FLAVOUR", "of the first client");
    home.set("ONLY_THE_FIRST", "1");
    home.abide(["ls"]).ok();
    home.unset("ONLY_THE_FIRST");
    home.set("FLAVOUR", "of the second client");
    home.set("NOTIFY_SOCKET", "/nowhere");
    home.set("LISTEN_FDS", "3");
    let variables = variables(&home);
    let has = |start: &str| variables.iter().any(|v| v.starts_with(start));
    assert!(has("FLAVOUR=of the second client"), "{variables:?}");
    for foreign in [
        "ONLY_THE_FIRST=",
        "INVOCATION_ID=",
        "JOURNAL_STREAM=",
        "LISTEN_FDS=",
        "MANAGERPID=",
        "NOTIFY_SOCKET=",
        "SYSTEMD_EXEC_PID=",
    ] {
        assert!(!has(foreign), "{foreign} in {variables:?}");
    }
}

#[test]
fn a_respawn_has_the_environment_of_its_dispatch() {
    let mut home = Home::new();
    home.set("FLAVOUR", "first");
    let id = home.session(["sh", "-c", "echo flavour: $FLAVOUR"]);
    home.abide(["wait", &id]).ok();
    home.unset("FLAVOUR");
    home.kill_supervisor();
    home.abide(["respawn", &id]).ok();
    home.abide(["wait", &id]).ok();
    let said = home.abide(["logs", &id, "--plain"]);
    assert_eq!(said.ok().matches("flavour: first").count(), 2, "{said}");
}

#[test]
fn mask_limits_and_folder_are_the_clients() {
    let home = Home::new();
    home.abide(["ls"]).ok();
    let folder = home.path().join("a folder");
    std::fs::create_dir(&folder).expect("a folder");
    let mut client = home.abide_command(["run", "--json", "--", "sh", "-c", "umask; ulimit -Sn; pwd"]);
    client.current_dir(&folder);
    // SAFETY: two async-signal-safe calls.
    unsafe {
        client.pre_exec(|| {
            libc::umask(0o027);
            let limit = libc::rlimit { rlim_cur: 345, rlim_max: 567 };
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            Ok(())
        });
    }
    let id = run(&mut client).json()["id"].as_str().expect("an id").to_owned();
    home.abide(["wait", &id]).ok();
    let said = home.abide(["logs", &id, "--plain"]);
    let lines: Vec<_> = said.ok().lines().collect();
    assert_eq!(lines, ["0027", "345", folder.to_str().expect("UTF-8")]);
}

/// Nothing of a client's environment is on a disk, in a command line, in a unit's properties or in the journal.
#[test]
fn secrets_are_nowhere_but_in_the_session() {
    let mut home = Home::on_disk();
    let secret = format!("s3cret-{}", std::process::id());
    home.set("TOKEN", &secret);
    let id = home.session(["sh", "-c", "test -n \"$TOKEN\" && echo it has it; exec sleep 1000"]);
    crate::support::until("its output", || {
        home.abide(["logs", &id]).ok().contains("it has it").then_some(())
    });
    home.abide(["stop", "--grace", "0s", &id]).ok();
    home.abide(["respawn", &id]).ok();
    home.kill_supervisor();
    home.abide(["ls"]).ok();

    let mut files = 0;
    walk(home.path(), &mut |path, bytes| {
        files += 1;
        assert!(!contains(bytes, &secret), "{}", path.display());
    });
    assert!(files > 3, "only {files} files looked at");
    for pid in home.processes() {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!contains(&line, &secret), "a command line: {}", String::from_utf8_lossy(&line));
    }
    for pid in home.hosts().into_iter().chain(home.supervisor()) {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(!contains(&environment, &secret), "the environment of {pid}");
    }
    if Stage::current() == Stage::Systemd {
        for line in [
            &["systemctl", "--user", "show", "--all", "abide*"][..],
            &["systemctl", "--user", "show-environment"],
            &["journalctl", "--user", "--all", "--output=json", "--no-pager"],
        ] {
            let said = run(Command::new(line[0]).args(&line[1..]));
            assert!(!contains(said.ok().as_bytes(), &secret), "{line:?}");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Every regular file below, with its content.
fn walk(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            walk(&entry.path(), look);
        } else if kind.is_file() {
            // One that is gone meanwhile was a temporary one.
            if let Ok(bytes) = std::fs::read(entry.path()) {
                look(&entry.path(), &bytes);
            }
        }
    }
}
