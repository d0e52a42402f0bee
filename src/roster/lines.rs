//! Files of one JSON object a line, appended to, bounded by one rotation, and read at their end. A torn line (a crash,
//! a full disk) costs itself and nothing else: what follows begins on a new line, and what cannot be read is skipped.

use super::file::{RosterError, at};
use crate::core::action::Entry;
use crate::sys::files::read_ours;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What the rotated-out part of `events.jsonl` is called: `events.1.jsonl`.
pub(super) fn older(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// Appends one line. When the file would outgrow `limit` bytes it becomes the older part, in place of the one before.
pub(super) fn append(path: &Path, entry: &Entry, limit: u64) -> Result<(), RosterError> {
    let mut line =
        at("cannot encode an event for", path, serde_json::to_vec(entry).map_err(io::Error::from))?;
    line.push(b'\n');
    let (mut file, mut size) = at("cannot open", path, open(path))?;
    if size > 0 && size + line.len() as u64 > limit {
        at("cannot rotate", path, std::fs::rename(path, older(path)))?;
        (file, size) = at("cannot open", path, open(path))?;
    }
    let written = (|| {
        if size > 0 && !ends_a_line(&mut file, size)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)
    })();
    at("cannot append to", path, written)
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits())
        .open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta.len())) } else { Err(io::Error::other("it is no regular file")) }
}

fn ends_a_line(file: &mut File, size: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(size - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The last `most` entries of the file and its older part, oldest first.
pub(super) fn tail(path: &Path, most: usize, limit: u64) -> io::Result<Vec<Entry>> {
    // Twice the limit: one line may be longer than all of it.
    let mut entries = parse(&read_ours(path, limit.saturating_mul(2))?.unwrap_or_default(), most);
    if entries.len() < most {
        let mut before = parse(
            &read_ours(&older(path), limit.saturating_mul(2))?.unwrap_or_default(),
            most - entries.len(),
        );
        before.append(&mut entries);
        entries = before;
    }
    Ok(entries)
}

fn parse(content: &[u8], most: usize) -> Vec<Entry> {
    let lines = content.rsplit(|b| *b == b'\n').filter(|line| !line.is_empty());
    let mut entries: Vec<Entry> =
        lines.filter_map(|line| serde_json::from_slice(line).ok()).take(most).collect();
    entries.reverse();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64) -> Entry {
        Entry {
            seq,
            at_ms: 1,
            id: None,
            name: String::new(),
            event: "state".into(),
            state: None,
            text: "x".repeat(50),
            by: String::new(),
            request: String::new(),
        }
    }

    fn seqs(path: &Path, most: usize) -> Vec<u64> {
        tail(path, most, 1 << 20).expect("tail").iter().map(|e| e.seq).collect()
    }

    #[test]
    fn appended_lines_come_back_bounded() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.jsonl");
        assert!(seqs(&path, 10).is_empty());
        for seq in 1..=100 {
            append(&path, &entry(seq), 2_000).expect("append");
        }
        let all = seqs(&path, usize::MAX);
        assert_eq!(all.last(), Some(&100));
        assert!(all.windows(2).all(|w| w[0] + 1 == w[1]), "no gap across the rotation: {all:?}");
        assert!(all.len() > 15 && all.len() < 40, "{}", all.len());
        assert_eq!(seqs(&path, 3), [98, 99, 100]);
        for part in [&path, &older(&path)] {
            assert!(std::fs::metadata(part).expect("stat").len() <= 2_000);
        }
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.jsonl");
        append(&path, &entry(1), 1 << 20).expect("append");
        append(&path, &entry(2), 1 << 20).expect("append");
        let whole = std::fs::read(&path).expect("read");
        let first = whole.iter().position(|b| *b == b'\n').expect("line") + 1;
        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("tear");
            append(&path, &entry(3), 1 << 20).expect("append after it");
            let expected: &[u64] = if cut == whole.len() - 1 { &[1, 2, 3] } else { &[1, 3] };
            assert_eq!(seqs(&path, 10), expected, "cut at {cut}");
        }
    }

    #[test]
    fn garbage_between_lines_is_skipped() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, b"\0\xff\n{}\nnot json\n\n").expect("write");
        append(&path, &entry(7), 1 << 20).expect("append");
        assert_eq!(seqs(&path, 10), [7]);
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_more() {
        let error = append(Path::new("/dev/full"), &entry(1), 1 << 20).expect_err("no regular file");
        assert!(error.to_string().starts_with("cannot open /dev/full"), "{error}");
    }
}
