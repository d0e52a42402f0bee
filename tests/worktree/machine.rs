//! Random sequences of what users and abide do with worktrees. Whatever abide does, no byte that was in a worktree, in an
//! index or in a commit before is nowhere after.

use super::kills::run_until;
use super::repo::{Repo, Seen, precious, seen};
use crate::support::{Home, program};
use abide::worktree::linked::Worktree;
use abide::worktree::sweep::{Sweep, sweep};
use git2::{ObjectType, Oid};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
enum Step {
    Add { name: u8 },
    Write { tree: u8, file: u8 },
    Chmod { tree: u8, file: u8, mode: u8 },
    Link { tree: u8, file: u8 },
    Delete { tree: u8, file: u8 },
    Rename { tree: u8, from: u8, to: u8 },
    Stage { tree: u8, file: u8 },
    Commit { tree: u8 },
    Stash { tree: u8, pop: bool },
    Merge { tree: u8 },
    Squash { tree: u8 },
    Push { tree: u8 },
    Checkout { tree: u8, how: u8 },
    Clone { tree: u8 },
    Remove { tree: u8, discard: bool },
    KilledRemove { tree: u8, at: u16 },
    Undelete { which: u8 },
    KilledUndelete { which: u8, at: u16 },
    Sweep { days: u8 },
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let tree = 0u8..3;
    let file = 0u8..FILES;
    prop_oneof![
        4 => (0u8..3).prop_map(|name| Step::Add { name }),
        8 => (tree.clone(), file.clone()).prop_map(|(tree, file)| Step::Write { tree, file }),
        2 => (tree.clone(), file.clone(), 0u8..4).prop_map(|(tree, file, mode)| Step::Chmod { tree, file, mode }),
        1 => (tree.clone(), file.clone()).prop_map(|(tree, file)| Step::Link { tree, file }),
        2 => (tree.clone(), file.clone()).prop_map(|(tree, file)| Step::Delete { tree, file }),
        2 => (tree.clone(), file.clone(), file.clone()).prop_map(|(tree, from, to)| Step::Rename { tree, from, to }),
        4 => (tree.clone(), file).prop_map(|(tree, file)| Step::Stage { tree, file }),
        4 => tree.clone().prop_map(|tree| Step::Commit { tree }),
        2 => (tree.clone(), any::<bool>()).prop_map(|(tree, pop)| Step::Stash { tree, pop }),
        2 => tree.clone().prop_map(|tree| Step::Merge { tree }),
        2 => tree.clone().prop_map(|tree| Step::Squash { tree }),
        1 => tree.clone().prop_map(|tree| Step::Push { tree }),
        2 => (tree.clone(), 0u8..3).prop_map(|(tree, how)| Step::Checkout { tree, how }),
        1 => tree.clone().prop_map(|tree| Step::Clone { tree }),
        6 => (tree.clone(), any::<bool>()).prop_map(|(tree, discard)| Step::Remove { tree, discard }),
        2 => (tree, any::<u16>()).prop_map(|(tree, at)| Step::KilledRemove { tree, at }),
        4 => any::<u8>().prop_map(|which| Step::Undelete { which }),
        1 => (any::<u8>(), any::<u16>()).prop_map(|(which, at)| Step::KilledUndelete { which, at }),
        2 => prop_oneof![Just(0u8), Just(31u8)].prop_map(|days| Step::Sweep { days }),
        1 => Just(Step::Collect),
    ]
}

const FILES: u8 = 8;
const NAMES: [&str; 3] = ["one", "agent-0000000a", "agent-0000000b"];
const FILE: [&str; FILES as usize] =
    ["a", "dir/b", "program", "new", "dir/new", ".env", "x.local", "new.d/e/f"];
/// System calls of a removal, about; a kill beyond its end is none.
const CALLS: u32 = 6_000;

struct World {
    repo: Repo,
    home: Home,
    count: u32,
    /// What a worktree was like when it was removed, by the id that it is kept under.
    removed: BTreeMap<String, (PathBuf, BTreeMap<PathBuf, Seen>, String)>,
}

impl World {
    fn new() -> Self {
        let repo = Repo::new();
        let remote = repo.around().join("remote.git");
        repo.git(&repo.main, &["clone", "-q", "--bare", ".", remote.to_str().expect("UTF-8")]);
        repo.git(&repo.main, &["remote", "add", "origin", remote.to_str().expect("UTF-8")]);
        Self { repo, home: Home::new(), count: 0, removed: BTreeMap::new() }
    }

