use super::fate::fate;
use super::same::sessions;
use super::*;
use crate::core::record::{Instance, Kind};
use crate::core::text::Text;
use proptest::prelude::*;
use serde_json::{Value, json};

fn entry(pid: u32) -> Entry {
    Entry::new(Instance { pid, start: u64::from(pid) + 1_000 }, &Patch::new())
}

fn parse(value: &Value) -> Result<Entry, String> {
    Entry::parse(value.to_string().as_bytes())
}

fn written(entry: &Entry) -> Value {
    serde_json::from_slice(&entry.encode()).expect("JSON")
}

/// The format, which is frozen: a file of an earlier build must be read by every later one.
#[test]
fn a_file_has_these_keys_and_no_others() {
    let text = |patch: Patch, key: Key| patch.text(key, key.name());
    let patch =
        [Key::SessionId, Key::Entrypoint, Key::MessagingSocketPath, Key::Name, Key::Agent, Key::LogPath]
            .into_iter()
            .chain([Key::BridgeSessionId])
            .fold(Patch::new(), text)
            .path(Key::Cwd, &"/repo".into())
            .time(Key::StartedAt, 1_795_219_257_165)
            .time(Key::UpdatedAt, 1_795_219_257_166)
            .kind(Kind::Interactive)
            .status(Status::Waiting, Some("permission prompt"));
    let mut entry = Entry::new(Instance { pid: 23874, start: 105_418 }, &patch);
    entry.boot_id = "b1".into();
    entry.pid_ns = "4026531836@0badcafe".into();
    let file = json!({
        "pid": 23874, "procStart": "105418", "bootId": "b1", "pidNs": "4026531836@0badcafe",
        "sessionId": "sessionId", "cwd": "/repo", "startedAt": 1_795_219_257_165_u64, "kind": "interactive",
        "entrypoint": "entrypoint", "messagingSocketPath": "messagingSocketPath", "name": "name", "agent": "agent",
        "logPath": "logPath", "status": "waiting", "waitingFor": "permission prompt",
        "updatedAt": 1_795_219_257_166_u64, "bridgeSessionId": "bridgeSessionId",
    });
    assert_eq!(written(&entry), file);
    assert_eq!(parse(&file), Ok(entry));
    assert_eq!(file.as_object().expect("an object").len(), Key::ALL.len() + 4);
}

#[test]
fn what_others_wrote_is_kept_to_the_letter() {
    // Of another version, or of an agent: an unknown key, and known ones whose values are of another form.
    let file = json!({
        "pid": 5, "procStart": "9", "jobId": {"a": [1, null]}, "status": "dreaming", "name": ["a", "b"],
        "kind": "other", "startedAt": -1.5, "cwd": 3,
    });
    let mut entry = parse(&file).expect("an entry");
    assert_eq!((entry.status(), entry.kind(), entry.text(Key::Name)), (None, None, None));
    assert_eq!((entry.time(Key::StartedAt), entry.path(Key::Cwd)), (0, None));
    assert_eq!(written(&entry), file);
    assert!(entry.merge(&Patch::new().text(Key::Name, "new")));
    let mut renamed = file;
    renamed["name"] = "new".into();
    assert_eq!(written(&entry), renamed);
}

#[test]
fn null_clears_and_identity_stays() {
    let mut entry = entry(5);
    let before = entry.clone();
    assert!(entry.merge(&Patch::new().status(Status::Waiting, Some("input needed"))));
    assert!(!entry.merge(&Patch::new().status(Status::Waiting, Some("input needed"))), "nothing changed");
    assert!(entry.merge(&Patch::new().status(Status::Busy, Some("ignored"))));
    assert_eq!((entry.status(), entry.text(Key::WaitingFor)), (Some(Status::Busy), None));
    assert!(entry.merge(&Patch::new().clear(Key::Status)));
    assert!(!entry.merge(&Patch::new().clear(Key::Status)));
    assert_eq!(entry, before);
    let hostile =
        parse(&json!({"pid": 5, "procStart": 9, "name": null, "waitingFor": "x"})).expect("an entry");
    assert_eq!(written(&hostile), json!({"pid": 5, "procStart": "9", "waitingFor": "x"}));
    entry.merge(&hostile.as_patch());
    assert_eq!(entry.process, before.process);
}

