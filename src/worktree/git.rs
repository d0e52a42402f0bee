//! The git program: for what it does better than a library. It checks out large trees with several threads and through
//! the user's filters (LFS among them), and it fetches with the user's own credentials.
//!
//! It is started so that nothing of its caller's surroundings redirects it, and nothing that a repository brings is
//! executed unless the caller says that this repository is trusted.

use git2::Oid;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Bytes of output that are kept, at most: more than any list of a repository's.
const OUTPUT: u64 = 256 << 20;
/// Bytes of a complaint that are shown.
const COMPLAINT: u64 = 16 << 10;

/// Variables by which git is told where it is, or to run something. All of the family go, and these alone come back,
/// since they are the user's own ways of reaching a server.
const KEPT: &[&str] = &[
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_NO_VERIFY",
    "GIT_PROXY_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_TRACE",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
];

/// A run of git.
#[derive(Debug)]
pub struct Git {
    command: Command,
    /// For messages.
    words: String,
    within: Option<Duration>,
    input: Option<Vec<u8>>,
    output: Option<File>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It cannot be started.
    #[error("cannot run git: {0}: install it, or put it into PATH")]
    Start(io::Error),
    /// It failed.
    #[error("git {words}: {complaint}")]
    Failed {
        /// What it was asked for.
        words: String,
        /// What it said, or its exit status.
        complaint: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long, and was ended.
    #[error("git {words} did not answer within {seconds} s")]
    Late {
        /// What it was asked for.
        words: String,
        /// The limit.
        seconds: u64,
    },
    /// It says more than any repository has to say.
    #[error("git {words} says more than {OUTPUT} bytes")]
    Flood {
        /// What it was asked for.
        words: String,
    },
}

/// What may be executed that a repository brings: its hooks, its file system monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nothing.
    Untrusted,
    /// What the user has trusted.
    Trusted,
}

