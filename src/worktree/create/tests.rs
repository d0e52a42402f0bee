use super::*;

struct Place {
    _dir: tempfile::TempDir,
    main: PathBuf,
}

fn git(folder: &Path, args: &[&str]) -> String {
    let git = Git::within(folder, Trust::Untrusted).args(["-c", "user.name=A", "-c", "user.email=a@b"]);
    String::from_utf8(git.args(args.iter().copied()).run().expect("git")).expect("text").trim().to_owned()
}

/// A repository with a commit on main, and an `origin` that has another one.
fn place() -> Place {
    let dir = tempfile::tempdir().expect("folder");
    let root = dir.path().canonicalize().expect("path");
    let (origin, main) = (root.join("origin"), root.join("main"));
    std::fs::create_dir(&origin).expect("origin");
    git(&origin, &["init", "-q", "-b", "trunk"]);
    std::fs::create_dir_all(origin.join("deep/er")).expect("folder");
    for name in ["file", "deep/er/file", "deep/other"] {
        std::fs::write(origin.join(name), name).expect("file");
    }
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "-q", "-m", "first"]);
    git(&root, &["clone", "-q", "origin", "main"]);
    Place { _dir: dir, main }
}

impl Place {
    fn repository(&self) -> Repository {
        Repository::around(&self.main).expect("opened").expect("found")
    }

    fn create(&self, slug: Option<&str>, base: &Base) -> Result<Made, CreateError> {
        self.create_as(slug, base, |_| {})
    }

    fn create_as<'a>(
        &self,
        slug: Option<&str>,
        base: &'a Base,
        change: impl FnOnce(&mut Wanted<'a>),
    ) -> Result<Made, CreateError> {
        let mut wanted = Wanted {
            slug: slug.map(|s| Slug::parse(s).expect("a slug")),
            ephemeral: false,
            base,
            folder: Path::new(".abide/worktrees"),
            sparse: &[],
            trust: Trust::Untrusted,
            now_ms: 7,
        };
        change(&mut wanted);
        self.repository().create(&wanted)
    }

    fn commit(&self, folder: &Path, name: &str) -> String {
        std::fs::write(folder.join(name), name).expect("file");
        git(folder, &["add", "."]);
        git(folder, &["commit", "-q", "-m", name]);
        git(folder, &["rev-parse", "HEAD"])
    }
}

#[test]
fn a_worktree_has_a_folder_a_branch_and_a_note_and_is_out_of_sight() {
    let place = place();
    let made = place.create(Some("fix/net"), &Base::Fresh).expect("made");
    assert_eq!(made.path, place.main.join(".abide/worktrees/fix+net"));
    assert_eq!((made.branch.as_deref(), made.reopened), (Some("worktree-fix+net"), false));
    assert_eq!((made.from.as_str(), made.remarks.as_slice()), ("origin/trunk", [].as_slice()));
    assert!(made.path.join("deep/er/file").exists());
    assert_eq!(git(&place.main, &["status", "--porcelain"]), "");
    let note = Note::of(&made.books).expect("a note");
    assert_eq!(
        (note.slug.as_str(), note.named, note.ephemeral, note.created_ms),
        ("fix/net", true, false, 7)
    );
    assert_eq!(note.base, git(&place.main, &["rev-parse", "HEAD"]));
}

#[test]
fn the_same_name_opens_it_again_with_all_that_is_in_it() {
    let place = place();
    let made = place.create(Some("x"), &Base::Fresh).expect("made");
    std::fs::write(made.path.join("file"), "changed").expect("change");
    let again = place.create(Some("x"), &Base::Head).expect("found");
    assert_eq!((again.path.clone(), again.reopened), (made.path, true));
    assert_eq!(std::fs::read_to_string(again.path.join("file")).expect("read"), "changed");
    // One that Claude Code made is found by its name too, and is not the place for new ones.
    git(&place.main, &["worktree", "add", "-q", "-b", "worktree-y", ".claude/worktrees/y"]);
    let theirs = place.create(Some("y"), &Base::Head).expect("found");
    assert_eq!((theirs.path, theirs.reopened), (place.main.join(".claude/worktrees/y"), true));
}

