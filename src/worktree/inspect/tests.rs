use super::*;
use crate::worktree::git::{Git, Trust};
use proptest::prelude::*;

/// A folder with a repository in `main`, which has a commit and tells to ignore `target/` and `*.log`.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().expect("folder"));
        lab.repository("main");
        lab
    }

    fn repository(&self, name: &str) {
        self.git(".", &["init", "-q", "-b", "main", name]);
        let folder = self.at(name);
        std::fs::create_dir(folder.join("src")).expect("folder");
        std::fs::write(folder.join("src/a.rs"), "a").expect("write");
        std::fs::write(folder.join("kept.log"), "a").expect("write");
        std::fs::write(folder.join(".gitignore"), "target/\n*.log\n").expect("write");
        self.git(name, &["add", "-f", "."]);
        self.git(name, &["commit", "-q", "-m", "one"]);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().expect("folder").join(name)
    }

    fn git(&self, folder: &str, args: &[&str]) {
        let git = Git::within(&self.at(folder), Trust::Untrusted).args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "-c",
            "protocol.file.allow=always",
        ]);
        git.args(args).run().expect("git");
    }

    fn facts(&self, cwd: &str, file: &str) -> Facts {
        facts(&self.at(cwd), &self.at(file))
    }

    #[track_caller]
    fn is(&self, cwd: &str, file: &str, place: &Place) {
        assert_eq!(self.facts(cwd, file).place, *place, "{file} from {cwd}");
    }

    fn shared(&self, below: &str, standing: Standing) -> Place {
        Place::Shared { root: text(&self.at("main")), below: below.into(), standing }
    }

    fn linked(&self, root: &str) -> Place {
        Place::Linked { root: text(&self.at(root)) }
    }
}

#[test]
fn a_checkout_has_tracked_new_and_ignored_files() {
    let lab = Lab::new();
    lab.is("main", "main/src/a.rs", &lab.shared("src/a.rs", Standing::Content));
    lab.is("main/src", "main/new/file", &lab.shared("new/file", Standing::Content));
    lab.is("main", "main/.abide/config.toml", &lab.shared(".abide/config.toml", Standing::Content));
    lab.is("main", "main/kept.log", &lab.shared("kept.log", Standing::Content));
    lab.is("main", "main/other.log", &lab.shared("other.log", Standing::Ignored));
    lab.is("main", "main/target/debug/a", &lab.shared("target/debug/a", Standing::Ignored));
    assert_eq!(lab.facts("main", "main/src/a.rs").own, None);
    assert_eq!(facts(&lab.at("main"), Path::new("src/a.rs")), lab.facts("main", "main/src/a.rs"));
}

#[test]
fn a_linked_worktree_is_a_place_of_its_own_wherever_it_is() {
    let lab = Lab::new();
    for tree in ["beside", "main/.abide/worktrees/within"] {
        let to = lab.at(tree);
        lab.git("main", &["worktree", "add", "-q", to.to_str().expect("UTF-8")]);
        lab.is("main", &format!("{tree}/src/a.rs"), &lab.linked(tree));
        lab.is(tree, &format!("{tree}/new/file"), &lab.linked(tree));
        lab.is(tree, "main/src/a.rs", &lab.shared("src/a.rs", Standing::Content));
        assert_eq!(lab.facts(tree, "main/src/a.rs").own, Some(text(&to)));
    }
    lab.is("beside", "main/.abide/worktrees/within/x", &lab.linked("main/.abide/worktrees/within"));
}

#[test]
fn what_is_elsewhere_is_outside() {
    let lab = Lab::new();
    lab.repository("other");
    lab.repository("main/vendor");
    std::fs::create_dir(lab.at("plain")).expect("folder");
    for file in ["other/src/a.rs", "plain/file", "new", "main/vendor/src/a.rs"] {
        lab.is("main", file, &Place::Outside);
    }
    for cwd in ["plain", "gone/by/now", "other", "main/vendor"] {
        lab.is(cwd, "main/src/a.rs", &Place::Outside);
    }
}