    fn place(&self, tree: u8) -> Option<PathBuf> {
        let path = self.repo.main.join(".abide/worktrees").join(NAMES[usize::from(tree) % NAMES.len()]);
        path.join(".git").exists().then_some(path)
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("{} {}\n", self.count, "line\n".repeat(3))
    }

    /// Every blob and commit of a user's that is anywhere: in a file that is not ignored, or is precious; in an index; in
    /// an object that a ref, a log, an index or a worktree's own git files reach; in what is kept.
    fn everything(&self) -> BTreeSet<Oid> {
        let main = &self.repo.main;
        let git = git2::Repository::open(main).expect("opened");
        let odb = git.odb().expect("objects");
        let worktrees = Worktree::all(&self.repo.repository()).expect("worktrees");
        let mut args: Vec<String> =
            ["rev-list", "--objects", "--no-object-names", "--reflog", "--indexed-objects"]
                .map(String::from)
                .to_vec();
        args.extend(["--exclude=refs/abide/deleted/*", "--all"].map(String::from));
        for worktree in &worktrees {
            for name in ["ORIG_HEAD", "MERGE_HEAD", "AUTO_MERGE", "CHERRY_PICK_HEAD"] {
                let id = std::fs::read_to_string(worktree.books.join(name)).unwrap_or_default();
                let id = Oid::from_str(id.trim()).ok();
                args.extend(id.filter(|id| odb.exists(*id)).map(|id| id.to_string()));
            }
        }
        // How abide keeps what a worktree had is nobody's work, and goes when that is back.
        let mut kept_trees = Vec::new();
        for listed in abide::worktree::kept::Kept::all(&self.repo.repository()).expect("list") {
            let kept = listed.kept.expect("readable");
            let ours = [&kept.meta.index, &kept.meta.work].map(|id| Oid::from_str(id).expect("an id"));
            let commit = git.find_commit(kept.commit).expect("a commit");
            args.extend(commit.parent_ids().filter(|id| !ours.contains(id)).map(|id| id.to_string()));
            kept_trees.extend(ours);
            let tree = commit.tree().expect("a tree");
            kept_trees.extend(["files", "objects"].iter().filter_map(|n| Some(tree.get_name(n)?.id())));
        }
        let mut said = self.repo.git(main, &args);
        for tree in kept_trees {
            said += &self.repo.git(main, &["ls-tree", "-r", "--object-only", &tree.to_string()]);
        }
        let ids = said.lines().map(|id| Oid::from_str(id).expect("an id"));
        // Trees have no bytes of their own; the repositories that links lead to have their objects themselves.
        let is_work =
            |id: &Oid| odb.read_header(*id).is_ok_and(|(_, kind)| !matches!(kind, ObjectType::Tree));
        let mut all: BTreeSet<Oid> = ids.filter(is_work).collect();
        let mut places = vec![main.clone()];
        places.extend(worktrees.into_iter().map(|worktree| worktree.path));
        for place in places.iter().filter(|place| place.exists()) {
            let below = seen(place)
                .into_iter()
                .filter(|(name, file)| matches!(file.kind, "file" | "link") && !name.starts_with(".abide"));
            all.extend(
                below.map(|(_, file)| Oid::hash_object(ObjectType::Blob, &file.bytes).expect("an id")),
            );
        }
        all
    }

    fn said(&self, path: &Path) -> String {
        self.repo.git(path, &["status", "--porcelain=v2", "-uall", "--ignored"])
    }

    fn note(&mut self, id: &str, path: &Path, was: (BTreeMap<PathBuf, Seen>, String)) {
        self.removed.insert(id.to_owned(), (path.to_owned(), was.0, was.1));
    }

    fn recover(&self, days: u64) {
        let keep_ms = u64::MAX;
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after the epoch");
        let now_ms = u64::try_from(since.as_millis()).expect("fits") + days * 86_400_000;
        let how = Sweep { precious: &precious(), sessions: &[], keep_ms, now_ms, dry_run: false };
        sweep(&self.repo.repository(), &how).expect("swept");
    }

    /// Notes what is kept and was not before.
    fn note_new(&mut self, path: &Path, was: (BTreeMap<PathBuf, Seen>, String)) {
        let new: Vec<String> =
            self.repo.kept().into_iter().filter(|id| !self.removed.contains_key(id)).collect();
        if let [id] = &new[..] {
            self.note(id, path, was);
        }
    }

