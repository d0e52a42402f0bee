//! Which commits of a worktree are nowhere else.
//!
//! A commit is elsewhere when another branch, a tag or a remote has it. It also is when it was merged in another form: its
//! content is in a default branch, squashed into one commit or rebased, and a remote that has it need not be known by
//! name. That is judged by content alone, and in doubt a commit is nowhere else:
//!
//! | Form | Known by |
//! |---|---|
//! | merged with other changes | merging it once more would change nothing |
//! | squashed | a commit of the default branch has the same patch as all of it together |
//! | squashed, and later changed | a commit of the default branch has the same files in all places that it touches |
//! | rebased, or picked | commits of the default branch have the same patch as each of its |

use super::linked::Head;
use super::repository::Repository;
use crate::core::naming::printable;
use crate::core::worktree::Commit;
use git2::{Delta, DiffOptions, Error, ErrorCode, Oid, Patch, Sort};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// So many commits of a default branch are compared at most; a branch that lags further behind is not found merged.
const COMPARED: usize = 2_000;
/// Commits that are named at most; all are counted by whoever keeps them.
const NAMED: usize = 1_000;
/// Branches that others are merged into, where nothing says which it is.
const USUAL: [&str; 3] = ["main", "master", "trunk"];

/// The commits of a worktree that are nowhere else, the latest first.
///
/// # Errors
/// Git cannot say.
pub(super) fn own_commits(repository: &Repository, head: &Head) -> Result<Vec<Oid>, Error> {
    let git = &repository.git;
    let (tip, branch) = match head {
        Head::Detached(id) => (*id, None),
        Head::Branch(name) => match git.find_reference(&lossless(name)?) {
            Ok(reference) => (reference.peel_to_commit()?.id(), Some(name.as_slice())),
            // A branch without a commit has none to lose.
            Err(e) if e.code() == ErrorCode::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        },
        Head::Unknown(why) => return Err(Error::from_str(why)),
    };
    let mut own = unreferenced(repository, head, &[tip])?;
    for target in targets(git, branch)? {
        if own.is_empty() {
            break;
        }
        own = not_merged(git, target, tip, own)?;
    }
    Ok(own)
}

/// The commits from these on down that no branch, no tag and no remote has, the worktree's own branch aside; children come
/// before their parents.
///
/// # Errors
/// Git cannot say.
pub(super) fn unreferenced(repository: &Repository, head: &Head, from: &[Oid]) -> Result<Vec<Oid>, Error> {
    let own = match head {
        Head::Branch(name) => Some(name.as_slice()),
        Head::Detached(_) | Head::Unknown(_) => None,
    };
    let mut walk = repository.git.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    for id in from {
        walk.push(*id)?;
    }
    for reference in repository.git.references()? {
        let reference = reference?;
        let name = reference.name_bytes();
        let keeps =
            [&b"refs/heads/"[..], b"refs/remotes/", b"refs/tags/"].iter().any(|kind| name.starts_with(kind));
        if keeps
            && Some(name) != own
            && let Ok(commit) = reference.peel_to_commit()
        {
            walk.hide(commit.id())?;
        }
    }
    walk.collect()
}

/// For people.
pub(super) fn named(git: &git2::Repository, ids: &[Oid]) -> Result<Vec<Commit>, Error> {
    let commit = |id: &Oid| {
        let commit = git.find_commit(*id)?;
        let summary = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
        Ok(Commit { id: id.to_string(), summary: printable(&summary, 72) })
    };
    ids.iter().take(NAMED).map(commit).collect()
}

/// The stashes that were made on a worktree's branch or, without one, on its commits.
///
/// # Errors
/// Git cannot say.
pub(super) fn stashes(repository: &Repository, head: &Head, own: &[Oid]) -> Result<Vec<Commit>, Error> {
    let log = repository.git.reflog("refs/stash")?;
    let branch = head.branch();
    let mut found = Vec::new();
    for entry in log.iter() {
        let message = String::from_utf8_lossy(entry.message_bytes().unwrap_or_default()).into_owned();
        // `WIP on BRANCH: …` and `On BRANCH: …`
        let on = message.strip_prefix("WIP on ").or(message.strip_prefix("On "));
        let on = on.and_then(|rest| rest.split_once(": ")).map(|(on, _)| on);
        let belongs = match on.filter(|on| *on != "(no branch)") {
            Some(on) => branch.as_deref() == Some(on),
            None => {
                let base = repository.git.find_commit(entry.id_new()).and_then(|stash| stash.parent_id(0));
                base.is_ok_and(|base| {
                    own.contains(&base) || matches!(head, Head::Detached(id) if *id == base)
                })
            }
        };
        if belongs {
            found.push(Commit { id: entry.id_new().to_string(), summary: printable(&message, 72) });
        }
    }
    Ok(found)
}

