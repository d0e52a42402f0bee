//! Start orders in memory: the only place where a session's environment is kept.
//!
//! | Name | Is |
//! |---|---|
//! | `<id>.new` | written, not taken by a host yet |
//! | `<id>` | taken: kept for respawns |
//! | `<id>.withdrawn` | taken back by a supervisor before any host took it: no host will start by it |
//!
//! Each transition is one `rename`, so whoever renames `<id>.new` first has decided whether that start happens.

use crate::core::id::SessionId;
use crate::sys::volatile;
use crate::wire::order::StartOrder;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of start orders.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    folder: PathBuf,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// No host has it, and none will: it was withdrawn, now or earlier.
    Withdrawn,
    /// A host took it.
    Taken,
    /// There is none of this generation.
    Absent,
}

impl Orders {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn fresh(&self, id: SessionId) -> PathBuf {
        crate::paths::order_names(&self.folder, &id.to_string()).0
    }
    fn taken(&self, id: SessionId) -> PathBuf {
        crate::paths::order_names(&self.folder, &id.to_string()).1
    }
    fn withdrawn(&self, id: SessionId) -> PathBuf {
        self.folder.join(format!("{id}.withdrawn"))
    }

    /// Lays an order out for a host to take.
    ///
    /// # Errors
    /// The file cannot be written; nothing is left behind.
    pub(super) fn write(&self, id: SessionId, order: &StartOrder) -> io::Result<()> {
        let temporary = self.folder.join(format!(".{id}.{}", std::process::id()));
        volatile::remove(&temporary)?;
        let written = volatile::write(&temporary, &order.encode())
            .and_then(|()| volatile::rename(&temporary, &self.fresh(id)));
        if written.is_err() {
            volatile::remove(&temporary)?;
        }
        written
    }

    /// Changes an order that no host can have taken yet, since none was let go.
    ///
    /// # Errors
    /// It is gone, or cannot be written.
    pub(super) fn amend(&self, id: SessionId, change: impl FnOnce(&mut StartOrder)) -> io::Result<()> {
        let mut order = read(&self.fresh(id)).ok_or(io::ErrorKind::NotFound)?;
        change(&mut order);
        self.write(id, &order)
    }

    /// Takes the order back if no host has taken it.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub(super) fn withdraw(&self, id: SessionId, generation: u64) -> io::Result<Fate> {
        match volatile::rename(&self.fresh(id), &self.withdrawn(id)) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let is_of = |path: PathBuf| read(&path).is_some_and(|order| order.generation == generation);
        Ok(match (is_of(self.withdrawn(id)), is_of(self.taken(id))) {
            (true, _) => Fate::Withdrawn,
            (false, true) => Fate::Taken,
            (false, false) => Fate::Absent,
        })
    }

    /// The last order of a session, for its environment.
    pub(super) fn last(&self, id: SessionId) -> Option<StartOrder> {
        let all = [self.fresh(id), self.taken(id), self.withdrawn(id)];
        all.iter().filter_map(|path| read(path)).max_by_key(|order| order.generation)
    }

    /// Forgets a session's environment.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub(super) fn remove(&self, id: SessionId) -> io::Result<()> {
        [self.fresh(id), self.taken(id), self.withdrawn(id)]
            .iter()
            .try_for_each(|path| volatile::remove(path))
    }

    /// A new order makes an older, withdrawn one useless.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(super) fn forget_withdrawn(&self, id: SessionId) -> io::Result<()> {
        volatile::remove(&self.withdrawn(id))
    }

    /// Sessions of which an order lies here.
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        let mut ids: Vec<SessionId> = names.filter_map(|name| name.split('.').next()?.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn read(path: &Path) -> Option<StartOrder> {
    // One that cannot be read is as good as none: a host refuses it, too.
    StartOrder::decode(&volatile::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: SessionId, generation: u64) -> StartOrder {
        StartOrder {
            id: id.to_string(),
            generation,
            argv: vec![b"true".to_vec()],
            cwd: b"/".to_vec(),
            env: vec![b"SECRET=1".to_vec()],
            umask: 0o22,
            limits: Vec::new(),
            cols: 80,
            rows: 24,
            job_dir: b"/j".to_vec(),
            socket: b"/s".to_vec(),
            births: Vec::new(),
            log_keep: 1,
            scrollback: 1,
            oom_score_adj: 0,
            grace_ms: 1,
            mounts: Vec::new(),
        }
    }

    #[test]
    fn whoever_renames_first_decides() {
        let dir = tempfile::tempdir().expect("tempdir");
        let orders = Orders::new(dir.path().into());
        let id = SessionId::from_bits(7);
        assert_eq!(orders.withdraw(id, 1).expect("withdraw"), Fate::Absent);

        orders.write(id, &order(id, 1)).expect("write");
        assert_eq!(orders.withdraw(id, 1).expect("withdraw"), Fate::Withdrawn);
        assert_eq!(orders.withdraw(id, 1).expect("again"), Fate::Withdrawn, "told again");
        assert_eq!(orders.last(id).map(|o| o.generation), Some(1), "its environment is still known");

        orders.write(id, &order(id, 2)).expect("write");
        orders.forget_withdrawn(id).expect("forget");
        let (new, taken) = crate::paths::order_names(dir.path(), "00000007");
        std::fs::rename(new, taken).expect("a host takes it");
        assert_eq!(orders.withdraw(id, 2).expect("withdraw"), Fate::Taken);
        assert_eq!(orders.withdraw(id, 3).expect("withdraw"), Fate::Absent);
        assert_eq!(orders.sessions(), [id]);

        orders.remove(id).expect("remove");
        assert_eq!((orders.last(id), orders.sessions()), (None, Vec::new()));
        orders.remove(id).expect("remove nothing");
    }

    #[test]
    fn an_order_is_private_and_leaves_no_pieces() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("tempdir");
        let orders = Orders::new(dir.path().into());
        let id = SessionId::from_bits(7);
        orders.write(id, &order(id, 1)).expect("write");
        let files: Vec<_> = std::fs::read_dir(dir.path()).expect("dir").flatten().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().expect("meta").permissions().mode() & 0o777, 0o600);
    }
}
