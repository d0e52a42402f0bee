//! What is in a worktree, and which of its commits are nowhere else.

use super::repo::Repo;
use abide::core::worktree::{Hold, Holder, Occupant};
use abide::worktree::lock;
use std::path::{Path, PathBuf};

/// `NAME` with one commit: `a` changed, `own` new.
fn with_commit(repo: &Repo, name: &str) -> PathBuf {
    let path = repo.add(name);
    repo.write(&path, "a", "one\nTWO\nthree\n");
    repo.write(&path, "own", "own\n");
    repo.commit(&path, "its own");
    path
}

fn own(repo: &Repo, path: &Path) -> usize {
    let contents = repo.look(path);
    assert_eq!(contents.unknown, Vec::<String>::new());
    contents.commits.len()
}

#[test]
fn nothing_is_in_a_fresh_one() {
    let repo = Repo::new();
    let path = repo.add("fresh");
    repo.write(&path, "build/x", "ignored");
    repo.write(&path, "y.o", "ignored");
    let contents = repo.look(&path);
    assert!(contents.is_untouched() && contents.obstacles().is_empty(), "{contents:?}");
}

#[test]
fn a_commit_is_elsewhere_when_a_ref_has_it() {
    let repo = Repo::new();
    let path = with_commit(&repo, "own");
    assert_eq!(own(&repo, &path), 1);
    repo.git(&path, &["tag", "t"]);
    assert_eq!(own(&repo, &path), 0);
    repo.git(&path, &["tag", "-d", "t"]);
    repo.git(&path, &["branch", "other"]);
    assert_eq!(own(&repo, &path), 0);
    repo.git(&path, &["branch", "-D", "other"]);
    let remote = repo.around().join("remote.git");
    repo.git(&repo.main, &["clone", "-q", "--bare", ".", remote.to_str().expect("UTF-8")]);
    repo.git(&repo.main, &["remote", "add", "origin", remote.to_str().expect("UTF-8")]);
    repo.git(&path, &["push", "-q", "origin", "HEAD"]);
    assert_eq!(own(&repo, &path), 0);
    repo.git(&path, &["push", "-q", "origin", ":worktree-own"]);
    assert_eq!(own(&repo, &path), 1);
}

#[test]
fn a_squashed_merge_is_merged_also_when_the_default_branch_goes_on() {
    let repo = Repo::new();
    let path = with_commit(&repo, "squash");
    repo.write(&path, "own", "own, changed\n");
    repo.commit(&path, "and again");
    assert_eq!(own(&repo, &path), 2);
    repo.git(&repo.main, &["merge", "-q", "--squash", "worktree-squash"]);
    repo.git(&repo.main, &["commit", "-q", "-m", "squashed"]);
    assert_eq!(own(&repo, &path), 0);
    repo.write(&repo.main, "a", "zero\none\nTWO\nthree\n");
    repo.commit(&repo.main, "beside it");
    assert_eq!(own(&repo, &path), 0);
    repo.write(&repo.main, "own", "rewritten\n");
    repo.write(&repo.main, "a", "rewritten\n");
    repo.commit(&repo.main, "over it");
    assert_eq!(own(&repo, &path), 0);
    repo.write(&path, "late", "late\n");
    repo.commit(&path, "not merged");
    assert!(own(&repo, &path) > 0);
}

#[test]
fn a_squash_onto_a_default_branch_that_went_on_is_found_by_its_patch() {
    let repo = Repo::new();
    repo.write(&repo.main, "long", (0..40).map(|n| format!("line {n}\n")).collect::<String>());
    repo.commit(&repo.main, "long");
    let path = repo.add("patch");
    let change = |folder: &Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.join("long")).expect("file");
        repo.write(folder, "long", text.replace(from, to));
    };
    change(&path, "line 30\n", "LINE 30\n");
    repo.commit(&path, "ours");
    change(&repo.main, "line 3\n", "LINE 3\n");
    repo.commit(&repo.main, "theirs");
    repo.git(&repo.main, &["merge", "-q", "--squash", "worktree-patch"]);
    repo.git(&repo.main, &["commit", "-q", "-m", "squashed"]);
    change(&repo.main, "LINE 30\n", "something else\n");
    repo.commit(&repo.main, "over it");
    assert_eq!(own(&repo, &path), 0);
}

#[test]
fn rebased_commits_are_merged_each_by_itself() {
    let repo = Repo::new();
    let path = with_commit(&repo, "rebase");
    repo.write(&path, "second", "second\n");
    repo.commit(&path, "second");
    repo.write(&repo.main, "beside", "beside\n");
    repo.commit(&repo.main, "beside");
    repo.git(&repo.main, &["cherry-pick", "worktree-rebase~1"]);
    repo.write(&repo.main, "own", "over it\n");
    repo.commit(&repo.main, "over it");
    let contents = repo.look(&path);
    assert_eq!(contents.commits.iter().map(|c| c.summary.as_str()).collect::<Vec<_>>(), ["second"]);
}

