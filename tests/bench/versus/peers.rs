//! The programs that are compared, and how each is told to start, attach and end a session.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// One of them.
pub(crate) enum Peer {
    /// No session manager at all: the floor.
    Raw,
    /// abide, without a service manager.
    Abide(Abide),
    /// dtach.
    Dtach(PathBuf),
    /// tmux, with a server of its own.
    Tmux(String),
    /// shpool, with a daemon of its own.
    Shpool(Shpool),
}

/// abide with a home of its own.
pub(crate) struct Abide {
    home: PathBuf,
    ids: Mutex<Vec<(String, String)>>,
}

/// shpool and its daemon.
pub(crate) struct Shpool {
    program: PathBuf,
    socket: PathBuf,
    daemon: Mutex<Child>,
}

/// The path of this program, which also runs in the sessions.
pub(crate) fn me() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

impl Abide {
    /// In this folder.
    pub(crate) fn new(home: PathBuf) -> Self {
        std::fs::create_dir_all(&home).expect("a folder");
        Self { home, ids: Mutex::default() }
    }

    /// `abide ARGS`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(args).env("ABIDE_HOME", &self.home).env("ABIDE_SERVICE", "standalone");
        command
    }

    /// Its sessions' folder.
    pub(crate) fn jobs(&self) -> PathBuf {
        self.home.join("state/jobs")
    }

    /// The supervisor's process id.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        let out = self.command(&["daemon", "status", "--json"]).output().ok()?;
        serde_json::from_slice::<serde_json::Value>(&out.stdout).ok()?["pid"].as_u64()?.try_into().ok()
    }

    fn id(&self, name: &str) -> String {
        let ids = self.ids.lock().expect("lock");
        ids.iter().find(|(n, _)| n == name).expect("a started session").1.clone()
    }

    /// Ends all of it.
    pub(crate) fn end(&self) {
        run(&mut self.command(&["stop", "--all"]));
        run(&mut self.command(&["daemon", "stop"]));
    }
}

impl Peer {
    /// Those that this machine has.
    pub(crate) fn installed(scratch: &Path, without: &[&str]) -> Vec<Self> {
        let mut peers = vec![Self::Raw, Self::Abide(Abide::new(scratch.join("abide")))];
        if find("dtach").is_some() {
            peers.push(Self::Dtach(scratch.to_owned()));
        }
        if find("tmux").is_some() {
            let server = format!("abide-bench-{}", std::process::id());
            let server_options = [
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-s",
                "keep",
                "sh",
                ";",
                "set",
                "-g",
                "status",
                "off",
            ];
            run(Command::new("tmux").args(["-L", &server]).args(server_options));
            peers.push(Self::Tmux(server));
        }
        if let Some(program) = std::env::var_os("SHPOOL").map(PathBuf::from).or_else(|| find("shpool")) {
            let socket = scratch.join("shpool.socket");
            let config = scratch.join("shpool.toml");
            std::fs::write(&config, "prompt_prefix = \"\"\n").expect("a file");
            let daemon = Command::new(&program)
                .args(["--socket".as_ref(), socket.as_os_str(), "-c".as_ref(), config.as_os_str()])
                .arg("daemon")
                .env("XDG_RUNTIME_DIR", scratch)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("shpool starts");
            while !socket.exists() {
                std::thread::yield_now();
            }
            peers.push(Self::Shpool(Shpool { program, socket, daemon: Mutex::new(daemon) }));
        }
        for absent in ["dtach", "tmux", "shpool"] {
            if !peers.iter().any(|p| p.name() == absent) {
                println!("{absent} is not installed: left out");
            }
        }
        peers.retain(|p| !without.contains(&p.name()));
        peers
    }

