//! Two hundred sessions that register, are renamed and die at random, with ids that come again at once.

use crate::support::Home;
use abide::core::record::Instance;
use abide::core::registry::{Entry, Key, Patch, Status};
use abide::registry::Registry;
use abide::sys::process::start_time;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names the folder of the test that started this program again.
const FOLDER: &str = "TEST_REGISTRY_FOLDER";
/// Sessions at the same time, at most.
const SESSIONS: usize = 200;
/// Things that happen once there are so many.
const STEPS: usize = 500;

/// In a pid namespace of its own, where the test says which id comes next.
#[test]
fn the_count_is_right_while_sessions_come_and_go_and_ids_come_again() {
    if cfg!(not(target_os = "linux")) || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root, and on Linux, can make a pid namespace");
        return;
    }
    let home = Home::new();
    let mut inside = Command::new("unshare");
    inside
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(std::env::current_exe().expect("us"));
    inside.args(["--ignored", "--exact", "--nocapture", "registry::random::in_a_pid_namespace"]);
    let output = crate::support::run(inside.env(FOLDER, home.path()));
    assert!(output.ok().contains("1 passed"), "{output}");
}

#[test]
#[ignore = "run by the test above, in a pid namespace of its own"]
fn in_a_pid_namespace() {
    let root = std::env::var_os(FOLDER).expect("started by the other test");
    let mut world = World::new(Path::new(&root));
    while world.alive.len() < SESSIONS {
        world.begin();
    }
    for step in 0..STEPS {
        world.step();
        world.check(step);
    }
    assert!(world.reused > 20, "ids that came again: {}", world.reused);
    while let Some(pid) = world.alive.keys().next().copied() {
        world.kill(pid);
    }
    world.check(STEPS);
    world.writers.iter_mut().for_each(|writer| writer.end());
    world.check_foreign();
}

/// A session: its process, and what it was called last.
struct Session {
    child: Child,
    name: String,
}

struct World {
    registries: Vec<Registry>,
    folder: std::path::PathBuf,
    alive: BTreeMap<u32, Session>,
    /// Killed lately: their ids are to come again, with the start times that they had.
    dead: Vec<Instance>,
    /// Processes that write beside it, and are killed in the middle.
    writers: Vec<Writer>,
    foreign: Vec<(String, String)>,
    reused: usize,
    names: usize,
    seed: u64,
}

impl World {
    fn new(root: &Path) -> Self {
        let home = abide::paths::Paths {
            runtime: root.join("run"),
            state: root.join("state"),
            config: root.join("config"),
            home: None,
        };
        let folder = home.sessions();
        // Several handles: each locks for itself, like a program of its own.
        let registries: Vec<Registry> = (0..4).map(|_| Registry::of(&home)).collect();
        let me = Instance { pid: std::process::id(), start: start_time(std::process::id()) };
        registries[0].register(&Entry::new(me, &Patch::new())).expect("makes the folder");
        registries[0].remove(me.pid, me.start).expect("removed");
        let json = |pid: u32, more: &str| format!("{{\"pid\":{pid},\"procStart\":\"1\"{more}}}");
        let foreign: Vec<(String, String)> = [
            ("2026-03-14_notes.md", "notes".to_owned()),
            ("007.json", json(7, "")),
            ("+5.json", json(5, "")),
            ("5.json.bak", json(5, "")),
            // Of another container on this machine, and of another machine.
            ("30001.json", json(30_001, &format!(",\"bootId\":\"{}\",\"pidNs\":\"1\"", boot()))),
            ("30002.json", json(30_002, ",\"bootId\":\"another\",\"pidNs\":\"1@00000000\"")),
            // Cut off, and of a later version.
            ("30003.json", "{\"pid\":30003,\"procSta".to_owned()),
            ("30004.json", "{\"pid\":{\"local\":30004},\"procStart\":\"1\"}".to_owned()),
        ]
        .map(|(name, content)| (name.to_owned(), content))
        .into();
        for (name, content) in &foreign {
            std::fs::write(folder.join(name), content).expect("written");
        }
        let seed = u64::from(std::process::id()) ^ abide::sys::clock::wall_ms();
        println!("seed {seed}");
        let writers = (0..2).map(|_| Writer::start(root)).collect();
        Self {
            registries,
            folder,
            alive: BTreeMap::new(),
            dead: Vec::new(),
            writers,
            foreign,
            reused: 0,
            names: 0,
            seed,
        }
    }

