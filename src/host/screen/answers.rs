//! What the host answers to queries while no terminal is attached that could.
//!
//! The answers describe the terminal that the emulator is: a VT220 with colours, the way terminals of today present
//! themselves. Sizes in pixels assume cells of 8 by 16.

use std::fmt::Write;

use alacritty_terminal::term::TermMode;

use super::Screen;
use super::commands::DYNAMIC;
use super::machine::Machine;
use super::modes::Reported;
use super::pen::Pen;
use crate::host::scan::{Asked, Query};

/// Pixels of a cell.
const CELL: (usize, usize) = (8, 16);

const FOREGROUND: [u8; 3] = [0xd0, 0xd0, 0xd0];
const BACKGROUND: [u8; 3] = [0x10, 0x10, 0x10];

/// Answers a query that stood at the end of what the screen was given so far. Empty for what stays unanswered.
pub fn answer(query: &Query, screen: &mut Screen) -> Vec<u8> {
    screen.awake(|screen| answered(query, &screen.emulator.machine)).into_bytes()
}

fn answered(query: &Query, machine: &Machine) -> String {
    let size = machine.size();
    let mut out = String::new();
    let _ = match query {
        Query::Primary => write!(out, "\x1b[?62;22c"),
        Query::Secondary => write!(out, "\x1b[>1;{};0c", version_number()),
        Query::Tertiary => write!(out, "\x1bP!|00000000\x1b\\"),
        Query::Health => write!(out, "\x1b[0n"),
        Query::Cursor => {
            let (row, column) = reported_cursor(machine);
            write!(out, "\x1b[{row};{column}R")
        }
        Query::CursorAndPage => {
            let (row, column) = reported_cursor(machine);
            write!(out, "\x1b[?{row};{column};1R")
        }
        Query::ColorScheme => write!(out, "\x1b[?997;{}n", if dark(machine) { 1 } else { 2 }),
        Query::Mode(n) => write!(out, "\x1b[{n};{}$y", mode(machine, *n) as u8),
        Query::PrivateMode(n) => write!(out, "\x1b[?{n};{}$y", private_mode(machine, *n) as u8),
        Query::Version => write!(out, "\x1bP>|abide({})\x1b\\", crate::VERSION),
        Query::KittyKeyboard => write!(out, "\x1b[?{}u", machine.kitty_flags()),
        Query::ModifyOtherKeys => write!(out, "\x1b[>4;{}m", machine.modes.modify_other_keys.unwrap_or(0)),
        Query::TextAreaPixels => write!(out, "\x1b[4;{};{}t", size.rows * CELL.1, size.cols * CELL.0),
        Query::CellPixels => write!(out, "\x1b[6;{};{}t", CELL.1, CELL.0),
        Query::TextAreaCells => write!(out, "\x1b[8;{};{}t", size.rows, size.cols),
        Query::Colors { asked, bell } => {
            for asked in asked {
                color(machine, *asked, *bell, &mut out);
            }
            Ok(())
        }
        Query::Capabilities(names) => {
            for name in names {
                capability(name, &mut out);
            }
            Ok(())
        }
        Query::Setting(what) => setting(machine, what, &mut out),
        Query::Program => write!(out, "\x1b]7501;?\x1b\\"),
        Query::Other => Ok(()),
    };
    out
}

/// From 1, and from the region's top under origin mode.
fn reported_cursor(machine: &Machine) -> (i32, usize) {
    let (line, column) = machine.at();
    let top = if machine.origin() { machine.region.start } else { 0 };
    (line - top + 1, column + 1)
}

fn mode(machine: &Machine, number: u16) -> Reported {
    match number {
        4 => machine.term.mode().contains(TermMode::INSERT).into(),
        20 => machine.term.mode().contains(TermMode::LINE_FEED_NEW_LINE).into(),
        _ => Reported::Unknown,
    }
}

fn private_mode(machine: &Machine, number: u16) -> Reported {
    match number {
        6 => machine.origin().into(),
        7 => machine.term.mode().contains(TermMode::LINE_WRAP).into(),
        47 | 1047 | 1049 => machine.alternate.is_some().into(),
        _ => machine.modes.report(number),
    }
}

