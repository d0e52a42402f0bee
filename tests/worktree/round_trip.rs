//! Removing and bringing back: everything is as it was.

use super::repo::{Repo, chmod, modified, seen};
use abide::core::worktree::Refusal;
use abide::worktree::remove::RemoveError;
use abide::worktree::restore::RestoreError;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

/// All that git says of a worktree.
fn said(repo: &Repo, path: &Path) -> String {
    let mut said = String::new();
    for args in [
        &["status", "--porcelain=v2", "--branch", "--untracked-files=all", "--ignored"][..],
        &["ls-files", "--stage", "-v"],
        &["diff", "--cached"],
        &["diff"],
        &["log", "--oneline", "--all", "--exclude=refs/abide/*"],
        &["reflog", "HEAD"],
        &["stash", "list"],
        &["rev-parse", "HEAD", "--abbrev-ref", "HEAD"],
    ] {
        said.push_str(&repo.git(path, args));
    }
    said
}

/// Removes it naming the loss, and brings it back; all of it has to be the same.
#[track_caller]
fn round_trip(repo: &Repo, path: &Path) {
    let (files, words) = (seen(path), said(repo, path));
    let removed = repo.remove(path, true).unwrap_or_else(|e| panic!("{e}: {e:?}"));
    assert!(!path.exists());
    assert!(!repo.git(&repo.main, &["worktree", "list"]).contains(path.to_str().expect("UTF-8")));
    repo.is_tidy();
    repo.git(&repo.main, &["-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now"]);
    let restored = repo.undelete(&removed.kept.id, None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((restored.path.as_path(), restored.renamed, &restored.problems), (path, false, &Vec::new()));
    let back = seen(path);
    for (name, file) in &files {
        assert_eq!(back.get(name), Some(file), "{}", name.display());
    }
    assert_eq!(back.len(), files.len());
    assert_eq!(said(repo, path), words);
    assert_eq!(repo.kept(), Vec::<String>::new());
    repo.is_tidy();
}

#[test]
fn what_is_clean_goes_without_a_word_and_comes_back() {
    let repo = Repo::new();
    let path = repo.add("clean");
    let before = seen(&path);
    let removed = repo.remove(&path, false).expect("removed");
    assert_eq!((removed.branch.as_deref(), &removed.left), (Some("worktree-clean"), &None));
    assert!(removed.contents.is_untouched() && !path.exists());
    assert!(!repo.try_git(&repo.main, &["rev-parse", "--verify", "-q", "worktree-clean"]));
    assert!(!repo.main.join(".git/worktrees").exists());
    assert_eq!(repo.kept(), std::slice::from_ref(&removed.kept.id));
    let restored = repo.undelete("clean", None).expect("by its name");
    assert_eq!(restored.branch.as_deref(), Some("worktree-clean"));
    assert_eq!(seen(&path), before);
    assert_eq!(repo.git(&path, &["status", "--porcelain"]), "");
    repo.is_tidy();
}

#[test]
fn all_kinds_of_work_come_back_as_they_were() {
    let repo = Repo::new();
    let path = repo.add("work");
    repo.write(&path, "committed", "own\n");
    repo.commit(&path, "a commit of its own");
    repo.write(&path, "a", "staged\n");
    repo.git(&path, &["add", "a"]);
    repo.write(&path, "a", "staged, and changed again\n");
    std::fs::remove_file(path.join("dir/b")).expect("deleted");
    chmod(&path.join("program"), 0o640);
    repo.write(&path, "new/staged", "new\n");
    repo.git(&path, &["add", "new/staged"]);
    repo.write(&path, "meant", "only meant to be added\n");
    repo.git(&path, &["add", "--intent-to-add", "meant"]);
    repo.write(&path, "un/tracked", "untracked\n");
    repo.write(&path, Path::new(OsStr::from_bytes(b"bytes \xff\xfe\n'\"\\")), b"\0\xff");
    repo.write(&path, "un/.git/x", "no repository\n");
    repo.write(&path, "secret", "closed\n");
    chmod(&path.join("secret"), 0o600);
    repo.write(&path, ".env", "TOKEN=1\n");
    repo.write(&path, "build/deep/x.local", "precious\n");
    symlink("/nowhere", path.join("link")).expect("link");
    symlink(&repo.main, path.join("to-main")).expect("link");
    std::fs::create_dir_all(path.join("empty/er")).expect("folder");
    nix::unistd::mkfifo(&path.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("pipe");
    repo.write(&path, "closed/file", "in a read-only folder\n");
    chmod(&path.join("closed"), 0o555);
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    let file = std::fs::File::options().write(true).open(path.join("un/tracked")).expect("open");
    file.set_modified(long_ago).expect("time");
    let refused = repo.remove(&path, false).expect_err("refused");
    let RemoveError::Refused(Refusal::Work(what)) = &refused else { panic!("{refused:?}") };
    let what = what.join("\n");
    for part in ["staged change", "changes: ", "untracked files: ", ".env", "x.local", "1 commit"] {
        assert!(what.contains(part), "{part:?} is not in {what}");
    }
    assert_eq!(repo.kept(), Vec::<String>::new());
    round_trip(&repo, &path);
    assert_eq!(modified(&path.join("un/tracked")), (1_000_000_000, 123_456_789));
    chmod(&path.join("closed"), 0o755);
}

#[test]
fn an_unfinished_merge_comes_back_unfinished() {
    let repo = Repo::new();
    let path = repo.add("torn");
    repo.write(&repo.main, "a", "one\nMAIN\nthree\n");
    repo.commit(&repo.main, "theirs");
    repo.write(&path, "a", "one\nOURS\nthree\n");
    repo.commit(&path, "ours");
    assert!(!repo.try_git(&path, &["merge", "main"]));
    let contents = repo.look(&path);
    assert_eq!(contents.operation.map(|o| o.name()), Some("merge"));
    assert_eq!(contents.conflicted.len(), 1);
    round_trip(&repo, &path);
    assert!(repo.git(&path, &["ls-files", "-u"]).lines().count() == 3);
    repo.write(&path, "a", "one\nBOTH\nthree\n");
    repo.git(&path, &["add", "a"]);
    repo.git(&path, &["commit", "-q", "--no-edit"]);
    assert_eq!(repo.git(&path, &["rev-list", "--count", "--merges", "HEAD"]), "1\n");
}

#[test]
fn an_unfinished_rebase_goes_on_where_it_was() {
    let repo = Repo::new();
    let path = repo.add("based");
    repo.write(&repo.main, "a", "one\nMAIN\nthree\n");
    repo.commit(&repo.main, "theirs");
    for n in 0..3 {
        repo.write(&path, "a", format!("one\nOURS {n}\nthree\n"));
        repo.commit(&path, &format!("ours {n}"));
    }
    assert!(!repo.try_git(&path, &["rebase", "main"]));
    let contents = repo.look(&path);
    assert_eq!(contents.operation.map(|o| o.name()), Some("rebase"));
    round_trip(&repo, &path);
    repo.git(&path, &["rebase", "--abort"]);
    assert_eq!(repo.git(&path, &["rev-parse", "--abbrev-ref", "HEAD"]), "worktree-based\n");
    assert_eq!(std::fs::read_to_string(path.join("a")).expect("file"), "one\nOURS 2\nthree\n");
}

#[test]
fn commits_that_only_a_log_knows_come_back() {
    let repo = Repo::new();
    let path = repo.add("logged");
    repo.write(&path, "dropped", "dropped\n");
    let dropped = repo.commit(&path, "dropped");
    repo.git(&path, &["reset", "-q", "--hard", "HEAD~1"]);
    repo.git(&path, &["checkout", "-q", "--detach"]);
    repo.write(&path, "detached", "detached\n");
    repo.commit(&path, "detached");
    assert_eq!(repo.look(&path).commits.len(), 1);
    round_trip(&repo, &path);
    assert_eq!(repo.git(&path, &["show", &format!("{dropped}:dropped")]), "dropped\n");
}

#[test]
fn files_under_conversion_come_back_byte_for_byte() {
    let repo = Repo::new();
    repo.write(&repo.main, ".gitattributes", "*.txt text\n*.up filter=up\nident ident\n");
    repo.write(&repo.main, "crlf.txt", "a\r\nb\r\n");
    repo.write(&repo.main, "x.up", "STORED");
    repo.write(&repo.main, "ident", "$Id$\n");
    repo.git(&repo.main, &["config", "filter.up.clean", "tr a-z A-Z"]);
    repo.git(&repo.main, &["config", "filter.up.smudge", "tr A-Z a-z"]);
    repo.commit(&repo.main, "attributes");
    let path = repo.add("converted");
    repo.write(&path, "crlf.txt", "a\r\nb\n");
    repo.git(&path, &["add", "crlf.txt"]);
    assert_eq!(repo.git(&path, &["status", "--porcelain"]), "");
    assert!(repo.look(&path).is_untouched(), "{:?}", repo.look(&path));
    assert_eq!(std::fs::read(path.join("x.up")).expect("file"), b"stored");
    round_trip(&repo, &path);
    assert_eq!(std::fs::read(path.join("crlf.txt")).expect("file"), b"a\r\nb\n");
}

#[test]
fn nothing_is_overwritten_and_another_place_will_do() {
    let repo = Repo::new();
    let path = repo.add("moved");
    repo.write(&path, "new", "new\n");
    let files = seen(&path);
    let id = repo.remove(&path, true).expect("removed").kept.id;
    std::fs::create_dir(&path).expect("taken");
    assert!(matches!(repo.undelete(&id, None), Err(RestoreError::Taken(at)) if at == path));
    repo.is_tidy();
    let other = repo.around().join("deep/elsewhere");
    let restored = repo.undelete(&id, Some(&other)).expect("restored");
    assert_eq!(restored.path, other);
    assert_eq!(seen(&other), files);
    assert_eq!(repo.git(&other, &["status", "--porcelain"]), "?? new\n");
}

#[test]
fn a_branch_that_moved_on_stays_and_another_one_comes_back() {
    let repo = Repo::new();
    let path = repo.add("on");
    repo.write(&path, "own", "own\n");
    let own = repo.commit(&path, "own");
    let id = repo.remove(&path, true).expect("removed").kept.id;
    repo.git(&repo.main, &["branch", "worktree-on", "main"]);
    let restored = repo.undelete(&id, None).expect("restored");
    assert!(restored.renamed);
    assert_eq!(restored.branch, Some(format!("worktree-on-{id}")));
    assert_eq!(repo.git(&path, &["rev-parse", "HEAD"]).trim(), own);
    assert_eq!(repo.git(&path, &["status", "--porcelain"]), "");
    assert_ne!(repo.git(&repo.main, &["rev-parse", "worktree-on"]).trim(), own);
}

#[test]
fn the_name_may_have_been_given_again() {
    let repo = Repo::new();
    let path = repo.add("twice");
    repo.write(&path, "first", "first\n");
    let first = repo.remove(&path, true).expect("removed").kept.id;
    let path = repo.add("twice");
    repo.write(&path, "second", "second\n");
    let elsewhere = repo.around().join("first");
    repo.undelete(&first, Some(&elsewhere)).expect("restored");
    assert!(elsewhere.join("first").exists() && path.join("second").exists());
    let second = repo.remove(&path, true).expect("removed").kept.id;
    let again = repo.remove(&elsewhere, true).expect("removed again").kept.id;
    repo.undelete(&second, None).expect("the second");
    repo.undelete(&again, None).expect("an undelete of an undelete");
    assert!(elsewhere.join("first").exists() && path.join("second").exists());
    repo.is_tidy();
}

#[test]
fn one_whose_folder_is_gone_is_removed_with_what_is_left() {
    let repo = Repo::new();
    let path = repo.add("gone");
    repo.write(&path, "staged", "staged\n");
    repo.git(&path, &["add", "staged"]);
    std::fs::remove_dir_all(&path).expect("somebody removed it");
    assert!(matches!(repo.remove(&path, false), Err(RemoveError::Refused(Refusal::Work(_)))));
    let removed = repo.remove(&path, true).expect("removed");
    assert!(!repo.main.join(".git/worktrees").exists());
    repo.is_tidy();
    repo.undelete(&removed.kept.id, None).expect("restored");
    assert_eq!(repo.git(&path, &["status", "--porcelain"]), "A  staged\n");
}
