use super::shown;
use crate::host::scan::{Found, Scanner};
use crate::host::screen::answer;

/// What is answered to all queries in `asked`, after `before` was written.
fn answers(before: &str, asked: &str) -> String {
    let mut screen = shown(80, 24, before.as_bytes());
    let mut found = Vec::new();
    Scanner::new().scan(asked.as_bytes(), &mut found);
    assert!(!found.is_empty(), "no query: {}", asked.escape_default());
    let mut out = Vec::new();
    let mut fed = 0;
    for item in found {
        let Found::Query { query, end, .. } = item else { panic!("not a query: {item:?}") };
        screen.push(&asked.as_bytes()[fed..end]);
        fed = end;
        out.extend(answer(&query, &mut screen));
    }
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn answers_tell_the_truth() {
    for (before, asked, answered) in [
        ("", "\x1b[c", "\x1b[?62;22c"),
        ("", "\x1b[=c", "\x1bP!|00000000\x1b\\"),
        ("", "\x1b[5n", "\x1b[0n"),
        ("ab\r\ncd", "\x1b[6n", "\x1b[2;3R"),
        ("\x1b[5;10r\x1b[?6h\x1b[2;3H", "\x1b[6n", "\x1b[2;3R"),
        ("\x1b[5;10r\x1b[?6h\x1b[2;3H\x1b[?6l\x1b[7;7H", "\x1b[?6n", "\x1b[?7;7;1R"),
        ("", "\x1b[?2026$p", "\x1b[?2026;2$y"),
        ("\x1b[?2004h", "\x1b[?2004$p", "\x1b[?2004;1$y"),
        ("\x1b[?1000h\x1b[?1003h", "\x1b[?1000$p\x1b[?1003$p", "\x1b[?1000;2$y\x1b[?1003;1$y"),
        ("\x1b[?1049h", "\x1b[?1049$p", "\x1b[?1049;1$y"),
        ("", "\x1b[?25$p\x1b[?7$p\x1b[?6$p", "\x1b[?25;1$y\x1b[?7;1$y\x1b[?6;2$y"),
        ("", "\x1b[?9999$p", "\x1b[?9999;0$y"),
        ("\x1b[4h", "\x1b[4$p\x1b[20$p\x1b[3$p", "\x1b[4;1$y\x1b[20;2$y\x1b[3;0$y"),
        ("", "\x1b[?u", "\x1b[?0u"),
        ("\x1b[>1u\x1b[>5u", "\x1b[?u", "\x1b[?5u"),
        ("\x1b[>1u\x1b[>5u\x1b[<u", "\x1b[?u", "\x1b[?1u"),
        ("\x1b[>1u\x1b[?1049h", "\x1b[?u", "\x1b[?0u"),
        ("\x1b[>4;2m", "\x1b[?4m", "\x1b[>4;2m"),
        ("", "\x1b[14t\x1b[16t\x1b[18t", "\x1b[4;384;640t\x1b[6;16;8t\x1b[8;24;80t"),
        ("", "\x1b]11;?\x07", "\x1b]11;rgb:1010/1010/1010\x07"),
        ("\x1b]11;#fff0ff\x07", "\x1b]11;?\x1b\\", "\x1b]11;rgb:ffff/f0f0/ffff\x1b\\"),
        ("\x1b]11;#ffffff\x07", "\x1b[?996n", "\x1b[?997;2n"),
        ("\x1b]11;#ffffff\x07\x1b]111\x07", "\x1b[?996n", "\x1b[?997;1n"),
        ("", "\x1b]4;1;?;255;?\x07", "\x1b]4;1;rgb:cdcd/0000/0000\x07\x1b]4;255;rgb:eeee/eeee/eeee\x07"),
        ("\x1b]4;1;rgb:1/2/3\x07", "\x1b]4;1;?\x07", "\x1b]4;1;rgb:1111/2222/3333\x07"),
        (
            "",
            "\x1bP+q544e;626164\x1b\\",
            "\x1bP1+r544e=787465726d2d323536636f6c6f72\x1b\\\x1bP0+r626164\x1b\\",
        ),
        ("", "\x1bP+q524742\x1b\\", "\x1bP1+r524742=382f382f38\x1b\\"),
        ("\x1b[1;31m", "\x1bP$qm\x1b\\", "\x1bP1$r0;1;31m\x1b\\"),
        ("", "\x1bP$qm\x1b\\", "\x1bP1$r0m\x1b\\"),
        ("\x1b[3;9r", "\x1bP$qr\x1b\\", "\x1bP1$r3;9r\x1b\\"),
        ("\x1b[5 q", "\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"),
        ("", "\x1bP$qz\x1b\\", "\x1bP0$r\x1b\\"),
        ("", "\x1b]7501;?\x07", "\x1b]7501;?\x1b\\"),
        ("", "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", ""),
        ("", "a\x1b[6nbc\x1b[6n", "\x1b[1;2R\x1b[1;4R"),
    ] {
        assert_eq!(
            answers(before, asked),
            answered,
            "{} then {}",
            before.escape_default(),
            asked.escape_default()
        );
    }
}

#[test]
fn the_version_is_told() {
    assert_eq!(answers("", "\x1b[>q"), format!("\x1bP>|abide({})\x1b\\", crate::VERSION));
    let secondary = answers("", "\x1b[>c");
    assert!(secondary.starts_with("\x1b[>1;") && secondary.ends_with(";0c"), "{secondary:?}");
}
