//! Which entries are one session.
//!
//! A session may be reached by more than one way, and registered by more than one process: by the supervisor as what it
//! started, and by a hook as the agent that runs in it (a relauncher's child, a shell's); at a terminal, and by a bridge to
//! another machine. Entries are one session where they share a process, a log, a socket, or the name of a conversation.
//! It counts once, with what all of them say.

use super::{Entry, Key, Patch, Status};
use crate::core::record::Kind;
use std::collections::BTreeMap;

/// The sessions of these entries, oldest first, each once. What is of abide itself is no session.
pub fn sessions(entries: Vec<Entry>) -> Vec<Entry> {
    let entries: Vec<Entry> = entries.into_iter().filter(is_session).collect();
    let mut groups = Groups::of(entries.len());
    let mut seen: BTreeMap<Handle, usize> = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        for handle in handles(entry) {
            match seen.get(&handle) {
                Some(&other) => groups.join(i, other),
                None => _ = seen.insert(handle, i),
            }
        }
    }
    let mut members: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
    for (i, entry) in entries.into_iter().enumerate() {
        members.entry(groups.root(i)).or_default().push(entry);
    }
    let mut sessions: Vec<Entry> = members.into_values().filter_map(as_one).collect();
    sessions.sort_by_key(age);
    sessions
}

/// Says of each that runs at the terminal of a session of abide that its output is that session's. With each comes the
/// leader of its process's session: at a session's terminal that is the program which abide started.
pub fn place_at_terminals(entries: &mut [(Entry, u32)]) {
    let logs: BTreeMap<u32, Patch> = entries
        .iter()
        .filter_map(|(entry, _)| Some((entry.process.pid, entry.path(Key::LogPath)?)))
        .map(|(pid, log)| (pid, Patch::new().path(Key::LogPath, &log)))
        .collect();
    for (entry, leader) in entries {
        if let Some(log) = logs.get(leader).filter(|_| entry.path(Key::LogPath).is_none()) {
            entry.merge(log);
        }
    }
}

fn is_session(entry: &Entry) -> bool {
    match entry.kind() {
        Some(Kind::Daemon | Kind::DaemonWorker) => false,
        Some(Kind::Interactive | Kind::Bg) | None => true,
    }
}

/// Something that no two sessions share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Handle {
    Process(u32, u64),
    Log(String),
    Socket(String),
    Conversation(String),
}

fn handles(entry: &Entry) -> Vec<Handle> {
    let text = |key| entry.text(key).map(str::to_owned);
    let mut handles = vec![Handle::Process(entry.process.pid, entry.process.start)];
    handles.extend(text(Key::LogPath).map(Handle::Log));
    handles.extend(text(Key::MessagingSocketPath).map(Handle::Socket));
    handles.extend(text(Key::SessionId).map(Handle::Conversation));
    handles.extend(text(Key::BridgeSessionId).map(Handle::Conversation));
    handles
}

/// By which entries are told apart and put in order, whatever the order in which they were found.
fn age(entry: &Entry) -> (u64, u32, u64) {
    (entry.time(Key::StartedAt), entry.process.pid, entry.process.start)
}

/// One entry with what several say of a session: the process of the one that abide runs, else of the oldest; and the
/// status that was told last.
fn as_one(mut members: Vec<Entry>) -> Option<Entry> {
    members.sort_by_key(|entry| {
        (entry.text(Key::LogPath).is_none(), entry.kind() != Some(Kind::Bg), age(entry))
    });
    let told: Option<(Status, Option<String>)> = members
        .iter()
        .filter_map(|entry| Some((entry.time(Key::UpdatedAt), entry.status()?, entry)))
        .max_by_key(|(updated, ..)| *updated)
        .map(|(_, status, entry)| (status, entry.text(Key::WaitingFor).map(str::to_owned)));
    let mut members = members.into_iter();
    let mut one = members.next()?;
    members.for_each(|other| one.fill_from(&other));
    if let Some((status, waiting_for)) = told {
        one.merge(&Patch::new().status(status, waiting_for.as_deref()));
    }
    Some(one)
}

/// Which of so many belong together.
struct Groups(Vec<usize>);

impl Groups {
    fn of(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    /// The lowest of a group stands for it.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