#[test]
fn a_bare_repository_has_no_shared_checkout() {
    let lab = Lab::new();
    lab.git(".", &["clone", "-q", "--bare", "main", "bare/.bare"]);
    std::fs::write(lab.at("bare/.git"), "gitdir: ./.bare\n").expect("write");
    lab.git("bare", &["worktree", "add", "-q", "tree"]);
    for cwd in ["bare", "bare/tree", "bare/.bare"] {
        lab.is(cwd, "bare/tree/src/a.rs", &lab.linked("bare/tree"));
        lab.is(cwd, "bare/notes.txt", &Place::Outside);
        let root = text(&lab.at("bare"));
        lab.is(cwd, "bare/.bare/hooks/pre-commit", &Place::Git { root, own: false });
    }
}

#[test]
fn a_submodule_belongs_to_the_checkout_that_has_it() {
    let lab = Lab::new();
    lab.repository("part");
    let part = lab.at("part");
    lab.git("main", &["submodule", "--quiet", "add", part.to_str().expect("UTF-8"), "sub"]);
    lab.git("main", &["commit", "-q", "-m", "two"]);
    let tree = lab.at("tree");
    lab.git("main", &["worktree", "add", "-q", tree.to_str().expect("UTF-8")]);
    lab.git("tree", &["submodule", "--quiet", "update", "--init"]);
    for cwd in ["main", "main/sub", "tree", "tree/sub/src"] {
        lab.is(cwd, "main/sub/src/a.rs", &lab.shared("sub/src/a.rs", Standing::Content));
        lab.is(cwd, "main/sub/other.log", &lab.shared("sub/other.log", Standing::Ignored));
        lab.is(cwd, "tree/sub/src/a.rs", &lab.linked("tree"));
        let root = text(&lab.at("main"));
        lab.is(cwd, "main/.git/modules/sub/HEAD", &Place::Git { root, own: true });
    }
    lab.repository("main/kept");
    lab.git("main", &["-c", "advice.addEmbeddedRepo=false", "add", "kept"]);
    lab.is("main", "main/kept/src/a.rs", &lab.shared("kept/src/a.rs", Standing::Content));
    lab.is("tree", "main/kept/src/a.rs", &lab.shared("kept/src/a.rs", Standing::Content));
}

#[test]
fn the_git_folder_has_what_is_the_checkouts_and_what_all_write() {
    let lab = Lab::new();
    let tree = lab.at("tree");
    lab.git("main", &["worktree", "add", "-q", tree.to_str().expect("UTF-8")]);
    let git = |own| Place::Git { root: text(&lab.at("main")), own };
    for cwd in ["main", "tree"] {
        for file in ["HEAD", "index", "config", "hooks/pre-commit", "logs/HEAD"] {
            lab.is(cwd, &format!("main/.git/{file}"), &git(true));
        }
        for file in ["HEAD.lock", "packed-refs", "refs/heads/main", "worktrees/tree/HEAD", "info/exclude"] {
            lab.is(cwd, &format!("main/.git/{file}"), &git(false));
        }
    }
}

#[test]
fn links_lead_where_a_write_would_go() {
    use std::os::unix::fs::symlink;
    let lab = Lab::new();
    let tree = lab.at("tree");
    lab.git("main", &["worktree", "add", "-q", tree.to_str().expect("UTF-8")]);
    symlink("../main/src/a.rs", tree.join("file")).expect("link");
    symlink("../main/src/none.rs", tree.join("dangling")).expect("link");
    symlink("../main/src", tree.join("folder")).expect("link");
    symlink("loop", tree.join("loop")).expect("link");
    symlink(lab.at("main"), lab.at("alias")).expect("link");
    lab.is("tree", "tree/file", &lab.shared("src/a.rs", Standing::Content));
    lab.is("tree", "tree/dangling", &lab.shared("src/none.rs", Standing::Content));
    lab.is("tree", "tree/folder/new", &lab.shared("src/new", Standing::Content));
    lab.is("tree", "tree/folder/../b", &lab.shared("b", Standing::Content));
    lab.is("tree", "tree/src/../../main/./src/a.rs", &lab.shared("src/a.rs", Standing::Content));
    lab.is("alias", "main/src/a.rs", &lab.shared("src/a.rs", Standing::Content));
    lab.is("alias/src", "alias/src/a.rs", &lab.shared("src/a.rs", Standing::Content));
    let looped = lab.facts("tree", "tree/loop/x").place;
    assert!(matches!(&looped, Place::Unknown { why } if why.contains("cannot be followed")), "{looped:?}");
}

