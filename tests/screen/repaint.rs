//! What a repaint shows on tmux, beside what the output itself showed there.

use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use abide::host::screen::Screen;

use crate::support::{Home, Tmux};

const SIZE: (u16, u16) = (60, 14);

/// Things that programs write, each to a terminal of its own. What terminals disagree on is left out: the attributes
/// that this tmux does not know, and the widths of emoji.
const WRITTEN: &[(&str, &str)] = &[
    ("text", "hello\r\n\r\nworld\r\n$ "),
    ("wrapped", "0123456789012345678901234567890123456789012345678901234567890123456789\r\nx"),
    (
        "scrollback",
        "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r\n12\r\n13\r\n14\r\n15\r\n16\r\n17\r\n\x1b[32m18\x1b[m\r\n",
    ),
    (
        "a wrap in the scrollback",
        "0123456789012345678901234567890123456789012345678901234567890123456789\r\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nend",
    ),
    ("a full last column", "\x1b[3;1H012345678901234567890123456789012345678901234567890123456789"),
    (
        "colours",
        "\x1b[31mred\x1b[42mon green\x1b[m \x1b[95;100mbright\x1b[m \x1b[38;5;200mindexed\x1b[48;2;10;20;30mrgb\x1b[m.",
    ),
    (
        "attributes",
        "\x1b[1mbold\x1b[2mdim\x1b[22m\x1b[3mitalic\x1b[23m\x1b[4munder\x1b[24m\x1b[5mblink\x1b[25m\x1b[7minverse\x1b[27m\x1b[8mhidden\x1b[28m\x1b[9mstrike\x1b[m.",
    ),
    (
        "underlines",
        "\x1b[4:1ma\x1b[4:2mb\x1b[4:3mc\x1b[4:4md\x1b[4:5me\x1b[58:2::1:2:3mf\x1b[58:5:9mg\x1b[59mh\x1b[m.",
    ),
    (
        "erased with a background",
        "\x1b[44mblue\x1b[K\r\n\x1b[2J\x1b[41m\x1b[3;5H\x1b[10X\x1b[5;1H\x1b[1K\x1b[m\x1b[7;1Hx",
    ),
    ("wide", "漢字 text 漢\r\n한글\r\n\x1b[2;58H日本"),
    ("combining", "e\u{301}a\u{308} ok"),
    ("line drawing", "\x1b(0lqqk\r\nx  x\r\nmqqj\x1b(B done"),
    ("charset left on", "\x1b(0lqk"),
    ("margins", "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r\x1b[2;1H\x1bMin\x1b[10;3H"),
    ("origin mode", "\x1b[3;9r\x1b[?6h\x1b[2;5Hhere"),
    (
        "insert and delete",
        "abcdefgh\x1b[3G\x1b[2@XX\r\nabcdefgh\x1b[3G\x1b[2P\x1b[3;1H\x1b[2L\x1b[1;1H\x1b[M",
    ),
    ("tabs", "a\tb\tc\x1b[3g\x1b[5G\x1bH\r\n\tx"),
    (
        "alternate screen",
        "before\r\n$ vi\r\n\x1b[?1049h\x1b[2J\x1b[H\x1b[7mtitle\x1b[m\x1b[14;1Hbottom\x1b[5;5H",
    ),
    ("and back", "before\r\n$ vi\r\n\x1b[?1049h\x1b[2J\x1b[Hgone\x1b[?1049l$ "),
    ("modes", "\x1b[?1h\x1b=\x1b[?1003h\x1b[?1006h\x1b[?25l\x1b[4hx"),
    ("no autowrap", "\x1b[?7lx"),
    ("cursor style and title", "\x1b[5 q\x1b]2;the title\x07x"),
    ("links", "\x1b]8;;http://example.com/\x07link\x1b]8;;\x07 plain"),
];

