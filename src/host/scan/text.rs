//! Text of a program, made fit for lists and messages.

/// Longest text, in characters.
pub(super) const LONGEST: usize = 512;

/// What is printable of it, at most `longest` characters: no control characters, of either set, and none that turn the
/// direction of what follows.
pub(in crate::host) fn printable(bytes: &[u8], longest: usize) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .take(longest)
        .collect()
}

/// Base64, padded or not; `None` where it is not.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.iter().copied().filter(|b| *b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_characters_pass() {
        assert_eq!(printable("a\x07b\u{9b}c\u{202e}d\u{7f}é漢\n".as_bytes(), 99), "abcdé漢");
        assert_eq!(printable(b"\xff\xfeok", 3), "\u{fffd}\u{fffd}o");
    }

    #[test]
    fn base64_of_known_texts() {
        assert_eq!(base64(b"aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(base64(b"aGVsbG8h"), Some(b"hello!".to_vec()));
        assert_eq!(base64(b""), Some(Vec::new()));
        assert_eq!(base64(b"a b"), None);
    }
}
