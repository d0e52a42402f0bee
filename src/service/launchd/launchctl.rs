//! Telling launchd, by its own program.
//!
//! What is relied upon is only whether `launchctl` succeeded and with which code it failed: it says of what it prints
//! that it is for people. The codes are those of `launchctl error`. Two of them need patience: `bootout` is done before
//! the job is gone, and `bootstrap` then fails with the very code (5) that it has for a job that is loaded already, and
//! for a property list that is not meant for this kind of login.

use crate::sys::process::{self, Signal};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How long one `launchctl` may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether a job is gone: for longer than the 20 s after which launchd kills one that stays.
const LOOKS: u32 = 120;
/// Between two looks, and twice as long after each `bootstrap` that failed.
const PAUSE: Duration = Duration::from_millis(250);
/// How often `bootstrap` is tried.
const ATTEMPTS: u32 = 5;

/// `EIO`: see the module.
const INPUT_OUTPUT: i32 = 5;
/// Codes of `bootstrap` that a job which is still being removed, or is loaded already, explains.
const LOADED_OR_LEAVING: [i32; 3] = [INPUT_OUTPUT, 17, 37];
/// Codes that say that there is no such job or domain.
const ABSENT: [i32; 4] = [3, 112, 113, 125];
/// Code of `bootout` for a job that is being removed.
const IN_PROGRESS: i32 = 36;

/// Whose jobs, and while which login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// While the user of this id is logged in at the screen.
    Gui(u32),
    /// Of the user of this id, however logged in.
    User(u32),
}

impl Domain {
    /// The kind of login session that an agent must name to be loaded here: `LimitLoadToSessionType`.
    pub fn session_type(self) -> &'static str {
        match self {
            Self::Gui(_) => "Aqua",
            Self::User(_) => "Background",
        }
    }

    /// How launchctl calls a job of this domain.
    pub fn job(self, label: &str) -> String {
        format!("{self}/{label}")
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gui(uid) => write!(f, "gui/{uid}"),
            Self::User(uid) => write!(f, "user/{uid}"),
        }
    }
}

/// What went wrong with launchctl.
#[derive(Debug, thiserror::Error)]
pub enum Complaint {
    /// It is not installed.
    #[error("there is no program {}", .0.display())]
    NoProgram(PathBuf),
    /// It could not be executed.
    #[error("cannot run {}: {source}", .program.display())]
    Spawn {
        /// Which.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It did not end.
    #[error("launchctl {0} does not end; launchd may be stuck")]
    Hangs(String),
    /// It failed.
    #[error("launchctl {command}: {said}{}", explained(*.code))]
    Failed {
        /// Its arguments.
        command: String,
        /// The code of its failure; none where a signal ended it.
        code: Option<i32>,
        /// Its own words.
        said: String,
    },
    /// A job that was removed is still there.
    #[error("{0} was removed and does not go away: `launchctl print {0}` says what it is doing")]
    Stays(String),
}

impl Complaint {
    fn is(&self, codes: &[i32]) -> bool {
        matches!(self, Self::Failed { code: Some(code), .. } if codes.contains(code))
    }
}

/// What launchctl's own words leave open.
fn explained(code: Option<i32>) -> String {
    let meaning = match code {
        Some(INPUT_OUTPUT) => {
            "the job is loaded already, or launchd refuses its property list, or it is not meant for this kind of login"
        }
        Some(3 | 113) => "no such job is loaded",
        Some(119) => {
            "it is switched off: in System Settings, General, Login Items, or by `launchctl disable`; \
             `abide install` switches it on"
        }
        Some(122) => "its property list must be yours, and writable by nobody else",
        Some(112 | 125) => "you are not logged in at the screen, and this is of such a login",
        Some(_) | None => return String::new(),
    };
    format!(" ({meaning})")
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launchctl {
    program: PathBuf,
    patience: Duration,
    pause: Duration,
}

impl Launchctl {
    /// This program.
    pub fn new(program: &Path) -> Self {
        Self { program: program.into(), patience: PATIENCE, pause: PAUSE }
    }

    /// With other patience than a real one needs.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration, pause: Duration) -> Self {
        Self { patience, pause, ..self }
    }

    /// Is there such a domain, or such a job of one?
    ///
    /// # Errors
    /// [`Complaint`]: it cannot be told.
    pub fn is_there(&self, target: &str) -> Result<bool, Complaint> {
        match self.run(&["print", target]) {
            Ok(_) => Ok(true),
            Err(complaint) if complaint.is(&ABSENT) => Ok(false),
            Err(Complaint::Failed { said, .. }) if said.contains("Could not find") => Ok(false),
            Err(complaint) => Err(complaint),
        }
    }

    /// Has the user, or `launchctl disable`, switched the job off? It is not loaded then, at no login.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn is_disabled(&self, domain: Domain, label: &str) -> Result<bool, Complaint> {
        let said = self.run(&["print-disabled", &domain.to_string()])?;
        Ok(is_disabled(&said, label))
    }