    /// A number below `n`.
    fn random(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).expect("fits") % n
    }

    fn registry(&mut self) -> Registry {
        let which = self.random(self.registries.len());
        self.registries[which].clone()
    }

    fn some(&mut self) -> Option<u32> {
        let n = self.alive.len();
        if n == 0 {
            return None;
        }
        let which = self.random(n);
        self.alive.keys().nth(which).copied()
    }

    fn step(&mut self) {
        let full = self.alive.len() >= SESSIONS;
        let busy = self.random(self.writers.len());
        self.writers[busy].go_on();
        match self.random(20) {
            0..=9 if !full => self.begin(),
            0..=12 => {
                if let Some(pid) = self.some() {
                    self.rename(pid);
                }
            }
            13..=17 => {
                if let Some(pid) = self.some() {
                    self.kill(pid);
                }
            }
            18 => {
                if let Some(pid) = self.some() {
                    self.leave(pid);
                }
            }
            _ => {
                // In the middle of whatever it writes.
                self.writers[busy].again();
            }
        }
    }

    /// A session begins, by the id of one that died where one did.
    fn begin(&mut self) {
        let before = if self.dead.is_empty() { None } else { Some(self.dead.swap_remove(0)) };
        let child = loop {
            if let Some(before) = before {
                // The kernel gives the next free id after this one.
                let last = (before.pid - 1).to_string();
                std::fs::write("/proc/sys/kernel/ns_last_pid", last).expect("root may");
            }
            let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
            // Start times are counted in hundredths of a second: of two processes with one id and one start time
            // nobody could tell which is meant.
            let (pid, start) = (child.id(), start_time(child.id()));
            match before {
                Some(before) if before.pid == pid && before.start == start => end(child),
                _ => break child,
            }
        };
        let pid = child.id();
        self.reused += usize::from(before.is_some_and(|before| before.pid == pid));
        let start = start_time(pid);
        let name = self.name();
        let registry = self.registry();
        let patch =
            Patch::new().text(Key::Name, &name).text(Key::SessionId, &format!("conversation of {name}"));
        done(|| registry.register(&Entry::new(Instance { pid, start }, &patch)));
        if self.random(2) == 0 {
            // By a second way: the same process, and a log.
            let again = Patch::new().text(Key::LogPath, &format!("/log/{name}")).status(Status::Busy, None);
            let registry = self.registry();
            done(|| registry.register(&Entry::new(Instance { pid, start }, &again)));
        }
        self.alive.insert(pid, Session { child, name });
    }

    fn rename(&mut self, pid: u32) {
        let (name, registry) = (self.name(), self.registry());
        let patch = Patch::new().text(Key::Name, &name).status(Status::Waiting, Some("permission prompt"));
        assert!(done(|| registry.update(pid, start_time(pid), &patch)), "{pid} is registered");
        self.alive.get_mut(&pid).expect("alive").name = name;
    }

    /// By SIGKILL: nobody takes its file away.
    fn kill(&mut self, pid: u32) {
        let session = self.alive.remove(&pid).expect("alive");
        self.dead.push(Instance { pid, start: start_time(pid) });
        end(session.child);
    }

    /// In order.
    fn leave(&mut self, pid: u32) {
        let session = self.alive.remove(&pid).expect("alive");
        let registry = self.registry();
        assert!(done(|| registry.remove(pid, start_time(pid))), "{pid} is registered");
        end(session.child);
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("name {}", self.names)
    }

    fn check(&mut self, step: usize) {
        let writers: Vec<u32> = self.writers.iter().map(Writer::pid).collect();
        let listed = self.registry().live().expect("counted");
        let listed: BTreeMap<u32, String> = listed
            .iter()
            // Those of the writers come and go by themselves.
            .filter(|e| e.text(Key::Entrypoint) != Some(WRITER) && !writers.contains(&e.process.pid))
            .map(|e| (e.process.pid, e.text(Key::Name).unwrap_or_default().to_owned()))
            .collect();
        let alive: BTreeMap<u32, String> = self.alive.iter().map(|(pid, s)| (*pid, s.name.clone())).collect();
        assert_eq!(listed, alive, "step {step}");
        if step.is_multiple_of(50) {
            self.check_foreign();
        }
    }

    fn check_foreign(&self) {
        for (name, content) in &self.foreign {
            assert_eq!(std::fs::read_to_string(self.folder.join(name)).expect(name), *content, "{name}");
        }
    }
}

/// Does it until the lock can be had: on a machine that is busy enough somebody may keep it for too long.
fn done<T>(mut attempt: impl FnMut() -> Result<T, abide::registry::RegistryError>) -> T {
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(abide::registry::RegistryError::Busy(_)) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

fn end(mut child: Child) {
    child.kill().expect("SIGKILL");
    child.wait().expect("reaped");
}

fn boot() -> String {
    abide::registry::here().boot_id
}

/// What the writers call themselves.
const WRITER: &str = "writer";

/// A process that registers itself, and changes that a few times whenever it is told to.
struct Writer {
    root: std::path::PathBuf,
    child: Child,
}

impl Writer {
    fn start(root: &Path) -> Self {
        Self { root: root.to_owned(), child: Self::spawn(root) }
    }

    fn spawn(root: &Path) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("us"));
        command.args(["--ignored", "--exact", "registry::random::a_writer"]).env(FOLDER, root);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("us again")
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It has something to write.
    fn go_on(&mut self) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        input.write_all(b"\n").expect("it reads, or will");
    }

    /// It is killed, wherever it is, and another begins.
    fn again(&mut self) {
        self.end();
        self.child = Self::spawn(&self.root);
    }

    fn end(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("reaped");
    }
}

#[test]
#[ignore = "run by the tests above, to be killed"]
fn a_writer() {
    let root = std::env::var_os(FOLDER).expect("started by another test");
    let root = Path::new(&root);
    let paths = abide::paths::Paths {
        runtime: root.join("run"),
        state: root.join("state"),
        config: root.join("config"),
        home: None,
    };
    let registry = Registry::of(&paths);
    let (pid, start) = (std::process::id(), start_time(std::process::id()));
    let patch = Patch::new().text(Key::Entrypoint, WRITER);
    done(|| registry.register(&Entry::new(Instance { pid, start }, &patch)));
    for (n, _) in std::io::stdin().lines().enumerate() {
        for part in 0..10 {
            done(|| registry.update(pid, start, &Patch::new().text(Key::Name, &format!("{n} {part}"))));
        }
    }
}
