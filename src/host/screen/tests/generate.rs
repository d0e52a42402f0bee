//! Programs as they might write to a terminal.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// One thing that happens to a screen.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Output(Vec<u8>),
    Resize(u16, u16),
}

fn output(bytes: impl Into<Vec<u8>>) -> Vec<u8> {
    bytes.into()
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[ -~]{1,24}".prop_map(output),
        2 => select(vec!["漢字", "한글テキスト", "🦀", "e\u{301}", "\u{301}", "नि", "👩\u{200d}👩", "─┼│", "ﬀ", "\u{fe0f}", "\u{7f}", "\u{85}"]).prop_map(output),
        1 => (1_u8..40).prop_map(|n| vec![b'='; usize::from(n)]),
    ]
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    select(vec!["\r\n", "\r\n", "\r", "\n", "\x08", "\t", "\x0b", "\x0e", "\x0f", "\x00"]).prop_map(output)
}

fn moved() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0_u16..14, 0_u16..40).prop_map(|(r, c)| format!("\x1b[{r};{c}H")),
        (select(b"ABCDEFGIZade`fHb".to_vec()), 0_u16..9)
            .prop_map(|(a, n)| format!("\x1b[{n}{}", char::from(a))),
        select(vec![
            "\x1bD", "\x1bE", "\x1bM", "\x1b7", "\x1b8", "\x1b[s", "\x1b[u", "\x1bH", "\x1b[g", "\x1b[3g",
            "\x1b[?5W"
        ])
        .prop_map(String::from),
    ]
    .prop_map(output)
}

fn edit() -> impl Strategy<Value = Vec<u8>> {
    (select(b"@JKLMPSTX".to_vec()), 0_u16..6).prop_map(|(a, n)| output(format!("\x1b[{n}{}", char::from(a))))
}

fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        4 => (0_u16..=9).prop_map(|n| n.to_string()),
        2 => (21_u16..=29).prop_map(|n| n.to_string()),
        4 => (30_u16..=49).prop_filter("takes parameters", |n| *n != 38 && *n != 48).prop_map(|n| n.to_string()),
        2 => (90_u16..=107).prop_map(|n| n.to_string()),
        1 => (0_u16..=5).prop_map(|n| format!("4:{n}")),
        2 => (select(vec![38, 48, 58]), any::<u8>()).prop_map(|(k, n)| format!("{k};5;{n}")),
        2 => (select(vec![38, 48, 58]), any::<[u8; 3]>()).prop_map(|(k, [r, g, b])| format!("{k};2;{r};{g};{b}")),
        1 => (select(vec![38, 48, 58]), any::<[u8; 3]>()).prop_map(|(k, [r, g, b])| format!("{k}:2::{r}:{g}:{b}")),
        1 => Just("59".to_owned()),
    ];
    vec(code, 0..3).prop_map(|codes| output(format!("\x1b[{}m", codes.join(";"))))
}

fn mode() -> impl Strategy<Value = Vec<u8>> {
    let number = select(vec![
        "?1", "?5", "?6", "?7", "?7", "?12", "?25", "?47", "?1047", "?1049", "?1049", "?1048", "?1000",
        "?1002", "?1003", "?1004", "?1006", "?1007", "?1015", "?1016", "?1034", "?2004", "?2026", "?2031",
        "4", "20",
    ]);
    prop_oneof![
        8 => (number, select(vec!['h', 'l'])).prop_map(|(n, a)| format!("\x1b[{n}{a}")),
        3 => (0_u16..12, 0_u16..14).prop_map(|(t, b)| format!("\x1b[{t};{b}r")),
        1 => Just("\x1b[r".to_owned()),
        2 => select(vec!["\x1b(0", "\x1b(B", "\x1b)0", "\x1b)B", "\x1b*0", "\x1bn", "\x1b=", "\x1b>"]).prop_map(String::from),
        1 => (0_u8..=6).prop_map(|n| format!("\x1b[{n} q")),
        1 => select(vec!["\x1b[>1u", "\x1b[>5u", "\x1b[<u", "\x1b[=3;2u", "\x1b[=1;3u", "\x1b[>4;2m", "\x1b[>4m"]).prop_map(String::from),
        1 => select(vec!["\x1b[!p", "\x1b#8", "\x1b[?3l"]).prop_map(String::from),
    ]
    .prop_map(output)
}

fn command() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        select(vec![
            "\x1b]0;title\x07",
            "\x1b]2;other ✳\x1b\\",
            "\x1b[22;0t",
            "\x1b[23;0t",
            "\x1b]8;;http://a/\x07",
            "\x1b]8;id=n;http://b/;c\x1b\\",
            "\x1b]8;;\x1b\\",
            "\x1b]4;1;rgb:12/34/56\x07",
            "\x1b]10;#102030\x07",
            "\x1b]11;rgb:ff/ff/ff;#000\x1b\\",
            "\x1b]104\x07",
            "\x1b]110\x07",
            "\x1b]9;4;1;30\x07",
            "\x1b]9;4;0\x07",
            "\x1bPqdata\x1b\\",
            "\x1b_Gdata\x1b\\",
            "\x1b[6n",
        ])
        .prop_map(output),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => text().prop_map(Step::Output),
        6 => control().prop_map(Step::Output),
        6 => moved().prop_map(Step::Output),
        5 => edit().prop_map(Step::Output),
        5 => attributes().prop_map(Step::Output),
        4 => mode().prop_map(Step::Output),
        2 => command().prop_map(Step::Output),
        1 => (1_u16..40, 1_u16..14).prop_map(|(c, r)| Step::Resize(c, r)),
    ]
}

/// A program, and the size that its terminal begins with.
pub(super) fn program() -> impl Strategy<Value = ((u16, u16), Vec<Step>)> {
    ((2_u16..40, 1_u16..14), vec(step(), 0..90))
}

/// Output only.
pub(super) fn writing() -> impl Strategy<Value = Vec<u8>> {
    vec(step(), 0..90).prop_map(|steps| {
        let bytes = steps.into_iter().filter_map(|step| match step {
            Step::Output(bytes) => Some(bytes),
            Step::Resize(..) => None,
        });
        bytes.flatten().collect()
    })
}

/// Anything at all, with more escape characters than chance would bring.
pub(super) fn soup() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![
            4 => any::<u8>(),
            3 => select(b"\x1b\x1b[]?;0123456789mHJKhlrPXLM@ABCD\x07\x9b\xc2\xe2".to_vec()),
        ],
        0..600,
    )
}

/// Lines of plain text, and seldom something that is not.
pub(super) fn flood() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        8 => "[ -~]{0,30}\r\n",
        2 => "[ -~\t]{0,9}\n",
        1 => "[ -~\t]{0,60}\r\n",
        1 => "\r{0,2}",
    ];
    (vec(line, 0..120), select(vec!["", "", "", "", "\x1b[31m", "é"]), any::<prop::sample::Index>()).prop_map(
        |(mut lines, odd, at)| {
            let at = at.index(lines.len() + 1);
            lines.insert(at, odd.to_owned());
            lines.concat().into_bytes()
        },
    )
}