/// A name as libgit2's bindings take it.
pub(super) fn lossless(name: &[u8]) -> Result<String, Error> {
    String::from_utf8(name.to_vec()).map_err(|_| Error::from_str("the branch's name is not UTF-8"))
}

/// The tips of the branches that others are merged into.
fn targets(git: &git2::Repository, own: Option<&[u8]>) -> Result<BTreeSet<Oid>, Error> {
    let config = git.config()?.snapshot()?;
    let configured = config.get_string("init.defaultBranch").unwrap_or_default();
    let usual: Vec<&str> =
        USUAL.into_iter().chain(Some(configured.as_str()).filter(|c| !c.is_empty())).collect();
    let mut tips = BTreeSet::new();
    for reference in git.references()? {
        let reference = reference?;
        let name = reference.name_bytes();
        let Ok(text) = std::str::from_utf8(name) else { continue };
        let default = match text.strip_prefix("refs/remotes/").and_then(|rest| rest.split_once('/')) {
            Some((_, branch)) => branch == "HEAD" || usual.contains(&branch),
            None => text.strip_prefix("refs/heads/").is_some_and(|branch| usual.contains(&branch)),
        };
        if default
            && Some(name) != own
            && let Ok(commit) = reference.peel_to_commit()
        {
            tips.insert(commit.id());
        }
    }
    if let Some(name) = own
        && let Ok(upstream) = git.branch_upstream_name(&lossless(name)?)
        && let Ok(upstream) = git.find_reference(&lossless(&upstream)?)
        && let Ok(commit) = upstream.peel_to_commit()
    {
        tips.insert(commit.id());
    }
    Ok(tips)
}

/// Those of `own`, commits of `tip`, that are not in `target` in another form.
fn not_merged(git: &git2::Repository, target: Oid, tip: Oid, own: Vec<Oid>) -> Result<Vec<Oid>, Error> {
    let base = match git.merge_base(target, tip) {
        Ok(base) => base,
        Err(e) if e.code() == ErrorCode::NotFound => return Ok(own),
        Err(e) => return Err(e),
    };
    let whole = Change::between(git, Some(base), tip)?;
    if !whole.is_empty() && changes_nothing(git, base, target, tip)? {
        return Ok(Vec::new());
    }
    let mut walk = git.revwalk()?;
    walk.push(target)?;
    walk.hide(base)?;
    let mut singles = BTreeMap::new();
    for id in &own {
        singles.insert(*id, Change::of(git, *id)?);
    }
    let wanted = || singles.values().flatten().chain([&whole]).filter(|change| !change.is_empty());
    let mut merged = BTreeSet::new();
    for id in walk.take(COMPARED) {
        let id = id?;
        if !whole.is_empty() && whole.stands_in(git, id)? {
            return Ok(Vec::new());
        }
        let Some(change) = Change::of(git, id)? else { continue };
        // Most have nothing to do with it, and need no second look.
        if wanted().any(|ours| ours.paths() == change.paths()) {
            merged.insert(change.patch(git)?);
        }
    }
    if !whole.is_empty() && merged.contains(&whole.patch(git)?) {
        return Ok(Vec::new());
    }
    let mut left = Vec::new();
    for (id, change) in own.into_iter().map(|id| (id, singles.get(&id).and_then(Option::as_ref))) {
        let is_merged = match change {
            Some(change) if !change.is_empty() => merged.contains(&change.patch(git)?),
            // A merge of its own, or a commit that is only a message: no patch tells these from another.
            Some(_) | None => false,
        };
        if !is_merged {
            left.push(id);
        }
    }
    Ok(left)
}

