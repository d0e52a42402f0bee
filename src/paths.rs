//! Where everything is. The only reader of `XDG_*`, `HOME` and `ABIDE_HOME`.
//!
//! | What | Linux | under `ABIDE_HOME` |
//! |---|---|---|
//! | runtime folder | `$XDG_RUNTIME_DIR/abide`, else `/run/user/UID/abide` where that is ours, else `/tmp/abide-UID` | `run` |
//! | state folder | `$XDG_STATE_HOME/abide` (`~/.local/state/abide`) | `state` |
//! | configuration | `$XDG_CONFIG_HOME/abide` (`~/.config/abide`) | `config` |
//! | start orders | `orders` in the runtime folder where that is on tmpfs, else in `/dev/shm/abide-UID-HASH` | |
//!
//! A runtime folder given by the environment counts only where it is ours and closed to others: `su` and `sudo` leave
//! the variable of somebody else behind. On macOS `run`, `state` and `config` are in `~/Library/Application Support/abide`
//! (`XDG_STATE_HOME` and `XDG_CONFIG_HOME` count there, too), since temporary folders differ from one launcher to the next,
//! and the supervisor's log is in `~/Library/Logs/abide`. The folder of start orders has only names of shared memory there.
//!
//! Folders are made 0700 and are verified to be ours and closed to others, never assumed to be.

use crate::sys::dirs::{self, DirError, Links};
use crate::sys::volatile;
use nix::unistd::{User, geteuid};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where programs keep their files on macOS, in the home folder.
const SUPPORT: &str = "Library/Application Support/abide";

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

/// The folders cannot be found or used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Neither the environment nor the user database names a home folder.
    #[error(
        "no home folder: HOME is not set, and the user database has none for uid {0}: set HOME or ABIDE_HOME"
    )]
    NoHome(u32),
    /// `ABIDE_HOME` is relative or empty.
    #[error("ABIDE_HOME is {0:?}: it must be an absolute path")]
    RelativeHome(OsString),
    /// Sockets there would have paths that are too long, or a folder cannot be made private.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The sockets' paths would be too long.
    #[error(
        "the folder {runtime} is too long for sockets: {socket} would have {length} bytes, and the system allows \
         {limit}: set {variable} to a shorter path",
        runtime = .runtime.display(), socket = .socket.display(), length = .socket.as_os_str().len(),
        limit = dirs::SOCKET_PATH_LIMIT
    )]
    TooLong {
        /// The runtime folder.
        runtime: PathBuf,
        /// The longest path in it.
        socket: PathBuf,
        /// What the folder comes from.
        variable: &'static str,
    },
}

/// What the folders are derived from; in a program it is always [`Surroundings::of_this_process`].
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `ABIDE_HOME`.
    pub abide_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// The home folder by the user database.
    pub passwd_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<OsString>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<OsString>,
    /// `ABIDE_SERVICE`: `systemd`, `launchd` or `standalone`, whatever is found.
    pub service: Option<OsString>,
    /// Our effective uid.
    pub uid: u32,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let uid = geteuid();
        let home = std::env::var_os("HOME");
        // Asked only where it is needed, since a user database may be on a network. One that fails is as good as one
        // that does not know us.
        let passwd = || User::from_uid(uid).ok().flatten().map(|user| user.dir);
        Self {
            passwd_home: if absolute(home.as_ref()).is_some() { None } else { passwd() },
            home,
            abide_home: std::env::var_os("ABIDE_HOME"),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            state_home: std::env::var_os("XDG_STATE_HOME"),
            config_home: std::env::var_os("XDG_CONFIG_HOME"),
            service: std::env::var_os("ABIDE_SERVICE"),
            uid: uid.as_raw(),
        }
    }
}

impl Surroundings {
    /// The user's home folder.
    pub fn home_folder(&self) -> Option<PathBuf> {
        absolute(self.home.as_ref()).or_else(|| self.passwd_home.clone().filter(|home| home.is_absolute()))
    }
}

impl Paths {
    /// Finds the folders of this process. Makes nothing: see [`Paths::prepare`].
    ///
    /// # Errors
    /// [`PathError`]: there is no home, or the sockets' paths would be too long.
    pub fn find() -> Result<Self, PathError> {
        Self::derive(&Surroundings::of_this_process()).map(|(paths, _)| paths)
    }

    /// As [`Paths::find`], with a line for people about a variable that was set and could not be used.
    ///
    /// # Errors
    /// As [`Paths::find`].
    pub fn find_with_warning() -> Result<(Self, Option<String>), PathError> {
        Self::derive(&Surroundings::of_this_process())
    }

