//! What is thought of each thing that was observed.

mod around;

use super::{Alone, Check, Facts, Service, Supervisor, Systemd, Verdict};

/// Free space below which records and logs are in danger, in bytes.
const SPACE_WARN: u64 = 256 << 20;
/// And below which hardly a record can be written.
const SPACE_FAIL: u64 = 4 << 20;
/// Files that a session needs: its folder, records, log segments, and some to spare.
const FILES_WARN: u64 = 1_000;

/// Judges everything that concerns this machine, in the order in which it is told.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![service(facts)];
    if let Service::Systemd(systemd) = &facts.service {
        checks.extend(units(systemd));
        checks.push(session_bus(systemd));
    }
    checks.push(supervisor(facts));
    checks.push(runtime(facts));
    checks.extend(orders(facts));
    checks.push(state(facts));
    checks.extend(space(facts));
    checks.extend(programs(facts));
    checks.extend(around::login(facts));
    checks.extend(around::machine(facts));
    checks
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Ok, found: found.into(), means: String::new(), todo: String::new() }
}

fn bad(
    verdict: Verdict,
    name: &'static str,
    found: impl Into<String>,
    means: impl Into<String>,
    todo: impl Into<String>,
) -> Check {
    Check { name, verdict, found: found.into(), means: means.into(), todo: todo.into() }
}

fn warn(
    name: &'static str,
    found: impl Into<String>,
    means: impl Into<String>,
    todo: impl Into<String>,
) -> Check {
    bad(Verdict::Warn, name, found, means, todo)
}

fn fail(
    name: &'static str,
    found: impl Into<String>,
    means: impl Into<String>,
    todo: impl Into<String>,
) -> Check {
    bad(Verdict::Fail, name, found, means, todo)
}

fn service(facts: &Facts) -> Check {
    const NAME: &str = "service manager";
    let machine = &facts.machine;
    match &facts.service {
        Service::Systemd(systemd) => match &systemd.complaint {
            Some(complaint) => fail(
                NAME,
                format!("systemd --user answers, and systemctl does not get through: {complaint}"),
                "the supervisor and its socket cannot be installed or mended",
                "see what `systemctl --user status` says",
            ),
            None => ok(
                NAME,
                format!("systemd {} --user", systemd.version.as_deref().unwrap_or("(of some version)")),
            ),
        },
        Service::Launchd => ok(NAME, "launchd"),
        Service::Alone(Alone::Chosen) => {
            ok(NAME, "none, as ABIDE_HOME or ABIDE_SERVICE says: commands start the supervisor")
        }
        Service::Alone(Alone::OutOfReach) => warn(
            NAME,
            "none that can be used: a user manager runs, and it sees other files than this process",
            "sessions are plain processes here, without limits or accounts of their own",
            "nothing, in a container; else start abide outside of it",
        ),
        Service::Alone(Alone::None) if machine.wsl => warn(
            NAME,
            "none: this is WSL without systemd",
            "sessions are plain processes, and end when WSL stops the machine with its last window",
            "put `systemd=true` under `[boot]` in /etc/wsl.conf, and run `wsl --shutdown`",
        ),
        Service::Alone(Alone::None) if facts.login.logind => warn(
            NAME,
            "none for you, though systemd runs this machine: this shell is part of no login of yours (su, sudo, cron)",
            "sessions are plain processes, and another runtime folder than your logins' is used",
            "log in (ssh, `machinectl shell`), or let your manager run always: abide install --linger yes",
        ),
        Service::Alone(Alone::None) => {
            ok(NAME, "none: commands start the supervisor, sessions are plain processes")
        }
    }
}

