//! Profiles of agent CLIs, as data. One is built in; `<config>/agents.d/NAME.toml` adds others, or replaces it.
//!
//! ```toml
//! program = "claude"                      # looked up in the PATH of the client that dispatches
//! start = ["--session-id", "{uuid}"]      # arguments of the first start
//! prompt = ["--", "{prompt}"]             # added to them where there is a prompt
//! resume = ["--resume", "{uuid}"]         # arguments of a respawn; none: it starts anew, without the prompt
//! unguarded = ["--yolo", "--mode none"]   # arguments that skip its permission checks
//! background = ["--bg-host"]             # words in the command line of its vendor's own host of unattended sessions
//! shared = ["app-server"]                 # and of its vendor's program that serves whoever comes
//! needs = ["TOOL_API_KEY", "TOOL_*"]      # variables that, where it had them, it is not restarted without by itself
//! [env]                                   # set for the session
//! CLAUDE_CODE_DISABLE_AGENT_VIEW = "1"
//! ```
//!
//! What a user gives after `--` comes between the program and these, at every start. A `{uuid}` is a conversation id
//! that is chosen before the first start, so that a respawn can resume it. A prompt is delivered at most once: it
//! stands in `prompt` only, and a profile in which `start` or `resume` names it is refused.

use crate::config::is_profile_name;
use crate::core::event::Plan;
use crate::core::text::Text;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How to start one agent CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is its file's.
    pub name: String,
    pub(crate) program: String,
    start: Vec<String>,
    prompt: Vec<String>,
    resume: Vec<String>,
    unguarded: Vec<String>,
    needs: Vec<String>,
    pub(crate) background: Vec<String>,
    pub(crate) shared: Vec<String>,
    /// What is set in the session's environment.
    pub env: Vec<(String, String)>,
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
    unguarded: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    background: Vec<String>,
    #[serde(default)]
    shared: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
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

/// The profiles that come with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[("claude", include_str!("claude.toml"))];

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
        if file.program.is_empty() || file.program.contains('\0') {
            return Err(wrong("`program` must name a program".into()));
        }
        for (key, list) in [("start", &file.start), ("resume", &file.resume)] {
            if list.iter().any(|arg| arg.contains("{prompt}")) {
                return Err(wrong(format!(
                    "`{key}` must not name {{prompt}}: a prompt is delivered once, by `prompt`"
                )));
            }
        }
        for name in file.env.keys() {
            if name.is_empty() || name.contains(['=', '\0']) || name.starts_with("ABIDE_") {
                return Err(wrong(format!("[env] cannot set {name:?}")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            program: file.program,
            start: file.start,
            prompt: file.prompt,
            resume: file.resume,
            unguarded: file.unguarded,
            needs: file.needs,
            background: file.background,
            shared: file.shared,
            env: file.env.into_iter().collect(),
        })
    }

    /// The built-in profile of this name.
    pub fn built_in(name: &str) -> Option<Result<Self, ProfileError>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, text))
    }

    /// Whether it keeps a conversation that a respawn resumes.
    pub fn resumes(&self) -> bool {
        !self.resume.is_empty()
    }

    /// Its commands for a new session. `uuid` is a fresh random id, `extra` what the user gave after `--`.
    pub fn plan(&self, prompt: Option<&str>, extra: &[Text], uuid: &str) -> Plan {
        // Braces in the prompt are the prompt's: it is filled in last, and in nothing but `prompt`.
        let fill = |arg: &String| Text(arg.replace("{uuid}", uuid).into_bytes());
        let base = || std::iter::once(Text::from(self.program.as_str())).chain(extra.iter().cloned());
        let mut argv: Vec<Text> = base().chain(self.start.iter().map(fill)).collect();
        if let Some(prompt) = prompt {
            let filled = |arg: &String| arg.replace("{uuid}", uuid).replace("{prompt}", prompt);
            argv.extend(self.prompt.iter().map(|arg| Text(filled(arg).into_bytes())));
        }
        let preset = self.start.iter().any(|arg| arg.contains("{uuid}"));
        let respawn_argv = match (self.resumes(), prompt) {
            (true, _) => base().chain(self.resume.iter().map(fill)).collect(),
            (false, Some(_)) => base().chain(self.start.iter().map(fill)).collect(),
            (false, None) => Vec::new(),
        };
        Plan {
            argv,
            respawn_argv,
            session_id: preset.then(|| uuid.to_owned()),
            name_hint: prompt.unwrap_or(&self.name).to_owned(),
            intent: prompt.unwrap_or_default().to_owned(),
            resumes: self.resumes(),
            unguarded: self.unguarded(extra).unwrap_or_default(),
            needs: self.needs.clone(),
        }
    }

    /// The argument among these, if any, by which the agent skips its permission checks. `--a b` also means `--a=b`.
    fn unguarded(&self, arguments: &[Text]) -> Option<String> {
        let found = |flag: &&String| {
            let words: Vec<&[u8]> = flag.split(' ').map(str::as_bytes).collect();
            let joined = flag.replacen(' ', "=", 1);
            arguments.windows(words.len()).any(|given| given.iter().map(|g| g.0.as_slice()).eq(words.clone()))
                || arguments.iter().any(|given| given.0 == joined.as_bytes())
        };
        self.unguarded.iter().find(found).cloned()
    }
}

