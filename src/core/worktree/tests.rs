//! The tables of the module, and what holds for all worktrees.

use super::*;
use proptest::prelude::*;

/// Something that may be in a worktree, by its number.
fn put(contents: &mut Contents, what: u8) {
    let commit = || Commit { id: "0123456789abcdef0123456789abcdef01234567".into(), summary: "do it".into() };
    let ours = |alive| Holder::Ours { pid: 42, session: Some("7c5dcf5d".into()), alive };
    let lock = |holder| Some(Lock { reason: "busy".into(), holder });
    match what {
        0 => contents.staged.push("a".into()),
        1 => contents.unstaged.push("a".into()),
        2 => contents.conflicted.push("a".into()),
        3 => contents.untracked.push("b".into()),
        4 => contents.precious.push(".env".into()),
        5 => contents.unwatched.push("c".into()),
        6 => contents.commits.push(commit()),
        7 => contents.operation = Some(Operation::Rebase),
        8 => {
            contents.repositories.push(Inner {
                path: "sub".into(),
                submodule: true,
                work: "1 change".into(),
            });
        }
        9 => contents.only_here.push("big".into()),
        10 => contents.unknown.push("git failed".into()),
        11 => contents.stashes.push(commit()),
        12 => contents.lock = lock(Holder::Somebody),
        13 => contents.lock = lock(ours(true)),
        14 => contents.lock = lock(ours(false)),
        15 => contents.occupants.push(Occupant::Session { id: "7c5dcf5d".into(), name: "x".into() }),
        16 => contents.occupants.push(Occupant::Process { pid: 7, name: "vi".into(), has: Hold::Directory }),
        17 => contents.worktrees.push("inner".into()),
        _ => contents.mounts.push("mnt".into()),
    }
}

const KINDS: u8 = 19;
/// Of these, what a removal would lose.
const WORK: std::ops::Range<u8> = 0..11;

fn with(kinds: &[u8]) -> Contents {
    let mut contents = Contents::default();
    for kind in kinds {
        put(&mut contents, *kind);
    }
    contents
}

fn foreground() -> Ending {
    Ending::Foreground { terminal: true }
}

#[test]
fn each_kind_of_work_is_named_and_keeps_a_worktree() {
    for kind in WORK {
        let contents = with(&[kind]);
        assert_eq!(contents.work().len(), 1, "{contents:?}");
        assert!(!contents.is_untouched());
        assert_eq!(remove(&contents, false), Err(Refusal::Work(contents.work())));
        assert_eq!(remove(&contents, true), Ok(()));
        assert_eq!(finish(&contents, foreground(), false), Finish::Ask(contents.work()));
        assert_eq!(finish(&contents, Ending::SubAgent, false), Finish::Keep(contents.work()));
        assert_eq!(sweep(&contents), Err(Spared::Holds(contents.work())));
    }
}

#[test]
fn nothing_overrides_an_obstacle() {
    for kind in WORK.end + 1..KINDS {
        let contents = with(&[kind]);
        assert_eq!(contents.obstacles().len(), 1, "{contents:?}");
        for named in [false, true] {
            assert_eq!(remove(&contents, named), Err(Refusal::Obstacle(contents.obstacles())));
        }
        assert_eq!(finish(&contents, foreground(), false), Finish::Keep(contents.obstacles()));
    }
}

#[test]
fn a_stash_stays_and_only_a_sweep_minds() {
    let contents = with(&[11]);
    assert_eq!(remove(&contents, false), Ok(()));
    assert_eq!(finish(&contents, foreground(), false), Finish::Remove);
    assert_eq!(sweep(&contents), Err(Spared::Holds(vec!["stashes: do it".into()])));
}

#[test]
fn what_is_untouched_goes_at_the_end_of_who_can_be_asked() {
    let nothing = Contents::default();
    assert_eq!(finish(&nothing, foreground(), false), Finish::Remove);
    assert_eq!(finish(&nothing, foreground(), true), Finish::Ask(Vec::new()));
    assert_eq!(finish(&nothing, Ending::SubAgent, false), Finish::Remove);
    for ending in [Ending::Background, Ending::Foreground { terminal: false }] {
        assert_eq!(finish(&nothing, ending, false), Finish::Keep(Vec::new()));
    }
}

#[test]
fn only_what_programs_made_long_ago_is_due() {
    let slug = |text: &str| Slug::parse(text).ok();
    let now = 100 * 86_400_000;
    let old = |slug, ephemeral, named| Candidate { slug, ephemeral, named, used_ms: now - SWEEP_AFTER_MS };
    assert_eq!(is_due(&old(slug("agent-0badcafe"), false, false), now), Ok(()));
    assert_eq!(is_due(&old(slug("fix"), true, true), now), Ok(()));
    assert_eq!(is_due(&old(None, true, false), now), Ok(()));
    for other in
        [old(slug("fix"), false, false), old(slug("agent-0badcafe"), false, true), old(None, false, false)]
    {
        assert_eq!(is_due(&other, now), Err(Spared::NotEphemeral), "{other:?}");
    }
    let due = old(slug("agent-0badcafe"), false, false);
    for used_ms in [0, due.used_ms + 1, now, now + 1, u64::MAX] {
        assert_eq!(is_due(&Candidate { used_ms, ..due.clone() }, now), Err(Spared::Young), "{used_ms}");
    }
}

#[test]
fn a_sweep_passes_over_the_lock_of_the_dead_only() {
    assert_eq!(sweep(&with(&[14])), Ok(()));
    for kind in [12, 13] {
        assert!(matches!(sweep(&with(&[kind])), Err(Spared::Holds(_))));
    }
    assert!(matches!(sweep(&with(&[14, 3])), Err(Spared::Holds(_))));
}

#[test]
fn long_lists_are_cut_and_counted() {
    let contents = Contents {
        untracked: (0..7).map(|n| Text::from(&*format!("f{n}"))).collect(),
        ..Contents::default()
    };
    assert_eq!(contents.work(), ["7 untracked files: f0, f1, f2, f3, f4, and 2 more"]);
    assert_eq!(with(&[3]).work(), ["1 untracked file: b"]);
}

fn kinds() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..KINDS, 0..6)
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Background),
        Just(Ending::SubAgent),
        any::<bool>().prop_map(|terminal| Ending::Foreground { terminal }),
    ]
}

proptest! {
    #[test]
    fn nothing_goes_without_a_word_but_what_is_empty(kinds in kinds(), ending in ending(), named: bool) {
        let contents = with(&kinds);
        let empty = contents.is_untouched() && contents.obstacles().is_empty();
        prop_assert_eq!(remove(&contents, false).is_ok(), empty);
        prop_assert!(finish(&contents, ending, named) != Finish::Remove || empty && !named || empty && ending == Ending::SubAgent);
        prop_assert!(!sweep(&contents).is_ok_and(|()| !contents.is_untouched()));
    }

    #[test]
    fn more_in_it_never_makes_it_go(kinds in kinds(), more in 0..KINDS, ending in ending(), named: bool) {
        let (less, mut contents) = (with(&kinds), with(&kinds));
        // One lock takes another one's place.
        prop_assume!(contents.lock.is_none() || !(12..15).contains(&more));
        put(&mut contents, more);
        prop_assert!(remove(&less, named).is_ok() || remove(&contents, named).is_err());
        prop_assert!(sweep(&less).is_ok() || sweep(&contents).is_err());
        let goes = |contents: &Contents| finish(contents, ending, named) == Finish::Remove;
        prop_assert!(goes(&less) || !goes(&contents));
    }
}
