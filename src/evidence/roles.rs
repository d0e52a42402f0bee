//! Programs that say something about whatever runs below them.

use crate::agents::{BUILT_IN, Profile};
use crate::core::classify::Role;
use crate::paths::Paths;
use crate::sys::process;
use std::collections::BTreeMap;

/// Terminal multiplexers, by the name of the process that holds their terminals, and whether that process has the
/// terminals open on which they are shown (the others know that only by themselves).
const MULTIPLEXERS: &[(&str, bool)] = &[
    ("tmux: server", true),
    ("screen", true),
    ("SCREEN", true),
    ("abduco", false),
    ("dtach", false),
    ("mosh-server", false),
    ("shpool", false),
    ("wezterm-mux-ser", false),
    ("zellij", false),
];

/// The first words of a command line, among which a mark is looked for.
const WORDS: usize = 16;

/// How a vendor's own program that runs agents is known: by its name and a word of its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    program: String,
    word: String,
    role: Role,
}

impl Mark {
    /// Those of all profiles, the built-in ones and the user's. A profile that cannot be read names none, which whoever
    /// uses it is told.
    pub fn all(paths: &Paths) -> Vec<Self> {
        let mut texts: BTreeMap<String, String> =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let files = std::fs::read_dir(paths.config.join("agents.d")).into_iter().flatten().flatten();
        for path in
            files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml"))
        {
            if let (Some(name), Ok(text)) =
                (path.file_stem().and_then(|name| name.to_str()), std::fs::read_to_string(&path))
            {
                texts.insert(name.to_owned(), text);
            }
        }
        let profiles = texts.iter().filter_map(|(name, text)| Profile::parse(name, text).ok());
        profiles.flat_map(|profile| Self::of(&profile)).collect()
    }

    /// All that a profile names.
    pub fn of(profile: &Profile) -> Vec<Self> {
        let mark = |word: &String, role| Self { program: profile.program.clone(), word: word.clone(), role };
        let background = profile.background.iter().map(|word| mark(word, Role::VendorBackground));
        background.chain(profile.shared.iter().map(|word| mark(word, Role::VendorShared))).collect()
    }

    fn fits(&self, arguments: &[Vec<u8>]) -> bool {
        // The program itself, or the script that an interpreter was given. Some put a word behind their own name, which
        // is one argument then.
        let named = arguments.iter().take(2).any(|arg| {
            let base = arg.rsplit(|b| *b == b'/').next().unwrap_or_default();
            base.split(|b| *b == b' ').next() == Some(self.program.as_bytes())
        });
        named && arguments.iter().take(WORDS).skip(1).any(|arg| arg == self.word.as_bytes())
    }
}

/// What a process of ours is, by its name and its command line. One that cannot be read is nothing special.
pub(super) fn of(pid: u32, name: &str, marks: &[Mark]) -> Role {
    if let Some((_, shows)) = MULTIPLEXERS.iter().find(|(known, _)| *known == name) {
        // Its own descriptors may be hidden: then there is no telling.
        return Role::Multiplexer(shows.then(|| process::has_terminal_open(pid).ok()).flatten());
    }
    // Another abide's, or one that is unknown: whoever asks marks its own hosts.
    if name == "abide-host" {
        return Role::VendorBackground;
    }
    if marks.is_empty() {
        return Role::Plain;
    }
    let arguments = process::arguments(pid).unwrap_or_default();
    marks.iter().find(|mark| mark.fits(&arguments)).map_or(Role::Plain, |mark| mark.role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Vec<Mark> {
        let text = "program = 'toy'\nbackground = ['--bg']\nshared = ['serve']";
        Mark::of(&Profile::parse("toy", text).expect("valid"))
    }

    #[test]
    fn a_vendors_program_is_known_by_its_name_and_a_word() {
        let role = |line: &str| {
            let arguments: Vec<Vec<u8>> =
                line.split(' ').map(|word| word.replace('_', " ").into_bytes()).collect();
            mark().iter().find(|mark| mark.fits(&arguments)).map(|mark| mark.role)
        };
        assert_eq!(role("toy --bg"), Some(Role::VendorBackground));
        assert_eq!(role("/opt/bin/toy -x --bg y"), Some(Role::VendorBackground));
        assert_eq!(role("node /opt/bin/toy serve"), Some(Role::VendorShared));
        // As Claude Code calls its own.
        assert_eq!(role("toy_bg-host --bg /tmp/x.sock"), Some(Role::VendorBackground));
        for other in ["toy", "toy --bgx", "toys --bg", "--bg toy", "sh -c toy --bg", "serve", ""] {
            assert_eq!(role(other), None, "{other}");
        }
    }

    #[test]
    fn multiplexers_are_known_by_their_servers() {
        // Our own descriptors stand for the server's.
        let seen = |name| of(std::process::id(), name, &[]);
        assert!(matches!(seen("tmux: server"), Role::Multiplexer(Some(_))));
        assert_eq!(seen("dtach"), Role::Multiplexer(None));
        assert_eq!(of(u32::MAX, "screen", &[]), Role::Multiplexer(None));
        assert_eq!(seen("tmux: client"), Role::Plain);
    }
}
