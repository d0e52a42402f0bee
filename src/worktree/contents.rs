//! What is in a worktree, as the decisions of `core::worktree` need it.

use super::inner::What;
use super::linked::{Head, Link, Worktree};
use super::repository::Repository;
use super::survey::{Survey, Why};
use super::{lock, pushed, status};
use crate::core::text::Text;
use crate::core::worktree::{Contents, Hold, Inner, Occupant, Operation};
use crate::sys::{inside, process};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A session that may be in a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it works, and which worktree it has; absolute.
    pub places: Vec<PathBuf>,
}

/// Looks at all that is in a worktree. Ignored files that match one of the patterns of `precious` count; `sessions` are
/// those that are there to be used.
///
/// Nothing fails: what cannot be found out is said in the contents, and counts as something.
pub fn look(
    repository: &Repository,
    worktree: &Worktree,
    precious: &[String],
    sessions: &[Session],
) -> Contents {
    let survey = match &worktree.link {
        Link::Sound => Some(Survey::of(repository, worktree, precious)),
        Link::Missing | Link::Broken(_) => None,
    };
    let survey = survey.map(|survey| survey.map_err(|e| e.to_string()));
    described(repository, worktree, survey, sessions)
}

/// The contents that follow from a survey; none was made where the worktree is not there.
pub(super) fn described(
    repository: &Repository,
    worktree: &Worktree,
    survey: Option<Result<impl std::borrow::Borrow<Survey>, String>>,
    sessions: &[Session],
) -> Contents {
    let mut contents = Contents::default();
    match survey {
        Some(Ok(survey)) => put_files(&mut contents, survey.borrow()),
        Some(Err(why)) => contents.unknown.push(why),
        None => match &worktree.link {
            Link::Sound => {}
            Link::Missing => match status::staged(&worktree.books) {
                Ok(staged) => contents.staged = staged.into_iter().map(Text).collect(),
                Err(e) => contents.unknown.push(e.to_string()),
            },
            Link::Broken(why) => contents.unknown.push(why.clone()),
        },
    }
    put_commits(&mut contents, repository, &worktree.head);
    contents.operation = operation(&worktree.books);
    match lock::of(worktree) {
        Ok(lock) => contents.lock = lock,
        Err(e) => contents.unknown.push(format!("its lock cannot be read: {e}")),
    }
    put_occupants(&mut contents, &worktree.path, sessions);
    match Worktree::all(repository) {
        Ok(all) => {
            let inner = all.iter().filter_map(|other| other.path.strip_prefix(&worktree.path).ok());
            let inner = inner.filter(|path| !path.as_os_str().is_empty());
            contents.worktrees.extend(inner.map(|path| Text(path.as_os_str().as_bytes().to_vec())));
        }
        Err(e) => contents.unknown.push(e.to_string()),
    }
    contents.worktrees.sort();
    contents.worktrees.dedup();
    contents
}

fn put_files(contents: &mut Contents, survey: &Survey) {
    let texts = |paths: &[Vec<u8>]| paths.iter().cloned().map(Text).collect::<Vec<_>>();
    contents.staged = texts(&survey.status.staged);
    contents.unstaged = texts(&survey.status.unstaged);
    contents.conflicted = texts(&survey.status.unmerged);
    let of = |why| survey.paths(why).map(|path| Text(path.to_vec())).collect::<Vec<_>>();
    contents.untracked = of(Why::Untracked);
    contents.untracked.extend(survey.pipes.iter().cloned().map(Text));
    contents.precious = of(Why::Precious);
    contents.unwatched = of(Why::Unwatched);
    contents.only_here = texts(&survey.only_here);
    contents.worktrees = texts(&survey.worktrees);
    contents.mounts = texts(&survey.walked.mounts);
    contents.repositories = survey
        .inner
        .iter()
        .map(|(found, work)| Inner {
            path: Text(found.path.clone()),
            submodule: found.what == What::Submodule,
            work: work.clone(),
        })
        .collect();
}

fn put_commits(contents: &mut Contents, repository: &Repository, head: &Head) {
    let found = pushed::own_commits(repository, head).and_then(|own| {
        contents.commits = pushed::named(&repository.git, &own)?;
        contents.stashes = pushed::stashes(repository, head, &own)?;
        Ok(())
    });
    if let Err(e) = found {
        contents.unknown.push(format!("its commits: {}", e.message()));
    }
}

/// Who is there now. Each look may find others.
pub(super) fn put_occupants(contents: &mut Contents, place: &Path, sessions: &[Session]) {
    contents.occupants.clear();
    for session in sessions.iter().filter(|session| session.places.iter().any(|p| p.starts_with(place))) {
        contents.occupants.push(Occupant::Session { id: session.id.clone(), name: session.name.clone() });
    }
    if !place.is_dir() {
        return;
    }
    match inside::processes(place) {
        Ok(found) => contents.occupants.extend(found.into_iter().map(|(pid, hold)| Occupant::Process {
            pid,
            name: process::Process::of(pid).map(|p| p.name).unwrap_or_default(),
            has: match hold {
                inside::Hold::Directory => Hold::Directory,
                inside::Hold::File => Hold::File,
            },
        })),
        Err(e) => contents.unknown.push(format!("who is in it: {e}")),
    }
    match inside::mounts(place) {
        Ok(mounts) => {
            let below = mounts.iter().filter_map(|mount| mount.strip_prefix(place).ok());
            contents.mounts.extend(below.map(|path| Text(path.as_os_str().as_bytes().to_vec())));
            contents.mounts.sort();
            contents.mounts.dedup();
        }
        Err(e) => contents.unknown.push(format!("what is mounted in it: {e}")),
    }
}

/// What git is in the middle of, by the files that it leaves for that.
fn operation(books: &Path) -> Option<Operation> {
    let has = |name: &str| books.join(name).symlink_metadata().is_ok();
    let known = [
        ("rebase-merge", Operation::Rebase),
        ("rebase-apply/applying", Operation::Am),
        ("rebase-apply", Operation::Rebase),
        ("MERGE_HEAD", Operation::Merge),
        ("CHERRY_PICK_HEAD", Operation::CherryPick),
        ("REVERT_HEAD", Operation::Revert),
        ("sequencer", Operation::CherryPick),
        ("BISECT_LOG", Operation::Bisect),
    ];
    known.into_iter().find(|(name, _)| has(name)).map(|(_, operation)| operation)
}
