//! An abide of a test's own: its folders, its environment, and the end of everything that it started.

use super::{Stage, Tty, process, program};
use nix::sys::signal::Signal;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Marks every process of a home: the client's environment is the session's. Without `ABIDE_` in front, which sessions do
/// not get.
const MARK: &str = "TEST_HOME_OF_ABIDE";

/// See the module.
pub(crate) struct Home {
    root: tempfile::TempDir,
    env: Vec<(OsString, OsString)>,
    through: Vec<OsString>,
    of_the_user: bool,
}

impl Home {
    /// A fresh one, on tmpfs where that can be had: quick, and its socket paths are short.
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        Self::below(if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() })
    }

    /// A fresh one on a disk, as users have it.
    pub(crate) fn on_disk() -> Self {
        Self::below(std::env::temp_dir())
    }

    /// The user's own, in the usual folders: where a service can be installed. One in a user manager at most.
    pub(crate) fn of_the_user() -> Self {
        assert_eq!(Stage::current(), Stage::Systemd, "never the folders of whoever runs the tests");
        let mut home = Self::new();
        home.unset("ABIDE_HOME");
        let own = std::env::var_os("HOME").expect("HOME");
        home.set("HOME", own);
        home.of_the_user = true;
        home
    }

    pub(crate) fn below(folder: PathBuf) -> Self {
        let root =
            tempfile::Builder::new().prefix("abide-t-").tempdir_in(folder).expect("a temporary folder");
        std::fs::create_dir(root.path().join("user")).expect("a home folder");
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        let mut set = |name: &str, value: &OsStr| env.push((name.into(), value.into()));
        set("ABIDE_HOME", root.path().as_os_str());
        set(MARK, root.path().as_os_str());
        set("HOME", root.path().join("user").as_os_str());
        set("LANG", "C.UTF-8".as_ref());
        set("SHELL", "/bin/sh".as_ref());
        set("TERM", "xterm-256color".as_ref());
        let mut kept = vec!["PATH", "USER", "LOGNAME"];
        match Stage::current() {
            Stage::Standalone => set("ABIDE_SERVICE", "standalone".as_ref()),
            Stage::Systemd => {
                // Without it a home stands by itself, whoever manages the user's services.
                set("ABIDE_SERVICE", "systemd".as_ref());
                kept.extend(["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"]);
            }
        }
        for name in kept {
            if let Some(value) = std::env::var_os(name) {
                set(name, &value);
            }
        }
        Self { root, env, through: Vec::new(), of_the_user: false }
    }

    /// Starts every program by this command line from now on: `nsenter …` into namespaces, say.
    pub(crate) fn go_through<S: Into<OsString>>(&mut self, command_line: impl IntoIterator<Item = S>) {
        self.through = command_line.into_iter().map(Into::into).collect();
    }

    /// Sets a variable of its clients, from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.unset(name);
        self.env.push((name.into(), value.as_ref().into()));
    }

    /// Takes a variable from its clients, from now on.
    pub(crate) fn unset(&mut self, name: &str) {
        self.env.retain(|(n, _)| n != name);
    }

    /// The folder under which everything of it is.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Its folders as the programs see them.
    pub(crate) fn paths(&self) -> abide::paths::Paths {
        let root = self.path();
        abide::paths::Paths {
            runtime: root.join("run"),
            state: root.join("state"),
            config: root.join("config"),
            home: Some(root.to_owned()),
        }
    }

    /// Its folders where [`Home::of_the_user`] has them.
    pub(crate) fn user_paths(&self) -> abide::paths::Paths {
        let own = |name: &str| PathBuf::from(std::env::var_os(name).expect("set"));
        abide::paths::Paths {
            runtime: own("XDG_RUNTIME_DIR").join("abide"),
            state: own("HOME").join(".local/state/abide"),
            config: own("HOME").join(".config/abide"),
            home: None,
        }
    }

    /// A program with its environment, and nothing of this process's.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut line = self.through.iter().map(AsRef::as_ref).chain([program.as_ref()]);
        let mut command = Command::new(line.next().expect("a program"));
        command.args(line);
        command.env_clear().envs(self.env.iter().map(|(n, v)| (n, v))).current_dir(self.path().join("user"));
        command
    }

    /// `abide ARGS`, not started yet.
    pub(crate) fn abide_command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(program("abide"));
        command.args(args);
        command
    }

    /// Runs `abide ARGS` to its end.
    pub(crate) fn abide<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        process::run(&mut self.abide_command(args))
    }

    /// Starts `abide ARGS` on a terminal.
    pub(crate) fn tty<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        (cols, rows): (u16, u16),
    ) -> Tty {
        Tty::spawn(self.abide_command(args), cols, rows)
    }

    /// Makes a session of this command line and returns its id.
    pub(crate) fn session<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> String {
        let mut args: Vec<OsString> = vec!["run".into(), "--json".into(), "--".into()];
        args.extend(argv.into_iter().map(|a| a.as_ref().to_owned()));
        let said = self.abide(args).json();
        said["id"].as_str().unwrap_or_else(|| panic!("no id in {said}")).to_owned()
    }

    /// `abide ls --json --all`, as its array.
    pub(crate) fn list(&self) -> Vec<serde_json::Value> {
        let list = self.abide(["ls", "--json", "--all"]).json();
        list.as_array().unwrap_or_else(|| panic!("no array: {list}")).clone()
    }

    /// Process id of the supervisor that runs now; none where there is none.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        self.processes().into_iter().find(|pid| program_of(*pid).as_deref() == Some("abided"))
    }

    /// Process ids of the hosts that run now.
    pub(crate) fn hosts(&self) -> Vec<u32> {
        let mut hosts = self.processes();
        hosts.retain(|pid| program_of(*pid).as_deref() == Some("abide-host"));
        hosts
    }

    /// `kill -9` of the supervisor; returns its process id once it is gone.
    pub(crate) fn kill_supervisor(&self) -> u32 {
        let pid = self.supervisor().expect("a supervisor that runs");
        process::signal(pid, Signal::SIGKILL);
        process::ended(pid);
        pid
    }

    /// All processes that carry this home in their environment; of the user's own home, also supervisor and hosts, which
    /// the service manager starts.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let root = self.path().as_os_str().as_bytes();
        let own = std::process::id();
        let carries = |environment: &[u8]| {
            environment.split(|b| *b == 0).any(|variable| {
                let mut parts = variable.splitn(2, |b| *b == b'=');
                matches!(parts.next(), Some(b"ABIDE_HOME" | b"TEST_HOME_OF_ABIDE"))
                    && parts.next() == Some(root)
            })
        };
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        let of_the_user = |pid: u32| {
            self.of_the_user && program_of(pid).is_some_and(|name| name == "abided" || name == "abide-host")
        };
        pids.filter(|pid| *pid != own)
            .filter(|pid| {
                of_the_user(*pid) || std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| carries(&e))
            })
            .collect()
    }
}

