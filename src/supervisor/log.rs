//! The supervisor's log: a rotated file, and beside it the journal where one runs.
//!
//! Each is written by a thread of its own behind a bounded queue: the journal's socket blocks, and so does a disk, and
//! neither is to hold up the supervisor or the other. What does not fit into a queue is counted, and the count is logged
//! when there is room again. No value of an environment
//! and no prompt is ever logged at `info` or above.

mod journal;
mod sink;

pub(super) use sink::Target;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer};

/// Lines that may wait for the journal, or for the disk.
const QUEUE: usize = 1024;
/// What is queued may take so long when the supervisor leaves.
const FLUSH: Duration = Duration::from_secs(1);

/// One event, ready to be written.
#[derive(Debug, Clone)]
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
    queues: Vec<SyncSender<Job>>,
}

impl Guard {
    /// Waits until everything logged so far is written, for a second at most.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + FLUSH;
        let ask = |queue: &SyncSender<Job>| {
            let (done, wait) = sync_channel(1);
            queue.try_send(Job::Flush(done)).is_ok().then_some(wait)
        };
        let waits: Vec<_> = self.queues.iter().filter_map(ask).collect();
        for wait in waits {
            _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Starts the log, to all of `targets`. `filter` is `ABIDE_LOG` (as `RUST_LOG` is written); what is wrong with it comes back for people.
///
/// # Errors
/// A thread cannot be started.
pub(super) fn start(targets: Vec<Target>, filter: Option<&str>) -> std::io::Result<(Guard, Option<String>)> {
    let layer = Queues::start(targets)?;
    let queues = layer.0.iter().map(|queue| queue.jobs.clone()).collect();
    let default = || EnvFilter::new("info");
    let (filter, complaint) = match filter.map(EnvFilter::try_new) {
        None => (default(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(e)) => (default(), Some(format!("ABIDE_LOG cannot be read ({e}); logging at info"))),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    // A second call, as only tests could make it, keeps the first log.
    _ = tracing::subscriber::set_global_default(subscriber);
    Ok((Guard { queues }, complaint))
}

fn write(mut target: Target, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Line(line) => target.write(&line),
            Job::Flush(done) => _ = done.try_send(()),
        }
    }
}

/// The way to one target.
struct Queue {
    jobs: SyncSender<Job>,
    lost: AtomicU64,
}

struct Queues(Vec<Queue>);

impl Queues {
    fn start(targets: Vec<Target>) -> std::io::Result<Self> {
        let start = |target| {
            let (jobs, queue) = sync_channel(QUEUE);
            std::thread::Builder::new().name("log".into()).spawn(move || write(target, &queue))?;
            Ok(Queue { jobs, lost: AtomicU64::new(0) })
        };
        targets.into_iter().map(start).collect::<Result<_, _>>().map(Self)
    }
}

impl<S: Subscriber> Layer<S> for Queues {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line { level: *event.metadata().level(), message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        for queue in &self.0 {
            queue.send(line.clone());
        }
    }
}

impl Queue {
    fn send(&self, mut line: Line) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            line.fields.push(("lines_lost_before", lost.to_string()));
        }
        match self.jobs.try_send(Job::Line(line)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_target_that_hangs_holds_up_neither_the_supervisor_nor_the_other() {
        let folder = tempfile::tempdir().expect("folder");
        let (fifo, file) = (folder.path().join("fifo"), folder.path().join("file"));
        // Opening it does not return until somebody reads.
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let layer =
            Queues::start(vec![Target::file(fifo.clone()), Target::file(file.clone())]).expect("threads");
        let guard = Guard { queues: layer.0.iter().map(|queue| queue.jobs.clone()).collect() };
        let log = |n: usize| tracing::info!(session = "0000002a", "line {n}");
        let text = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for n in 0..3 * QUEUE {
                log(n);
                if n % (QUEUE / 2) == 0 {
                    // The queue of the other one must not overflow, however slow its thread is.
                    let (done, wait) = sync_channel(1);
                    guard.queues[1].send(Job::Flush(done)).expect("a thread");
                    wait.recv_timeout(Duration::from_secs(60)).expect("an answer");
                }
            }
            let start = Instant::now();
            guard.flush();
            assert!(start.elapsed() < FLUSH * 10);
            let lines = std::fs::read_to_string(&file).expect("the file");
            assert_eq!(lines.lines().count(), 3 * QUEUE);

            let mut fifo = std::fs::File::open(&fifo).expect("the FIFO");
            let (seen, lines) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let (mut text, mut buffer) = (String::new(), [0; 4096]);
                while let Ok(n @ 1..) = fifo.read(&mut buffer) {
                    text.push_str(&String::from_utf8_lossy(&buffer[..n]));
                    // Nobody listens once what was waited for has come.
                    _ = seen.send(text.clone());
                }
            });
            let (done, wait) = sync_channel(1);
            guard.queues[0].send(Job::Flush(done)).expect("a thread");
            wait.recv_timeout(Duration::from_secs(60)).expect("an answer");
            log(0);
            let is_there = |text: &String| text.contains("lines_lost_before=");
            std::iter::from_fn(|| lines.recv_timeout(Duration::from_secs(60)).ok()).find(is_there)
        });
        let text = text.expect("a word on what was lost");
        let lost = text.split("lines_lost_before=").nth(1).and_then(|t| t.split_whitespace().next());
        let lost: usize = lost.and_then(|n| n.parse().ok()).expect("a number");
        // The line that says so is counted on top of those that came through.
        assert_eq!(text.lines().count() - 1 + lost, 3 * QUEUE);
    }
}
