//! What every command works with: the folders, the settings, standard output, and questions to the supervisor.

use super::error::{CliError, Kind};
use super::output::Out;
use crate::client::control::{self, ControlError};
use crate::client::host::{HostError, HostLink};
use crate::config::Settings;
use crate::core::action::{Reply, View};
use crate::core::event::Command;
use crate::core::id::SessionId;
use crate::core::record::{Record, State};
use crate::paths::Paths;
use crate::wire::control::Context;
use std::cell::OnceCell;

/// See the module.
#[derive(Debug)]
pub(crate) struct Cx {
    /// Where everything is.
    pub(crate) paths: Paths,
    /// Standard output.
    pub(crate) out: Out,
    settings: OnceCell<Settings>,
}

/// One session, as far as a command that goes to its host or files needs to know it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its id.
    pub(crate) id: String,
    /// Its name; empty where only the id is known.
    pub(crate) name: String,
    /// Its record; none where neither the supervisor nor its file could be asked.
    pub(crate) view: Option<Box<View>>,
}

impl Target {
    /// `7c5dcf5d · name`.
    pub(crate) fn label(&self) -> String {
        label(&self.id, &self.name)
    }

    /// The process id of its host, as far as that is known.
    pub(crate) fn host_pid(&self) -> Option<u32> {
        self.view.as_ref()?.record.host.as_ref().map(|host| host.pid)
    }
}

/// `7c5dcf5d · name`.
pub(crate) fn label(id: &str, name: &str) -> String {
    if name.is_empty() { id.to_owned() } else { format!("{id} · {name}") }
}

impl Cx {
    /// Finds the folders.
    ///
    /// # Errors
    /// Where there are none to be had.
    pub(crate) fn of_this_process() -> Result<Self, CliError> {
        let paths = Paths::find().map_err(|e| CliError::failed(e.to_string()))?;
        Ok(Self { paths, out: Out::of_this_process(), settings: OnceCell::new() })
    }