/// Name of a process's program file; none where it is gone or not ours.
fn program_of(pid: u32) -> Option<String> {
    let target = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    // A program that was replaced on disk shows as `NAME (deleted)`.
    Some(target.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned())
}

impl Drop for Home {
    /// Ends every process of this home, supervisor first, so that nothing starts anything anew.
    fn drop(&mut self) {
        if Stage::current() == Stage::Systemd {
            // The manager would start a supervisor that is killed anew. There may be none: no matter.
            let unit = abide::service::unit::on_demand(self.paths().tag().as_deref());
            process::run(Command::new("systemctl").args(["--user", "stop", "--quiet", &unit]));
        }
        loop {
            let mut pids = self.processes();
            if pids.is_empty() {
                break;
            }
            pids.sort_by_key(|pid| program_of(*pid).as_deref() != Some("abided"));
            for pid in pids {
                process::signal(pid, Signal::SIGKILL);
                process::ended(pid);
            }
        }
    }
}

/// What a program said and how it ended.
#[derive(Clone)]
pub(crate) struct Output {
    /// How.
    pub(crate) status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// Standard output as it came.
    pub(crate) bytes: Vec<u8>,
    command: String,
}

impl Output {
    pub(super) fn new(command: String, done: std::process::Output) -> Self {
        Self {
            status: done.status,
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            bytes: done.stdout,
            command,
        }
    }

    /// It succeeded; its standard output.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert!(self.status.success(), "{self}");
        &self.stdout
    }

    /// It ended with this exit code; its standard error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> &str {
        assert_eq!(self.status.code(), Some(code), "{self}");
        &self.stderr
    }

    /// It succeeded and printed one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.ok()).unwrap_or_else(|e| panic!("{e} in {self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, stdout, stderr, command, .. } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A path's bytes as a text for a command line.
pub(crate) fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[test]
fn the_end_of_a_home_ends_its_processes_and_no_others() {
    let (home, other) = (Home::new(), Home::new());
    let start = |h: &Home| h.command("sleep").arg("1000").spawn().expect("sleep");
    let (mut mine, mut others) = (start(&home), start(&other));
    // A program that is being executed has no environment for a moment.
    process::until("both", || {
        (home.processes() == [mine.id()] && other.processes() == [others.id()]).then_some(())
    });
    drop(home);
    assert!(!mine.wait().expect("wait").success());
    assert_eq!(other.processes(), [others.id()]);
    others.kill().expect("kill");
    others.wait().expect("wait");
}
