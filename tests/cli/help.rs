//! Help teaches: every command has examples, and every example is a command line that is understood.

use clap::Command;

/// Calls `check` with every command and its full name.
fn each(command: &Command, name: &str, check: &mut impl FnMut(&Command, &str)) {
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
        let name = format!("{name} {}", sub.get_name());
        check(sub, &name);
        each(sub, &name, check);
    }
}

fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.lines().filter_map(|l| l.strip_prefix("  ")).map(str::to_owned).collect()
}

/// The words of the `abide` in a line of shell: up to a pipe, a list, a redirection or a remark.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                begun = true;
            }
            (None, '|' | '&' | ';' | '>') => break,
            (None, ' ') => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
                // Two spaces: what follows is a remark.
                if characters.peek() == Some(&' ') {
                    break;
                }
            }
            (None, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn every_command_has_examples_of_itself() {
    let mut missing = Vec::new();
    each(&abide::cli::command_line(), "abide", &mut |command, name| {
        if !examples(command).iter().any(|e| e.contains(name)) {
            missing.push(name.to_owned());
        }
    });
    assert_eq!(missing, Vec::<String>::new(), "commands without an example");
}

#[test]
fn every_example_is_understood() {
    let mut tried = 0;
    let mut try_all = |command: &Command| {
        for example in examples(command) {
            if !example.starts_with("abide ") || example.contains("$(") {
                continue;
            }
            let parsed = abide::cli::command_line().try_get_matches_from(words(&example));
            assert!(parsed.is_ok(), "{example}: {}", parsed.err().map(|e| e.to_string()).unwrap_or_default());
            tried += 1;
        }
    };
    let abide = abide::cli::command_line();
    try_all(&abide);
    each(&abide, "abide", &mut |command, _| try_all(command));
    assert!(tried > 40, "only {tried} examples were found");
}

#[test]
fn the_definition_holds_together() {
    abide::cli::command_line().debug_assert();
}
