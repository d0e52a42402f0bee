//! A piece of output on its way: to the terminals first, then to the log, then to the screen.

use super::clients::{LAG, Role};
use super::event_loop::{BATCH, Host};
use super::scan::{Found, Query};
use super::screen;
use crate::wire::frame;
use crate::wire::host::{OUTPUT, Reply};
use std::io;
use std::time::Instant;

/// A read that yields less has emptied the terminal: what the kernel hands out at once at most.
const FULL_READ: usize = 4095;
/// Followers that lag so far are dropped; they come again and read on from the log.
const FOLLOWER_LAG: usize = 4 << 20;
/// Type byte of a follower's data.
const DATA: u8 = 0x83;
/// Cancels a control sequence of which a terminal has seen the beginning.
const CANCEL: &[u8] = b"\x18";

impl Host {
    /// Reads what the session wrote: once if that was all, and on to a whole batch in a flood.
    pub(super) fn read_output(&mut self, now: Instant) {
        let length = self.fill_batch();
        if length > 0 {
            let batch = std::mem::take(&mut self.batch);
            self.deliver(&batch[..length], now);
            self.batch = batch;
        }
    }

    /// Reads on until there is nothing more, whatever the pace.
    pub(super) fn drain_output(&mut self, now: Instant) {
        loop {
            let length = self.fill_batch();
            if length == 0 {
                return;
            }
            let batch = std::mem::take(&mut self.batch);
            self.deliver(&batch[..length], now);
            self.batch = batch;
        }
    }

