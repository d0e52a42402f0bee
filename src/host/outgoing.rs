//! What a client has not taken yet.

use std::io::{self, IoSlice, Write};
use std::os::unix::net::UnixStream;

/// Bytes on their way to one client: written at once as far as its socket takes them, kept otherwise.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    taken: usize,
}

/// Parts that are written without being copied together.
const PARTS: usize = 8;

impl Outgoing {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends `parts`, one after the other, behind what waits.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn send(&mut self, stream: &UnixStream, parts: &[&[u8]]) -> io::Result<()> {
        let mut written = 0;
        if self.is_empty() {
            written = if parts.len() <= PARTS {
                let mut slices = [IoSlice::new(&[]); PARTS];
                for (slice, part) in slices.iter_mut().zip(parts) {
                    *slice = IoSlice::new(part);
                }
                progress((&mut &*stream).write_vectored(&slices[..parts.len()]))?
            } else {
                progress((&mut &*stream).write(&parts.concat()))?
            };
        }
        for part in parts {
            let skip = written.min(part.len());
            written -= skip;
            self.bytes.extend_from_slice(&part[skip..]);
        }
        Ok(())
    }

    /// Sends on what waits. True where the client took something.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn flush(&mut self, mut stream: &UnixStream) -> io::Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let written = progress(stream.write(&self.bytes[self.taken..]))?;
        self.taken += written;
        if self.is_empty() {
            // A client that keeps up holds no memory.
            *self = Self::default();
        } else if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        Ok(written > 0)
    }
}

/// A full socket is no progress, and no error either.
fn progress(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    proptest! {
        #[test]
        fn what_is_sent_arrives_whole_and_in_order(
            pieces in prop::collection::vec((prop::collection::vec(0usize..40_000, 0..12), any::<bool>()), 1..12),
        ) {
            let (near, mut far) = UnixStream::pair().expect("pair");
            near.set_nonblocking(true).expect("nonblocking");
            far.set_nonblocking(true).expect("nonblocking");
            let (mut out, mut expected, mut got) = (Outgoing::default(), Vec::new(), Vec::new());
            let mut read_all = |got: &mut Vec<u8>| {
                let mut buffer = [0; 65_536];
                while let Ok(n @ 1..) = far.read(&mut buffer) {
                    got.extend_from_slice(&buffer[..n]);
                }
            };
            for (lengths, drain) in pieces {
                let parts: Vec<Vec<u8>> =
                    lengths.iter().map(|n| (0..*n).map(|i| (i * 7 + n) as u8).collect()).collect();
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                out.send(&near, &parts).expect("send");
                expected.extend(parts.concat());
                if drain {
                    read_all(&mut got);
                    out.flush(&near).expect("flush");
                }
            }
            while !out.is_empty() {
                read_all(&mut got);
                out.flush(&near).expect("flush");
            }
            read_all(&mut got);
            prop_assert!(got == expected);
        }
    }
}
