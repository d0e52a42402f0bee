//! The exchange beside a simulated launch path: whatever is put there, however often it is noticed, and in whatever
//! order things come out.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Builds from here on fail their proof, and from the next on the exchange itself is impossible.
const BAD: u8 = 4;
const UNEXECUTABLE: u8 = 7;

#[derive(Debug, Clone)]
enum Happening {
    /// This build is put there; so many watchers notice.
    Put { build: u8, noticed: u8 },
    /// The same file gets another stamp.
    Touch,
    /// It is taken away.
    Remove,
    /// Somebody reloads.
    Reload,
    /// What is outstanding comes out.
    Outcome,
    /// Time passes.
    Pass { ms: u64 },
}

struct World {
    upgrade: Upgrade,
    running: u8,
    at: Option<(u8, u64)>,
    stamps: u64,
    now: u64,
    outstanding: Option<Action>,
    /// What watchers have noticed and not told yet.
    notices: usize,
    proved: Option<(u8, u64)>,
    proofs: BTreeMap<u8, usize>,
    exchanges: usize,
    puts: usize,
}

fn stamp(n: u64) -> Stamp {
    Stamp { inode: n, mode: 0o755, ..Stamp::default() }
}

fn name(build: u8) -> String {
    format!("b{build}")
}

impl World {
    fn new() -> Self {
        Self {
            upgrade: Upgrade::new(stamp(0), "/bin/abided".into(), "v"),
            running: 0,
            at: Some((0, 0)),
            stamps: 0,
            now: 0,
            outstanding: None,
            notices: 0,
            proved: None,
            proofs: BTreeMap::new(),
            exchanges: 0,
            puts: 0,
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.upgrade.handle(self.now, self.now, event);
        for action in actions {
            if matches!(action, Action::Tell(..)) {
                continue;
            }
            assert_eq!(self.outstanding, None, "one thing at a time");
            if action == Action::Prove {
                let (build, _) = self.at.unwrap_or((u8::MAX, 0));
                *self.proofs.entry(build).or_default() += 1;
            }
            self.outstanding = Some(action);
        }
        assert_eq!(self.upgrade.is_busy(), self.outstanding.is_some());
    }

    fn put(&mut self, at: Option<u8>) {
        self.stamps += 1;
        self.at = at.map(|build| (build, self.stamps));
        self.puts += 1;
    }

    fn outcome(&mut self) {
        match self.outstanding.take() {
            Some(Action::Read { build: ask, after_ms }) => {
                self.now += after_ms;
                let reading = match self.at {
                    Some((build, at)) => Reading::File { stamp: stamp(at), build: ask.then(|| name(build)) },
                    None => Reading::Unreadable("gone".into()),
                };
                let running = ask.then(|| name(self.running));
                self.handle(Event::Read { reading, running });
            }
            Some(Action::Prove) => {
                // It is what lies there now that is started.
                self.proved = self.at.filter(|(build, _)| *build < BAD || *build >= UNEXECUTABLE);
                let failure = self.proved.is_none().then(|| "it fails".to_owned());
                let after = self.at.map(|(_, at)| stamp(at));
                self.handle(Event::Proved { version: "n".into(), failure, after });
            }
            Some(Action::Exchange(proved)) => {
                let Some((build, at)) = self.at.filter(|(_, at)| stamp(*at) == proved) else {
                    return self.handle(Event::Superseded);
                };
                assert_eq!(Some((build, at)), self.proved, "only what was proved is executed");
                assert_ne!(build, self.running, "the running build is not exchanged for itself");
                if build >= UNEXECUTABLE {
                    self.handle(Event::NotExchanged("no".into()));
                } else {
                    self.exchanges += 1;
                    self.running = build;
                    self.upgrade = Upgrade::new(stamp(at), "/bin/abided".into(), "v");
                    // After each start it compares once.
                    self.notices = 0;
                    self.handle(Event::Noticed { reload: false });
                }
            }
            Some(Action::Tell(..)) | None => {
                if self.notices > 0 {
                    self.notices -= 1;
                    self.handle(Event::Noticed { reload: false });
                }
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            if self.outstanding.is_none() && self.notices == 0 {
                return;
            }
            self.outcome();
        }
        panic!("it never comes to rest");
    }

    fn check(&self) {
        let status = self.upgrade.status();
        match self.at {
            Some((build, _)) if build == self.running => {
                assert_eq!((status.stage, status.why.as_str()), (Stage::Current, ""));
            }
            Some((build, _)) => {
                assert!(build >= BAD, "a good build at the launch path runs in the end");
                assert_eq!(status.stage, Stage::Refused);
                assert_eq!(status.installed_build, name(build));
                assert!(!status.why.is_empty());
            }
            None => assert_eq!(status.stage, Stage::Missing),
        }
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0u8..9, 1u8..4).prop_map(|(build, noticed)| Happening::Put { build, noticed }),
        1 => Just(Happening::Touch),
        1 => Just(Happening::Remove),
        1 => Just(Happening::Reload),
        12 => Just(Happening::Outcome),
        2 => (0u64..20_000).prop_map(|ms| Happening::Pass { ms }),
    ]
}

proptest! {
    #[test]
    fn what_is_installed_and_proves_itself_runs_in_the_end(
        happenings in prop::collection::vec(happening(), 0..60)
    ) {
        let mut world = World::new();
        for happening in happenings {
            match happening {
                Happening::Put { build, noticed } => {
                    world.put(Some(build));
                    world.notices += usize::from(noticed);
                    world.handle(Event::Noticed { reload: noticed > 2 });
                }
                Happening::Touch => {
                    world.put(world.at.map(|(build, _)| build));
                    world.handle(Event::Noticed { reload: false });
                }
                Happening::Remove => {
                    world.put(None);
                    world.handle(Event::Noticed { reload: false });
                }
                Happening::Reload => world.handle(Event::Noticed { reload: true }),
                Happening::Outcome => world.outcome(),
                Happening::Pass { ms } => {
                    world.now += ms;
                    world.handle(Event::Tick);
                }
            }
        }
        world.settle();
        world.check();
        prop_assert!(world.exchanges <= world.puts, "one replacement makes one exchange");
    }

    #[test]
    fn of_one_replacement_however_often_it_is_noticed_one_proof_and_one_exchange_come(
        build in 1u8..9, noticed in prop::collection::vec(0usize..8, 1..12)
    ) {
        let mut world = World::new();
        world.put(Some(build));
        for outcomes in noticed {
            world.handle(Event::Noticed { reload: outcomes % 2 == 0 });
            for _ in 0..outcomes {
                world.outcome();
            }
        }
        world.settle();
        world.check();
        prop_assert_eq!(world.proofs.get(&build), Some(&1));
        prop_assert_eq!(world.exchanges, usize::from(build < BAD));
    }
}

#[test]
fn a_refused_build_is_tried_again_a_few_times_by_itself_and_whenever_a_reload_asks() {
    let mut world = World::new();
    world.put(Some(BAD));
    world.handle(Event::Noticed { reload: false });
    world.settle();
    let since = world.upgrade.status().since_ms;
    for (tries, pause) in AGAIN_MS.into_iter().enumerate() {
        let due = world.upgrade.next_deadline().expect("a deadline");
        assert!(due <= world.now + pause);
        world.handle(Event::Tick);
        assert!(!world.upgrade.is_busy(), "not before its time");
        world.now = due;
        world.handle(Event::Tick);
        world.settle();
        assert_eq!(world.proofs[&BAD], tries + 2);
    }
    assert_eq!(world.upgrade.next_deadline(), None, "no timer for ever");
    assert_eq!(world.upgrade.status().since_ms, since, "refused since then, for the same reason");
    world.now += RELOAD_AGAIN_MS;
    world.handle(Event::Noticed { reload: true });
    world.settle();
    assert_eq!(world.proofs[&BAD], AGAIN_MS.len() + 2);
    world.put(Some(0));
    world.handle(Event::Noticed { reload: false });
    world.settle();
    world.check();
}

#[test]
fn a_file_that_keeps_changing_is_not_believed_and_permissions_count() {
    let mut upgrade = Upgrade::new(stamp(0), String::new(), "v");
    let read = |n: u64, mode, build: &str| Event::Read {
        reading: Reading::File { stamp: Stamp { mode, ..stamp(n) }, build: Some(build.into()) },
        running: Some("old".into()),
    };
    upgrade.handle(0, 0, Event::Noticed { reload: false });
    for n in 1..50 {
        let actions = upgrade.handle(n, n, read(n, 0o755, "half"));
        assert_eq!(actions, [Action::Read { after_ms: SETTLE_MS, build: true }]);
    }
    assert_eq!(upgrade.handle(50, 50, read(49, 0o644, "whole")).len(), 1, "its permissions changed");
    assert_eq!(upgrade.handle(50, 50, read(49, 0o644, "whole")), [Action::Prove]);
    let failure = Some("cannot be executed".to_owned());
    let after = Some(Stamp { mode: 0o644, ..stamp(49) });
    upgrade.handle(60, 60, Event::Proved { version: String::new(), failure, after });
    upgrade.handle(70, 70, Event::Noticed { reload: false });
    upgrade.handle(71, 71, read(49, 0o755, "whole"));
    assert_eq!(upgrade.handle(72, 72, read(49, 0o755, "whole")), [Action::Prove], "it can be executed now");
}

#[test]
fn a_status_of_a_later_version_is_read() {
    let text = r#"{"stage": "levitating", "program": "/x", "future": 1}"#;
    let status: Status = serde_json::from_str(text).expect("read");
    assert_eq!((status.stage, status.program.as_str()), (Stage::Unknown, "/x"));
}