    /// The folders that follow from these surroundings, and the warning of [`Paths::find_with_warning`].
    ///
    /// # Errors
    /// As [`Paths::find`].
    pub fn derive(from: &Surroundings) -> Result<(Self, Option<String>), PathError> {
        Self::derive_on(cfg!(target_os = "macos"), from)
    }

    /// As on macOS, or as on Linux.
    fn derive_on(macos: bool, from: &Surroundings) -> Result<(Self, Option<String>), PathError> {
        if let Some(home) = &from.abide_home {
            let home = absolute(Some(home)).ok_or_else(|| PathError::RelativeHome(home.clone()))?;
            let paths = Self {
                runtime: home.join("run"),
                state: home.join("state"),
                config: home.join("config"),
                home: Some(home),
            };
            return paths.with_short_sockets("ABIDE_HOME").map(|paths| (paths, None));
        }
        let home = from.home_folder().ok_or(PathError::NoHome(from.uid))?;
        let (runtime, variable, warning) = runtime_folder(macos, from, &home);
        let in_home = |variable: Option<&OsString>, linux: &str, support: &str| {
            absolute(variable).map_or_else(
                || if macos { home.join(SUPPORT).join(support) } else { home.join(linux).join("abide") },
                |base| base.join("abide"),
            )
        };
        let paths = Self {
            runtime,
            state: in_home(from.state_home.as_ref(), ".local/state", "state"),
            config: in_home(from.config_home.as_ref(), ".config", "config"),
            home: None,
        };
        paths.with_short_sockets(variable).map(|paths| (paths, warning))
    }

    fn with_short_sockets(self, variable: &'static str) -> Result<Self, PathError> {
        let socket = self.host_socket("00000000");
        match dirs::check_socket_path(&socket) {
            Ok(()) => Ok(self),
            Err(_) => Err(PathError::TooLong { runtime: self.runtime, socket, variable }),
        }
    }

    /// Makes the runtime and state folders, or verifies that they are ours alone. Whoever binds or writes calls it
    /// first, and so does a client before it trusts a socket.
    ///
    /// # Errors
    /// [`PathError::Dir`]: a folder is not ours, is open to others, or cannot be made.
    pub fn prepare(&self) -> Result<(), PathError> {
        // The fallback of the runtime folder is in /tmp, where others may have put a link.
        dirs::make_private_dir(&self.runtime, Links::Refused)?;
        dirs::make_private_dir(&self.hosts(), Links::Refused)?;
        dirs::make_private_dir(&self.state, Links::Followed)?;
        dirs::make_private_dir(&self.jobs(), Links::Followed)?;
        dirs::make_private_dir(&self.logs(), Links::Followed)?;
        Ok(())
    }

    /// The folder of start orders, made where it was missing: in memory only, since orders hold environments. None where
    /// no such folder can be had.
    ///
    /// # Errors
    /// [`PathError::Dir`]: the folder is not ours, is open to others, or cannot be made.
    pub fn orders(&self) -> Result<Option<PathBuf>, PathError> {
        dirs::make_private_dir(&self.runtime, Links::Refused)?;
        let in_memory = volatile::is_possible_in;
        let shared = Path::new("/dev/shm");
        let folder = if in_memory(&self.runtime) {
            self.runtime.join("orders")
        } else if in_memory(shared) {
            shared.join(format!("abide-{}-{}", geteuid(), tag(&self.runtime)))
        } else {
            return Ok(None);
        };
        dirs::make_private_dir(&folder, Links::Refused)?;
        Ok(Some(folder))
    }

    /// Short text that tells the units of one `ABIDE_HOME` from another's; none for the default folders.
    pub fn tag(&self) -> Option<String> {
        self.home.as_deref().map(tag)
    }

