//! The settings' format: `config.toml`, parsed purely.
//!
//! | Key | Form | Default | Meaning |
//! |---|---|---|---|
//! | `agent` | name | `claude` | profile of `abide run "prompt"` |
//! | `anchor` | `true`, `false` | `false` | where you do not linger, keep the login open while sessions run |
//! | `detach_key` | one or two keys, `ctrl-\ d` | `ctrl-\ d` | ends an attachment, never the session |
//! | `guard` | `hooks`, `kernel`, `off` | `hooks` | what keeps background sessions from writing into a shared checkout |
//! | `idle_exit` | duration | `30s` | how long the supervisor stays with nothing to do |
//! | `isolation` | `worktree`, `none` | `worktree` | `none` lets them; also per repository, see [`repository`] |
//! | `park_on_leave` | `true`, `false` | `true` | an agent that you leave while attached is parked, rather than done |
//! | `keep_deleted` | duration | `30d` | how long a removed worktree can be brought back |
//! | `precious` | patterns, as in `.gitignore` | `.env` and its like | ignored files that count as work, see `core::worktree` |
//! | `restart` | `never`, `manual`, `auto` | `manual` | what becomes of an agent's session that a reboot or a logout ended |
//! | `restart_within` | duration | `24h` | `auto` leaves alone what was last seen alive longer ago |
//! | `stop_grace` | duration | `5s` | from the polite signals to SIGKILL |
//! | `scrollback` | lines | `10000` | lines that an attach replays at most |
//! | `log_keep` | size, at least 16MiB | `16MiB` | output kept of each session |
//!
//! Durations are a whole number with `ms`, `s`, `m`, `h` or `d`; sizes one with `B`, `KiB`, `MiB` or `GiB` (a plain
//! number is bytes). Nothing in this file can keep a session from being reached: a value that makes no sense is
//! reported and the default stands, and a key that this build does not know is reported and left alone, since a later
//! build may have written it.

pub mod repository;

use crate::core::guard::{Isolation, Layers};
use crate::core::record::Restart;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The user's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Profile of a prompt that names none.
    pub agent: String,
    /// Keep the login open while sessions run, where the user does not linger.
    pub anchor: bool,
    /// Detaches a terminal.
    pub detach_key: DetachKey,
    /// What keeps background sessions from writing into a shared checkout.
    pub guard: Layers,
    /// Milliseconds without sessions and clients after which the supervisor leaves.
    pub idle_exit_ms: u64,
    /// Where nothing else is said for a repository.
    pub isolation: Isolation,
    /// What is said for repositories: a folder, as written, and the value for what is in it.
    pub repositories: Vec<(String, Isolation)>,
    /// Milliseconds that a removed worktree can be brought back.
    pub keep_deleted_ms: u64,
    /// Patterns of ignored files that count as work; a later one decides.
    pub precious: Vec<String>,
    /// What becomes of an agent's session that the machine or the service manager took along.
    pub restart: Restart,
    /// An agent that its user leaves while attached is parked, rather than done.
    pub park_on_leave: bool,
    /// Milliseconds: what was last seen alive longer ago is not restarted by itself.
    pub restart_within_ms: u64,
    /// Milliseconds from the polite signals to SIGKILL.
    pub stop_grace_ms: u32,
    /// Lines of scrollback that an attach replays at most.
    pub scrollback: u32,
    /// Bytes of output to keep of each session at least.
    pub log_keep: u64,
}

/// Least output that is kept of a session, in bytes.
pub const LOG_KEEP_MIN: u64 = 16 << 20;

