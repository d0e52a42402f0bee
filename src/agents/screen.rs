//! What an agent's screen says of it, as data: texts that are shown in one state and in no other.

use serde::Deserialize;

/// What a screen shows an agent to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// A turn is under way.
    Working,
    /// It needs the user.
    Blocked,
    /// It waits for a prompt.
    Idle,
}

/// One rule: where all of its texts are shown, the agent does this.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it does.
    pub state: Shown,
    /// The texts, each within one line.
    pub shows: Vec<String>,
    /// What it waits for, where it is blocked; empty for nothing in particular.
    #[serde(default)]
    pub what: String,
}

impl Rule {
    /// Whether it holds for a screen of these lines.
    pub fn holds(&self, lines: &[impl AsRef<str>]) -> bool {
        let shown = |text: &String| lines.iter().any(|line| line.as_ref().contains(text.as_str()));
        !self.shows.is_empty() && self.shows.iter().all(shown)
    }

    /// The first of these rules that holds.
    pub fn first<'a>(rules: &'a [Self], lines: &[impl AsRef<str>]) -> Option<&'a Self> {
        rules.iter().find(|rule| rule.holds(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_of_which_all_texts_are_shown_counts() {
        let rule = |state, shows: &[&str]| Rule {
            state,
            shows: shows.iter().map(|s| (*s).to_owned()).collect(),
            what: String::new(),
        };
        let rules = [
            rule(Shown::Blocked, &["Proceed?", "1. Yes"]),
            rule(Shown::Working, &["esc to interrupt"]),
            rule(Shown::Idle, &["> "]),
            rule(Shown::Idle, &[]),
        ];
        let state = |lines: &[&str]| Rule::first(&rules, lines).map(|rule| rule.state);
        assert_eq!(state(&["Proceed?", "> 1. Yes", "esc to interrupt"]), Some(Shown::Blocked));
        assert_eq!(state(&["Proceed?", "> esc to interrupt"]), Some(Shown::Working));
        assert_eq!(state(&["> "]), Some(Shown::Idle));
        assert_eq!(state(&["Proceed", "?"]), None);
        assert_eq!(state(&[]), None);
    }
}
