//! The core against a reference model: whatever is asked, in whatever order outcomes arrive, whatever fails, and
//! wherever the supervisor dies. [`world`] simulates everything around the core and checks the invariants after each
//! event; here is what can happen, and what a user may rely on at the end.

mod world;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use world::World;

/// What can happen. Numbers choose among what is there, modulo its count.
#[derive(Debug, Clone)]
enum Happening {
    /// A new dispatch, named or not.
    Run { named: Option<u8> },
    /// The same dispatch once more.
    RunAgain { which: usize },
    /// `all` is for stop and respawn.
    Ask { what: Ask, which: usize, all: bool },
    /// An outcome that is outstanding, and how it comes out.
    Outcome { which: usize, how: u8 },
    /// A live session's process does something by itself.
    Process { which: usize, does: Does },
    /// The client of a ticket goes.
    Gone { which: usize },
    /// So many clients.
    Clients { n: usize },
    /// Time passes, and the deadline is met.
    Pass { ms: u64 },
    /// The supervisor dies and another one starts; bits say what of the outstanding was done before.
    Crash { done: u64, end: End },
    /// An updater replaces the agent's program, or takes it away.
    Replace { version: u8 },
    /// An event about a start that is long over, or that never was.
    Stale { which: usize, generation: u64, what: u8 },
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing else.
    Supervisor,
    /// The user's service manager, and all that ran under it.
    Manager,
    Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Stop,
    Respawn,
    Resume,
    Rm,
    Pin,
    Rename,
    Why,
    Wait,
    List,
    Show,
    Follow,
    Daemon,
    Roll,
}

#[derive(Debug, Clone)]
enum Does {
    Exit { code: u8 },
    Vanish,
    Terminated,
    ManagerStops,
    Report { writers: u16, active: bool, program: u8, alerts: u32, unlogged: u64 },
}

/// What the user wants of each dispatch, by what was asked last: nothing else ever changes it.
#[derive(Debug, Clone, Default)]
struct Reference {
    wants: Vec<Want>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Running,
    Stopped,
    Removed,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Happening;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_state: &Self) -> BoxedStrategy<Happening> {
        let ask = prop_oneof![
            4 => Just(Ask::Stop), 4 => Just(Ask::Respawn), 3 => Just(Ask::Resume), 3 => Just(Ask::Rm), 1 => Just(Ask::Pin),
            1 => Just(Ask::Rename), 1 => Just(Ask::Why), 1 => Just(Ask::Wait), 1 => Just(Ask::List),
            1 => Just(Ask::Show), 1 => Just(Ask::Follow), 1 => Just(Ask::Daemon), 2 => Just(Ask::Roll),
        ];
        let does = prop_oneof![
            2 => (0u8..3).prop_map(|code| Does::Exit { code }),
            1 => Just(Does::Vanish),
            1 => Just(Does::Terminated),
            1 => Just(Does::ManagerStops),
            3 => (0u16..3, any::<bool>(), 0u8..8, 0u32..3, 0u64..3).prop_map(
                |(writers, active, program, alerts, unlogged)| {
                    Does::Report { writers, active, program, alerts, unlogged }
                }
            ),
        ];
        prop_oneof![
            3 => prop::option::weighted(0.3, 0u8..3).prop_map(|named| Happening::Run { named }),
            1 => any::<usize>().prop_map(|which| Happening::RunAgain { which }),
            8 => (ask, any::<usize>(), prop::bool::weighted(0.1))
                .prop_map(|(what, which, all)| Happening::Ask { what, which, all }),
            24 => (any::<usize>(), any::<u8>()).prop_map(|(which, how)| Happening::Outcome { which, how }),
            6 => (any::<usize>(), does).prop_map(|(which, does)| Happening::Process { which, does }),
            1 => any::<usize>().prop_map(|which| Happening::Gone { which }),
            1 => (0usize..2).prop_map(|n| Happening::Clients { n }),
            3 => prop_oneof![0u64..10, 900u64..1_100, 4_000u64..40_000].prop_map(|ms| Happening::Pass { ms }),
            2 => (any::<u64>(), prop_oneof![6 => Just(End::Supervisor), 1 => Just(End::Manager), 2 => Just(End::Machine)])
                .prop_map(|(done, end)| Happening::Crash { done, end }),
            1 => (0u8..3).prop_map(|version| Happening::Replace { version }),
            3 => (any::<usize>(), 0u64..6, any::<u8>())
                .prop_map(|(which, generation, what)| Happening::Stale { which, generation, what }),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Happening) -> Self {
        let set = |wants: &mut Vec<Want>, which: usize, to: Want| {
            let n = wants.len().max(1);
            if let Some(want) = wants.get_mut(which % n).filter(|want| **want != Want::Removed) {
                *want = to;
            }
        };
        match transition {
            Happening::Run { .. } => state.wants.push(Want::Running),
            // With `all` it is about those that have a process, which is not for this model to know.
            Happening::Ask { what: Ask::Stop, which, all: false } => {
                set(&mut state.wants, *which, Want::Stopped)
            }
            Happening::Ask { what: Ask::Respawn, which, all: false } => {
                set(&mut state.wants, *which, Want::Running)
            }
            Happening::Ask { what: Ask::Rm, which, .. } => set(&mut state.wants, *which, Want::Removed),
            Happening::Ask { .. }
            | Happening::RunAgain { .. }
            | Happening::Outcome { .. }
            | Happening::Process { .. }
            | Happening::Gone { .. }
            | Happening::Clients { .. }
            | Happening::Pass { .. }
            | Happening::Crash { .. }
            | Happening::Replace { .. }
            | Happening::Stale { .. } => {}
        }
        state
    }
}

struct Core;

impl StateMachineTest for Core {
    type SystemUnderTest = World;
    type Reference = Reference;

    fn init_test(_reference: &Reference) -> World {
        World::new()
    }

    fn apply(mut world: World, reference: &Reference, happening: Happening) -> World {
        world.wants.clone_from(&reference.wants);
        match happening {
            Happening::Run { named } => world.run(named),
            Happening::RunAgain { which } => world.run_again(which),
            Happening::Ask { what, which, all } => world.ask(what, which, all),
            Happening::Outcome { which, how } => world.outcome(which, how),
            Happening::Process { which, does } => world.process(which, does),
            Happening::Gone { which } => world.gone(which),
            Happening::Clients { n } => world.clients(n),
            Happening::Pass { ms } => world.pass(ms),
            Happening::Crash { done, end } => world.crash(done, end),
            Happening::Replace { version } => world.replace(version),
            Happening::Stale { which, generation, what } => world.stale(which, generation, what),
        }
        world
    }

    fn check_invariants(world: &World, _reference: &Reference) {
        world.check();
    }

    fn teardown(mut world: World, reference: Reference) {
        world.adopting_twice_changes_nothing();
        world.come_to_rest();
        world.nothing_is_owed();
        for (n, want) in reference.wants.iter().enumerate() {
            world.user_got(n, *want);
        }
        world.leaves_when_all_is_over();
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(sequential 1..160 => Core);
}
