//! Which stretches of the output were written to the primary screen: only they are scrollback.

use std::collections::VecDeque;
use std::ops::Range;

/// Most changes of screen that are remembered. Of what lies before the oldest one, nothing is scrollback.
const MOST: usize = 256;

/// See the module. Offsets are those of the output log.
#[derive(Debug, Default)]
pub struct Stretches {
    /// Where each one begins; they take turns, and the last one goes on.
    changes: VecDeque<(u64, bool)>,
    /// Some were forgotten.
    forgot: bool,
}

impl Stretches {
    /// What is written from `offset` on goes to the alternate screen, or to the primary one.
    pub fn note(&mut self, offset: u64, alternate: bool) {
        if self.changes.len() == MOST {
            self.changes.pop_front();
            self.forgot = true;
        }
        self.changes.push_back((offset, alternate));
    }

    /// The stretches of `wanted` that were written to the primary screen, in order.
    pub fn primary(&self, wanted: Range<u64>) -> Vec<Range<u64>> {
        let mut begins = match self.changes.front() {
            Some((offset, _)) if self.forgot => (*offset, true),
            Some(_) | None => (wanted.start, false),
        };
        let mut list = Vec::new();
        let end = (wanted.end, true);
        for change in self.changes.iter().copied().chain([end]) {
            if !begins.1 {
                let stretch = begins.0.max(wanted.start)..change.0.min(wanted.end);
                if !stretch.is_empty() {
                    list.push(stretch);
                }
            }
            begins = change;
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_leave_the_alternate_screen_out() {
        let mut stretches = Stretches::default();
        assert_eq!(stretches.primary(5..100).first(), Some(&(5..100)));
        stretches.note(20, true);
        stretches.note(50, false);
        assert_eq!(stretches.primary(0..100), [0..20, 50..100]);
        assert_eq!(stretches.primary(30..60).len(), 1);
        assert_eq!(stretches.primary(30..60).first(), Some(&(50..60)));
        assert_eq!(stretches.primary(25..45), []);
        stretches.note(70, true);
        assert_eq!(stretches.primary(0..100), [0..20, 50..70]);
    }

    #[test]
    fn what_is_forgotten_is_not_scrollback() {
        let mut stretches = Stretches::default();
        for n in 0..1_000 {
            stretches.note(n * 10, n % 2 == 0);
        }
        let list = stretches.primary(0..10_000);
        assert_eq!(list.len(), MOST / 2);
        assert_eq!(list.last(), Some(&(9_990..10_000)));
        assert!(list.iter().all(|r| r.end == r.start + 10));
    }
}
