//! The thread that has the disk.
//!
//! The host appends to a queue and goes on; the thread takes all of the queue at once and writes it. It has the files
//! (the [`Desk`]) to itself while it runs, and puts them back when it leaves.

use super::segments::Segments;
use crate::sys::signal::Waker;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pauses between tries to write again: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The pause while the host waits for the last bytes before it leaves.
const LAST_RETRY: Duration = Duration::from_millis(100);
/// A disk that has not finished a step in this time is not waited for.
pub(super) const STUCK: Duration = Duration::from_millis(500);
/// What the thread may use: it calls nothing deep, and nothing that recurses.
const STACK: usize = 128 << 10;

/// What is asked of who has the disk.
pub(super) type Job = Box<dyn FnOnce(&mut Desk, &Shared) + Send>;

/// What the host and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to do for the thread.
    work: Condvar,
    /// The thread has done something.
    progress: Condvar,
    waker: Waker,
}

/// See [`Shared`]. Nobody does anything that takes time while it is locked.
pub(super) struct State {
    /// Bytes that nobody has begun to write; they end at `end`.
    pub(super) queue: VecDeque<u8>,
    pub(super) end: u64,
    /// Bytes that wait at the desk.
    held: usize,
    pub(super) lost: u64,
    pub(super) jobs: VecDeque<Job>,
    pub(super) failure: Option<Failure>,
    /// The failure came or went.
    pub(super) news: bool,
    /// Here unless somebody works at it.
    desk: Option<Desk>,
    /// Somebody is at it.
    pub(super) running: bool,
    /// Its end is still to be waited for.
    thread: Option<JoinHandle<()>>,
    /// The thread waits for `work`.
    asleep: bool,
    /// Somebody waits for `progress`.
    awaited: bool,
    /// The host reads no output until there is room.
    pub(super) paused: bool,
    /// The thread is to go as soon as nothing waits.
    pub(super) leave: bool,
    /// Nobody asks for anything any more: the thread is to go once it has written what the disk takes.
    pub(super) abandoned: bool,
    /// The host is about to leave.
    closing: bool,
    /// Since when there has been something to do, and no step of it was finished.
    busy_since: Option<Instant>,
}

/// Writing fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) errno: u16,
    pause: Duration,
    pub(super) retry_at: Instant,
}

/// The files, and the bytes that are being written.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) segments: Segments,
    held: VecDeque<u8>,
    /// Offset of the first of them.
    at: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("end", &self.end)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Bytes that are in no file.
    pub(super) fn waiting(&self) -> u64 {
        (self.held + self.queue.len()) as u64
    }

    /// The bytes that nobody has begun to write, and the offset of the first.
    pub(super) fn queued(&self) -> (u64, Vec<u8>) {
        (self.end - self.queue.len() as u64, copied(&self.queue))
    }

    /// How long the disk has owed the next step.
    pub(super) fn busy_for(&self) -> Duration {
        self.busy_since.map_or(Duration::ZERO, |t| t.elapsed())
    }

    /// The disk does not answer.
    pub(super) fn is_stuck(&self) -> bool {
        self.busy_for() >= STUCK
    }

    /// The thread that has done all it had to do.
    pub(super) fn take_thread(&mut self) -> Option<JoinHandle<()>> {
        if self.running { None } else { self.thread.take() }
    }

    /// Nothing follows: the last tries begin now.
    pub(super) fn close(&mut self) {
        self.closing = true;
        if let Some(failure) = &mut self.failure {
            failure.retry_at = Instant::now();
        }
    }

    /// A write is done. True where the host has to be told.
    fn stepped(&mut self, result: Result<(), io::Error>) -> bool {
        let was = self.failure;
        let was_stuck = self.is_stuck();
        self.failure = result.err().map(|error| {
            let pause = match was {
                _ if self.closing => LAST_RETRY,
                Some(failure) => (failure.pause * 2).min(RETRY.1),
                None => RETRY.0,
            };
            let errno = error.raw_os_error().and_then(|n| u16::try_from(n).ok()).unwrap_or(u16::MAX);
            Failure { errno, pause, retry_at: Instant::now() + pause }
        });
        let news = was_stuck || was.map(|f| f.errno) != self.failure.map(|f| f.errno);
        self.news |= news;
        news
    }
}

impl Desk {
    /// Offset and content of what is being written.
    pub(super) fn held(&self) -> (u64, Vec<u8>) {
        (self.at, copied(&self.held))
    }

