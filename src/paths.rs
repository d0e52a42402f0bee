//! Where everything is. The only reader of `XDG_*`, `HOME` and `ABIDE_HOME`.
//!
//! | What | Linux | under `ABIDE_HOME` |
//! |---|---|---|
//! | runtime folder | `$XDG_RUNTIME_DIR/abide`, else `/run/user/UID/abide` where that is ours, else `/tmp/abide-UID` | `run` |
//! | state folder | `$XDG_STATE_HOME/abide` (`~/.local/state/abide`) | `state` |
//! | configuration | `$XDG_CONFIG_HOME/abide` (`~/.config/abide`) | `config` |
//! | start orders | `orders` in the runtime folder where that is on tmpfs, else in `/dev/shm/abide-UID-HASH` | |
//!
//! Folders are made 0700 and are verified to be ours and closed to others, never assumed to be.

use std::path::{Path, PathBuf};

/// The folders of one user's abide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Sockets and locks.
    pub runtime: PathBuf,
    /// Records and logs.
    pub state: PathBuf,
    /// The user's settings.
    pub config: PathBuf,
    /// `ABIDE_HOME`, where that was set: units and hosts need it too.
    pub home: Option<PathBuf>,
}

impl Paths {
    /// The supervisor's socket.
    pub fn control_socket(&self) -> PathBuf {
        self.runtime.join("abide.sock")
    }
    /// The socket on which hosts report their births.
    pub fn births_socket(&self) -> PathBuf {
        self.runtime.join("births.sock")
    }
    /// Lock of whoever starts a supervisor without a service manager.
    pub fn start_lock(&self) -> PathBuf {
        self.runtime.join("start.lock")
    }
    /// Lock of the supervisor itself.
    pub fn daemon_lock(&self) -> PathBuf {
        self.runtime.join("abided.lock")
    }
    /// Folder of the session sockets.
    pub fn hosts(&self) -> PathBuf {
        self.runtime.join("hosts/v1")
    }
    /// A session's socket.
    pub fn host_socket(&self, id: &str) -> PathBuf {
        self.hosts().join(format!("{id}.sock"))
    }
    /// Folder of the sessions.
    pub fn jobs(&self) -> PathBuf {
        self.state.join("jobs")
    }
    /// A session's folder.
    pub fn job(&self, id: &str) -> PathBuf {
        self.jobs().join(id)
    }
    /// The roster.
    pub fn roster(&self) -> PathBuf {
        self.state.join("roster.json")
    }
    /// The event journal.
    pub fn events(&self) -> PathBuf {
        self.state.join("events.jsonl")
    }
    /// The supervisor's log where there is no journal.
    pub fn log(&self) -> PathBuf {
        self.state.join("abided.log")
    }
    /// The user's settings.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

/// What a start order's file is called until a host takes it, and after.
pub fn order_names(folder: &Path, id: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{id}.new")), folder.join(id))
}
