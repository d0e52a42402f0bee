//! What the git program says of a worktree, read with suspicion.
//!
//! Git itself is asked what changed, not libgit2: it applies the user's filters (LFS), it knows split and sparse
//! indexes, and its answer is the one that the user sees.

use git2::Oid;
use std::collections::BTreeSet;
use std::path::Path;

use super::git::{Git, GitError, Trust};

/// What `git status` lists, by paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// Differ between commit and index.
    pub(super) staged: Vec<Vec<u8>>,
    /// Differ between index and files.
    pub(super) unstaged: Vec<Vec<u8>>,
    pub(super) unmerged: Vec<Vec<u8>>,
    /// Ignored files, and folders with a `/` at the end.
    pub(super) ignored: Vec<Vec<u8>>,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    /// As in a tree: `0o100644`, `0o100755`, `0o120000`, `0o160000`.
    pub(super) mode: u32,
    pub(super) id: Oid,
    /// 0, or 1 to 3 of what is unmerged.
    pub(super) stage: u8,
    /// Git was told not to look at its file.
    pub(super) unwatched: bool,
}

/// What git said cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("git {command} says something unexpected: {line:?}")]
pub(super) struct Unexpected {
    command: &'static str,
    line: String,
}

impl Unexpected {
    fn of(command: &'static str, line: &[u8]) -> Self {
        Self { command, line: crate::core::naming::printable(&String::from_utf8_lossy(line), 80) }
    }
}

/// Why git cannot say.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotSay {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// A run of git about a worktree with this git folder, and about no other: where that is broken, git would otherwise go
/// on to the repository around it, and speak of that.
pub(super) fn git(folder: &Path, git_folder: &Path) -> Git {
    let git = Git::within(folder, Trust::Untrusted);
    let mut pinned = std::ffi::OsString::from("--git-dir=");
    pinned.push(git_folder);
    let mut tree = std::ffi::OsString::from("--work-tree=");
    tree.push(folder);
    // What traces it would look like a complaint.
    git.env("GIT_TRACE", "0").args([pinned, tree])
}

/// Asks for the status. `own`: of the files that are its own, and of submodules in every detail.
pub(super) fn status(folder: &Path, git_folder: &Path) -> Result<Status, CannotSay> {
    let git = git(folder, git_folder);
    // Whatever the user turned off to be faster is looked at all the same. A cache of what is untracked is no proof.
    let git = git.args(["-c", "core.trustctime=true", "-c", "core.checkStat=default"]);
    let git = git.args(["-c", "core.untrackedCache=false", "-c", "core.safecrlf=false"]);
    let git = git.args(["status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=all"]);
    let git = git.args(["--ignored=matching", "--ignore-submodules=none"]);
    Ok(parse_status(&git.run_without_a_word()?)?)
}

/// Asks for the index.
pub(super) fn index(folder: &Path, git_folder: &Path) -> Result<Vec<Entry>, CannotSay> {
    let git = git(folder, git_folder).args(["ls-files", "-z", "--stage", "-v"]);
    Ok(parse_index(&git.run_without_a_word()?)?)
}

/// Asks for the files that are not in the index and match one of these patterns, of which a later one decides.
pub(super) fn matching(
    folder: &Path,
    git_folder: &Path,
    patterns: &[String],
) -> Result<Vec<Vec<u8>>, CannotSay> {
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let git = git(folder, git_folder).args(["ls-files", "-z", "--others", "--ignored"]);
    let git = git.args(patterns.iter().map(|pattern| format!("--exclude={pattern}")));
    let said = git.run_without_a_word()?;
    Ok(records(&said).map(<[u8]>::to_vec).collect())
}

/// Asks which files of an index have a filter or another encoding.
pub(super) fn filtered(
    folder: &Path,
    git_folder: &Path,
    index: &[Entry],
) -> Result<BTreeSet<Vec<u8>>, CannotSay> {
    let mut paths = Vec::new();
    for entry in index {
        paths.extend_from_slice(&entry.path);
        paths.push(0);
    }
    let git =
        git(folder, git_folder).args(["check-attr", "-z", "--stdin", "filter", "working-tree-encoding"]);
    Ok(parse_attributes(&git.input(paths).run_without_a_word()?))
}

/// Asks for the paths that are staged where there are no files.
pub(super) fn staged(git_folder: &Path) -> Result<Vec<Vec<u8>>, CannotSay> {
    let mut pinned = std::ffi::OsString::from("--git-dir=");
    pinned.push(git_folder);
    let git = Git::within(git_folder, Trust::Untrusted).env("GIT_TRACE", "0").args([pinned]);
    let git = git.args(["diff-index", "--cached", "--name-only", "-z", "HEAD"]);
    Ok(records(&git.run_without_a_word()?).map(<[u8]>::to_vec).collect())
}

/// Asks for the files that are neither in the index nor ignored, and for folders that are repositories, with a `/` at
/// the end.
pub(super) fn untracked(folder: &Path, git_folder: &Path) -> Result<Vec<Vec<u8>>, CannotSay> {
    let git = git(folder, git_folder).args(["ls-files", "-z", "--others", "--exclude-standard"]);
    Ok(records(&git.run_without_a_word()?).map(<[u8]>::to_vec).collect())
}

fn records(said: &[u8]) -> impl Iterator<Item = &[u8]> {
    said.split(|b| *b == 0).filter(|record| !record.is_empty())
}

