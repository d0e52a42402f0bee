//! Stands in for the screen and the scanner until they are there.

#[derive(Debug, Default)]
pub(super) struct Screen {
    cols: u16,
    rows: u16,
}
pub(super) struct ScreenText {
    pub(super) cols: u16,
    pub(super) rows: u16,
    pub(super) cursor: (u16, u16),
    pub(super) text: Vec<u8>,
}
impl Screen {
    pub(super) fn new(cols: u16, rows: u16) -> Self {
        Self { cols, rows }
    }
    pub(super) fn push(&mut self, _: &[u8]) {}
    pub(super) fn settle(&mut self) {}
    pub(super) fn pending(&self) -> usize {
        0
    }
    pub(super) fn resize(&mut self, cols: u16, rows: u16) {
        (self.cols, self.rows) = (cols, rows);
    }
    pub(super) fn repaint(&mut self, log_tail: &[u8], _: u32) -> Vec<u8> {
        log_tail.to_vec()
    }
    pub(super) fn restore(&mut self) -> Vec<u8> {
        b"\x1b[0m".to_vec()
    }
    pub(super) fn text(&mut self) -> ScreenText {
        ScreenText { cols: self.cols, rows: self.rows, cursor: (0, 0), text: Vec::new() }
    }
    pub(super) fn bracketed_paste(&mut self) -> bool {
        false
    }
    pub(super) fn alternate(&mut self) -> bool {
        false
    }
}

#[derive(Debug, Default)]
pub(super) struct Scanner;
impl Scanner {
    pub(super) fn scan(&mut self, _: &[u8], _: &mut Vec<Found>) {}
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    Program,
    Other,
}
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Found {
    Query { query: Query, start: isize, end: usize },
    Title(String),
    Program(String),
    Mark(u8),
    Notification(String),
    Bell,
}
pub(super) fn answer(_: &Query, _: &mut Screen) -> Vec<u8> {
    Vec::new()
}