fn units(systemd: &Systemd) -> Vec<Check> {
    const UNITS: &str = "units";
    let (socket, service) = (&systemd.socket, &systemd.service);
    let mut checks = Vec::new();
    if systemd.complaint.is_some() {
        return checks;
    }
    if !socket.is_loaded() && !service.is_loaded() {
        let found = "not installed: commands start the supervisor on demand, as a transient unit";
        checks.push(ok(UNITS, found));
        return checks;
    }
    let reinstall = "abide install";
    checks.push(if !socket.is_loaded() || !service.is_loaded() {
        let missing = if socket.is_loaded() { "abide.service" } else { "abide.socket" };
        fail(UNITS, format!("{missing} is missing or cannot be read"), "the installed half is of no use", reinstall)
    } else if socket.active == "failed" {
        fail(
            UNITS,
            format!("abide.socket has failed ({})", socket.result),
            "nobody listens until it is started again; the next command tries",
            "systemctl --user reset-failed abide.socket abide.service; systemctl --user start abide.socket",
        )
    } else if service.active == "failed" {
        let because = if service.status == "203" {
            "its program cannot be executed: of another architecture, or not executable"
        } else {
            "see journalctl --user -u abide.service"
        };
        fail(
            UNITS,
            format!("abide.service has failed ({}, status {}): {because}", service.result, service.status),
            "no supervisor comes up; sessions that run live on",
            "put a working build in place, then: systemctl --user reset-failed abide.service",
        )
    } else if !systemd.listens_here {
        fail(
            UNITS,
            "abide.socket listens in another place than the one that commands connect to",
            "commands start a supervisor of their own, and the installed one serves nobody",
            "compare `systemctl --user show -p Listen abide.socket` with `abide daemon status`; then abide install",
        )
    } else if socket.active != "active" {
        warn(
            UNITS,
            format!("abide.socket is {}", socket.active),
            "nobody listens until the next command starts it",
            reinstall,
        )
    } else if !socket.enabled.starts_with("enabled") {
        warn(
            UNITS,
            format!("abide.socket is active and {}", said(&socket.enabled)),
            "it is gone after the next login",
            reinstall,
        )
    } else {
        let own = |drop_in: &&String| !drop_in.contains("/10-");
        let changed: Vec<&String> = socket.drop_ins.iter().chain(&service.drop_ins).filter(own).collect();
        let list = changed.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(", ");
        let changes = if list.is_empty() { list } else { format!(", changed by {list}") };
        ok(UNITS, format!("installed, enabled and listening{changes}"))
    });
    if let Some(program) = systemd.program.as_ref().filter(|_| !systemd.program_found) {
        checks.push(fail(
            "installed program",
            format!("{program}, which abide.service starts, is not there or cannot be executed"),
            "the supervisor cannot be started by its socket",
            reinstall,
        ));
    }
    checks
}

fn said(text: &str) -> &str {
    if text.is_empty() { "not enabled" } else { text }
}

fn session_bus(systemd: &Systemd) -> Check {
    if systemd.bus {
        ok("session bus", "there")
    } else {
        warn(
            "session bus",
            "none",
            "sessions are started by systemd-run, some ten milliseconds slower each",
            "install dbus-user-session (the package of Debian and Ubuntu), and log in again",
        )
    }
}

fn supervisor(facts: &Facts) -> Check {
    const NAME: &str = "supervisor";
    match &facts.supervisor {
        Supervisor::Absent => ok(NAME, "not running; the next command starts it"),
        Supervisor::Sleeping => ok(NAME, "not running; the service manager starts it at the first call"),
        Supervisor::Running { pid, version, live } if *version == facts.version => {
            ok(NAME, format!("running (process {pid}), version {version}, {live} live sessions"))
        }
        Supervisor::Running { pid, version, live } => warn(
            NAME,
            format!(
                "running (process {pid}), version {version}, {live} live sessions; installed is version {}",
                facts.version
            ),
            "an older or newer build does the work; sessions do not mind either",
            "abide daemon stop, and the next command starts the installed one",
        ),
        Supervisor::Broken(why) => fail(
            NAME,
            format!("one runs, and cannot be spoken to: {why}"),
            "sessions live on; only attach, logs and peek with a whole id work",
            "abide daemon logs tells why; abide daemon stop makes it leave",
        ),
    }
}

fn runtime(facts: &Facts) -> Check {
    const NAME: &str = "runtime folder";
    let (runtime, path) = (&facts.runtime, &facts.runtime.path);
    let foreign = runtime.foreign.as_ref();
    if let Some(problem) = &runtime.problem {
        return fail(
            NAME,
            problem.clone(),
            "there is no safe place for sockets",
            format!("make {path} yours and closed to others (0700), or set ABIDE_HOME"),
        );
    }
    match foreign {
        Some(variable) => warn(
            NAME,
            format!("{path}, since XDG_RUNTIME_DIR={variable} is not yours and closed to others"),
            "su and sudo leave such variables behind; it was not used",
            "unset XDG_RUNTIME_DIR, or log in as this user",
        ),
        None if runtime.fallback => warn(
            NAME,
            format!("{path}, since neither XDG_RUNTIME_DIR nor /run/user has one for you"),
            "a login elsewhere has another one and does not see these sessions; cleaners of /tmp may take it away",
            "log in by a way that gives you XDG_RUNTIME_DIR, or set ABIDE_HOME",
        ),
        None => ok(NAME, path.clone()),
    }
}

