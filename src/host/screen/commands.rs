//! The operating system commands (`OSC`) that change what a terminal shows.

use crate::host::scan::printable;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `OSC 0` and `2`.
    Title(String),
    /// `OSC 9;4`: the payload, empty for none.
    Progress(String),
    /// `OSC 4`, `10` to `19`, `104`, `110` to `119`.
    Colors(Vec<(u16, Color)>),
    /// `OSC 104` without parameters.
    ResetPalette,
    /// `OSC 8`; an empty target ends a link.
    Link {
        /// Its name.
        id: Option<String>,
        /// Its target.
        uri: String,
    },
}

/// What becomes of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    Set([u8; 3]),
    Reset,
}

/// Index in the table of colours of `OSC 10`; 11 to 19 follow.
pub(super) const DYNAMIC: u16 = 1_000;
/// Longest title that is kept, in characters.
const LONGEST_TITLE: usize = 512;

/// Reads a command; `None` for one that changes nothing, is a query, or is malformed.
pub(super) fn parse(params: &[&[u8]]) -> Option<Command> {
    let (kind, rest) = params.split_first()?;
    match number(kind)? {
        0 | 2 if !rest.is_empty() => Some(Command::Title(printable(&rest.join(&b';'), LONGEST_TITLE))),
        4 => {
            let list = rest.chunks_exact(2).filter_map(|pair| {
                let index = number(pair[0]).filter(|n| *n <= 255)?;
                Some((index, Color::Set(color(pair[1])?)))
            });
            Some(Command::Colors(list.collect()))
        }
        8 if rest.len() >= 2 => {
            let uri = rest[1..].join(&b';');
            let id = rest[0].split(|b| *b == b':').find_map(|kv| kv.strip_prefix(b"id="));
            Some(Command::Link {
                id: id.filter(|id| !id.is_empty()).map(|id| printable(id, 250)),
                uri: printable(&uri, usize::MAX),
            })
        }
        9 if rest.first() == Some(&b"4".as_slice()) => {
            let payload = rest[1..].join(&b';');
            let valid = payload.len() <= 16 && payload.iter().all(|b| b.is_ascii_digit() || *b == b';');
            let none = payload.is_empty() || payload.starts_with(b"0");
            Some(Command::Progress(if valid && !none { printable(&payload, 16) } else { String::new() }))
        }
        n @ 10..=19 => {
            let list =
                (n..=19).zip(rest).filter_map(|(n, spec)| Some((DYNAMIC + n - 10, Color::Set(color(spec)?))));
            Some(Command::Colors(list.collect()))
        }
        104 if rest.iter().all(|p| p.is_empty()) => Some(Command::ResetPalette),
        104 => {
            let list = rest.iter().filter_map(|p| Some((number(p).filter(|n| *n <= 255)?, Color::Reset)));
            Some(Command::Colors(list.collect()))
        }
        n @ 110..=119 => Some(Command::Colors(vec![(DYNAMIC + n - 110, Color::Reset)])),
        _ => None,
    }
}

/// A decimal number.
pub(super) fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `rgb:r/g/b` with one to four hexadecimal digits each, or `#rgb`, `#rrggbb`, `#rrrgggbbb`, `#rrrrggggbbbb`.
fn color(spec: &[u8]) -> Option<[u8; 3]> {
    let spec = std::str::from_utf8(spec).ok()?;
    if let Some(parts) = spec.strip_prefix("rgb:") {
        let mut rgb = [0; 3];
        let mut parts = parts.split('/');
        for value in &mut rgb {
            let digits = parts.next().filter(|d| (1..=4).contains(&d.len()))?;
            let most = (1_u32 << (4 * digits.len())) - 1;
            *value = u8::try_from(hexadecimal(digits)? * 255 / most).ok()?;
        }
        return parts.next().is_none().then_some(rgb);
    }
    let digits = spec.strip_prefix('#').filter(|d| d.is_ascii() && matches!(d.len(), 3 | 6 | 9 | 12))?;
    let width = digits.len() / 3;
    let mut rgb = [0; 3];
    for (i, value) in rgb.iter_mut().enumerate() {
        let part = &digits[i * width..(i + 1) * width];
        // The most significant bits are given; the rest are zero.
        let part = hexadecimal(part)? << (16 - 4 * width);
        *value = u8::try_from(part >> 8).ok()?;
    }
    Some(rgb)
}

fn hexadecimal(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<Command> {
        parse(&bytes.split(|b| *b == b';').collect::<Vec<_>>())
    }

    #[test]
    fn colours() {
        assert_eq!(color(b"rgb:ff/80/00"), Some([255, 128, 0]));
        assert_eq!(color(b"rgb:f/0/ffff"), Some([255, 0, 255]));
        assert_eq!(color(b"#fff"), Some([240, 240, 240]));
        assert_eq!(color(b"#102030"), Some([16, 32, 48]));
        for bad in
            [&b"rgb:f/f"[..], b"rgb:f/f/f/f", b"#12", b"rgb:+f/0/0", b"red", b"#\xc3\xa9\xc3\xa9\xc3\xa9"]
        {
            assert_eq!(color(bad), None);
        }
    }

    #[test]
    fn titles_are_printable_and_bounded() {
        assert_eq!(of("0;a;b\u{9b}1m\u{7f}".as_bytes()), Some(Command::Title("a;b1m".into())));
        let long = [b"2;".as_slice(), &[b'x'; 5_000]].concat();
        assert_eq!(of(&long), Some(Command::Title("x".repeat(512))));
    }

    #[test]
    fn links_and_colours_in_lists() {
        assert_eq!(
            of(b"8;x=1:id=me;http://a/;b"),
            Some(Command::Link { id: Some("me".into()), uri: "http://a/;b".into() })
        );
        assert_eq!(
            of(b"10;#000000;?;#ffffff"),
            Some(Command::Colors(vec![(1000, Color::Set([0; 3])), (1002, Color::Set([255; 3]))]))
        );
        assert_eq!(of(b"104"), Some(Command::ResetPalette));
        assert_eq!(of(b"9;4;1;50"), Some(Command::Progress("1;50".into())));
        assert_eq!(of(b"9;4;0"), Some(Command::Progress(String::new())));
        assert_eq!(of(b"133;A"), None);
    }
}
