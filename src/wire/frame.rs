//! The frame of both protocols: a little-endian `u32` length of what follows, one type byte, the payload.

/// The largest payload of one frame, in bytes. A longer length on the wire is garbage or hostile and ends the
/// connection.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Length prefix and type byte.
pub const HEADER: usize = 5;

/// Why a byte stream stopped being frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is zero or above [`MAX_PAYLOAD`].
    #[error("a frame of {0} bytes: not this protocol, or a damaged stream")]
    Length(u32),
}

/// The header of a frame of type `kind` with `payload` bytes.
///
/// A payload above [`MAX_PAYLOAD`] is the caller's mistake: the other side will refuse it.
pub fn header(kind: u8, payload: usize) -> [u8; HEADER] {
    debug_assert!(payload <= MAX_PAYLOAD);
    let length = u32::try_from(payload + 1).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], kind]
}

/// Appends a whole frame to `out`.
pub fn push(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&header(kind, payload.len()));
    out.extend_from_slice(payload);
}

/// Type, payload, and the bytes that the whole frame takes.
pub type Split<'a> = (u8, &'a [u8], usize);

/// One frame at the start of `bytes`: its type, its payload and the bytes that it takes; `None` while incomplete.
///
/// # Errors
/// [`FrameError::Length`] where the prefix cannot be one.
pub fn split(bytes: &[u8]) -> Result<Option<Split<'_>>, FrameError> {
    let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*prefix);
    let size = length as usize;
    if size == 0 || size > MAX_PAYLOAD + 1 {
        return Err(FrameError::Length(length));
    }
    let Some(body) = bytes.get(4..4 + size) else { return Ok(None) };
    Ok(Some((body[0], &body[1..], 4 + size)))
}

/// Collects bytes as they arrive and hands out whole frames.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    /// Adds what was read.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that are held and not handed out yet.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// As [`split`]; the stream cannot be read on after that.
    pub fn next_frame(&mut self) -> Result<Option<(u8, &[u8])>, FrameError> {
        match split(&self.bytes[self.taken..])? {
            Some((kind, payload, size)) => {
                let start = self.taken + HEADER;
                let len = payload.len();
                self.taken += size;
                Ok(Some((kind, &self.bytes[start..start + len])))
            }
            None => {
                self.bytes.drain(..self.taken);
                self.taken = 0;
                if self.bytes.is_empty() {
                    // An idle connection keeps no buffer.
                    self.bytes = Vec::new();
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_any_chunking(
            frames in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            cuts in prop::collection::vec(1usize..64, 1..200),
        ) {
            let mut stream = Vec::new();
            for (kind, payload) in &frames {
                push(&mut stream, *kind, payload);
            }
            let (mut inbox, mut got, mut rest) = (Inbox::default(), Vec::new(), stream.as_slice());
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let n = (*cuts.next().expect("cycle")).min(rest.len());
                inbox.extend(&rest[..n]);
                rest = &rest[n..];
                while let Some((kind, payload)) = inbox.next_frame().expect("valid") {
                    got.push((kind, payload.to_vec()));
                }
            }
            prop_assert_eq!(got, frames);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut inbox = Inbox::default();
            inbox.extend(&bytes);
            while let Ok(Some(_)) = inbox.next_frame() {}
        }
    }

    #[test]
    fn an_impossible_length_is_refused() {
        assert_eq!(split(&[0, 0, 0, 0, 9]), Err(FrameError::Length(0)));
        assert!(split(b"GET / HTTP/1.1\r\n").is_err());
    }
}
