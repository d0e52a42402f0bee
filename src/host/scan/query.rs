//! The questions that programs ask their terminal, and how they are recognised.

use super::text::printable;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// DA1, `CSI c`.
    Primary,
    /// DA2, `CSI > c`.
    Secondary,
    /// DA3, `CSI = c`.
    Tertiary,
    /// Whether the terminal is well, `CSI 5 n`.
    Health,
    /// Where the cursor is, `CSI 6 n`.
    Cursor,
    /// The same with the page, `CSI ? 6 n`.
    CursorAndPage,
    /// Whether the colours are dark or light, `CSI ? 996 n`.
    ColorScheme,
    /// DECRQM of an ANSI mode, `CSI n $ p`.
    Mode(u16),
    /// DECRQM of a private mode, `CSI ? n $ p`.
    PrivateMode(u16),
    /// XTVERSION, `CSI > q`.
    Version,
    /// Kitty keyboard flags, `CSI ? u`.
    KittyKeyboard,
    /// XTQMODKEYS, `CSI ? 4 m`.
    ModifyOtherKeys,
    /// Size of the text area in pixels, `CSI 14 t`.
    TextAreaPixels,
    /// Size of a cell in pixels, `CSI 16 t`.
    CellPixels,
    /// Size of the text area in cells, `CSI 18 t`.
    TextAreaCells,
    /// `OSC 4`, `10` to `19` with `?`.
    Colors {
        /// Which ones.
        asked: Vec<Asked>,
        /// It ended with BEL, and so does the answer.
        bell: bool,
    },
    /// XTGETTCAP: names, as they came, in hexadecimal.
    Capabilities(Vec<String>),
    /// DECRQSS: of which control function.
    Setting(Vec<u8>),
    /// Whether program status reports are understood, `OSC 7501 ; ?`.
    Program,
    /// Something that some terminals answer: only one may get it. There is no answer of our own.
    Other,
}

/// A colour that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Of the palette, `OSC 4`.
    Palette(u8),
    /// `OSC 10` to `19`.
    Dynamic(u8),
}

/// A control sequence, taken apart.
pub(super) struct Control<'a> {
    prefix: u8,
    params: &'a [u8],
    intermediates: &'a [u8],
    action: u8,
}

impl<'a> Control<'a> {
    /// `None` for a malformed one, which terminals ignore.
    pub(super) fn parse(text: &'a [u8], action: u8) -> Option<Self> {
        let (prefix, rest) = match text.split_first() {
            Some((first @ b'<'..=b'?', rest)) => (*first, rest),
            Some(_) | None => (0, text),
        };
        let params = rest.iter().take_while(|b| matches!(b, b'0'..=b';')).count();
        let (params, intermediates) = rest.split_at(params);
        let valid = intermediates.len() <= 2 && intermediates.iter().all(|b| matches!(b, 0x20..=0x2f));
        valid.then_some(Self { prefix, params, intermediates, action })
    }

    /// The first parameter; 0 where it is missing.
    fn first(&self) -> u16 {
        self.numbers().next().unwrap_or(0)
    }

    fn numbers(&self) -> impl Iterator<Item = u16> {
        self.params.split(|b| *b == b';').map(number)
    }

    /// Whether it shows the alternate screen, or shows it no longer.
    pub(super) fn switches(&self) -> Option<bool> {
        let on = match (self.prefix, self.intermediates, self.action) {
            (b'?', [], b'h') => true,
            (b'?', [], b'l') => false,
            _ => return None,
        };
        self.numbers().any(|n| matches!(n, 47 | 1047 | 1049)).then_some(on)
    }

