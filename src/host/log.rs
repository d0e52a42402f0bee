//! The output log: every byte that the session writes, in numbered segments.
//!
//! `output.<20 digits>.log` begins at the offset in its name; `output.log` is a link to the newest. A segment is closed
//! at 8 MiB, and the oldest goes while what is left is still as much as is to be kept. Offsets count over all starts of
//! a session.
//!
//! Whatever touches the disk runs on a thread of its own ([`writer`]), which is there only while the session writes: a
//! disk may fail, and it may also just not answer. Bytes that it does not take wait in memory, up to twice [`LIMIT`],
//! and are tried again until it does; what exceeds that is lost to the log and to nothing else. Such a gap shows between
//! the end of one segment and the name of the next. A disk that is merely slow is waited for: output is read as fast as
//! it can be written.

mod segments;
mod writer;

use crate::sys::signal::Waker;
use segments::Segments;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use writer::{Desk, STUCK, Shared};

/// Bytes that may wait for the disk, beside as many that are being written.
const LIMIT: usize = 512 << 10;
/// From here on output is not read while the disk is merely slow: whatever the terminal has still fits.
const PAUSE_AT: usize = LIMIT / 2;
/// A disk that does not finish a step in this time hangs, and sets the session's pace no longer.
const HANGS: Duration = Duration::from_secs(10);
const TIMED_OUT: u16 = nix::libc::ETIMEDOUT as u16;

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<Shared>,
    first: u64,
    offset: u64,
}

