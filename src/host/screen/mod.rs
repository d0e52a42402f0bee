//! The screen state of a session: what a terminal attached now has to be shown.
//!
//! It is kept off the path of the bytes: [`Screen::push`] only queues them, and they are taken in when things are quiet
//! ([`Screen::settle`]) or somebody asks. It holds the screens alone; scrollback is the output log's tail, replayed
//! through a temporary emulator for a repaint.

mod answers;
mod commands;
mod emulator;
mod guard;
mod machine;
mod modes;
mod packed;
mod paint;
mod pen;
mod repaint;
mod sequences;
mod skim;

pub use self::answers::answer;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::emulator::Emulator;
use self::machine::Size;

/// Bytes that [`Screen::push`] queues before it takes them in by itself.
pub const QUEUE: usize = 512 << 10;

/// The visible screen as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenText {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// Cursor column and row, from 0.
    pub cursor: (u16, u16),
    /// One line a row: printable text and SGR sequences only, safe to print after a reset.
    pub text: Vec<u8>,
}

/// See the module.
pub struct Screen {
    emulator: Emulator,
    queue: Vec<u8>,
}

impl Screen {
    /// An empty screen. Sizes out of bounds are brought to the nearest that is within.
    pub fn new(cols: u16, rows: u16) -> Self {
        Self { emulator: Emulator::new(Size::clamped(cols, rows), 0), queue: Vec::new() }
    }

    /// Takes output of the program, for later: a copy into a queue, except where that is full.
    pub fn push(&mut self, bytes: &[u8]) {
        self.queue.extend_from_slice(bytes);
        if self.queue.len() >= QUEUE {
            let queue = std::mem::take(&mut self.queue);
            self.feed(&queue);
            self.queue = queue;
            self.queue.clear();
        }
    }

    /// How many bytes are queued.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Takes in all that is queued, and gives the queue's memory back.
    pub fn settle(&mut self) {
        if !self.queue.is_empty() {
            let queue = std::mem::take(&mut self.queue);
            self.feed(&queue);
        }
    }

    /// Settles, and takes as little memory as can be until something is written or asked: for a session that has been
    /// silent for a while.
    pub fn rest(&mut self) {
        self.settle();
        self.guarded(|emulator| emulator.machine.rest());
    }

    /// The program's terminal has another size from here on.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let size = Size::clamped(cols, rows);
        if self.emulator.machine.size() == size {
            return;
        }
        self.awake(|screen| {
            screen.guarded(|emulator| emulator.machine.resize(size));
            if screen.emulator.machine.size() != size {
                screen.emulator = Emulator::new(size, 0);
            }
        });
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let size = self.emulator.machine.size();
        (narrow(size.cols), narrow(size.rows))
    }

    /// What a terminal of this size must be sent to show this screen, whatever it showed before; `lines` of scrollback
    /// at most are printed first, so that they go into the terminal's own.
    ///
    /// `log_tail` is what the program wrote last to its primary screen, up to now: from the log's beginning, or from
    /// behind a line feed. What was written while the alternate screen was shown must not be in it.
    pub fn repaint(&mut self, log_tail: &[u8], lines: u32) -> Vec<u8> {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        self.awake(|screen| {
            let machine = &mut screen.emulator.machine;
            let painted = catch_unwind(AssertUnwindSafe(|| repaint::repaint(machine, log_tail, lines)));
            let mut bytes = painted.unwrap_or_default().into_bytes();
            bytes.extend(screen.emulator.unfinished());
            bytes
        })
    }

    /// What a terminal that was sent a repaint, and live output since, must be sent to be as it was: primary screen,
    /// usual modes, default attributes, the cursor below the content.
    pub fn restore(&mut self) -> Vec<u8> {
        self.awake(|screen| repaint::restore(&screen.emulator.machine).into_bytes())
    }

    /// The visible screen as text.
    pub fn text(&mut self) -> ScreenText {
        self.awake(|screen| {
            let (cols, rows) = screen.size();
            let (line, column) = screen.emulator.machine.at();
            let text = repaint::text(&screen.emulator.machine).into_bytes();
            ScreenText { cols, rows, cursor: (narrow(column), u16::try_from(line).unwrap_or(0)), text }
        })
    }

    /// The program asked for pastes to be marked.
    pub fn bracketed_paste(&mut self) -> bool {
        self.settle();
        self.emulator.machine.modes.is_on(2004)
    }

    /// The alternate screen is shown.
    pub fn alternate(&mut self) -> bool {
        self.settle();
        self.emulator.machine.alternate.is_some()
    }

    /// What `f` says of the screen with all that was written so far. One that rested does so again afterwards.
    fn awake<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let rested = self.emulator.machine.is_resting();
        self.settle();
        self.guarded(|emulator| emulator.machine.wake());
        let said = f(self);
        if rested {
            self.rest();
        }
        said
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.guarded(|emulator| {
            emulator.machine.wake();
            if bytes.len() < skim::WORTH { emulator.feed(bytes) } else { emulator.skim(bytes) }
        });
    }

    /// The emulator is not ours: should it panic, the session goes on with an empty screen.
    fn guarded(&mut self, f: impl FnOnce(&mut Emulator)) {
        let size = self.emulator.machine.size();
        if catch_unwind(AssertUnwindSafe(|| f(&mut self.emulator))).is_err() {
            self.emulator = Emulator::new(size, 0);
        }
    }
}

fn narrow(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
