//! What is set for the repository that a file is in.

use crate::config::Settings;
use crate::config::repository::{self, LARGEST};
use crate::core::guard::{Facts, Isolation, Place, Policy};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The settings for the repository of these facts: what the user says for the longest folder that it is in, else what
/// its own file says, else what is set for all. `home` is the user's, for folders that are written with a `~`.
pub fn policy(settings: &Settings, home: Option<&Path>, facts: &Facts) -> Policy {
    match &facts.place {
        Place::Shared { root, .. } | Place::Git { root, .. } => {
            of_checkout(settings, home, Path::new(OsStr::from_bytes(&root.0)))
        }
        Place::Unknown { .. } | Place::Outside | Place::Linked { .. } => {
            Policy { layers: settings.guard, isolation: settings.isolation }
        }
    }
}

/// The same for a shared checkout.
pub(super) fn of_checkout(settings: &Settings, home: Option<&Path>, root: &Path) -> Policy {
    let folders = settings.repositories.iter().filter_map(|(folder, isolation)| {
        let folder = expanded(folder, home)?;
        let folder = folder.canonicalize().unwrap_or(folder);
        root.starts_with(&folder).then_some((folder.components().count(), *isolation))
    });
    let users = folders.max_by_key(|(depth, _)| *depth).map(|(_, isolation)| isolation);
    let isolation = users.or_else(|| its_own(root)).unwrap_or(settings.isolation);
    Policy { layers: settings.guard, isolation }
}

fn expanded(folder: &str, home: Option<&Path>) -> Option<PathBuf> {
    match folder.strip_prefix('~') {
        Some(below) => Some(home?.join(below.trim_start_matches('/'))),
        None => Some(PathBuf::from(folder)),
    }
}

/// What `.abide/config.toml` says. One that cannot be read, or is no ordinary file, says nothing.
fn its_own(root: &Path) -> Option<Isolation> {
    // One that is a pipe must hold up nobody.
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(root.join(".abide/config.toml"))
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    repository::parse(&text).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::guard::Layers;

    #[test]
    fn the_users_word_goes_before_the_repositorys_and_that_before_the_rest() {
        let home = tempfile::tempdir().expect("folder");
        let home = home.path().canonicalize().expect("folder");
        let (root, within) = (home.join("src/p"), home.join("src/p/within"));
        std::fs::create_dir_all(root.join(".abide")).expect("folder");
        std::fs::create_dir_all(&within).expect("folder");
        let of = |text: &str, root: &Path| {
            let (settings, problems) = Settings::parse(text);
            assert_eq!(problems, []);
            of_checkout(&settings, Some(&home), root).isolation
        };
        assert_eq!(of("", &root), Isolation::Worktree);
        assert_eq!(of("isolation = 'none'", &root), Isolation::None);
        std::fs::write(root.join(".abide/config.toml"), "isolation = 'none'").expect("write");
        assert_eq!(of("isolation = 'worktree'", &root), Isolation::None);
        let users = "[repository.'~/src']\nisolation = 'worktree'\n[repository.'~']\nisolation = 'none'\n";
        assert_eq!(of(users, &root), Isolation::Worktree);
        assert_eq!(of(users, &home), Isolation::None);
        let nearer = format!("{users}[repository.'{}']\nisolation = 'none'\n", within.display());
        assert_eq!(of(&nearer, &within), Isolation::None);
        assert_eq!(of(&nearer, &root), Isolation::Worktree);
        assert_eq!(of_checkout(&Settings::parse("guard = 'off'").0, None, &root).layers, Layers::Off);
    }

    #[test]
    fn a_file_that_is_none_says_nothing_and_holds_up_nobody() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::create_dir(dir.path().join(".abide")).expect("folder");
        let file = dir.path().join(".abide/config.toml");
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::from_bits_truncate(0o600)).expect("pipe");
        assert_eq!(its_own(dir.path()), None);
        std::fs::remove_file(&file).expect("remove");
        std::fs::create_dir(&file).expect("folder");
        assert_eq!(its_own(dir.path()), None);
    }
}
