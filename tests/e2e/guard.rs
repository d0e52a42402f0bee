//! The write guard's layer in the kernel, by real git and real programs: as whoever runs the tests, and, where that is
//! root, also without the rights to do it but in a user namespace, as it is for everybody else.

use crate::support::{Home, Stage, run, until};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What must fail, and leave the shared checkout as it is. `$M` is that; the folder is the worktree.
const WAYS: &[(&str, &str)] = &[
    ("a redirection", "echo x > $M/f"),
    ("a new file", "echo x > $M/new"),
    ("sed -i", "sed -i s/one/two/ $M/f"),
    ("chmod", "chmod 600 $M/f"),
    ("utimes", "touch -d 2001-01-01 $M/f"),
    ("removing", "rm -f $M/f"),
    ("a link to it", "ln -sf $M/f link && echo x > link"),
    ("a link to its folder", "ln -sfn $M folder && echo x > folder/f"),
    ("a hard link", "ln $M/f hard && echo x > hard"),
    ("a rename over it", "echo x > fresh && mv -f fresh $M/f"),
    ("a rename away", "mv $M/f $M/elsewhere"),
    ("a child process", "sh -c 'setsid sh -c \"echo x > $M/f\"'"),
    ("a namespace of one's own", "unshare -Urm sh -c \"mount -o remount,bind,rw $M && echo x > $M/f\""),
    ("git checkout", "git -C $M checkout -f other"),
    ("git checkout of a file", "git -C $M checkout -- f"),
    ("git reset --hard", "git -C $M reset --hard other"),
    ("git reset --soft", "git -C $M reset --soft other"),
    ("git commit", "git -C $M commit -q -a -m x"),
    ("git commit of nothing", "git -C $M commit -q --allow-empty -m x"),
    ("git merge", "git -C $M merge -q other"),
    ("git stash", "git -C $M stash -q"),
    ("git add", "git -C $M add f"),
    ("git symbolic-ref", "git -C $M symbolic-ref HEAD refs/heads/other"),
    ("git update-ref", "git -C $M update-ref HEAD other"),
    ("git config", "git config core.editor x"),
    ("git config there", "git -C $M config core.editor x"),
    ("the configuration", "echo '[core]' >> $M/.git/config"),
    ("a hook", "echo true > $M/.git/hooks/pre-commit"),
    ("other hooks", "mv $M/.git/hooks $M/.git/aside"),
    ("the HEAD", "echo ref: refs/heads/other > $M/.git/HEAD"),
    ("the index", "rm -f $M/.git/index"),
    ("a rename over the index", "cp $M/.git/index fresh && mv -f fresh $M/.git/index"),
];

/// What must go on as ever.
const NEEDS: &[(&str, &str)] = &[
    ("a new folder in the home", "mkdir -p ~/new/folder && echo x > ~/new/folder/file"),
    ("state that is renamed into place", "echo x > ~/.state.tmp && mv ~/.state.tmp ~/.state.json"),
    ("a package cache", "mkdir -p ~/.cache/packages && echo x > ~/.cache/packages/one"),
    ("a build", "mkdir -p target && echo x > target/out && mv target/out target/program"),
    ("a build folder of the shared checkout", "echo x > $M/target/out"),
    ("a file", "echo x > file && git add file && git commit -q -m 'in the worktree'"),
    ("a stash", "echo y > file && git stash -q && git stash pop -q && git commit -q -a -m more"),
    ("branches", "git branch one && git branch -q -D one"),
    ("another worktree", "git worktree add -q ../another -b another && echo x > ../another/file"),
    ("an amended commit", "git commit -q --amend -m 'once more'"),
    ("garbage", "git pack-refs --all && git gc -q"),
    ("a look at the shared checkout", "git -C $M status --short && cat $M/f && git -C $M log --oneline"),
    (
        "a sandbox of its own",
        "unshare -Urm sh -c 'mount -t tmpfs none /mnt && echo x > /mnt/x && echo x > in'",
    ),
    ("bubblewrap", "! command -v bwrap || bwrap --dev-bind / / sh -c 'echo x > in'"),
];

struct Lab {
    home: Home,
    main: PathBuf,
    tree: PathBuf,
}

