//! The modes of a terminal that a program can set, and that a terminal attached later must be given again.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What a plain on-off mode is while no program has touched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    On,
    Off,
    /// Terminals differ: it is left alone until a program sets it.
    Own,
}

/// The private modes (`CSI ? n h`) that are only on or off and change nothing of what the screen holds.
const CARRIED: [(u16, Usual); 18] = [
    (1, Usual::Off),    // cursor keys send application sequences
    (5, Usual::Off),    // reverse video
    (12, Usual::Own),   // cursor blinks
    (25, Usual::On),    // cursor is shown
    (45, Usual::Off),   // backspace wraps to the line above
    (67, Usual::Own),   // backarrow key sends backspace
    (1004, Usual::Off), // focus reports
    (1007, Usual::Own), // the wheel sends cursor keys on the alternate screen
    (1034, Usual::Own), // meta sets the eighth bit
    (1035, Usual::Own), // num lock modifiers
    (1036, Usual::Own), // meta sends escape
    (1039, Usual::Own), // alt sends escape
    (1042, Usual::Own), // bell asks for attention
    (1043, Usual::Own), // bell raises the window
    (2004, Usual::Off), // bracketed paste
    (2027, Usual::Own), // grapheme clusters
    (2031, Usual::Off), // colour scheme reports
    (2048, Usual::Off), // size reports
];

/// The mouse reporting modes: a terminal is in one of them, or in none.
const MOUSE: [u16; 5] = [9, 1000, 1001, 1002, 1003];
/// The encodings of mouse reports: likewise.
const MOUSE_ENCODING: [u16; 4] = [1005, 1006, 1015, 1016];

/// What DECRQM says of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    /// Not known.
    Unknown = 0,
    /// Set.
    On = 1,
    /// Reset.
    Off = 2,
}

impl From<bool> for Reported {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// See the module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Modes {
    /// What a program said, by number; only those of [`CARRIED`].
    set: BTreeMap<u16, bool>,
    mouse: Option<u16>,
    encoding: Option<u16>,
    /// The keypad sends application sequences: `ESC =`, or mode 66.
    pub(super) keypad: bool,
    /// A synchronized update (2026) is under way.
    pub(super) synchronized: bool,
    /// `CSI > 4 ; n m`, once a program has sent it.
    pub(super) modify_other_keys: Option<u8>,
}

impl Modes {
    /// A program sets or resets private mode `number`. Unknown ones are ignored.
    pub(super) fn set(&mut self, number: u16, on: bool) {
        if CARRIED.iter().any(|(n, _)| *n == number) {
            self.set.insert(number, on);
        } else if MOUSE.contains(&number) {
            self.mouse = on.then_some(number);
        } else if MOUSE_ENCODING.contains(&number) {
            self.encoding = on.then_some(number);
        } else if number == 66 {
            self.keypad = on;
        } else if number == 2026 {
            self.synchronized = on;
        }
    }

    /// Whether a mode is on.
    pub(super) fn is_on(&self, number: u16) -> bool {
        self.report(number) == Reported::On
    }

    /// What DECRQM says of a private mode.
    pub(super) fn report(&self, number: u16) -> Reported {
        if let Some((_, usual)) = CARRIED.iter().find(|(n, _)| *n == number) {
            return match (self.set.get(&number), usual) {
                (Some(on), _) => (*on).into(),
                (None, Usual::On) => Reported::On,
                (None, Usual::Off | Usual::Own) => Reported::Off,
            };
        }
        if MOUSE.contains(&number) {
            return (self.mouse == Some(number)).into();
        }
        if MOUSE_ENCODING.contains(&number) {
            return (self.encoding == Some(number)).into();
        }
        match number {
            66 => self.keypad.into(),
            2026 => self.synchronized.into(),
            _ => Reported::Unknown,
        }
    }

    /// A soft reset (DECSTR): of these modes, only those of the keys and the cursor's visibility.
    pub(super) fn soft_reset(&mut self) {
        for number in [1, 25] {
            self.set.remove(&number);
        }
        self.keypad = false;
    }