    /// The user's settings. What is wrong with them is said once, and the defaults stand.
    pub(crate) fn settings(&self) -> &Settings {
        self.settings.get_or_init(|| {
            let path = self.paths.config_file();
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let (settings, problems) = Settings::parse(&text);
                    for problem in problems {
                        super::remark(&format!("{}: {problem}", path.display()));
                    }
                    settings
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Settings::default(),
                Err(e) => {
                    super::remark(&format!("{} cannot be read, the defaults stand: {e}", path.display()));
                    Settings::default()
                }
            }
        })
    }

    /// Asks the supervisor, starting it where none answers.
    ///
    /// # Errors
    /// Its refusal, or why it cannot be reached.
    pub(crate) fn ask(&self, command: &Command) -> Result<Reply, CliError> {
        Ok(control::ask(&self.paths, command, None)?)
    }

    /// As [`Cx::ask`], with what a session is to have of us.
    ///
    /// # Errors
    /// As [`Cx::ask`].
    pub(crate) fn ask_with(&self, command: &Command, context: &Context) -> Result<Reply, CliError> {
        Ok(control::ask(&self.paths, command, Some(context))?)
    }

    /// The session that an id, the start of one or a name means.
    ///
    /// A whole id finds its host and its files even where no supervisor can be had: what matters most must work
    /// when something is broken.
    ///
    /// # Errors
    /// No such session, or several; or the supervisor cannot be reached and it is no whole id.
    pub(crate) fn target(&self, address: &str) -> Result<Target, CliError> {
        match control::ask(&self.paths, &Command::Show { target: address.to_owned() }, None) {
            Ok(reply) => {
                let view = one(reply)?;
                Ok(Target {
                    id: view.record.id.to_string(),
                    name: view.record.name.clone(),
                    view: Some(view),
                })
            }
            Err(e @ ControlError::Refused { .. }) => Err(e.into()),
            Err(e) => match address.parse::<SessionId>() {
                Ok(id) if self.paths.job(&id.to_string()).is_dir() => {
                    let error = CliError::from(e);
                    super::remark(&format!("{}; going to the session directly", error.message));
                    let id = id.to_string();
                    let record = self.record(&id);
                    let name = record.as_ref().map(|r| r.name.clone()).unwrap_or_default();
                    let view = record.map(|record| {
                        Box::new(View { record, signals: None, attended: false, outdated: false })
                    });
                    Ok(Target { id, name, view })
                }
                Ok(_) | Err(_) => Err(e.into()),
            },
        }
    }

    /// A session with a process: one that is parked is resumed first, with what `context` has where its own is not kept.
    /// Whether it was.
    ///
    /// # Errors
    /// It cannot be.
    pub(crate) fn awake(
        &self,
        target: Target,
        context: impl FnOnce() -> Context,
    ) -> Result<(Target, bool), CliError> {
        let parked = |view: &View| view.record.state == State::Parked && view.record.resumes;
        if !target.view.as_ref().is_some_and(|view| parked(view)) {
            return Ok((target, false));
        }
        let view = one(self.ask_with(&Command::Resume { target: target.id.clone() }, &context())?)?;
        Ok((Target { view: Some(view), ..target }, true))
    }

    /// Keeps the login open while sessions run, where that is wished; why that cannot be is said.
    pub(crate) fn anchor(&self) {
        if self.settings().anchor
            && let Err(why) = crate::service::anchor::ensure(&self.paths)
        {
            super::remark(&format!("no anchor: {why}; sessions may end with your last logout"));
        }
    }

    /// A session's record from its file.
    fn record(&self, id: &str) -> Option<Record> {
        let bytes = std::fs::read(self.paths.job(id).join("state.json")).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The host of a session; none where the session has no process.
    ///
    /// # Errors
    /// It is there and cannot be reached.
    pub(crate) fn host(&self, target: &Target) -> Result<Option<HostLink>, CliError> {
        match HostLink::reach(&self.paths, &target.id, target.host_pid()) {
            Ok(link) => Ok(Some(link)),
            Err(HostError::Absent) => Ok(None),
            Err(e) => Err(CliError::from(e).about(&target.id)),
        }
    }

    /// How a session ended, by its host's own record; none while it runs, and where there is none.
    pub(crate) fn exit_record(&self, id: &str) -> Option<crate::wire::exit::ExitRecord> {
        let bytes = std::fs::read(self.paths.job(id).join("exit")).ok()?;
        crate::wire::exit::ExitRecord::decode(&bytes).ok()
    }

    /// Does the same to several sessions, all of them whatever happens to one, and shows what went wrong with each.
    ///
    /// # Errors
    /// The worst, already shown.
    pub(crate) fn each<T: AsRef<str>>(
        &mut self,
        targets: &[T],
        mut one: impl FnMut(&mut Self, &str) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut worst: Option<Kind> = None;
        for target in targets {
            match one(self, target.as_ref()) {
                Ok(()) => {}
                Err(e) if e.kind == Kind::Unheard => return Err(e),
                Err(e) => {
                    let unreachable = e.kind == Kind::Unreachable;
                    worst = worst.max(Some(e.kind));
                    super::show(&e.about(target.as_ref()));
                    // It will not be there for the next one either.
                    if unreachable {
                        break;
                    }
                }
            }
        }
        worst.map_or(Ok(()), |kind| Err(CliError::new(kind, "")))
    }
}

/// The session of an answer about one.
///
/// # Errors
/// The answer is about something else.
pub(crate) fn one(reply: Reply) -> Result<Box<View>, CliError> {
    match reply {
        Reply::Session { session } | Reply::Why { session, .. } => Ok(session),
        Reply::Done { mut sessions } | Reply::List { mut sessions } if sessions.len() == 1 => {
            Ok(Box::new(sessions.remove(0)))
        }
        other @ (Reply::Done { .. }
        | Reply::List { .. }
        | Reply::Rolled { .. }
        | Reply::Event { .. }
        | Reply::Who { .. }
        | Reply::Hooked { .. }
        | Reply::Daemon { .. }
        | Reply::Error { .. }) => Err(unexpected(&other)),
    }
}

/// The sessions of an answer about several.
///
/// # Errors
/// The answer is about something else.
pub(crate) fn several(reply: Reply) -> Result<Vec<View>, CliError> {
    match reply {
        Reply::Done { sessions } | Reply::List { sessions } => Ok(sessions),
        Reply::Session { session } | Reply::Why { session, .. } => Ok(vec![*session]),
        other @ (Reply::Rolled { .. }
        | Reply::Event { .. }
        | Reply::Who { .. }
        | Reply::Hooked { .. }
        | Reply::Daemon { .. }
        | Reply::Error { .. }) => Err(unexpected(&other)),
    }
}

/// An answer to another question.
pub(crate) fn unexpected(reply: &Reply) -> CliError {
    CliError::from(ControlError::Garbled(format!("{reply:?}").chars().take(200).collect()))
}
