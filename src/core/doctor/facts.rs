//! What was observed on a machine, before anybody judges it. What could not be found out is `None`.

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Version of the program that asks.
    pub version: String,
    /// Who runs the supervisor and the sessions.
    pub service: Service,
    /// Where sockets and locks are.
    pub runtime: Runtime,
    /// Where records and logs are.
    pub state: State,
    /// The three programs.
    pub programs: Vec<Program>,
    /// What is at the control socket.
    pub supervisor: Supervisor,
    /// Logins and what their end takes along.
    pub login: Login,
    /// The rest of the machine.
    pub machine: Machine,
}

/// Who runs the supervisor and the sessions here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// `systemd --user`.
    Systemd(Box<Systemd>),
    /// launchd.
    Launchd,
    /// Nobody: the first command starts the supervisor, and sessions are processes of their own.
    Alone(Alone),
}

impl Default for Service {
    fn default() -> Self {
        Self::Alone(Alone::None)
    }
}

/// Why no service manager is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// `ABIDE_SERVICE` or `ABIDE_HOME` says so.
    Chosen,
    /// None runs for this user.
    None,
    /// One runs for this user, and this process does not reach it.
    OutOfReach,
}

/// A user manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Systemd {
    /// Its version, as it says.
    pub version: Option<String>,
    /// Is there a session bus?
    pub bus: bool,
    /// What `systemctl` could not do, if anything.
    pub complaint: Option<String>,
    /// `abide.socket`.
    pub socket: Unit,
    /// `abide.service`.
    pub service: Unit,
    /// The program that the service starts; none where it is not installed.
    pub program: Option<String>,
    /// Whether that program is there and can be executed.
    pub program_found: bool,
    /// Whether the socket's path is the one that commands connect to.
    pub listens_here: bool,
}

/// A unit's state, in systemd's words; empty where it does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// `LoadState`.
    pub load: String,
    /// `ActiveState`.
    pub active: String,
    /// `UnitFileState`.
    pub enabled: String,
    /// `Result`.
    pub result: String,
    /// `ExecMainStatus`: 203 where the program could not be executed.
    pub status: String,
    /// Files that change it.
    pub drop_ins: Vec<String>,
}

impl Unit {
    /// Does the manager know it?
    pub fn is_loaded(&self) -> bool {
        self.load == "loaded"
    }
}

/// The runtime folder.
#[derive(Debug, Clone, Default)]
pub struct Runtime {
    /// Where.
    pub path: String,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
    /// Is it the one in `/tmp`, which is taken where there is no other?
    pub fallback: bool,
    /// `XDG_RUNTIME_DIR`, where that is set and cannot be used: somebody else's, or open to others.
    pub foreign: Option<String>,
    /// Can environments of sessions be kept in memory?
    pub orders: Option<bool>,
}

/// The state folder.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Where.
    pub path: String,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
    /// Its file system's name.
    pub file_system: Option<String>,
    /// Is that reached over a network (or a hypervisor), by other machines too?
    pub remote: bool,
    /// Bytes that are free for this user.
    pub free: Option<u64>,
    /// Files that may still be made; none where the file system does not count.
    pub free_files: Option<u64>,
    /// Who keeps records there by another runtime folder, if anybody.
    pub elsewhere: Option<String>,
}

/// One of our programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Where it is, or where it was looked for.
    pub path: Result<String, String>,
    /// The version that it states, or why it does not.
    pub version: Result<String, String>,
    /// Its file system, where that tells of no changes.
    pub silent_on: Option<String>,
}

/// What is at the control socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Supervisor {
    /// Nothing: the next command starts one.
    #[default]
    Absent,
    /// The service manager listens.
    Sleeping,
    /// One that answers.
    Running {
        /// Process id.
        pid: u32,
        /// Of its program.
        version: String,
        /// Sessions with a process.
        live: usize,
    },
    /// One that runs and cannot be spoken to.
    Broken(String),
}

/// Logins and what their end takes along.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// Does logind keep them?
    pub logind: bool,
    /// Does the user linger?
    pub lingers: Option<bool>,
    /// Does logind end what a login leaves behind (`KillUserProcesses=`), for this user?
    pub kills: Option<bool>,
    /// The login session in whose scope this process is.
    pub session: Option<String>,
    /// What the settings say of an anchor.
    pub anchor_wanted: Option<bool>,
    /// The anchor that runs.
    pub anchor: Option<u32>,
    /// The user that called `sudo`, where this is not that user.
    pub sudo: Option<String>,
}

/// The rest of the machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Which container this is in.
    pub container: Option<String>,
    /// Windows Subsystem for Linux?
    pub wsl: bool,
    /// Name of process 1.
    pub init: Option<String>,
    /// Does process 1 take what it inherits off the process table?
    pub init_reaps: Option<bool>,
    /// Is the control group hierarchy the unified one (version 2)?
    pub unified_cgroups: Option<bool>,
    /// Controllers that the user's manager may use.
    pub controllers: Option<Vec<String>>,
    /// Does the kernel tell of memory pressure (PSI)?
    pub pressure: Option<bool>,
    /// Does systemd-oomd end control groups under memory pressure?
    pub oomd: bool,
    /// Where the journal is.
    pub journal: Journal,
    /// Limits of this process.
    pub limits: Limits,
    /// The kernel's layer of the write guard.
    pub guard: Guard,
}

/// The kernel's layer of the write guard.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// The settings want it.
    pub wanted: bool,
    /// Why a process cannot be given a view of its own here; none where it can.
    pub problem: Option<String>,
    /// A setting of the system's that forbids it, as it would be turned off.
    pub forbidden: Option<String>,
    /// Having it takes no user namespace, which would take rights away.
    pub by_root: bool,
    /// Files of the system's that ssh reads, and takes for anybody's in a user namespace.
    pub ssh_includes: bool,
}

/// The journal of the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Journal {
    /// There is none.
    #[default]
    Absent,
    /// In memory until the next reboot.
    Volatile,
    /// On a disk.
    Persistent,
}

/// Resource limits; none for unlimited.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Open files, to which a program may raise itself.
    pub files_hard: Option<u64>,
    /// Processes of this user.
    pub processes: Option<u64>,
}
