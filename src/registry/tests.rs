use super::*;
use crate::core::registry::Status;
use crate::sys::process::start_time;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};

struct Lab {
    dir: tempfile::TempDir,
    registry: Registry,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let registry = Registry::of(&paths(dir.path()));
        Self { dir, registry }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("sessions")
    }

    /// What is in the folder, but for the lock.
    fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder()).expect("list");
        let names = names.map(|n| n.expect("entry").file_name().into_string().expect("text"));
        let mut names: Vec<String> = names.filter(|n| n != ".lock").collect();
        names.sort();
        names
    }

    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.registry.live().expect("live").iter().map(|e| e.process.pid).collect();
        pids.sort_unstable();
        pids
    }

    fn put(&self, name: &str, content: &str) {
        folder::prepare(self.dir.path(), &self.folder()).expect("folder");
        std::fs::write(self.folder().join(name), content).expect("write");
    }
}

fn paths(root: &Path) -> Paths {
    Paths { runtime: root.join("run"), state: root.into(), config: root.join("config"), home: None }
}

/// A process that lives until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat"))
    }

    fn process(&self) -> Instance {
        Instance { pid: self.0.id(), start: start_time(self.0.id()) }
    }

    fn kill(mut self) -> Instance {
        let process = self.process();
        self.0.kill().expect("kill");
        self.0.wait().expect("wait");
        process
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn me() -> Instance {
    Instance { pid: std::process::id(), start: start_time(std::process::id()) }
}

#[test]
fn a_session_is_registered_changed_and_removed() {
    let lab = Lab::new();
    assert!(lab.pids().is_empty(), "without a folder");
    assert!(!lab.folder().exists(), "counting makes none");
    let Instance { pid, start } = me();
    assert!(!lab.registry.update(pid, start, &Patch::new().text(Key::Name, "x")).expect("update"));
    assert!(!lab.registry.remove(pid, start).expect("remove"));
    assert!(!lab.folder().exists(), "neither do they");
    let patch = Patch::new().text(Key::Agent, "claude").text(Key::Name, "docs");
    lab.registry.register(&Entry::new(me(), &patch)).expect("register");
    let mode = |path: &Path| std::fs::metadata(path).expect("stat").permissions().mode() & 0o7777;
    let file = lab.folder().join(format!("{pid}.json"));
    assert_eq!((mode(&lab.folder()), mode(&file)), (0o700, 0o600));
    assert_eq!(lab.registry.agent_at(pid, start).as_deref(), Some("claude"));
    assert_eq!(lab.registry.agent_at(pid, start + 1), None);
    let [entry] = lab.registry.live().expect("live").try_into().expect("one");
    assert_eq!((entry.boot_id.as_str(), entry.pid_ns.as_str()), (&*here().boot_id, &*here().pid_ns));
    assert!(entry.time(Key::StartedAt) > 0 && entry.time(Key::UpdatedAt) >= entry.time(Key::StartedAt));

    // A second registration, by the supervisor for one, adds to it.
    let started = entry.time(Key::StartedAt);
    lab.registry
        .register(&Entry::new(me(), &Patch::new().text(Key::LogPath, "/log").time(Key::StartedAt, started)))
        .expect("again");
    assert!(
        lab.registry.update(pid, start, &Patch::new().status(Status::Waiting, Some("you"))).expect("update")
    );
    assert!(!lab.registry.update(pid, start + 1, &Patch::new().clear(Key::Name)).expect("another process"));
    let [entry] = lab.registry.live().expect("live").try_into().expect("one");
    assert_eq!((entry.text(Key::Name), entry.text(Key::LogPath)), (Some("docs"), Some("/log")));
    assert_eq!((entry.status(), entry.text(Key::WaitingFor)), (Some(Status::Waiting), Some("you")));
    assert!(!lab.registry.remove(pid, start + 1).expect("another process"));
    assert!(lab.registry.remove(pid, start).expect("remove"));
    assert!(lab.pids().is_empty() && lab.files().is_empty());
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let lab = Lab::new();
    let Instance { pid, start } = me();
    let entry = Entry::new(me(), &Patch::new().text(Key::Name, "docs"));
    lab.registry.register(&entry).expect("register");
    let file = lab.folder().join(format!("{pid}.json"));
    // Every write is a new file.
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&file).expect("stat"));
    let kept = std::fs::hard_link(&file, lab.folder().join("kept.txt"));
    kept.expect("so that the number is not given again");
    let before = inode();
    lab.registry.register(&entry).expect("register");
    lab.registry
        .update(pid, start, &Patch::new().text(Key::Name, "docs").clear(Key::Status))
        .expect("update");
    assert_eq!(inode(), before);
    lab.registry.update(pid, start, &Patch::new().text(Key::Name, "other")).expect("update");
    assert_ne!(inode(), before);
}