#[test]
fn what_names_no_process_is_no_entry() {
    for bad in [
        json!({}),
        json!([]),
        json!({"pid": 5}),
        json!({"pid": 5, "procStart": "0"}),
        json!({"pid": 5, "procStart": "+9"}),
        json!({"pid": -5, "procStart": 9}),
        json!({"pid": 5_000_000_000_u64, "procStart": 9}),
        json!({"pid": 5.5, "procStart": 9}),
        json!({"pid": 5, "procStart": 9, "bootId": ["b"]}),
        json!({"pid": 5, "procStart": 9, "pidNs": {}}),
    ] {
        parse(&bad).expect_err(&bad.to_string());
    }
    for bad in [&b""[..], b"{\"pid\": 5, \"procStart\": \"9\"", b"\xff", b"null"] {
        Entry::parse(bad).expect_err("garbage");
    }
}

#[test]
fn long_values_are_cut() {
    let long = "\u{e9}".repeat(LONGEST_VALUE);
    let entry = Entry::new(entry(5).process, &Patch::new().text(Key::Name, &long));
    assert_eq!(entry.text(Key::Name).map(str::len), Some(LONGEST_VALUE));
    let all =
        Key::ALL.iter().fold(Patch::new(), |patch, key| patch.text(*key, &"\u{1}".repeat(LONGEST_VALUE * 2)));
    // Each of these bytes is written as six.
    assert!((Entry::new(entry.process, &all).encode().len() as u64) < LARGEST);
}

#[test]
fn files_are_whose_their_names_say() {
    for (name, whose) in [
        ("5.json", Some((5, None))),
        ("2147483647.json", Some((2_147_483_647, None))),
        ("5@00c0ffee.json", Some((5, Some(0x00c0_ffee)))),
        ("2147483648.json", None),
        ("99999999999999999999.json", None),
        ("0.json", None),
        ("007.json", None),
        ("+5.json", None),
        ("-5.json", None),
        (" 5.json", None),
        ("5 .json", None),
        ("٥.json", None),
        ("5.JSON", None),
        ("5.json.bak", None),
        ("5.json~", None),
        ("5.json.new", None),
        (".5.json", None),
        ("5", None),
        (".json", None),
        ("@00c0ffee.json", None),
        ("5@c0ffee.json", None),
        ("5@00C0FFEE.json", None),
        ("5@+0c0ffee.json", None),
        ("5@00c0ffee@00c0ffee.json", None),
        ("0x5.json", None),
        ("5e1.json", None),
        ("2026-03-14_notes.md", None),
        ("2026-03-14.json", None),
        ("notes.json", None),
        (".lock", None),
        (".new-00c0ffee", None),
    ] {
        assert_eq!(names::read(name), whose, "{name}");
    }
}

fn here(boot: &str, pid_ns: &str) -> Here {
    Here { boot_id: boot.into(), pid_ns: pid_ns.into() }
}

fn at(boot: &str, pid_ns: &str) -> Entry {
    let mut entry = entry(5);
    (entry.boot_id, entry.pid_ns) = (boot.into(), pid_ns.into());
    entry
}

#[test]
fn the_table_of_fates() {
    let start = entry(5).process.start;
    let us = here("b1", "100@m1");
    for (boot, pid_ns, seen, what) in [
        ("b1", "100@m1", Seen::Runs(start), Fate::Alive),
        ("b1", "100@m1", Seen::Runs(start + 1), Fate::Dead),
        ("b1", "100@m1", Seen::Gone, Fate::Dead),
        ("b1", "100@m1", Seen::Hidden, Fate::Unknown),
        // The host was renamed.
        ("b1", "100@m2", Seen::Runs(start), Fate::Alive),
        ("b1", "200@m1", Seen::Runs(start), Fate::Elsewhere),
        ("b1", "100.7@m1", Seen::Gone, Fate::Elsewhere),
        ("b2", "100@m1", Seen::Runs(start), Fate::Dead),
        ("b2", "200@m1", Seen::Gone, Fate::Elsewhere),
        // Another machine's first pid namespace has the same number.
        ("b2", "100@m2", Seen::Gone, Fate::Elsewhere),
        ("", "100@m1", Seen::Runs(start), Fate::Alive),
        ("", "100@m1", Seen::Gone, Fate::Dead),
        ("", "100@m2", Seen::Gone, Fate::Elsewhere),
        ("b1", "", Seen::Gone, Fate::Dead),
        ("b2", "", Seen::Gone, Fate::Dead),
        ("b2", "100", Seen::Gone, Fate::Dead),
    ] {
        assert_eq!(fate(&at(boot, pid_ns), &us, |_| seen), what, "{boot} {pid_ns} {seen:?}");
    }
}