#[test]
fn a_checkout_away_from_its_git_folder_is_found() {
    let lab = Lab::new();
    std::fs::create_dir(lab.at("away")).expect("folder");
    lab.git("main", &["config", "core.worktree", "../../away"]);
    let away =
        Place::Shared { root: text(&lab.at("away")), below: "src/a.rs".into(), standing: Standing::Content };
    lab.is("main", "away/src/a.rs", &away);
    lab.is("main", "main/src/a.rs", &Place::Outside);

    lab.git(".", &["init", "-q", "--separate-git-dir=store", "split"]);
    lab.git("split", &["commit", "-q", "--allow-empty", "-m", "one"]);
    let tree = lab.at("tree");
    lab.git("split", &["worktree", "add", "-q", tree.to_str().expect("UTF-8")]);
    let split =
        Place::Shared { root: text(&lab.at("split")), below: "a".into(), standing: Standing::Content };
    for cwd in ["split", "tree"] {
        lab.is(cwd, "split/a", &split);
        lab.is(cwd, "tree/a", &lab.linked("tree"));
        lab.is(cwd, "a", &Place::Outside);
    }
}

#[test]
fn a_repository_that_cannot_be_read_is_unknown() {
    let lab = Lab::new();
    lab.git("main", &["config", "core.repositoryFormatVersion", "99"]);
    let place = lab.facts("main", "main/src/a.rs").place;
    assert!(matches!(&place, Place::Unknown { why } if why.contains("version")), "{place:?}");
}

#[test]
fn another_users_repository_is_unknown() {
    let lab = Lab::new();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for path in ["main", "main/.git"] {
        std::os::unix::fs::chown(lab.at(path), Some(12_345), None).expect("chown");
    }
    let place = lab.facts("main", "main/src/a.rs").place;
    assert!(matches!(&place, Place::Unknown { why } if why.contains("owned")), "{place:?}");
}

#[test]
fn a_hostile_repository_executes_nothing() {
    let lab = Lab::new();
    let mark = lab.at("mark");
    let touch = format!("touch {}", mark.display());
    for key in ["core.fsmonitor", "core.sshCommand", "core.pager", "alias.status", "filter.x.clean"] {
        lab.git("main", &["config", key, &touch]);
    }
    std::fs::write(lab.at("main/.gitattributes"), "* filter=x\n").expect("write");
    lab.is("main", "main/src/a.rs", &lab.shared("src/a.rs", Standing::Content));
    lab.is("main", "main/other.log", &lab.shared("other.log", Standing::Ignored));
    assert!(!mark.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Folders `0` to `3`, each with links to some of the others: what the kernel can follow is followed likewise.
    #[test]
    fn paths_are_followed_as_the_kernel_does(
        links in prop::collection::vec((0u8..4, 0u8..4, prop::collection::vec(0usize..7, 1..4)), 0..6),
        path in prop::collection::vec(0usize..7, 1..6),
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let root = dir.path().canonicalize().expect("folder");
        let words = ["0", "1", "2", "3", "..", ".", "l0"];
        let join = |parts: &[usize]| parts.iter().map(|n| words[*n]).collect::<Vec<_>>().join("/");
        for n in 0..4 {
            std::fs::create_dir_all(root.join(n.to_string()).join("0")).expect("folder");
        }
        for (n, (folder, name, target)) in links.iter().enumerate() {
            let at = root.join(folder.to_string()).join(if n == 0 { "l0".into() } else { name.to_string() });
            // One that is there already stays.
            _ = std::os::unix::fs::symlink(join(target), at);
        }
        let asked = root.join("1").join(join(&path));
        if let Ok(known) = asked.canonicalize() {
            prop_assert_eq!(resolve(&asked).expect("a path"), known);
        }
    }
}