#[test]
fn fresh_and_head_start_from_different_commits() {
    let place = place();
    let upstream = git(&place.main, &["rev-parse", "HEAD"]);
    let own = place.commit(&place.main, "mine");
    let at = |made: &Made| git(&made.path, &["rev-parse", "HEAD"]);
    let fresh = place.create(Some("fresh"), &Base::Fresh).expect("made");
    assert_eq!(at(&fresh), upstream);
    let head = place.create(Some("head"), &Base::Head).expect("made");
    assert_eq!((at(&head), head.from.as_str()), (own, "HEAD (trunk)"));
    // From within a worktree it is that one's.
    let side = place.commit(&fresh.path, "side");
    let inner = Repository::around(&fresh.path).expect("opened").expect("found");
    assert_eq!(inner.start(&Base::Head).expect("a start").commit.to_string(), side);
    assert_eq!(inner.worktrees_folder(Path::new(".abide/worktrees")), place.main.join(".abide/worktrees"));
}

#[test]
fn what_origin_has_is_fetched_when_that_was_long_ago_and_its_absence_is_said() {
    let place = place();
    let later = place.commit(&place.main.with_file_name("origin"), "later");
    let made = place.create(Some("a"), &Base::Fresh).expect("made");
    assert_eq!(git(&made.path, &["rev-parse", "HEAD"]), later, "a clone has fetched nothing yet");
    std::fs::remove_dir_all(place.main.with_file_name("origin")).expect("gone");
    let made = place.create(Some("b"), &Base::Fresh).expect("made");
    assert_eq!(made.remarks, [] as [&str; 0], "it was fetched a moment ago");
    std::fs::remove_file(place.main.join(".git/FETCH_HEAD")).expect("forgotten");
    let made = place.create(Some("c"), &Base::Fresh).expect("made");
    assert!(made.remarks[0].starts_with("origin/trunk may be old: "), "{:?}", made.remarks);
    git(&place.main, &["remote", "remove", "origin"]);
    let made = place.create(Some("d"), &Base::Fresh).expect("made");
    assert_eq!(made.from, "HEAD (trunk)");
}

#[test]
fn a_pull_request_is_fetched_by_its_number() {
    let place = place();
    let origin = place.main.with_file_name("origin");
    git(&origin, &["checkout", "-q", "-b", "theirs"]);
    let theirs = place.commit(&origin, "theirs");
    git(&origin, &["update-ref", "refs/pull/7/head", &theirs]);
    git(&origin, &["checkout", "-q", "trunk"]);
    git(&origin, &["branch", "-q", "-D", "theirs"]);
    let made = place.create(Some("pr-7"), &Base::PullRequest(7)).expect("made");
    assert_eq!(git(&made.path, &["rev-parse", "HEAD"]), theirs);
    assert_eq!((made.from.as_str(), made.branch.as_deref()), ("pull request #7", Some("worktree-pr-7")));
    let error = place.create(Some("pr-8"), &Base::PullRequest(8)).expect_err("none").to_string();
    assert!(error.contains("refs/pull/8/head"), "{error}");
    assert!(!place.main.join(".abide/worktrees/pr-8").exists());
}

#[test]
fn a_left_over_branch_starts_anew_only_where_nothing_of_it_would_be_lost() {
    let place = place();
    let start = git(&place.main, &["rev-parse", "HEAD"]);
    for (name, work) in [("none", false), ("some", true)] {
        let made = place.create(Some(name), &Base::Head).expect("made");
        let tip = if work { place.commit(&made.path, "work") } else { start.clone() };
        git(&place.main, &["worktree", "remove", made.path.to_str().expect("text")]);
        place.commit(&place.main, &format!("main moves past {name}"));
        let again = place.create(Some(name), &Base::Head).expect("made again");
        let now = git(&again.path, &["rev-parse", "HEAD"]);
        if work {
            assert_eq!(now, tip);
            assert!(again.remarks[0].contains("commits of its own"), "{:?}", again.remarks);
        } else {
            assert_eq!(now, git(&place.main, &["rev-parse", "HEAD"]));
        }
    }
}

