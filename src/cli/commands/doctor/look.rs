//! Looking at what abide itself needs. Nothing is made or started, apart from programs that state their version.

use super::machine;
use crate::VERSION;
use crate::cli::commands::daemon::{Presence, presence};
use crate::cli::context::Cx;
use crate::client::control::{Control, Start};
use crate::core::action::Reply;
use crate::core::doctor::{Alone, Facts, Login, Program, Runtime, Service, State, Supervisor, Systemd, Unit};
use crate::core::event::Command;
use crate::core::guard::Layers;
use crate::paths::{Paths, Surroundings};
use crate::service::anchor;
use crate::service::logind::{self, Logind};
use crate::service::systemctl::Systemctl;
use crate::service::{Manager, program, unit};
use crate::sys::dirs::{self, Links};
use crate::sys::disk::Disk;
use crate::sys::locks;
use crate::sys::volatile;
use nix::unistd::{AccessFlags, access, geteuid};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything that can be found out about this machine.
pub(super) fn facts(cx: &Cx) -> Facts {
    let paths = &cx.paths;
    let surroundings = Surroundings::of_this_process();
    let manager = Manager::detect(paths);
    let systemctl = manager.runtime().map(Systemctl::new);
    // Whoever is asked about the system as a whole does not mind which runtime folder the question comes from.
    let system = systemctl.clone().unwrap_or_else(|| Systemctl::new(&paths.runtime));
    let supervisor = supervisor(paths);
    let guard = machine::guard(cx.settings().guard == Layers::Kernel, existing(&paths.state));
    Facts {
        version: VERSION.to_owned(),
        service: service(paths, &surroundings, &manager, systemctl.as_ref()),
        runtime: runtime(paths, &surroundings),
        state: state(paths, &supervisor),
        programs: ["abided", "abide-host"].map(one_program).to_vec(),
        supervisor,
        login: login(cx, &system),
        machine: machine::look(&system, systemctl.as_ref(), guard),
    }
}

fn service(
    paths: &Paths,
    surroundings: &Surroundings,
    manager: &Manager,
    systemctl: Option<&Systemctl>,
) -> Service {
    if let Some(systemctl) = systemctl {
        return Service::Systemd(Box::new(systemd(paths, surroundings, systemctl)));
    }
    if matches!(manager, Manager::Launchd(_)) {
        return Service::Launchd;
    }
    let chosen = paths.home.is_some() || surroundings.service.is_some();
    let there =
        Paths::manager_runtime(surroundings).is_some_and(|runtime| runtime.join("systemd/notify").exists());
    Service::Alone(match (chosen, there) {
        (true, _) => Alone::Chosen,
        (false, true) => Alone::OutOfReach,
        (false, false) => Alone::None,
    })
}

fn systemd(paths: &Paths, surroundings: &Surroundings, systemctl: &Systemctl) -> Systemd {
    let asked =
        ["LoadState", "ActiveState", "UnitFileState", "Result", "ExecMainStatus", "DropInPaths", "Listen"];
    let manager = systemctl.show("", &["Version"]);
    let (socket, service) = (systemctl.show(unit::SOCKET, &asked), systemctl.show(unit::SERVICE, &asked));
    let start = systemctl.show(unit::SERVICE, &["ExecStart"]).unwrap_or_default();
    let complaint = [manager.as_ref().err(), socket.as_ref().err(), service.as_ref().err()]
        .into_iter()
        .flatten()
        .next()
        .map(ToString::to_string);
    let (socket, service) = (socket.unwrap_or_default(), service.unwrap_or_default());
    let value = |from: &BTreeMap<String, String>, key: &str| from.get(key).cloned().unwrap_or_default();
    let listen = value(&socket, "Listen");
    let listens_here =
        listen.strip_suffix(" (Stream)").is_some_and(|at| Path::new(at) == paths.control_socket());
    // `{ path=/usr/bin/abided ; argv[]=… }`
    let start = value(&start, "ExecStart");
    let program = start.split("path=").nth(1).and_then(|rest| rest.split(" ;").next()).map(str::to_owned);
    let bus = Paths::manager_runtime(surroundings).is_some_and(|runtime| runtime.join("bus").exists());
    let of = |from: &BTreeMap<String, String>| Unit {
        load: value(from, "LoadState"),
        active: value(from, "ActiveState"),
        enabled: value(from, "UnitFileState"),
        result: value(from, "Result"),
        status: value(from, "ExecMainStatus"),
        drop_ins: value(from, "DropInPaths").split_whitespace().map(str::to_owned).collect(),
    };
    Systemd {
        version: manager.ok().and_then(|manager| manager.get("Version").cloned()),
        bus,
        complaint,
        socket: of(&socket),
        service: of(&service),
        program_found: program
            .as_ref()
            .is_none_or(|program| access(program.as_str(), AccessFlags::X_OK).is_ok()),
        program,
        // A home of its own is served by no installed socket.
        listens_here: listens_here || paths.home.is_some(),
    }
}

