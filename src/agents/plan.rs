//! The commands of a session, from a profile and what its user gave.

use super::Profile;
use crate::core::conversation::filled;
use crate::core::event::Plan;
use crate::core::text::Text;

/// What the places in a list of arguments stand for.
struct Places<'a> {
    args: &'a [Text],
    id: &'a str,
    new: &'a str,
}

impl Profile {
    /// Its commands for a new session. `uuid` is a fresh random id, `extra` what the user gave after `--`.
    pub fn plan(&self, prompt: Option<&str>, extra: &[Text], uuid: &str) -> Plan {
        let presets = self.start.iter().any(|arg| arg.contains("{id}"));
        let mut argv = self.command(&self.start, &Places { args: extra, id: uuid, new: uuid });
        argv.extend(self.with_prompt(prompt, uuid));
        self.plan_of(argv, presets.then_some(uuid), prompt, extra)
    }

    /// Its commands for a session that goes on with a copy of this conversation; none where it cannot do that. `uuid` is
    /// a fresh random id, `extra` what the user gave.
    pub fn fork(&self, conversation: &str, prompt: Option<&str>, extra: &[Text], uuid: &str) -> Option<Plan> {
        if self.fork.is_empty() {
            return None;
        }
        let presets = self.fork.iter().any(|arg| arg.contains("{new}"));
        let mut argv = self.command(&self.fork, &Places { args: extra, id: conversation, new: uuid });
        argv.extend(self.with_prompt(prompt, uuid));
        Some(self.plan_of(argv, presets.then_some(uuid), prompt, extra))
    }

    fn plan_of(&self, argv: Vec<Text>, id: Option<&str>, prompt: Option<&str>, extra: &[Text]) -> Plan {
        let later = self.without_once(extra);
        // No argument holds a NUL, so that it can stand for an id that may be another one by then.
        let open = |list: &[String]| self.command(list, &Places { args: &later, id: "\0", new: "\0" });
        let resume = if self.resume.is_empty() { Vec::new() } else { open(&self.resume) };
        let names_id = |list: &[Text]| list.iter().any(|arg| arg.0.contains(&0));
        let anew = open(&self.start);
        // What can be resumed without knowing an id needs none.
        let resumes = !resume.is_empty() && (id.is_some() || !names_id(&resume));
        let respawn_argv = match (resumes, prompt) {
            (true, _) => filled(&resume, id.unwrap_or_default()),
            (false, None) if resume.is_empty() && later == extra => Vec::new(),
            (false, _) => filled(&anew, id.unwrap_or_default()),
        };
        Plan {
            argv,
            respawn_argv,
            kept: if resume.is_empty() { Vec::new() } else { self.kept.clone() },
            resume,
            anew,
            session_id: id.map(str::to_owned),
            name_hint: prompt.unwrap_or(&self.name).to_owned(),
            intent: prompt.unwrap_or_default().to_owned(),
            resumes,
            unguarded: self.unguarded(extra).unwrap_or_default(),
            needs: self.needs.clone(),
            signs: self.signs.clone(),
            ..Plan::default()
        }
    }

    fn command(&self, list: &[String], places: &Places<'_>) -> Vec<Text> {
        let fill =
            |arg: &String| Text(arg.replace("{id}", places.id).replace("{new}", places.new).into_bytes());
        let mut argv = vec![Text::from(self.program.as_str())];
        if !list.iter().any(|arg| arg == "{args}") {
            argv.extend_from_slice(places.args);
        }
        for arg in list {
            match arg.as_str() {
                "{args}" => argv.extend_from_slice(places.args),
                _ => argv.push(fill(arg)),
            }
        }
        argv
    }

    /// Braces in the prompt are the prompt's: it is filled in last, and in nothing but `prompt`.
    fn with_prompt(&self, prompt: Option<&str>, uuid: &str) -> Vec<Text> {
        let Some(prompt) = prompt else { return Vec::new() };
        let fill = |arg: &String| arg.replace("{id}", uuid).replace("{prompt}", prompt);
        self.prompt.iter().map(|arg| Text(fill(arg).into_bytes())).collect()
    }

