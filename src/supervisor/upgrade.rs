//! The hands of [`crate::core::upgrade`]: reading the launch path, having a build prove itself, and executing it in this
//! process's place.

use super::input::{Input, Inputs};
use super::perform::Hands;
use super::proof::{self, Proof};
use super::watch::FileWatch;
use crate::VERSION;
use crate::core::fleet::Fleet;
use crate::core::upgrade::{Action, Event, Reading, Stamp, Status, Upgrade};
use crate::paths::Paths;
use crate::service::handover::VARIABLE;
use crate::service::{Listener, program};
use crate::sys::clock::wall_ms;
use crate::sys::exec;
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long the build that is executed may take until it answers itself. After that it is ended by a signal, and the
/// service manager, or the next command, starts what is at the launch path then.
const ALARM: Duration = Duration::from_secs(5);

/// The program file of this process, open: it may be replaced, and is still what runs.
#[derive(Debug)]
struct Running {
    file: File,
    build: OnceLock<String>,
}

/// See the module.
pub(super) struct Upgrader {
    machine: Upgrade,
    path: PathBuf,
    running: Arc<Running>,
    watch: Arc<Mutex<FileWatch>>,
    inputs: Inputs,
    foreground: bool,
    told: Option<Status>,
    slow: Arc<Mutex<Option<AbortHandle>>>,
}

/// What the fleet is to hear, and whether the moment has come to look for a quiet one.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) tell: Vec<(Status, Option<(&'static str, String)>)>,
    pub(super) exchange: Option<Stamp>,
}

impl Upgrader {
    /// Watches the launch path of this process from now on, and looks at it once: a change that came while it started
    /// was seen by nobody.
    ///
    /// # Errors
    /// This process's own program cannot be examined. It runs all the same, and is not exchanged.
    pub(super) fn start(paths: &Paths, inputs: Inputs, foreground: bool) -> Result<Self, String> {
        proof::clean_up(paths);
        let path = program::launch_path().map_err(|e| e.to_string())?;
        let own = if cfg!(target_os = "linux") {
            // The file that runs, also where its name leads to another by now.
            File::open("/proc/self/exe")
        } else {
            std::env::current_exe().and_then(File::open)
        };
        let file = own.map_err(|e| format!("this program's own file: {e}"))?;
        let stamp = file.metadata().map(|meta| stamp(&meta)).map_err(|e| e.to_string())?;
        let noticed = inputs.clone();
        let notice = move || {
            // Without an engine nobody is to be exchanged.
            _ = noticed.send(Input::Upgrade(Event::Noticed { reload: false }));
        };
        notice();
        let watch = Arc::new(Mutex::new(FileWatch::start(path.clone(), notice)));
        let machine = Upgrade::new(stamp, path.display().to_string(), VERSION);
        let running = Arc::new(Running { file, build: OnceLock::new() });
        Ok(Self { machine, path, running, watch, inputs, foreground, told: None, slow: Arc::default() })
    }

    /// For clients.
    pub(super) fn status(&self) -> &Status {
        self.machine.status()
    }

