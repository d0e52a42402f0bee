//! Sequences and what they show, after esctest's and vttest's cases, and what attributes and bounds come to.

use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;

use super::shown;
use crate::host::screen::Screen;

/// A line each: a name, where the cursor is afterwards (column, row, from 0), the rows of a screen of 10 by 5, and what
/// was written to it. `.` stands for an empty cell, `w` and `_` for the halves of a wide character.
const TABLE: &str = include_str!("table.txt");

#[test]
fn sequences_show_what_they_should() {
    let mut wrong = Vec::new();
    for line in TABLE.lines() {
        let (name, rest) = line.split_once(": ").expect("a name");
        let mut parts = rest.trim_start().splitn(3, ' ');
        let mut part = || parts.next().expect("cursor, rows and what is written");
        let (cursor, rows, written) = (part(), part(), unescaped(part().trim_start()));
        let screen = shown(10, 5, written.as_bytes());
        let (row, column) = screen.emulator.machine.at();
        let (at, now) = (format!("{column},{row}"), cells(&screen).join("/"));
        if (at.as_str(), now.as_str()) != (cursor, rows) {
            wrong.push(format!(
                "{name}: {}\n  {at} {now}\n  {cursor} {rows} expected",
                written.escape_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `\e`, `\r`, `\n`, `\t`, `\\` and `\xNN`.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('e') => '\x1b',
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some('\\') => '\\',
            Some('x') => {
                let code: String = chars.by_ref().take(2).collect();
                char::from(u8::from_str_radix(&code, 16).expect("two hexadecimal digits"))
            }
            other => panic!("\\{other:?}"),
        });
    }
    out
}

fn cells(screen: &Screen) -> Vec<String> {
    let grid = screen.emulator.machine.term.grid();
    (0..5)
        .map(|line| {
            (0..10)
                .map(|column| {
                    let cell = &grid[Line(line)][Column(column)];
                    match (cell.c, cell.zerowidth()) {
                        _ if cell.flags.contains(Flags::WIDE_CHAR) => 'w',
                        _ if cell.flags.contains(Flags::WIDE_CHAR_SPACER) => '_',
                        (' ', _) => '.',
                        ('e', Some(['\u{301}'])) => 'é',
                        (c, _) => c,
                    }
                })
                .collect()
        })
        .collect()
}

/// Attributes, as they are painted.
#[test]
fn attributes_are_kept() {
    for (bytes, painted) in [
        ("\x1b[1;3;4mx", "\x1b[1;3;4mx\x1b[m"),
        ("\x1b[1m\x1b[22mx", "x"),
        ("\x1b[4:3;58:2::1:2:3mx", "\x1b[4:3;58:2::1:2:3mx\x1b[m"),
        ("\x1b[4;58;5;9mx", "\x1b[4;58:5:9mx\x1b[m"),
        ("\x1b[21mx", "\x1b[4:2mx\x1b[m"),
        ("\x1b[4m\x1b[4:0mx", "x"),
        ("\x1b[5mx", "\x1b[5mx\x1b[m"),
        ("\x1b[6mx\x1b[25my", "\x1b[5mx\x1b[my"),
        ("\x1b[7;8;9mx\x1b[27;28;29my", "\x1b[7;8;9mx\x1b[my"),
        ("\x1b[31;42mx", "\x1b[31;42mx\x1b[m"),
        ("\x1b[91;102mx", "\x1b[91;102mx\x1b[m"),
        ("\x1b[38;5;1mx", "\x1b[38;5;1mx\x1b[m"),
        ("\x1b[38;2;1;2;3;48:5:7mx", "\x1b[38;2;1;2;3;48;5;7mx\x1b[m"),
        ("\x1b[38;2;999;2;3;1mx", "\x1b[1mx\x1b[m"),
        ("\x1b[31mx\x1b[39my", "\x1b[31mx\x1b[my"),
        ("\x1b[1mx\x1b[31my", "\x1b[1mx\x1b[31my\x1b[m"),
        ("\x1b]8;id=a;http://b\x07x\x1b]8;;\x07y", "x]8;;y"),
    ] {
        let mut screen = shown(20, 1, bytes.as_bytes());
        let text = String::from_utf8(screen.text().text).expect("UTF-8");
        if painted.contains("]8") {
            assert_eq!(text, "xy\n", "links are not text");
        } else {
            assert_eq!(text, format!("{painted}\n"), "{}", bytes.escape_default());
        }
    }
}

/// Erasing leaves the background behind, and nothing else.
#[test]
fn erasing_keeps_the_background() {
    let mut screen = shown(6, 2, b"\x1b[1;4;44mab\x1b[K\x1b[m");
    let painted = String::from_utf8(screen.repaint(b"", 0)).expect("UTF-8");
    assert!(painted.contains("\x1b[1;4;44mab\x1b[0;44m\x1b[K\x1b[m"), "{}", painted.escape_default());
}

/// Rows that were cleared with a colour and then widened are cleared whole the next time.
#[test]
fn a_widened_row_is_cleared_whole() {
    let mut screen = shown(4, 2, b"\x1b[41m\x1b[2J\x1b[m");
    screen.resize(6, 2);
    screen.push(b"\x1b[2J\x1b[H");
    let text = screen.text();
    assert_eq!(text.text, b"\n\n");
}

/// A program that sends combining characters for ever, or links, or titles, costs bounded memory.
#[test]
fn what_piles_up_is_bounded() {
    let mut screen = shown(20, 2, "e\u{301}".as_bytes());
    screen.push("\u{301}".repeat(100_000).as_bytes());
    screen.settle();
    let cell = &screen.emulator.machine.term.grid()[Line(0)][Column(0)];
    assert_eq!(cell.zerowidth().map(<[char]>::len), Some(16));
    screen.push(&b"\x1b[>1u\x1b[22t".repeat(50_000));
    screen.settle();
    let machine = &screen.emulator.machine;
    assert_eq!((machine.screens[0].kitty.len(), machine.titles.len()), (16, 10));
}
