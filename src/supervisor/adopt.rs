//! What a supervisor finds at its start: hosts that live, exit records, start orders that nobody took.

use super::links::{self, DialError, Link};
use super::orders::{Fate, Orders};
use crate::core::event::{Found, Remains};
use crate::core::id::SessionId;
use crate::core::record::{Record, State};
use crate::core::session::ELSEWHERE;
use crate::paths::Paths;
use crate::sys::process;
use crate::wire::host::Welcome;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// Everything found, and the connections that were made on the way.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) found: Vec<Found>,
    /// Hosts to be watched: what is known of them, and a connection where they answered.
    pub(super) hosts: Vec<(SessionId, Welcome, Option<Link>)>,
    /// Hosts that listen and could not be spoken to, and why.
    pub(super) unspoken: Vec<String>,
}

/// Looks around. The births socket is bound before this, so that a host which starts meanwhile is either found here or
/// reports there.
pub(super) async fn look(paths: &Paths, orders: Option<&Orders>, records: &[Record]) -> Inventory {
    let by_id: BTreeMap<SessionId, &Record> = records.iter().map(|r| (r.id, r)).collect();
    let mut inventory = Inventory::default();
    let mut dials = JoinSet::new();
    for id in sockets(paths) {
        let paths = paths.clone();
        dials.spawn(async move { (id, Link::dial(&paths, id).await) });
    }
    while let Some(dialled) = dials.join_next().await {
        // A dial that panicked found nothing; the panic is in the log.
        let Ok((id, outcome)) = dialled else { continue };
        match outcome {
            Ok(link) => inventory.alive(id, link.welcome.clone(), Some(link)),
            Err(DialError::Absent(_)) => {}
            // Somebody listens. That is no evidence of an end.
            Err(error @ (DialError::Silent | DialError::Refused(_))) => {
                tracing::warn!(session = %id, %error, "a host is there and cannot be spoken to");
                inventory.unspoken.push(format!("the host of {id}: {error}"));
                if let Some(welcome) = by_id.get(&id).and_then(|record| last_known(record)) {
                    inventory.alive(id, welcome, None);
                }
            }
        }
    }
    for record in records.iter().filter(|r| may_run(r)) {
        if !inventory.lives(record.id) {
            inventory.remains(paths, orders, record);
        }
    }
    if let Some(orders) = orders {
        drop_orphans(orders, &inventory, &by_id);
    }
    inventory
}

impl Inventory {
    /// Whether a host of this session was found.
    pub(super) fn lives(&self, id: SessionId) -> bool {
        self.hosts.iter().any(|(host, ..)| *host == id)
    }

    fn alive(&mut self, id: SessionId, welcome: Welcome, link: Option<Link>) {
        let what = Remains::Alive(links::host(&welcome));
        self.found.push(Found { id, generation: welcome.generation, what });
        self.hosts.push((id, welcome, link));
    }

    /// What there is of a session without a host that answers.
    fn remains(&mut self, paths: &Paths, orders: Option<&Orders>, record: &Record) {
        let (id, generation) = (record.id, record.start);
        let mut add = |generation, what| self.found.push(Found { id, generation, what });
        if let Some(ms) = last_written(paths, id) {
            add(generation, Remains::Seen(ms));
        }
        if is_marked(paths, id) {
            add(generation, Remains::Elsewhere);
        }
        if let Some(exit) = links::exit_record(paths, id).filter(|exit| exit.generation == generation) {
            return add(generation, Remains::Ended(links::exit(&exit)));
        }
        if let Some(welcome) = last_known(record).filter(|w| process::is_running(w.child_pid, w.child_start))
        {
            let host = process::Process::of(welcome.host_pid);
            if host.is_ok_and(|p| p.name == "abide-host" && !p.zombie) {
                tracing::warn!(session = %id, "its host lives, and its socket is gone");
                return self.alive(id, welcome, None);
            }
        }
        match orders.map(|orders| orders.withdraw(id, generation)) {
            Some(Ok(Fate::Withdrawn)) => add(generation, Remains::Withdrawn),
            Some(Ok(Fate::Taken)) => add(generation, Remains::Taken),
            Some(Ok(Fate::Absent)) | None => {}
            Some(Err(error)) => {
                // It may be taken yet: what may have run is not started anew.
                tracing::error!(session = %id, %error, "cannot withdraw a start order");
                add(generation, Remains::Taken);
            }
        }
    }
}

/// Does a host hold the lock on the session's folder? One that was killed in this moment may not have let go of it yet,
/// which matters only where its surroundings have gone too.
fn is_marked(paths: &Paths, id: SessionId) -> bool {
    let folder = std::fs::File::open(paths.job(&id.to_string()));
    folder.is_ok_and(|folder| matches!(folder.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// When its host, or a supervisor, last wrote something of it.
fn last_written(paths: &Paths, id: SessionId) -> Option<u64> {
    let folder = paths.job(&id.to_string());
    let written = ["output.log", "timeline.jsonl"].iter().filter_map(|name| {
        let at = std::fs::metadata(folder.join(name)).ok()?.modified().ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    });
    written.max()
}

fn may_run(record: &Record) -> bool {
    let over = match record.state {
        State::Queued | State::Starting | State::Working | State::Blocked | State::Idle => false,
        State::Done | State::Failed | State::Stopped | State::Parked => true,
    };
    let elsewhere = record.exit.as_ref().is_some_and(|exit| exit.cause == ELSEWHERE);
    !over || record.host.is_some() || elsewhere
}

/// What the record says of the host, as that would have said it.
fn last_known(record: &Record) -> Option<Welcome> {
    let host = record.host.as_ref()?;
    Some(Welcome {
        version: host.protocol,
        id: record.id.to_string(),
        generation: record.start,
        host_pid: host.pid,
        child_pid: host.child_pid,
        child_start: host.child_start,
        started_ms: host.started_ms,
        build: host.build.clone(),
    })
}

fn sockets(paths: &Paths) -> Vec<SessionId> {
    let entries = match std::fs::read_dir(paths.hosts()) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::error!(%error, folder = %paths.hosts().display(), "cannot look for hosts");
            return Vec::new();
        }
    };
    let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(".sock")?.parse().ok()).collect()
}

/// Environments of sessions that are no more do not stay; and what nobody knows of is not started.
fn drop_orphans(orders: &Orders, inventory: &Inventory, records: &BTreeMap<SessionId, &Record>) {
    for id in orders.sessions() {
        if !inventory.lives(id)
            && !records.contains_key(&id)
            && let Err(error) = orders.remove(id)
        {
            tracing::warn!(session = %id, %error, "cannot remove the start order of a session that is no more");
        }
    }
}
