//! The one thread that waits for disks: records, journals, removals. In the order in which they were asked for, so that
//! saves of one session never overtake each other; what comes of each is an event.

use super::input::{Input, Inputs};
use super::orders::Orders;
use crate::core::action::Entry;
use crate::core::event::Event;
use crate::core::id::SessionId;
use crate::core::record::Record;
use crate::paths::Paths;
use crate::roster::Store;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// The roster, being the second copy, is written when the records were left alone for so long,
const ROSTER_QUIET: Duration = Duration::from_millis(500);
/// and at the latest so long after a change.
const ROSTER_LATEST: Duration = Duration::from_secs(10);

/// What the thread is to do.
enum Job {
    Save(Box<Record>),
    Journal(Entry),
    Remove(SessionId),
    ComeBack(bool),
    /// Copy all records to the state folder of these paths.
    Copy(Box<Paths>, Sender<Result<(), String>>),
    /// Everything that came before is done: say so.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// The queue to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    /// Starts the thread. `records` are those that are on disk.
    ///
    /// # Errors
    /// The system has no thread for us.
    pub(super) fn start(
        store: Store,
        records: &[Record],
        orders: Option<Orders>,
        inputs: Inputs,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let records = records.iter().map(|r| (r.id, r.clone())).collect();
        let thread = Thread { store, records, roster_due: None, orders, inputs };
        std::thread::Builder::new().name("writer".into()).spawn(move || thread.run(&queue))?;
        Ok(Self { jobs })
    }

    pub(super) fn save(&self, record: Box<Record>) {
        self.send(Job::Save(record));
    }

    pub(super) fn journal(&self, entry: Entry) {
        self.send(Job::Journal(entry));
    }

    pub(super) fn remove(&self, id: SessionId) {
        self.send(Job::Remove(id));
    }

    /// Copies all records, once everything asked for so far is on the disk.
    pub(super) fn copy(&self, to: Paths) -> Receiver<Result<(), String>> {
        let (done, wait) = channel();
        self.send(Job::Copy(Box::new(to), done));
        wait
    }

    /// Has a supervisor started at the next boot or login, or no longer.
    pub(super) fn come_back(&self, wanted: bool) {
        self.send(Job::ComeBack(wanted));
    }

    /// Resolves when everything asked for so far is done.
    pub(super) async fn flush(&self) {
        let (done, wait) = tokio::sync::oneshot::channel();
        self.send(Job::Flush(done));
        // The thread ends with the process only.
        _ = wait.await;
    }

    fn send(&self, job: Job) {
        // The thread takes jobs for as long as this queue is there, and a panic in it ends the process.
        _ = self.jobs.send(job);
    }
}

struct Thread {
    store: Store,
    /// What the roster is written from.
    records: BTreeMap<SessionId, Record>,
    /// The roster is older than the records: when they changed first, and when last.
    roster_due: Option<(Instant, Instant)>,
    orders: Option<Orders>,
    inputs: Inputs,
}

impl Thread {
    fn run(mut self, jobs: &Receiver<Job>) {
        let _guard = EndOnPanic;
        loop {
            let job = match self.roster_due {
                None => jobs.recv().map_err(RecvTimeoutError::from),
                Some((first, last)) => {
                    let at = (last + ROSTER_QUIET).min(first + ROSTER_LATEST);
                    jobs.recv_timeout(at.saturating_duration_since(Instant::now()))
                }
            };
            match job {
                Ok(job) => self.perform(job),
                Err(RecvTimeoutError::Timeout) => self.save_roster(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Save(record) => self.save(*record),
            Job::Journal(entry) => {
                if let Err(error) = self.store.append(&entry) {
                    tracing::error!(%error, "cannot write the event journal");
                }
            }
            Job::Remove(id) => self.remove(id),
            Job::ComeBack(wanted) => {
                if let Err(error) = self.store.come_back(wanted) {
                    tracing::error!(%error, wanted, "cannot leave word for the next boot or login");
                }
            }
            Job::Copy(to, done) => {
                self.save_roster();
                // Who asked may have stopped waiting.
                _ = done.send(self.store.copy_records(&to).map_err(|e| e.to_string()));
            }
            Job::Flush(done) => {
                self.save_roster();
                // Who asked may have stopped waiting.
                _ = done.send(());
            }
        }
    }

    fn save(&mut self, record: Record) {
        let (id, revision) = (record.id, record.revision);
        let event = match self.store.save(&record) {
            Ok(()) => {
                self.records.insert(id, record);
                self.changed();
                Event::Saved { id, revision }
            }
            Err(e) => Event::SaveFailed { id, revision, message: e.to_string() },
        };
        self.report(event);
    }

    fn remove(&mut self, id: SessionId) {
        // The environment first: of all that a session leaves behind it is what must not stay.
        let order = self.orders.as_ref().map_or(Ok(()), |orders| orders.remove(id));
        let files = self.store.remove(id).map_err(|e| e.to_string());
        if files.is_ok() {
            self.records.remove(&id);
            self.changed();
        }
        let error = files.and(order.map_err(|e| format!("its start order: {e}"))).err();
        self.report(Event::Removed { id, error });
    }

    fn changed(&mut self) {
        let now = Instant::now();
        let first = self.roster_due.map_or(now, |(first, _)| first);
        self.roster_due = Some((first, now));
    }

    fn save_roster(&mut self) {
        if self.roster_due.take().is_none() {
            return;
        }
        let records: Vec<Record> = self.records.values().cloned().collect();
        if let Err(error) = self.store.save_roster(&records) {
            // The records themselves are safe; the next change tries again.
            tracing::error!(%error, "cannot write the roster");
        }
    }

    fn report(&self, event: Event) {
        // Without an engine nobody waits for it any more.
        _ = self.inputs.send(Input::Event(event));
    }
}

/// A supervisor that cannot write is worse than none: a fresh one finds every session again.
struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
