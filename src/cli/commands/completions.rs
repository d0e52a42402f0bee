//! `abide completions`

use crate::cli::context::Cx;
use crate::cli::error::CliError;
use crate::core::record::Record;
use clap_complete::Shell;

/// Print a completion script for a shell. In bash, zsh and fish it completes ids and names of sessions, too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide completions bash > ~/.local/share/bash-completion/completions/abide
  abide completions zsh > ~/.zfunc/_abide
  abide completions fish > ~/.config/fish/completions/abide.fish")]
pub(crate) struct Args {
    /// Which shell
    #[arg(required_unless_present = "sessions")]
    shell: Option<Shell>,
    /// Print ids and names instead, from their files: for the scripts
    #[arg(long, hide = true)]
    sessions: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let Some(shell) = args.shell.filter(|_| !args.sessions) else { return sessions(cx) };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command_line(), "abide", &mut script);
    let script = String::from_utf8_lossy(&script);
    Ok(cx.out.bytes(with_sessions(shell, &script).as_bytes())?)
}

/// Ids and names, without asking a supervisor: pressing a key should not start one. Only such names as are plain words
/// to every shell: bash expands what it completes from.
fn sessions(cx: &mut Cx) -> Result<(), CliError> {
    let Ok(jobs) = std::fs::read_dir(cx.paths.jobs()) else { return Ok(()) };
    let mut words = Vec::new();
    for job in jobs.flatten() {
        let state = std::fs::read(job.path().join("state.json"));
        if let Some(record) = state.ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok()) {
            words.extend([record.id.to_string(), record.name]);
        }
    }
    words.retain(|w| is_plain(w));
    words.sort();
    for word in words {
        cx.out.line(&word)?;
    }
    Ok(())
}

fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !word.is_empty() && !word.starts_with('-') && word.chars().all(plain)
}

/// Commands that take sessions, with their other names.
fn takers() -> Vec<String> {
    let abide = crate::cli::command_line();
    let takes = |c: &&clap::Command| {
        c.get_positionals().any(|arg| matches!(arg.get_id().as_str(), "session" | "sessions"))
    };
    let names = |c: &clap::Command| {
        std::iter::once(c.get_name().to_owned())
            .chain(c.get_all_aliases().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    abide.get_subcommands().filter(takes).flat_map(names).collect()
}

/// The generated script, which knows commands and options, and what sessions there are.
fn with_sessions(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!(
            r#"{script}
_abide_sessions() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}"
    if [[ COMP_CWORD -gt 1 && "$cur" != -* ]]; then
        case "${{COMP_WORDS[1]}}" in
            {})
                COMPREPLY=($(compgen -W "$("${{COMP_WORDS[0]}}" completions --sessions 2>/dev/null)" -- "$cur"))
                return
                ;;
        esac
    fi
    _abide "$@"
}}
complete -F _abide_sessions -o bashdefault -o default abide
"#,
            takers().join("|")
        ),
        Shell::Zsh => {
            let marked = |line: &str| {
                let is_session = line.contains(":session -- ") || line.contains("::sessions -- ");
                if is_session { line.replace(":_default'", ":_abide_sessions'") } else { line.to_owned() }
            };
            let mut lines = script.lines().map(marked);
            let first = lines.next().unwrap_or_default();
            let function = r#"
_abide_sessions() {
    local -a found
    found=(${(f)"$(abide completions --sessions 2>/dev/null)"})
    compadd -a found
}
"#;
            format!("{first}\n{function}{}\n", lines.collect::<Vec<_>>().join("\n"))
        }
        Shell::Fish => {
            let mut script = script.to_owned();
            for name in takers() {
                script.push_str(&format!(
                    "complete -c abide -n \"__fish_abide_using_subcommand {name}\" -f -a \"(abide completions --sessions)\"\n"
                ));
            }
            script
        }
        // Of a crate that may know more shells one day; these do with commands and options.
        Shell::Elvish | Shell::PowerShell | _ => script.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_no_shell_expands_are_offered() {
        assert!(is_plain("7c5dcf5d") && is_plain("my-docs_2.1"));
        for bad in ["", "-rf", "$(reboot)", "a b", "a;b", "~x", "*", "ü"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    #[test]
    fn the_commands_that_take_sessions_are_found_by_their_definition() {
        let takers = takers();
        for name in ["attach", "a", "stop", "kill", "logs", "why"] {
            assert!(takers.iter().any(|t| t == name), "{name} of {takers:?}");
        }
        assert!(!takers.iter().any(|t| t == "run" || t == "daemon"));
    }
}