#[test]
fn a_repaint_shows_on_tmux_what_the_output_showed() {
    let mut wrong = Vec::new();
    for (name, written) in WRITTEN {
        let mut screen = Screen::new(SIZE.0, SIZE.1);
        screen.push(written.as_bytes());
        let painted = screen.repaint(written.as_bytes(), 1_000);
        let (Some(direct), Some(repainted)) = (seen(written.as_bytes(), SIZE), seen(&painted, SIZE)) else {
            println!("no tmux here: skipped");
            return;
        };
        if direct != repainted {
            wrong.push(format!(
                "{name}:\n  showed  {direct:?}\n  repaint {repainted:?}\n  {}",
                painted.escape_ascii()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All that tmux tells of a pane.
#[derive(Debug)]
pub(super) struct Seen {
    /// Visible rows, the scrollback's, and those of the screen that is not shown, with attributes.
    rows: [String; 3],
    /// Long lines are joined where they were wrapped.
    joined: String,
    state: String,
    title: String,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        let rows = self.rows.iter().zip(&other.rows).all(|(one, two)| one == two || cells(one) == cells(two));
        rows && cells(&self.joined) == cells(&other.joined)
            && self.state == other.state
            && self.title == other.title
    }
}

impl Seen {
    /// Whether the screens are the same, whatever is above and behind them. Titles are not compared: tmux takes the
    /// question whether it knows kitty's graphics for one.
    pub(super) fn shows(&self, other: &Self) -> bool {
        let (one, two) = (&self.rows[0], &other.rows[0]);
        (one == two || cells(one) == cells(two)) && self.state == other.state
    }
}

const STATE: &str = "cursor #{cursor_x},#{cursor_y} shown #{cursor_flag} alternate #{alternate_on} insert #{insert_flag} \
    wrap #{wrap_flag} keys #{keypad_cursor_flag} keypad #{keypad_flag} origin #{origin_flag} \
    region #{scroll_region_upper}-#{scroll_region_lower} mouse #{mouse_any_flag} sgr #{mouse_sgr_flag} tabs #{pane_tabs}";

pub(super) fn look(tmux: &Tmux) -> Seen {
    let scrolled = tmux.tmux(&["display-message", "-p", "#{history_size}"]).trim() != "0";
    let capture = |args: &[&str]| tidied(&tmux.tmux(&[&["capture-pane", "-p"], args].concat()));
    let scrollback = if scrolled { capture(&["-e", "-S", "-", "-E", "-1"]) } else { String::new() };
    Seen {
        rows: [capture(&["-e", "-N"]), scrollback, capture(&["-e", "-a", "-q"])],
        joined: capture(&["-e", "-J"]),
        state: tmux.tmux(&["display-message", "-p", STATE]),
        title: tmux.tmux(&["display-message", "-p", "#{pane_title}"]),
    }
}

/// tmux keeps line drawing as letters, and tells blanks that were written from empty cells at the end of a row: neither
/// shows.
fn tidied(captured: &str) -> String {
    let (mut drawing, mut out) = (false, String::new());
    for line in captured.lines() {
        let mut row = String::new();
        for c in line.chars() {
            match c {
                '\x0e' => drawing = true,
                '\x0f' => drawing = false,
                _ if drawing => row.push(match c {
                    'l' => '┌',
                    'q' => '─',
                    'k' => '┐',
                    'x' => '│',
                    'm' => '└',
                    'j' => '┘',
                    _ => c,
                }),
                _ => row.push(c),
            }
        }
        out.push_str(row.trim_end_matches(' '));
        out.push('\n');
    }
    out
}

/// The cells of each captured row with their attributes. tmux tells no background of cells that were erased, so where
/// a row ends in blanks they are left out, unless they are underlined or inverse.
fn cells(captured: &str) -> Vec<Vec<String>> {
    let rows = u16::try_from(captured.lines().count().max(1)).expect("a screen");
    let columns = NonZero::new(500).expect("some");
    let mut parser = vt100::Parser::new(NonZero::new(rows).expect("one at least"), columns, 0);
    parser.process(captured.trim_end_matches('\n').replace('\n', "\r\n").as_bytes());
    let cell = |row, column| parser.screen().cell(row, column).expect("within");
    (0..rows)
        .map(|row| {
            let blank = |column: &u16| {
                let cell = cell(row, *column);
                cell.contents().trim().is_empty() && !cell.underline() && !cell.inverse()
            };
            let end = (0..500).rev().find(|column| !blank(column)).map_or(0, |column| column + 1);
            (0..end).map(|column| format!("{:?}", cell(row, column))).collect()
        })
        .collect()
}

/// What a fresh tmux shows after these bytes. `None` where there is none.
fn seen(bytes: &[u8], size: (u16, u16)) -> Option<Seen> {
    let home = Home::new();
    let file = home.path().join("bytes");
    std::fs::write(&file, bytes).expect("a file");
    let tmux = Tmux::start(&home, &shower(&home, &file), size)?;
    // The title says so, set before anything is written to it by the bytes: tmux has then read all of them.
    let _: () = tmux.until("all was read", |_| home.path().join("read").exists().then_some(()));
    Some(look(&tmux))
}

/// Writes a file to its terminal as it is, asks the terminal where its cursor is, and says when that was answered.
fn shower(home: &Home, file: &Path) -> Command {
    let mut command = home.command("bash");
    let script = r#"stty raw -echo; cat "$1"; printf '\033[5n'; IFS= read -r -s -d n _; : > "$2"; printf '\000'; exec sleep 1000"#;
    command.args(["-c", script, "shower"]).arg(file).arg(home.path().join("read"));
    command
}
