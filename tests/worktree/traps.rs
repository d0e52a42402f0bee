//! What others fell into.

use super::repo::{Repo, chmod, seen};
use abide::core::worktree::Refusal;
use abide::worktree::contents::Session;
use abide::worktree::linked::Worktree;
use abide::worktree::remove::RemoveError;
use std::os::unix::fs::symlink;
use std::path::Path;

#[track_caller]
fn is_refused(repo: &Repo, path: &Path, says: &str) {
    let files = seen(path);
    match repo.remove(path, true) {
        Err(RemoveError::Refused(Refusal::Obstacle(what))) => {
            assert!(what.join("; ").contains(says), "{what:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(seen(path), files);
    repo.is_tidy();
}

#[test]
fn links_that_were_committed_lead_nowhere() {
    let repo = Repo::new();
    let outside = repo.around().join("outside");
    repo.write(&outside, "precious", "precious\n");
    symlink(&outside, repo.main.join("out")).expect("link");
    symlink("../../..", repo.main.join("up")).expect("link");
    repo.commit(&repo.main, "links");
    let path = repo.add("links");
    symlink(&outside, path.join("another")).expect("link");
    let id = repo.remove(&path, true).expect("removed").kept.id;
    assert_eq!(std::fs::read_to_string(outside.join("precious")).expect("there"), "precious\n");
    repo.undelete(&id, None).expect("restored");
    assert_eq!(std::fs::read_link(path.join("another")).expect("link"), outside);
}

#[test]
fn a_folder_of_worktrees_that_became_a_link_is_not_followed() {
    let repo = Repo::new();
    let path = repo.add("through");
    let folder = repo.main.join(".abide/worktrees");
    let real = repo.around().join("real");
    std::fs::rename(&folder, &real).expect("moved");
    symlink(&real, &folder).expect("link");
    let before = seen(&real.join("through"));
    assert!(matches!(repo.remove(&path, true), Err(RemoveError::Repository(_))));
    assert_eq!(seen(&real.join("through")), before);
}

#[test]
fn what_took_a_worktrees_place_is_left_alone() {
    let repo = Repo::new();
    let path = repo.add("taken");
    std::fs::remove_dir_all(&path).expect("gone");
    repo.write(&path, "somebody's", "own\n");
    assert!(matches!(repo.remove(&path, true), Err(RemoveError::Broken { .. })));
    std::fs::remove_dir_all(&path).expect("gone");
    repo.git(&repo.main, &["init", "-q", path.to_str().expect("UTF-8")]);
    assert!(matches!(repo.remove(&path, true), Err(RemoveError::Broken { .. })));
    assert!(path.join(".git").is_dir());
    let other = repo.add("other");
    std::fs::remove_dir_all(&path).expect("gone");
    symlink(&other, &path).expect("link");
    assert!(matches!(repo.remove(&path, true), Err(RemoveError::Broken { .. })));
    assert!(other.join("a").exists());
}

#[test]
fn a_worktree_in_a_worktree_keeps_the_outer_one() {
    let repo = Repo::new();
    let outer = repo.add("outer");
    let inner = outer.join("build/inner");
    repo.git(&outer, &["worktree", "add", "-q", "--detach", inner.to_str().expect("UTF-8")]);
    is_refused(&repo, &outer, "worktrees in it: build/inner");
    repo.remove(&inner, false).expect("the inner one");
    repo.remove(&outer, false).expect("then the outer one");
}

#[test]
fn who_is_in_it_keeps_it() {
    let repo = Repo::new();
    let path = repo.add("live");
    let mut child = std::process::Command::new("cat");
    child.stdin(std::process::Stdio::piped()).current_dir(path.join("dir"));
    let mut child = child.spawn().expect("a process");
    is_refused(&repo, &path, &format!("process {} (cat) is in it", child.id()));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let session = Session { id: "7c5dcf5d".into(), name: "x".into(), places: vec![path.join("dir")] };
    let refused = repo.remove_among(&path, true, &[session]).expect_err("a session");
    assert!(matches!(refused, RemoveError::Refused(Refusal::Obstacle(_))));
    repo.git(&path, &["worktree", "lock", path.to_str().expect("UTF-8")]);
    is_refused(&repo, &path, "it is locked");
    repo.git(&path, &["worktree", "unlock", path.to_str().expect("UTF-8")]);
    repo.remove(&path, false).expect("removed");
}

#[test]
fn submodules_with_work_come_back_with_it() {
    let repo = Repo::new();
    let origin = repo.around().join("origin");
    std::fs::create_dir(&origin).expect("folder");
    repo.git(&origin, &["init", "-q", "-b", "main"]);
    repo.write(&origin, "s", "s\n");
    repo.commit(&origin, "s");
    repo.git(&repo.main, &["submodule", "--quiet", "add", origin.to_str().expect("UTF-8"), "sub"]);
    repo.commit(&repo.main, "sub");
    let path = repo.add("sub");
    repo.git(&path, &["submodule", "--quiet", "update", "--init"]);
    assert!(repo.look(&path).is_untouched(), "{:?}", repo.look(&path));
    let sub = path.join("sub");
    repo.write(&sub, "own", "own\n");
    let own = repo.commit(&sub, "own");
    repo.write(&sub, "s", "changed\n");
    assert!(matches!(repo.remove(&path, false), Err(RemoveError::Refused(Refusal::Work(_)))));
    let before = seen(&path);
    let id = repo.remove(&path, true).expect("removed").kept.id;
    let elsewhere = repo.around().join("elsewhere");
    repo.undelete(&id, Some(&elsewhere)).expect("restored");
    assert_eq!(repo.git(&elsewhere.join("sub"), &["rev-parse", "HEAD"]).trim(), own);
    assert_eq!(repo.git(&elsewhere.join("sub"), &["status", "--porcelain"]), " M s\n");
    let id = repo.remove(&elsewhere, true).expect("removed").kept.id;
    repo.undelete(&id, Some(&path)).expect("restored");
    assert_eq!(seen(&path).len(), before.len());
    assert_eq!(repo.git(&sub, &["status", "--porcelain"]), " M s\n");
}

#[test]
fn a_clone_in_it_is_work_with_all_of_its_own() {
    let repo = Repo::new();
    let path = repo.add("clone");
    for place in ["inner", "build/inner"] {
        let inner = path.join(place);
        std::fs::create_dir_all(&inner).expect("folder");
        repo.git(&inner, &["init", "-q"]);
        repo.write(&inner, "x", "x\n");
        repo.commit(&inner, "x");
    }
    assert_eq!(repo.look(&path).repositories.len(), 2);
    assert!(matches!(repo.remove(&path, false), Err(RemoveError::Refused(Refusal::Work(_)))));
    let before = seen(&path);
    let id = repo.remove(&path, true).expect("removed").kept.id;
    repo.undelete(&id, None).expect("restored");
    assert_eq!(seen(&path), before);
    repo.git(&path.join("inner"), &["fsck", "--strict"]);
}

#[test]
fn the_extension_goes_with_the_last_that_needs_it() {
    let repo = Repo::new();
    let (one, two) = (repo.add("one"), repo.add("two"));
    for path in [&one, &two] {
        repo.git(path, &["sparse-checkout", "set", "dir"]);
    }
    let extension = || repo.try_git(&repo.main, &["config", "--get", "extensions.worktreeConfig"]);
    assert!(extension());
    let before = seen(&one);
    let first = repo.remove(&one, false).expect("removed").kept.id;
    assert!(extension());
    repo.remove(&two, false).expect("removed");
    assert!(!extension());
    repo.undelete(&first, None).expect("restored");
    assert!(extension());
    assert_eq!(seen(&one), before);
    assert_eq!(repo.git(&one, &["status", "--porcelain"]), "");
}

#[test]
fn a_bare_repository_and_one_that_was_moved() {
    let repo = Repo::new();
    let bare = repo.around().join("bare.git");
    repo.git(&repo.main, &["clone", "-q", "--bare", ".", bare.to_str().expect("UTF-8")]);
    let path = repo.around().join("of-bare");
    repo.git(&bare, &["worktree", "add", "-q", "-b", "worktree-of-bare", path.to_str().expect("UTF-8")]);
    repo.write(&path, "new", "new\n");
    let repository = abide::worktree::repository::Repository::around(&bare).expect("opened").expect("there");
    let one = || Worktree::all(&repository).expect("worktrees").remove(0);
    let how = |discard| abide::worktree::remove::How { discard, precious: &[], sessions: &[] };
    abide::worktree::remove::remove(&repository, &one(), &how(false)).expect_err("work");
    let removed = abide::worktree::remove::remove(&repository, &one(), &how(true)).expect("removed");
    abide::worktree::restore::undelete(&repository, &removed.kept, None).expect("restored");
    assert_eq!(std::fs::read_to_string(path.join("new")).expect("file"), "new\n");
    let moved = repo.around().join("moved.git");
    std::fs::rename(&bare, &moved).expect("moved");
    let repository = abide::worktree::repository::Repository::around(&moved).expect("opened").expect("there");
    let one = Worktree::all(&repository).expect("worktrees").remove(0);
    let error =
        abide::worktree::remove::remove(&repository, &one, &how(true)).expect_err("not told to be it");
    assert!(error.to_string().contains("git worktree repair"), "{error}");
    repo.git(&moved, &["worktree", "repair", path.to_str().expect("UTF-8")]);
    let one = Worktree::all(&repository).expect("worktrees").remove(0);
    abide::worktree::remove::remove(&repository, &one, &how(true)).expect("removed");
}

#[test]
fn two_thousand_are_listed() {
    let repo = Repo::new();
    let path = repo.add("real");
    let books = repo.worktree(&path).books;
    for n in 0..2_000 {
        let other = books.with_file_name(format!("made-{n}"));
        std::fs::create_dir(&other).expect("books");
        for file in ["HEAD", "commondir"] {
            std::fs::copy(books.join(file), other.join(file)).expect("copied");
        }
        repo.write(&other, "gitdir", format!("{}/made-{n}/.git\n", repo.around().display()));
    }
    assert_eq!(Worktree::all(&repo.repository()).expect("worktrees").len(), 2_001);
    repo.remove(&path, false).expect("one among them");
}

#[test]
fn names_of_all_kinds_and_files_that_cannot_be_written() {
    let repo = Repo::new();
    let path = repo.add("names");
    for name in ["é", "e\u{301}", "README", "readme", "日本", "-rf", "a\nb", " lead", "%s", "$(x)"] {
        repo.write(&path, name, name);
    }
    repo.write(&path, "ro/file", "x\n");
    chmod(&path.join("ro/file"), 0o400);
    chmod(&path.join("ro"), 0o500);
    let before = seen(&path);
    let id = repo.remove(&path, true).expect("removed").kept.id;
    repo.undelete(&id, None).expect("restored");
    assert_eq!(seen(&path), before);
    chmod(&path.join("ro"), 0o700);
}
