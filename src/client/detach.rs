//! Watches what is typed for the key that detaches.
//!
//! A key is a chord with Ctrl, or such a prefix and one more key. A terminal may send either as its classic byte, or
//! as `CSI code;modifiers u` (kitty keyboard) or `CSI 27;modifiers;code ~` (modifyOtherKeys) once the program inside
//! has asked for that. What is pasted is never a key.
//!
//! The prefix is held back until the next key decides: the second key detaches; the prefix again sends it once; any
//! other key sends both. An escape sequence may be cut anywhere between two reads; it is held back from its first
//! digit on, and never from a bare ESC on, which is a key by itself.

use crate::config::{DetachKey, Key};

/// What a piece of input comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Nothing to see; the bytes for the session have been appended.
    Forward,
    /// The detach key was typed; what came before it has been appended, what came after it is dropped.
    Detach,
}

/// See the module.
#[derive(Debug)]
pub struct Recogniser {
    key: Option<DetachKey>,
    /// A prefix that waits for its second key, as it was received.
    prefix: Option<Vec<u8>>,
    /// The start of an escape sequence.
    sequence: Vec<u8>,
    /// Of `sequence`, so many bytes went to the session already.
    forwarded: usize,
    pasting: bool,
}

/// A longer escape sequence is no key.
const LONGEST: usize = 64;

impl Recogniser {
    /// `None`: nothing detaches.
    pub fn new(key: Option<DetachKey>) -> Self {
        Self { key, prefix: None, sequence: Vec::new(), forwarded: 0, pasting: false }
    }