fn supervisor(paths: &Paths) -> Supervisor {
    match presence(paths) {
        Presence::Absent => Supervisor::Absent,
        Presence::Sleeping => Supervisor::Sleeping,
        Presence::Running => {
            match Control::connect(paths, Start::Never).and_then(|mut c| c.ask(Command::Daemon, None)) {
                Ok(Reply::Daemon { pid, version, live, .. }) => Supervisor::Running { pid, version, live },
                Ok(_) => Supervisor::Broken("its answer makes no sense".into()),
                // It left by itself in between.
                Err(_) if presence(paths) == Presence::Absent => Supervisor::Absent,
                Err(e) => Supervisor::Broken(e.to_string()),
            }
        }
    }
}

fn runtime(paths: &Paths, surroundings: &Surroundings) -> Runtime {
    let given = surroundings.runtime_dir.as_ref().map(PathBuf::from).filter(|_| paths.home.is_none());
    let there = paths.runtime.exists() || paths.runtime.is_symlink();
    let problem = match there {
        true => dirs::make_private_dir(&paths.runtime, Links::Refused).err().map(|e| e.to_string()),
        false => unwritable(&paths.runtime),
    };
    let possible = volatile::is_possible_in;
    Runtime {
        fallback: paths.home.is_none() && paths.runtime.starts_with("/tmp"),
        foreign: given
            .filter(|given| !given.is_absolute() || !dirs::is_private_dir(given))
            .map(|given| given.display().to_string()),
        orders: Some(possible(existing(&paths.runtime)) || possible(Path::new("/dev/shm"))),
        path: paths.runtime.display().to_string(),
        problem,
    }
}

fn state(paths: &Paths, supervisor: &Supervisor) -> State {
    let folder = &paths.state;
    let problem = match folder.exists() {
        true => dirs::make_private_dir(folder, Links::Followed)
            .err()
            .map(|e| e.to_string())
            .or_else(|| unwritable(folder)),
        false => unwritable(folder),
    };
    let disk = Disk::of(existing(folder)).ok();
    let ours = matches!(supervisor, Supervisor::Running { .. } | Supervisor::Broken(_));
    State {
        path: folder.display().to_string(),
        problem,
        remote: disk.as_ref().is_some_and(Disk::is_remote),
        free: disk.as_ref().map(|disk| disk.free),
        free_files: disk.as_ref().and_then(|disk| disk.free_files),
        file_system: disk.and_then(|disk| disk.file_system),
        elsewhere: (!ours && locks::is_held(&crate::roster::lock_of(paths)))
            .then(|| crate::roster::holder(paths)),
    }
}

/// The folder itself, or the deepest above it that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
}

/// Why nothing can be made in a folder, which may have to be made first.
fn unwritable(folder: &Path) -> Option<String> {
    let there = existing(folder);
    let error = access(there, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    Some(format!("{} cannot be written: {}", there.display(), error.desc()))
}

fn one_program(name: &'static str) -> Program {
    let path = program::find(name);
    let version = match &path {
        Ok(path) => machine::answer(path, &["--version"]).and_then(|said| {
            let version = said.trim().strip_prefix(name).map(|version| version.trim().to_owned());
            version.ok_or_else(|| "it does not state its version".to_owned())
        }),
        Err(_) => Err(String::new()),
    };
    let disk = path.as_ref().ok().and_then(|path| Disk::of(path).ok()).filter(Disk::is_remote);
    Program {
        name: name.into(),
        path: path.map(|path| path.display().to_string()).map_err(|e| e.to_string()),
        version,
        silent_on: disk.and_then(|disk| disk.file_system),
    }
}

fn login(cx: &Cx, system: &Systemctl) -> Login {
    let logind = Logind::of_this_user(system);
    let sudo = || std::env::var("SUDO_USER").ok().filter(|user| user != "root");
    Login {
        logind: logind.is_some(),
        lingers: logind.as_ref().map(Logind::lingers),
        kills: logind.as_ref().and_then(Logind::kills_processes),
        session: logind::login_session(),
        anchor_wanted: Some(cx.settings().anchor),
        anchor: anchor::running(&cx.paths),
        sudo: if geteuid().is_root() { sudo() } else { None },
    }
}
