//! Names of sessions: what a user may give, and what is derived from a prompt or a command.

use super::id::SessionId;

/// Characters of a given name, at most.
pub const LONGEST: usize = 64;
/// Characters of a derived name, at most, without the suffix that makes it unique.
const DERIVED: usize = 28;
/// Words of a derived name, at most.
const WORDS: usize = 4;

/// Whether a terminal shows `c` without acting on it: no control characters, none that reorder or hide text.
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `text` as one printable line of at most `longest` characters.
pub fn printable(text: &str, longest: usize) -> String {
    let line = text.trim().chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_printable(c) => c,
        _ => '\u{fffd}',
    });
    let mut out: String = line.clone().take(longest).collect();
    if line.count() > longest {
        out.pop();
        out.push('…');
    }
    out
}

/// Why a name cannot be given.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("is empty")
    } else if name.chars().count() > LONGEST {
        Err("is longer than 64 characters")
    } else if !name.chars().all(is_printable) || name.trim() != name {
        Err("has characters that cannot be shown, or begins or ends with a space")
    } else if name.starts_with('-') {
        Err("begins with a dash, so that it would be taken for an option")
    } else if name.parse::<SessionId>().is_ok() {
        Err("is eight hex digits, so that it would be taken for an id")
    } else {
        Ok(())
    }
}

/// A short name out of a prompt or a command: its first words in lower case, joined by dashes.
pub fn derive(hint: &str) -> String {
    let mut name = String::new();
    let mut length = 0;
    let words = hint.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    for word in words.filter(|w| !matches!(*w, "a" | "an" | "the")).take(WORDS) {
        let room = DERIVED.saturating_sub(length + usize::from(length > 0));
        let word: String = word.chars().flat_map(char::to_lowercase).take(room.max(1)).collect();
        let size = word.chars().count();
        if length > 0 && room < size.max(3) {
            break;
        }
        if length > 0 {
            name.push('-');
            length += 1;
        }
        name.push_str(&word);
        length += size;
    }
    if name.is_empty() { "session".into() } else { name }
}

/// `base`, or `base-2`, `base-3`, … where that is `taken`, or would be taken for an id.
pub fn unique(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let free = |name: &str| check(name).is_ok() && !taken(name);
    if free(base) {
        return base.to_owned();
    }
    let stem = if check(base).is_ok() || base.parse::<SessionId>().is_ok() { base } else { "session" };
    // Endless only if every number were taken, and each taken name is a session in memory.
    (2u64..).map(|n| format!("{stem}-{n}")).find(|name| free(name)).unwrap_or_else(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_derived_from_the_first_words() {
        assert_eq!(derive("Fix the flaky test in src/io.rs, please"), "fix-flaky-test-in");
        assert_eq!(derive("make"), "make");
        assert_eq!(derive("/usr/bin/python3"), "usr-bin-python3");
        assert_eq!(derive("Прочитай README"), "прочитай-readme");
        assert_eq!(derive("!!! ???"), "session");
        assert_eq!(derive("a the an"), "session");
        assert_eq!(derive(&"x".repeat(500)), "x".repeat(DERIVED));
    }

    #[test]
    fn a_suffix_makes_a_name_unique() {
        assert_eq!(unique("make", |_| false), "make");
        assert_eq!(unique("make", |n| n == "make" || n == "make-2"), "make-3");
        assert_eq!(unique("deadbeef", |_| false), "deadbeef-2");
    }

    #[test]
    fn what_a_user_may_not_give() {
        for bad in ["", "-x", " x", "x ", "a\nb", "a\u{202e}b", "deadbeef", &"x".repeat(65)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for good in ["x", "deadbee", "DEADBEEF", "my session", "ünïcode", "a.b/c"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn derived_names_are_always_names(hint in "\\PC{0,80}|.{0,80}", taken in prop::collection::vec("[a-z]{1,3}(-[23])?", 0..6)) {
            let name = unique(&derive(&hint), |n| taken.iter().any(|t| t == n));
            prop_assert_eq!(check(&name), Ok(()));
            prop_assert!(!taken.contains(&name));
        }

        #[test]
        fn printable_text_is_one_line_without_controls(text in any::<String>(), longest in 1usize..40) {
            let shown = printable(&text, longest);
            prop_assert!(shown.chars().all(is_printable) && shown.chars().count() <= longest);
        }
    }
}