#[test]
fn a_session_of_two_ways_counts_once() {
    let one = |pid: u32, patch: Patch| Entry::new(entry(pid).process, &patch);
    let supervisors = one(
        20,
        Patch::new()
            .kind(Kind::Bg)
            .text(Key::LogPath, "/jobs/1/output.log")
            .text(Key::Name, "docs")
            .time(Key::StartedAt, 7)
            .time(Key::UpdatedAt, 7)
            .status(Status::Busy, None),
    );
    let agents = one(
        10,
        Patch::new()
            .text(Key::LogPath, "/jobs/1/output.log")
            .text(Key::Name, "as the agent calls it")
            .text(Key::SessionId, "conversation")
            .text(Key::Agent, "claude")
            .time(Key::StartedAt, 5)
            .time(Key::UpdatedAt, 9)
            .status(Status::Waiting, Some("permission prompt")),
    );
    let bridge = one(11, Patch::new().text(Key::BridgeSessionId, "conversation").time(Key::StartedAt, 6));
    let another = one(12, Patch::new().text(Key::SessionId, "another").time(Key::StartedAt, 8));
    let daemon = one(13, Patch::new().kind(Kind::Daemon));
    let worker = one(14, Patch::new().kind(Kind::DaemonWorker));
    let counted = sessions(vec![daemon, another.clone(), bridge, agents, worker, supervisors]);
    assert_eq!(counted.len(), 2);
    let (first, second) = (&counted[0], &counted[1]);
    assert_eq!((first.process.pid, first.text(Key::Name)), (20, Some("docs")));
    assert_eq!((first.text(Key::Agent), first.text(Key::SessionId)), (Some("claude"), Some("conversation")));
    assert_eq!(
        (first.status(), first.text(Key::WaitingFor)),
        (Some(Status::Waiting), Some("permission prompt")),
        "what was told last"
    );
    assert_eq!(second, &another);
}

#[test]
fn an_agent_at_the_terminal_of_a_session_is_that_session() {
    let shell = Entry::new(entry(20).process, &Patch::new().text(Key::LogPath, "/jobs/1/output.log"));
    let agent = Entry::new(entry(21).process, &Patch::new().text(Key::SessionId, "conversation"));
    let yours = Entry::new(entry(31).process, &Patch::new());
    let mut found = [(agent, 20), (shell, 20), (yours, 30)];
    super::same::place_at_terminals(&mut found);
    let counted = sessions(found.map(|(entry, _)| entry).to_vec());
    let mut pids: Vec<u32> = counted.iter().map(|e| e.process.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, [20, 31]);
}

fn any_patch() -> impl Strategy<Value = Patch> {
    let change = (prop::sample::select(&Key::ALL[..]), prop::option::of("[ab]{0,2}"));
    prop::collection::vec(change, 0..6).prop_map(|changes| {
        changes.into_iter().fold(Patch::new(), |patch, (key, value)| match value {
            Some(value) => patch.text(key, &value),
            None => patch.clear(key),
        })
    })
}

/// Entries that share much.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let handle = || prop::option::of(0_u8..4);
    let one = (handle(), handle(), handle(), handle(), 0_u64..3, 0_u64..3, 0_u8..4);
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let one =
            |(n, (log, socket, session, bridge, started, updated, status)): (u32, (_, _, _, _, _, _, u8))| {
                let text = |patch: Patch, key, value: Option<u8>| match value {
                    Some(value) => patch.text(key, &format!("h{value}")),
                    None => patch,
                };
                let patch = Patch::new().time(Key::StartedAt, started).time(Key::UpdatedAt, updated);
                let patch = text(text(patch, Key::LogPath, log), Key::MessagingSocketPath, socket);
                let patch = text(text(patch, Key::SessionId, session), Key::BridgeSessionId, bridge);
                let patch = match status {
                    0 => patch,
                    1 => patch.status(Status::Busy, None),
                    2 => patch.status(Status::Idle, None),
                    _ => patch.status(Status::Waiting, Some("you")),
                };
                Entry::new(entry(n).process, &patch)
            };
        (1..).zip(all).map(one).collect()
    })
}

