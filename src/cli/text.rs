//! Text for people: nothing that a terminal would act on, in the width that there is.

use unicode_width::UnicodeWidthStr;

/// Without control characters and without those that reorder the text around them: names, titles and details come
/// from programs that nobody vouches for.
pub(crate) fn clean(text: &str) -> String {
    let visible = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(visible).collect()
}

/// At most `width` columns of `text`; what was cut off shows as `…`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        // As a whole: a selector widens the character before it, and joined ones are narrower than their parts.
        if out.width() >= width {
            out.pop();
            break;
        }
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// A span of time in its largest unit, as in a table: `4s`, `12m`, `3h`, `9d`.
pub(crate) fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..172_800 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A number of bytes: `812 B`, `3.4 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let (mut unit, mut scaled) = (0, n as f64 / 1024.0);
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// A wall-clock time (ms since the Unix epoch) in the user's time zone.
pub(crate) fn moment(ms: u64) -> String {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map_or_else(
        || ms.to_string(),
        |t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// An argument as it would be typed into a shell.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_act_on_is_gone() {
        assert_eq!(clean("a\x1b]0;x\x07b\nc\u{9b}1m"), "a\u{fffd}]0;x\u{fffd}b c\u{fffd}1m");
        assert_eq!(clean("safe\u{202e}exe"), "safe\u{fffd}exe");
        assert_eq!(clean("größe 漢字 👩‍💻"), "größe 漢字 👩‍💻");
    }

    #[test]
    fn spans_and_sizes_are_short() {
        assert_eq!(
            [0, 59_999, 60_000, 3_600_000, 172_799_000, 172_800_000].map(span),
            ["0s", "59s", "1m", "1h", "47h", "2d"]
        );
        assert_eq!(
            [0, 1023, 1024, 3_565_158, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "3.4 MiB", "16777216.0 TiB"]
        );
    }

    #[test]
    fn a_selector_that_widens_counts() {
        assert_eq!(fit("🕯\u{fe0f} and more", 2), "🕯…");
        assert_eq!(fit("plain text", 6), "plain…");
    }

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("a.b/c=1"), "a.b/c=1");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,40}", width in 0usize..30) {
            let fitted = fit(&text, width);
            prop_assert!(fitted.width() <= width, "{fitted:?}");
            prop_assert!(text.width() > width || fitted == text);
        }

        #[test]
        fn clean_text_has_no_control_characters(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
