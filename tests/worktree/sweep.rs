//! Sweeping by itself: only what nobody wants.

use super::repo::{Repo, precious};
use abide::worktree::sweep::{Sweep, Swept, sweep};
use std::path::Path;
use std::time::SystemTime;

const DAY: u64 = 86_400_000;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after the epoch");
    u64::try_from(since.as_millis()).expect("fits")
}

/// As if that many days had passed.
fn after(repo: &Repo, days: u64, dry_run: bool) -> Swept {
    let how = Sweep {
        precious: &precious(),
        sessions: &[],
        keep_ms: 30 * DAY,
        now_ms: now_ms() + days * DAY,
        dry_run,
    };
    sweep(&repo.repository(), &how).expect("swept")
}

fn names(swept: &Swept) -> Vec<String> {
    swept.removed.iter().map(|(worktree, _)| worktree.name()).collect()
}

#[test]
fn only_what_is_old_empty_and_made_for_a_while_goes() {
    let repo = Repo::new();
    let paths: Vec<_> = ["agent-00000001", "agent-00000002", "fix", "workflow-0000000a", "marked"]
        .iter()
        .map(|n| repo.add(n))
        .collect();
    repo.write(&paths[1], "left", "left behind\n");
    let books = repo.worktree(&paths[4]).books;
    repo.write(&books, "abide.json", r#"{"ephemeral":true,"named":true}"#);
    assert_eq!(names(&after(&repo, 29, false)), Vec::<String>::new());
    let would = after(&repo, 31, true);
    assert_eq!(names(&would), ["agent-00000001", "marked", "workflow-0000000a"]);
    assert!(paths.iter().all(|path| path.exists()));
    let did = after(&repo, 31, false);
    assert_eq!(names(&did), names(&would));
    let spared: Vec<_> = did.spared.iter().map(|(worktree, why)| (worktree.name(), why.join(""))).collect();
    assert_eq!(spared, [("agent-00000002".to_owned(), "1 untracked file: left".to_owned())]);
    assert!(paths[1].exists() && paths[2].exists() && !paths[0].exists());
    assert_eq!(repo.kept().len(), 3);
    assert_eq!(after(&repo, 29, false).forgotten.len(), 0);
    assert_eq!(after(&repo, 31, false).forgotten.len(), 3);
    assert_eq!(repo.kept().len(), 0);
    repo.is_tidy();
}

#[test]
fn the_lock_of_the_dead_is_passed_over_and_no_other() {
    let repo = Repo::new();
    let (dead, alive, foreign) =
        (repo.add("agent-0000000d"), repo.add("agent-0000000a"), repo.add("agent-0000000f"));
    let mut child = std::process::Command::new("true").spawn().expect("a process");
    let pid = child.id();
    let lock =
        |path: &Path, pid| abide::worktree::lock::take(&repo.worktree(path), pid, None).expect("locked");
    assert!(lock(&dead, pid) && lock(&alive, std::process::id()));
    child.wait().expect("ended");
    repo.git(&repo.main, &["worktree", "lock", foreign.to_str().expect("UTF-8")]);
    assert_eq!(names(&after(&repo, 31, false)), ["agent-0000000d"]);
    assert!(alive.exists() && foreign.exists());
}