    /// Switches a job on that was switched off.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn enable(&self, domain: Domain, label: &str) -> Result<(), Complaint> {
        self.run(&["enable", &domain.job(label)]).map(drop)
    }

    /// Loads a job: launchd listens and watches for it from here on. One that is loaded already is left as it is.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn bootstrap(&self, domain: Domain, label: &str, file: &Path) -> Result<(), Complaint> {
        let into = domain.to_string();
        let arguments = [OsStr::new("bootstrap"), OsStr::new(&into), file.as_os_str()];
        let mut pause = self.pause;
        for attempt in 1.. {
            match self.run(&arguments) {
                Err(complaint) if complaint.is(&LOADED_OR_LEAVING) => {
                    if self.is_there(&domain.job(label))? {
                        return Ok(());
                    }
                    if attempt == ATTEMPTS {
                        return Err(complaint);
                    }
                }
                done => return done.map(drop),
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        Ok(())
    }

    /// Unloads a job, ends its process, and waits until both are gone. One that is not loaded is none to unload.
    ///
    /// # Errors
    /// [`Complaint`].
    pub fn bootout(&self, domain: Domain, label: &str) -> Result<(), Complaint> {
        let job = domain.job(label);
        match self.run(&["bootout", &job]) {
            Ok(_) => {}
            Err(complaint) if complaint.is(&[IN_PROGRESS]) => {}
            Err(complaint) if complaint.is(&ABSENT) => return Ok(()),
            Err(complaint) => {
                // The code for a job that is not loaded differs from one release to the next.
                return if self.is_there(&job)? { Err(complaint) } else { Ok(()) };
            }
        }
        for _ in 0..LOOKS {
            if !self.is_there(&job)? {
                return Ok(());
            }
            std::thread::sleep(self.pause);
        }
        Err(Complaint::Stays(job))
    }

    /// Runs it, and returns what it printed.
    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, Complaint> {
        let words: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy().into_owned()).collect();
        let output = self.output(arguments, &words.join(" "))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let code = code_of(&said).or(output.status.code());
        let said = if said.is_empty() { output.status.to_string() } else { first_line(&said) };
        Err(Complaint::Failed { command: words.join(" "), code, said })
    }

    /// What it printed, unless it takes too long: then it is killed.
    fn output(&self, arguments: &[impl AsRef<OsStr>], words: &str) -> Result<Output, Complaint> {
        let failed = |source: io::Error| {
            let program = self.program.clone();
            if source.kind() == io::ErrorKind::NotFound {
                Complaint::NoProgram(program)
            } else {
                Complaint::Spawn { program, source }
            }
        };
        let mut command = Command::new(&self.program);
        // In words that we can read.
        command.args(arguments).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        let (pid, start) = (child.id(), process::start_time(child.id()));
        let (done, ended) = sync_channel(1);
        std::thread::Builder::new()
            .name("launchctl".into())
            // Nobody listens any more where it took too long.
            .spawn(move || _ = done.send(child.wait_with_output()))
            .map_err(failed)?;
        match ended.recv_timeout(self.patience) {
            Ok(output) => output.map_err(failed),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // One that cannot be killed either is left behind; that it hangs is what has to be said.
                _ = process::signal_exactly(pid, start, Signal::SIGKILL);
                Err(Complaint::Hangs(words.to_owned()))
            }
        }
    }
}

/// The number in `Bootstrap failed: 5: Input/output error`.
fn code_of(said: &str) -> Option<i32> {
    let (_, after) = said.split_once(" failed: ")?;
    after.split(':').next()?.trim().parse().ok()
}

/// The others advise to become root, which would make the service root's.
fn first_line(said: &str) -> String {
    said.lines().next().unwrap_or_default().to_owned()
}

/// Lines are `"LABEL" => disabled`, and `"LABEL" => true` in older releases.
fn is_disabled(said: &str, label: &str) -> bool {
    said.lines().filter_map(|line| line.split_once("=>")).any(|(name, state)| {
        name.trim().trim_matches('"') == label && matches!(state.trim(), "disabled" | "true")
    })
}