impl Lab {
    /// None, with a word, where the kernel gives no view.
    fn new(mut home: Home) -> Option<Self> {
        if let Err(e) = abide::sys::confine::probe(home.path()) {
            assert!(std::env::var_os("ABIDE_CI").is_none_or(|v| v != "1"), "no namespaces: {e}");
            let note = format!("SKIPPED, no namespaces on this machine: {e}\n");
            std::io::stderr().write_all(note.as_bytes()).expect("standard error");
            return None;
        }
        for (name, value) in [("NAME", "A"), ("EMAIL", "a@b")] {
            home.set(&format!("GIT_AUTHOR_{name}"), value);
            home.set(&format!("GIT_COMMITTER_{name}"), value);
        }
        let main = home.path().join("user/main");
        let lab = Self { tree: main.join(".abide/worktrees/tree"), main, home };
        lab.settings("guard = 'kernel'\n");
        lab.git(&["init", "-q", "-b", "main", "."], lab.home.path().join("user").join("main"));
        std::fs::write(lab.main.join("f"), "one").expect("write");
        std::fs::write(lab.main.join(".gitignore"), "target/\n").expect("write");
        std::fs::create_dir(lab.main.join("target")).expect("folder");
        for args in [
            &["add", "."][..],
            &["commit", "-q", "-m", "one"],
            &["branch", "other"],
            &["worktree", "add", "-q", ".abide/worktrees/tree", "-b", "tree"],
            &["checkout", "-q", "other"],
            &["commit", "-q", "--allow-empty", "-m", "two"],
            &["checkout", "-q", "main"],
        ] {
            lab.git(args, lab.main.clone());
        }
        // Work of the user's that no commit has.
        std::fs::write(lab.main.join("f"), "one, and more").expect("write");
        Some(lab)
    }

    fn settings(&self, text: &str) {
        std::fs::create_dir_all(self.home.paths().config).expect("folder");
        std::fs::write(self.home.paths().config_file(), text).expect("write");
    }

    fn git(&self, args: &[&str], folder: PathBuf) {
        std::fs::create_dir_all(&folder).expect("folder");
        run(self.home.command("git").current_dir(folder).args(args)).ok();
    }

    /// Runs a script in a session in this folder.
    fn session(&self, folder: &Path, script: &str) -> String {
        let mut command = self.home.abide_command(["run", "--json", "--", "sh", "-c", script]);
        let said = run(command.current_dir(folder)).json();
        said["id"].as_str().expect("an id").to_owned()
    }

    /// How each of these ends, in a session in the worktree, which then waits for a line and ends.
    fn tries(&self, tried: &str, list: &[(&str, &str)]) -> (String, BTreeMap<String, String>) {
        let results = self.home.path().join("user").join(tried);
        let mut script = format!("M={}; export M\n", self.main.display());
        for (name, way) in list {
            let said = format!("said=$( {{ {way}\n}} 2>&1 </dev/null )");
            script.push_str(&format!(
                "{said}; echo \"{name}\t$?\t$said\" | tr '\\n' ' ' >> {0}.new; echo >> {0}.new\n",
                results.display()
            ));
        }
        script.push_str(&format!("mv {0}.new {0}; read line\n", results.display()));
        let id = self.session(&self.tree, &script);
        let read = || std::fs::read_to_string(&results).ok();
        let text = until("every way to be tried", read);
        let rows = text.lines().filter_map(|line| line.split_once('\t'));
        (id, rows.map(|(name, how)| (name.to_owned(), how.to_owned())).collect())
    }

    /// All of the shared checkout: its files and what git has of it.
    fn snapshot(&self) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let git = [".git/HEAD", ".git/index", ".git/config", ".git/refs/heads/main", ".git/logs/HEAD"];
        let hooks = std::fs::read_dir(self.main.join(".git/hooks")).expect("hooks");
        let mut paths: Vec<PathBuf> = hooks.map(|e| e.expect("entry").path()).collect();
        paths.extend(std::fs::read_dir(&self.main).expect("main").map(|e| e.expect("entry").path()));
        paths.extend(git.map(|name| self.main.join(name)));
        for path in paths {
            let (meta, content) = (path.symlink_metadata(), std::fs::read(&path).unwrap_or_default());
            // What is packed has no file of its own; what moves it is in the log.
            let Ok(meta) = meta else { continue };
            let time = if meta.is_dir() { 0 } else { meta.mtime() };
            if !path.ends_with("refs/heads/main") {
                all.insert(path, (meta.mode(), time, content));
            }
        }
        let at = run(self.home.command("git").current_dir(&self.main).args(["rev-parse", "HEAD", "main"]));
        all.insert("HEAD and main".into(), (0, 0, at.ok().into()));
        all
    }

    #[track_caller]
    fn none_passes(&self, tried: &str) {
        let before = self.snapshot();
        let (id, results) = self.tries(tried, WAYS);
        assert_eq!(results.len(), WAYS.len(), "{results:?}");
        let passed: Vec<_> = results.iter().filter(|(_, how)| how.starts_with("0\t")).collect();
        assert!(passed.is_empty(), "these passed: {passed:?}");
        assert_eq!(self.snapshot(), before);
        let names = std::fs::read_dir(self.main.join(".git")).expect(".git");
        let locks = names.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".lock"));
        assert_eq!(locks.count(), 0, "locks are left");
        self.home.abide(["stop", &id]).ok();
    }

    /// Mounts that a session's program has in the git folder, as the kernel lists them.
    fn mounts(&self, id: &str) -> usize {
        let pid = self.home.list().into_iter().find(|s| s["id"] == id).expect("listed")["pid"].as_u64();
        let table =
            std::fs::read_to_string(format!("/proc/{}/mountinfo", pid.expect("a pid"))).expect("mounts");
        let git = format!("{}/.git/", self.main.display());
        table.lines().filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(&git))).count()
    }
}