    /// What a user does. Git may refuse, which is its own affair.
    fn user(&mut self, step: &Step) {
        let file = |file: &u8| FILE[usize::from(*file)];
        match step {
            Step::Add { name } => {
                let name = NAMES[usize::from(*name)];
                let path = self.repo.main.join(".abide/worktrees").join(name);
                let branch = format!("worktree-{name}");
                let path = path.to_str().expect("UTF-8").to_owned();
                let main = self.repo.main.clone();
                if !self.repo.try_git(&main, &["worktree", "add", "-q", "-b", &branch, &path]) {
                    self.repo.try_git(&main, &["worktree", "add", "-q", &path, &branch]);
                }
            }
            Step::Write { tree, file: f } => {
                let text = self.text();
                if let Some(path) = self.place(*tree).map(|path| path.join(file(f)))
                    && !path.is_dir()
                    && path.parent().is_some_and(|p| std::fs::create_dir_all(p).is_ok())
                {
                    let _ = std::fs::remove_file(&path);
                    std::fs::write(path, text).expect("written");
                }
            }
            Step::Chmod { tree, file: f, mode } => {
                let path = self.place(*tree).map(|path| path.join(file(f))).filter(|path| path.is_file());
                if let Some(path) = path.filter(|path| !path.is_symlink()) {
                    super::repo::chmod(&path, [0o600, 0o644, 0o755, 0o444][usize::from(*mode)]);
                }
            }
            Step::Link { tree, file: f } => {
                if let Some(path) = self.place(*tree).map(|path| path.join(file(f)))
                    && path.parent().is_some_and(Path::is_dir)
                    && !path.is_dir()
                {
                    let _ = std::fs::remove_file(&path);
                    std::os::unix::fs::symlink("../../../a", path).expect("link");
                }
            }
            Step::Delete { tree, file: f } => {
                if let Some(path) = self.place(*tree) {
                    let _ = std::fs::remove_file(path.join(file(f)));
                }
            }
            Step::Rename { tree, from, to } => {
                if let Some(path) = self.place(*tree) {
                    let _ = std::fs::rename(path.join(file(from)), path.join(file(to)));
                }
            }
            Step::Stage { tree, file: f } => self.in_tree(*tree, &["add", "-A", "--", file(f)]),
            Step::Commit { tree } => {
                self.in_tree(*tree, &["add", "-A"]);
                self.in_tree(*tree, &["commit", "-q", "-m", "commit"]);
            }
            Step::Stash { tree, pop } => {
                self.in_tree(*tree, if *pop { &["stash", "pop"] } else { &["stash", "-u"] })
            }
            Step::Merge { tree } => self.in_tree(*tree, &["merge", "-q", "--no-edit", "main"]),
            Step::Squash { tree } => {
                let main = self.repo.main.clone();
                let branch = format!("worktree-{}", NAMES[usize::from(*tree)]);
                if self.repo.try_git(&main, &["merge", "-q", "--squash", &branch]) {
                    self.repo.try_git(&main, &["commit", "-q", "-m", "squashed"]);
                } else {
                    self.repo.git(&main, &["reset", "-q", "--hard"]);
                }
            }
            Step::Push { tree } => {
                self.in_tree(*tree, &["push", "-q", "-f", "origin", "HEAD:refs/heads/pushed"])
            }
            Step::Checkout { tree, how } => match how {
                0 => self.in_tree(*tree, &["checkout", "-q", "--detach"]),
                1 => self.in_tree(*tree, &["checkout", "-q", "-B", "side"]),
                _ => self.in_tree(*tree, &["reset", "-q", "HEAD~1"]),
            },
            Step::Clone { tree } => {
                let text = self.text();
                if let Some(inner) = self.place(*tree).map(|path| path.join("inner")).filter(|p| !p.exists())
                {
                    std::fs::create_dir(&inner).expect("folder");
                    self.repo.git(&inner, &["init", "-q"]);
                    self.repo.write(&inner, "x", text);
                    self.repo.commit(&inner, "x");
                }
            }
            Step::Collect => {
                let main = self.repo.main.clone();
                self.repo.git(&main, &["gc", "-q"]);
            }
            Step::Remove { .. }
            | Step::KilledRemove { .. }
            | Step::Undelete { .. }
            | Step::KilledUndelete { .. }
            | Step::Sweep { .. } => unreachable!("what abide does"),
        }
    }

    fn in_tree(&self, tree: u8, args: &[&str]) {
        if let Some(path) = self.place(tree) {
            self.repo.try_git(&path, args);
        }
    }

