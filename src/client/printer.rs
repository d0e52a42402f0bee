//! Turns a session's output into what is printed of it: raw, harmless, plain, or as JSON lines; all of it, or the
//! lines in which an expression is found.

use super::strip::{Harmless, Plain, harmless, plain};
use regex_lite::Regex;
use serde::Serialize;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it was written, as it comes.
    Raw,
    /// As it was written, line by line.
    RawLines,
    /// Text and colours.
    Harmless,
    /// Text only.
    Plain,
    /// An object a line.
    Json,
}

/// See the module.
pub struct Printer {
    mode: Mode,
    grep: Option<Regex>,
    harmless: Harmless,
    plain: Plain,
    /// The line that is not over yet, and where it began.
    line: Vec<u8>,
    at: u64,
}

/// A line without an end is taken as over here, so that memory stays bounded.
const LONGEST: usize = 1 << 20;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    next: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<u64>,
}

impl Printer {
    /// In this mode; with `grep`, only lines that match it.
    pub fn new(mode: Mode, grep: Option<Regex>) -> Self {
        Self { mode, grep, harmless: Harmless::default(), plain: Plain::default(), line: Vec::new(), at: 0 }
    }

    fn is_by_line(&self) -> bool {
        self.grep.is_some() || matches!(self.mode, Mode::Json | Mode::RawLines)
    }

    /// What to print of `bytes`, whose first has the offset `at`.
    pub fn feed(&mut self, at: u64, bytes: &[u8]) -> Vec<u8> {
        if !self.is_by_line() {
            return match self.mode {
                Mode::Raw | Mode::RawLines | Mode::Json => bytes.to_vec(),
                Mode::Harmless => self.harmless.feed(bytes),
                Mode::Plain => self.plain.feed(bytes),
            };
        }
        let mut out = Vec::new();
        let mut at = at;
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            if self.line.is_empty() {
                self.at = at;
            }
            self.line.extend_from_slice(piece);
            at += piece.len() as u64;
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST {
                self.end_line(&mut out);
            }
        }
        out
    }

    /// Bytes are missing here: a line that they cut is over.
    pub fn gap(&mut self, at: u64, bytes: u64) -> Vec<u8> {
        let mut out = self.rest();
        if self.mode == Mode::Json {
            json(&mut out, &Line { offset: Some(at), next: at + bytes, text: None, gap: Some(bytes) });
        }
        out
    }

    /// The end, before the offset `next`.
    pub fn finish(&mut self, next: u64) -> Vec<u8> {
        let mut out = self.rest();
        if self.mode == Mode::Json {
            json(&mut out, &Line { offset: None, next, text: None, gap: None });
        }
        out
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_by_line() {
            if !self.line.is_empty() {
                self.end_line(&mut out);
            }
            return out;
        }
        match self.mode {
            Mode::Raw | Mode::RawLines | Mode::Json => {}
            Mode::Harmless => out.extend_from_slice(&self.harmless.finish()),
            Mode::Plain => {
                out = self.plain.finish();
                if !out.is_empty() {
                    out.push(b'\n');
                }
            }
        }
        out
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let flat = plain(&line);
        let text = String::from_utf8_lossy(&flat);
        let text = text.trim_end_matches('\n');
        if self.grep.as_ref().is_some_and(|re| !re.is_match(text)) {
            return;
        }
        match self.mode {
            Mode::Raw | Mode::RawLines => out.extend_from_slice(&line),
            Mode::Harmless => out.extend(harmless(&line)),
            Mode::Plain => {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
            }
            Mode::Json => {
                let next = self.at + line.len() as u64;
                json(out, &Line { offset: Some(self.at), next, text: Some(text), gap: None });
            }
        }
    }
}

fn json(out: &mut Vec<u8>, line: &Line<'_>) {
    // Numbers and text always are JSON.
    if let Ok(text) = serde_json::to_vec(line) {
        out.extend(text);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(mode: Mode, grep: Option<&str>, cut: usize) -> String {
        let input = b"\x1b[31mfirst\x1b[m\r\nsecond\r\nfir\x1b[1mst\x1b[m again\r\nrest";
        let mut printer = Printer::new(mode, grep.map(|g| Regex::new(g).expect("expression")));
        let (mut out, mut at) = (Vec::new(), 100);
        for piece in input.chunks(cut) {
            out.extend(printer.feed(at, piece));
            at += piece.len() as u64;
        }
        out.extend(printer.finish(at));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lines_are_found_by_what_they_show_in_pieces_of_any_size() {
        for cut in 1..20 {
            assert_eq!(printed(Mode::Plain, Some("^first"), cut), "first\nfirst again\n");
            assert_eq!(printed(Mode::Plain, None, cut), "first\nsecond\nfirst again\nrest\n");
            assert_eq!(printed(Mode::RawLines, Some("rest|second"), cut), "second\r\nrest");
            assert_eq!(printed(Mode::Harmless, Some("second"), cut), "second\r\n");
        }
    }

    #[test]
    fn json_lines_carry_offsets_to_go_on_from() {
        assert_eq!(
            printed(Mode::Json, Some("second"), 3),
            "{\"offset\":115,\"next\":123,\"text\":\"second\"}\n{\"next\":147}\n"
        );
        let mut printer = Printer::new(Mode::Json, None);
        assert_eq!(printer.feed(0, b"cut"), b"");
        let gap = String::from_utf8(printer.gap(3, 7)).expect("text");
        assert_eq!(gap, "{\"offset\":0,\"next\":3,\"text\":\"cut\"}\n{\"offset\":3,\"next\":10,\"gap\":7}\n");
    }
}