/// Whether merging `tip` into `target` would leave `target` as it is.
fn changes_nothing(git: &git2::Repository, base: Oid, target: Oid, tip: Oid) -> Result<bool, Error> {
    let tree = |id: Oid| git.find_commit(id)?.tree();
    let into = tree(target)?;
    let merged = git.merge_trees(&tree(base)?, &into, &tree(tip)?, None)?;
    if merged.has_conflicts() {
        return Ok(false);
    }
    // Compared in memory: reading leaves nothing in the repository.
    let diff = git.diff_tree_to_index(Some(&into), Some(&merged), None)?;
    Ok(diff.deltas().len() == 0)
}

/// What a commit, or several together, change.
struct Change {
    from: Option<Oid>,
    to: Oid,
    /// Each place, as it is before and after.
    places: BTreeMap<Vec<u8>, [(Oid, u32); 2]>,
}

impl Change {
    /// Of one commit; none of a merge, which has no patch of its own.
    fn of(git: &git2::Repository, id: Oid) -> Result<Option<Self>, Error> {
        let commit = git.find_commit(id)?;
        if commit.parent_count() > 1 {
            return Ok(None);
        }
        Self::between(git, commit.parent_id(0).ok(), id).map(Some)
    }

    fn between(git: &git2::Repository, from: Option<Oid>, to: Oid) -> Result<Self, Error> {
        let diff = diff(git, from, to)?;
        let mut places = BTreeMap::new();
        for delta in diff.deltas() {
            let path = delta.new_file().path_bytes().or(delta.old_file().path_bytes()).unwrap_or_default();
            let side = |file: git2::DiffFile<'_>| (file.id(), u32::from(file.mode()));
            places.insert(path.to_vec(), [side(delta.old_file()), side(delta.new_file())]);
        }
        Ok(Self { from, to, places })
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn paths(&self) -> impl PartialEq + use<'_> {
        self.places.keys().collect::<Vec<_>>()
    }

    /// Whether that commit has in all places what this leaves there.
    fn stands_in(&self, git: &git2::Repository, id: Oid) -> Result<bool, Error> {
        let tree = git.find_commit(id)?.tree()?;
        for (path, [_, (id, mode)]) in &self.places {
            let there = match tree.get_path(Path::new(OsStr::from_bytes(path))) {
                Ok(entry) => (entry.id(), u32::try_from(entry.filemode()).unwrap_or(0)),
                Err(e) if e.code() == ErrorCode::NotFound => (Oid::ZERO_SHA1, 0),
                Err(e) => return Err(e),
            };
            if there != (*id, *mode) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A digest of its patch: paths, modes and lines, white space included, wherever in the files they are. What is not
    /// compared by lines stands for itself.
    fn patch(&self, git: &git2::Repository) -> Result<[u8; 32], Error> {
        let diff = diff(git, self.from, self.to)?;
        let mut digest = Sha256::new();
        let mut put = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        for (n, delta) in diff.deltas().enumerate() {
            put(delta.old_file().path_bytes().unwrap_or_default());
            put(delta.new_file().path_bytes().unwrap_or_default());
            put(&u32::from(delta.old_file().mode()).to_le_bytes());
            put(&u32::from(delta.new_file().mode()).to_le_bytes());
            let text = Patch::from_diff(&diff, n)?.filter(|patch| patch.num_hunks() > 0);
            let Some(patch) = text else {
                // Without lines: binary, a submodule, another mode, or empty.
                put(delta.old_file().id().as_bytes());
                put(delta.new_file().id().as_bytes());
                continue;
            };
            put(&[u8::from(delta.status() == Delta::Added), u8::from(delta.status() == Delta::Deleted)]);
            for hunk in 0..patch.num_hunks() {
                for line in 0..patch.num_lines_in_hunk(hunk)? {
                    let line = patch.line_in_hunk(hunk, line)?;
                    put(&[u8::try_from(line.origin()).unwrap_or(b'?')]);
                    put(line.content());
                }
            }
        }
        Ok(digest.finalize().into())
    }
}

fn diff(git: &git2::Repository, from: Option<Oid>, to: Oid) -> Result<git2::Diff<'_>, Error> {
    let tree = |id: Oid| git.find_commit(id)?.tree();
    let from = from.map(tree).transpose()?;
    let mut options = DiffOptions::new();
    options.context_lines(3).include_typechange(true);
    git.diff_tree_to_tree(from.as_ref(), Some(&tree(to)?), Some(&mut options))
}
