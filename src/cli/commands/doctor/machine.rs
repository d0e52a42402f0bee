//! Looking at the machine around abide.

use crate::core::doctor::{Guard, Journal, Limits, Machine};
use crate::service::systemctl::Systemctl;
use crate::sys::confine;
use crate::sys::process::Process;
use crate::sys::spawn;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take to state its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an ended process may stay on the process table, where its new parent takes it off at all.
const REAPED: Duration = Duration::from_millis(500);

pub(super) fn look(system: &Systemctl, user: Option<&Systemctl>, guard: Guard) -> Machine {
    let reaper = user.is_none().then(adopter).flatten();
    Machine {
        container: container(),
        wsl: read("/proc/sys/kernel/osrelease")
            .is_some_and(|release| release.to_lowercase().contains("microsoft")),
        init: reaper.as_ref().map(|(name, _)| name.clone()),
        init_reaps: reaper.map(|(_, reaps)| reaps),
        unified_cgroups: unified_cgroups(),
        controllers: user.and_then(controllers),
        pressure: cfg!(target_os = "linux").then(|| read("/proc/pressure/memory").is_some()),
        oomd: system.ask_system("systemctl", &["is-active", "--quiet", "systemd-oomd.service"]).is_ok(),
        journal: journal(),
        limits: limits(),
        guard,
    }
}

/// Whether the kernel's layer of the write guard can be had, by trying it on a folder.
pub(super) fn guard(wanted: bool, folder: &Path) -> Guard {
    let forbids = [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
    ];
    let forbids = forbids.iter().find(|(key, off, _)| {
        let file = format!("/proc/sys/{}", key.replace('.', "/"));
        read(&file).is_some_and(|value| value.trim() == *off)
    });
    let problem = confine::probe(folder).err().map(|e| format!("no namespaces for it: {e}"));
    let includes = std::fs::read_dir("/etc/ssh/ssh_config.d").map(|mut files| files.next().is_some());
    Guard {
        wanted,
        forbidden: forbids.map(|(key, _, on)| format!("sysctl {key}={on}")),
        problem,
        by_root: nix::unistd::geteuid().is_root(),
        ssh_includes: includes.unwrap_or(false),
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn container() -> Option<String> {
    let named = read("/run/systemd/container").or_else(|| read("/run/host/container-manager"));
    let by_file = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).or_else(|| {
        by_file.iter().find(|(file, _)| Path::new(file).exists()).map(|(_, name)| (*name).to_owned())
    })
}

fn unified_cgroups() -> Option<bool> {
    let root = Path::new("/sys/fs/cgroup");
    root.is_dir().then(|| root.join("cgroup.controllers").exists())
}

fn controllers(user: &Systemctl) -> Option<Vec<String>> {
    let group = user.show("", &["ControlGroup"]).ok()?.remove("ControlGroup")?;
    let list = read(&format!("/sys/fs/cgroup{group}/cgroup.controllers"))?;
    Some(list.split_whitespace().map(str::to_owned).collect())
}

fn journal() -> Journal {
    let there = |path: &str| Path::new(path).exists();
    match (there("/run/systemd/journal/socket"), there("/var/log/journal")) {
        (false, _) => Journal::Absent,
        (true, false) => Journal::Volatile,
        (true, true) => Journal::Persistent,
    }
}

fn limits() -> Limits {
    let limited = |limit: u64| (limit != RLIM_INFINITY).then_some(limit);
    let files = getrlimit(Resource::RLIMIT_NOFILE).ok().and_then(|(_, hard)| limited(hard));
    #[cfg(target_os = "linux")]
    let processes = getrlimit(Resource::RLIMIT_NPROC).ok().and_then(|(soft, _)| limited(soft));
    // The system bounds them by a setting of its own there, which is no limit of this user's.
    #[cfg(not(target_os = "linux"))]
    let processes = None;
    Limits { files_hard: files, processes }
}

/// Who takes over processes whose parent is gone, as hosts are here, and whether it takes ended ones off the process
/// table. Found out by trying; none where that does not work.
fn adopter() -> Option<(String, bool)> {
    let (mut said, its_end) = std::io::pipe().ok()?;
    let (its_start, go) = std::io::pipe().ok()?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "echo $$; read -r go"]).stdin(its_start).stdout(its_end).stderr(Stdio::null());
    spawn::spawn_detached(&mut shell).ok()?;
    // Our copies of its ends go with the command.
    drop(shell);
    let mut number = [0; 16];
    let length = said.read(&mut number).ok()?;
    let pid: u32 = std::str::from_utf8(&number[..length]).ok()?.trim().parse().ok()?;
    let orphan = Process::of(pid).ok()?;
    let name = Process::of(orphan.parent).map_or_else(|_| "process 1".to_owned(), |adopter| adopter.name);
    drop(go);
    let end = Instant::now() + REAPED;
    loop {
        match Process::of(pid) {
            Ok(process) if process.start == orphan.start && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(process) => return Some((name, process.start != orphan.start)),
            Err(_) => return Some((name, true)),
        }
    }
}

/// What a program prints, unless it fails or takes too long.
///
/// # Errors
/// Why there is no answer, for people.
pub(super) fn answer(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|e| e.to_string())?;
    let mut out = child.stdout.take().ok_or("it has no output")?;
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        _ = send.send(out.read_to_string(&mut text).map(|_| text));
    });
    let said = receive.recv_timeout(PATIENCE);
    if said.is_err() {
        // It may have ended this very moment.
        _ = child.kill();
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    match said {
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
        Ok(_) if !status.success() => Err(format!("it failed ({status})")),
        Ok(said) => said.map_err(|e| e.to_string()),
    }
}