#[test]
fn what_was_merged_and_taken_back_by_hand_is_in_the_history() {
    let repo = Repo::new();
    let path = with_commit(&repo, "back");
    repo.git(&repo.main, &["merge", "-q", "--squash", "worktree-back"]);
    let squashed = repo.commit(&repo.main, "squashed");
    repo.git(&repo.main, &["revert", "--no-edit", &squashed]);
    assert_eq!(own(&repo, &path), 0);
}

#[test]
fn nothing_that_only_looks_merged_is() {
    let repo = Repo::new();
    let path = repo.add("net");
    repo.write(&path, "came", "came and went\n");
    repo.commit(&path, "came");
    repo.git(&path, &["rm", "-q", "came"]);
    repo.git(&path, &["commit", "-q", "-m", "went"]);
    assert_eq!(own(&repo, &path), 2, "together they change nothing, and what they hold is nowhere else");
    let other = repo.add("message");
    repo.git(&other, &["commit", "-q", "--allow-empty", "-m", "only a message"]);
    repo.git(&repo.main, &["commit", "-q", "--allow-empty", "-m", "another message"]);
    assert_eq!(own(&repo, &other), 1);
    let binary = repo.add("binary");
    repo.write(&binary, "image", b"\0\x01\x02");
    repo.commit(&binary, "image");
    repo.write(&repo.main, "image", b"\0\x03\x04");
    repo.commit(&repo.main, "another image");
    assert_eq!(own(&repo, &binary), 1);
    let white = repo.add("white");
    repo.write(&white, "a", "one\n  two\nthree\n");
    repo.commit(&white, "indented");
    repo.write(&repo.main, "a", "one\ntwo \nthree\n");
    repo.commit(&repo.main, "another blank");
    assert_eq!(own(&repo, &white), 1);
}

#[test]
fn stashes_belong_to_a_branch() {
    let repo = Repo::new();
    let (path, other) = (repo.add("mine"), repo.add("other"));
    repo.write(&path, "a", "stashed\n");
    repo.git(&path, &["stash", "-q"]);
    assert_eq!(repo.look(&path).stashes.len(), 1);
    assert_eq!(repo.look(&other).stashes.len(), 0);
    assert!(repo.look(&path).is_untouched());
    repo.git(&path, &["checkout", "-q", "--detach"]);
    repo.write(&path, "b", "b\n");
    repo.commit(&path, "detached");
    repo.write(&path, "a", "stashed again\n");
    repo.git(&path, &["stash", "-q"]);
    assert_eq!(repo.look(&path).stashes.len(), 1);
    assert_eq!(repo.look(&other).stashes.len(), 0);
}

#[test]
fn what_git_is_told_not_to_look_at_is_looked_at() {
    let repo = Repo::new();
    let path = repo.add("hidden");
    repo.git(&path, &["update-index", "--assume-unchanged", "a"]);
    repo.git(&path, &["update-index", "--skip-worktree", "dir/b"]);
    assert!(repo.look(&path).is_untouched());
    repo.write(&path, "a", "changed\n");
    repo.write(&path, "dir/b", "changed\n");
    repo.write(&path, "sub/.git/file", "in no repository\n");
    repo.write(&path, "other/.git", "no link\n");
    assert_eq!(repo.git(&path, &["status", "--porcelain"]), "");
    let contents = repo.look(&path);
    let text = |texts: &[abide::core::text::Text]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text(&contents.unwatched), ["a", "dir/b"]);
    assert_eq!(contents.repositories.len(), 1, "{contents:?}");
    assert_eq!(text(&contents.untracked), ["other/.git"]);
}

#[test]
fn who_is_in_it_and_whose_lock_it_has_is_told() {
    let repo = Repo::new();
    let path = repo.add("live");
    std::fs::create_dir(path.join("deep")).expect("folder");
    let mut child = std::process::Command::new("cat");
    child.stdin(std::process::Stdio::piped()).current_dir(path.join("deep"));
    let mut child = child.spawn().expect("a process");
    let process = Occupant::Process { pid: child.id(), name: "cat".into(), has: Hold::Directory };
    assert_eq!(repo.look(&path).occupants, [process]);
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(repo.look(&path).occupants, []);
    repo.git(&path, &["worktree", "lock", "--reason", "on a stick", path.to_str().expect("UTF-8")]);
    let lock = repo.look(&path).lock.expect("locked");
    assert_eq!((lock.reason.to_string().as_str(), lock.holder), ("on a stick", Holder::Somebody));
    repo.git(&path, &["worktree", "unlock", path.to_str().expect("UTF-8")]);
    assert!(lock::take(&repo.worktree(&path), std::process::id(), None).expect("locked"));
    let lock = repo.look(&path).lock.expect("locked");
    assert_eq!(lock.holder, Holder::Ours { pid: std::process::id(), session: None, alive: true });
    let listed = repo.git(&path, &["worktree", "list", "--porcelain"]);
    assert!(listed.contains("locked in use by abide"), "{listed}");
}
