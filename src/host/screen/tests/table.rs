//! Sequences and what they show, after esctest's and vttest's cases: a row of the table is a name, what is written to
//! a screen of 10 columns and 5 rows, the rows that it shows, and where the cursor is (column, row, from 0).
//!
//! `.` stands for an empty cell, `w` and `_` for the halves of a wide character.

use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;

use super::shown;
use crate::host::screen::Screen;

const TABLE: &[(&str, &str, [&str; 5], (usize, i32))] = &[
    (
        "CUP",
        "\x1b[3;4Hx\x1b[9;99Hy\x1b[Hz",
        ["z.........", "..........", "...x......", "..........", ".........y"],
        (1, 0),
    ),
    ("HVP", "\x1b[2;3fx", ["..........", "..x.......", "..........", "..........", ".........."], (3, 1)),
    (
        "CUU stops at the top",
        "\x1b[3;3H\x1b[9Ax",
        ["..x.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "CUU stops at the margin",
        "\x1b[2;4r\x1b[3;3H\x1b[9Ax",
        ["..........", "..x.......", "..........", "..........", ".........."],
        (3, 1),
    ),
    (
        "CUU above the margin",
        "\x1b[3;4r\x1b[2;3H\x1b[9Ax",
        ["..x.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "CUD stops at the margin",
        "\x1b[2;4r\x1b[3;3H\x1b[9Bx",
        ["..........", "..........", "..........", "..x.......", ".........."],
        (3, 3),
    ),
    (
        "CUD below the margin",
        "\x1b[2;3r\x1b[4;3H\x1b[9Bx",
        ["..........", "..........", "..........", "..........", "..x......."],
        (3, 4),
    ),
    (
        "CUF and CUB",
        "\x1b[99Cx\x1b[3Dy\x1b[99Dz",
        ["z.....y..x", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "CNL and CPL",
        "ab\x1b[2Ex\x1b[Fy",
        ["ab........", "y.........", "x.........", "..........", ".........."],
        (1, 1),
    ),
    (
        "CHA and VPA",
        "\x1b[5Gx\x1b[3dy\x1b[2`z",
        ["....x.....", "..........", ".z...y....", "..........", ".........."],
        (2, 2),
    ),
    (
        "HPR and VPR",
        "\x1b[2ax\x1b[2ey",
        ["..x.......", "..........", "...y......", "..........", ".........."],
        (4, 2),
    ),
    (
        "ED below",
        "aaaaaaaaaabbbbbbbbbbcccccccccc\x1b[2;5H\x1b[J",
        ["aaaaaaaaaa", "bbbb......", "..........", "..........", ".........."],
        (4, 1),
    ),
    (
        "ED above",
        "aaaaaaaaaabbbbbbbbbbcccccccccc\x1b[2;5H\x1b[1J",
        ["..........", ".....bbbbb", "cccccccccc", "..........", ".........."],
        (4, 1),
    ),
    (
        "ED above from the third row",
        "a\r\nb\r\nccc\x1b[3;2H\x1b[1J",
        ["..........", "..........", "..c.......", "..........", ".........."],
        (1, 2),
    ),
    (
        "ED all",
        "aaaa\r\nbbbb\x1b[2J",
        ["..........", "..........", "..........", "..........", ".........."],
        (4, 1),
    ),
    (
        "ED saved lines leaves the screen",
        "aaaa\x1b[3J",
        ["aaaa......", "..........", "..........", "..........", ".........."],
        (4, 0),
    ),
    (
        "EL",
        "abcdefghij\x1b[5G\x1b[K\r\nabcdefghij\x1b[5G\x1b[1K\r\nabcdefghij\x1b[5G\x1b[2Kx",
        ["abcd......", ".....fghij", "....x.....", "..........", ".........."],
        (5, 2),
    ),
    (
        "ECH",
        "abcdefghij\x1b[3G\x1b[4X\r\nab\x1b[G\x1b[99X",
        ["ab....ghij", "..........", "..........", "..........", ".........."],
        (0, 1),
    ),
    (
        "ICH",
        "abcdefghij\x1b[3G\x1b[4@x",
        ["abx...cdef", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "ICH over the edge",
        "abcdefghij\x1b[3G\x1b[99@",
        ["ab........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "DCH",
        "abcdefghij\x1b[3G\x1b[4P",
        ["abghij....", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "DCH over the edge",
        "abcdefghij\x1b[9G\x1b[5P",
        ["abcdefgh..", "..........", "..........", "..........", ".........."],
        (8, 0),
    ),
    (
        "IL",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;2H\x1b[2L",
        ["a.........", "..........", "..........", "b.........", "c........."],
        (0, 1),
    ),
    (
        "IL in margins",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r\x1b[3;1H\x1b[9L",
        ["a.........", "b.........", "..........", "..........", "e........."],
        (0, 2),
    ),
    (
        "IL outside of margins",
        "a\r\nb\r\nc\x1b[2;3r\x1b[5;3H\x1b[L",
        ["a.........", "b.........", "c.........", "..........", ".........."],
        (2, 4),
    ),
    (
        "DL",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;2H\x1b[2M",
        ["a.........", "d.........", "e.........", "..........", ".........."],
        (0, 1),
    ),
    (
        "DL in margins",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r\x1b[2;1H\x1b[M",
        ["a.........", "c.........", "d.........", "..........", "e........."],
        (0, 1),
    ),
    (
        "SU",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2S",
        ["c.........", "d.........", "e.........", "..........", ".........."],
        (1, 4),
    ),
    (
        "SU in margins",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r\x1b[S",
        ["a.........", "c.........", "d.........", "..........", "e........."],
        (0, 0),
    ),
    (
        "SD",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2T",
        ["..........", "..........", "a.........", "b.........", "c........."],
        (1, 4),
    ),
    (
        "SD in margins",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r\x1b[T",
        ["a.........", "..........", "b.........", "c.........", "e........."],
        (0, 0),
    ),
    (
        "DECSTBM homes, LF scrolls in it",
        "a\r\nb\r\nc\r\nd\r\ne\x1b[2;4rX\x1b[4;1H\nY",
        ["X.........", "c.........", "d.........", "Y.........", "e........."],
        (1, 3),
    ),
    (
        "LF below the margin does not scroll",
        "a\r\nb\x1b[1;2r\x1b[5;1H\n\nx",
        ["a.........", "b.........", "..........", "..........", "x........."],
        (1, 4),
    ),
    (
        "DECSTBM of one row is refused",
        "\x1b[3;3rx",
        ["x.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "DECSTBM beyond the screen",
        "\x1b[2;99r\x1b[5;1Ha\nb",
        ["..........", "..........", "..........", "a.........", ".b........"],
        (2, 4),
    ),
    (
        "origin mode",
        "\x1b[2;4r\x1b[?6hx\x1b[3;3Hy\x1b[99;1Hz",
        ["..........", "x.........", "..........", "z.y.......", ".........."],
        (1, 3),
    ),
    (
        "origin mode: moves are relative to the cursor",
        "\x1b[2;4r\x1b[?6h\x1b[2;2H\x1b[A\x1b[5Gx\x1b[By",
        ["..........", "....x.....", ".....y....", "..........", ".........."],
        (6, 2),
    ),
    (
        "origin mode off homes",
        "\x1b[2;4r\x1b[?6h\x1b[2;2H\x1b[?6lx",
        ["x.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "RI scrolls at the margin",
        "a\r\nb\r\nc\x1b[2;3r\x1b[2;1H\x1bMx",
        ["a.........", "x.........", "b.........", "..........", ".........."],
        (1, 1),
    ),
    (
        "IND and NEL",
        "a\x1bDb\x1bEc",
        ["a.........", ".b........", "c.........", "..........", ".........."],
        (1, 2),
    ),
    ("tabs", "a\tb\tc", ["a.......bc", "..........", "..........", "..........", ".........."], (9, 0)),
    (
        "a tab never wraps",
        "abcdefghij\tk",
        ["abcdefghij", "k.........", "..........", "..........", ".........."],
        (1, 1),
    ),
    (
        "a tab leaves what it passes",
        "abcdefghij\r\tx",
        ["abcdefghxj", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "HTS and CHT",
        "\x1b[3G\x1bH\x1b[6G\x1bH\r\x1b[2Ix",
        [".....x....", "..........", "..........", "..........", ".........."],
        (6, 0),
    ),
    (
        "TBC one",
        "\x1b[3G\x1bH\x1b[6G\x1bH\x1b[3G\x1b[g\r\tx",
        [".....x....", "..........", "..........", "..........", ".........."],
        (6, 0),
    ),
    ("TBC all", "\x1b[3g\tx", [".........x", "..........", "..........", "..........", ".........."], (9, 0)),
    (
        "DECST8C",
        "\x1b[3g\x1b[?5W\tx",
        ["........x.", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "CBT",
        "\x1b[10G\x1b[Zx\x1b[9Zy",
        ["y.......x.", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "CBT ends a pending wrap",
        "abcdefghij\x1b[Zx",
        ["abcdefghxj", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "wrap is pending",
        "abcdefghij",
        ["abcdefghij", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "wrap happens",
        "abcdefghijk",
        ["abcdefghij", "k.........", "..........", "..........", ".........."],
        (1, 1),
    ),
    (
        "CR ends a pending wrap",
        "abcdefghij\rk",
        ["kbcdefghij", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "BS ends a pending wrap",
        "abcdefghij\x08k",
        ["abcdefghkj", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "no autowrap",
        "\x1b[?7labcdefghijkl",
        ["abcdefghil", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "wrap scrolls",
        "\x1b[5;1Habcdefghijk",
        ["..........", "..........", "..........", "abcdefghij", "k........."],
        (1, 4),
    ),
    ("REP", "ab\x1b[3bc", ["abbbbc....", "..........", "..........", "..........", ".........."], (6, 0)),
    (
        "REP wraps",
        "a\x1b[11b",
        ["aaaaaaaaaa", "aa........", "..........", "..........", ".........."],
        (2, 1),
    ),
    (
        "DECALN",
        "\x1b[2;3r\x1b[4;4H\x1b#8",
        ["EEEEEEEEEE", "EEEEEEEEEE", "EEEEEEEEEE", "EEEEEEEEEE", "EEEEEEEEEE"],
        (0, 0),
    ),
    (
        "insert mode",
        "abcdefgh\x1b[3G\x1b[4hXY\x1b[4lZ",
        ["abXYZdefgh", "..........", "..........", "..........", ".........."],
        (5, 0),
    ),
    (
        "line drawing",
        "\x1b(0lqk\x1b(Bx",
        ["┌─┐x......", "..........", "..........", "..........", ".........."],
        (4, 0),
    ),
    (
        "SO and SI",
        "\x1b)0q\x0eq\x0fq",
        ["q─q.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "locking shift 2",
        "\x1b*0\x1bnq\x0fq",
        ["─q........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "new line mode",
        "a\x1b[20h\nb\x1b[20l\nc",
        ["a.........", "b.........", ".c........", "..........", ".........."],
        (2, 2),
    ),
    ("wide", "漢a字", ["w_aw_.....", "..........", "..........", "..........", ".........."], (5, 0)),
    (
        "wide at the edge",
        "123456789漢x",
        ["123456789.", "w_x.......", "..........", "..........", ".........."],
        (3, 1),
    ),
    (
        "wide at the edge without autowrap",
        "\x1b[?7l123456789漢",
        ["123456789.", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "a wide one cut in its first half",
        "漢漢\x1b[Gx",
        ["x.w_......", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "a wide one cut in its second half",
        "漢漢\x1b[2Gx",
        [".xw_......", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "a wide one cut by ECH",
        "漢漢\x1b[2G\x1b[2X",
        ["..........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "a wide one cut by EL",
        "a漢b\x1b[3G\x1b[K",
        ["a.........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "a wide one cut by DCH",
        "a漢b\x1b[2G\x1b[P",
        ["a.b.......", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "a wide one cut by ICH",
        "a漢b\x1b[3G\x1b[@",
        ["a...b.....", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "a wide one pushed over the edge",
        "12345678漢\x1b[G\x1b[@",
        [".12345678.", "..........", "..........", "..........", ".........."],
        (0, 0),
    ),
    (
        "combining",
        "e\u{301}x",
        ["éx........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "combining on a pending wrap",
        "123456789e\u{301}",
        ["123456789é", "..........", "..........", "..........", ".........."],
        (9, 0),
    ),
    (
        "save and restore",
        "ab\x1b7\x1b[4;4Hx\x1b8c",
        ["abc.......", "..........", "..........", "...x......", ".........."],
        (3, 0),
    ),
    (
        "restore without save",
        "ab\x1b8c",
        ["cb........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "SCOSC and SCORC",
        "ab\x1b[s\x1b[4;4Hx\x1b[uc",
        ["abc.......", "..........", "..........", "...x......", ".........."],
        (3, 0),
    ),
    (
        "DECSC keeps the character set",
        "\x1b(0\x1b7\x1b(Bq\x1b8q",
        ["─.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "1049 there",
        "ab\x1b[?1049hX",
        ["..X.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "1049 and back",
        "ab\x1b[?1049h\x1b[3;3HX\x1b[?1049lc",
        ["abc.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "1049 clears at entering",
        "\x1b[?1049hX\x1b[?1049l\x1b[?1049hY",
        ["Y.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "1047 shares the cursor",
        "ab\x1b[?1047h\x1b[3;3HX\x1b[?1047lc",
        ["ab........", "..........", "...c......", "..........", ".........."],
        (4, 2),
    ),
    (
        "1047 clears at leaving",
        "\x1b[?1047hX\x1b[?1047l\x1b[?1047hY",
        [".Y........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "47 keeps the alternate screen",
        "\x1b[?47hX\x1b[?47l\x1b[?47hY",
        ["XY........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "1048",
        "ab\x1b[?1048h\x1b[4;4H\x1b[?1048lc",
        ["abc.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "RIS",
        "ab\x1b[?1049h\x1b[2;3r\x1b[31m\x1bcx",
        ["x.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "DECSTR",
        "ab\x1b[2;3r\x1b[?6h\x1b[4h\x1b[31m\x1b(0\x1b[!pq\x1b[Ha",
        ["ab........", "q.........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "DECCOLM clears",
        "ab\x1b[2;3r\x1b[?3lx",
        ["x.........", "..........", "..........", "..........", ".........."],
        (1, 0),
    ),
    (
        "CAN and SUB end a sequence",
        "\x1b[3\x18a\x1b[3\x1ab",
        ["ab........", "..........", "..........", "..........", ".........."],
        (2, 0),
    ),
    (
        "controls within a sequence",
        "a\x1b[2\x08Cb",
        ["a.b.......", "..........", "..........", "..........", ".........."],
        (3, 0),
    ),
    (
        "strings show nothing",
        "a\x1bPq123\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d\x1bXz\x1b\\e",
        ["abcde.....", "..........", "..........", "..........", ".........."],
        (5, 0),
    ),
    (
        "C1 as UTF-8 introduces nothing",
        "a\u{9b}31mb",
        ["a31mb.....", "..........", "..........", "..........", ".........."],
        (5, 0),
    ),
];

#[test]
fn sequences_show_what_they_should() {
    let mut wrong = Vec::new();
    for (name, bytes, rows, cursor) in TABLE {
        let screen = shown(10, 5, bytes.as_bytes());
        let (line, column) = screen.emulator.machine.at();
        let now = cells(&screen);
        if now != *rows || (column, line) != *cursor {
            wrong.push(format!(
                "{name}: {}\n  shows {now:?} {:?}\n not    {rows:?} {cursor:?}",
                bytes.escape_default(),
                (column, line)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let mut screen = shown(20, 2, &"e\u{301}".repeat(1).into_bytes());
    screen.push("\u{301}".repeat(100_000).as_bytes());
    screen.settle();
    let cell = &screen.emulator.machine.term.grid()[Line(0)][Column(0)];
    assert_eq!(cell.zerowidth().map(<[char]>::len), Some(16));
    screen.push(&b"\x1b[>1u\x1b[22t".repeat(50_000));
    screen.settle();
    let machine = &screen.emulator.machine;
    assert_eq!((machine.screens[0].kitty.len(), machine.titles.len()), (16, 10));
}
