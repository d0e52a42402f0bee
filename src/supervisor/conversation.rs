//! Whether an agent has a conversation to resume: it writes none before the first turn, and then refuses to resume it.

use crate::core::environment;
use crate::core::text::Text;
use glob::Pattern;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Longer than this no disk is waited for: the conversation is taken to be there.
const WITHIN: Duration = Duration::from_secs(2);

/// Files of which one is there, if there is a conversation.
#[derive(Debug)]
pub(super) struct Look {
    /// None where it is not known where to look.
    patterns: Option<Vec<String>>,
}

impl Look {
    /// From a profile's patterns, in the environment of the session.
    pub(super) fn new(kept: &[String], env: &[Text]) -> Self {
        let value = |name: &str| {
            let of_it = |v: &&Text| environment::name_of(&v.0) == Some(name.as_bytes());
            let value = env.iter().find(of_it).map(|v| OsStr::from_bytes(&v.0[name.len() + 1..]));
            value.filter(|value| !value.is_empty())
        };
        let mut patterns = Vec::new();
        for pattern in kept {
            let (base, rest) = match (pattern.strip_prefix('~'), pattern.strip_prefix('$')) {
                (Some(rest), _) => (value("HOME"), rest),
                (None, Some(named)) => {
                    let end = named.find('/').unwrap_or(named.len());
                    // Where such a variable is not set it leads nowhere, and nothing is there.
                    let Some(base) = value(&named[..end]) else { continue };
                    (Some(base), &named[end..])
                }
                (None, None) => (Some(OsStr::new("")), pattern.as_str()),
            };
            let base = base.map(Path::new).filter(|base| base.is_absolute() || base.as_os_str().is_empty());
            let Some(base) = base.and_then(Path::to_str) else { return Self { patterns: None } };
            patterns.push(format!("{}{rest}", Pattern::escape(base)));
        }
        Self { patterns: (!patterns.is_empty()).then_some(patterns) }
    }

    /// There is certainly no conversation. Where there is no telling, there is one: starting anew would lose it.
    pub(super) async fn finds_none(self) -> bool {
        let look = tokio::task::spawn_blocking(move || self.finds_none_now());
        matches!(tokio::time::timeout(WITHIN, look).await, Ok(Ok(true)))
    }

    fn finds_none_now(&self) -> bool {
        let Some(patterns) = &self.patterns else { return false };
        let nothing = |pattern: &String| glob::glob(pattern).is_ok_and(|mut found| found.next().is_none());
        patterns.iter().all(nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_found_and_what_cannot_be_known_is_taken_to_be_there() {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = dir.path().join("a [home]");
        std::fs::create_dir_all(home.join("p/one")).expect("folders");
        std::fs::write(home.join("p/one/s-1234.json"), "").expect("file");
        let set = |name: &str, value: &Path| Text(format!("{name}={}", value.display()).into_bytes());
        let none = |kept: &[&str], env: &[Text]| {
            let kept: Vec<String> = kept.iter().map(|p| (*p).to_owned()).collect();
            Look::new(&kept, env).finds_none_now()
        };
        let env = [set("HOME", &home), set("TOOL", &home.join("p"))];
        assert!(!none(&["~/p/*/s-*.json"], &env));
        assert!(!none(&["$TOOL/*/s-1234.json", "~/elsewhere"], &env));
        assert!(!none(&["$OTHER/x", "~/p/one/s-1234.json"], &env));
        assert!(none(&["~/p/*/s-5.json"], &env));
        assert!(none(&["$TOOL/s-1234.json", "~/nowhere/*"], &env));
        assert!(!none(&["$OTHER/x"], &env), "nowhere to look");
        assert!(!none(&["~/x"], &[]), "no home");
        assert!(!none(&["~/x"], &[Text::from("HOME=relative")]));
    }
}
