//! What waits to be written to one client. Bounded: a client that does not read is dropped, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

/// Bytes that may wait for one client: more than its largest answer, which it has surely begun to read then.
pub(super) const LIMIT: usize = 2 * crate::wire::frame::MAX_PAYLOAD;

/// The end into which answers are put; any number of clones.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    queued: AtomicUsize,
    overflow: Notify,
}

/// The end that writes.
#[derive(Debug)]
pub(super) struct Drain {
    frames: mpsc::UnboundedReceiver<Vec<u8>>,
    state: Arc<State>,
}

/// A queue for one client.
pub(super) fn channel() -> (Outbox, Drain) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let state = Arc::new(State::default());
    (Outbox { frames: sender, state: Arc::clone(&state) }, Drain { frames: receiver, state })
}

impl Outbox {
    /// Queues a frame. False where the client is gone, or is being dropped because it does not read.
    pub(super) fn push(&self, frame: Vec<u8>) -> bool {
        let size = frame.len();
        let before = self.state.queued.fetch_add(size, Ordering::Relaxed);
        if before + size > LIMIT {
            // Stays over the limit, so that nothing of what follows can slip in after a gap.
            self.state.queued.fetch_add(LIMIT, Ordering::Relaxed);
            self.state.overflow.notify_one();
            return false;
        }
        self.frames.send(frame).is_ok()
    }
}

/// Why writing ended.
#[derive(Debug)]
pub(super) enum WriteEnd {
    /// The client does not read.
    Overflow,
    /// The connection broke.
    Broken,
    /// Nobody will put anything in any more, and all of it is written.
    Closed,
}

impl Drain {
    /// Writes until that ends.
    pub(super) async fn run(&mut self, mut socket: impl AsyncWrite + Unpin) -> WriteEnd {
        loop {
            let frame = tokio::select! {
                biased;
                () = self.state.overflow.notified() => return WriteEnd::Overflow,
                frame = self.frames.recv() => frame,
            };
            let Some(frame) = frame else { return WriteEnd::Closed };
            let written = tokio::select! {
                biased;
                () = self.state.overflow.notified() => return WriteEnd::Overflow,
                written = socket.write_all(&frame) => written,
            };
            if written.is_err() {
                return WriteEnd::Broken;
            }
            self.state.queued.fetch_sub(frame.len(), Ordering::Relaxed);
        }
    }

    /// Writes what is queued already, for as long as the client takes it at once.
    pub(super) fn rest(&mut self, socket: &tokio::net::unix::OwnedWriteHalf) {
        while let Ok(frame) = self.frames.try_recv() {
            if !matches!(socket.try_write(&frame), Ok(n) if n == frame.len()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(test);
    }

    #[test]
    fn a_client_that_does_not_read_is_dropped_at_the_limit() {
        run(async {
            let (near, _far) = tokio::io::duplex(1);
            let (outbox, mut drain) = channel();
            let writer = tokio::spawn(async move { drain.run(near).await });
            let frame = vec![0; LIMIT / 4];
            let taken = (0..6).filter(|_| outbox.push(frame.clone())).count();
            assert_eq!(taken, 4);
            assert!(!outbox.push(vec![0]), "nothing slips in after a gap");
            assert!(matches!(writer.await.expect("joined"), WriteEnd::Overflow));
        });
    }

    #[test]
    fn what_was_read_makes_room() {
        run(async {
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let (outbox, mut drain) = channel();
            let writer = tokio::spawn(async move { drain.run(near).await });
            let mut read = vec![0; LIMIT / 2];
            for _ in 0..8 {
                assert!(outbox.push(vec![7; LIMIT / 2]));
                far.read_exact(&mut read).await.expect("read");
            }
            drop(outbox);
            assert!(matches!(writer.await.expect("joined"), WriteEnd::Closed));
        });
    }
}