proptest! {
    #[test]
    fn any_name_that_is_read_is_written_the_same(pid in any::<u32>(), tag in any::<u32>(), name in "[0-9@a-f+. ]{0,6}(\\.json)?") {
        for name in names::of(pid, tag) {
            let read = names::read(&name);
            prop_assert_eq!(read.is_some(), (1..=0x7fff_ffff).contains(&pid));
            prop_assert!(read.is_none_or(|(p, t)| p == pid && t.is_none_or(|t| t == tag)));
        }
        if let Some((pid, tag)) = names::read(&name) {
            prop_assert!(names::of(pid, tag.unwrap_or(0)).contains(&name));
        }
    }

    #[test]
    fn entries_survive_their_files(patch in any_patch(), pid in 1_u32.., start in 1_u64.., boot in ".{0,8}", ns in ".{0,8}") {
        let mut entry = Entry::new(Instance { pid, start }, &patch);
        (entry.boot_id, entry.pid_ns) = (boot, ns);
        prop_assert_eq!(Entry::parse(&entry.encode()), Ok(entry));
    }

    #[test]
    fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        _ = Entry::parse(&bytes);
    }

    #[test]
    fn merging_is_idempotent_and_says_whether_it_changed_anything(old in any_patch(), new in any_patch()) {
        let mut merged = Entry::new(entry(5).process, &old);
        let before = merged.clone();
        let changed = merged.merge(&new);
        prop_assert_eq!(changed, merged != before);
        let once = merged.clone();
        prop_assert!(!merged.merge(&new));
        prop_assert_eq!(&merged, &once);
        // In two steps as in one.
        let mut together = Entry::new(entry(5).process, &Patch::new());
        together.merge(&old.and(&new));
        prop_assert_eq!(together, once);
    }

    #[test]
    fn paths_of_any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        let entry = Entry::new(entry(5).process, &Patch::new().path(Key::Cwd, &Text(bytes.clone())));
        let read = Entry::parse(&entry.encode()).expect("an entry");
        prop_assert_eq!(read.path(Key::Cwd), Some(Text(bytes)));
    }

    /// Nothing but what is known to be gone is ever called dead, from wherever it is looked at.
    #[test]
    fn nothing_that_may_live_is_dead(
        there in ("[12]?", "([12](\\.7)?)?", "(@[12])?"),
        us in ("[12]?", "([12](\\.7)?)?", "(@[12])?"),
        seen in prop_oneof![Just(Seen::Gone), Just(Seen::Hidden), (1004_u64..1007).prop_map(Seen::Runs)],
    ) {
        let file = at(&there.0, &format!("{}{}", there.1, there.2));
        let us = (here(&us.0, &format!("{}{}", us.1, us.2)), us);
        let (differs, known) = (|a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b, |t: &str| !t.is_empty());
        let (us, (boot, space, machine)) = us;
        let other_boot = differs(&there.0, &boot);
        let same_boot = known(&boot) && there.0 == boot;
        let elsewhere = differs(&there.1, &space) || (!same_boot && differs(&there.2, &machine));
        let runs = seen == Seen::Runs(file.process.start);
        match fate(&file, &us, |_| seen) {
            Fate::Dead => prop_assert!(!elsewhere && (other_boot || (!runs && seen != Seen::Hidden))),
            Fate::Alive => prop_assert!(!elsewhere && !other_boot && runs),
            Fate::Elsewhere => prop_assert!(elsewhere),
            Fate::Unknown => prop_assert!(!elsewhere && !other_boot && seen == Seen::Hidden),
        }
    }

    /// The count does not depend on the order in which the files are found; no session is lost, none counted twice.
    #[test]
    fn sessions_are_counted_alike_in_any_order(entries in any_entries(), seed in any::<u64>()) {
        let counted = sessions(entries.clone());
        let mut shuffled = entries.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap_or(0) % (i + 1));
        }
        prop_assert_eq!(&sessions(shuffled), &counted);
        // Counting what was counted changes nothing, and every process that was given is one of theirs or joined to one.
        prop_assert_eq!(sessions(counted.clone()).len(), counted.len());
        let handle = |e: &Entry, key| e.text(key).map(|t| (matches!(key, Key::LogPath), matches!(key, Key::MessagingSocketPath), t.to_owned()));
        let keys = [Key::LogPath, Key::MessagingSocketPath, Key::SessionId, Key::BridgeSessionId];
        for e in &entries {
            let alone = keys.iter().all(|key| handle(e, *key).is_none());
            let there = counted.iter().any(|c| c.process == e.process);
            prop_assert!(!alone || there);
        }
        prop_assert!(counted.len() <= entries.len());
    }
}
