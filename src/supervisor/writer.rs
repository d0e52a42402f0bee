//! The one thread that waits for disks: records, journals, removals. In the order in which they were asked for, so that
//! saves of one session never overtake each other; what comes of each is an event.

use super::input::{Input, Inputs};
use super::orders::Orders;
use super::store::Store;
use crate::core::action::Entry;
use crate::core::event::Event;
use crate::core::id::SessionId;
use crate::core::record::Record;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What the thread is to do.
enum Job {
    Save(Box<Record>),
    Journal(Entry),
    Remove(SessionId),
    /// Everything that came before is done: say so.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// The queue to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread for us.
    pub(super) fn start(store: Store, orders: Option<Orders>, inputs: Inputs) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let thread = Thread { store, orders, inputs };
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
    orders: Option<Orders>,
    inputs: Inputs,
}

impl Thread {
    fn run(mut self, jobs: &Receiver<Job>) {
        let _guard = EndOnPanic;
        while let Ok(job) = jobs.recv() {
            // What has piled up meanwhile is done together: one roster, one sync of each folder.
            let mut batch = vec![job];
            batch.extend(jobs.try_iter());
            self.perform(batch);
        }
    }

    fn perform(&mut self, batch: Vec<Job>) {
        let mut waiting = Vec::new();
        for job in batch {
            match job {
                Job::Save(record) => self.save(&record),
                Job::Journal(entry) => {
                    if let Err(error) = self.store.journal(&entry) {
                        tracing::error!(%error, "cannot write the event journal");
                    }
                }
                Job::Remove(id) => self.remove(id),
                Job::Flush(done) => waiting.push(done),
            }
        }
        if let Err(error) = self.store.save_roster() {
            // The records themselves are safe: the roster is their second copy.
            tracing::error!(%error, "cannot write the roster");
        }
        for done in waiting {
            // Who asked may have stopped waiting.
            _ = done.send(());
        }
    }

    fn save(&mut self, record: &Record) {
        let (id, revision) = (record.id, record.revision);
        let event = match self.store.save(record) {
            Ok(()) => Event::Saved { id, revision },
            Err(e) => Event::SaveFailed { id, revision, message: e.to_string() },
        };
        self.report(event);
    }

    fn remove(&mut self, id: SessionId) {
        let order = self.orders.as_ref().map_or(Ok(()), |orders| orders.remove(id));
        let files = self.store.remove(id).map_err(|e| e.to_string());
        let error = files.and(order.map_err(|e| format!("its start order: {e}"))).err();
        self.report(Event::Removed { id, error });
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