impl Git {
    /// `git -C folder …`, for as long as it takes.
    pub fn within(folder: &Path, trust: Trust) -> Self {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !KEPT.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        // Messages are shown to people, and read by nobody; a question has nobody to answer it.
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
        command.arg("-C").arg(folder).args(["-c", "core.quotePath=false"]);
        command.env("GIT_LITERAL_PATHSPECS", "1");
        // A pager or a background collection of garbage would outlive the call.
        command.args(["--no-pager", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
        if trust == Trust::Untrusted {
            command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
        }
        Self { command, words: String::new(), within: None, input: None, output: None }
    }

    /// Leaves it to the command how it takes paths, where it cannot be told to take them as they are (`check-ignore`).
    pub fn any_paths(mut self) -> Self {
        self.command.env("GIT_LITERAL_PATHSPECS", "0");
        self
    }

    /// Ends it when it takes longer than this.
    pub fn limit(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// Adds arguments. Names from elsewhere go behind a `--`, or are full names (`refs/…`), so that none is an option.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            let arg = arg.as_ref();
            if !self.words.is_empty() {
                self.words.push(' ');
            }
            self.words.push_str(&arg.to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Gives it something to read: lists of any length go this way, where a command line has an end.
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it; what it said on standard output.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn run(self) -> Result<Vec<u8>, GitError> {
        self.run_whole().map(|(said, _)| said)
    }

    /// As [`Git::run`], where a warning is as good as a failure: git passes over what it cannot look at, with one.
    ///
    /// # Errors
    /// [`GitError`]; also where it succeeded and complained.
    pub fn run_without_a_word(self) -> Result<Vec<u8>, GitError> {
        let words = short(&self.words);
        let (said, (complaint, status)) = self.run_whole()?;
        if complaint.is_empty() { Ok(said) } else { Err(GitError::Failed { words, complaint, status }) }
    }

    /// Runs it; what it says goes into a file.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn run_into(mut self, file: File) -> Result<(), GitError> {
        self.output = Some(file);
        self.run_whole().map(drop)
    }

    /// Its output, its complaint and its end.
    fn run_whole(self) -> Result<(Vec<u8>, (String, ExitStatus)), GitError> {
        let Self { mut command, words, within, input, output } = self;
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        command.stdout(output.map_or_else(Stdio::piped, Stdio::from)).stderr(Stdio::piped());
        if within.is_some() {
            // What is ended when it is late is all of it: git starts others, and they have its pipes.
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(GitError::Start)?;
        if let Some((bytes, mut pipe)) = input.zip(child.stdin.take()) {
            // One that reads no further has said what it thinks of it. The thread ends with git, however that ends.
            std::thread::spawn(move || _ = pipe.write_all(&bytes));
        }
        let (done, finished) = mpsc::channel();
        let read = |pipe: Option<Box<dyn Read + Send>>, most: u64| {
            let done = done.clone();
            std::thread::spawn(move || {
                let mut said = Vec::new();
                let read = pipe.map_or(Ok(0), |pipe| pipe.take(most + 1).read_to_end(&mut said));
                // Nobody listens any more where it was late.
                _ = done.send(());
                read.map(|_| said)
            })
        };
        let out = read(child.stdout.take().map(|p| Box::new(p) as _), OUTPUT);
        let err = read(child.stderr.take().map(|p| Box::new(p) as _), COMPLAINT);
        if let Some(within) = within {
            for _ in 0..2 {
                if finished.recv_timeout(within).is_err() {
                    end(&mut child, true);
                    return Err(GitError::Late { words: short(&words), seconds: within.as_secs() });
                }
            }
        }
        let said = out.join().unwrap_or_else(|_| Ok(Vec::new())).map_err(GitError::Start)?;
        if said.len() as u64 > OUTPUT {
            end(&mut child, within.is_some());
            return Err(GitError::Flood { words: short(&words) });
        }
        let complaint = err.join().unwrap_or_else(|_| Ok(Vec::new())).map_err(GitError::Start)?;
        let status = child.wait().map_err(GitError::Start)?;
        let complaint = String::from_utf8_lossy(&complaint);
        let lines: Vec<&str> = complaint.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let complaint = lines.join("; ");
        if status.success() {
            return Ok((said, (complaint, status)));
        }
        let complaint = if complaint.is_empty() { status.to_string() } else { complaint };
        Err(GitError::Failed { words: short(&words), complaint, status })
    }

    /// Runs it; the one line that it said, without its end. None where it said nothing.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn line(self) -> Result<Option<String>, GitError> {
        let said = self.run()?;
        let text = String::from_utf8_lossy(&said);
        Ok(text.lines().next().map(ToOwned::to_owned).filter(|line| !line.is_empty()))
    }

    /// Runs it; whether it succeeded, where failing is one of its answers.
    ///
    /// # Errors
    /// [`GitError`], but for an exit status of 1.
    pub fn holds(self) -> Result<bool, GitError> {
        match self.run() {
            Ok(_) => Ok(true),
            Err(GitError::Failed { status, .. }) if status.code() == Some(1) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Runs it; the paths that it said, each ended by a NUL.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn paths(self) -> Result<Vec<PathBuf>, GitError> {
        let said = self.run()?;
        let paths = said.split(|b| *b == 0).filter(|p| !p.is_empty());
        Ok(paths.map(|p| PathBuf::from(OsString::from_vec(p.to_vec()))).collect())
    }
}

fn end(child: &mut Child, group: bool) {
    // One that is gone by itself needs no end; its id is its own until it was waited for.
    match i32::try_from(child.id()).map(Pid::from_raw) {
        Ok(leader) if group => _ = killpg(leader, Signal::SIGKILL),
        Ok(_) | Err(_) => _ = child.kill(),
    }
    _ = child.wait();
}

/// The first words of a long command line.
fn short(words: &str) -> String {
    crate::core::naming::printable(words, 120)
}

/// Moves a ref from one commit to another, under git's own lock; zero stands for none. By the program, since a kill of
/// ours leaves git its locks to take away: one that a library of ours left would close the ref for good.
///
/// # Errors
/// It is elsewhere, or cannot be written.
pub(super) fn move_ref(common: &Path, name: &str, from: Oid, to: Oid, why: &str) -> Result<(), GitError> {
    let git = Git::within(common, Trust::Untrusted).args(["update-ref", "--no-deref"]);
    let git = if why.is_empty() { git } else { git.args(["-m", why]) };
    let (from, to) = (from.to_string(), to.to_string());
    git.args([name, &to, &from]).run().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("folder");
        Git::within(dir.path(), Trust::Untrusted).args(["init", "-q", "-b", "main"]).run().expect("init");
        dir
    }

    #[test]
    fn answers_and_refusals_are_told_apart() {
        let dir = repository();
        let git = || Git::within(dir.path(), Trust::Untrusted);
        let line = git().args(["symbolic-ref", "HEAD"]).line().expect("a line");
        assert_eq!(line.as_deref(), Some("refs/heads/main"));
        assert_eq!(git().args(["ls-files"]).line().expect("nothing"), None);
        assert!(
            !git().args(["show-ref", "--verify", "--quiet", "refs/heads/none"]).holds().expect("an answer")
        );
        let error = git().args(["checkout", "--", "none"]).run().expect_err("no such file").to_string();
        assert!(error.contains("git checkout -- none: ") && error.contains("none"), "{error}");
        let error = git().args(["cat-file", "-t", "none"]).holds().expect_err("no answer");
        assert!(error.to_string().contains("cat-file -t none"), "{error}");
    }

    #[test]
    fn names_of_any_bytes_come_back() {
        let dir = repository();
        let names = ["with space", "line\nbreak", "ünïcode", "-dash"];
        for name in names {
            std::fs::write(dir.path().join(name), "x").expect("write");
        }
        let mut found = Git::within(dir.path(), Trust::Untrusted)
            .args(["ls-files", "-z", "--others"])
            .paths()
            .expect("paths");
        found.sort();
        let mut expected: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let dir = repository();
        // It waits for a line that never comes: its input is a pipe nobody writes to.
        let git = Git::within(dir.path(), Trust::Trusted)
            .args(["-c", "alias.wait=!exec cat /dev/zero >/dev/null", "wait"])
            .limit(Duration::from_millis(50));
        let error = git.run().expect_err("late").to_string();
        assert!(error.contains("did not answer"), "{error}");
    }

    #[test]
    fn a_repository_that_is_not_trusted_executes_nothing() {
        let dir = repository();
        let (hook, mark) = (dir.path().join(".git/hooks/pre-commit"), dir.path().join("mark"));
        std::fs::create_dir_all(hook.parent().expect("folder")).expect("hooks");
        std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", mark.display())).expect("hook");
        let permissions = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(&hook, permissions).expect("executable");
        let commit = |trust| {
            let git =
                Git::within(dir.path(), trust).env("GIT_AUTHOR_NAME", "A").env("GIT_AUTHOR_EMAIL", "a@b");
            let git = git.env("GIT_COMMITTER_NAME", "A").env("GIT_COMMITTER_EMAIL", "a@b");
            git.args(["commit", "-q", "--allow-empty", "-m", "x"]).run().expect("a commit");
        };
        commit(Trust::Untrusted);
        assert!(!mark.exists());
        commit(Trust::Trusted);
        assert!(mark.exists());
    }
}