    /// For tables.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Raw => "raw pty",
            Self::Abide(_) => "abide",
            Self::Dtach(_) => "dtach",
            Self::Tmux(_) => "tmux",
            Self::Shpool(_) => "shpool",
        }
    }

    /// The command that dispatches a detached session; `None` where there is no such thing.
    pub(crate) fn dispatch(&self, session: &str, what: &str) -> Option<Command> {
        let me = me();
        Some(match self {
            Self::Raw => return None,
            Self::Abide(abide) => {
                let mut c = abide.command(&["run", "--json", "-n", session, "--"]);
                c.arg(me).arg(what);
                c
            }
            Self::Dtach(folder) => {
                let mut c = Command::new("dtach");
                c.arg("-n")
                    .arg(folder.join(format!("{session}.dtach")))
                    .args(["-Ez", "-r", "none"])
                    .arg(me)
                    .arg(what);
                c
            }
            Self::Tmux(server) => {
                let mut c = Command::new("tmux");
                c.args(["-L", server, "new-session", "-d", "-s", session, "-x", "80", "-y", "24", "--"]);
                c.arg(me).arg(what);
                c
            }
            Self::Shpool(s) => {
                let mut c = s.command();
                c.args(["attach", "-b", "--cmd"]).arg(format!("{} {what}", me.display())).arg(session);
                c
            }
        })
    }

    /// Runs `dispatch` and keeps what attaching needs.
    pub(crate) fn start(&self, session: &str, what: &str) {
        let Some(mut command) = self.dispatch(session, what) else { return };
        let out = command.stdin(Stdio::null()).output().expect("the peer runs");
        assert!(out.status.success(), "{}: {}", self.name(), String::from_utf8_lossy(&out.stderr));
        if let Self::Abide(abide) = self {
            let said: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
            let id = said["id"].as_str().expect("an id").to_owned();
            abide.ids.lock().expect("lock").push((session.to_owned(), id));
        }
    }

    /// The command that attaches.
    pub(crate) fn attach(&self, session: &str) -> Command {
        match self {
            Self::Raw => {
                let mut c = Command::new(me());
                c.arg("__child");
                c
            }
            Self::Abide(abide) => abide.command(&["attach", &abide.id(session)]),
            Self::Dtach(folder) => {
                let mut c = Command::new("dtach");
                c.arg("-a").arg(folder.join(format!("{session}.dtach"))).args(["-Ez", "-r", "none"]);
                c
            }
            Self::Tmux(server) => {
                let mut c = Command::new("tmux");
                c.args(["-L", server, "attach", "-t", session]).env_remove("TMUX");
                c
            }
            Self::Shpool(s) => {
                let mut c = s.command();
                c.args(["attach", "-f", session]);
                c
            }
        }
    }

    /// The processes that hold sessions (not the programs in them), by what their command lines say.
    pub(crate) fn holders(&self) -> Vec<u32> {
        match self {
            Self::Raw => Vec::new(),
            Self::Abide(abide) => {
                let ids = abide.ids.lock().expect("lock");
                pids(|args| {
                    args.first().is_some_and(|a| a.ends_with("abide-host"))
                        && args.iter().any(|a| ids.iter().any(|(_, id)| id == a))
                })
            }
            Self::Dtach(folder) => {
                let folder = folder.display().to_string();
                pids(|args| {
                    args.first().is_some_and(|a| a == "dtach")
                        && args.iter().any(|a| a.starts_with(&folder))
                        && args.iter().any(|a| a == "-n")
                })
            }
            Self::Tmux(server) => {
                pids(|args| args.iter().any(|a| a == server) && args.iter().any(|a| a == "keep"))
            }
            Self::Shpool(s) => vec![s.daemon.lock().expect("lock").id()],
        }
    }

    /// Ends one session.
    pub(crate) fn stop(&self, session: &str) {
        match self {
            Self::Raw => {}
            Self::Abide(abide) => run(&mut abide.command(&["rm", &abide.id(session)])),
            Self::Dtach(folder) => {
                let socket = folder.join(format!("{session}.dtach")).display().to_string();
                for pid in pids(|args| args.contains(&socket)) {
                    signal(pid, nix::sys::signal::Signal::SIGTERM);
                }
            }
            Self::Tmux(server) => {
                run(Command::new("tmux").args(["-L", server, "kill-session", "-t", session]))
            }
            Self::Shpool(s) => run(s.command().args(["kill", session])),
        }
    }

    /// Ends all of it.
    pub(crate) fn end(&self) {
        match self {
            Self::Raw | Self::Dtach(_) => {}
            Self::Abide(abide) => abide.end(),
            Self::Tmux(server) => run(Command::new("tmux").args(["-L", server, "kill-server"])),
            Self::Shpool(s) => {
                let mut daemon = s.daemon.lock().expect("lock");
                _ = daemon.kill();
                _ = daemon.wait();
            }
        }
    }
}

impl Shpool {
    fn command(&self) -> Command {
        let mut c = Command::new(&self.program);
        c.arg("--socket").arg(&self.socket);
        c
    }
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
    // A process that is gone already is as good.
    _ = nix::sys::signal::kill(pid, signal);
}

fn run(command: &mut Command) {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    if !out.status.success() {
        eprintln!("{command:?}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|d| d.join(program)).find(|p| p.is_file())
}

fn pids(matches: impl Fn(&[String]) -> bool) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let args: Vec<String> =
            line.split(|&b| b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
        if matches(&args) {
            found.push(pid);
        }
    }
    found
}
