//! A whole screen as bytes for a terminal.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use vte::ansi::StandardCharset;

use super::commands::DYNAMIC;
use super::emulator::Emulator;
use super::machine::{KITTY_STACK, Machine, PerScreen, charset_index, clip};
use super::paint::{self, Painted};
use super::pen::Pen;

/// Brings whatever terminal into a known state: primary screen, no margins, no origin mode, wrapping on, inserting off,
/// ASCII in G0 to G3, default attributes, no link.
const KNOWN: &str =
    "\x1b[?1049l\x1b[?1047l\x1b[r\x1b[?6l\x1b[?7h\x1b[4;20l\x0f\x1b(B\x1b)B\x1b*B\x1b+B\x1b]8;;\x1b\\\x1b[m";

/// Most of the log that is replayed at once.
const PIECE: usize = 4 << 10;

/// See [`super::Screen::repaint`].
pub(super) fn repaint(machine: &mut Machine, log_tail: &[u8], lines: usize) -> String {
    let mut out = String::from(KNOWN);
    if machine.touched.colors {
        out.push_str("\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\");
    }
    let [primary, alternate] = machine.screens.clone();
    // The cursor does not run about while this is drawn.
    out.push_str("\x1b[?25l");
    saved_cursor(machine.primary(), &primary, &mut out);
    kitty(machine, &primary, &mut out);
    out.push_str("\x1b[H");
    let screen: Vec<Painted> = rows(machine.primary());
    let history = if lines == 0 { Vec::new() } else { history(machine, log_tail, lines, &screen) };
    let last = history.len() + screen.len() - 1;
    for (i, row) in history.into_iter().chain(screen).enumerate() {
        out.push_str(&row.bytes);
        if !row.wraps && i < last {
            out.push_str("\r\n");
        }
    }
    if machine.touched.tabs {
        tab_stops(machine.tab_stops().into_iter(), &mut out);
    }
    let mut pen = Pen::default();
    if let Some(how) = machine.alternate {
        // Entering saves the cursor, with the character set and the origin mode as they were.
        let cursor = &machine.primary().cursor;
        if primary.saved.origin {
            out.push_str("\x1b[?6h");
        }
        self::cursor(machine.primary(), cursor, 0..0, &mut pen, &mut out);
        out.push_str(shift(primary.saved.charset));
        let _ = write!(out, "\x1b[?{}h\x0f", how.number());
        if primary.saved.origin {
            out.push_str("\x1b[?6l");
        }
        pen.change(Pen::default(), &mut out);
        undesignate(cursor, &mut out);
        let grid = machine.term.grid();
        saved_cursor(grid, &alternate, &mut out);
        kitty(machine, &alternate, &mut out);
        out.push_str("\x1b[H");
        let screen = rows(grid);
        let last = screen.len() - 1;
        for (i, row) in screen.into_iter().enumerate() {
            out.push_str(&row.bytes);
            if !row.wraps && i < last {
                out.push_str("\r\n");
            }
        }
    }
    state(machine, &mut pen, &mut out);
    out
}

fn rows(grid: &Grid<Cell>) -> Vec<Painted> {
    (0..clip(grid.screen_lines())).map(|line| paint::row(grid, line)).collect()
}

/// The lines that scrolled off before what the screen shows. None, should the emulator not survive the replay.
fn history(machine: &Machine, log_tail: &[u8], lines: usize, screen: &[Painted]) -> Vec<Painted> {
    catch_unwind(AssertUnwindSafe(|| replay(machine, log_tail, lines, screen))).unwrap_or_default()
}

fn replay(machine: &Machine, log_tail: &[u8], lines: usize, screen: &[Painted]) -> Vec<Painted> {
    let mut past = Emulator::new(machine.size(), PIECE + 1);
    let mut list = VecDeque::new();
    for piece in log_tail.chunks(PIECE) {
        past.feed(piece);
        let grid = past.machine.term.grid();
        let scrolled = clip(grid.history_size());
        if past.machine.alternate.is_some() {
            continue;
        }
        for line in -scrolled..0 {
            list.push_back(paint::row(grid, line));
        }
        past.machine.term.grid_mut().clear_history();
        while list.len() > lines.saturating_add(screen.len()) {
            list.pop_front();
        }
    }
    let scrolled = list.len();
    list.extend(rows(past.machine.primary()));
    let mut list = Vec::from(list);
    list.truncate(before(&list, screen).unwrap_or(scrolled));
    let surplus = list.len().saturating_sub(lines);
    list.drain(..surplus);
    list
}

/// Where in the replayed lines the screen begins. The replay ran at one size and the session may not have: the end of
/// what scrolled off is then not where the screen begins, and its rows are looked for.
fn before(list: &[Painted], screen: &[Painted]) -> Option<usize> {
    let used = screen.iter().rposition(|row| !blank(row))? + 1;
    let screen = &screen[..used];
    let text: Vec<&str> = screen.iter().map(|row| row.bytes.as_str()).collect();
    (0..=list.len().checked_sub(used)?)
        .rev()
        .find(|start| list[*start..start + used].iter().zip(&text).all(|(row, text)| row.bytes == *text))
}

fn blank(row: &Painted) -> bool {
    row.bytes == "\x1b[K"
}

/// Everything that is not the content of the screen.
fn state(machine: &mut Machine, pen: &mut Pen, out: &mut String) {
    let region = machine.region.clone();
    let rows = clip(machine.size().rows);
    if region != (0..rows) {
        let _ = write!(out, "\x1b[{};{}r", region.start + 1, region.end);
    }
    let grid = machine.term.grid();
    let offset = if machine.origin() { region } else { 0..0 };
    cursor(grid, &grid.cursor, offset, pen, out);
    if machine.charset != 0 {
        out.push_str(shift(machine.charset));
    }
    let mode = *machine.term.mode();
    if !mode.contains(TermMode::LINE_WRAP) {
        out.push_str("\x1b[?7l");
    }
    if mode.contains(TermMode::INSERT) {
        out.push_str("\x1b[4h");
    }
    if mode.contains(TermMode::LINE_FEED_NEW_LINE) {
        out.push_str("\x1b[20h");
    }
    for (index, rgb) in &machine.colors {
        let [r, g, b] = rgb;
        let _ = match index.checked_sub(DYNAMIC) {
            Some(n) => write!(out, "\x1b]{};rgb:{r:02x}/{g:02x}/{b:02x}\x1b\\", n + 10),
            None => write!(out, "\x1b]4;{index};rgb:{r:02x}/{g:02x}/{b:02x}\x1b\\"),
        };
    }
    let _ = write!(out, "\x1b[{} q", machine.cursor_style);
    if !machine.progress.is_empty() {
        let _ = write!(out, "\x1b]9;4;{}\x1b\\", machine.progress);
    }
    for title in &machine.titles {
        let _ = write!(out, "\x1b]2;{title}\x1b\\\x1b[22;2t");
    }
    if !machine.title.is_empty() || !machine.titles.is_empty() {
        let _ = write!(out, "\x1b]2;{}\x1b\\", machine.title);
    }
    machine.modes.paint(out);
}

/// Puts the cursor where it is, with its character sets and its attributes. Rows count from `origin`'s start where that
/// is a region.
fn cursor(grid: &Grid<Cell>, cursor: &Cursor<Cell>, origin: Range<i32>, pen: &mut Pen, out: &mut String) {
    let (line, column) = (cursor.point.line.0, cursor.point.column.0);
    if !origin.is_empty() {
        out.push_str("\x1b[?6h");
    }
    let row = (line - origin.start).max(0) + 1;
    if cursor.input_needs_wrap {
        // A wrap is pending only after a character was written to the last column: the one that is there is, again.
        let cells = &grid[Line(line)];
        let wide = cells[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) && column > 0;
        let column = if wide { column - 1 } else { column };
        let _ = write!(out, "\x1b[{row};{}H", column + 1);
        paint::put(cells, column, pen, out);
    } else {
        let _ = write!(out, "\x1b[{row};{}H", column + 1);
    }
    pen.change(Pen::of(&cursor.template), out);
    designate(cursor, out);
}

/// G0 to G3, where a terminal has ASCII in each.
fn designate(cursor: &Cursor<Cell>, out: &mut String) {
    for (n, introducer) in CHARSETS.into_iter().enumerate() {
        match cursor.charsets[charset_index(n)] {
            StandardCharset::Ascii => {}
            StandardCharset::SpecialCharacterAndLineDrawing => {
                out.push_str(introducer);
                out.push('0');
            }
        }
    }
}

/// Undoes [`designate`].
fn undesignate(cursor: &Cursor<Cell>, out: &mut String) {
    for (n, introducer) in CHARSETS.into_iter().enumerate() {
        match cursor.charsets[charset_index(n)] {
            StandardCharset::Ascii => {}
            StandardCharset::SpecialCharacterAndLineDrawing => {
                out.push_str(introducer);
                out.push('B');
            }
        }
    }
}

/// What designates G0 to G3.
const CHARSETS: [&str; 4] = ["\x1b(", "\x1b)", "\x1b*", "\x1b+"];

fn shift(charset: usize) -> &'static str {
    match charset {
        1 => "\x0e",
        2 => "\x1bn",
        3 => "\x1bo",
        _ => "\x0f",
    }
}

