//! What holds for every binary message and file: it survives encoding, any bytes are read without a panic, a cut is an
//! error, and what a later version appends is ignored.

use super::exit::{Cause, Ending, ExitRecord};
use super::frame;
use super::host::{Birth, Farewell, Refusal, Reply, Request, Stage, Status, Undecodable, Welcome};
use super::order::{Limit, Mount, StartOrder};
use proptest::collection::vec;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        any::<u8>().prop_map(Ending::Exited),
        any::<u8>().prop_map(Ending::Signaled),
        Just(Ending::Unknown)
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![Just(Cause::Own), Just(Cause::Asked), Just(Cause::Terminated), Just(Cause::ManagerStopping)]
}

prop_compose! {
    fn record()(
        (id, boot_id, screen) in (text(), text(), bytes()),
        (ending, cause) in (ending(), cause()),
        n in any::<[u64; 9]>(),
        (cols, rows) in any::<(u16, u16)>(),
    ) -> ExitRecord {
        ExitRecord {
            id, generation: n[0], boot_id, ending, cause, started_ms: n[1], ended_ms: n[2], user_us: n[3],
            system_us: n[4], max_rss_kib: n[5], offset: n[6], unlogged: n[7], cols, rows, screen,
            oom_kills: n[8],
        }
    }
}

prop_compose! {
    fn order()(
        (id, cwd, job_dir, socket, births) in (text(), bytes(), bytes(), bytes(), bytes()),
        (argv, env) in (vec(bytes(), 0..4), vec(bytes(), 0..4)),
        limits in vec(any::<(u32, u64, u64)>(), 0..4),
        (generation, log_keep, umask, scrollback, grace_ms) in any::<(u64, u64, u32, u32, u32)>(),
        (cols, rows, oom_score_adj) in any::<(u16, u16, i16)>(),
        mounts in vec((bytes(), any::<bool>()), 0..3),
    ) -> StartOrder {
        let mounts = mounts.into_iter().map(|(path, writable)| Mount { path, writable }).collect();
        let limits = limits.into_iter().map(|(resource, soft, hard)| Limit { resource, soft, hard }).collect();
        StartOrder {
            id, generation, argv, cwd, env, umask, limits, cols, rows, job_dir, socket, births, log_keep,
            scrollback, oom_score_adj, grace_ms, mounts,
        }
    }
}

prop_compose! {
    fn welcome()(
        (version, id, build) in (any::<u16>(), text(), text()),
        (generation, host_pid, child_pid, child_start, started_ms) in any::<(u64, u32, u32, u64, u64)>(),
    ) -> Welcome {
        Welcome { version, id, generation, host_pid, child_pid, child_start, started_ms, build }
    }
}