/// Ignored files that somebody wrote, most likely; not those that come with a dependency, or are built.
const PRECIOUS: [&str; 11] = [
    ".env",
    ".env.*",
    ".envrc",
    "*.local",
    "*.local.*",
    "!**/node_modules/**",
    "!**/target/**",
    "!**/.venv/**",
    "!**/venv/**",
    "!**/vendor/**",
    "!**/__pycache__/**",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            agent: "claude".into(),
            anchor: false,
            detach_key: DetachKey::default(),
            guard: Layers::default(),
            idle_exit_ms: 30_000,
            isolation: Isolation::default(),
            repositories: Vec::new(),
            keep_deleted_ms: 30 * 86_400_000,
            precious: PRECIOUS.iter().map(|pattern| (*pattern).to_owned()).collect(),
            restart: Restart::Manual,
            park_on_leave: true,
            restart_within_ms: 86_400_000,
            stop_grace_ms: 5_000,
            scrollback: 10_000,
            log_keep: LOG_KEEP_MIN,
        }
    }
}

/// What is wrong with one place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// What, and what is expected instead; printable, without the file's name.
    pub message: String,
    /// The key is merely unknown: nothing that the user asked for was lost to a mistake in a value.
    pub unknown: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl Settings {
    /// The settings of a file with this text, and what is wrong with it. Every key that is wrong has its default.
    pub fn parse(text: &str) -> (Self, Vec<Problem>) {
        let mut settings = Self::default();
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(e) => {
                let at = e.span().map_or(0, |s| s.start);
                let message = format!("not TOML: {}; every default stands", e.message());
                return (settings, vec![Problem { line: line_of(text, at), message, unknown: false }]);
            }
        };
        let mut problems = Vec::new();
        for (key, value) in table.get_ref() {
            let name: &str = key.get_ref();
            if name == "repository" {
                settings.repositories = repository::table(text, value, &mut problems);
                continue;
            }
            let outcome = settings.set(name, value);
            let problem = match outcome {
                Ok(true) => continue,
                Ok(false) => Problem {
                    line: line_of(text, key.span().start),
                    message: format!("unknown key {name:?}: ignored"),
                    unknown: true,
                },
                Err(expected) => Problem {
                    line: line_of(text, value.span().start),
                    message: format!("{name}: expected {expected}; the default stands"),
                    unknown: false,
                },
            };
            problems.push(problem);
        }
        problems.sort_by_key(|p| p.line);
        (settings, problems)
    }

    /// `Ok(false)` for a key that this build does not know.
    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<bool, String> {
        let value = value.get_ref();
        match key {
            "agent" => {
                let name = value.as_str().filter(|s| is_profile_name(s));
                self.agent = name.ok_or("the name of an agent profile, like \"claude\"")?.to_owned();
            }
            "anchor" => self.anchor = value.as_bool().ok_or("true or false")?,
            "detach_key" => {
                let keys = value.as_str().and_then(DetachKey::parse);
                self.detach_key = keys.ok_or("one or two keys, like \"ctrl-\\\\ d\" or \"ctrl-]\"")?;
            }
            "guard" => {
                let layers = value.as_str().and_then(parse_layers);
                self.guard = layers.ok_or("\"hooks\", \"kernel\" or \"off\"")?;
            }
            "idle_exit" => self.idle_exit_ms = duration(value)?,
            "isolation" => self.isolation = repository::isolation(value)?,
            "keep_deleted" => self.keep_deleted_ms = duration(value)?,
            "precious" => {
                let patterns = value.as_array().and_then(|list| {
                    list.iter().map(|item| item.get_ref().as_str().map(ToOwned::to_owned)).collect()
                });
                self.precious = patterns.ok_or("a list of patterns, like [\".env\", \"*.local\"]")?;
            }
            "restart" => {
                let policy = value.as_str().and_then(parse_restart);
                self.restart = policy.ok_or("\"never\", \"manual\" or \"auto\"")?;
            }
            "park_on_leave" => self.park_on_leave = value.as_bool().ok_or("true or false")?,
            "restart_within" => self.restart_within_ms = duration(value)?,
            "stop_grace" => {
                self.stop_grace_ms =
                    u32::try_from(duration(value)?).map_err(|_| "a duration of at most 49d".to_owned())?;
            }
            "scrollback" => {
                let lines = integer(value).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= 1_000_000);
                self.scrollback = lines.ok_or("a number of lines from 0 to 1000000")?;
            }
            "log_keep" => {
                let bytes = size(value)?;
                if bytes < LOG_KEEP_MIN {
                    return Err("a size of at least 16MiB".into());
                }
                self.log_keep = bytes;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `never`, `manual`, `auto`.
fn parse_restart(text: &str) -> Option<Restart> {
    match text {
        "never" => Some(Restart::Never),
        "manual" => Some(Restart::Manual),
        "auto" => Some(Restart::Auto),
        _ => None,
    }
}

/// `hooks`, `kernel`, `off`.
fn parse_layers(text: &str) -> Option<Layers> {
    match text {
        "hooks" => Some(Layers::Hooks),
        "kernel" => Some(Layers::Kernel),
        "off" => Some(Layers::Off),
        _ => None,
    }
}

/// Letters, digits, `-` and `_`: what may name a profile, which is also a file's name.
pub fn is_profile_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=40).contains(&name.len()) && name.chars().all(allowed)
}

