//! Control groups of version 2, and `/proc`.

use super::{Source, Usage};
use crate::sys::process::Process;
use std::io;
use std::path::{Path, PathBuf};

/// See [`super::Reader`].
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Where the hierarchy of version 2 is mounted; looked up once.
    hierarchy: Option<Option<Mount>>,
    /// All processes and their parents, of one look.
    processes: Option<Vec<(u32, u32)>>,
}

impl Reader {
    pub(super) fn of_tree(&mut self, pid: u32, unit: &str) -> io::Result<Usage> {
        let mount = self.hierarchy.get_or_insert_with(Mount::find);
        let group = mount.as_ref().and_then(|mount| mount.group_of(&pid.to_string(), |name| name == unit));
        let counted = |file: &str| std::fs::read_to_string(group.as_ref()?.join(file)).ok();
        let memory = counted("memory.current").and_then(|text| text.trim().parse().ok());
        let cpu_us = counted("cpu.stat").and_then(|text| field(&text, "usage_usec"));
        let (memory_from, cpu_from) = (source(memory), source(cpu_us));
        // A hierarchy may count time and not memory: on machines that have both versions.
        let (memory, cpu_us) = match (memory, cpu_us) {
            (Some(memory), Some(cpu_us)) => (memory, cpu_us),
            (memory, cpu_us) => {
                let (memory_sum, cpu_sum) = self.sum(pid)?;
                (memory.unwrap_or(memory_sum), cpu_us.unwrap_or(cpu_sum))
            }
        };
        Ok(Usage {
            memory,
            memory_from,
            // The word for none is `max`.
            memory_max: counted("memory.max").and_then(|text| text.trim().parse().ok()),
            cpu_us,
            cpu_from,
            oom_kills: counted("memory.events").and_then(|text| field(&text, "oom_kill")).unwrap_or(0),
        })
    }

    /// Memory in bytes and processor time in µs of a process and its descendants. One that ends meanwhile counts for
    /// nothing.
    fn sum(&mut self, root: u32) -> io::Result<(u64, u64)> {
        let all = match &mut self.processes {
            Some(all) => all,
            none => none.insert(all_processes()?),
        };
        let mut tree = vec![root];
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            let children = all.iter().filter(|(pid, of)| *of == parent && !tree.contains(pid));
            let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
            tree.extend(children);
            next += 1;
        }
        let add = |(memory, cpu): (u64, u64), pid: &u32| {
            (memory.saturating_add(memory_of(*pid)), cpu.saturating_add(cpu_of(*pid)))
        };
        Ok(tree.iter().fold((0, 0), add))
    }
}

fn source<T>(counted: Option<T>) -> Source {
    if counted.is_some() { Source::Cgroup } else { Source::Processes }
}

fn all_processes() -> io::Result<Vec<(u32, u32)>> {
    let pids = std::fs::read_dir("/proc")?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid: u32| Some((pid, Process::of(pid).ok()?.parent))).collect())
}

/// Its share of the memory that it has, or all that is resident where another's share is not told.
fn memory_of(pid: u32) -> u64 {
    let shares = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let share = shares.and_then(|text| field(&text, "Pss:")).map(|kib| kib.saturating_mul(1024));
    share.or_else(|| resident(pid)).unwrap_or(0)
}

fn resident(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(constant(nix::unistd::SysconfVar::PAGE_SIZE)?))
}

/// Time in user mode and in the kernel, its own and that of the children that it waited for.
fn cpu_of(pid: u32) -> u64 {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok();
    let ticks = stat.and_then(|stat| ticks(&stat)).unwrap_or(0);
    let per_second = constant(nix::unistd::SysconfVar::CLK_TCK).unwrap_or(100).max(1);
    u64::try_from(u128::from(ticks) * 1_000_000 / u128::from(per_second)).unwrap_or(u64::MAX)
}

/// Fields 14 to 17 of `/proc/PID/stat`, counted from the last `)`, since a name may hold anything.
fn ticks(stat: &[u8]) -> Option<u64> {
    let close = stat.iter().rposition(|b| *b == b')')?;
    let fields = std::str::from_utf8(stat.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let times: Vec<u64> = fields.skip(11).take(4).map_while(|n| n.parse().ok()).collect();
    (times.len() == 4).then(|| times.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)))
}

fn constant(which: nix::unistd::SysconfVar) -> Option<u64> {
    nix::unistd::sysconf(which).ok().flatten().and_then(|n| u64::try_from(n).ok())
}

/// The number behind a name in a file of lines of names and numbers.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok()).flatten()
    })
}

pub(super) fn own_oom_kills() -> u64 {
    let of_a_session = |name: &str| name.starts_with("abide-session-") && name.ends_with(".service");
    let group = Mount::find().and_then(|mount| mount.group_of("self", of_a_session));
    let events = group.and_then(|group| std::fs::read_to_string(group.join("memory.events")).ok());
    events.and_then(|text| field(&text, "oom_kill")).unwrap_or(0)
}