#[test]
fn the_dead_are_swept_and_nobody_else() {
    let lab = Lab::new();
    let alive = Sleeper::new();
    let process = alive.process();
    lab.registry.register(&Entry::new(process, &Patch::new())).expect("register");
    let doomed = Sleeper::new();
    lab.registry.register(&Entry::new(doomed.process(), &Patch::new())).expect("register");
    assert_eq!(lab.pids().len(), 2);
    let dead = doomed.kill();
    let json =
        |pid: u32, start: u64, more: &str| format!("{{\"pid\":{pid},\"procStart\":\"{start}\"{more}}}");
    let boot = here().boot_id;
    let others = [
        ("2026-03-14_notes.md", json(dead.pid, 1, "")),
        ("007.json", json(7, 1, "")),
        ("+5.json", json(5, 1, "")),
        ("5.json.bak", json(5, 1, "")),
        // None of these processes can be there.
        ("2147483640.json", "{\"pid\":2147483640,\"procStart\":".into()),
        ("2147483641.json", String::new()),
        ("2147483642.json", json(2_147_483_641, 1, "")),
        ("2147483643.json", json(2_147_483_643, 1, &format!(",\"pidNs\":\"1\",\"bootId\":\"{boot}\""))),
        ("2147483644.json", json(2_147_483_644, 1, ",\"pidNs\":\"1\",\"bootId\":\"another\"")),
        ("2147483645@00000000.json", json(2_147_483_645, 1, "")),
    ];
    others.iter().for_each(|(name, content)| lab.put(name, content));
    let swept = [
        ("2147483646.json", json(2_147_483_646, 1, "")),
        (
            "2147483647.json",
            json(2_147_483_647, 1, &format!(",\"bootId\":\"another\",\"pidNs\":\"{}\"", here().pid_ns)),
        ),
    ];
    swept.iter().for_each(|(name, content)| lab.put(name, content));
    lab.put(&format!("{}.json", me().pid), &json(me().pid, me().start + 1, ""));
    assert_eq!(lab.pids(), [process.pid]);
    let mut left: Vec<String> = others.iter().map(|(name, _)| (*name).to_owned()).collect();
    left.push(format!("{}.json", process.pid));
    left.sort();
    assert_eq!(lab.files(), left);
    for (name, content) in &others {
        assert_eq!(std::fs::read_to_string(lab.folder().join(name)).expect(name), *content);
    }
}

/// Whatever is in its place stays, and the session is registered beside it.
#[test]
fn hostile_files_are_neither_followed_nor_read_nor_removed() {
    type Make = fn(&Path, &Path);
    let makes: [(&str, Make); 7] = [
        ("folder", |path, _| std::fs::create_dir(path).expect("folder")),
        ("fifo", |path, _| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("fifo")),
        ("link", |path, target| symlink(target, path).expect("link")),
        ("dangling link", |path, target| symlink(target.join("none"), path).expect("link")),
        ("socket", |path, _| drop(std::os::unix::net::UnixListener::bind(path).expect("bind"))),
        ("huge", |path, _| {
            std::fs::File::create(path).and_then(|file| file.set_len(8 << 30)).expect("sparse");
        }),
        ("garbage", |path, _| std::fs::write(path, "{\"pid\": 1, ").expect("write")),
    ];
    for (what, make) in makes {
        let lab = Lab::new();
        folder::prepare(lab.dir.path(), &lab.folder()).expect("folder");
        let Instance { pid, start } = me();
        let target = lab.dir.path().join("target");
        let content = format!("{{\"pid\":{pid},\"procStart\":\"{start}\"}}");
        std::fs::write(&target, &content).expect("write");
        let path = lab.folder().join(format!("{pid}.json"));
        make(&path, &target);
        let before = std::fs::symlink_metadata(&path).expect("stat");
        assert!(lab.pids().is_empty(), "{what}");
        assert_eq!(lab.registry.agent_at(pid, start), None, "{what}");
        assert!(!lab.registry.remove(pid, start).expect("remove"), "{what}");
        lab.registry.register(&Entry::new(me(), &Patch::new().text(Key::Agent, "x"))).expect(what);
        assert_eq!(lab.registry.agent_at(pid, start).as_deref(), Some("x"), "{what}");
        lab.registry.update(pid, start, &Patch::new().text(Key::Agent, "y")).expect(what);
        assert_eq!((lab.pids(), lab.files().len()), (vec![pid], 2), "{what}");
        assert!(lab.registry.remove(pid, start).expect("remove"), "{what}");
        let after = std::fs::symlink_metadata(&path).expect("stat");
        let id = |m: &std::fs::Metadata| (std::os::unix::fs::MetadataExt::ino(m), m.len(), m.file_type());
        assert_eq!(id(&before), id(&after), "{what}");
        assert_eq!(std::fs::read_to_string(&target).expect("read"), content, "{what}");
    }
}

