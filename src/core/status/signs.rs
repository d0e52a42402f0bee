//! How an agent shows what it does to whoever looks: its window title, its screen, the file that it keeps about itself.
//! Data of its profile.

use super::claim::Doing;
use serde::Deserialize;
use vte::{Parser, Perform};

/// Lines at the end of a screen in which rules look for their texts: what an agent asks or says that it does stands
/// there, and what it only speaks of mostly does not.
const LAST: usize = 30;

/// See the module. Without any of these only quiet time tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signs {
    /// See [`Titles`].
    pub titles: Titles,
    /// The first rule that holds counts.
    pub screen: Vec<Rule>,
    /// Where it keeps a file about itself: `~` and `$NAME` stand for what its environment has, `{pid}` for its process.
    pub own: Vec<String>,
}

/// Beginnings of window titles. The longest that fits counts, so an empty one is for every other title.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Titles {
    /// While a turn is under way.
    pub working: Vec<String>,
    /// While it needs the user. Where there are none, an idle title may mean that, too.
    pub blocked: Vec<String>,
    /// While it has nothing to do.
    pub idle: Vec<String>,
}

/// One rule: where all of its texts are shown, the agent does this.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it does.
    pub state: Doing,
    /// The texts, each within one line.
    pub shows: Vec<String>,
    /// What it waits for, where it is blocked; empty for nothing in particular.
    #[serde(default)]
    pub what: String,
}

impl Signs {
    /// There is something to look for where a title does not tell.
    pub fn can_look(&self) -> bool {
        !self.screen.is_empty() || !self.own.is_empty()
    }

    /// The first rule that holds for a screen of these lines.
    pub fn rule(&self, lines: &[impl AsRef<str>]) -> Option<&Rule> {
        let end = lines.iter().rposition(|l| !l.as_ref().trim().is_empty()).map_or(0, |last| last + 1);
        let lines = &lines[end.saturating_sub(LAST)..end];
        self.screen.iter().find(|rule| rule.holds(lines))
    }
}

impl Titles {
    /// What a title says; none for one that says nothing, or for no title.
    pub fn says(&self, title: &str) -> Option<Doing> {
        let lists =
            [(Doing::Working, &self.working), (Doing::Blocked, &self.blocked), (Doing::Idle, &self.idle)];
        let all = lists.iter().flat_map(|(doing, list)| list.iter().map(move |start| (start, *doing)));
        let fitting = all.filter(|(start, _)| !title.is_empty() && title.starts_with(start.as_str()));
        fitting.max_by_key(|(start, _)| start.len()).map(|(_, doing)| doing)
    }
}

impl Rule {
    fn holds(&self, lines: &[impl AsRef<str>]) -> bool {
        let shown = |text: &String| lines.iter().any(|line| line.as_ref().contains(text.as_str()));
        !self.shows.is_empty() && self.shows.iter().all(shown)
    }
}

/// The lines of a screen, as its host tells it, without colours.
pub fn lines(screen: &[u8]) -> Vec<String> {
    #[derive(Default)]
    struct Lines(Vec<String>);
    impl Perform for Lines {
        fn print(&mut self, c: char) {
            if let Some(line) = self.0.last_mut() {
                line.push(c);
            }
        }
        fn execute(&mut self, byte: u8) {
            if byte == b'\n' {
                self.0.push(String::new());
            }
        }
    }
    let mut lines = Lines(vec![String::new()]);
    Parser::new().advance(&mut lines, screen);
    lines.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(state: Doing, shows: &[&str]) -> Rule {
        Rule { state, shows: shows.iter().map(|s| (*s).to_owned()).collect(), what: String::new() }
    }

    #[test]
    fn the_first_rule_of_which_all_texts_are_shown_near_the_end_counts() {
        let screen = vec![
            rule(Doing::Blocked, &["Proceed?", "1. Yes"]),
            rule(Doing::Working, &["esc to interrupt"]),
            rule(Doing::Idle, &["> "]),
            rule(Doing::Idle, &[]),
        ];
        let signs = Signs { screen, ..Signs::default() };
        let state = |text: &str| signs.rule(&lines(text.as_bytes())).map(|rule| rule.state);
        assert_eq!(state("Proceed?\n> 1. Yes\nesc to interrupt"), Some(Doing::Blocked));
        assert_eq!(
            state("Pro\x1b[1mceed?\x1b[m\r\n> 1. \x1b]8;;http://x\x1b\\Yes\x1b]8;;\x1b\\\n\n"),
            Some(Doing::Blocked)
        );
        assert_eq!(state("Proceed?\n> esc to interrupt"), Some(Doing::Working));
        assert_eq!(state("> "), Some(Doing::Idle));
        assert_eq!(state("Proceed\n?"), None);
        assert_eq!(state(""), None);
        let far = format!("esc to interrupt{}> {}", "\n".repeat(LAST), "\n".repeat(99));
        assert_eq!(state(&far), Some(Doing::Idle));
    }

    #[test]
    fn the_longest_beginning_of_a_title_counts() {
        let list = |starts: &[&str]| starts.iter().map(|s| (*s).to_owned()).collect();
        let titles =
            Titles { working: list(&["⠋", "⠙"]), blocked: list(&["[ ! ]", "[ . ]"]), idle: list(&[""]) };
        assert_eq!(titles.says("⠙ repo"), Some(Doing::Working));
        assert_eq!(titles.says("[ . ] Action Required | repo"), Some(Doing::Blocked));
        assert_eq!(titles.says("repo"), Some(Doing::Idle));
        assert_eq!(titles.says(""), None);
        assert_eq!(Titles::default().says("repo"), None);
    }
}