#[test]
fn nothing_is_made_where_something_else_is() {
    let place = place();
    let folder = place.main.join(".abide/worktrees");
    std::fs::create_dir_all(folder.join("taken")).expect("folder");
    let taken = place.create(Some("taken"), &Base::Head);
    assert!(matches!(taken, Err(CreateError::Occupied(path)) if path == folder.join("taken")));
    git(&place.main, &["worktree", "add", "-q", "-b", "worktree-busy", "elsewhere"]);
    let busy = place.create(Some("busy"), &Base::Head);
    assert!(matches!(busy, Err(CreateError::InUse { path, .. }) if path == place.main.join("elsewhere")));
    let gone = place.create(Some("gone"), &Base::Head).expect("made");
    std::fs::remove_dir_all(&gone.path).expect("removed past git");
    assert!(matches!(place.create(Some("gone"), &Base::Head), Err(CreateError::Lost(_))));
    let half = place.create(Some("half"), &Base::Head).expect("made");
    std::fs::write(half.books.join("locked"), "initializing").expect("as a kill leaves it");
    assert!(matches!(place.create(Some("half"), &Base::Head), Err(CreateError::Unfinished(_))));
}

#[test]
fn a_link_that_a_repository_brings_is_not_followed() {
    let place = place();
    let outside = place.main.with_file_name("outside");
    std::fs::create_dir(&outside).expect("outside");
    std::os::unix::fs::symlink(&outside, place.main.join(".abide")).expect("link");
    let refused = place.create(Some("x"), &Base::Head);
    assert!(matches!(refused, Err(CreateError::Repository(RepositoryError::Symlink(_)))), "{refused:?}");
    assert_eq!(std::fs::read_dir(&outside).expect("list").count(), 0);
}

#[test]
fn a_sparse_worktree_has_the_folders_that_were_named_and_the_files_at_the_top() {
    let place = place();
    let sparse = ["deep/er".to_owned()];
    let made = place.create_as(Some("thin"), &Base::Head, |wanted| wanted.sparse = &sparse).expect("made");
    let there = |name: &str| made.path.join(name).exists();
    assert!(there("file") && there("deep/er/file") && there("deep/other"));
    let thin = ["none".to_owned()];
    let made = place.create_as(Some("thinner"), &Base::Head, |wanted| wanted.sparse = &thin).expect("made");
    assert!(made.path.join("file").exists() && !made.path.join("deep").exists());
    assert_eq!(git(&made.path, &["status", "--porcelain"]), "");
    assert!(place.main.join("deep/er/file").exists(), "the main checkout stays whole");
}

#[test]
fn names_are_made_up_and_of_their_kind() {
    let place = place();
    let made = place.create(None, &Base::Head).expect("made");
    assert!(!Note::of(&made.books).expect("a note").named && !made.slug.is_ephemeral());
    let helper = place.create_as(None, &Base::Head, |wanted| wanted.ephemeral = true).expect("made");
    assert!(helper.slug.is_ephemeral() && Note::of(&helper.books).expect("a note").ephemeral);
}

#[test]
fn a_bare_repository_keeps_its_worktrees_itself() {
    let place = place();
    let bare = place.main.with_file_name("bare.git");
    git(&place.main, &["clone", "-q", "--bare", ".", "../bare.git"]);
    let repository = Repository::around(&bare).expect("opened").expect("found");
    let wanted = Wanted {
        slug: Some(Slug::parse("x").expect("a slug")),
        ephemeral: false,
        base: &Base::Head,
        folder: Path::new(".abide/worktrees"),
        sparse: &[],
        trust: Trust::Untrusted,
        now_ms: 7,
    };
    let made = repository.create(&wanted).expect("made");
    assert_eq!(made.path, bare.join("abide/worktrees/x"));
    assert!(made.path.join("deep/er/file").exists());
}

#[test]
fn an_empty_repository_says_what_to_do() {
    let dir = tempfile::tempdir().expect("folder");
    git(dir.path(), &["init", "-q"]);
    let repository = Repository::around(dir.path()).expect("opened").expect("found");
    let error = repository.start(&Base::Fresh).expect_err("nothing to start from").to_string();
    assert!(error.contains("git commit --allow-empty"), "{error}");
}