#[test]
fn two_places_share_a_folder_and_leave_each_other_alone() {
    let lab = Lab::new();
    let there = Here { pid_ns: "1@00000000".into(), ..here() };
    let other = Registry::seen_from(&paths(lab.dir.path()), there);
    let Instance { pid, start } = me();
    let named = |name: &str| Entry::new(me(), &Patch::new().text(Key::Name, name));
    other.register(&named("theirs")).expect("register");
    assert!(lab.pids().is_empty());
    lab.registry.register(&named("ours")).expect("register");
    assert_eq!(lab.files().len(), 2);
    for (registry, name) in [(&lab.registry, "ours"), (&other, "theirs")] {
        let [entry] = registry.live().expect("live").try_into().expect("one");
        assert_eq!(entry.text(Key::Name), Some(name));
    }
    assert!(lab.registry.remove(pid, start).expect("remove"));
    assert_eq!(other.live().expect("live").len(), 1);
    assert_eq!(lab.files(), [format!("{pid}.json")]);
}

#[test]
fn a_late_caller_does_not_take_the_file_of_whoever_has_the_id_now() {
    let lab = Lab::new();
    let Instance { pid, start } = me();
    lab.registry.register(&Entry::new(me(), &Patch::new().text(Key::Name, "now"))).expect("register");
    let late = Instance { pid, start: start - 1 };
    let error = lab.registry.register(&Entry::new(late, &Patch::new())).expect_err("gone");
    assert!(matches!(error, RegistryError::Gone(p) if p == pid), "{error}");
    assert!(!lab.registry.remove(pid, start - 1).expect("remove"));
    let [entry] = lab.registry.live().expect("live").try_into().expect("one");
    assert_eq!(entry.text(Key::Name), Some("now"));
}

#[test]
fn a_lock_that_somebody_keeps_is_an_error_soon_and_no_obstacle_to_counting() {
    let lab = Lab::new();
    let Instance { pid, start } = me();
    lab.registry.register(&Entry::new(me(), &Patch::new())).expect("register");
    lab.put("2147483646.json", "{\"pid\":2147483646,\"procStart\":\"1\"}");
    let held = Lock::wait(&lab.folder().join(".lock")).expect("lock");
    let error = lab.registry.update(pid, start, &Patch::new().text(Key::Name, "x")).expect_err("held");
    assert!(matches!(error, RegistryError::Busy(_)), "{error}");
    assert_eq!((lab.pids(), lab.files().len()), (vec![pid], 2), "counted, and swept later");
    drop(held);
    assert_eq!((lab.pids(), lab.files().len()), (vec![pid], 1));
}

#[test]
fn a_folder_that_others_can_write_is_not_trusted() {
    let lab = Lab::new();
    lab.registry.register(&Entry::new(me(), &Patch::new())).expect("register");
    std::fs::set_permissions(lab.folder(), std::fs::Permissions::from_mode(0o777)).expect("chmod");
    let error = lab.registry.live().expect_err("open").to_string();
    assert!(error.contains("can be written by others (mode 0777)"), "{error}");
    let error = lab.registry.register(&Entry::new(me(), &Patch::new())).expect_err("open").to_string();
    assert!(error.contains("chmod 700"), "{error}");
    // One that others can read is closed at the next write.
    std::fs::set_permissions(lab.folder(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(lab.pids(), [me().pid]);
    lab.registry.register(&Entry::new(me(), &Patch::new())).expect("closed");
    assert_eq!(std::fs::metadata(lab.folder()).expect("stat").permissions().mode() & 0o777, 0o700);
    // A link in its place is not followed.
    let aside = lab.dir.path().join("aside");
    std::fs::rename(lab.folder(), &aside).expect("move");
    symlink(&aside, lab.folder()).expect("link");
    lab.registry.live().expect_err("a link");
    lab.registry.register(&Entry::new(me(), &Patch::new())).expect_err("a link");
}

#[test]
fn what_a_killed_writer_left_is_swept_when_it_is_old() {
    let lab = Lab::new();
    lab.put(".new-00000001", "{");
    lab.put(".new-00000002", "{");
    lab.put(".new-notes", "{");
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    for name in [".new-00000001", ".new-notes"] {
        let file = std::fs::File::options().write(true).open(lab.folder().join(name)).expect("open");
        file.set_modified(old).expect("touch");
    }
    assert!(lab.pids().is_empty());
    assert_eq!(lab.files(), [".new-00000002", ".new-notes"]);
}

#[test]
fn writers_at_once_lose_nothing() {
    const WRITERS: usize = 4;
    const EACH: usize = 50;
    let lab = Lab::new();
    let Instance { pid, start } = me();
    lab.registry.register(&Entry::new(me(), &Patch::new())).expect("register");
    // Each changes keys of its own, so that every last value must be there in the end.
    let keys = [Key::Name, Key::SessionId, Key::Entrypoint, Key::WaitingFor];
    std::thread::scope(|scope| {
        for key in keys {
            let registry = &lab.registry;
            scope.spawn(move || {
                for n in 0..EACH {
                    // On a machine that is busy enough the lock may take too long: that is said, and tried again.
                    while registry.update(pid, start, &Patch::new().text(key, &n.to_string())).is_err() {}
                }
            });
        }
    });
    let entry = lab.registry.entry_of(pid, start).expect("registered");
    let last = (EACH - 1).to_string();
    assert_eq!(keys.map(|key| entry.text(key)), [Some(last.as_str()); WRITERS]);
    assert_eq!(lab.files().len(), 1);
}