prop_compose! {
    fn status()(
        (title, program, notification, blocked) in (text(), text(), text(), prop::collection::vec(text(), 0..3)),
        (writers, readers, log_errno, cols, rows) in any::<(u16, u16, u16, u16, u16)>(),
        (offset, unlogged, alerts, inputs, prompt_mark) in any::<(u64, u64, u32, u32, u8)>(),
        (active, leader_foreground, alternate) in any::<(bool, bool, bool)>(),
    ) -> Status {
        Status {
            writers, readers, offset, unlogged, log_errno, active, leader_foreground, title, program, prompt_mark,
            notification, alerts, inputs, cols, rows, alternate, blocked,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<(u16, u16)>(), text()).prop_map(|((min, max), build)| Request::Hello { min, max, build }),
        any::<(u16, u16, bool, u32)>().prop_map(|(cols, rows, read_only, scrollback)| Request::Attach {
            cols,
            rows,
            read_only,
            scrollback
        }),
        bytes().prop_map(Request::Input),
        any::<(u16, u16)>().prop_map(|(cols, rows)| Request::Resize { cols, rows }),
        Just(Request::Detach),
        Just(Request::Follow),
        Just(Request::Watch),
        (any::<([u8; 16], bool, bool)>(), bytes())
            .prop_map(|((request, paste, enter), text)| Request::Send { request, text, paste, enter }),
        Just(Request::Peek),
        any::<u32>().prop_map(|grace_ms| Request::Stop { grace_ms }),
        any::<u8>().prop_map(Request::Signal),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    use Refusal as R;
    prop_oneof![
        Just(R::Version),
        Just(R::Unknown),
        Just(R::State),
        Just(R::Busy),
        Just(R::Permission),
        Just(R::System)
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        welcome().prop_map(Reply::Welcome),
        bytes().prop_map(Reply::Output),
        (any::<u64>(), bytes()).prop_map(|(offset, bytes)| Reply::Data { offset, bytes }),
        any::<u64>().prop_map(|offset| Reply::Following { offset }),
        status().prop_map(Reply::Status),
        (any::<(u16, u16, (u16, u16))>(), bytes()).prop_map(|((cols, rows, cursor), text)| Reply::Screen {
            cols,
            rows,
            cursor,
            text
        }),
        Just(Reply::Done),
        (refusal(), text()).prop_map(|(why, text)| Reply::Refused(why, text)),
        record().prop_map(Reply::Exited),
        prop_oneof![Just(Farewell::Detached), Just(Farewell::Ended)].prop_map(Reply::Bye),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    use Stage as S;
    prop_oneof![
        Just(S::Exec),
        Just(S::Cwd),
        Just(S::Pty),
        Just(S::Files),
        Just(S::Process),
        Just(S::Duplicate),
        Just(S::View)
    ]
}

fn birth() -> impl Strategy<Value = Birth> {
    prop_oneof![
        welcome().prop_map(Birth::Born),
        (text(), any::<(u64, u16)>(), stage(), text()).prop_map(
            |(id, (generation, errno), stage, subject)| Birth::Failed {
                id,
                generation,
                stage,
                errno,
                subject
            }
        ),
    ]
}

/// The type byte and the payload of a whole frame.
fn unframed(whole: &[u8]) -> (u8, Vec<u8>) {
    let (kind, payload, size) = frame::split(whole).expect("a frame").expect("whole");
    assert_eq!(size, whole.len());
    (kind, payload.to_vec())
}

proptest! {
    #[test]
    fn messages_survive(request in request(), reply in reply(), birth in birth()) {
        let (kind, payload) = unframed(&request.frame());
        prop_assert_eq!(Request::decode(kind, &payload), Ok(request));
        let (kind, payload) = unframed(&reply.frame());
        prop_assert_eq!(Reply::decode(kind, &payload), Ok(reply));
        let (kind, payload) = unframed(&birth.frame());
        prop_assert_eq!(Birth::decode(kind, &payload), Ok(birth));
    }

    #[test]
    fn files_survive_and_a_cut_or_a_later_version_is_told_apart(
        order in order(), record in record(), later in bytes(), cut in any::<prop::sample::Index>(),
    ) {
        let (mut a, mut b) = (order.encode(), record.encode());
        prop_assert!(StartOrder::decode(&a[..cut.index(a.len())]).is_err());
        prop_assert!(ExitRecord::decode(&b[..cut.index(b.len())]).is_err());
        // What version 1 wrote lacks the last field.
        let mut older = b[..b.len() - 8].to_vec();
        older[super::exit::MAGIC.len()..][..2].copy_from_slice(&1_u16.to_le_bytes());
        prop_assert_eq!(ExitRecord::decode(&older), Ok(ExitRecord { oom_kills: 0, ..record.clone() }));
        a.extend(&later);
        b.extend(&later);
        prop_assert_eq!(StartOrder::decode(&a), Ok(order));
        prop_assert_eq!(ExitRecord::decode(&b), Ok(record));
    }

    #[test]
    fn what_a_later_version_appends_is_ignored(welcome in welcome(), status in status(), later in bytes()) {
        for reply in [Reply::Welcome(welcome), Reply::Status(status)] {
            let (kind, mut payload) = reply.encode();
            payload.extend(&later);
            prop_assert_eq!(Reply::decode(kind, &payload), Ok(reply));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(kind in any::<u8>(), payload in vec(any::<u8>(), 0..200)) {
        let (request, reply) = (Request::decode(kind, &payload), Reply::decode(kind, &payload));
        if kind > 0x0b {
            prop_assert_eq!(request, Err(Undecodable::Kind(kind)));
        }
        if !(0x81..=0x8a).contains(&kind) {
            prop_assert_eq!(reply, Err(Undecodable::Kind(kind)));
        }
        let _ = Birth::decode(kind, &payload);
        for magic in [super::order::MAGIC, super::exit::MAGIC] {
            let file = [magic.as_slice(), &payload].concat();
            let _ = StartOrder::decode(&file);
            let _ = ExitRecord::decode(&file);
        }
        prop_assert!(StartOrder::decode(&payload).is_err() || payload.starts_with(super::order::MAGIC));
    }
}

#[test]
fn an_orders_environment_is_in_no_log() {
    let order = StartOrder::decode(&[]).err();
    assert!(order.is_some());
    let mut w = super::codec::Writer(super::order::MAGIC.to_vec());
    w.u16(1).str("0badcafe").u64(1).u32(0).bytes(b"/").u32(1).bytes(b"TOKEN=secret").u32(0).u32(0);
    w.u16(1).u16(1).bytes(b"").bytes(b"").bytes(b"").u64(0).u32(0).u16(0).u32(0);
    let order = StartOrder::decode(&w.0).expect("an order");
    assert_eq!(order.env, [b"TOKEN=secret"]);
    assert!(!format!("{order:?}").contains("secret"));
}