/// The two ways in which programs have the rights that it takes.
fn labs() -> Vec<Lab> {
    let mut homes = vec![Home::new()];
    if nix::unistd::geteuid().is_root() && Stage::current() == Stage::Standalone {
        let mut home = Home::new();
        home.go_through(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
        homes.push(home);
    }
    homes.into_iter().filter_map(Lab::new).collect()
}

#[test]
fn no_way_leads_into_the_shared_checkout() {
    for lab in labs() {
        lab.none_passes("ways");
    }
}

#[test]
fn nothing_that_a_session_needs_is_in_the_way() {
    for lab in labs() {
        let before = lab.snapshot();
        let (id, results) = lab.tries("needs", NEEDS);
        let failed: Vec<_> = results.iter().filter(|(_, how)| !how.starts_with("0\t")).collect();
        assert!(failed.is_empty() && results.len() == NEEDS.len(), "these failed: {failed:?}");
        assert_eq!(lab.snapshot(), before, "and the shared checkout is as it was");
        lab.home.abide(["stop", &id]).ok();
    }
}

#[test]
fn the_guard_outlives_what_the_user_does_there() {
    for lab in labs() {
        let id = lab.session(&lab.tree, "read line; exec sleep 1000");
        let all = lab.mounts(&id);
        assert!(all >= 5, "{all} mounts");
        for args in [
            &["commit", "-q", "-a", "-m", "the user's"][..],
            &["config", "user.note", "x"],
            &["checkout", "-q", "-b", "third"],
            &["gc", "-q"],
        ] {
            lab.git(args, lab.main.clone());
            until("what was replaced to be mounted again", || (lab.mounts(&id) == all).then_some(()));
        }
        lab.home.abide(["stop", &id]).ok();
    }
}

#[test]
fn only_sessions_in_worktrees_of_guarded_repositories_are_confined() {
    let Some(lab) = Lab::new(Home::new()) else { return };
    let confined = |folder: &Path| {
        let id = lab.session(folder, "exec sleep 1000");
        let is = lab.mounts(&id) > 0;
        lab.home.abide(["stop", &id]).ok();
        is
    };
    assert!(confined(&lab.tree));
    assert!(!confined(&lab.main), "in the shared checkout itself");
    assert!(!confined(lab.home.path()), "in no repository");
    std::fs::create_dir_all(lab.main.join(".abide")).expect("folder");
    std::fs::write(lab.main.join(".abide/config.toml"), "isolation = 'none'\n").expect("write");
    assert!(!confined(&lab.tree), "the repository wants none");
}

#[test]
fn what_cannot_be_guarded_does_not_start() {
    let Some(lab) = Lab::new(Home::new()) else { return };
    let user = lab.home.path().join("user");
    lab.git(&["init", "-q", "."], user.clone());
    lab.git(&["commit", "-q", "--allow-empty", "-m", "one"], user.clone());
    let tree = lab.home.path().join("beside");
    lab.git(&["worktree", "add", "-q", tree.to_str().expect("UTF-8")], user);
    let mut command = lab.home.abide_command(["run", "--", "true"]);
    let refused = run(command.current_dir(&tree));
    let said = refused.fails(1);
    assert!(said.contains("is in the shared checkout") && said.contains("isolation = \"none\""), "{said}");
}

/// That the ways are ways: without the guard they lead there.
#[test]
fn without_it_the_ways_lead_there() {
    let Some(lab) = Lab::new(Home::new()) else { return };
    lab.settings("guard = 'hooks'\n");
    let (_, results) = lab.tries("ways", WAYS);
    let failed: Vec<_> = results.iter().filter(|(_, how)| !how.starts_with("0\t")).collect();
    assert!(failed.len() < WAYS.len() / 3, "{failed:?}");
    for name in
        ["a redirection", "sed -i", "chmod", "a hard link", "git commit of nothing", "a hook", "git config"]
    {
        assert!(results[name].starts_with("0\t"), "{name}: {}", results[name]);
    }
}
