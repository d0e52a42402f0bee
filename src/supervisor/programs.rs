//! Watching the programs of agents: what lies at their paths is told to the core, at once and after each change.

use super::input::{Input, Inputs};
use super::upgrade::stamp_at;
use super::watch::FileWatch;
use crate::core::event::Event;
use crate::core::roll::Program;
use crate::core::text::Text;
use crate::core::upgrade::SETTLE_MS;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The programs that are watched.
pub(super) struct Programs {
    inputs: Inputs,
    watched: HashMap<Text, Arc<Watched>>,
}

/// One of them.
struct Watched {
    path: PathBuf,
    /// Made off the loop, at the first look.
    watch: Mutex<Option<FileWatch>>,
    /// A look that has not begun to read is under way.
    due: AtomicBool,
}

impl Programs {
    pub(super) fn new(inputs: Inputs) -> Self {
        Self { inputs, watched: HashMap::new() }
    }

    /// Watches these from now on, and no others.
    pub(super) fn watch(&mut self, paths: BTreeSet<Text>) {
        self.watched.retain(|path, _| paths.contains(path));
        for path in paths {
            if self.watched.contains_key(&path) {
                continue;
            }
            let file = PathBuf::from(OsStr::from_bytes(&path.0));
            let watched = Watched { path: file, watch: Mutex::new(None), due: AtomicBool::new(false) };
            self.watched.insert(path.clone(), Arc::new(watched));
            self.look(path);
        }
    }

    /// Finds out what lies at this path, once nothing changes there any more: files of one installation follow each other
    /// closely.
    pub(super) fn look(&self, path: Text) {
        let Some(watched) = self.watched.get(&path).map(Arc::clone) else { return };
        if watched.due.swap(true, Ordering::AcqRel) {
            return;
        }
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let settle = Duration::from_millis(SETTLE_MS);
            let mut before = None;
            let (stamp, pause) = loop {
                tokio::time::sleep(settle).await;
                watched.due.store(false, Ordering::Release);
                let (watched, path, touched) = (Arc::clone(&watched), path.clone(), inputs.clone());
                let reading = tokio::task::spawn_blocking(move || watched.read(path, touched)).await;
                // One that cannot be read is as good as none.
                let (stamp, pause) = reading.unwrap_or_default();
                if before.replace(stamp.clone()) == Some(stamp.clone()) {
                    break (stamp, pause);
                }
            };
            // Without an engine nobody waits for it, here and below.
            _ = inputs.send(Input::Event(Event::Program { path: path.clone(), stamp }));
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
                _ = inputs.send(Input::ProgramTouched(path));
            }
        });
    }
}

impl Watched {
    /// What lies there, and after which time to look again where changes are not announced.
    fn read(&self, path: Text, inputs: Inputs) -> (String, Option<Duration>) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = move || _ = inputs.send(Input::ProgramTouched(path.clone()));
        let watch = watch.get_or_insert_with(|| FileWatch::start(self.path.clone(), notice));
        watch.rearm();
        (mark(&self.path), watch.look_after())
    }
}

/// What the file system says of a program, as text; empty for no file. Permissions are no part of it.
fn mark(path: &Path) -> String {
    let mark =
        |s: crate::core::upgrade::Stamp| format!("{}-{}-{}-{}", s.device, s.inode, s.size, s.modified_ns);
    stamp_at(path).map(mark).unwrap_or_default()
}

/// The program that a command leads to: `folder` is where the `PATH` of its environment leads to it, `cwd` where it starts.
pub(super) fn of_command(program: &Text, folder: Option<&Text>, cwd: &Text) -> Program {
    let path = |text: &Text| PathBuf::from(OsStr::from_bytes(&text.0));
    let file = match (program.0.contains(&b'/'), folder) {
        (true, _) => path(cwd).join(path(program)),
        (false, Some(folder)) => path(folder).join(path(program)),
        (false, None) => return Program::default(),
    };
    let stamp = mark(&file);
    Program { path: Text(file.into_os_string().into_encoded_bytes()), stamp }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_its_command_finds_it_and_told_apart_after_a_replacement() {
        let root = tempfile::tempdir().expect("tempdir");
        let text = |path: &Path| Text(path.as_os_str().as_bytes().to_vec());
        let file = root.path().join("agent");
        std::fs::write(&file, "1").expect("write");
        let (folder, cwd) = (text(root.path()), text(root.path()));
        let first = of_command(&"agent".into(), Some(&folder), &"/".into());
        assert_eq!(first.path, text(&file));
        assert!(!first.stamp.is_empty());
        assert_eq!(of_command(&text(&file), None, &"/".into()), first, "named by a path");
        assert_eq!(of_command(&"./agent".into(), None, &cwd).stamp, first.stamp, "or by one from its folder");
        assert_eq!(of_command(&"agent".into(), None, &cwd), Program::default(), "found nowhere");
        std::fs::write(root.path().join("new"), "1").expect("write");
        std::fs::rename(root.path().join("new"), &file).expect("rename");
        let second = of_command(&"agent".into(), Some(&folder), &"/".into());
        assert_eq!((second.path == first.path, second.stamp == first.stamp), (true, false));
        std::fs::remove_file(&file).expect("remove");
        assert_eq!(of_command(&text(&file), None, &"/".into()).stamp, "", "no file");
    }
}