/// Where a hierarchy is, and which part of it.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    root: String,
    point: PathBuf,
}

impl Mount {
    fn find() -> Option<Self> {
        parse_mounts(&std::fs::read_to_string("/proc/self/mountinfo").ok()?)
    }

    /// Folder of a process's group, where that group's name is of the kind that is looked for.
    fn group_of(&self, process: &str, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
        self.group(&text, wanted)
    }

    fn group(&self, cgroups: &str, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let path = Path::new(cgroups.lines().find_map(|line| line.strip_prefix("0::"))?);
        // Its program may have made groups of its own below, and its host moved none of them.
        let named = |p: &&Path| p.file_name().and_then(|name| name.to_str()).is_some_and(&wanted);
        let below = path.ancestors().find(named)?.strip_prefix(&self.root).ok()?;
        let plain = below.components().all(|c| !matches!(c, std::path::Component::ParentDir));
        plain.then(|| self.point.join(below.strip_prefix("/").unwrap_or(below)))
    }
}

/// The first mount of type `cgroup2` that has a part of our namespace: `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE OPTIONS`.
fn parse_mounts(mountinfo: &str) -> Option<Mount> {
    mountinfo.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        if kind.split_ascii_whitespace().next() != Some("cgroup2") {
            return None;
        }
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // What is outside of it shows as `/..`, and is no place of any group that we are told of.
        if root.split('/').any(|part| part == "..") {
            return None;
        }
        Some(Mount { root: root.to_owned(), point: PathBuf::from(point) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_found_beside_the_older_one() {
        let both = "\
            30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n\
            35 30 0:31 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
            36 30 0:32 / /sys/fs/cgroup/unified rw shared:10 master:2 - cgroup2 cgroup2 rw\n";
        let found = parse_mounts(both).expect("a mount");
        assert_eq!(found, Mount { root: "/".into(), point: "/sys/fs/cgroup/unified".into() });
        assert_eq!(parse_mounts(""), None);
        assert_eq!(parse_mounts("1 2 3 4 - cgroup2"), None);
        let outside = "163 153 0:38 /.. /box/sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(parse_mounts(outside), None);
        let found =
            parse_mounts(&format!("{outside}132 131 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"));
        assert_eq!(found, Some(Mount { root: "/".into(), point: "/sys/fs/cgroup".into() }));
    }

    #[test]
    fn only_a_sessions_own_group_counts() {
        let mount = Mount { root: "/".into(), point: "/sys/fs/cgroup".into() };
        let unit = |name: &str| name == "abide-session-7c5dcf5d.service";
        let own = "4:memory:/other\n0::/user.slice/abide.slice/abide-session-7c5dcf5d.service\n";
        let folder = "/sys/fs/cgroup/user.slice/abide.slice/abide-session-7c5dcf5d.service";
        assert_eq!(mount.group(own, unit), Some(folder.into()));
        let below = own.replace("service\n", "service/made/by/the/program\n");
        assert_eq!(mount.group(&below, unit), Some(folder.into()));
        for other in [
            "",
            "0::/",
            "0::/user.slice/session-3.scope\n",
            "0::/abide.slice/abide-session-00000000.service\n",
            "3:cpu:/abide.slice/abide-session-7c5dcf5d.service\n",
            // Outside of our namespace.
            "0::/../../abide.slice/abide-session-7c5dcf5d.service\n",
        ] {
            assert_eq!(mount.group(other, unit), None, "{other}");
        }
        let part = Mount { root: "/user.slice".into(), point: "/sys/fs/cgroup".into() };
        let there = "/sys/fs/cgroup/abide.slice/abide-session-7c5dcf5d.service";
        assert_eq!(part.group(own, unit), Some(there.into()));
        let elsewhere = Mount { root: "/system.slice".into(), ..part };
        assert_eq!(elsewhere.group(own, unit), None);
    }

    #[test]
    fn figures_are_read_or_there_are_none() {
        let events = "low 0\nhigh 12\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n";
        assert_eq!((field(events, "oom_kill"), field(events, "oom")), (Some(2), Some(1)));
        assert_eq!(field("Rss:  10 kB\nPss:    8 kB\nPss_Anon: 1 kB\n", "Pss:"), Some(8));
        for bad in ["", "oom_kill", "oom_kill x", "oom_kill -1"] {
            assert_eq!(field(bad, "oom_kill"), None, "{bad}");
        }
        assert_eq!(ticks(b"42 (a) R 1 (b\n) S 7 42 40 34817 42 4194304 1 2 3 4 50 6 70 8 20 0"), Some(134));
        assert_eq!(ticks(b"42 (x) S 7 42 40 34817 42 4194304 1 2 3 4 50 6"), None);
        assert_eq!(ticks(b""), None);
    }
}
