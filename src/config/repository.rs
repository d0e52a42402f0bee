//! What is set for one repository. By its user, in `config.toml`, for a folder and all repositories in it:
//!
//! ```toml
//! [repository."~/src/site"]
//! isolation = "none"
//! ```
//!
//! And by the repository itself, as `.abide/config.toml` in its shared checkout, with the same keys. What the user says
//! goes before what a repository says, and that before what is set for all.
//!
//! | Key | Form | Meaning |
//! |---|---|---|
//! | `isolation` | `worktree`, `none` | whether the write guard keeps background sessions out of the shared checkout |
//!
//! A repository's file comes with its clone, from whoever wrote it. This one key is taken from it all the same: nothing
//! is executed by it, and all that `none` takes away is a guard against accidents in that very repository, whose files
//! are its author's anyway. Whoever does not want that says `worktree` for it in `config.toml`. A key that could do more
//! must not be read from there without the user's consent.

use super::{Problem, line_of};
use crate::core::guard::Isolation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of a repository's file, at most.
pub const LARGEST: u64 = 64 << 10;

/// Reads the file of a repository; none where it does not say.
pub fn parse(text: &str) -> (Option<Isolation>, Vec<Problem>) {
    let mut problems = Vec::new();
    let said = match DeTable::parse(text) {
        Ok(table) => keys(text, table.get_ref(), &mut problems),
        Err(e) => {
            let line = line_of(text, e.span().map_or(0, |s| s.start));
            let message = format!("not TOML: {}; nothing of it counts", e.message());
            problems.push(Problem { line, message, unknown: false });
            None
        }
    };
    (said, problems)
}

/// The table `repository` of the user's settings.
pub(super) fn table(
    text: &str,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Isolation)> {
    let mut problem = |at: usize, message: String| {
        problems.push(Problem { line: line_of(text, at), message, unknown: false });
    };
    let DeValue::Table(folders) = value.get_ref() else {
        problem(
            value.span().start,
            "repository: expected tables like [repository.\"~/src/site\"]; ignored".into(),
        );
        return Vec::new();
    };
    let mut all = Vec::new();
    for (folder, value) in folders {
        let name: &str = folder.get_ref();
        let mut problem = |at: usize, message: String| {
            problems.push(Problem { line: line_of(text, at), message, unknown: false });
        };
        let absolute = name.starts_with('/') || name == "~" || name.starts_with("~/");
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("repository: expected a table, like [repository.{name:?}]; ignored");
            problem(value.span().start, message);
            continue;
        };
        if absolute {
            all.extend(keys(text, table, problems).map(|said| (name.to_owned(), said)));
        } else {
            let message =
                format!("repository: expected the path of a folder, from / or ~/, not {name:?}; ignored");
            problem(folder.span().start, message);
        }
    }
    all
}

fn keys(text: &str, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Option<Isolation> {
    let mut said = None;
    for (key, value) in table {
        let (name, at) = (key.get_ref(), key.span().start);
        let mut problem = |at, message, unknown| {
            problems.push(Problem { line: line_of(text, at), message, unknown });
        };
        match &**name {
            "isolation" => match isolation(value.get_ref()) {
                Ok(value) => said = Some(value),
                Err(expected) => {
                    problem(value.span().start, format!("isolation: expected {expected}; ignored"), false);
                }
            },
            _ => problem(at, format!("unknown key {name:?}: ignored"), true),
        }
    }
    said
}

/// `worktree`, `none`; the error is what was expected.
pub(super) fn isolation(value: &DeValue<'_>) -> Result<Isolation, String> {
    match value.as_str() {
        Some("worktree") => Ok(Isolation::Worktree),
        Some("none") => Ok(Isolation::None),
        Some(_) | None => Err("\"worktree\" or \"none\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_users_file_speaks_for_folders() {
        let text = "[repository.'/a']\nisolation = 'none'\n[repository.'~/b']\n[repository.relative]\n\
                    isolation = 'none'\n[repository.'/c']\nisolation = 7\nlater = 1\n";
        let (settings, problems) = Settings::parse(text);
        assert_eq!(settings.repositories, [("/a".to_owned(), Isolation::None)]);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 4: repository: expected the path of a folder, from / or ~/, not \"relative\"; ignored",
                "line 7: isolation: expected \"worktree\" or \"none\"; ignored",
                "line 8: unknown key \"later\": ignored",
            ]
        );
        let (settings, problems) = Settings::parse("repository = 'none'\n");
        assert!(settings.repositories.is_empty() && problems.len() == 1 && !problems[0].unknown);
    }

    #[test]
    fn a_repositorys_file_says_this_one_thing() {
        assert_eq!(parse("isolation = 'none'"), (Some(Isolation::None), Vec::new()));
        assert_eq!(parse(""), (None, Vec::new()));
        let (said, problems) = parse("guard = 'off'\nisolation = 'worktree'\n");
        assert!(said == Some(Isolation::Worktree) && problems.len() == 1 && problems[0].unknown);
        let (said, problems) = parse("isolation = = 1");
        assert!(said.is_none() && problems.len() == 1, "{problems:?}");
    }
}