fn color(machine: &Machine, asked: Asked, bell: bool, out: &mut String) {
    let (name, index, usual) = match asked {
        Asked::Palette(n) => (format!("4;{n}"), u16::from(n), palette(n)),
        Asked::Dynamic(n) => {
            let usual = match n {
                // Foreground, cursor, the pointer's foreground and what is selected.
                10 | 12 | 13 | 15 | 18 | 19 => FOREGROUND,
                _ => BACKGROUND,
            };
            (n.to_string(), DYNAMIC + u16::from(n).saturating_sub(10), usual)
        }
    };
    let [r, g, b] = machine.colors.get(&index).copied().unwrap_or(usual);
    let end = if bell { "\x07" } else { "\x1b\\" };
    let _ = write!(out, "\x1b]{name};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{end}");
}

fn dark(machine: &Machine) -> bool {
    let [r, g, b] = machine.colors.get(&(DYNAMIC + 1)).copied().unwrap_or(BACKGROUND);
    // Perceived brightness, in thousandths (ITU-R BT.601).
    u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114 < 127_500
}

/// The palette that terminals begin with: xterm's.
fn palette(n: u8) -> [u8; 3] {
    const BASE: [[u8; 3]; 16] = [
        [0x00, 0x00, 0x00],
        [0xcd, 0x00, 0x00],
        [0x00, 0xcd, 0x00],
        [0xcd, 0xcd, 0x00],
        [0x00, 0x00, 0xee],
        [0xcd, 0x00, 0xcd],
        [0x00, 0xcd, 0xcd],
        [0xe5, 0xe5, 0xe5],
        [0x7f, 0x7f, 0x7f],
        [0xff, 0x00, 0x00],
        [0x00, 0xff, 0x00],
        [0xff, 0xff, 0x00],
        [0x5c, 0x5c, 0xff],
        [0xff, 0x00, 0xff],
        [0x00, 0xff, 0xff],
        [0xff, 0xff, 0xff],
    ];
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..=15 => BASE[usize::from(n)],
        16..=231 => [level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6)],
        232..=255 => [8 + 10 * (n - 232); 3],
    }
}

/// XTGETTCAP: what is known of a capability, by its name in hexadecimal.
fn capability(name: &str, out: &mut String) {
    let value = match name.to_ascii_lowercase().as_str() {
        // TN, the terminal's name.
        "544e" => Some("787465726d2d323536636f6c6f72"),
        // Co and colors: 256.
        "436f" | "636f6c6f7273" => Some("323536"),
        // RGB: eight bits of each.
        "524742" => Some("382f382f38"),
        _ => None,
    };
    let _ = match value {
        Some(value) => write!(out, "\x1bP1+r{name}={value}\x1b\\"),
        None if name.bytes().all(|b| b.is_ascii_hexdigit()) => write!(out, "\x1bP0+r{name}\x1b\\"),
        None => write!(out, "\x1bP0+r\x1b\\"),
    };
}

/// DECRQSS.
fn setting(machine: &Machine, what: &[u8], out: &mut String) -> std::fmt::Result {
    match what {
        b"m" => {
            let mut sgr = String::new();
            Pen::default().change(Pen::without_link(&machine.term.grid().cursor.template), &mut sgr);
            let codes = sgr.strip_prefix("\x1b[").and_then(|s| s.strip_suffix('m')).unwrap_or_default();
            let separator = if codes.is_empty() { "" } else { ";" };
            write!(out, "\x1bP1$r0{separator}{codes}m\x1b\\")
        }
        b"r" => write!(out, "\x1bP1$r{};{}r\x1b\\", machine.region.start + 1, machine.region.end),
        b" q" => write!(out, "\x1bP1$r{} q\x1b\\", machine.cursor_style.max(1)),
        b"\"p" => write!(out, "\x1bP1$r62;1\"p\x1b\\"),
        _ => write!(out, "\x1bP0$r\x1b\\"),
    }
}

/// The build as a number, as DA2 wants it: 1.2.3 is 10203.
fn version_number() -> u32 {
    crate::VERSION
        .split(['.', '-', '+'])
        .take(3)
        .fold(0, |n, part| n * 100 + part.parse::<u32>().unwrap_or(0))
}
