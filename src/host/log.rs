//! The output log: every byte that the session writes, in numbered segments.
//!
//! `output.<20 digits>.log` begins at the offset in its name; `output.log` is a link to the newest. A segment is closed
//! at [`SEGMENT`] bytes, and the oldest goes while what is left is still as much as is to be kept. Offsets count over
//! all starts of a session.
//!
//! A write that fails loses bytes to the log and to nothing else. The next that succeeds begins a new segment at the
//! true offset, so that the gap shows between the end of one segment and the name of the next.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A segment is closed when it has so many bytes.
const SEGMENT: u64 = 8 << 20;
/// Pauses between tries to write again: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    keep: u64,
    segment: u64,
    /// First offset and length of each segment, oldest first.
    segments: VecDeque<(u64, u64)>,
    current: Option<File>,
    first: u64,
    offset: u64,
    unlogged: u64,
    failure: Option<Failure>,
}

/// Writing fails.
#[derive(Debug, Clone, Copy)]
struct Failure {
    errno: u16,
    pause: Duration,
    retry_at: Instant,
}

impl Log {
    /// Finds where the log in this folder ends, to go on there, but not before `at_least`. Writes nothing yet.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn open(folder: &Path, keep: u64, at_least: u64) -> io::Result<Self> {
        let mut segments: Vec<(u64, u64)> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(start) = entry.file_name().to_str().and_then(start_of) {
                segments.push((start, entry.metadata()?.len()));
            }
        }
        segments.sort_unstable();
        let end = segments.last().map_or(0, |(start, length)| start.saturating_add(*length));
        Ok(Self {
            folder: folder.to_owned(),
            keep,
            segment: SEGMENT,
            segments: segments.into(),
            current: None,
            first: end.max(at_least),
            offset: end.max(at_least),
            unlogged: 0,
            failure: None,
        })
    }

    /// Begins a new segment. A disk that does not take it is tried again later, as any failing disk is.
    pub(super) fn begin(&mut self, now: Instant) {
        if let Err(error) = self.begin_segment() {
            self.fail(&error, now);
        }
    }

    /// Offset of the next byte: how many the session ever wrote.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that were lost to the log since this host's start.
    pub(super) fn unlogged(&self) -> u64 {
        self.unlogged
    }

    /// Error number of the failure that lasts, or 0.
    pub(super) fn errno(&self) -> u16 {
        self.failure.map_or(0, |f| f.errno)
    }

    /// Takes the session's next bytes.
    pub(super) fn append(&mut self, bytes: &[u8], now: Instant) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.write(rest, now) {
                Ok(n) => {
                    self.failure = None;
                    self.offset += n as u64;
                    rest = &rest[n..];
                }
                Err(error) => {
                    if let Some(error) = error {
                        self.fail(&error, now);
                    }
                    self.unlogged += rest.len() as u64;
                    self.offset += rest.len() as u64;
                    return;
                }
            }
        }
    }

    /// Writes what fits into the current segment. `Err(None)` while it is too early to try again.
    fn write(&mut self, bytes: &[u8], now: Instant) -> Result<usize, Option<io::Error>> {
        if self.failure.is_some_and(|f| now < f.retry_at) {
            return Err(None);
        }
        let room = match (self.current.as_ref(), self.segments.back()) {
            (Some(_), Some((_, length))) if *length < self.segment => self.segment - length,
            _ => {
                self.begin_segment().map_err(Some)?;
                self.segment
            }
        };
        let (Some(mut file), Some((_, length))) = (self.current.as_ref(), self.segments.back_mut()) else {
            return Err(Some(io::Error::from_raw_os_error(nix::libc::EIO)));
        };
        let piece = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        loop {
            match file.write(piece) {
                Ok(0) => return Err(Some(io::Error::from_raw_os_error(nix::libc::ENOSPC))),
                Ok(n) => {
                    *length += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Some(e)),
            }
        }
    }

    fn fail(&mut self, error: &io::Error, now: Instant) {
        let pause = self.failure.map_or(RETRY.0, |f| (f.pause * 2).min(RETRY.1));
        let errno = error.raw_os_error().and_then(|n| u16::try_from(n).ok()).unwrap_or(u16::MAX);
        self.failure = Some(Failure { errno, pause, retry_at: now + pause });
        // Offsets within it would be wrong after the gap.
        self.current = None;
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        self.current = None;
        let name = name_of(self.offset);
        let path = self.folder.join(&name);
        let file = match OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path) {
            // An earlier start, or an earlier failure, left it without a byte.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let file = OpenOptions::new().append(true).open(&path)?;
                if file.metadata()?.len() != 0 {
                    return Err(io::Error::from_raw_os_error(nix::libc::EEXIST));
                }
                file
            }
            other => other?,
        };
        if self.segments.back().is_none_or(|(start, _)| *start != self.offset) {
            self.segments.push_back((self.offset, 0));
        }
        self.current = Some(file);
        self.point_to(&name);
        self.prune();
        Ok(())
    }

    /// Readers list the folder; the link is for people, and a disk that has no room for it still logs.
    fn point_to(&self, name: &str) {
        let fresh = self.folder.join(".output.log.new");
        let _ = std::fs::remove_file(&fresh);
        if std::os::unix::fs::symlink(name, &fresh).is_ok() {
            let _ = std::fs::rename(&fresh, self.folder.join("output.log"));
        }
    }

    fn prune(&mut self) {
        let mut total: u64 = self.segments.iter().map(|(_, length)| length).sum();
        while let Some(&(start, length)) = self.segments.front() {
            if self.segments.len() < 2 || total - length < self.keep {
                break;
            }
            match std::fs::remove_file(self.folder.join(name_of(start))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => break,
                Ok(()) | Err(_) => {}
            }
            total -= length;
            self.segments.pop_front();
        }
    }

    /// Offset at which this host's own part begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The last bytes of this host's part, at most so many and without a gap, and the offset of the first.
    pub(super) fn tail(&self, most: u64) -> (u64, Vec<u8>) {
        let mut from = self.offset;
        let mut pieces = Vec::new();
        for &(start, length) in self.segments.iter().rev() {
            if start + length != from || start < self.first {
                break;
            }
            let wanted = (most - (self.offset - from)).min(length);
            match read_end(&self.folder.join(name_of(start)), length - wanted, wanted) {
                Ok(bytes) => pieces.push(bytes),
                Err(_) => break,
            }
            from -= wanted;
            if wanted < length {
                break;
            }
        }
        pieces.reverse();
        (from, pieces.concat())
    }
}

