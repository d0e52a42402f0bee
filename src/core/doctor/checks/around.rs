//! What is around abide: logins, and the machine.

use super::{fail, ok, warn};
use crate::core::doctor::{Check, Facts, Journal, Service};

/// Open files that the supervisor needs for some dozens of sessions and clients.
const OPEN_FILES_WARN: u64 = 512;
/// Processes that a few agents with their tools come to.
const PROCESSES_WARN: u64 = 256;

/// Logins, and what their end takes along.
pub(super) fn login(facts: &Facts) -> Vec<Check> {
    let login = &facts.login;
    let mut checks = Vec::new();
    if let Some(user) = &login.sudo {
        checks.push(warn(
            "user",
            format!("this is run by sudo, called by {user}"),
            "sessions and records are root's, not yours",
            "run abide as yourself; sessions may call sudo",
        ));
    }
    if !login.logind {
        return checks;
    }
    let managed = matches!(facts.service, Service::Systemd(_));
    match login.lingers {
        _ if !managed => {}
        None => checks.push(warn(
            "lingering",
            "logind does not say",
            "whether sessions outlive your last logout is unknown",
            "loginctl show-user --property=Linger",
        )),
        Some(true) => checks.push(ok("lingering", "on: your user manager outlives your logins")),
        Some(false) if login.anchor.is_some() && login.kills == Some(false) => {
            checks.push(ok("lingering", "off; an anchor keeps your login open while sessions run"))
        }
        Some(false) => checks.push(warn(
            "lingering",
            "off",
            "your user manager, and all sessions, end with your last logout",
            "abide install --linger yes",
        )),
    }
    let standalone_dies = !managed && login.session.is_some();
    match login.kills {
        Some(true) if standalone_dies || (managed && login.lingers == Some(false)) => checks.push(warn(
            "logind",
            "KillUserProcesses=yes: it ends whatever a login leaves behind",
            if standalone_dies {
                "sessions are part of this login, and end with it"
            } else {
                "an anchor would not keep your login open, and is not started"
            },
            "abide install --linger yes",
        )),
        Some(true) => checks.push(ok("logind", "KillUserProcesses=yes, which does not reach sessions")),
        Some(false) => checks.push(ok("logind", "leaves alone what a login leaves behind")),
        None => checks.push(warn(
            "logind",
            "it does not say whether it ends what a login leaves behind",
            "what a logout does is uncertain",
            "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager \
             KillUserProcesses",
        )),
    }
    if let Some(pid) = login.anchor {
        checks.push(ok("anchor", format!("process {pid}; it ends with the last session")));
    } else if managed && login.anchor_wanted == Some(true) && login.lingers == Some(false) {
        let todo = if login.session.is_none() {
            "run a session from a shell of a login (console, ssh): this one is no part of one"
        } else {
            "it is started with the next session that you start, unless KillUserProcesses=yes"
        };
        checks.push(warn("anchor", "wanted, and not there", "nothing keeps your login open", todo));
    }
    checks
}

/// The machine itself.
pub(super) fn machine(facts: &Facts) -> Vec<Check> {
    let machine = &facts.machine;
    let managed = matches!(facts.service, Service::Systemd(_));
    let mut checks = Vec::new();
    if let Some(container) = &machine.container {
        checks.push(ok("container", container.clone()));
    }
    if machine.init_reaps == Some(false) {
        checks.push(warn(
            "process 1",
            format!(
                "{} leaves ended processes on the process table",
                machine.init.as_deref().unwrap_or("it")
            ),
            "each ended session may leave an entry there until the container ends; nothing else comes of it",
            "start the container with an init (docker run --init)",
        ));
    }
    if managed {
        match (machine.unified_cgroups, &machine.controllers) {
            (Some(false), _) => checks.push(warn(
                "control groups",
                "the older hierarchy (version 1) is in use",
                "limits of memory do not work for sessions, nor can memory be accounted",
                "start the machine with systemd.unified_cgroup_hierarchy=1",
            )),
            (Some(true), Some(there)) if there.iter().any(|controller| controller == "memory") => {
                checks.push(ok("control groups", format!("version 2, with {}", there.join(", "))));
            }
            (Some(true), Some(_)) => checks.push(warn(
                "control groups",
                "version 2, and your manager may not use the memory controller",
                "MemoryMax= and its like have no effect on sessions",
                "see Delegate= of user@.service, and whether the kernel has the controller",
            )),
            (Some(true) | None, None) | (None, Some(_)) => {}
        }
    }
    match machine.pressure {
        Some(true) => checks.push(ok("memory pressure", "the kernel tells of it (PSI)")),
        Some(false) => checks.push(warn(
            "memory pressure",
            "the kernel does not tell of it (no PSI)",
            "only free memory is left to go by",
            "start the machine with psi=1, where the kernel has it",
        )),
        None => {}
    }
    match (managed, machine.journal) {
        (true, Journal::Absent) => checks.push(warn(
            "journal",
            "there is none",
            "what the supervisor did is in abided.log of the state folder only",
            "none, if that is enough",
        )),
        (true, Journal::Volatile) => checks.push(warn(
            "journal",
            "in memory only",
            "what the supervisor did before a reboot is lost with it; sessions' output is not",
            "Storage=persistent in journald.conf",
        )),
        (true, Journal::Persistent) => checks.push(ok("journal", "on a disk")),
        (false, Journal::Absent | Journal::Volatile | Journal::Persistent) => {}
    }
    checks.push(limits(facts));
    checks.extend(guard(facts));
    checks
}

/// Nothing where it is neither wanted nor to be had.
fn guard(facts: &Facts) -> Option<Check> {
    const NAME: &str = "write guard";
    let guard = &facts.machine.guard;
    match (&guard.problem, guard.wanted) {
        (Some(problem), true) => {
            let todo = match &guard.forbidden {
                Some(off) => format!("{off}, as root; or guard = \"hooks\""),
                None => "guard = \"hooks\"".to_owned(),
            };
            let means = "sessions in linked worktrees do not start";
            Some(fail(NAME, format!("guard = \"kernel\" cannot be had: {problem}"), means, todo))
        }
        (Some(_), false) => None,
        (None, true) if !guard.by_root && guard.ssh_includes => Some(warn(
            NAME,
            "by the kernel, in a user namespace; sudo does not work there, nor changing a file's group",
            "ssh may refuse the files of /etc/ssh/ssh_config.d there, since they seem to be nobody's: git push, too",
            "GIT_SSH_COMMAND=\"ssh -F ~/.ssh/config\" for sessions, where that is so",
        )),
        (None, true) if !guard.by_root => Some(ok(
            NAME,
            "by the kernel, in a user namespace; sudo does not work there, nor changing a file's group",
        )),
        (None, true) => Some(ok(NAME, "by the kernel")),
        (None, false) => Some(ok(NAME, "by agents' hooks; guard = \"kernel\" can be had")),
    }
}

fn limits(facts: &Facts) -> Check {
    let limits = facts.machine.limits;
    let few = |limit: Option<u64>, least| limit.is_some_and(|limit| limit < least);
    let show = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let found = format!("{} open files, {} processes", show(limits.files_hard), show(limits.processes));
    if few(limits.files_hard, OPEN_FILES_WARN) || few(limits.processes, PROCESSES_WARN) {
        warn(
            "limits",
            found,
            "some dozens of sessions are more than that allows",
            "ulimit -H -n 4096; ulimit -u 4096",
        )
    } else {
        ok("limits", found)
    }
}