    /// When to send [`Event::Tick`], in awake milliseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.machine.next_deadline()
    }

    /// Hands an event to the rules, and does what they say.
    pub(super) fn handle(&mut self, now_ms: u64, event: Event, hands: &Hands, fleet: &Fleet) -> Outcome {
        let mut outcome = Outcome::default();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.machine.handle(now_ms, wall_ms(), event) {
                match action {
                    Action::Read { after_ms, build } => self.read(after_ms, build),
                    Action::Prove => events.extend(self.prove(hands, fleet)),
                    Action::Exchange(stamp) => outcome.exchange = Some(stamp),
                    Action::Tell(name, text) => {
                        tracing::warn!("{text}");
                        outcome.tell.push((self.machine.status().clone(), Some((name, text))));
                    }
                }
            }
        }
        let status = self.machine.status();
        if self.told.as_ref() != Some(status) {
            outcome.tell.push((status.clone(), None));
            self.told = Some(status.clone());
        }
        outcome
    }

    /// Reads off the loop, since the file may be on a network; the watch is armed for what lies there before that.
    fn read(&self, after_ms: u64, build: bool) {
        let (path, running, inputs) = (self.path.clone(), Arc::clone(&self.running), self.inputs.clone());
        let (watch, slow) = (Arc::clone(&self.watch), Arc::clone(&self.slow));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let look = move || {
                let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                watch.rearm();
                let pause = watch.look_after();
                drop(watch);
                let own = build.then(|| running.build.get_or_init(|| of(&running.file)).clone());
                (reading(&path, build), own, pause)
            };
            let (reading, running, pause) = tokio::task::spawn_blocking(look)
                .await
                .unwrap_or_else(|e| (Reading::Unreadable(e.to_string()), None, None));
            // Without an engine nobody waits for it.
            _ = inputs.send(Input::Upgrade(Event::Read { reading, running }));
            let timer = pause.map(|pause| tokio::spawn(notice_after(pause, inputs)).abort_handle());
            let before = std::mem::replace(&mut *slow.lock().unwrap_or_else(PoisonError::into_inner), timer);
            if let Some(before) = before {
                before.abort();
            }
        });
    }

    /// Starts a proof; the event is its outcome, where there is one already.
    fn prove(&self, hands: &Hands, fleet: &Fleet) -> Option<Event> {
        tracing::info!(program = %self.path.display(), "another build is installed; it has to prove itself");
        let proof = Proof::prepare(
            self.path.clone(),
            &hands.paths,
            &hands.writer,
            fleet.visible_ids(),
            hands.hosts(),
        );
        let begun = proof.and_then(|proof| proof.start(self.inputs.clone()).map_err(|e| e.to_string()));
        let failure = begun.err()?;
        let after = stamp_at(&self.path);
        Some(Event::Proved { version: String::new(), failure: Some(failure), after })
    }

    /// Whether what was proved still lies at the launch path.
    pub(super) fn is_there(&self, proved: Stamp) -> bool {
        stamp_at(&self.path) == Some(proved)
    }

    /// Executes the launch path in this process's place. Everything that is to outlast this image is on the disk.
    /// Returns where that is impossible, and why.
    pub(super) fn exchange(&self, listener: &Listener) -> String {
        let (handover, keep) = listener.hand_over();
        let arguments: &[&str] = if self.foreground { &["--foreground"] } else { &[] };
        let value = handover.value();
        match exec::replace(&self.path, arguments, (VARIABLE, &value), &keep, ALARM) {
            Err(e) => format!("it cannot be executed: {e}"),
        }
    }
}

/// Where changes are not announced, one timer looks; it is armed anew with each reading.
async fn notice_after(pause: Duration, inputs: Inputs) {
    tokio::time::sleep(pause).await;
    // Without an engine nobody is to be exchanged.
    _ = inputs.send(Input::Upgrade(Event::Noticed { reload: false }));
}

/// What lies there; with its build where that is to be found out.
fn reading(path: &Path, build: bool) -> Reading {
    let read = || {
        // A pipe with this name must not make us wait.
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let build = if build { Some(digest(&file)?) } else { None };
        // It may have been written while it was read.
        Ok(Reading::File { stamp: stamp(&file.metadata()?), build })
    };
    read().unwrap_or_else(|e| Reading::Unreadable(format!("{}: {e}", path.display())))
}

/// What lies at a path, links followed; none where nothing can be seen.
pub(super) fn stamp_at(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|meta| stamp(&meta))
}

fn stamp(meta: &Metadata) -> Stamp {
    Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        modified_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        mode: meta.mode(),
    }
}

/// The running build. One that cannot be read is like no other.
fn of(file: &File) -> String {
    digest(file).unwrap_or_else(|e| format!("unknown ({e})"))
}

/// A build is its file's content: `sha256sum` says the same.
fn digest(file: &File) -> io::Result<String> {
    use std::io::{Seek, SeekFrom};
    let (mut file, mut hash, mut piece) = (file, Sha256::new(), vec![0; 1 << 16]);
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => hash.update(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_its_content_and_a_stamp_changes_with_it() {
        let root = tempfile::tempdir().expect("tempdir");
        let file = root.path().join("program");
        std::fs::write(&file, "abc").expect("write");
        let Reading::File { stamp: first, build } = reading(&file, true) else { panic!("unreadable") };
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(build.as_deref(), Some(known));
        std::fs::write(root.path().join("new"), "abc").expect("write");
        std::fs::rename(root.path().join("new"), &file).expect("rename");
        let Reading::File { stamp: second, build } = reading(&file, true) else { panic!("unreadable") };
        assert_eq!(build.as_deref(), Some(known), "the same build");
        assert_ne!(first, second, "in another file");
        std::fs::remove_file(&file).expect("remove");
        assert!(matches!(reading(&file, false), Reading::Unreadable(why) if why.contains("program")));
        assert!(matches!(reading(root.path(), true), Reading::Unreadable(_)));
    }
}