/// One key of a detach sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// With Ctrl.
    pub ctrl: bool,
    /// Printable ASCII, lower-case with Ctrl.
    pub char: char,
}

impl Key {
    /// What a terminal sends for it (in its ordinary mode).
    pub fn byte(self) -> u8 {
        let byte = self.char as u8;
        if self.ctrl { byte.to_ascii_uppercase() ^ 0x40 } else { byte }
    }

    fn parse(text: &str) -> Option<Self> {
        let (ctrl, rest) = match text.strip_prefix("ctrl-").or_else(|| text.strip_prefix('^')) {
            Some(rest) if !rest.is_empty() => (true, rest),
            Some(_) | None => (false, text),
        };
        let mut chars = rest.chars();
        let (char, None) = (chars.next()?, chars.next()) else { return None };
        let char = if ctrl { char.to_ascii_lowercase() } else { char };
        let known = if ctrl {
            matches!(char, 'a'..='z' | '[' | '\\' | ']' | '^' | '_' | '@')
        } else {
            char.is_ascii_graphic()
        };
        known.then_some(Self { ctrl, char })
    }
}

/// The keys that end an attachment: a chord, or a prefix with Ctrl and one more key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKey {
    /// With Ctrl, since it is taken from what the user types.
    pub first: Key,
    /// What must follow; none where `first` is enough.
    pub second: Option<Key>,
}

impl Default for DetachKey {
    fn default() -> Self {
        Self { first: Key { ctrl: true, char: '\\' }, second: Some(Key { ctrl: false, char: 'd' }) }
    }
}

impl DetachKey {
    /// `ctrl-\ d`, `ctrl-]`, `^a ^d`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys = text.split_whitespace().map(Key::parse);
        let first = keys.next()??;
        let second = match keys.next() {
            Some(key) => Some(key?),
            None => None,
        };
        // These are Escape, Enter and Tab: without them nobody could type any more.
        let needed = matches!(first.char, '[' | 'm' | 'j' | 'i');
        (first.ctrl && !needed && keys.next().is_none()).then_some(Self { first, second })
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.ctrl { "Ctrl-" } else { "" }, self.char)
    }
}

impl std::fmt::Display for DetachKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first)?;
        self.second.map_or(Ok(()), |key| write!(f, " {key}"))
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count()
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A whole number and its unit.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// `250ms`, `30s`, `5m`, `1h`, `2d` as milliseconds.
///
/// # Errors
/// What was expected, for people.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let known = quantity(text).and_then(|(n, unit)| {
        n.checked_mul(match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        })
    });
    known.ok_or_else(|| "a duration with its unit, like \"30s\", \"5m\" or \"1h\"".into())
}

fn duration(value: &DeValue<'_>) -> Result<u64, String> {
    parse_duration(value.as_str().unwrap_or_default())
}

