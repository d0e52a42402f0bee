//! The supervisor's log: the journal where it is there, else a rotated file.
//!
//! Writing happens on a thread of its own behind a bounded queue: the journal's socket blocks, and so does a disk. What
//! does not fit into the queue is counted, and the count is logged when there is room again. No value of an environment
//! and no prompt is ever logged at `info` or above.

mod journal;
mod sink;

pub(super) use sink::Target;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer};

/// Lines that may wait for the journal or the disk.
const QUEUE: usize = 1024;

/// One event, ready to be written.
#[derive(Debug)]
pub(super) struct Line {
    level: Level,
    message: String,
    fields: Vec<(&'static str, String)>,
}

enum Job {
    Line(Line),
    Flush(SyncSender<()>),
}

/// Writes what is still queued when it goes.
pub(super) struct Guard {
    queue: SyncSender<Job>,
}

impl Guard {
    /// Waits until everything logged so far is written, for a second at most.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Job::Flush(done)).is_ok() {
            _ = wait.recv_timeout(std::time::Duration::from_secs(1));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Starts the log. `filter` is `ABIDE_LOG` (as `RUST_LOG` is written); what is wrong with it comes back for people.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn start(target: Target, filter: Option<&str>) -> std::io::Result<(Guard, Option<String>)> {
    let (queue, jobs) = sync_channel(QUEUE);
    std::thread::Builder::new().name("log".into()).spawn(move || write(target, &jobs))?;
    let default = || EnvFilter::new("info");
    let (filter, complaint) = match filter.map(EnvFilter::try_new) {
        None => (default(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(e)) => (default(), Some(format!("ABIDE_LOG cannot be read ({e}); logging at info"))),
    };
    let layer = Queue { queue: queue.clone(), lost: Arc::default() };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    // A second call, as only tests could make it, keeps the first log.
    _ = tracing::subscriber::set_global_default(subscriber);
    Ok((Guard { queue }, complaint))
}

fn write(mut target: Target, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Line(line) => target.write(&line),
            Job::Flush(done) => _ = done.try_send(()),
        }
    }
}

struct Queue {
    queue: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line { level: *event.metadata().level(), message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            line.fields.push(("lines_lost_before", lost.to_string()));
        }
        match self.queue.try_send(Job::Line(line)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => _ = self.lost.fetch_add(lost + 1, Ordering::Relaxed),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String does not fail.
            _ = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }
}
