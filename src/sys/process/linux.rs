//! `/proc`.

use super::{Process, Signal};
use nix::errno::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) fn process(pid: u32) -> io::Result<Process> {
    let stat = whole(&format!("/proc/{pid}/stat")).map_err(|e| {
        // A process that ends while we read is as gone as one that ended before.
        if e.raw_os_error() == Some(libc::ESRCH) { io::ErrorKind::NotFound.into() } else { e }
    })?;
    parse(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat has another form"))
}

pub(super) fn user(pid: u32) -> io::Result<u32> {
    let owner = std::fs::metadata(format!("/proc/{pid}"))?.uid();
    if owner != 0 {
        return Ok(owner);
    }
    // The folder of a process that must not be looked into is root's, whoever runs it.
    let status = whole(&format!("/proc/{pid}/status"))?;
    let status = String::from_utf8_lossy(&status);
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/status has another form"))
}

pub(super) fn control_groups(pid: u32) -> io::Result<Vec<String>> {
    let text = whole(&format!("/proc/{pid}/cgroup"))?;
    Ok(groups(&String::from_utf8_lossy(&text)))
}

/// The hierarchy of version 2, and the one of version 1 that counts nothing and only keeps processes apart.
fn groups(text: &str) -> Vec<String> {
    let of = |name: &str| {
        let named = move |line: &str| {
            let (hierarchy, path) = line.split_once(':')?.1.split_once(':')?;
            (hierarchy == name).then(|| path.to_owned())
        };
        text.lines().find_map(named)
    };
    of("").into_iter().chain(of("name=systemd")).collect()
}

pub(super) fn has_terminal_open(pid: u32) -> io::Result<bool> {
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that was closed in between is none.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        if is_terminal(&target) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `/dev/pts/3`, `/dev/tty1`, `/dev/ttyS0`; not `/dev/ptmx`, the end at which a terminal is made, and not `/dev/tty`.
fn is_terminal(path: &Path) -> bool {
    let Some(name) = path.to_str().and_then(|path| path.strip_prefix("/dev/")) else { return false };
    match name.strip_prefix("pts/") {
        Some(number) => number.parse::<u32>().is_ok(),
        None => name.strip_prefix("tty").is_some_and(|rest| !rest.is_empty()),
    }
}

pub(super) fn cwd(pid: u32) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd"))
}

pub(super) fn arguments(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    let line = whole(&format!("/proc/{pid}/cmdline"))?;
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    Ok(line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

/// A file of `/proc`, which states no size: nearly all of them are read at once, where growing little by little would take
/// six calls.
fn whole(path: &str) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(4096);
    File::open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// The name may hold anything, spaces and parentheses included: fields are counted from the last `)`.
fn parse(stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|b| *b == b'(')?;
    let close = stat.iter().rposition(|b| *b == b')')?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?);
    let mut fields = std::str::from_utf8(&stat[close + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let mut number = || fields.next()?.parse::<i64>().ok();
    let (parent, group, session, terminal, foreground) =
        (number()?, number()?, number()?, number()?, number()?);
    // Fields 9 to 21 lie between the foreground group and the start time.
    let start = fields.nth(13)?.parse().ok()?;
    Some(Process {
        name: name.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        zombie: matches!(state, "Z" | "X" | "x"),
        parent: u32::try_from(parent).ok()?,
        group: i32::try_from(group).ok()?,
        session: i32::try_from(session).ok()?,
        // The kernel prints the device number as a signed integer.
        terminal: u64::from(i32::try_from(terminal).ok()?.cast_unsigned()),
        foreground: i32::try_from(foreground).ok()?,
        start,
    })
}

pub(super) fn signal(pid: i32, start: u64, signal: Signal, group: bool) -> io::Result<bool> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(Errno::result(raw).map_err(io::Error::from)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
    // The descriptor names whatever has the id now; the start time, read after, says whether that is the one.
    if !super::is_running(u32::try_from(pid).unwrap_or(0), start) {
        return Ok(false);
    }
    if group {
        // The leader lives, so the group's id cannot have gone to another.
        return sent(Errno::result(killpg(pid, signal)));
    }
    // SAFETY: an open pidfd, a signal number, no siginfo, no flags.
    let sent_to = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal as i32,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    sent(Errno::result(sent_to))
}

fn killpg(group: i32, signal: Signal) -> i32 {
    // SAFETY: kill takes two integers.
    unsafe { libc::kill(-group, signal as i32) }
}

fn sent<T>(outcome: Result<T, Errno>) -> io::Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let line = b"42 (a) R 1 (b\n) S 7 42 40 34817 42 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99887 1 2 3\n";
        let p = parse(line).expect("valid");
        assert_eq!((p.name.as_str(), p.zombie, p.parent), ("a) R 1 (b?", false, 7));
        assert_eq!((p.group, p.session, p.terminal, p.foreground, p.start), (42, 40, 34817, 42, 99887));
    }

    #[test]
    fn the_groups_that_a_manager_keeps_come_first_whatever_else_there_is() {
        let hybrid = "3:memory:/m\n1:name=systemd:/a.service\n0::/b.service/x:y\n";
        assert_eq!(groups(hybrid), ["/b.service/x:y", "/a.service"]);
        assert_eq!(groups("2:name=systemd:/a\n"), ["/a"]);
        assert!(groups("").is_empty() && groups("no colons\n1:2\n").is_empty());
    }

    #[test]
    fn the_end_at_which_a_terminal_is_made_is_none() {
        let is = |path: &str| is_terminal(Path::new(path));
        assert!(is("/dev/pts/0") && is("/dev/tty1") && is("/dev/ttyS0"));
        for other in ["/dev/ptmx", "/dev/pts/ptmx", "/dev/tty", "/dev/null", "socket:[1]", "/x/dev/pts/1"] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn half_a_line_is_refused() {
        for bad in [&b""[..], b"42", b"42 (x", b"42 (x)", b"42 (x) S 1 2 3", b")("] {
            assert_eq!(parse(bad), None);
        }
    }
}