fn size(value: &DeValue<'_>) -> Result<u64, String> {
    let known = integer(value).or_else(|| {
        let (n, unit) = quantity(value.as_str()?)?;
        n.checked_mul(match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        })
    });
    known.ok_or_else(|| "a size with its unit, like \"16MiB\" or \"1GiB\"".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Settings::parse(text).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(Settings::parse(""), (Settings::default(), Vec::new()));
    }

    #[test]
    fn every_key_is_read() {
        let text = "agent = 'codex'\nanchor = true\ndetach_key = 'ctrl-]'\nguard = 'kernel'\n\
                    idle_exit = '2m'\nisolation = 'none'\nkeep_deleted = '7d'\npark_on_leave = false\nprecious = ['*.key']\n\
                    restart = 'auto'\nrestart_within = '2d'\nstop_grace = '250ms'\n\
                    scrollback = 500\nlog_keep = '1GiB'\n\
                    [repository.'~/p']\nisolation = 'worktree'\n";
        let expected = Settings {
            agent: "codex".into(),
            anchor: true,
            detach_key: DetachKey { first: Key { ctrl: true, char: ']' }, second: None },
            guard: Layers::Kernel,
            idle_exit_ms: 120_000,
            isolation: Isolation::None,
            repositories: vec![("~/p".into(), Isolation::Worktree)],
            keep_deleted_ms: 604_800_000,
            precious: vec!["*.key".into()],
            restart: Restart::Auto,
            park_on_leave: false,
            restart_within_ms: 172_800_000,
            stop_grace_ms: 250,
            scrollback: 500,
            log_keep: 1 << 30,
        };
        assert_eq!(Settings::parse(text), (expected, Vec::new()));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line_and_keeps_its_default() {
        let text = "\nidle_exit = 30\nlog_keep = '1MiB'\nstop_grace = '5s'\n";
        assert_eq!(
            problems(text),
            [
                "line 2: idle_exit: expected a duration with its unit, like \"30s\", \"5m\" or \"1h\"; \
                 the default stands",
                "line 3: log_keep: expected a size of at least 16MiB; the default stands",
            ]
        );
        assert_eq!(Settings::parse(text).0, Settings { stop_grace_ms: 5_000, ..Settings::default() });
    }

    #[test]
    fn an_unknown_key_is_told_and_tolerated() {
        let (settings, problems) = Settings::parse("# new\nfuture = { a = 1 }\nscrollback = 7");
        assert_eq!(settings.scrollback, 7);
        assert!(problems.len() == 1 && problems[0].unknown && problems[0].line == 2, "{problems:?}");
    }

    #[test]
    fn what_is_no_toml_leaves_the_defaults() {
        let (settings, problems) = Settings::parse("scrollback = 7\nagent = = 1\n");
        assert_eq!(settings, Settings::default());
        assert_eq!((problems.len(), problems[0].line), (1, 2));
    }

    #[test]
    fn quantities_that_overflow_or_lack_a_unit_are_refused() {
        for bad in ["", "5", "s", "-5s", "5 weeks", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_duration("5 m"), Ok(300_000));
    }

    #[test]
    fn detach_keys_are_what_a_terminal_sends() {
        let keys = |text| DetachKey::parse(text).map(|k| (k.first.byte(), k.second.map(Key::byte)));
        assert_eq!(keys("ctrl-\\ d"), Some((0x1c, Some(b'd'))));
        assert_eq!(keys("ctrl-a ctrl-d"), Some((1, Some(4))));
        assert_eq!(keys("ctrl-A"), Some((1, None)));
        assert_eq!(keys("^]"), Some((0x1d, None)));
        for bad in
            ["", "d", "d d", "ctrl-", "ctrl-\\ d d", "ctrl-[", "ctrl-m d", "ctrl-1", "ctrl-ab", "alt-x"]
        {
            assert_eq!(keys(bad), None, "{bad}");
        }
        assert_eq!(DetachKey::default().to_string(), "Ctrl-\\ d");
    }
}
