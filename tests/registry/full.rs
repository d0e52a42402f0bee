//! Disks that are full, and folders that cannot be written.

use crate::support::{Home, run};
use abide::core::record::Instance;
use abide::core::registry::{Entry, Key, Patch};
use abide::registry::Registry;
use abide::sys::process::start_time;
use std::path::Path;
use std::process::Command;

/// Names the folder of the test that started this program again.
const FOLDER: &str = "TEST_REGISTRY_FOLDER";

/// Runs a test of this file in a mount namespace of its own, on a file system of one MiB.
fn on_a_small_disk(test: &str) {
    if cfg!(not(target_os = "linux")) || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root, and on Linux, can mount a small file system");
        return;
    }
    let home = Home::new();
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).expect("folder");
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "sh", "-ec", "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$0\"; exec \"$@\""]);
    inside.arg(&disk).arg(std::env::current_exe().expect("us"));
    inside.args(["--ignored", "--exact", "--nocapture", &format!("registry::full::{test}")]);
    let output = run(inside.env(FOLDER, &disk));
    assert!(output.ok().contains("1 passed"), "{output}");
}

#[test]
fn a_full_disk_costs_no_session_and_no_file() {
    on_a_small_disk("on_a_full_disk");
}

#[test]
fn a_disk_that_cannot_be_written_is_counted_all_the_same() {
    on_a_small_disk("on_a_read_only_disk");
}

fn registry() -> (Registry, std::path::PathBuf) {
    let root = std::env::var_os(FOLDER).expect("started by another test");
    let root = Path::new(&root);
    let paths = abide::paths::Paths {
        runtime: root.join("run"),
        state: root.join("state"),
        config: root.join("config"),
        home: None,
    };
    (Registry::of(&paths), root.to_owned())
}

fn me() -> Instance {
    Instance { pid: std::process::id(), start: start_time(std::process::id()) }
}

fn count(registry: &Registry) -> usize {
    registry.live().expect("counted").len()
}

/// One that is alive and one that is dead.
fn register(registry: &Registry) {
    registry.register(&Entry::new(me(), &Patch::new().text(Key::Name, "before"))).expect("registered");
    let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
    let process = Instance { pid: child.id(), start: start_time(child.id()) };
    registry.register(&Entry::new(process, &Patch::new())).expect("registered");
    assert_eq!(count(registry), 2);
    child.kill().expect("SIGKILL");
    child.wait().expect("reaped");
}

#[test]
#[ignore = "run by another test on a small disk"]
fn on_a_full_disk() {
    let (registry, root) = registry();
    register(&registry);
    let filler = std::fs::write(root.join("filler"), vec![0; 2 << 20]).expect_err("full");
    assert_eq!(filler.kind(), std::io::ErrorKind::StorageFull);
    let Instance { pid, start } = me();
    let error = registry.update(pid, start, &Patch::new().text(Key::Name, "after")).expect_err("full");
    assert!(error.to_string().contains("cannot write"), "{error}");
    // What was there is there, the dead are swept all the same, and nothing half-written is left.
    assert_eq!(count(&registry), 1);
    let mut names: Vec<String> = std::fs::read_dir(root.join("state/sessions"))
        .expect("list")
        .map(|name| name.expect("a name").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, [".lock".to_owned(), format!("{pid}.json")]);
    let entry = registry.entry_of(pid, start).expect("registered");
    assert_eq!(entry.text(Key::Name), Some("before"));
    std::fs::remove_file(root.join("filler")).expect("room again");
    assert!(registry.update(pid, start, &Patch::new().text(Key::Name, "after")).expect("written"));
}

#[test]
#[ignore = "run by another test on a small disk"]
fn on_a_read_only_disk() {
    let (registry, root) = registry();
    register(&registry);
    let mount = Command::new("mount").args(["-o", "remount,ro"]).arg(&root).status().expect("mount");
    assert!(mount.success());
    let Instance { pid, start } = me();
    assert_eq!(count(&registry), 1);
    registry.update(pid, start, &Patch::new().text(Key::Name, "after")).expect_err("read-only");
    registry.remove(pid, start).expect_err("read-only");
    assert!(registry.update(pid, start, &Patch::new().text(Key::Name, "before")).expect("nothing to write"));
    assert_eq!(count(&registry), 1);
}