    /// Brings a terminal in an unknown state into this one. What has no usual value and was never set is left alone.
    pub(super) fn paint(&self, out: &mut String) {
        let mut groups: [Vec<u16>; 2] = [Vec::new(), Vec::new()];
        for (number, usual) in CARRIED {
            let on = match (self.set.get(&number), usual) {
                (Some(on), _) => *on,
                (None, Usual::On) => true,
                (None, Usual::Off) => false,
                (None, Usual::Own) => continue,
            };
            groups[usize::from(on)].push(number);
        }
        groups[0].extend(MOUSE.iter().chain(&MOUSE_ENCODING));
        groups[1].extend(self.mouse.iter().chain(&self.encoding));
        switch(out, &groups[0], 'l');
        switch(out, &groups[1], 'h');
        out.push_str(if self.keypad { "\x1b=" } else { "\x1b>" });
        if let Some(level) = self.modify_other_keys {
            let _ = write!(out, "\x1b[>4;{level}m");
        }
    }

    /// Without what a terminal is not told, and with what it has anyway left out.
    #[cfg(test)]
    pub(super) fn told(mut self) -> Self {
        self.set.retain(|number, on| {
            let usual = CARRIED.iter().find(|(n, _)| n == number).map(|(_, usual)| *usual);
            !matches!((usual, on), (Some(Usual::On), true) | (Some(Usual::Off), false))
        });
        self.synchronized = false;
        self.modify_other_keys = self.modify_other_keys.filter(|level| *level > 0);
        self
    }

    /// Without the modes that are left as the terminal has them.
    #[cfg(test)]
    pub(super) fn shared(self) -> Self {
        let mut told = self.told();
        told.modify_other_keys = None;
        told.set.retain(|number, _| !CARRIED.contains(&(*number, Usual::Own)));
        told
    }

    /// Brings a terminal in this state, or in one that the program may yet have brought it into, back to the usual.
    pub(super) fn restore(&self, out: &mut String) {
        let mut groups: [Vec<u16>; 2] = [Vec::new(), Vec::new()];
        for (number, usual) in CARRIED {
            match (self.set.get(&number), usual) {
                (Some(false), Usual::On) => groups[1].push(number),
                (Some(true), Usual::Off) => groups[0].push(number),
                // Of these the usual value is not known: off is, or was before the program turned it on.
                (Some(true), Usual::Own) => groups[0].push(number),
                (Some(_) | None, Usual::On | Usual::Off | Usual::Own) => {}
            }
        }
        groups[0].extend(self.mouse.iter().chain(&self.encoding));
        if self.synchronized {
            groups[0].push(2026);
        }
        switch(out, &groups[0], 'l');
        switch(out, &groups[1], 'h');
        if self.keypad {
            out.push_str("\x1b>");
        }
        if self.modify_other_keys.is_some_and(|level| level > 0) {
            out.push_str("\x1b[>4m");
        }
    }
}

/// `CSI ? a ; b ; … h` or `l`, in groups that every terminal takes.
fn switch(out: &mut String, numbers: &[u16], action: char) {
    for group in numbers.chunks(8) {
        out.push_str("\x1b[?");
        for (i, number) in group.iter().enumerate() {
            if i > 0 {
                out.push(';');
            }
            let _ = write!(out, "{number}");
        }
        out.push(action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mouse_mode_at_a_time() {
        let mut modes = Modes::default();
        modes.set(1000, true);
        modes.set(1003, true);
        assert!(modes.is_on(1003) && !modes.is_on(1000));
        modes.set(1002, false);
        assert!(!modes.is_on(1003));
    }

    #[test]
    fn reports_tell_unknown_from_off() {
        let mut modes = Modes::default();
        assert_eq!(modes.report(25), Reported::On);
        assert_eq!(modes.report(2004), Reported::Off);
        assert_eq!(modes.report(2026), Reported::Off);
        assert_eq!(modes.report(4242), Reported::Unknown);
        modes.set(4242, true);
        assert_eq!(modes.report(4242), Reported::Unknown);
    }

    #[test]
    fn restoring_touches_only_what_was_set() {
        let mut modes = Modes::default();
        let mut out = String::new();
        modes.restore(&mut out);
        assert_eq!(out, "");
        modes.set(25, false);
        modes.set(2004, true);
        modes.set(1006, true);
        modes.restore(&mut out);
        assert_eq!(out, "\x1b[?2004;1006l\x1b[?25h");
    }
}