    /// What it asks.
    pub(super) fn query(&self) -> Option<Query> {
        let first = self.first();
        Some(match (self.prefix, self.intermediates, self.action) {
            (0, [], b'c') if first == 0 => Query::Primary,
            (b'>', [], b'c') if first == 0 => Query::Secondary,
            (b'=', [], b'c') if first == 0 => Query::Tertiary,
            (0, [], b'n') if first == 5 => Query::Health,
            (0, [], b'n') if first == 6 => Query::Cursor,
            (b'?', [], b'n') if first == 6 => Query::CursorAndPage,
            (b'?', [], b'n') if first == 996 => Query::ColorScheme,
            (b'?', [], b'n') => Query::Other,
            (0, [b'$'], b'p') => Query::Mode(first),
            (b'?', [b'$'], b'p') => Query::PrivateMode(first),
            (b'>', [], b'q') if first == 0 => Query::Version,
            (b'?', [], b'u') => Query::KittyKeyboard,
            (b'?', [], b'm') if first == 4 => Query::ModifyOtherKeys,
            (b'?', [], b'm') => Query::Other,
            (0, [], b't') => match first {
                14 => Query::TextAreaPixels,
                16 => Query::CellPixels,
                18 => Query::TextAreaCells,
                11 | 13 | 15 | 19 | 20 | 21 => Query::Other,
                _ => return None,
            },
            // DECREQTPARM, DECRQPSR, DECRQTSR, DECRQUPSS, DECRQCRA, XTSMGRAPHICS, XTREPORTCOLORS, XTREPORTSGR.
            (0, [], b'x')
            | (0, [b'$'], b'w' | b'u')
            | (0, [b'&'], b'u')
            | (0, [b'*'], b'y')
            | (b'?', [], b'S')
            | (0, [b'#'], b'R' | b'|') => Query::Other,
            _ => return None,
        })
    }
}

/// What an operating system command asks.
pub(super) fn command(text: &[u8], bell: bool) -> Option<Query> {
    let mut parts = text.split(|b| *b == b';');
    let kind = parts.next()?;
    if !kind.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let parts: Vec<&[u8]> = parts.collect();
    let asks = |p: &&[u8]| *p == b"?";
    match number(kind) {
        4 => {
            let asked: Vec<Asked> = parts
                .chunks_exact(2)
                .filter(|pair| pair[1] == b"?")
                .filter_map(|pair| Some(Asked::Palette(u8::try_from(number(pair[0])).ok()?)))
                .collect();
            (!asked.is_empty()).then_some(Query::Colors { asked, bell })
        }
        n @ 10..=19 => {
            let asked: Vec<Asked> = (n..=19)
                .zip(&parts)
                .filter(|(_, p)| **p == b"?")
                .filter_map(|(n, _)| Some(Asked::Dynamic(u8::try_from(n).ok()?)))
                .collect();
            (!asked.is_empty()).then_some(Query::Colors { asked, bell })
        }
        7501 => parts.first().is_some_and(asks).then_some(Query::Program),
        5 | 22 | 52 => parts.iter().any(asks).then_some(Query::Other),
        21 => parts.iter().any(|p| p.ends_with(b"=?")).then_some(Query::Other),
        99 => parts
            .first()
            .is_some_and(|p| p.split(|b| *b == b':').any(|kv| kv == b"p=?"))
            .then_some(Query::Other),
        1337 => {
            let wanted = |p: &&[u8]| p.starts_with(b"ReportCellSize") || p.starts_with(b"ReportVariable");
            parts.first().is_some_and(wanted).then_some(Query::Other)
        }
        _ => None,
    }
}

/// What a device control string asks.
pub(super) fn device(text: &[u8]) -> Option<Query> {
    if let Some(names) = text.strip_prefix(b"+q") {
        return Some(Query::Capabilities(names.split(|b| *b == b';').map(|n| printable(n, 256)).collect()));
    }
    text.strip_prefix(b"$q").map(|what| Query::Setting(what.to_vec()))
}

/// What an application program command asks: whether kitty graphics are understood.
pub(super) fn application(text: &[u8]) -> Option<Query> {
    let keys = text.strip_prefix(b"G")?.split(|b| *b == b';').next()?;
    keys.split(|b| *b == b',').any(|kv| kv == b"a=q").then_some(Query::Other)
}

/// A decimal number, 0 where there is none; sub-parameters are left out.
fn number(text: &[u8]) -> u16 {
    text.iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0_u16, |n, b| n.saturating_mul(10).saturating_add(u16::from(b - b'0')))
}
