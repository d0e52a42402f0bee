//! Watching a program's file for replacements: by whatever way it is replaced, and without a wake-up while nothing is.
//!
//! A watch on the file itself is dead after the first rename over it, so folders are watched: the one of the file that
//! the path resolves to, and that of each link on the way, since a version is often switched by exchanging one of those
//! (Homebrew, Nix, stow, `current -> 1.2`). After every change the watch is armed anew, because links may lead elsewhere
//! by then. File systems that announce nothing (NFS, 9p and others of a network) are looked at once a minute.

use crate::sys::mount;
use notify::{Config, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a file is looked at where changes are not announced.
pub(super) const SLOWLY: Duration = Duration::from_secs(60);

/// Links in a row that are followed at most, as in the kernel.
const LINKS: usize = 40;

/// A watch on one file. It ends with this value.
pub(super) struct FileWatch {
    file: PathBuf,
    /// None where changes are not announced.
    watcher: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
}

/// Where a path leads, and over what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    folders: BTreeSet<PathBuf>,
    /// The links, and the file: what an event must be about.
    names: BTreeSet<PathBuf>,
}

impl FileWatch {
    /// Calls `changed`, from another thread, when this absolute path may lead to another file or to changed content. It
    /// is called for each of several changes in a row.
    pub(super) fn start(file: PathBuf, changed: impl Fn() + Send + 'static) -> Self {
        let places = Arc::new(Mutex::new(Places::default()));
        let seen = Arc::clone(&places);
        let heard = move |event: notify::Result<notify::Event>| {
            let places = seen.lock().unwrap_or_else(PoisonError::into_inner);
            // Of an error, or of a queue that ran over, nobody knows what it is about.
            let concerns = match event {
                Ok(event) => event.need_rescan() || event.paths.is_empty() || places.concern(&event.paths),
                Err(_) => true,
            };
            drop(places);
            if concerns {
                changed();
            }
        };
        let kinds = EventKindMask::CREATE
            | EventKindMask::REMOVE
            | EventKindMask::MODIFY_META
            | EventKindMask::MODIFY_NAME
            | EventKindMask::ACCESS_CLOSE;
        // Reading and executing files are no events here: the folder may be /usr/bin.
        let watcher = RecommendedWatcher::new(heard, Config::default().with_event_kinds(kinds));
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "changes cannot be watched")).ok();
        let mut watch = Self { file, watcher, places };
        watch.rearm();
        watch
    }

    /// Watches where the path leads now. To be called after each change, before the file is looked at.
    pub(super) fn rearm(&mut self) {
        let places = Places::of(&self.file);
        let Some(watcher) = &mut self.watcher else { return };
        let mut held = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, places.clone());
        drop(held);
        for folder in before.folders.difference(&places.folders) {
            // One that is gone is not watched any more.
            _ = watcher.unwatch(folder);
        }
        for folder in &places.folders {
            // Also those that were watched before: another folder may have the name by now.
            let gone = || std::fs::symlink_metadata(folder).is_err();
            if before.folders.contains(folder) {
                _ = watcher.unwatch(folder);
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if !gone() => {
                    tracing::warn!(folder = %folder.display(), %error, "cannot watch a folder");
                    self.watcher = None;
                    return;
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// After which time to look although nothing was announced; none where everything is.
    pub(super) fn look_after(&self) -> Option<Duration> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let announced = self.watcher.is_some() && places.folders.iter().all(|f| mount::announces_changes(f));
        (!announced).then_some(SLOWLY)
    }
}

impl Places {
    /// Follows a path as the kernel does, as far as it leads.
    fn of(file: &Path) -> Self {
        let mut places = Self::default();
        let mut rest: Vec<PathBuf> = parts(file);
        rest.reverse();
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        while let Some(part) = rest.pop() {
            let path = match part.as_os_str().as_encoded_bytes() {
                b"/" => PathBuf::from("/"),
                b".." => at.parent().unwrap_or(Path::new("/")).to_owned(),
                _ => at.join(&part),
            };
            let link = std::fs::read_link(&path).ok().filter(|_| links < LINKS);
            if let Some(to) = link {
                links += 1;
                places.folders.insert(at.clone());
                places.names.insert(path);
                rest.extend(parts(&to).into_iter().rev());
            } else if rest.is_empty() || !path.exists() {
                // The file; or what is missing on the way to it, which may come.
                places.folders.insert(at);
                places.names.insert(path);
                break;
            } else {
                at = path;
            }
        }
        places
    }

    fn concern(&self, paths: &[PathBuf]) -> bool {
        paths.iter().any(|path| self.names.contains(path) || self.folders.contains(path))
    }
}

fn parts(path: &Path) -> Vec<PathBuf> {
    let part = |c: Component<'_>| (c != Component::CurDir).then(|| PathBuf::from(c.as_os_str()));
    path.components().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};

    fn rename_over(file: &Path, text: &str) {
        let new = file.with_extension("new");
        std::fs::write(&new, text).expect("write");
        std::fs::rename(&new, file).expect("rename");
    }

    fn link_over(link: &Path, to: &str) {
        let new = link.with_extension("new");
        symlink(to, &new).expect("symlink");
        std::fs::rename(&new, link).expect("rename");
    }

    /// Waits for an event, and takes those that came with it.
    #[track_caller]
    fn heard(watch: &mut FileWatch, from: &Receiver<()>, what: &str) {
        from.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|e| panic!("{what}: {e}"));
        watch.rearm();
        while from.recv_timeout(Duration::from_millis(100)).is_ok() {}
    }

    #[test]
    fn every_way_to_replace_a_file_is_noticed_and_the_next_one_too() {
        let root = tempfile::tempdir().expect("tempdir");
        let root = root.path().canonicalize().expect("resolved");
        for version in ["1", "2"] {
            std::fs::create_dir_all(root.join(version).join("bin")).expect("mkdir");
            std::fs::write(root.join(version).join("bin/program"), version).expect("write");
        }
        symlink("1", root.join("current")).expect("symlink");
        std::fs::create_dir(root.join("bin")).expect("mkdir");
        symlink("../current/bin/program", root.join("bin/program")).expect("symlink");
        let (send, receive) = channel();
        let mut watch = FileWatch::start(root.join("bin/program"), move || _ = send.send(()));
        assert_eq!(watch.look_after(), None, "this file system announces changes");
        for round in 0..2 {
            rename_over(&root.join("1/bin/program"), "new");
            heard(&mut watch, &receive, "a rename over the file");
            std::fs::write(root.join("1/bin/program"), "newer").expect("write");
            heard(&mut watch, &receive, "a copy in place");
            link_over(&root.join("current"), "2");
            heard(&mut watch, &receive, "another target of a folder's link");
            rename_over(&root.join("2/bin/program"), "new");
            heard(&mut watch, &receive, "a rename over the new target");
            link_over(&root.join("bin/program"), "../1/bin/program");
            heard(&mut watch, &receive, "another target of the file's link");
            std::fs::remove_file(root.join("bin/program")).expect("remove");
            heard(&mut watch, &receive, "a removal");
            symlink("../current/bin/program", root.join("bin/program")).expect("symlink");
            heard(&mut watch, &receive, "its return");
            link_over(&root.join("current"), "1");
            heard(&mut watch, &receive, &format!("and back, in round {round}"));
        }
        // What happens to others is no event, and neither is reading or executing.
        std::fs::write(root.join("bin/other"), "x").expect("write");
        std::fs::read(root.join("bin/program")).expect("read");
        assert!(receive.recv_timeout(Duration::from_millis(200)).is_err(), "not about the file");
    }

    #[test]
    fn a_path_is_followed_over_every_link() {
        let root = tempfile::tempdir().expect("tempdir");
        let root = root.path().canonicalize().expect("resolved");
        std::fs::create_dir(root.join("a")).expect("mkdir");
        symlink("a/../loop", root.join("loop")).expect("symlink");
        let places = Places::of(&root.join("loop"));
        assert!(places.names.contains(&root.join("loop")), "a loop ends: {places:?}");
        let places = Places::of(&root.join("a/./missing/program"));
        assert_eq!(places.names, BTreeSet::from([root.join("a/missing")]), "what is missing may come");
        assert_eq!(places.folders, BTreeSet::from([root.join("a")]));
    }
}