    fn fill_batch(&mut self) -> usize {
        let mut length = 0;
        loop {
            match self.pty.read(&mut self.batch[length..]) {
                Ok(0) => return length,
                Ok(n) => {
                    length += n;
                    if n < FULL_READ {
                        return length;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Nothing more, or (where no slave is open) the end.
                Err(_) => return length,
            }
            if self.batch.len() < BATCH.1 {
                self.batch.resize(BATCH.1, 0);
            }
            if self.batch.len() - length < FULL_READ {
                return length;
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8], now: Instant) {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        self.scanner.scan(bytes, &mut found);
        let lead = self.lead();
        self.show(bytes, &found, lead, now);
        self.pass_on(bytes, now);
        let offset = self.log.offset();
        self.log.append(bytes);
        self.feed_screen(bytes, &found, lead.is_some(), now);
        self.learn(&found, offset);
        self.found = found;
        self.passed(now);
        self.reporter.saw_output(now);
    }

    /// The terminal that answers the session's queries: the last active that may type and keeps up.
    fn lead(&self) -> Option<usize> {
        let typing = self.clients.iter().enumerate().filter_map(|(place, c)| {
            let t = c.terminal()?;
            (!t.read_only && !t.behind && !c.gone && !c.closing).then_some((t.active, place))
        });
        typing.max().map(|(_, place)| place)
    }

    fn show(&mut self, bytes: &[u8], found: &[Found], lead: Option<usize>, now: Instant) {
        let for_lead = cut(bytes, found, |query| *query == Query::Program);
        let for_others = cut(bytes, found, |_| true);
        for (place, client) in self.clients.iter_mut().enumerate() {
            if client.closing || client.terminal().is_none_or(|t| t.behind) {
                continue;
            }
            let parts = if Some(place) == lead { &for_lead } else { &for_others };
            let length: usize = parts.iter().map(|p| p.len()).sum();
            if length == 0 {
                continue;
            }
            if client.out.len() + length > LAG {
                if let Some(terminal) = client.terminal_mut() {
                    terminal.behind = true;
                }
                continue;
            }
            let header = frame::header(OUTPUT, length);
            if let [whole] = parts.as_slice() {
                client.send(&[&header, whole], now);
            } else {
                let all: Vec<&[u8]> =
                    std::iter::once(header.as_slice()).chain(parts.iter().copied()).collect();
                client.send(&all, now);
            }
        }
    }

    fn pass_on(&mut self, bytes: &[u8], now: Instant) {
        let offset = self.log.offset().to_le_bytes();
        let header = frame::header(DATA, offset.len() + bytes.len());
        for client in self.clients.iter_mut().filter(|c| c.role == Role::Follower && !c.closing) {
            client.send(&[&header, &offset, bytes], now);
            client.gone |= client.out.len() > FOLLOWER_LAG;
        }
    }

    /// Makes a connection a follower. What no file has yet, it is sent at once: it reads the files up to there itself.
    pub(super) fn follow(&mut self, place: usize, now: Instant) {
        let unwritten = self.log.unwritten();
        let Some(client) = self.clients.get_mut(place) else { return };
        let offset = unwritten.first().map_or(self.log.offset(), |(offset, _)| *offset);
        client.reply(&Reply::Following { offset }, now);
        for (offset, bytes) in unwritten {
            let offset = offset.to_le_bytes();
            client.send(&[&frame::header(DATA, offset.len() + bytes.len()), &offset, &bytes], now);
        }
    }

    /// Feeds the screen, and answers the queries that no terminal answers, each with the screen as it was there.
    fn feed_screen(&mut self, bytes: &[u8], found: &[Found], has_lead: bool, now: Instant) {
        let mut fed = 0;
        for item in found {
            let Found::Query { query, end, .. } = item else { continue };
            if has_lead && *query != Query::Program {
                continue;
            }
            let end = (*end).clamp(fed, bytes.len());
            self.screen.push(&bytes[fed..end]);
            fed = end;
            let answer = screen::answer(query, &mut self.screen);
            self.input.push(&self.pty, &answer, now);
        }
        self.screen.push(&bytes[fed..]);
    }

    /// Takes in what a batch that begins at `offset` says about the session.
    fn learn(&mut self, found: &[Found], offset: u64) {
        let facts = &mut self.reporter.facts;
        for item in found {
            match item {
                Found::Query { .. } => {}
                Found::Title(title) => facts.title.clone_from(title),
                Found::Program(report) => self.programs.take(report),
                Found::PromptMark(mark) => {
                    facts.prompt_mark = *mark;
                    if *mark == b'A' {
                        self.programs.at_prompt();
                    }
                }
                Found::Reset => self.programs.clear(),
                Found::Notification(text) => {
                    facts.notification.clone_from(text);
                    facts.alerts = facts.alerts.wrapping_add(1);
                }
                Found::Bell => facts.alerts = facts.alerts.wrapping_add(1),
                Found::Alternate { on, at } => {
                    facts.alternate = *on;
                    let at = i64::try_from(*at).unwrap_or(0);
                    self.stretches.note(offset.saturating_add_signed(at), *on);
                }
            }
        }
    }

    /// A terminal that had fallen behind has drained: it is shown the screen as it is now.
    pub(super) fn caught_up(&mut self, place: usize, now: Instant) {
        let Some(client) = self.clients.get_mut(place) else { return };
        match &mut client.role {
            Role::Terminal(t) if t.behind && client.out.is_empty() && !client.closing => t.behind = false,
            Role::Watcher { owed: true } if client.out.is_empty() => return self.tell_owed(place, now),
            Role::Guest | Role::Terminal(_) | Role::Follower | Role::Watcher { .. } => return,
        }
        let picture = self.picture();
        if let Some(client) = self.clients.get_mut(place) {
            client.output(&picture, now);
        }
    }

    /// The screen as it is now, for a terminal that has missed output, perhaps in the middle of a sequence.
    pub(super) fn picture(&mut self) -> Vec<u8> {
        self.screen.settle();
        let mut picture = CANCEL.to_vec();
        picture.extend(self.screen.repaint(&[], 0));
        picture
    }
}

/// `bytes` without the queries that `is_out` names. Where a query began in an earlier batch, which the terminal has
/// seen, it is cancelled instead.
fn cut<'a>(bytes: &'a [u8], found: &[Found], is_out: impl Fn(&Query) -> bool) -> Vec<&'a [u8]> {
    let mut parts = Vec::with_capacity(1);
    let mut from = 0;
    for item in found {
        let Found::Query { query, start, end } = item else { continue };
        if !is_out(query) {
            continue;
        }
        let end = (*end).clamp(from, bytes.len());
        match usize::try_from(*start) {
            Ok(start) => parts.push(&bytes[from..start.clamp(from, end)]),
            Err(_) => parts.push(CANCEL),
        }
        from = end;
    }
    parts.push(&bytes[from..]);
    if parts.len() > 1 {
        parts.retain(|p| !p.is_empty());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(query: Query, start: isize, end: usize) -> Found {
        Found::Query { query, start, end }
    }

    #[test]
    fn queries_are_cut_out_and_split_ones_cancelled() {
        let bytes = b"ab<q>cd<p>ef";
        let found = [query(Query::Other, 2, 5), Found::Bell, query(Query::Program, 7, 10)];
        assert_eq!(cut(bytes, &found, |_| true).concat(), b"abcdef");
        assert_eq!(cut(bytes, &found, |q| *q == Query::Program).concat(), b"ab<q>cdef");
        assert_eq!(cut(bytes, &[], |_| true), [bytes.as_slice()]);
        assert_eq!(cut(b"q>rest", &[query(Query::Other, -1, 2)], |_| true).concat(), b"\x18rest");
        assert_eq!(cut(b"q", &[query(Query::Other, 0, 1)], |_| true).concat(), b"");
    }

    #[test]
    fn a_scanner_that_errs_costs_no_panic() {
        for (start, end) in [(5, 2), (0, 99), (-7, 0), (isize::MAX, usize::MAX)] {
            let found = [query(Query::Other, start, end), query(Query::Other, 0, 1)];
            let _ = cut(b"abc", &found, |_| true);
        }
    }
}
