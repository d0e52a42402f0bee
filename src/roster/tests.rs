//! The roster as a whole: what is written comes back, and what is broken costs as little as it can.

use super::{Loaded, Store};
use crate::core::action::Entry;
use crate::core::id::SessionId;
use crate::core::record::Record;
use crate::paths::Paths;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

struct Home {
    dir: tempfile::TempDir,
    store: Store,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let store = Store::open(&paths(dir.path())).expect("store");
        Self { dir, store }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("state").join(name)
    }
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("write");
    }
    /// Loads without any message.
    fn load(&self) -> Vec<Record> {
        let loaded = self.store.load();
        assert_eq!(loaded.messages, Vec::<String>::new());
        loaded.records
    }
}

fn paths(dir: &Path) -> Paths {
    Paths { runtime: dir.join("run"), state: dir.join("state"), config: dir.join("config"), home: None }
}

/// A record for folder `id` with this revision.
fn record(id: u32, revision: u64) -> Record {
    let json = include_str!("../../tests/data/v1/state.json");
    let mut record: Record = serde_json::from_str(json).expect("fixture");
    record.id = SessionId::from_bits(id);
    record.revision = revision;
    record.detail = format!("revision {revision}");
    record
}

#[test]
fn what_is_saved_is_loaded_and_private() {
    let home = Home::new();
    assert_eq!(home.load(), []);
    let (a, b) = (record(2, 1), record(1, 1));
    home.store.save(&a).expect("a");
    home.store.save(&b).expect("b");
    let newer = record(2, 2);
    home.store.save(&newer).expect("a again");
    assert_eq!(home.load(), [b, newer]);
    assert!(!home.store.is_free(SessionId::from_bits(1)) && home.store.is_free(SessionId::from_bits(3)));
    for (name, mode) in [
        ("jobs", 0o700),
        ("jobs/00000001", 0o700),
        ("jobs/00000001/tmp", 0o700),
        ("jobs/00000001/state.json", 0o600),
    ] {
        let meta = std::fs::metadata(home.path(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn the_later_of_two_copies_counts() {
    let home = Home::new();
    for (in_folder, in_roster, used) in [(1, 2, 2), (2, 1, 2), (3, 3, 3)] {
        home.store.save(&record(1, in_folder)).expect("save");
        home.store.save_roster(&[record(1, in_roster)]).expect("roster");
        assert_eq!(home.load(), [record(1, used)]);
    }
}

#[test]
fn an_unreadable_record_is_set_aside_and_the_copy_is_used() {
    let home = Home::new();
    let whole = serde_json::to_vec(&record(1, 5)).expect("json");
    let other = serde_json::to_vec(&record(9, 5)).expect("json");
    let broken: [&[u8]; 6] = [b"", b"\0\xff garbage", b"{}", b"null", &whole[..whole.len() / 2], &other];
    for (n, content) in broken.iter().enumerate() {
        home.store.save(&record(1, 5)).expect("save");
        home.store.save_roster(&[record(1, 4)]).expect("roster");
        home.write("jobs/00000001/state.json", content);
        let loaded = home.store.load();
        assert_eq!(loaded.records, [record(1, 4)], "the copy");
        let [message] = loaded.messages.as_slice() else { panic!("{:?}", loaded.messages) };
        let aside = format!("state.json.unreadable-{}", n + 1);
        assert!(message.contains(&aside) && message.contains("copy is used"), "{message}");
        assert_eq!(std::fs::read(home.path("jobs/00000001").join(aside)).expect("kept"), *content);
        // Loading again finds nothing more to complain about.
        assert_eq!(home.load(), [record(1, 4)]);
    }
    home.store.save(&record(1, 6)).expect("a new one takes its place");
    assert_eq!(home.load(), [record(1, 6)]);
}

#[test]
fn an_unreadable_roster_is_set_aside_and_the_folders_count() {
    let home = Home::new();
    home.store.save(&record(1, 5)).expect("save");
    home.store.save_roster(&[record(1, 5)]).expect("roster");
    let whole = std::fs::read(home.path("roster.json")).expect("roster");
    let later = br#"{"version": 9, "fleet": {}}"#;
    let broken: [&[u8]; 4] = [b"", b"{\"sessions\":", &whole[..whole.len() - 5], later];
    for (n, content) in broken.iter().enumerate() {
        home.write("roster.json", content);
        let loaded = home.store.load();
        assert_eq!(loaded.records, [record(1, 5)]);
        assert_eq!(loaded.messages.len(), 1, "{:?}", loaded.messages);
        let aside = home.path(&format!("roster.json.unreadable-{}", n + 1));
        assert_eq!(std::fs::read(aside).expect("kept"), *content);
    }
    assert!(!home.path("roster.json").exists());
}

#[test]
fn a_later_version_that_can_be_read_is_kept() {
    let home = Home::new();
    let mut later = serde_json::to_value(record(1, 5)).expect("json");
    later["version"] = 2.into();
    later["quota"] = 7.into();
    home.store.save(&record(1, 1)).expect("save");
    home.write("jobs/00000001/state.json", later.to_string());
    let [loaded] = home.load().try_into().expect("one");
    home.store.save(&loaded).expect("written back");
    let back = std::fs::read(home.path("jobs/00000001/state.json")).expect("read");
    let back: serde_json::Value = serde_json::from_slice(&back).expect("json");
    assert_eq!(back, later);
}

#[test]
fn links_and_strange_names_are_not_followed() {
    let home = Home::new();
    home.store.save(&record(1, 5)).expect("save");
    let outside = home.dir.path().join("outside");
    std::fs::rename(home.path("jobs/00000001"), &outside).expect("away");
    symlink(&outside, home.path("jobs/00000001")).expect("link");
    for strange in ["lost+found", "0000000G", "000000010", "..."] {
        std::fs::create_dir(home.path("jobs").join(strange)).expect("folder");
    }
    let loaded = home.store.load();
    assert_eq!(loaded.records, []);
    assert_eq!(loaded.messages.len(), 1, "{:?}", loaded.messages);
    home.store.save(&record(1, 6)).expect_err("a link is not written through");
    assert!(outside.join("state.json").exists());

    home.store.save(&record(2, 5)).expect("save");
    std::fs::remove_file(home.path("jobs/00000002/state.json")).expect("remove");
    symlink(outside.join("state.json"), home.path("jobs/00000002/state.json")).expect("link");
    let loaded = home.store.load();
    assert_eq!(loaded.records, []);
    assert!(loaded.messages.iter().any(|m| m.contains("state.json.unreadable-1")), "{:?}", loaded.messages);
    assert!(outside.join("state.json").exists());
}

#[test]
fn a_removal_is_finished_wherever_it_was_cut() {
    let home = Home::new();
    home.store.save(&record(1, 1)).expect("save");
    home.store.save_roster(&[record(1, 1)]).expect("roster");
    // As a kill right after the rename leaves it; the roster still has its copy.
    std::fs::rename(home.path("jobs/00000001"), home.path("jobs/.removing-00000001")).expect("rename");
    assert!(!home.store.is_free(SessionId::from_bits(1)), "its id is not given to another yet");
    let loaded = home.store.load();
    assert_eq!(loaded, Loaded { without_folder: vec![record(1, 1)], ..Loaded::default() });
    assert!(!home.path("jobs/.removing-00000001").exists());
    home.store.save(&record(2, 1)).expect("save");
    home.store.remove(SessionId::from_bits(2)).expect("remove");
    assert!(home.store.is_free(SessionId::from_bits(2)));
}

#[test]
fn a_folder_that_never_had_a_record_is_cleaned_up_and_any_other_is_not() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("jobs/00000001/tmp")).expect("bare");
    home.write("jobs/00000001/.state.json.new", "half a rec");
    std::fs::create_dir_all(home.path("jobs/00000002/tmp")).expect("not bare");
    home.write("jobs/00000002/output.00000000000000000000.log", "output");
    let loaded = home.store.load();
    assert_eq!(loaded.records, []);
    assert_eq!(loaded.messages.len(), 1, "{:?}", loaded.messages);
    assert!(!home.path("jobs/00000001").exists() && home.path("jobs/00000002").exists());
}

#[test]
fn events_go_to_the_journal_and_to_the_timeline() {
    let home = Home::new();
    home.store.save(&record(1, 1)).expect("save");
    let entry = |seq, id: Option<u32>| Entry {
        seq,
        at_ms: 0,
        id: id.map(SessionId::from_bits),
        name: String::new(),
        event: "state".into(),
        state: None,
        text: String::new(),
        by: String::new(),
        request: String::new(),
    };
    for (seq, id) in [(1, None), (2, Some(1)), (3, Some(77))] {
        home.store.append(&entry(seq, id)).expect("append");
    }
    let recent = home.store.recent_events(2).expect("tail");
    assert_eq!(recent, [entry(2, Some(1)), entry(3, Some(77))]);
    let timeline = std::fs::read_to_string(home.path("jobs/00000001/timeline.jsonl")).expect("timeline");
    assert_eq!(timeline.lines().count(), 1);
    assert!(!home.path("jobs/0000004d").exists(), "no folder comes back by an event");
}

/// Name of the variable that tells `on_a_full_disk` its folder.
const FULL: &str = "ABIDE_TEST_FULL_DISK";

/// Runs `on_a_full_disk` in a process that may not write a single byte to any file.
#[test]
fn a_full_disk_loses_nothing() {
    let home = Home::new();
    home.store.save(&record(1, 1)).expect("save");
    home.store.save_roster(&[record(1, 1)]).expect("roster");
    let this = std::env::current_exe().expect("this program");
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 0; exec \"$0\" --ignored --exact roster::tests::on_a_full_disk",
        ])
        .arg(this)
        .env(FULL, home.dir.path())
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(home.load(), [record(1, 1)]);
}

#[test]
#[ignore = "run by a_full_disk_loses_nothing under a limit"]
fn on_a_full_disk() {
    let dir = PathBuf::from(std::env::var_os(FULL).expect("started by the other test"));
    let store = Store::open(&paths(&dir)).expect("store");
    let error = store.save(&record(1, 2)).expect_err("full");
    assert!(error.to_string().contains("cannot write"), "{error}");
    store.save(&record(2, 1)).expect_err("full");
    assert!(store.is_free(SessionId::from_bits(2)), "nothing of a dispatch that failed is left");
    store.save_roster(&[]).expect_err("full");
    assert_eq!(store.load().records, [record(1, 1)]);
    store.remove(SessionId::from_bits(1)).expect("removing needs no space");
    assert_eq!(store.load().without_folder, [record(1, 1)]);
    // The other test expects the record to be there.
    std::fs::create_dir(dir.join("state/jobs/00000001")).expect("folder");
}