    /// The user's arguments without those that are for the first start only.
    fn without_once(&self, extra: &[Text]) -> Vec<Text> {
        let mut kept = Vec::new();
        let mut rest = extra.iter().peekable();
        while let Some(arg) = rest.next() {
            let text = String::from_utf8_lossy(&arg.0);
            let rule = self.once.iter().find_map(|rule| {
                let (flag, value) = rule.split_once(' ').unwrap_or((rule, ""));
                let joined =
                    text.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')) && !value.is_empty();
                (text == flag || joined).then_some((joined, value))
            });
            let Some((joined, value)) = rule else {
                kept.push(arg.clone());
                continue;
            };
            let takes = |next: &&&Text| match value.as_bytes() {
                _ if joined => false,
                [] => false,
                [b'[', ..] => !next.0.starts_with(b"-"),
                [_, ..] => true,
            };
            if rest.peek().filter(takes).is_some() {
                rest.next();
            }
        }
        kept
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
    // Also where a shell or another program is given the agent's command line.
    let unguarded = super::built_in()
        .filter(|profile| argv.iter().any(|arg| arg.to_string().contains(&profile.name)))
        .find_map(|profile| {
            // Within a text only what means nothing else there.
            let inside = |flag: &&String| {
                flag.starts_with("--") && argv.iter().any(|arg| arg.to_string().contains(flag.as_str()))
            };
            profile.unguarded(argv).or_else(|| profile.unguarded.iter().find(inside).cloned())
        });
    Plan { argv: argv.to_vec(), name_hint: name, unguarded: unguarded.unwrap_or_default(), ..Plan::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str) -> Profile {
        Profile::built_in(name).expect("known").expect("valid")
    }

    fn texts(list: &[&str]) -> Vec<Text> {
        list.iter().map(|s| Text::from(*s)).collect()
    }

    #[test]
    fn a_prompt_starts_a_conversation_with_a_preset_id_and_a_respawn_resumes_it() {
        let plan = profile("claude").plan(Some("fix it"), &texts(&["--model", "opus"]), "U");
        assert_eq!(plan.argv, texts(&["claude", "--model", "opus", "--session-id", "U", "--", "fix it"]));
        assert_eq!(plan.respawn_argv, texts(&["claude", "--model", "opus", "--resume", "U"]));
        assert_eq!(plan.anew, texts(&["claude", "--model", "opus", "--session-id", "\0"]));
        assert_eq!((plan.session_id.as_deref(), plan.resumes), (Some("U"), true));
        assert_eq!((plan.name_hint.as_str(), plan.intent.as_str()), ("fix it", "fix it"));
        assert!(plan.kept.iter().any(|pattern| pattern.contains("{id}")));
    }

    #[test]
    fn without_a_prompt_nothing_is_delivered() {
        let plan = profile("claude").plan(None, &[], "U");
        assert_eq!(plan.argv, texts(&["claude", "--session-id", "U"]));
        assert_eq!((plan.name_hint.as_str(), plan.intent.as_str()), ("claude", ""));
    }

    #[test]
    fn an_id_that_is_yet_to_be_learned_leaves_a_place_for_it() {
        let plan = profile("codex").plan(Some("- do {id}"), &texts(&["-m", "x"]), "U");
        assert_eq!(plan.argv, texts(&["codex", "-m", "x", "--no-daemon", "--", "- do {id}"]));
        assert_eq!(plan.respawn_argv, texts(&["codex", "-m", "x", "--no-daemon"]));
        assert_eq!(plan.resume, texts(&["codex", "resume", "-m", "x", "--no-daemon", "\0"]));
        assert_eq!((plan.session_id, plan.resumes), (None, false));
    }

    #[test]
    fn a_profile_that_cannot_resume_starts_anew_without_the_prompt() {
        let profile = Profile::parse("toy", "program = 'toy'\nprompt = ['--ask={prompt}']").expect("valid");
        let plan = profile.plan(Some("a"), &[], "U");
        assert_eq!(plan.argv, texts(&["toy", "--ask=a"]));
        assert_eq!((plan.respawn_argv, plan.session_id), (texts(&["toy"]), None));
        assert_eq!(profile.plan(None, &[], "U").respawn_argv, texts(&[]));
        assert_eq!(profile.fork("C", None, &[], "U"), None);
    }

    #[test]
    fn a_profile_without_ids_resumes_what_is_there() {
        let text = "program = 'toy'\nstart = ['a', '{args}', 'b']\nresume = ['--last']";
        let plan = Profile::parse("toy", text).expect("valid").plan(None, &texts(&["x"]), "U");
        assert_eq!(plan.argv, texts(&["toy", "a", "x", "b"]));
        assert_eq!(plan.respawn_argv, texts(&["toy", "x", "--last"]));
        assert!(plan.resumes);
    }

    #[test]
    fn a_fork_is_a_conversation_of_its_own() {
        let plan =
            profile("claude").fork("OLD", Some("go on"), &texts(&["--model", "opus"]), "NEW").expect("forks");
        let forked =
            ["claude", "--model", "opus", "--resume", "OLD", "--fork-session", "--session-id", "NEW"];
        assert_eq!(plan.argv, texts(&[&forked[..], &["--", "go on"]].concat()));
        assert_eq!(plan.respawn_argv, texts(&["claude", "--model", "opus", "--resume", "NEW"]));
        assert_eq!(plan.session_id.as_deref(), Some("NEW"));
        let plan = profile("codex").fork("OLD", None, &[], "NEW").expect("forks");
        assert_eq!(plan.argv, texts(&["codex", "fork", "--no-daemon", "OLD"]));
        assert_eq!((plan.session_id, plan.resumes), (None, false));
    }

    #[test]
    fn what_is_for_the_first_start_only_is_not_repeated() {
        let text = "program = 'toy'\nonce = ['--worktree [NAME]', '-i FILE', '--new']\nresume = ['{id}']\nstart = ['{id}']";
        let toy = Profile::parse("toy", text).expect("valid");
        let again = |args: &[&str]| {
            let plan = toy.plan(None, &texts(args), "U");
            assert_eq!(plan.argv, texts(&[&["toy"], args, &["U"]].concat()));
            let all: Vec<String> = plan.respawn_argv.iter().map(ToString::to_string).collect();
            all[1..all.len() - 1].join(" ")
        };
        assert_eq!(again(&["--a", "--worktree", "x", "b"]), "--a b");
        assert_eq!(again(&["--worktree", "--a"]), "--a");
        assert_eq!(again(&["--worktree=x", "--a", "-i", "-f", "c"]), "--a c");
        assert_eq!(again(&["--new", "x", "--newer", "--new=1", "-i"]), "x --newer --new=1");
    }

    #[test]
    fn arguments_that_skip_permission_checks_are_seen_however_they_are_written() {
        let of = |args: &[&str]| profile("claude").plan(Some("x"), &texts(args), "U").unguarded;
        let flag = "--dangerously-skip-permissions";
        assert_eq!(of(&["--model", "opus", flag]), flag);
        assert_eq!(of(&["--permission-mode", "bypassPermissions"]), "--permission-mode bypassPermissions");
        assert_eq!(of(&["--permission-mode=bypassPermissions"]), "--permission-mode bypassPermissions");
        assert_eq!(of(&["--permission-mode", "plan", "bypassPermissions"]), "");
        // A prompt that speaks of it is no argument.
        assert_eq!(profile("claude").plan(Some(flag), &[], "U").unguarded, "");
        assert_eq!(plain(&texts(&["sh", "-c", &format!("cd x && claude {flag}")])).unguarded, flag);
        assert_eq!(plain(&texts(&["claude", "-p", "hello"])).unguarded, "");
        assert_eq!(plain(&texts(&["gemini", "-y"])).unguarded, "-y");
        assert_eq!(plain(&texts(&["gemini", "what does -y do"])).unguarded, "");
        assert_eq!(plain(&texts(&["apt-get", "-y", "--yolo"])).unguarded, "");
    }

    #[test]
    fn a_plain_command_is_itself() {
        let plan = plain(&texts(&["/usr/bin/env", "bash"]));
        assert_eq!((plan.argv, plan.name_hint.as_str()), (texts(&["/usr/bin/env", "bash"]), "env"));
        assert_eq!((plan.respawn_argv, plan.intent.as_str()), (Vec::new(), ""));
    }
}
