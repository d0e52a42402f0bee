//! Running systemd's own programs: for what is done once, by a command line.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What went wrong with one of systemd's programs.
#[derive(Debug, thiserror::Error)]
pub enum Complaint {
    /// It is not installed.
    #[error("there is no program {0}")]
    NoProgram(&'static str),
    /// It could not be executed.
    #[error("cannot run {0}: {1}")]
    Spawn(&'static str, io::Error),
    /// It failed; its own words.
    #[error("{0}")]
    Failed(String),
}

/// `systemctl --user` and its like, for the manager of one runtime folder.
#[derive(Debug, Clone)]
pub struct Systemctl {
    runtime: PathBuf,
    /// Where the programs are looked for; none: in `PATH`.
    folder: Option<PathBuf>,
}

impl Systemctl {
    /// For the manager that listens in this `$XDG_RUNTIME_DIR`.
    pub fn new(runtime: &Path) -> Self {
        Self { runtime: runtime.into(), folder: None }
    }

    /// With the programs of this folder.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn in_folder(runtime: &Path, folder: &Path) -> Self {
        Self { runtime: runtime.into(), folder: Some(folder.into()) }
    }

    /// Runs `systemctl --user ARGUMENTS`.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn run(&self, arguments: &[&str]) -> Result<(), Complaint> {
        self.ask(arguments).map(drop)
    }

    /// Runs `systemctl --user ARGUMENTS` and returns what it printed.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn ask(&self, arguments: &[&str]) -> Result<String, Complaint> {
        let arguments: Vec<&OsStr> =
            std::iter::once("--user").chain(arguments.iter().copied()).map(OsStr::new).collect();
        self.output("systemctl", &arguments)
    }

    /// Properties of a unit, or of the manager where the name is empty. One that does not exist has no value.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn show(&self, unit: &str, properties: &[&str]) -> Result<BTreeMap<String, String>, Complaint> {
        let property = format!("--property={}", properties.join(","));
        let mut arguments = vec!["show", property.as_str()];
        arguments.extend(Some(unit).filter(|unit| !unit.is_empty()));
        let said = self.ask(&arguments)?;
        let pairs = said.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Runs `systemd-run ARGUMENTS`.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn systemd_run(&self, arguments: &[OsString]) -> Result<(), Complaint> {
        self.output("systemd-run", arguments).map(drop)
    }

    /// Runs a program of systemd's that asks the system rather than the user manager, and returns what it printed.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn ask_system(&self, program: &'static str, arguments: &[&str]) -> Result<String, Complaint> {
        self.output(program, arguments)
    }

    fn output(&self, program: &'static str, arguments: &[impl AsRef<OsStr>]) -> Result<String, Complaint> {
        let file = self.folder.as_ref().map_or_else(|| program.into(), |folder| folder.join(program));
        let mut command = Command::new(file);
        command.args(arguments).stdin(Stdio::null());
        // Of the manager that we found, whatever the caller's variables say; in words that we can read.
        command
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("LC_ALL", "C");
        command.env("SYSTEMD_PAGER", "").env("SYSTEMD_COLORS", "0");
        let output = command.output().map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                Complaint::NoProgram(program)
            } else {
                Complaint::Spawn(program, error)
            }
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Complaint::Failed(if said.is_empty() { output.status.to_string() } else { said }))
    }
}