impl Log {
    /// Finds where the log in this folder ends, to go on there, but not before `at_least`. Writes nothing yet. `waker`
    /// is used when the disk begins to fail, and when it works again.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn open(folder: &Path, keep: u64, at_least: u64, waker: Waker) -> io::Result<Self> {
        let segments = Segments::open(folder, keep, at_least)?;
        let (first, offset) = (segments.first(), segments.end());
        Ok(Self { shared: Arc::new(Shared::new(segments, waker)), first, offset })
    }

    /// Offset of the next byte: how many the session ever wrote.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset at which this host's own part begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Bytes that were lost to the log since this host's start, and the error number of a failure that lasts, or 0. A
    /// disk that does not answer counts as timed out.
    pub(super) fn losses(&self) -> (u64, u16) {
        let state = self.shared.lock();
        let stuck = if state.is_stuck() { TIMED_OUT } else { 0 };
        (state.lost, state.failure.map_or(stuck, |f| f.errno))
    }

    /// Whether the disk has begun to fail, or to work again, since this was asked last.
    pub(super) fn take_news(&self) -> bool {
        std::mem::take(&mut self.shared.lock().news)
    }

    /// Waits for the end of a thread that has left. True where there was one: the memory that it took is free now.
    pub(super) fn has_come_to_rest(&self) -> bool {
        let thread = self.shared.lock().take_thread();
        // It has let go of everything; its panic would have been told by then.
        thread.is_some_and(|thread| thread.join().is_ok())
    }

    /// When to [`poke`](Self::poke): only where no thread could be started, and something waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.shared.lock();
        state.failure.filter(|_| !state.running && state.waiting() > 0).map(|f| f.retry_at)
    }

    /// Tries again to write what waits.
    pub(super) fn poke(&self) {
        let state = self.shared.lock();
        self.shared.set_to_work(state);
    }

    /// Takes the session's next bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let mut state = self.shared.lock();
        state.end = self.offset;
        state.queue.extend(bytes);
        let excess = state.queue.len().saturating_sub(LIMIT);
        if excess > 0 {
            // The oldest: how a program ended says more than how it began to fail.
            state.queue.drain(..excess);
            state.lost += excess as u64;
        }
        state.leave = false;
        self.shared.set_to_work(state);
    }

    /// Whether the disk keeps up, so that more output may be read, and if not, when to look again at the latest. One
    /// that is slow sets the pace; one that fails, or does not answer for [`HANGS`], does not.
    pub(super) fn pace(&self) -> Result<(), Instant> {
        let mut state = self.shared.lock();
        let busy = state.busy_for();
        if state.queue.len() < PAUSE_AT || state.failure.is_some() || !state.running || busy >= HANGS {
            return Ok(());
        }
        state.paused = true;
        Err(Instant::now() + (HANGS - busy))
    }

    /// Waits until the files have everything that was taken, unless the disk fails or does not answer.
    pub(super) fn settle(&self) {
        let mut state = self.shared.lock();
        while state.waiting() > 0 && state.failure.is_none() && state.running && !state.is_stuck() {
            let left = STUCK.saturating_sub(state.busy_for());
            state = self.shared.wait_for_progress(state, left);
        }
    }

    /// Has something done by who has the disk, and waits for it, for so long at most. `None` where the disk did not
    /// answer in time, or is known not to.
    fn ask<T: Send + 'static>(
        &self,
        at_most: Duration,
        what: impl FnOnce(&mut Desk, &Shared) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let mut state = self.shared.lock();
        if state.is_stuck() {
            return None;
        }
        state.jobs.push_back(Box::new(move |desk, shared| {
            // Nobody waits any longer: then nobody needs it.
            let _ = answer.try_send(what(desk, shared));
        }));
        self.shared.set_to_work(state);
        answered.recv_timeout(at_most).ok()
    }

    /// What is in no file yet, oldest first: offset and bytes of each piece. Nothing, unless the disk fails or hangs.
    pub(super) fn unwritten(&self) -> Vec<(u64, Vec<u8>)> {
        self.settle();
        if self.shared.lock().waiting() == 0 {
            return Vec::new();
        }
        let pieces = self.ask(STUCK, |desk, shared| vec![desk.held(), shared.lock().queued()]);
        // Those that a disk which hangs is just taking are out of reach.
        let mut pieces = pieces.unwrap_or_else(|| vec![self.shared.lock().queued()]);
        pieces.retain(|(_, bytes)| !bytes.is_empty());
        pieces
    }

    /// The last bytes of this host's part, at most so many and without a gap, and the offset of the first.
    pub(super) fn tail(&self, most: u64) -> (u64, Vec<u8>) {
        let found = self.ask(STUCK, move |desk, shared| {
            let (from, queued) = shared.lock().queued();
            let (at, held) = desk.held();
            let mut parts = vec![queued];
            if at + held.len() as u64 == from {
                parts.insert(0, held);
                if desk.segments.end() == at {
                    parts.insert(0, desk.segments.tail(most));
                }
            }
            parts.concat()
        });
        let mut tail = found.unwrap_or_else(|| self.shared.lock().queued().1);
        let excess = tail.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        tail.drain(..excess);
        (self.offset - tail.len() as u64, tail)
    }

    /// The session has been silent: the thread goes, once all is written, and with it the memory that it took.
    pub(super) fn rest(&self) {
        let mut state = self.shared.lock();
        state.leave = true;
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
        self.shared.set_to_work(state);
    }

    /// Nothing follows: waits until all is written, at most so long, and has a disk that fails tried again and again in
    /// this time. What was not written then counts as lost.
    pub(super) fn close(&self, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        let mut state = self.shared.lock();
        state.close();
        while state.waiting() > 0 {
            if !self.shared.set_to_work(state) {
                // Without a thread each try is one of our own.
                state = self.shared.lock();
                break;
            }
            state = self.shared.lock();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.waiting() == 0 || left.is_zero() {
                break;
            }
            state = self.shared.wait_for_progress(state, left);
        }
        state.lost += state.waiting();
    }

    /// Does something else that the disk may hold up. For the very end, when the log is closed.
    ///
    /// # Errors
    /// Its own, and where it does not end in time.
    pub(super) fn beside(
        &self,
        at_most: Duration,
        what: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let done = self.ask(at_most, |_, _| what());
        done.unwrap_or_else(|| Err(io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer")))
    }
}

impl Drop for Log {
    /// Leaves no thread behind, and no open file.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        (state.leave, state.abandoned) = (true, true);
        self.shared.set_to_work(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    const PATIENCE: Duration = Duration::from_secs(30);

    struct Rig {
        _folder: tempfile::TempDir,
        job: PathBuf,
        away: PathBuf,
        log: Log,
        woken: UnixStream,
        written: Vec<u8>,
    }

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("folder");
            let (job, away) = (folder.path().join("job"), folder.path().join("away"));
            std::fs::create_dir(&job).expect("folder");
            let (near, woken) = UnixStream::pair().expect("pair");
            near.set_nonblocking(true).expect("nonblocking");
            woken.set_read_timeout(Some(PATIENCE)).expect("timeout");
            let log = Log::open(&job, 1 << 30, 0, Waker::from(near)).expect("open");
            Self { _folder: folder, job, away, log, woken, written: Vec::new() }
        }

        fn append(&mut self, length: usize) {
            let from = self.written.len();
            self.written.extend((from..from + length).map(|i| (i / 7 % 251) as u8));
            self.log.append(&self.written[from..]);
        }

        /// No segment can be made where no folder is; a test that runs as root has no other way.
        fn fail(&self, fails: bool) {
            match (fails, self.job.exists()) {
                (true, true) => {
                    std::fs::rename(&self.job, &self.away).expect("rename");
                    self.log.ask(PATIENCE, |desk, _| desk.segments.let_go()).expect("an answer");
                }
                (false, false) => std::fs::rename(&self.away, &self.job).expect("rename"),
                (true, false) | (false, true) => {}
            }
        }

        /// The disk does not answer until the sender goes.
        fn hang(&self) -> mpsc::Sender<()> {
            let (go, gone) = mpsc::channel::<()>();
            let (there, hangs) = mpsc::channel();
            let mut state = self.log.shared.lock();
            state.jobs.push_back(Box::new(move |_, _| {
                there.send(()).expect("a test that waits");
                let _ = gone.recv();
            }));
            self.log.shared.set_to_work(state);
            hangs.recv_timeout(PATIENCE).expect("a thread");
            go
        }

        /// Every byte is in its place or in a gap; says how many are in gaps.
        fn missing(&self) -> u64 {
            let mut names: Vec<_> = std::fs::read_dir(&self.job)
                .expect("folder")
                .filter_map(|e| e.expect("entry").file_name().into_string().ok())
                // The link, and what it is made of where the folder went in the middle of that.
                .filter(|name| name.starts_with("output.") && name != "output.log")
                .collect();
            names.sort();
            let (mut at, mut missing) = (0, 0);
            for name in names {
                let start: usize =
                    name["output.".len()..name.len() - ".log".len()].parse().expect("a segment");
                let bytes = std::fs::read(self.job.join(name)).expect("segment");
                assert!(start >= at, "nothing twice");
                missing += start - at;
                at = start + bytes.len();
                assert!(bytes == self.written[start..at], "every byte in its place");
            }
            assert_eq!(at, self.written.len(), "the last byte is there");
            missing as u64
        }
    }

    #[test]
    fn what_a_disk_did_not_take_is_written_when_it_works_again_though_nothing_follows() {
        let mut rig = Rig::new();
        rig.append(10);
        rig.log.settle();
        rig.fail(true);
        rig.append(100_000);
        rig.append(LIMIT / 2);
        rig.woken.read_exact(&mut [0]).expect("word of the failure");
        assert!(rig.log.take_news() && !rig.log.take_news());
        assert_eq!(rig.log.losses(), (0, nix::libc::ENOENT as u16));
        rig.log.rest();
        let tail = rig.log.tail(200_000);
        assert_eq!(tail.0 + 200_000, rig.log.offset());
        assert!(tail.1 == rig.written[rig.written.len() - 200_000..], "scrollback has what waits");
        let unwritten: Vec<u8> = rig.log.unwritten().into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert!(unwritten == rig.written[10..], "and so do followers");
        rig.fail(false);
        rig.woken.read_exact(&mut [0]).expect("word that it works");
        rig.log.settle();
        assert_eq!((rig.log.losses(), rig.missing()), ((0, 0), 0));
        assert_eq!(rig.log.unwritten(), []);
    }

    #[test]
    fn a_disk_that_hangs_holds_up_nobody_and_gets_all_that_fits_when_it_answers() {
        let mut rig = Rig::new();
        rig.append(10);
        let go = rig.hang();
        assert_eq!(rig.log.pace(), Ok(()));
        rig.append(PAUSE_AT);
        let until = rig.log.pace().expect_err("one that may just be slow sets the pace");
        assert!(until <= Instant::now() + HANGS);
        rig.log.settle();
        let start = Instant::now();
        rig.append(LIMIT);
        assert_eq!(rig.log.losses(), (PAUSE_AT as u64, TIMED_OUT), "only what exceeds the bound");
        for _ in 0..10 {
            rig.log.settle();
            assert!(
                rig.log.tail(99) == (rig.log.offset() - 99, rig.written[rig.written.len() - 99..].to_vec())
            );
            assert_eq!(rig.log.unwritten().len(), 1);
        }
        assert!(start.elapsed() < STUCK, "one that is known to hang is not waited for");
        drop(go);
        rig.woken.read_exact(&mut [0]).expect("word that there is room");
        rig.log.close(PATIENCE);
        assert_eq!((rig.log.losses().0, rig.missing()), (PAUSE_AT as u64, PAUSE_AT as u64));
    }

    #[test]
    fn a_disk_that_hangs_for_ever_does_not_hold_up_the_end() {
        let mut rig = Rig::new();
        rig.append(10);
        rig.log.settle();
        let _go = rig.hang();
        rig.append(1000);
        let start = Instant::now();
        rig.log.close(STUCK);
        assert_eq!(rig.log.losses(), (1000, TIMED_OUT));
        let error = rig.log.beside(PATIENCE, || Ok(())).expect_err("nothing can be written");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn silence_ends_the_thread_and_frees_what_it_took() {
        let mut rig = Rig::new();
        for _ in 0..3 {
            rig.append(LIMIT);
            rig.log.settle();
            rig.log.rest();
            let start = Instant::now();
            while rig.log.shared.lock().running {
                assert!(start.elapsed() < PATIENCE, "the thread does not go");
                std::thread::yield_now();
            }
            assert_eq!(rig.log.shared.lock().queue.capacity(), 0);
        }
        assert_eq!(rig.missing(), 0);
    }

    #[test]
    fn a_log_that_is_gone_leaves_no_thread_even_on_a_disk_that_fails() {
        for fails in [false, true] {
            let mut rig = Rig::new();
            rig.append(10);
            rig.log.settle();
            rig.fail(fails);
            rig.append(10);
            if fails {
                rig.woken.read_exact(&mut [0]).expect("word of the failure");
            }
            let Rig { _folder, log, .. } = rig;
            let shared = std::sync::Arc::downgrade(&log.shared);
            drop(log);
            let start = Instant::now();
            while shared.strong_count() > 0 {
                assert!(start.elapsed() < PATIENCE, "the thread does not go");
                std::thread::yield_now();
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Does {
        Append(usize),
        Fail(bool),
        Settle,
        Rest,
    }

    fn does() -> impl Strategy<Value = Does> {
        prop_oneof![
            4 => (1..PAUSE_AT / 4).prop_map(Does::Append),
            2 => any::<bool>().prop_map(Does::Fail),
            1 => Just(Does::Settle),
            1 => Just(Does::Rest),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_byte_is_logged_in_its_place_or_counted(steps in prop::collection::vec(does(), 1..24)) {
            let mut rig = Rig::new();
            let (mut at_risk, mut fails) = (0, false);
            for step in steps {
                match step {
                    Does::Append(length) => {
                        rig.append(length);
                        at_risk += length;
                    }
                    Does::Fail(yes) => {
                        rig.fail(yes);
                        fails = yes;
                    }
                    Does::Settle => {
                        rig.log.settle();
                        if !fails && rig.log.losses().1 == 0 {
                            at_risk = 0;
                        }
                    }
                    Does::Rest => rig.log.rest(),
                }
            }
            rig.append(1);
            rig.fail(false);
            rig.log.close(PATIENCE);
            prop_assert_eq!(rig.log.losses(), (rig.missing(), 0));
            prop_assert!(at_risk >= LIMIT || rig.missing() == 0, "nothing is lost below the bound");
        }
    }
}