    /// The variables by which a program that somebody else starts finds the same folders.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        if let Some(home) = &self.home {
            return vec![("ABIDE_HOME", home.clone())];
        }
        // Each folder is `<base>/abide` except for the fallbacks, which need no variable to be found again.
        [
            ("XDG_RUNTIME_DIR", &self.runtime),
            ("XDG_STATE_HOME", &self.state),
            ("XDG_CONFIG_HOME", &self.config),
        ]
        .into_iter()
        .filter(|(_, folder)| folder.file_name().is_some_and(|name| name == "abide"))
        .filter_map(|(name, folder)| folder.parent().map(|base| (name, base.to_owned())))
        .collect()
    }

    /// Folder in which the service manager of this runtime folder listens (`$XDG_RUNTIME_DIR`); none for the fallbacks.
    pub fn manager_runtime(from: &Surroundings) -> Option<PathBuf> {
        absolute(from.runtime_dir.as_ref())
            .into_iter()
            .chain([PathBuf::from(format!("/run/user/{}", from.uid))])
            .find(|dir| dirs::is_private_dir(dir))
    }

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
    /// Lock that every host shares while it lives.
    pub fn hosts_lock(&self) -> PathBuf {
        self.runtime.join("hosts.lock")
    }
    /// Lock of the anchor.
    pub fn anchor_lock(&self) -> PathBuf {
        self.runtime.join("anchor.lock")
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
    /// Folder of the registry of live sessions.
    pub fn sessions(&self) -> PathBuf {
        self.state.join("sessions")
    }
    /// The roster.
    pub fn roster(&self) -> PathBuf {
        self.state.join("roster.json")
    }
    /// There while a supervisor is to be started at the next boot or login. The unit `abide-resume.service` knows it too.
    pub fn restart_mark(&self) -> PathBuf {
        self.state.join("restart")
    }
    /// There where `abide install` has turned lingering on.
    pub fn lingering_mark(&self) -> PathBuf {
        self.state.join("lingering")
    }
    /// The event journal.
    pub fn events(&self) -> PathBuf {
        self.state.join("events.jsonl")
    }
    /// The supervisor's log where there is no journal.
    pub fn log(&self) -> PathBuf {
        self.logs().join("abided.log")
    }
    /// What agents' hooks could not do.
    pub fn hook_log(&self) -> PathBuf {
        self.logs().join("hooks.log")
    }
    /// Folder of the supervisor's log.
    pub fn logs(&self) -> PathBuf {
        // `~/Library/Logs` is beside `~/Library/Application Support`, where only macOS has state folders.
        let library =
            self.state.ancestors().nth(3).filter(|_| self.state.ends_with(format!("{SUPPORT}/state")));
        library.map_or_else(|| self.state.clone(), |library| library.join("Logs/abide"))
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

fn absolute(variable: Option<&OsString>) -> Option<PathBuf> {
    variable.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The runtime folder, the variable that a user would set to change it, and a warning.
fn runtime_folder(macos: bool, from: &Surroundings, home: &Path) -> (PathBuf, &'static str, Option<String>) {
    if macos {
        return (home.join(SUPPORT).join("run"), "ABIDE_HOME", None);
    }
    let given = absolute(from.runtime_dir.as_ref());
    if let Some(dir) = given.as_ref().filter(|dir| dirs::is_private_dir(dir)) {
        return (dir.join("abide"), "XDG_RUNTIME_DIR", None);
    }
    let usual = PathBuf::from(format!("/run/user/{}", from.uid));
    let instead = if dirs::is_private_dir(&usual) {
        usual.join("abide")
    } else {
        PathBuf::from(format!("/tmp/abide-{}", from.uid))
    };
    let warning = given.map(|dir| {
        format!(
            "XDG_RUNTIME_DIR={} is not a folder of yours that is closed to others; using {}",
            dir.display(),
            instead.display()
        )
    });
    (instead, "ABIDE_HOME", warning)
}

/// Eight hex digits that stand for a path in names of files and units. FNV-1a: it must never change, and nobody gains
/// by a collision, since all of these names are one user's own.
fn tag(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn surroundings(home: &Path) -> Surroundings {
        // A uid without a /run/user folder, so that the ladder's last rung is reached wherever this runs.
        Surroundings { home: Some(home.into()), uid: 4_000_000_123, ..Surroundings::default() }
    }
    fn private_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).expect("chmod");
        dir
    }
    fn derive(from: &Surroundings) -> (Paths, Option<String>) {
        Paths::derive(from).expect("found")
    }

    #[test]
    fn variables_are_used_where_they_are_absolute() {
        let dir = private_dir();
        let mut from = surroundings(Path::new("/home/u"));
        from.runtime_dir = Some(dir.path().into());
        let (paths, warning) = derive(&from);
        assert_eq!(paths.runtime, dir.path().join("abide"));
        assert_eq!(paths.state, Path::new("/home/u/.local/state/abide"));
        assert_eq!(paths.config, Path::new("/home/u/.config/abide"));
        assert_eq!(warning, None);
        from.state_home = Some("/s".into());
        from.config_home = Some("relative".into());
        let (paths, _) = derive(&from);
        assert_eq!(paths.state, Path::new("/s/abide"));
        assert_eq!(paths.config, Path::new("/home/u/.config/abide"));
    }

    #[test]
    fn on_macos_everything_is_in_the_library_and_no_runtime_folder_is_asked_for() {
        let mut from = surroundings(Path::new("/Users/u"));
        from.runtime_dir = Some("/run/user/1".into());
        let (paths, warning) = Paths::derive_on(true, &from).expect("found");
        let support = Path::new("/Users/u/Library/Application Support/abide");
        assert_eq!(
            (&paths.runtime, &paths.state, &paths.config),
            (&support.join("run"), &support.join("state"), &support.join("config"))
        );
        assert_eq!(paths.log(), Path::new("/Users/u/Library/Logs/abide/abided.log"));
        assert_eq!((paths.environment(), warning), (Vec::new(), None), "found again without any variable");
        from.state_home = Some("/big".into());
        let (paths, _) = Paths::derive_on(true, &from).expect("found");
        assert_eq!(paths.log(), Path::new("/big/abide/abided.log"));
        assert_eq!(paths.environment(), [("XDG_STATE_HOME", PathBuf::from("/big"))]);
    }

    #[test]
    fn a_runtime_folder_that_is_open_foreign_or_missing_is_passed_over_with_a_warning() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut from = surroundings(Path::new("/home/u"));
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        for unusable in [dir.path(), Path::new("/proc"), Path::new("/nonexistent")] {
            from.runtime_dir = Some(unusable.into());
            let (paths, warning) = derive(&from);
            assert_eq!(paths.runtime, Path::new("/tmp/abide-4000000123"));
            assert!(warning.expect("a warning").contains(&*unusable.to_string_lossy()));
        }
        from.runtime_dir = Some("relative".into());
        assert_eq!(derive(&from).1, None);
    }

    #[test]
    fn the_user_database_helps_where_home_is_missing() {
        let mut from = surroundings(Path::new("not/absolute"));
        from.passwd_home = Some("/home/db".into());
        assert_eq!(derive(&from).0.config, Path::new("/home/db/.config/abide"));
        from.passwd_home = None;
        assert!(matches!(Paths::derive(&from), Err(PathError::NoHome(4_000_000_123))));
    }

    #[test]
    fn abide_home_puts_all_below_it() {
        let mut from = surroundings(Path::new("/home/u"));
        from.abide_home = Some("/a".into());
        let (paths, _) = derive(&from);
        assert_eq!(paths.control_socket(), Path::new("/a/run/abide.sock"));
        assert_eq!(paths.roster(), Path::new("/a/state/roster.json"));
        assert_eq!(paths.config_file(), Path::new("/a/config/config.toml"));
        assert_eq!(paths.environment(), [("ABIDE_HOME", PathBuf::from("/a"))]);
        for bad in ["", "a"] {
            from.abide_home = Some(bad.into());
            assert!(matches!(Paths::derive(&from), Err(PathError::RelativeHome(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_folder_too_long_for_sockets_is_named_with_what_to_set() {
        let mut from = surroundings(Path::new("/home/u"));
        let longest = dirs::SOCKET_PATH_LIMIT - "/run/hosts/v1/00000000.sock".len();
        from.abide_home = Some(format!("/{}", "x".repeat(longest - 1)).into());
        derive(&from);
        from.abide_home = Some(format!("/{}", "x".repeat(longest)).into());
        let message = Paths::derive(&from).expect_err("too long").to_string();
        assert!(message.contains("108 bytes") && message.contains("set ABIDE_HOME"), "{message}");
    }

    #[test]
    fn another_program_finds_the_same_folders_by_the_environment() {
        let dir = private_dir();
        let mut from = surroundings(Path::new("/home/u"));
        from.runtime_dir = Some(dir.path().into());
        from.state_home = Some("/s".into());
        let (paths, _) = derive(&from);
        let mut other = surroundings(Path::new("/home/other"));
        for (name, value) in paths.environment() {
            match name {
                "XDG_RUNTIME_DIR" => other.runtime_dir = Some(value.into()),
                "XDG_STATE_HOME" => other.state_home = Some(value.into()),
                "XDG_CONFIG_HOME" => other.config_home = Some(value.into()),
                unexpected => panic!("{unexpected}"),
            }
        }
        assert_eq!(derive(&other).0, paths);
    }

    #[test]
    fn orders_are_in_memory_and_apart_for_each_home() {
        let (a, b) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
        let folder = |home: &Path| {
            let from = Surroundings { abide_home: Some(home.into()), ..surroundings(home) };
            derive(&from).0.orders().expect("usable")
        };
        let (first, second) = (folder(a.path()), folder(b.path()));
        assert_ne!(first, second);
        for made in [first, second].into_iter().flatten() {
            assert!(dirs::is_in_memory(&made).expect("examined") && dirs::is_private_dir(&made));
            std::fs::remove_dir(made).expect("empty");
        }
    }
}