/// Saves the cursor that the program saved, so that it can restore it. This is drawn before the content, since it
/// writes into the last column where the saved cursor is about to wrap.
fn saved_cursor(grid: &Grid<Cell>, screen: &PerScreen, out: &mut String) {
    let saved = &grid.saved_cursor;
    let (row, column) = (saved.point.line.0 + 1, saved.point.column.0 + 1);
    let mut pen = Pen::default();
    if screen.saved.origin {
        out.push_str("\x1b[?6h");
    }
    let _ = write!(out, "\x1b[{row};{column}H");
    if saved.input_needs_wrap {
        out.push(' ');
    }
    pen.change(Pen::of(&saved.template), out);
    designate(saved, out);
    out.push_str(shift(screen.saved.charset));
    out.push_str("\x1b7\x0f");
    if screen.saved.origin {
        out.push_str("\x1b[?6l");
    }
    undesignate(saved, out);
    pen.change(Pen::default(), out);
}

fn tab_stops(stops: impl Iterator<Item = usize>, out: &mut String) {
    out.push_str("\x1b[3g");
    for stop in stops {
        let _ = write!(out, "\x1b[{}G\x1bH", stop + 1);
    }
}

/// The keyboard flags, in place of what an earlier repaint may have left.
fn kitty(machine: &Machine, screen: &PerScreen, out: &mut String) {
    if machine.touched.kitty {
        let _ = write!(out, "\x1b[<{KITTY_STACK}u");
    }
    for flags in &screen.kitty {
        let _ = write!(out, "\x1b[>{flags}u");
    }
}

