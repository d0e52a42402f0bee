//! Live sessions that are in the registry and not in the supervisor's list: the user's own, and, where no supervisor can
//! be had, all of them.

use super::output::{Cell, style_of};
use super::text::span;
use crate::core::action::View;
use crate::core::record::{Kind, State};
use crate::core::registry::{Entry, Key, Status};
use crate::core::text::Text;
use crate::paths::Paths;
use crate::registry::Registry;
use serde::{Serialize, Serializer};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One of them; as JSON it has the fields that other tools know from agent CLIs.
#[derive(Debug)]
pub(crate) struct Registered {
    entry: Entry,
    /// The session of abide that it is.
    id: Option<String>,
}

/// What is registered and lives, in this folder or below. A registry that cannot be read is said, and hides nothing else.
pub(crate) fn live(paths: &Paths, cwd: Option<&Text>) -> Vec<Entry> {
    let mut entries = Registry::of(paths).live().unwrap_or_else(|error| {
        super::remark(&format!("the registry of live sessions cannot be read: {error}"));
        Vec::new()
    });
    if let Some(Text(folder)) = cwd {
        let below =
            |path: &Text| Path::new(OsStr::from_bytes(&path.0)).starts_with(OsStr::from_bytes(folder));
        entries.retain(|entry| entry.path(Key::Cwd).is_some_and(|path| below(&path)));
    }
    entries
}

/// Those that the supervisor did not list. `reached`: it did list its own, and knows them better than the registry.
pub(crate) fn others(paths: &Paths, entries: Vec<Entry>, listed: &[View], reached: bool) -> Vec<Registered> {
    let jobs = paths.jobs();
    let registered = entries.into_iter().map(|entry| {
        let id = entry.path(Key::LogPath).and_then(|log| {
            let log =
                Path::new(OsStr::from_bytes(&log.0)).strip_prefix(&jobs).ok()?.parent()?.to_str()?.to_owned();
            log.parse::<crate::core::id::SessionId>().ok().map(|id| id.to_string())
        });
        Registered { entry, id }
    });
    let known = |one: &Registered| (reached && one.id.is_some()) || listed.iter().any(|view| one.is(view));
    registered.filter(|one| !known(one)).collect()
}

impl Registered {
    /// Whether this is that session: the same process, or the same conversation.
    fn is(&self, view: &View) -> bool {
        let Some(host) = &view.record.host else { return false };
        let process = self.entry.process;
        let conversation = self.entry.text(Key::SessionId);
        (host.child_pid, host.child_start) == (process.pid, process.start)
            || (conversation.is_some() && conversation == view.record.session_id.as_deref())
    }

    fn is_background(&self) -> bool {
        match self.entry.kind() {
            Some(Kind::Bg | Kind::Daemon | Kind::DaemonWorker) => true,
            Some(Kind::Interactive) | None => false,
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.entry.process.pid
    }

    /// Its working directory.
    pub(crate) fn cwd(&self) -> Option<Text> {
        self.entry.path(Key::Cwd)
    }

    /// Its line of the table, without its process.
    pub(crate) fn row(&self, now: u64, cwd: String, memory: bool) -> Vec<Cell> {
        let text = |key| self.entry.text(key).unwrap_or_default();
        let (state, style) = match self.entry.status() {
            Some(Status::Busy) => ("working", style_of(State::Working)),
            Some(Status::Waiting) => ("blocked", style_of(State::Blocked)),
            Some(Status::Idle) => ("idle", style_of(State::Idle)),
            None => ("", style_of(State::Idle)),
        };
        let whose = if self.is_background() { "in the background" } else { "yours" };
        let what = match (text(Key::WaitingFor), text(Key::Agent)) {
            ("", "") => whose.to_owned(),
            ("", agent) => format!("{agent}, {whose}"),
            (waiting, _) => waiting.to_owned(),
        };
        let started = self.entry.time(Key::StartedAt);
        let age = if started == 0 { String::new() } else { span(now.saturating_sub(started)) };
        let mut cells = vec![
            Cell::from(self.id.as_deref().unwrap_or_default()),
            Cell::from(text(Key::Name)),
            Cell::styled(state, style),
            Cell::from(age),
        ];
        if memory {
            cells.extend([Cell::from(""), Cell::from("")]);
        }
        cells.extend([Cell::from(cwd), Cell::from(what)]);
        cells
    }
}

impl Serialize for Registered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            cwd: Text,
            pid: u32,
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            status: Option<Status>,
            #[serde(skip_serializing_if = "Option::is_none")]
            waiting_for: Option<&'a str>,
            started_at: u64,
            abide: Details<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Details<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            agent: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            entrypoint: Option<&'a str>,
            updated_at: u64,
        }
        let entry = &self.entry;
        let fields = Fields {
            id: self.id.as_deref(),
            session_id: entry.text(Key::SessionId),
            name: entry.text(Key::Name),
            cwd: entry.path(Key::Cwd).unwrap_or_default(),
            pid: entry.process.pid,
            kind: if self.is_background() { "background" } else { "interactive" },
            status: entry.status(),
            waiting_for: entry.text(Key::WaitingFor),
            started_at: entry.time(Key::StartedAt),
            abide: Details {
                agent: entry.text(Key::Agent),
                entrypoint: entry.text(Key::Entrypoint),
                updated_at: entry.time(Key::UpdatedAt),
            },
        };
        fields.serialize(serializer)
    }
}