    fn write(&mut self) -> io::Result<()> {
        let (piece, _) = self.held.as_slices();
        let n = self.segments.write(self.at, piece)?;
        self.held.drain(..n);
        self.at += n as u64;
        Ok(())
    }
}

fn copied(bytes: &VecDeque<u8>) -> Vec<u8> {
    let (a, b) = bytes.as_slices();
    [a, b].concat()
}

/// What is to be done next.
enum Step {
    Write,
    Job(Job),
    Wait(Option<Instant>),
    Leave,
}

impl Shared {
    pub(super) fn new(segments: Segments, waker: Waker) -> Self {
        let end = segments.end();
        let state = State {
            queue: VecDeque::new(),
            end,
            held: 0,
            lost: 0,
            jobs: VecDeque::new(),
            failure: None,
            news: false,
            desk: Some(Desk { segments, held: VecDeque::new(), at: end }),
            running: false,
            thread: None,
            asleep: false,
            awaited: false,
            paused: false,
            leave: false,
            abandoned: false,
            closing: false,
            busy_since: None,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new(), waker }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the thread has done something, for so long at most.
    pub(super) fn wait_for_progress<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        at_most: Duration,
    ) -> MutexGuard<'a, State> {
        state.awaited = true;
        let woken = self.progress.wait_timeout(state, at_most);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        state.awaited = false;
        state
    }

    /// Has what waits be done by the thread. Where none can be started, does here what is due, and says false.
    pub(super) fn set_to_work(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> bool {
        let idle = state.waiting() == 0 && state.jobs.is_empty();
        if state.running {
            if state.asleep {
                self.work.notify_one();
            }
        } else if idle {
            return true;
        }
        if !idle && state.failure.is_none() {
            state.busy_since.get_or_insert_with(Instant::now);
        }
        if state.running {
            return true;
        }
        state.running = true;
        let shared = Arc::clone(self);
        let thread = std::thread::Builder::new().name("log".into()).stack_size(STACK);
        if let Ok(thread) = thread.spawn(move || shared.run(false)) {
            // One that was there before has nothing left to do but to end.
            state.thread = Some(thread);
            return true;
        }
        drop(state);
        self.run(true);
        false
    }

    /// Works until told to leave; `once`: only as long as there is something to be done now.
    fn run(&self, once: bool) {
        let mut state = self.lock();
        let Some(mut desk) = state.desk.take() else {
            state.running = false;
            return;
        };
        loop {
            let step = next(&mut state, &mut desk, once);
            if state.paused && state.queue.is_empty() {
                state.paused = false;
                self.waker.wake();
            }
            if matches!(step, Step::Write | Step::Job(_)) {
                state.busy_since = Some(Instant::now());
            }
            match step {
                Step::Write => {
                    drop(state);
                    let result = desk.write();
                    state = self.lock();
                    state.held = desk.held.len();
                    if state.stepped(result) {
                        self.waker.wake();
                    }
                }
                Step::Job(job) => {
                    drop(state);
                    job(&mut desk, self);
                    state = self.lock();
                }
                Step::Wait(until) => {
                    state.busy_since = None;
                    state.asleep = true;
                    state = match until {
                        None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                        Some(until) => {
                            let left = until.saturating_duration_since(Instant::now());
                            self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                        }
                    };
                    state.asleep = false;
                    continue;
                }
                Step::Leave => {
                    state.busy_since = None;
                    if state.queue.is_empty() {
                        state.queue = VecDeque::new();
                    }
                    if desk.held.is_empty() {
                        desk.held = VecDeque::new();
                    }
                    state.desk = Some(desk);
                    state.running = false;
                    if !once {
                        self.waker.wake();
                    }
                    return;
                }
            }
            if state.awaited {
                self.progress.notify_all();
            }
        }
    }
}

fn next(state: &mut State, desk: &mut Desk, once: bool) -> Step {
    if desk.held.is_empty() && !state.queue.is_empty() {
        std::mem::swap(&mut desk.held, &mut state.queue);
        state.held = desk.held.len();
        desk.at = state.end - desk.held.len() as u64;
    }
    let retry_at = state.failure.map(|f| f.retry_at);
    if !desk.held.is_empty() && retry_at.is_none_or(|t| t <= Instant::now()) {
        return Step::Write;
    }
    if let Some(job) = state.jobs.pop_front() {
        return Step::Job(job);
    }
    if once || (state.leave && desk.held.is_empty()) || (state.abandoned && state.failure.is_some()) {
        return Step::Leave;
    }
    Step::Wait(retry_at.filter(|_| !desk.held.is_empty()))
}
