//! The one thread that writes this supervisor's sessions into the registry: what they are called, and what they do. A
//! thread of its own, since hooks hold the registry's lock, and a record must not wait for a hook.
//!
//! It follows the records as they are saved, so that a session that flickers wears out no disk, and writes only what
//! differs from what it wrote last.

use crate::core::id::SessionId;
use crate::core::record::{Instance, Record};
use crate::core::registry::ours::of_record;
use crate::core::registry::{Entry, Patch};
use crate::core::text::Text;
use crate::paths::Paths;
use crate::registry::{Registry, RegistryError};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A session's process and what is known of it.
type Known = Option<(Instance, Patch)>;

/// What the thread is to do.
enum Job {
    Tell(SessionId, Known),
    /// Everything that came before is done: say so.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// The queue to the thread.
#[derive(Debug)]
pub(super) struct Registrar {
    jobs: Sender<Job>,
    paths: Paths,
}

impl Registrar {
    /// Starts the thread, which begins with what these records say: an earlier supervisor may have known no registry.
    ///
    /// # Errors
    /// The system has no thread for us.
    pub(super) fn start(paths: &Paths, records: &[Record]) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let registrar = Self { jobs, paths: paths.clone() };
        for record in records.iter().filter(|record| record.host.is_some()) {
            registrar.tell(record);
        }
        let thread = Thread { registry: Registry::of(paths), written: BTreeMap::new() };
        std::thread::Builder::new().name("registrar".into()).spawn(move || thread.run(&queue))?;
        Ok(registrar)
    }

    /// A record is being saved.
    pub(super) fn tell(&self, record: &Record) {
        let log = self.paths.job(&record.id.to_string()).join("output.log");
        let known = of_record(record, &Text(log.into_os_string().into_vec()));
        self.send(Job::Tell(record.id, known));
    }

    /// A session is being removed.
    pub(super) fn forget(&self, id: SessionId) {
        self.send(Job::Tell(id, None));
    }

    /// Resolves when everything told so far is written, or could not be.
    pub(super) async fn flush(&self) {
        let (done, wait) = tokio::sync::oneshot::channel();
        self.send(Job::Flush(done));
        // Without the thread nothing is written any more.
        _ = wait.await;
    }

    fn send(&self, job: Job) {
        // A thread that is gone has said why: sessions live without a registry.
        _ = self.jobs.send(job);
    }
}

struct Thread {
    registry: Registry,
    /// What was written last of each session that has a process.
    written: BTreeMap<SessionId, (Instance, Patch)>,
}

impl Thread {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            // Of what piled up meanwhile, only the last of each session matters.
            let (mut last, mut waiting) = (BTreeMap::new(), Vec::new());
            for job in std::iter::once(job).chain(jobs.try_iter()) {
                match job {
                    Job::Tell(id, known) => _ = last.insert(id, known),
                    Job::Flush(done) => waiting.push(done),
                }
            }
            for (id, known) in last {
                if let Err(error) = self.write(id, known) {
                    tracing::warn!(session = %id, %error, "cannot write the registry");
                }
            }
            for done in waiting {
                // Who asked may have stopped waiting.
                _ = done.send(());
            }
        }
    }

    fn write(&mut self, id: SessionId, known: Known) -> Result<(), RegistryError> {
        let before = self.written.remove(&id);
        if before == known {
            self.written.extend(known.map(|known| (id, known)));
            return Ok(());
        }
        let process = known.as_ref().map(|(process, _)| *process);
        let removed = match before.filter(|(old, _)| Some(*old) != process) {
            Some((old, _)) => self.registry.remove(old.pid, old.start).map(|_| ()),
            None => Ok(()),
        };
        let Some((process, patch)) = known else { return removed };
        match self.registry.register(&Entry::new(process, &patch)) {
            // Its end is on its way to the record.
            Ok(()) | Err(RegistryError::Gone(_)) => {}
            Err(e) => return Err(e),
        }
        // Only what was written: what could not be is tried again with the next change.
        self.written.insert(id, (process, patch));
        removed
    }
}
