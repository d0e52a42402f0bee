//! `kill -9` of the real program, between any two of its system calls: whatever was in the worktree is in it, or comes back.

use super::repo::{Repo, Seen, precious, seen};
use crate::support::{Home, program};
use abide::worktree::sweep::{Sweep, sweep};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Runs it to its end, or up to so many stops at system calls and then kills it; how it ended, and how many there were.
pub(super) fn run_until(command: &mut Command, calls: Option<u32>) -> (ExitStatus, u32) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: one system call between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    #[expect(clippy::zombie_processes, reason = "it is waited for below, as a tracer waits")]
    let child = command.spawn().expect("started");
    let pid = i32::try_from(child.id()).expect("a process id");
    let (mut count, mut status) = (0, 0);
    loop {
        // SAFETY: waits for our own child, which nobody else waits for.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            return (ExitStatus::from_raw(status), count);
        }
        let signal = libc::WSTOPSIG(status);
        let mut passed = 0;
        match signal {
            libc::SIGTRAP if count == 0 => {
                // SAFETY: sets options of a child that is stopped.
                unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, pid, 0, libc::PTRACE_O_TRACESYSGOOD) };
                count = 1;
            }
            // A stop at a system call.
            signal if signal == libc::SIGTRAP | 0x80 => {
                count += 1;
                if calls.is_some_and(|calls| count >= calls) {
                    // SAFETY: our own child, not waited for to its end yet.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                    continue;
                }
            }
            libc::SIGTRAP => {}
            other => passed = other,
        }
        // SAFETY: lets a child go on that is stopped.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, pid, 0, passed) };
    }
}

/// A worktree with all kinds of work.
fn worked_on(repo: &Repo, name: &str) -> PathBuf {
    let path = repo.add(name);
    repo.write(&path, "own", "own\n");
    repo.commit(&path, "own");
    repo.write(&path, "a", "staged\n");
    repo.git(&path, &["add", "a"]);
    repo.write(&path, "a", "changed\n");
    repo.write(&path, "new/er", "new\n");
    repo.write(&path, ".env", "secret\n");
    std::fs::create_dir(path.join("empty")).expect("folder");
    path
}

fn abide(home: &Home, repo: &Repo, args: &[&str]) -> Command {
    let mut command = home.command(program("abide"));
    command.args(args).current_dir(&repo.main);
    command
}

/// What comes next finishes or undoes; then everything is in its place, or comes back to it.
#[track_caller]
fn nothing_is_lost(repo: &Repo, path: &Path, files: &BTreeMap<PathBuf, Seen>, status: &str) {
    let how = Sweep { precious: &precious(), sessions: &[], keep_ms: u64::MAX, now_ms: 0, dry_run: false };
    sweep(&repo.repository(), &how).expect("recovered");
    repo.is_tidy();
    if !path.exists() {
        let kept = repo.kept();
        assert_eq!(kept.len(), 1, "gone, and not kept");
        repo.undelete(&kept[0], None).unwrap_or_else(|e| panic!("{e}"));
    }
    assert_eq!(&seen(path), files);
    assert_eq!(repo.git(path, &["status", "--porcelain=v2", "--branch", "-uall"]), status);
    repo.is_tidy();
}

/// How many kills; the slow tier asks for more.
fn cases() -> u32 {
    std::env::var("ABIDE_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

fn kill_everywhere(first: impl Fn(&Home, &Repo, &Path) -> Vec<String>) {
    let home = Home::new();
    let total = {
        let repo = Repo::new();
        let path = worked_on(&repo, "killed");
        let args = first(&home, &repo, &path);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (status, calls) = run_until(&mut abide(&home, &repo, &args), None);
        assert!(status.success(), "{args:?}: {status}");
        calls
    };
    let config = ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    };
    proptest!(config, |(at in 1..=total)| {
        let repo = Repo::new();
        let path = worked_on(&repo, "killed");
        let files = seen(&path);
        let status = repo.git(&path, &["status", "--porcelain=v2", "--branch", "-uall"]);
        let args = first(&home, &repo, &path);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run_until(&mut abide(&home, &repo, &args), Some(at));
        nothing_is_lost(&repo, &path, &files, &status);
    });
}

#[test]
fn a_removal_that_is_killed_anywhere_loses_nothing() {
    kill_everywhere(|_, _, _| {
        ["worktree", "remove", "killed", "--discard-changes"].map(String::from).to_vec()
    });
}

#[test]
fn an_undelete_that_is_killed_anywhere_loses_nothing() {
    kill_everywhere(|_, repo, path| {
        let id = repo.remove(path, true).expect("removed").kept.id;
        vec!["undelete".to_owned(), id]
    });
}