/// See [`super::Screen::restore`].
pub(super) fn restore(machine: &Machine) -> String {
    let mut out = String::new();
    let [primary, alternate] = &machine.screens;
    let pop = |screen: &PerScreen, out: &mut String| {
        if !screen.kitty.is_empty() {
            let _ = write!(out, "\x1b[<{}u", screen.kitty.len());
        }
    };
    if let Some(how) = machine.alternate {
        pop(alternate, &mut out);
        let _ = write!(out, "\x1b[?{}l", how.number());
    }
    pop(primary, &mut out);
    let mode = *machine.term.mode();
    let size = machine.size();
    if machine.region != (0..clip(size.rows)) {
        out.push_str("\x1b[r");
    }
    // Leaving the alternate screen brings back what was saved with the cursor, which may be more than is on now.
    if mode.contains(TermMode::ORIGIN) || machine.screens.iter().any(|screen| screen.saved.origin) {
        out.push_str("\x1b[?6l");
    }
    if !mode.contains(TermMode::LINE_WRAP) {
        out.push_str("\x1b[?7h");
    }
    if mode.intersects(TermMode::INSERT | TermMode::LINE_FEED_NEW_LINE) {
        out.push_str("\x1b[4;20l");
    }
    out.push_str("\x0f\x1b(B\x1b)B\x1b]8;;\x1b\\\x1b[m");
    machine.modes.restore(&mut out);
    if machine.cursor_style != 0 {
        out.push_str("\x1b[0 q");
    }
    let mut palette = false;
    for index in machine.colors.keys() {
        match index.checked_sub(DYNAMIC) {
            Some(n) => {
                let _ = write!(out, "\x1b]{}\x1b\\", n + 110);
            }
            None => palette = true,
        }
    }
    if palette {
        out.push_str("\x1b]104\x1b\\");
    }
    if !machine.progress.is_empty() {
        out.push_str("\x1b]9;4;0\x1b\\");
    }
    if machine.touched.tabs {
        tab_stops((8..size.cols).step_by(8), &mut out);
    }
    // Below the content, and below the cursor: a prompt that the session left half typed is not written over.
    let grid = machine.primary();
    let content = (0..clip(grid.screen_lines())).rposition(|line| !blank(&paint::row(grid, line)));
    let line = content.unwrap_or(0).max(usize::try_from(grid.cursor.point.line.0).unwrap_or(0));
    let _ = write!(out, "\x1b[{}H\r\n", line + 1);
    out
}

/// See [`super::Screen::text`].
pub(super) fn text(machine: &Machine) -> String {
    let grid = machine.term.grid();
    let mut out = String::new();
    for line in 0..clip(grid.screen_lines()) {
        paint::line(grid, line, &mut out);
        out.push('\n');
    }
    out
}