    /// Looks at input; what is for the session is appended to `out`.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Typed {
        let Some(key) = self.key.take() else {
            out.extend_from_slice(input);
            return Typed::Forward;
        };
        let typed = self.feed_keys(&key, input, out);
        self.key = Some(key);
        typed
    }

    fn feed_keys(&mut self, key: &DetachKey, input: &[u8], out: &mut Vec<u8>) -> Typed {
        for &byte in input {
            let typed = if self.sequence.is_empty() && byte != 0x1b {
                self.plain(key, byte, out)
            } else {
                self.escape(key, byte, out)
            };
            if typed == Typed::Detach {
                return Typed::Detach;
            }
        }
        // A bare ESC, or ESC and a bracket, is what a person types: it cannot wait for more, unless it follows a
        // prefix, which waits anyway.
        if self.prefix.is_none() && (1..=2).contains(&self.sequence.len()) {
            out.extend_from_slice(&self.sequence[self.forwarded..]);
            self.forwarded = self.sequence.len();
        }
        Typed::Forward
    }

    fn plain(&mut self, key: &DetachKey, byte: u8, out: &mut Vec<u8>) -> Typed {
        if self.pasting {
            out.push(byte);
            return Typed::Forward;
        }
        self.judge(key, &[byte], 0, |k| k.byte() == byte, out)
    }

    /// Decides about one whole key, which was received as `raw`, of which `gone` bytes were sent on already.
    fn judge(
        &mut self,
        key: &DetachKey,
        raw: &[u8],
        gone: usize,
        is: impl Fn(Key) -> bool,
        out: &mut Vec<u8>,
    ) -> Typed {
        match (self.prefix.take(), key.second) {
            (Some(_), Some(then)) if is(then) => Typed::Detach,
            // Twice the prefix is the prefix once, for the session.
            (Some(_), Some(_)) if is(key.first) => {
                out.extend_from_slice(&raw[gone..]);
                Typed::Forward
            }
            (Some(prefix), _) => {
                out.extend_from_slice(&prefix);
                out.extend_from_slice(&raw[gone..]);
                Typed::Forward
            }
            (None, Some(_)) if is(key.first) => {
                // Cut so early that its start is gone: the rest must follow, or the session would see a torso.
                if gone > 0 {
                    out.extend_from_slice(&raw[gone..]);
                    self.prefix = Some(Vec::new());
                } else {
                    self.prefix = Some(raw.to_vec());
                }
                Typed::Forward
            }
            (None, None) if is(key.first) => Typed::Detach,
            (None, _) => {
                out.extend_from_slice(&raw[gone..]);
                Typed::Forward
            }
        }
    }

    fn escape(&mut self, key: &DetachKey, byte: u8, out: &mut Vec<u8>) -> Typed {
        if byte == 0x1b && !self.sequence.is_empty() {
            // A new one begins; the old one was none.
            self.flush(out);
        }
        self.sequence.push(byte);
        match self.sequence.len() {
            1 => Typed::Forward,
            2 if byte == b'[' => Typed::Forward,
            2 => {
                // Alt with a key.
                self.drop_prefix(out);
                self.flush(out);
                Typed::Forward
            }
            n => {
                if matches!(byte, 0x40..=0x7e) {
                    return self.whole(key, out);
                }
                if !matches!(byte, 0x20..=0x3f) || n > LONGEST {
                    self.drop_prefix(out);
                    self.flush(out);
                }
                Typed::Forward
            }
        }
    }

    fn whole(&mut self, key: &DetachKey, out: &mut Vec<u8>) -> Typed {
        let raw = std::mem::take(&mut self.sequence);
        let gone = std::mem::take(&mut self.forwarded);
        let body = &raw[2..];
        if body == b"200~" || body == b"201~" {
            self.drop_prefix(out);
            self.pasting = body == b"200~";
        } else if !self.pasting
            && let Some(report) = Report::parse(body)
        {
            if report.is_modifier() || (report.released && self.prefix.is_some()) {
                // Letting go of the prefix, or pressing Shift for the second key, is no second key. The session
                // never saw the prefix go down, so it need not see it come up.
                if report.is_modifier() {
                    out.extend_from_slice(&raw[gone..]);
                }
                return Typed::Forward;
            }
            if !report.released {
                return self.judge(key, &raw, gone, |k| report.is(k), out);
            }
        } else {
            // A mouse, focus or terminal report is no second key either, but a function key is.
            let report = matches!(body, [b'<', ..] | [b'?', ..] | [b'>', ..] | b"I" | b"O")
                || matches!(body.last(), Some(b'R' | b'c' | b'n' | b't' | b'y'));
            if !report {
                self.drop_prefix(out);
            }
        }
        out.extend_from_slice(&raw[gone..]);
        Typed::Forward
    }

    /// The prefix was followed by something else: the session gets it.
    fn drop_prefix(&mut self, out: &mut Vec<u8>) {
        if let Some(prefix) = self.prefix.take() {
            out.extend_from_slice(&prefix);
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence[self.forwarded..]);
        self.sequence.clear();
        self.forwarded = 0;
    }
}

/// A key as a terminal reports it in an escape sequence.
struct Report {
    codes: Vec<u32>,
    modifiers: u32,
    released: bool,
}

impl Report {
    /// From what follows `CSI`.
    fn parse(body: &[u8]) -> Option<Self> {
        let (&last, fields) = body.split_last()?;
        let fields = std::str::from_utf8(fields).ok()?;
        let mut fields = fields.split(';');
        let numbers = |field: Option<&str>| -> Vec<u32> {
            field.unwrap_or("").split(':').filter_map(|n| n.parse().ok()).collect()
        };
        let (codes, modifiers) = match last {
            b'u' => {
                let codes = numbers(fields.next());
                (codes, numbers(fields.next()))
            }
            b'~' if fields.next() == Some("27") => {
                let modifiers = numbers(fields.next());
                (numbers(fields.next()), modifiers)
            }
            _ => return None,
        };
        if codes.is_empty() {
            return None;
        }
        Some(Self {
            codes,
            modifiers: modifiers.first().copied().unwrap_or(1).saturating_sub(1),
            released: modifiers.get(1) == Some(&3),
        })
    }

    /// Whether it is this key: by its own code, the shifted one or that of the base layout. Caps lock and num lock
    /// (64, 128) do not count.
    fn is(&self, key: Key) -> bool {
        let held = self.modifiers & !(64 | 128);
        held == if key.ctrl { 4 } else { 0 } && self.codes.contains(&u32::from(key.char))
    }