    /// What abide does. False where it is none of its steps.
    fn abide(&mut self, step: &Step) -> bool {
        match step {
            Step::Remove { tree, discard } => {
                let Some(path) = self.place(*tree) else { return true };
                let was = (seen(&path), self.said(&path));
                match self.repo.remove(&path, *discard) {
                    Ok(removed) => self.note(&removed.kept.id, &path, was),
                    Err(e) => assert!(!*discard, "{e}: {e:?}"),
                }
            }
            Step::KilledRemove { tree, at } => {
                let Some(path) = self.place(*tree) else { return true };
                let was = (seen(&path), self.said(&path));
                let mut command = self.home.command(program("abide"));
                let name = NAMES[usize::from(*tree)];
                command.args(["worktree", "remove", name, "--discard-changes"]).current_dir(&self.repo.main);
                run_until(&mut command, Some(1 + u32::from(*at) % CALLS));
                self.recover(0);
                if path.exists() {
                    assert_eq!((seen(&path), self.said(&path)), was);
                } else {
                    self.note_new(&path, was);
                }
            }
            Step::Undelete { which } => {
                let Some(id) = self.which(*which) else { return true };
                let (path, files, said) = self.removed[&id].clone();
                if path.exists() {
                    return true;
                }
                self.repo.undelete(&id, None).unwrap_or_else(|e| panic!("{id}: {e}"));
                self.removed.remove(&id);
                assert_eq!((seen(&path), self.said(&path)), (files, said));
            }
            Step::KilledUndelete { which, at } => {
                let Some(id) = self.which(*which) else { return true };
                let (path, files, said) = self.removed[&id].clone();
                if path.exists() {
                    return true;
                }
                let mut command = self.home.command(program("abide"));
                command.args(["undelete", &id]).current_dir(&self.repo.main);
                run_until(&mut command, Some(1 + u32::from(*at) % CALLS));
                self.recover(0);
                if path.exists() {
                    self.removed.remove(&id);
                    assert_eq!((seen(&path), self.said(&path)), (files, said));
                }
            }
            Step::Sweep { days } => {
                let before: Vec<_> = (0..3).filter_map(|tree| self.place(tree)).collect();
                let was: BTreeMap<_, _> =
                    before.iter().map(|p| (p.clone(), (seen(p), self.said(p)))).collect();
                let known: BTreeSet<String> = self.repo.kept().into_iter().collect();
                self.recover(u64::from(*days));
                for listed in abide::worktree::kept::Kept::all(&self.repo.repository()).expect("list") {
                    let path = PathBuf::from(listed.kept.expect("readable").meta.path.to_string());
                    if !known.contains(&listed.id) {
                        self.note(&listed.id, &path, was[&path].clone());
                    }
                }
            }
            Step::Add { .. }
            | Step::Write { .. }
            | Step::Chmod { .. }
            | Step::Link { .. }
            | Step::Delete { .. }
            | Step::Rename { .. }
            | Step::Stage { .. }
            | Step::Commit { .. }
            | Step::Stash { .. }
            | Step::Merge { .. }
            | Step::Squash { .. }
            | Step::Push { .. }
            | Step::Checkout { .. }
            | Step::Clone { .. }
            | Step::Collect => return false,
        }
        true
    }

    fn which(&self, which: u8) -> Option<String> {
        let kept = self.repo.kept();
        kept.get(usize::from(which) % kept.len().max(1)).cloned()
    }
}

/// How many sequences; the slow tier asks for more.
fn cases() -> u32 {
    std::env::var("ABIDE_TEST_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

#[test]
fn whatever_is_done_no_byte_is_lost() {
    let config = ProptestConfig {
        cases: cases(),
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::Direct(
            "proptest-regressions/worktrees.txt",
        ))),
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 20))| {
        let mut world = World::new();
        for step in &steps {
            let ours = matches!(
                step,
                Step::Remove { .. } | Step::KilledRemove { .. } | Step::Undelete { .. }
                    | Step::KilledUndelete { .. } | Step::Sweep { .. }
            );
            if !ours {
                world.user(step);
                continue;
            }
            let before = world.everything();
            assert!(world.abide(step));
            let after = world.everything();
            let lost: Vec<_> = before.difference(&after).collect();
            assert!(lost.is_empty(), "{step:?} lost {lost:?} after {steps:?}");
            world.repo.is_tidy();
        }
    });
}
