//! A profile's file, read.

use crate::config::is_profile_name;
use crate::core::status::{Doing, Rule, Signs, Titles};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How to start one agent CLI. Its keys are explained in [`super`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is its file's.
    pub name: String,
    /// The program, as the client's `PATH` knows it.
    pub program: String,
    pub(super) start: Vec<String>,
    pub(super) prompt: Vec<String>,
    pub(super) resume: Vec<String>,
    pub(super) fork: Vec<String>,
    pub(super) kept: Vec<String>,
    pub(super) once: Vec<String>,
    pub(super) unguarded: Vec<String>,
    pub(super) needs: Vec<String>,
    /// Names of the variables that it gives to what it starts.
    pub markers: Vec<String>,
    /// Arguments by which it prints its version; empty where it cannot.
    pub version: Vec<String>,
    /// The form of its hooks; empty where it has none.
    pub hooks: String,
    /// Words in the command line of its vendor's own host of unattended sessions.
    pub background: Vec<String>,
    /// Words in the command line of its vendor's program that serves whoever comes.
    pub shared: Vec<String>,
    /// What is set in the session's environment.
    pub env: Vec<(String, String)>,
    /// How it shows what it does.
    pub signs: Signs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program: String,
    #[serde(default)]
    start: Vec<String>,
    #[serde(default)]
    prompt: Vec<String>,
    #[serde(default)]
    resume: Vec<String>,
    #[serde(default)]
    fork: Vec<String>,
    #[serde(default)]
    kept: Vec<String>,
    #[serde(default)]
    once: Vec<String>,
    #[serde(default)]
    unguarded: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    markers: Vec<String>,
    #[serde(default)]
    version: Vec<String>,
    #[serde(default)]
    hooks: String,
    #[serde(default)]
    background: Vec<String>,
    #[serde(default)]
    shared: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    titles: Titles,
    #[serde(default)]
    screen: Vec<Rule>,
    #[serde(default)]
    own: Vec<String>,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// There is none of this name.
    #[error("there is no profile {0:?}")]
    Unknown(String),
    /// Not TOML, or not of this shape; says where.
    #[error("profile {name}: {message}")]
    Format {
        /// The profile.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Its name cannot be one.
    #[error("{0:?} is no profile name: letters, digits, - and _")]
    Name(String),
}

impl Profile {
    /// A profile from its file's text.
    ///
    /// # Errors
    /// [`ProfileError`], which names the profile and the place.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        if !is_profile_name(name) {
            return Err(ProfileError::Name(name.chars().take(40).collect()));
        }
        let wrong = |message: String| ProfileError::Format { name: name.to_owned(), message };
        let file: File = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        file.check().map_err(wrong)?;
        Ok(Self {
            name: name.to_owned(),
            program: file.program,
            start: file.start,
            prompt: file.prompt,
            resume: file.resume,
            fork: file.fork,
            kept: file.kept,
            once: file.once,
            unguarded: file.unguarded,
            needs: file.needs,
            markers: file.markers,
            version: file.version,
            hooks: file.hooks,
            background: file.background,
            shared: file.shared,
            env: file.env.into_iter().collect(),
            signs: Signs { titles: file.titles, screen: file.screen, own: file.own },
        })
    }
}

impl File {
    /// What no program could make sense of.
    fn check(&self) -> Result<(), String> {
        if self.program.is_empty() {
            return Err("`program` must name a program".into());
        }
        let names = |list: &[String], place: &str| list.iter().any(|arg| arg.contains(place));
        for (key, list) in [("start", &self.start), ("resume", &self.resume), ("fork", &self.fork)] {
            if names(list, "{prompt}") {
                return Err(format!(
                    "`{key}` must not name {{prompt}}: a prompt is delivered once, by `prompt`"
                ));
            }
            if key != "fork" && names(list, "{new}") {
                return Err(format!("`{key}` must not name {{new}}: only a fork has a second conversation"));
            }
        }
        if names(&self.prompt, "{args}") {
            return Err("`prompt` must not name {args}: it follows a list that does".into());
        }
        let texts = [&self.start, &self.prompt, &self.resume, &self.fork, &self.kept, &self.version];
        let texts = texts.into_iter().flatten().chain([&self.program]).chain(self.env.values());
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err("a NUL cannot be passed to a program".into());
        }
        for pattern in &self.kept {
            if !pattern.starts_with(['$', '~', '/']) || !names(std::slice::from_ref(pattern), "{id") {
                return Err(format!(
                    "`kept` needs a path that begins with $NAME, ~ or / and names {{id}}: {pattern:?}"
                ));
            }
        }
        for pattern in &self.own {
            if !pattern.starts_with(['$', '~', '/']) || pattern.contains('\0') {
                return Err(format!("`own` needs a path that begins with $NAME, ~ or /: {pattern:?}"));
            }
        }
        for name in self.env.keys() {
            if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("ABIDE_") {
                return Err(format!("[env] cannot set {name:?}"));
            }
        }
        for rule in &self.screen {
            if rule.shows.is_empty() || rule.shows.iter().any(|text| text.trim().is_empty()) {
                return Err("[[screen]] needs texts in `shows`".into());
            }
            if rule.state == Doing::Done {
                return Err(
                    "[[screen]] knows working, blocked and idle: no screen tells done from idle".into()
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_a_profile_are_named() {
        for (text, says) in [
            ("start = []", "program"),
            ("program = ''", "must name a program"),
            ("program = \"a\\u0000b\"", "NUL"),
            ("program = 'x'\nresume = ['{prompt}']", "`resume` must not name {prompt}"),
            ("program = 'x'\nfork = ['{prompt}']", "`fork` must not name {prompt}"),
            ("program = 'x'\nstart = ['{new}']", "`start` must not name {new}"),
            ("program = 'x'\nprompt = ['{args}']", "`prompt` must not name {args}"),
            ("program = 'x'\nkept = ['a/{id}']", "`kept` needs a path"),
            ("program = 'x'\nkept = ['~/a']", "`kept` needs a path"),
            ("program = 'x'\nown = ['a/{pid}']", "`own` needs a path"),
            ("program = 'x'\n[titles]\nlazy = ['a']", "lazy"),
            ("program = 'x'\nstrat = []", "strat"),
            ("program = 'x'\n[env]\nABIDE_HOME = '1'", "ABIDE_HOME"),
            ("program = 'x'\n[[screen]]\nstate = 'idle'\nshows = []", "[[screen]]"),
            ("program = 'x'\n[[screen]]\nstate = 'lazy'\nshows = ['a']", "lazy"),
            ("program = 'x'\n[[screen]]\nstate = 'done'\nshows = ['a']", "no screen tells done"),
            ("program = ", "profile toy"),
        ] {
            let error = Profile::parse("toy", text).expect_err(text).to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Profile::parse("../x", "program = 'x'").is_err());
    }
}