fn orders(facts: &Facts) -> Option<Check> {
    match facts.runtime.orders? {
        true => None,
        false => Some(fail(
            "start orders",
            "neither the runtime folder nor /dev/shm is in memory",
            "no session can be started: environments are never written to a disk",
            "mount a tmpfs at /dev/shm (docker: --shm-size; chroot: mount -t tmpfs tmpfs /dev/shm)",
        )),
    }
}

fn state(facts: &Facts) -> Check {
    const NAME: &str = "state folder";
    let (state, path) = (&facts.state, &facts.state.path);
    let file_system = state.file_system.as_deref().unwrap_or("unknown file system");
    if let Some(problem) = &state.problem {
        return fail(
            NAME,
            problem.clone(),
            "no record can be kept, so no session can be started",
            "set XDG_STATE_HOME or ABIDE_HOME to a folder of yours that can be written",
        );
    }
    if let Some(holder) = &state.elsewhere {
        return fail(
            NAME,
            format!("{path} is in use by {holder}"),
            "a second supervisor would spoil the first one's records: none starts",
            "use abide from there, or set ABIDE_HOME (or XDG_STATE_HOME) for records of this place",
        );
    }
    if state.remote {
        warn(
            NAME,
            format!("{path} on {file_system}, which other machines may use too"),
            "records and output take a network round trip; two machines cannot use it at a time",
            "set XDG_STATE_HOME to a folder of this machine's",
        )
    } else {
        ok(NAME, format!("{path} ({file_system})"))
    }
}

fn space(facts: &Facts) -> Option<Check> {
    const NAME: &str = "disk space";
    let (free, files) = (facts.state.free?, facts.state.free_files);
    let todo = "make room; `abide ls --all` and `abide rm` end what old sessions take";
    let megabytes = free >> 20;
    Some(if free < SPACE_FAIL || files.is_some_and(|files| files < 10) {
        let found = format!("{megabytes} MB and {} files are left", count(files));
        fail(NAME, found, "records cannot be written, so nothing can be started", todo)
    } else if free < SPACE_WARN || files.is_some_and(|files| files < FILES_WARN) {
        let found = format!("{megabytes} MB and {} files are left", count(files));
        warn(NAME, found, "logs of output will have gaps; sessions go on", todo)
    } else {
        ok(NAME, format!("{megabytes} MB free"))
    })
}

fn count(files: Option<u64>) -> String {
    files.map_or_else(|| "any number of".to_owned(), |files| files.to_string())
}

fn programs(facts: &Facts) -> Vec<Check> {
    const NAME: &str = "programs";
    let together = "install abide's programs together, of one version";
    let mut checks: Vec<Check> = Vec::new();
    for program in &facts.programs {
        let name = &program.name;
        let said = match (&program.path, &program.version) {
            (Err(looked), _) => format!("{name} is missing: {looked}"),
            (Ok(path), Err(why)) => format!("{path} cannot be run: {why}"),
            (Ok(path), Ok(version)) if *version != facts.version => {
                checks.push(warn(
                    NAME,
                    format!("{path} is version {version}, this is {}", facts.version),
                    "they may understand each other; nobody has tried this pair",
                    together,
                ));
                continue;
            }
            (Ok(_), Ok(_)) => continue,
        };
        checks.push(fail(NAME, said, "no supervisor or no session can be started", together));
    }
    if checks.is_empty() && !facts.programs.is_empty() {
        let folder =
            facts.programs.iter().find_map(|program| program.path.as_deref().ok()).unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or(folder, |(folder, _)| folder);
        checks.push(ok(NAME, format!("all of version {}, in {folder}", facts.version)));
    }
    let silent = facts.programs.iter().find_map(|program| program.silent_on.as_deref());
    if let Some(file_system) = silent {
        checks.push(warn(
            "file events",
            format!("the programs are on {file_system}, which tells of no changes made elsewhere"),
            "a new build may go unseen, and looking for one costs a wake-up a minute while a supervisor runs",
            "install abide on a disk of this machine, or run `abide daemon stop` after an upgrade",
        ));
    }
    checks
}
