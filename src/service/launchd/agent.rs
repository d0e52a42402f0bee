//! The two property lists: the supervisor's agent, and the job that tells it of a new program.
//!
//! `launchd/` has both as they would be for one user, to be read and linted. They are no files to be copied: launchd
//! expands neither `~` nor variables, so each user's have that user's paths, and only `abide install` writes them.
//!
//! They are built by the `launchd` crate. It cannot write a socket's mode, which is added to its dictionary.
//!
//! The labels begin with `local`: a reverse domain name is asked for, the project owns no domain, and no domain ends in
//! `.local` (RFC 6762), so that no other product's label can be the same.

use super::LAUNCHCTL;
use super::launchctl::Domain;
use crate::service::unit::Unwritable;
use launchd::{ProcessType, ResourceLimits, Socket, SocketOptions};
use plist::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Label of the supervisor's agent.
pub const LABEL: &str = "local.abide";
/// Label of the job that runs when the supervisor's program changes.
pub const UPGRADE_LABEL: &str = "local.abide.upgrade";
/// Both.
pub const LABELS: [&str; 2] = [LABEL, UPGRADE_LABEL];
/// Under which name launchd hands the control socket over.
pub const SOCKET_NAME: &str = "control";

/// launchd starts a job no sooner than this after its last start, so that a supervisor which leaves earlier makes the next
/// caller wait.
pub const THROTTLE: Duration = Duration::from_secs(10);

/// Marks the files that `abide install` wrote, and that `abide uninstall` therefore may remove.
pub const MARK: &str = "<!-- Written by `abide install`, removed by `abide uninstall`. -->";

/// Read and write for its owner, nothing for others. Property lists have no octal numbers.
const SOCKET_MODE: i64 = 0o600;
/// Descriptors of the supervisor: one for each host and client. launchd's own limit is 256.
const FILES: u64 = 4096;

/// What the supervisor's property lists are filled in with.
#[derive(Debug, Clone)]
pub struct Filling {
    /// The supervisor's program, by a path that stays where it is when abide is upgraded.
    pub program: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// What the supervisor says before it has a log, or when it panics.
    pub errors: PathBuf,
    /// Where the jobs will be loaded.
    pub domain: Domain,
    /// Folders that a program of launchd's would look for elsewhere.
    pub environment: Vec<(&'static str, PathBuf)>,
}

/// A property list could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A path cannot be written into one.
    #[error(transparent)]
    Path(#[from] Unwritable),
    /// It could not be put together or written.
    #[error("cannot write the property list of {label}: {why}")]
    Plist {
        /// Of which job.
        label: &'static str,
        /// Why.
        why: String,
    },
}

impl Filling {
    /// Both property lists, each with its label.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn render(&self) -> Result<Vec<(&'static str, String)>, RenderError> {
        Ok(vec![(LABEL, self.agent()?), (UPGRADE_LABEL, self.upgrade()?)])
    }

    /// The supervisor. No `KeepAlive`, which would start it at every login, and none of the keys that let launchd kill it
    /// when it seems to have nothing to do.
    fn agent(&self) -> Result<String, RenderError> {
        let failed = |e: launchd::Error| RenderError::Plist { label: LABEL, why: e.to_string() };
        let (program, socket, errors) = (text(&self.program)?, text(&self.socket)?, text(&self.errors)?);
        let socket = SocketOptions::new().with_path_name(socket).map_err(failed)?;
        let mut job = launchd::Launchd::new(LABEL, program)
            .map_err(failed)?
            .with_program_arguments(vec![program.to_owned()])
            .with_limit_load_to_session_type(self.domain.session_type().into())
            .with_socket(Socket::new(SOCKET_NAME, socket).into())
            // A process without a type is slowed down as one that nobody waits for, and so are its children.
            .with_process_type(ProcessType::Interactive)
            // Hosts are in sessions of their own already; this keeps whatever else it started.
            .with_abandon_process_group(true)
            .with_soft_resource_limits(ResourceLimits::new().with_number_of_files(FILES))
            .with_throttle_interval(u32::try_from(THROTTLE.as_secs()).unwrap_or(u32::MAX))
            .with_standard_error_path(errors)
            .map_err(failed)?;
        if !self.environment.is_empty() {
            let pair = |(name, value): &(&str, PathBuf)| Ok(((*name).to_owned(), text(value)?.to_owned()));
            let variables = self.environment.iter().map(pair).collect::<Result<_, Unwritable>>()?;
            job = job.with_environment_variables(variables);
        }
        let mut job = value(LABEL, &job)?;
        let missing =
            || RenderError::Plist { label: LABEL, why: "the socket is not where it belongs".into() };
        let socket =
            key(&mut job, "Sockets").and_then(|sockets| key(sockets, SOCKET_NAME)).ok_or_else(missing)?;
        socket.as_dictionary_mut().ok_or_else(missing)?.insert("SockPathMode".into(), SOCKET_MODE.into());
        if let Some(variables) = key(&mut job, "EnvironmentVariables").and_then(Value::as_dictionary_mut) {
            // The crate keeps them in no order; the same list must always be the same text.
            variables.sort_keys();
        }
        write(LABEL, &job)
    }

    /// Passes a change of the program on, to the supervisor that runs; one that does not run needs no word of it. It never
    /// starts one. launchd misses symbolic links that are swapped: for those the supervisor watches itself.
    fn upgrade(&self) -> Result<String, RenderError> {
        let failed = |e: launchd::Error| RenderError::Plist { label: UPGRADE_LABEL, why: e.to_string() };
        let job = launchd::Launchd::new(UPGRADE_LABEL, LAUNCHCTL)
            .map_err(failed)?
            .with_program_arguments(vec![
                LAUNCHCTL.to_owned(),
                "kill".to_owned(),
                "SIGHUP".to_owned(),
                self.domain.job(LABEL),
            ])
            .with_limit_load_to_session_type(self.domain.session_type().into())
            .with_watch_paths(vec![text(&self.program)?.to_owned()]);
        write(UPGRADE_LABEL, &value(UPGRADE_LABEL, &job)?)
    }
}

/// As the crate has it, for what the crate has not.
fn value(label: &'static str, job: &launchd::Launchd) -> Result<Value, RenderError> {
    plist::to_value(job).map_err(|e| RenderError::Plist { label, why: e.to_string() })
}

fn write(label: &'static str, job: &Value) -> Result<String, RenderError> {
    let failed = |why: String| RenderError::Plist { label, why };
    let mut bytes = Vec::new();
    job.to_writer_xml(&mut bytes).map_err(|e| failed(e.to_string()))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

/// A value of a dictionary.
fn key<'a>(dictionary: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    dictionary.as_dictionary_mut()?.get_mut(name)
}

/// The text with our mark: after the document's type, where a comment may be.
pub fn marked(text: &str) -> String {
    text.replacen("<plist ", &format!("{MARK}\n<plist "), 1)
}

/// Did `abide install` write this?
pub fn is_marked(text: &str) -> bool {
    text.contains(MARK)
}

/// A path as a text of XML, which has no control characters.
fn text(path: &Path) -> Result<&str, Unwritable> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.ok_or_else(|| Unwritable(path.into()))
}
