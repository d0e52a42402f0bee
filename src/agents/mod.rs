//! Profiles of agent CLIs, as data. Some are built in (`profiles/`); `<config>/agents.d/NAME.toml` adds others, or
//! replaces one of them.
//!
//! ```toml
//! program = "claude"                      # looked up in the PATH of the client that dispatches
//! start = ["--session-id", "{id}"]        # arguments of a start
//! prompt = ["--", "{prompt}"]             # added to them, and to those of `fork`, where there is a prompt
//! resume = ["--resume", "{id}"]           # arguments of a respawn; none: it starts anew, without the prompt
//! fork = ["--resume", "{id}", "--fork", "--session-id", "{new}"]   # of a copy of a conversation; none: it has none
//! kept = ["$TOOL_HOME/{id}.json", "~/.tool/*/{id}.json"]           # where a conversation's file is, once there is one
//! once = ["--worktree [NAME]", "--image FILE"]   # the user's arguments that a respawn does not repeat
//! unguarded = ["--yolo", "--mode none"]   # arguments that skip its permission checks
//! needs = ["TOOL_API_KEY", "TOOL_*"]      # variables that, where it had them, it is not restarted without by itself
//! markers = ["TOOL_SESSION"]              # variables that it gives to what it starts, and that a session is without
//! version = ["--version"]                 # arguments by which it prints its version
//! hooks = "claude"                        # the form in which it tells what it does: see `hooks`
//! background = ["--bg-host"]              # words in the command line of its vendor's own host of unattended sessions
//! shared = ["app-server"]                 # and of its vendor's program that serves whoever comes
//! own = ["$TOOL_HOME/{pid}.json", "~/.tool/{pid}.json"]   # the file that it keeps about itself
//! [env]                                   # set for the session
//! CLAUDE_CODE_DISABLE_AGENT_VIEW = "1"
//! [titles]                                # beginnings of its window title; the longest that fits counts
//! working = ["◐", "◑"]
//! blocked = ["[ ! ]"]                     # without any, an idle title may mean this, too
//! idle = ["✳"]
//! [[screen]]                              # what the end of its screen shows; the first that holds counts
//! state = "blocked"                       # working, blocked, idle
//! shows = ["Do you want to proceed?", "1. Yes"]   # all of these texts
//! what = "permission"                     # what it waits for, where it is blocked
//! ```
//!
//! `{args}` is where the arguments go that the user gives after `--`; a list without it has them in front. They are
//! given at every start, but for those in `once`.
//!
//! `{id}` is the conversation's id. Where `start` has it, a random one is chosen before the first start. Where only
//! `resume` has it, the agent chooses it and tells it by its hooks; until then a respawn starts anew, without the prompt.
//! `kept` is where a respawn looks whether there is a conversation to resume, since agents write none before the first
//! turn: `$NAME` (at the front; skipped where the session has no such variable), `~`, `*` within one name, and `{id8}` for
//! the id's first eight characters. One file that is there is enough. Where none is, it starts anew.
//!
//! A prompt is delivered at most once: it stands in `prompt` only, and a profile in which another list names it is
//! refused.
//!
//! Titles, screen and file tell what an agent does where it does not say so better: see [`crate::core::status`]. `own`
//! begins like `kept`; `{pid}` in it is the session's process.

mod format;
pub mod hooks;
mod plan;

pub use format::{Profile, ProfileError};
pub use plan::plain;

use std::io;

/// The profiles that come with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("aider", include_str!("profiles/aider.toml")),
    ("claude", include_str!("profiles/claude.toml")),
    ("codex", include_str!("profiles/codex.toml")),
    ("gemini", include_str!("profiles/gemini.toml")),
    ("opencode", include_str!("profiles/opencode.toml")),
];

impl Profile {
    /// The built-in profile of this name.
    pub fn built_in(name: &str) -> Option<Result<Self, ProfileError>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, text))
    }

    /// The profile of this name: the user's own, by what `read` finds in `agents.d/NAME.toml`, else the built-in one.
    ///
    /// # Errors
    /// [`ProfileError`]; a file that cannot be read is not passed over.
    pub fn find(name: &str, read: impl FnOnce(&str) -> io::Result<String>) -> Result<Self, ProfileError> {
        let file = format!("{name}.toml");
        if !crate::config::is_profile_name(name) {
            return Self::parse(name, "");
        }
        match (read(&file), Self::built_in(name)) {
            (Ok(text), _) => Self::parse(name, &text),
            (Err(e), Some(profile)) if e.kind() == io::ErrorKind::NotFound => profile,
            (Err(e), None) if e.kind() == io::ErrorKind::NotFound => {
                Err(ProfileError::Unknown(name.to_owned()))
            }
            (Err(e), _) => {
                let message = format!("agents.d/{file}: {e}");
                Err(ProfileError::Format { name: name.to_owned(), message })
            }
        }
    }
}

/// The built-in profiles.
pub fn built_in() -> impl Iterator<Item = Profile> {
    // One that cannot be parsed is no program's fault: a test parses them all.
    BUILT_IN.iter().filter_map(|(name, text)| Profile::parse(name, text).ok())
}

/// Variables that the built-in agents give to what they start, and that a session is without.
pub fn markers() -> Vec<String> {
    built_in().flat_map(|profile| profile.markers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::Text;

    #[test]
    fn every_built_in_profile_is_valid_and_never_repeats_a_prompt() {
        for (name, text) in BUILT_IN {
            let profile = Profile::parse(name, text).expect("valid");
            let plan = profile.plan(Some("PROMPT {id}"), &[], "U");
            assert!(plan.argv.iter().any(|arg| arg.to_string().contains("PROMPT {id}")), "{name}: {plan:?}");
            for again in [&plan.respawn_argv, &plan.resume, &plan.anew] {
                assert!(!again.iter().any(|arg| arg.to_string().contains("PROMPT")), "{name}: {plan:?}");
            }
            assert!(!plan.respawn_argv.is_empty(), "{name}: {plan:?}");
            assert!(!profile.hooks.is_empty() && !profile.version.is_empty(), "{name}");
        }
        assert_eq!(built_in().count(), BUILT_IN.len());
    }

    #[test]
    fn what_agents_give_to_their_tools_is_known_and_their_settings_are_not_among_it() {
        let markers = markers();
        let is_marker = |name: &str| markers.iter().any(|m| crate::core::environment::matches(name, m));
        for name in [
            "CLAUDECODE",
            "CLAUDE_CODE_MESSAGING_TOKEN",
            "CODEX_THREAD_ID",
            "GEMINI_CLI",
            "OPENCODE",
            "AGENT",
        ] {
            assert!(is_marker(name), "{name}");
        }
        for name in [
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_USE_BEDROCK",
            "CODEX_HOME",
            "GEMINI_API_KEY",
            "OPENCODE_CONFIG",
        ] {
            assert!(!is_marker(name), "{name}");
        }
    }

    #[test]
    fn a_users_profile_stands_before_the_built_in_one() {
        let none = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(Profile::find("claude", none).expect("built in").name, "claude");
        let own = Profile::find("claude", |file| Ok(format!("program = '{file}'"))).expect("valid");
        assert_eq!(own.plan(None, &[], "U").argv, [Text::from("claude.toml")]);
        assert!(matches!(Profile::find("toy", none), Err(ProfileError::Unknown(_))));
        assert!(matches!(Profile::find("../x", none), Err(ProfileError::Name(_))));
        let closed = |_: &str| Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(Profile::find("claude", closed).is_err());
    }
}
