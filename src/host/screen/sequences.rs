//! What each control character and escape sequence does to the [`Machine`].

use alacritty_terminal::grid::Row;
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::Hyperlink;
use vte::ansi::{ClearMode, Handler, LineClearMode, NamedMode, StandardCharset, TabulationClearMode};
use vte::{Params, Perform};

use super::commands::{self, Color, Command};
use super::machine::{Alternate, Machine, TITLE_STACK, charset_index, clip};
use super::pen;

/// Longest target of a link that is kept.
const LONGEST_LINK: usize = 2_083;

impl Perform for Machine {
    fn print(&mut self, c: char) {
        Self::print(self, c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            0x08 => self.term.backspace(),
            0x09 => self.tab(1),
            0x0a..=0x0c => self.line_feed(),
            0x0d => self.term.carriage_return(),
            0x0e => self.shift(1),
            0x0f => self.shift(0),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignored: bool, byte: u8) {
        if ignored {
            return;
        }
        match (intermediates, byte) {
            ([], b'7') => self.save_cursor(),
            ([], b'8') => self.restore_cursor(),
            ([], b'D') => self.term.linefeed(),
            ([], b'E') => {
                self.term.linefeed();
                self.term.carriage_return();
            }
            ([], b'H') => self.set_tab(),
            ([], b'M') => self.term.reverse_index(),
            ([], b'c') => self.reset(),
            ([], b'n') => self.shift(2),
            ([], b'o') => self.shift(3),
            ([], b'=') => self.modes.keypad = true,
            ([], b'>') => self.modes.keypad = false,
            ([b'#'], b'8') => {
                self.set_region(0, self.size().rows);
                self.term.decaln();
                self.place(0, 0);
            }
            ([set @ b'('..=b'+'], designated) => {
                let charset = match designated {
                    b'0' => StandardCharset::SpecialCharacterAndLineDrawing,
                    _ => StandardCharset::Ascii,
                };
                self.term.configure_charset(charset_index(usize::from(set - b'(')), charset);
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignored: bool, action: char) {
        if ignored {
            return;
        }
        let args = Args(params);
        let one = usize::from(args.or(0, 1));
        match (intermediates, action) {
            ([], '@') => {
                self.term.insert_blank(one);
                self.mend();
            }
            ([], 'A' | 'k') => self.up(one),
            ([], 'B' | 'e') => self.down(one),
            ([], 'C' | 'a') => {
                let (_, column) = self.at();
                self.column(column.saturating_add(one));
            }
            ([], 'D' | 'j') => {
                let (_, column) = self.at();
                self.column(column.saturating_sub(one));
            }
            ([], 'E') => {
                self.down(one);
                self.column(0);
            }
            ([], 'F') => {
                self.up(one);
                self.column(0);
            }
            ([], 'G' | '`') => self.column(one - 1),
            ([], 'H' | 'f') => self.go(clip(one - 1), usize::from(args.or(1, 1)) - 1),
            ([], 'I') => self.tab(one),
            ([], 'J') | ([b'?'], 'J') => self.erase_screen(args.or(0, 0)),
            ([], 'K') | ([b'?'], 'K') => {
                let mode = match args.or(0, 0) {
                    0 => LineClearMode::Right,
                    1 => LineClearMode::Left,
                    2 => LineClearMode::All,
                    _ => return,
                };
                self.term.clear_line(mode);
                self.mend();
            }
            ([], 'L') => {
                self.term.insert_blank_lines(one);
                self.after_line_edit();
            }
            ([], 'M') => {
                self.delete_lines(one);
                self.after_line_edit();
            }
            ([], 'P') => {
                let (_, column) = self.at();
                self.term.delete_chars(one.min(self.size().cols - column));
                self.mend();
            }
            ([], 'S') => self.term.scroll_up(one),
            ([], 'T') if params.len() <= 1 => self.term.scroll_down(one),
            ([], 'X') => {
                self.term.erase_chars(one);
                self.mend();
            }
            ([], 'Z') => self.back_tab(one),
            ([], 'b') => self.repeat(one),
            ([], 'd') => {
                let (_, column) = self.at();
                self.go(clip(one - 1), column);
            }
            ([], 'g') => match args.or(0, 0) {
                0 => self.clear_tabs(TabulationClearMode::Current),
                3 => self.clear_tabs(TabulationClearMode::All),
                _ => {}
            },
            ([b'?'], 'W') if args.or(0, 0) == 5 => self.usual_tabs(),
            ([], 'h') => args.each(|n| self.set_mode(n, true)),
            ([], 'l') => args.each(|n| self.set_mode(n, false)),
            ([b'?'], 'h') => args.each(|n| self.set_private(n, true)),
            ([b'?'], 'l') => args.each(|n| self.set_private(n, false)),
            ([], 'm') => pen::select(&mut self.term, params),
            ([b'>'], 'm') if args.or(0, 0) == 4 => {
                self.modes.modify_other_keys = u8::try_from(args.or(1, 0).min(3)).ok();
            }
            ([b'>'], 'n') if args.or(0, 0) == 4 => self.modes.modify_other_keys = Some(0),
            ([b'!'], 'p') => self.soft_reset(),
            ([b' '], 'q') => {
                if let Ok(style @ 0..=6) = u8::try_from(args.or(0, 0)) {
                    self.cursor_style = style;
                }
            }
            ([], 'r') => {
                let bottom = usize::from(args.or(1, 0));
                let bottom = if bottom == 0 { self.size().rows } else { bottom };
                self.set_region(one - 1, bottom);
            }
            ([], 's') => self.save_cursor(),
            ([], 'u') => self.restore_cursor(),
            ([b'='], 'u') => self.set_kitty(flags(args.or(0, 0)), args.or(1, 1)),
            ([b'>'], 'u') => self.push_kitty(flags(args.or(0, 0))),
            ([b'<'], 'u') => self.pop_kitty(one),
            ([], 't') => match (args.or(0, 0), args.or(1, 0)) {
                (22, 0 | 2) => {
                    if self.titles.len() >= TITLE_STACK {
                        self.titles.remove(0);
                    }
                    self.titles.push(self.title.clone());
                }
                (23, 0 | 2) => {
                    if let Some(title) = self.titles.pop() {
                        self.title = title;
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell_terminated: bool) {
        match commands::parse(params) {
            Some(Command::Title(title)) => self.title = title,
            Some(Command::Progress(progress)) => self.progress = progress,
            Some(Command::Colors(list)) => {
                self.touched.colors = true;
                for (index, color) in list {
                    match color {
                        Color::Set(rgb) => drop(self.colors.insert(index, rgb)),
                        Color::Reset => drop(self.colors.remove(&index)),
                    }
                }
            }
            Some(Command::ResetPalette) => self.colors.retain(|index, _| *index > 255),
            Some(Command::Link { id, uri }) => {
                let link = (!uri.is_empty() && uri.len() <= LONGEST_LINK).then(|| {
                    let id = id.unwrap_or_else(|| {
                        self.links = self.links.wrapping_add(1);
                        format!("abide-{}", self.links)
                    });
                    Hyperlink::new(Some(id), uri)
                });
                self.term.grid_mut().cursor.template.set_hyperlink(link);
            }
            None => {}
        }
    }
}

impl Machine {
    fn erase_screen(&mut self, what: u16) {
        let mode = match what {
            0 => ClearMode::Below,
            1 => {
                // The emulator spares the first row where the cursor is in the second.
                if self.at().0 == 1 {
                    self.term.grid_mut().reset_region(Line(0)..Line(1));
                }
                ClearMode::Above
            }
            2 => ClearMode::All,
            3 => ClearMode::Saved,
            _ => return,
        };
        if what == 2 && self.alternate.is_some() {
            self.term.grid_mut().reset_region(..);
        } else {
            self.term.clear_screen(mode);
        }
        self.mend();
    }

    fn delete_lines(&mut self, count: usize) {
        if self.at().0 > 0 || !self.keeps_history {
            return self.term.delete_lines(count);
        }
        // The emulator would take the lines deleted at the top for scrolled off.
        let end = self.region.end;
        let count = clip(count).min(end);
        let columns = self.size().cols;
        let grid = self.term.grid_mut();
        for line in 0..end - count {
            grid[Line(line)] = std::mem::take(&mut grid[Line(line + count)]);
        }
        for line in end - count..end {
            grid[Line(line)] = Row::new(columns);
        }
        grid.reset_region(Line(end - count)..Line(end));
    }

    /// IL and DL leave the cursor in the first column.
    fn after_line_edit(&mut self) {
        let (line, _) = self.at();
        if self.region.contains(&line) {
            self.column(0);
        }
    }

    fn set_mode(&mut self, number: u16, on: bool) {
        let mode = match number {
            4 => NamedMode::Insert,
            20 => NamedMode::LineFeedNewLine,
            _ => return,
        };
        if on { self.term.set_mode(mode.into()) } else { self.term.unset_mode(mode.into()) }
    }

    fn set_private(&mut self, number: u16, on: bool) {
        match (number, on) {
            (3, _) => {
                self.set_region(0, self.size().rows);
                self.erase_screen(2);
                self.place(0, 0);
            }
            (6, _) => self.set_origin(on),
            (7, _) => self.set_wrap(on),
            (47, true) => self.show_alternate(Alternate::Plain),
            (47, false) => self.show_primary(Alternate::Plain),
            (1047, true) => self.show_alternate(Alternate::Cleared),
            (1047, false) => self.show_primary(Alternate::Cleared),
            (1048, true) => self.save_cursor(),
            (1048, false) => self.restore_cursor(),
            (1049, true) => self.show_alternate(Alternate::Saved),
            (1049, false) => self.show_primary(Alternate::Saved),
            _ => self.modes.set(number, on),
        }
    }
}

/// The parameters of a control sequence.
struct Args<'a>(&'a Params);

impl Args<'_> {
    /// The one at `index`; `default` where it is missing or 0.
    fn or(&self, index: usize, default: u16) -> u16 {
        match self.0.iter().nth(index).and_then(|p| p.first()) {
            Some(0) | None => default,
            Some(n) => *n,
        }
    }

    fn each(&self, mut f: impl FnMut(u16)) {
        for n in self.0.iter().filter_map(|p| p.first()) {
            f(*n);
        }
    }
}

fn flags(n: u16) -> u8 {
    u8::try_from(n & 0x1f).unwrap_or(0)
}
