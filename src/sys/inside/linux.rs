//! `/proc`. A working directory is followed upwards by its descriptor: a process in another mount namespace has other
//! names for it, and one whose folder was renamed an old one.

use super::Hold;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Folders up from a working directory, at most.
const HIGHEST: usize = 1_000;

type Id = (u64, u64);

pub(super) fn processes(folder: &Path) -> io::Result<Vec<(u32, Hold)>> {
    let meta = std::fs::symlink_metadata(folder)?;
    let wanted = (meta.dev(), meta.ino());
    let own = std::process::id();
    // Most processes are in few folders.
    let mut seen: BTreeMap<Id, bool> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == own {
            continue;
        }
        let place = PathBuf::from(format!("/proc/{pid}"));
        // What is gone or hidden is not found.
        let within = is_within(&place.join("cwd"), wanted, &mut seen).unwrap_or(false)
            || is_within(&place.join("root"), wanted, &mut seen).unwrap_or(false);
        if within {
            found.push((pid, Hold::Directory));
        } else if writes_below(&place, folder) {
            found.push((pid, Hold::File));
        }
    }
    Ok(found)
}

/// Whether a folder is this one, or below it.
fn is_within(link: &Path, wanted: Id, seen: &mut BTreeMap<Id, bool>) -> io::Result<bool> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder: OwnedFd = open(link, flags, Mode::empty())?;
    let first = id(&folder)?;
    if let Some(known) = seen.get(&first) {
        return Ok(*known);
    }
    let (mut at, mut within) = (first, false);
    for _ in 0..HIGHEST {
        if at == wanted {
            within = true;
            break;
        }
        folder = openat(&folder, "..", flags, Mode::empty())?;
        let above = id(&folder)?;
        if above == at {
            break;
        }
        at = above;
    }
    seen.insert(first, within);
    Ok(within)
}

#[allow(clippy::useless_conversion, reason = "these have other widths elsewhere")]
fn id(fd: &OwnedFd) -> io::Result<Id> {
    let stat = fstat(fd)?;
    Ok((stat.st_dev.into(), stat.st_ino.into()))
}

/// Whether a process has a file below a folder open for writing.
fn writes_below(process: &Path, folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(process.join("fd")) else { return false };
    entries.flatten().any(|entry| {
        let below = std::fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder) && to != folder);
        below && is_writable(&process.join("fdinfo").join(entry.file_name()))
    })
}

/// `flags: 0100002`, octal, the access mode in its last digit.
fn is_writable(info: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(info) else { return false };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_ACCMODE.cast_unsigned() != libc::O_RDONLY.cast_unsigned())
}

pub(super) fn mounts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    // `36 35 98:0 /root /place options…`
    let places = table.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4));
    let places = places.map(|place| PathBuf::from(OsString::from_vec(unescaped(place))));
    let mut below: Vec<PathBuf> =
        places.filter(|place| place.starts_with(folder) && place != folder).collect();
    below.sort();
    below.dedup();
    Ok(below)
}

/// Blanks and backslashes are written as `\040`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        match code.filter(|_| *first == b'\\') {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mounts_are_as_they_are() {
        assert_eq!(unescaped(br"/a\040b\134c"), br"/a b\c");
        assert_eq!(unescaped(br"/a\04"), br"/a\04");
    }
}
