//! What is typed: by terminals, by `Send`, and by the host itself where it answers a query.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes that wait at most while the session does not read.
pub(super) const LIMIT: usize = 1 << 20;
/// Requests whose repetition is known.
const REMEMBERED: usize = 64;
/// Between a text and its Enter, for programs that read single keys: many take a carriage return that comes in one
/// piece with a text for a part of that text.
const BEFORE_ENTER: Duration = Duration::from_millis(250);

/// Where typed bytes go.
pub(super) trait Keyboard {
    /// Types as much as there is room for.
    fn press(&self, bytes: &[u8]) -> std::io::Result<usize>;
}

impl Keyboard for crate::sys::pty::Pty {
    fn press(&self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write(bytes)
    }
}

/// Bytes that wait until the session reads, in the order in which they were typed.
#[derive(Debug, Default)]
pub(super) struct Input {
    queue: VecDeque<Item>,
    waiting: usize,
    pause_ends: Option<Instant>,
    done: VecDeque<[u8; 16]>,
}

#[derive(Debug)]
enum Item {
    Bytes(Vec<u8>),
    Pause(Duration),
}

impl Input {
    /// Bytes that wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= LIMIT
    }

    /// The terminal should be watched for room.
    pub(super) fn wants_room(&self) -> bool {
        matches!(self.queue.front(), Some(Item::Bytes(_)))
    }

    /// When a pause ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pause_ends
    }

    /// Types `bytes` behind what waits.
    pub(super) fn push(&mut self, keyboard: &impl Keyboard, bytes: &[u8], now: Instant) {
        let typed = if self.queue.is_empty() { keyboard.press(bytes).unwrap_or(0) } else { 0 };
        self.keep(&bytes[typed..]);
        if typed < bytes.len() {
            self.flush(keyboard, now);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.waiting += bytes.len();
        match self.queue.back_mut() {
            Some(Item::Bytes(last)) => last.extend_from_slice(bytes),
            Some(Item::Pause(_)) | None => self.queue.push_back(Item::Bytes(bytes.to_vec())),
        }
    }

    /// This request was done before.
    pub(super) fn was_done(&self, request: [u8; 16]) -> bool {
        self.done.contains(&request)
    }

    /// Types a text for this request, with an Enter behind it where `enter` is set, after a pause where
    /// `single_keys` are read. False, and nothing typed, where there is no room.
    pub(super) fn send(
        &mut self,
        keyboard: &impl Keyboard,
        request: [u8; 16],
        text: &[u8],
        enter: Option<Enter>,
        now: Instant,
    ) -> bool {
        if self.waiting + text.len() >= LIMIT {
            return false;
        }
        if self.done.len() == REMEMBERED {
            self.done.pop_front();
        }
        self.done.push_back(request);
        self.push(keyboard, text, now);
        match enter {
            None => {}
            Some(Enter::AtOnce) => self.push(keyboard, b"\r", now),
            Some(Enter::Apart) => {
                if !text.is_empty() {
                    self.queue.push_back(Item::Pause(BEFORE_ENTER));
                }
                self.keep(b"\r");
                self.flush(keyboard, now);
            }
        }
        true
    }

    /// Types on, as far as there is room and no pause.
    pub(super) fn flush(&mut self, keyboard: &impl Keyboard, now: Instant) {
        while let Some(item) = self.queue.front_mut() {
            match item {
                Item::Pause(length) => {
                    let ends = *self.pause_ends.get_or_insert(now + *length);
                    if now < ends {
                        return;
                    }
                    self.pause_ends = None;
                    self.queue.pop_front();
                }
                Item::Bytes(bytes) => {
                    let typed = keyboard.press(bytes).unwrap_or(0);
                    self.waiting -= typed;
                    if typed < bytes.len() {
                        bytes.drain(..typed);
                        return;
                    }
                    self.queue.pop_front();
                }
            }
        }
        // An idle session holds no memory for what was typed.
        self.queue = VecDeque::new();
    }
}

/// How the Enter behind a text is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enter {
    /// In one piece with the text: the program reads lines.
    AtOnce,
    /// A moment later.
    Apart,
}

/// `text` as one bracketed paste. What would end the paste early is taken out of it.
pub(super) fn bracketed(text: &[u8]) -> Vec<u8> {
    const END: &[u8] = b"\x1b[201~";
    let mut out = b"\x1b[200~".to_vec();
    let body = out.len();
    for byte in text {
        out.push(*byte);
        // Checked at each byte, since taking one out may join another.
        if out.len() - body >= END.len() && out.ends_with(END) {
            out.truncate(out.len() - END.len());
        }
    }
    out.extend_from_slice(END);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};

    /// Takes as many bytes as it has room for.
    #[derive(Default)]
    struct Fake {
        room: Cell<usize>,
        typed: RefCell<Vec<u8>>,
    }

    impl Keyboard for Fake {
        fn press(&self, bytes: &[u8]) -> std::io::Result<usize> {
            let n = bytes.len().min(self.room.get());
            self.room.set(self.room.get() - n);
            self.typed.borrow_mut().extend_from_slice(&bytes[..n]);
            if n == 0 && !bytes.is_empty() { Err(std::io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_is_lost_or_reordered(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..50), 0usize..80), 0..40),
        ) {
            let (fake, mut input, now) = (Fake::default(), Input::default(), Instant::now());
            let mut all = Vec::new();
            for (bytes, room) in &pieces {
                fake.room.set(*room);
                input.push(&fake, bytes, now);
                all.extend_from_slice(bytes);
            }
            fake.room.set(usize::MAX);
            input.flush(&fake, now);
            prop_assert_eq!(&*fake.typed.borrow(), &all);
            prop_assert!(!input.wants_room() && input.waiting == 0);
        }

        #[test]
        fn no_text_ends_its_own_paste(text in "[\\[\\]~0-2\u{1b}a]{0,60}") {
            let pasted = bracketed(text.as_bytes());
            let inner = &pasted[6..pasted.len() - 6];
            prop_assert!(!inner.windows(6).any(|w| w == b"\x1b[201~"));
        }
    }

    #[test]
    fn an_enter_comes_apart_from_its_text_and_later_typing_behind_it() {
        let (fake, mut input, now) = (Fake::default(), Input::default(), Instant::now());
        fake.room.set(usize::MAX);
        assert!(input.send(&fake, [1; 16], b"text", Some(Enter::Apart), now));
        input.push(&fake, b"later", now);
        assert_eq!(*fake.typed.borrow(), b"text");
        assert_eq!(input.deadline(), Some(now + BEFORE_ENTER));
        assert!(!input.wants_room());
        input.flush(&fake, now + BEFORE_ENTER);
        assert_eq!(*fake.typed.borrow(), b"text\rlater");
        assert_eq!(input.deadline(), None);
    }

    #[test]
    fn a_request_is_remembered_and_one_that_did_not_fit_is_not() {
        let (fake, mut input, now) = (Fake::default(), Input::default(), Instant::now());
        assert!(!input.send(&fake, [0; 16], &vec![b'x'; LIMIT], None, now));
        assert!(!input.was_done([0; 16]));
        for n in 1..=65 {
            assert!(input.send(&fake, [n; 16], b"x", None, now));
        }
        assert!(!input.was_done([1; 16]));
        assert!((2..=65).all(|n| input.was_done([n; 16])));
    }
}