/// The plan of a plain command: the same at every start, named after its program.
pub fn plain(argv: &[Text]) -> Plan {
    let program = argv.first().map(ToString::to_string).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let profiles = BUILT_IN.iter().filter_map(|(name, text)| Profile::parse(name, text).ok());
    // Also where a shell or another program is given the agent's command line.
    let unguarded = profiles
        .filter_map(|profile| {
            let said = |text: &Text, flag: &str| text.to_string().contains(flag);
            let inside = |flag: &&String| argv.iter().any(|arg| said(arg, flag));
            profile.unguarded(argv).or_else(|| profile.unguarded.iter().find(inside).cloned())
        })
        .next();
    Plan { argv: argv.to_vec(), name_hint: name, unguarded: unguarded.unwrap_or_default(), ..Plan::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claude() -> Profile {
        Profile::built_in("claude").expect("known").expect("valid")
    }

    fn texts(list: &[&str]) -> Vec<Text> {
        list.iter().map(|s| Text::from(*s)).collect()
    }

    #[test]
    fn every_built_in_profile_is_valid_and_never_repeats_a_prompt() {
        for (name, text) in BUILT_IN {
            let profile = Profile::parse(name, text).expect("valid");
            let plan = profile.plan(Some("PROMPT {uuid}"), &[], "U");
            assert!(plan.argv.contains(&Text::from("PROMPT {uuid}")), "{name}: {plan:?}");
            let again = plan.respawn_argv.iter().any(|arg| arg.to_string().contains("PROMPT"));
            assert!(!plan.respawn_argv.is_empty() && !again, "{name}: {plan:?}");
        }
    }

    #[test]
    fn a_prompt_starts_a_conversation_with_a_preset_id_and_a_respawn_resumes_it() {
        let plan = claude().plan(Some("fix it"), &texts(&["--model", "opus"]), "U");
        assert_eq!(plan.argv, texts(&["claude", "--model", "opus", "--session-id", "U", "--", "fix it"]));
        assert_eq!(plan.respawn_argv, texts(&["claude", "--model", "opus", "--resume", "U"]));
        assert_eq!(plan.session_id.as_deref(), Some("U"));
        assert_eq!((plan.name_hint.as_str(), plan.intent.as_str()), ("fix it", "fix it"));
    }

    #[test]
    fn without_a_prompt_nothing_is_delivered() {
        let plan = claude().plan(None, &[], "U");
        assert_eq!(plan.argv, texts(&["claude", "--session-id", "U"]));
        assert_eq!((plan.name_hint.as_str(), plan.intent.as_str()), ("claude", ""));
    }

    #[test]
    fn a_profile_that_cannot_resume_starts_anew_without_the_prompt() {
        let profile = Profile::parse("toy", "program = 'toy'\nprompt = ['--ask={prompt}']").expect("valid");
        let plan = profile.plan(Some("a"), &[], "U");
        assert_eq!(plan.argv, texts(&["toy", "--ask=a"]));
        assert_eq!((plan.respawn_argv, plan.session_id), (texts(&["toy"]), None));
    }

    #[test]
    fn arguments_that_skip_permission_checks_are_seen_however_they_are_written() {
        let of = |args: &[&str]| claude().plan(Some("x"), &texts(args), "U").unguarded;
        let flag = "--dangerously-skip-permissions";
        assert_eq!(of(&["--model", "opus", flag]), flag);
        assert_eq!(of(&["--permission-mode", "bypassPermissions"]), "--permission-mode bypassPermissions");
        assert_eq!(of(&["--permission-mode=bypassPermissions"]), "--permission-mode bypassPermissions");
        assert_eq!(of(&["--permission-mode", "plan", "bypassPermissions"]), "");
        // A prompt that speaks of it is no argument.
        assert_eq!(claude().plan(Some(flag), &[], "U").unguarded, "");
        assert_eq!(plain(&texts(&["sh", "-c", &format!("cd x && claude {flag}")])).unguarded, flag);
        assert_eq!(plain(&texts(&["claude", "-p", "hello"])).unguarded, "");
    }

    #[test]
    fn mistakes_in_a_profile_are_named() {
        for (text, says) in [
            ("start = []", "program"),
            ("program = ''", "must name a program"),
            ("program = 'x'\nresume = ['{prompt}']", "`resume` must not name {prompt}"),
            ("program = 'x'\nstrat = []", "strat"),
            ("program = 'x'\n[env]\nABIDE_HOME = '1'", "ABIDE_HOME"),
            ("program = ", "profile toy"),
        ] {
            let error = Profile::parse("toy", text).expect_err(text).to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Profile::parse("../x", "program = 'x'").is_err());
    }

    #[test]
    fn a_plain_command_is_itself() {
        let plan = plain(&texts(&["/usr/bin/env", "bash"]));
        assert_eq!((plan.argv, plan.name_hint.as_str()), (texts(&["/usr/bin/env", "bash"]), "env"));
        assert_eq!((plan.respawn_argv, plan.intent.as_str()), (Vec::new(), ""));
    }
}
