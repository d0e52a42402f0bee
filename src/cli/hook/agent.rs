//! Which process the agent is that calls a hook.

use crate::agents::Profile;
use crate::core::record::Instance;
use crate::core::registry::{Key, Patch};
use crate::core::status::is_shell;
use crate::core::text::Text;
use crate::sys::process::{self, Process};
use std::os::unix::ffi::OsStringExt;

/// Ancestors that are looked at: between an agent and its hook are a shell or two.
const DEPTH: usize = 12;
/// The program of a session's host.
const HOST: &str = "abide-host";

/// The nearest ancestor that is this agent by its command line; else the nearest that is no shell, but nothing above a
/// session's own program: that is a host of abide's. A hook is started by its agent, which waits for it, so none of them
/// is gone meanwhile.
pub(super) fn among_ancestors(profile: &Profile) -> Option<Instance> {
    let mut other = None;
    let mut pid = std::os::unix::process::parent_id();
    for _ in 0..DEPTH {
        let Some(found) = (pid > 1).then(|| Process::of(pid).ok()).flatten() else { break };
        if found.name == HOST {
            break;
        }
        let arguments = process::arguments(pid).unwrap_or_default();
        let instance = Instance { pid, start: found.start };
        if is_agent(&arguments, profile) {
            return Some(instance);
        }
        let shell = is_shell_or_its_script(&arguments);
        other = other.or((!shell).then_some(instance));
        pid = found.parent;
    }
    other
}

/// The program itself, or the script that an interpreter was given.
fn is_agent(arguments: &[Vec<u8>], profile: &Profile) -> bool {
    let base = |arg: &[u8]| arg.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
    let names = [profile.name.as_bytes(), profile.program.as_bytes()];
    // The shell of a profile that starts its agent by one is not that agent.
    let named = |arg: &Vec<u8>| names.contains(&base(arg).as_slice()) && !is_shell(&[Text(arg.clone())]);
    arguments.iter().take(2).any(named)
}

fn is_shell_or_its_script(arguments: &[Vec<u8>]) -> bool {
    arguments.first().is_some_and(|program| is_shell(&[Text(program.clone())]))
}

/// What the agent's own variables say of it. Shown, and nothing else: any process can have them.
pub(super) fn surroundings() -> Patch {
    let said = |name: &str| std::env::var_os(name).map(|value| Text(value.into_vec()));
    let text = |name: &str| said(name).map(|value| value.to_string());
    let mut patch = Patch::new().text_if(Key::Entrypoint, text("CLAUDE_CODE_ENTRYPOINT").as_deref());
    if let Some(socket) = said("CLAUDE_CODE_MESSAGING_SOCKET").filter(|socket| socket.0.starts_with(b"/")) {
        patch = patch.path(Key::MessagingSocketPath, &socket);
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_known_by_its_program_or_its_script() {
        let of = |name: &str| Profile::built_in(name).expect("known").expect("valid");
        let line = |words: &str| words.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        for (name, words) in [
            ("claude", "claude --resume x"),
            ("codex", "/usr/lib/node_modules/codex/bin/codex --no-daemon"),
            ("gemini", "node /usr/bin/gemini -i x"),
            ("aider", "/usr/bin/python3 /usr/bin/aider --model x"),
        ] {
            assert!(is_agent(&line(words), &of(name)), "{words}");
        }
        for (name, words) in [
            ("claude", "sh -c claude"),
            ("claude", "claude-wrapper x"),
            ("codex", "node -e codex"),
            ("aider", "sh -c x"),
            ("aider", "/bin/bash /x/run aider"),
        ] {
            assert!(!is_agent(&line(words), &of(name)), "{words}");
        }
        assert!(is_shell_or_its_script(&line("/bin/sh -c x")) && !is_shell_or_its_script(&line("node x")));
        assert!(!is_agent(&[], &of("claude")));
    }

    #[test]
    fn whoever_started_us_is_found() {
        let profile =
            Profile::parse("nobody-is-called-so", "program = 'nobody-is-called-so'").expect("valid");
        let found = among_ancestors(&profile).expect("a test has a parent");
        assert!(process::is_running(found.pid, found.start));
    }
}