/// The rest behind so many fields, each ended by a space.
fn after(line: &[u8], fields: usize) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..fields {
        let end = rest.iter().position(|b| *b == b' ')?;
        rest = rest.get(end + 1..)?;
    }
    Some(rest).filter(|rest| !rest.is_empty())
}

fn parse_status(said: &[u8]) -> Result<Status, Unexpected> {
    let mut status = Status::default();
    for line in records(said) {
        let unexpected = || Unexpected::of("status", line);
        match line {
            [b'1', b' ', x, y, b' ', ..] => {
                let path = after(line, 8).ok_or_else(unexpected)?;
                if *x != b'.' {
                    status.staged.push(path.to_vec());
                }
                if *y != b'.' {
                    status.unstaged.push(path.to_vec());
                }
            }
            [b'u', b' ', ..] => status.unmerged.push(after(line, 10).ok_or_else(unexpected)?.to_vec()),
            // What is untracked is found by looking: git leaves out some of it.
            [b'?', b' ', _, ..] | [b'#', b' ', ..] => {}
            [b'!', b' ', path @ ..] if !path.is_empty() => status.ignored.push(path.to_vec()),
            _ => return Err(unexpected()),
        }
    }
    Ok(status)
}

/// Reads what `git check-attr -z` says.
fn parse_attributes(said: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut fields = said.split(|b| *b == 0);
    let mut found = BTreeSet::new();
    while let (Some(path), Some(_name), Some(value)) = (fields.next(), fields.next(), fields.next()) {
        if !matches!(value, b"unspecified" | b"unset") {
            found.insert(path.to_vec());
        }
    }
    found
}

fn parse_index(said: &[u8]) -> Result<Vec<Entry>, Unexpected> {
    let entry = |line: &[u8]| {
        // `H 100644 <id> 0<tab>path`
        let tab = line.iter().position(|b| *b == b'\t')?;
        let fields = std::str::from_utf8(line.get(..tab)?).ok()?;
        let mut fields = fields.split(' ');
        let (tag, mode, id, stage) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let path = line.get(tab + 1..)?;
        let known = matches!(mode, "100644" | "100755" | "120000" | "160000");
        let stage = stage.parse().ok().filter(|stage| *stage <= 3)?;
        (known && fields.next().is_none() && !path.is_empty()).then_some(())?;
        Some(Entry {
            path: path.to_vec(),
            mode: u32::from_str_radix(mode, 8).ok()?,
            id: Oid::from_str(id).ok().filter(|_| id.len() == 40)?,
            stage,
            unwatched: tag != "H" && tag != "M",
        })
    };
    records(said).map(|line| entry(line).ok_or_else(|| Unexpected::of("ls-files", line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    #[test]
    fn each_kind_of_change_is_told() {
        let said = format!(
            "# branch.oid (initial)\0\
             1 A. N... 000000 100644 100644 {ID} {ID} added\0\
             1 .M N... 100644 100644 100644 {ID} {ID} with space\0\
             1 MD N... 100644 100644 000000 {ID} {ID} both\0\
             1 .M S..U 160000 160000 160000 {ID} {ID} sub\0\
             u UU N... 100644 100644 100644 100644 {ID} {ID} {ID} torn\0\
             ? new\0! build/\0! a.o\0"
        );
        let status = parse_status(said.as_bytes()).expect("a status");
        let paths = |paths: &[&str]| paths.iter().map(|p| p.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(status.staged, paths(&["added", "both"]));
        assert_eq!(status.unstaged, paths(&["with space", "both", "sub"]));
        assert_eq!(status.unmerged, paths(&["torn"]));
        assert_eq!(status.ignored, paths(&["build/", "a.o"]));
        for bad in ["1 .M N... 100644", "2 R. x", "u UU", "! ", "x", "?"] {
            assert!(parse_status(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_index_is_read_entry_by_entry() {
        let said =
            format!("H 100644 {ID} 0\ta\tb\0M 100755 {ID} 2\ttorn\0h 120000 {ID} 0\tl\0S 100644 {ID} 0\ts\0");
        let entries = parse_index(said.as_bytes()).expect("an index");
        let seen: Vec<_> =
            entries.iter().map(|e| (e.path.as_slice(), e.mode, e.stage, e.unwatched)).collect();
        assert_eq!(
            seen,
            [
                (&b"a\tb"[..], 0o100_644, 0, false),
                (b"torn", 0o100_755, 2, false),
                (b"l", 0o120_000, 0, true),
                (b"s", 0o100_644, 0, true)
            ]
        );
        let bad = [
            format!("H 100644 {ID} 4\tx"),
            format!("H 40000 {ID} 0\tx"),
            format!("H 100644 {ID} 0\t"),
            format!("H 100644 {ID} 0 0\tx"),
            "H 100644 ce01 0\tx".to_owned(),
            "x".to_owned(),
        ];
        for bad in bad {
            assert!(parse_index(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_and_encodings_are_told_from_none() {
        let said = b"a\0filter\0lfs\0a\0working-tree-encoding\0unspecified\0b\0filter\0unset\0\
                     c\0working-tree-encoding\0UTF-16\0";
        assert_eq!(parse_attributes(said).into_iter().collect::<Vec<_>>(), [b"a".to_vec(), b"c".to_vec()]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(said: Vec<u8>) {
            let _ = parse_status(&said);
            let _ = parse_index(&said);
            let _ = parse_attributes(&said);
        }
    }
}
