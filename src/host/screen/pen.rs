//! Attributes of text (SGR): reading them into the cursor, and writing them out again.

use std::fmt::Write;

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::term::Term;
use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use vte::Params;
use vte::ansi::{Color, NamedColor, Rgb};

use super::machine::BLINK;

/// The flags that are attributes of text; the others tell how the grid is laid out.
pub(super) const ATTRIBUTES: Flags = Flags::from_bits_retain(
    Flags::INVERSE.bits()
        | Flags::BOLD.bits()
        | Flags::ITALIC.bits()
        | Flags::DIM.bits()
        | Flags::HIDDEN.bits()
        | Flags::STRIKEOUT.bits()
        | Flags::ALL_UNDERLINES.bits()
        | BLINK.bits(),
);

const FOREGROUND: Color = Color::Named(NamedColor::Foreground);
const BACKGROUND: Color = Color::Named(NamedColor::Background);

/// SGR.
pub(super) fn select(term: &mut Term<VoidListener>, params: &Params) {
    let template = &mut term.grid_mut().cursor.template;
    if params.is_empty() {
        reset(template);
    }
    let mut params = params.iter();
    while let Some(param) = params.next() {
        let Some(&code) = param.first() else { continue };
        match code {
            0 => reset(template),
            1 => template.flags.insert(Flags::BOLD),
            2 => template.flags.insert(Flags::DIM),
            3 => template.flags.insert(Flags::ITALIC),
            4 => underline(template, param.get(1).copied().unwrap_or(1)),
            5 | 6 => template.flags.insert(BLINK),
            7 => template.flags.insert(Flags::INVERSE),
            8 => template.flags.insert(Flags::HIDDEN),
            9 => template.flags.insert(Flags::STRIKEOUT),
            21 => underline(template, 2),
            22 => template.flags.remove(Flags::BOLD | Flags::DIM),
            23 => template.flags.remove(Flags::ITALIC),
            24 => underline(template, 0),
            25 => template.flags.remove(BLINK),
            27 => template.flags.remove(Flags::INVERSE),
            28 => template.flags.remove(Flags::HIDDEN),
            29 => template.flags.remove(Flags::STRIKEOUT),
            30..=37 => template.fg = named(code - 30),
            90..=97 => template.fg = named(code - 90 + 8),
            39 => template.fg = FOREGROUND,
            40..=47 => template.bg = named(code - 40),
            100..=107 => template.bg = named(code - 100 + 8),
            49 => template.bg = BACKGROUND,
            59 => template.set_underline_color(None),
            38 | 48 | 58 => {
                let color = if let [_, sub @ ..] = param
                    && !sub.is_empty()
                {
                    with_colons(sub)
                } else {
                    color(&mut params.by_ref().filter_map(|p| p.first().copied()))
                };
                match (code, color) {
                    (38, Some(color)) => template.fg = color,
                    (48, Some(color)) => template.bg = color,
                    (58, Some(color)) => template.set_underline_color(Some(color)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn reset(template: &mut Cell) {
    template.fg = FOREGROUND;
    template.bg = BACKGROUND;
    template.flags = Flags::empty();
    template.set_underline_color(None);
}

fn underline(template: &mut Cell, style: u16) {
    template.flags.remove(Flags::ALL_UNDERLINES);
    match style {
        0 => {}
        2 => template.flags.insert(Flags::DOUBLE_UNDERLINE),
        3 => template.flags.insert(Flags::UNDERCURL),
        4 => template.flags.insert(Flags::DOTTED_UNDERLINE),
        5 => template.flags.insert(Flags::DASHED_UNDERLINE),
        _ => template.flags.insert(Flags::UNDERLINE),
    }
}

/// What follows `38:`: `5:n`, `2:r:g:b` or `2:space:r:g:b`.
fn with_colons(sub: &[u16]) -> Option<Color> {
    match sub {
        [2, _, rgb @ ..] if rgb.len() >= 3 => color(&mut std::iter::once(2).chain(rgb.iter().copied())),
        _ => color(&mut sub.iter().copied()),
    }
}

fn color(params: &mut dyn Iterator<Item = u16>) -> Option<Color> {
    let byte = |p: &mut dyn Iterator<Item = u16>| u8::try_from(p.next()?).ok();
    match params.next() {
        Some(2) => {
            // All three are consumed even where one is out of range.
            let (r, g, b) = (byte(params), byte(params), byte(params));
            Some(Color::Spec(Rgb { r: r?, g: g?, b: b? }))
        }
        Some(5) => byte(params).map(Color::Indexed),
        _ => None,
    }
}

fn named(n: u16) -> Color {
    Color::Named(match n {
        0 => NamedColor::Black,
        1 => NamedColor::Red,
        2 => NamedColor::Green,
        3 => NamedColor::Yellow,
        4 => NamedColor::Blue,
        5 => NamedColor::Magenta,
        6 => NamedColor::Cyan,
        7 => NamedColor::White,
        8 => NamedColor::BrightBlack,
        9 => NamedColor::BrightRed,
        10 => NamedColor::BrightGreen,
        11 => NamedColor::BrightYellow,
        12 => NamedColor::BrightBlue,
        13 => NamedColor::BrightMagenta,
        14 => NamedColor::BrightCyan,
        _ => NamedColor::BrightWhite,
    })
}

/// The attributes that a terminal writes with, as far as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pen {
    fg: Color,
    bg: Color,
    flags: Flags,
    underline: Option<Color>,
    link: Option<Hyperlink>,
}

impl Default for Pen {
    fn default() -> Self {
        Self { fg: FOREGROUND, bg: BACKGROUND, flags: Flags::empty(), underline: None, link: None }
    }
}

impl Pen {
    /// The pen that writes this cell.
    pub(super) fn of(cell: &Cell) -> Self {
        Self {
            fg: cell.fg,
            bg: cell.bg,
            flags: cell.flags & ATTRIBUTES,
            underline: cell.underline_color(),
            link: cell.hyperlink(),
        }
    }

    /// The pen that writes this cell, but for a link.
    pub(super) fn without_link(cell: &Cell) -> Self {
        Self { link: None, ..Self::of(cell) }
    }

    #[cfg(test)]
    pub(super) fn unlink(&mut self) {
        self.link = None;
    }

    /// One that only has a background, as erasing leaves behind.
    pub(super) fn background(color: Color) -> Self {
        Self { bg: color, ..Self::default() }
    }

    /// Whether it writes this cell, without comparing what is the same object.
    pub(super) fn writes(&self, cell: &Cell) -> bool {
        self.fg == cell.fg
            && self.bg == cell.bg
            && self.flags == cell.flags & ATTRIBUTES
            && match &cell.extra {
                None => self.underline.is_none() && self.link.is_none(),
                Some(_) => self.underline == cell.underline_color() && self.link == cell.hyperlink(),
            }
    }

    /// Turns the terminal's pen from this one into `next`.
    pub(super) fn change(&mut self, next: Self, out: &mut String) {
        if self.link != next.link {
            self.link.clone_from(&next.link);
            match &next.link {
                Some(link) => {
                    let _ = write!(out, "\x1b]8;id={};{}\x1b\\", link.id(), link.uri());
                }
                None => out.push_str("\x1b]8;;\x1b\\"),
            }
        }
        if *self == next {
            return;
        }
        self.select(&next, out);
        *self = next;
    }

    /// As [`Self::change`], SGR only.
    fn select(&self, next: &Self, out: &mut String) {
        let plain = Self { link: next.link.clone(), ..Self::default() };
        if *next == plain {
            out.push_str("\x1b[m");
            return;
        }
        let mut codes = Codes { out, any: false };
        // Turning anything off starts from nothing: the codes that turn single things off are not the same everywhere.
        let from = if (self.flags - next.flags).is_empty() { self } else { &plain };
        if !std::ptr::eq(from, self) {
            codes.add(format_args!("0"));
        }
        let added = next.flags - from.flags;
        for (flag, code) in [
            (Flags::BOLD, "1"),
            (Flags::DIM, "2"),
            (Flags::ITALIC, "3"),
            (Flags::UNDERLINE, "4"),
            (Flags::DOUBLE_UNDERLINE, "4:2"),
            (Flags::UNDERCURL, "4:3"),
            (Flags::DOTTED_UNDERLINE, "4:4"),
            (Flags::DASHED_UNDERLINE, "4:5"),
            (BLINK, "5"),
            (Flags::INVERSE, "7"),
            (Flags::HIDDEN, "8"),
            (Flags::STRIKEOUT, "9"),
        ] {
            if added.contains(flag) {
                codes.add(format_args!("{code}"));
            }
        }
        if next.fg != from.fg {
            codes.color(next.fg, 30);
        }
        if next.bg != from.bg {
            codes.color(next.bg, 40);
        }
        if next.underline != from.underline {
            match next.underline {
                Some(color) => codes.color(color, 50),
                None => codes.add(format_args!("59")),
            }
        }
        codes.end();
    }
}

/// A `CSI … m` being written.
struct Codes<'a> {
    out: &'a mut String,
    any: bool,
}

impl Codes<'_> {
    fn add(&mut self, code: std::fmt::Arguments<'_>) {
        self.out.push_str(if self.any { ";" } else { "\x1b[" });
        self.any = true;
        let _ = self.out.write_fmt(code);
    }

    /// `base`: 30 for the foreground, 40 for the background, 50 for the underline.
    fn color(&mut self, color: Color, base: u16) {
        match color {
            Color::Indexed(n) if base == 50 => self.add(format_args!("58:5:{n}")),
            Color::Spec(Rgb { r, g, b }) if base == 50 => self.add(format_args!("58:2::{r}:{g}:{b}")),
            Color::Indexed(n) => self.add(format_args!("{};5;{n}", base + 8)),
            Color::Spec(Rgb { r, g, b }) => self.add(format_args!("{};2;{r};{g};{b}", base + 8)),
            Color::Named(name) => match name as u16 {
                n @ 0..=7 => self.add(format_args!("{}", base + n)),
                n @ 8..=15 => self.add(format_args!("{}", base + 60 + n - 8)),
                _ => self.add(format_args!("{}", base + 9)),
            },
        }
    }

    fn end(self) {
        if self.any {
            self.out.push('m');
        }
    }
}