fn read_end(path: &Path, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn name_of(start: u64) -> String {
    format!("output.{start:020}.log")
}

fn start_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("output.")?.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The readable pieces of a log: first offset and bytes of each.
    fn pieces(folder: &Path) -> Vec<(u64, Vec<u8>)> {
        let mut found: Vec<_> = std::fs::read_dir(folder)
            .expect("folder")
            .filter_map(|e| {
                let e = e.expect("entry");
                Some((start_of(e.file_name().to_str()?)?, std::fs::read(e.path()).expect("segment")))
            })
            .collect();
        found.sort();
        found
    }

    fn open(folder: &Path, keep: u64, segment: u64) -> Log {
        let mut log = Log::open(folder, keep, 0).expect("open");
        log.segment = segment;
        log.begin(Instant::now());
        log
    }

    #[test]
    fn segments_join_to_what_was_written_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = open(folder.path(), 100, 40);
        let all: Vec<u8> = (0..1000_u32).map(|i| b'a' + (i % 26) as u8).collect();
        for (i, piece) in all.chunks(33).enumerate() {
            log.append(piece, Instant::now());
            let (found, written) = (pieces(folder.path()), ((i + 1) * 33).min(1000));
            let first = usize::try_from(found[0].0).expect("small");
            let bytes: Vec<u8> = found.iter().flat_map(|(_, b)| b.clone()).collect();
            assert_eq!(bytes, &all[first..written], "without a gap");
            assert!(bytes.len() >= written.min(100), "what is to be kept is there");
            assert!(bytes.len() < 100 + 2 * 40 + 33, "and not much more: {}", bytes.len());
        }
        assert_eq!(log.offset(), 1000);
        let link = std::fs::read_link(folder.path().join("output.log")).expect("a link");
        assert_eq!(link.to_str(), Some(name_of(pieces(folder.path()).last().expect("one").0).as_str()));
    }

    #[test]
    fn offsets_go_on_over_starts_and_never_go_back() {
        let folder = tempfile::tempdir().expect("folder");
        open(folder.path(), 1 << 20, 1 << 20).append(b"first", Instant::now());
        let mut second = open(folder.path(), 1 << 20, 1 << 20);
        assert_eq!(second.offset(), 5);
        second.append(b"second", Instant::now());
        drop(second);
        // As an exit record says that knows of bytes which no disk took.
        let mut third = Log::open(folder.path(), 1 << 20, 40).expect("open");
        third.begin(Instant::now());
        assert_eq!(third.offset(), 40);
        let starts: Vec<u64> = pieces(folder.path()).iter().map(|p| p.0).collect();
        assert_eq!(starts, [0, 5, 40]);
    }

    #[test]
    fn a_failing_disk_leaves_a_gap_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let jobs = folder.path().join("job");
        std::fs::create_dir(&jobs).expect("folder");
        let mut log = open(&jobs, 1 << 20, 10);
        let t0 = Instant::now();
        log.append(b"0123456789", t0);
        // No segment can be made where no folder is; a test that runs as root has no other way.
        let away = folder.path().join("away");
        std::fs::rename(&jobs, &away).expect("rename");
        log.append(b"lost", t0);
        assert_eq!((log.offset(), log.unlogged(), i32::from(log.errno())), (14, 4, nix::libc::ENOENT));
        std::fs::rename(&away, &jobs).expect("rename");
        log.append(b"early", t0);
        assert_eq!(log.unlogged(), 9, "no try before the pause is over");
        log.append(b"found", t0 + RETRY.0);
        assert_eq!((log.offset(), log.unlogged(), log.errno()), (24, 9, 0));
        assert_eq!(pieces(&jobs), [(0, b"0123456789".to_vec()), (19, b"found".to_vec())]);
        assert_eq!(log.tail(100), (19, b"found".to_vec()), "a tail has no gap");
    }

    #[test]
    fn a_tail_crosses_segments_and_stays_within_this_start() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = open(folder.path(), 1 << 20, 7);
        log.append(b"one\ntwo\nthree\nfour\n", Instant::now());
        assert_eq!(log.tail(1 << 20), (0, b"one\ntwo\nthree\nfour\n".to_vec()));
        assert_eq!(log.tail(8), (11, b"ee\nfour\n".to_vec()));
        assert_eq!(log.tail(0), (19, Vec::new()));
        let mut next = open(folder.path(), 1 << 20, 7);
        assert_eq!(next.tail(100), (19, Vec::new()));
        next.append(b"five\nsix\n", Instant::now());
        assert_eq!(next.tail(100), (19, b"five\nsix\n".to_vec()));
    }

    #[test]
    fn only_segments_are_segments() {
        assert_eq!(start_of(&name_of(u64::MAX)), Some(u64::MAX));
        for other in ["output.log", "output.1.log", "output.0000000000000000000x.log", "exit"] {
            assert_eq!(start_of(other), None, "{other}");
        }
        assert_eq!(start_of("output.99999999999999999999.log"), None);
    }
}