    /// Shift, Ctrl and their kin, reported by themselves.
    fn is_modifier(&self) -> bool {
        self.codes.first().is_some_and(|c| (57441..=57454).contains(c) || matches!(c, 57358..=57360))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All of `input` in pieces of `cut` bytes: what the session gets, and whether it detached.
    fn typed(key: &str, input: &[u8], cut: usize) -> (Vec<u8>, bool) {
        let mut recogniser = Recogniser::new(Some(DetachKey::parse(key).expect("key")));
        let mut out = Vec::new();
        let detached = input.chunks(cut).any(|c| recogniser.feed(c, &mut out) == Typed::Detach);
        (out, detached)
    }

    #[test]
    fn the_default_key_detaches_in_every_encoding_at_every_cut() {
        let inputs: &[&[u8]] = &[
            b"\x1cd",
            b"\x1b[92;5ud",
            b"\x1b[92;5u\x1b[92;5:3ud",
            b"\x1b[92;133u\x1b[100u",
            b"\x1b[92;5:1u\x1b[57442;5:3u\x1b[100;1:1u",
            b"\x1b[27;5;92~d",
            b"\x1b[1092:124:92;5ud",
            b"\x1c\x1b[Id",
            b"\x1c\x1b[<35;1;1Md",
        ];
        for input in inputs {
            for cut in 1..=input.len() {
                assert!(
                    typed("ctrl-\\ d", input, cut).1,
                    "{:?} cut at {cut}",
                    input.escape_ascii().to_string()
                );
            }
            let mut out = Vec::new();
            let mut recogniser = Recogniser::new(Some(DetachKey::default()));
            assert_eq!(recogniser.feed(input, &mut out), Typed::Detach);
            assert!(
                !out.windows(2).any(|w| w == b"92"),
                "the session saw the prefix of {:?}",
                out.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn what_is_not_the_key_reaches_the_session_whole() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"hello\r", b"hello\r"),
            (b"\x1c\x1c", b"\x1c"),
            (b"\x1c\x1cd", b"\x1cd"),
            (b"\x1cx", b"\x1cx"),
            (b"\x1b[92;5u\x1b[92;5u", b"\x1b[92;5u"),
            (b"\x1b[200~\x1cd\x1b[201~", b"\x1b[200~\x1cd\x1b[201~"),
            (b"\x1b[92;6ud", b"\x1b[92;6ud"),
            (b"\x1b[A\x1bOP\x1bd", b"\x1b[A\x1bOP\x1bd"),
            (b"\x1c\x1b[A", b"\x1c\x1b[A"),
            (b"\x1b\x1b[A", b"\x1b\x1b[A"),
        ];
        for (input, expected) in cases {
            let (out, detached) = typed("ctrl-\\ d", input, input.len());
            assert!(!detached);
            assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn escape_alone_is_not_held_back() {
        assert_eq!(typed("ctrl-\\ d", b"\x1b", 1).0, b"\x1b");
        assert_eq!(typed("ctrl-\\ d", b"\x1b[", 2).0, b"\x1b[");
    }

    #[test]
    fn a_single_chord_detaches_at_once() {
        assert_eq!(typed("ctrl-q", b"a\x11b", 3), (b"a".to_vec(), true));
    }

    proptest! {
        #[test]
        fn without_the_prefix_every_byte_arrives_in_order(
            bytes in prop::collection::vec(prop_oneof![Just(0x1bu8), Just(b'['), b'0'..b';', any::<u8>()], 0..200),
            cut in 1usize..9,
        ) {
            // Neither the prefix's byte nor a report of it, so that nothing may be taken out.
            let bytes: Vec<u8> = bytes.into_iter().filter(|&b| b != 0x1c && b != b'u' && b != b'~').collect();
            let mut recogniser = Recogniser::new(Some(DetachKey::default()));
            let mut out = Vec::new();
            for chunk in bytes.chunks(cut) {
                prop_assert_eq!(recogniser.feed(chunk, &mut out), Typed::Forward);
            }
            recogniser.flush(&mut out);
            prop_assert_eq!(out, bytes);
        }
    }
}
