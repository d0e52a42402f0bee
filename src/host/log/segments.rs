//! The log's files: numbered segments.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A segment is closed when it has so many bytes.
const SEGMENT: u64 = 8 << 20;

/// See the module. Everything here may take as long as the disk likes.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    keep: u64,
    segment: u64,
    /// First offset and length of each, oldest first.
    segments: VecDeque<(u64, u64)>,
    current: Option<File>,
    first: u64,
    end: u64,
}

impl Segments {
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
        let end = segments.last().map_or(0, |(start, length)| start.saturating_add(*length)).max(at_least);
        Ok(Self {
            folder: folder.to_owned(),
            keep,
            segment: SEGMENT,
            segments: segments.into(),
            current: None,
            first: end,
            end,
        })
    }

    /// Offset at which this host's own part begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Offset behind the last byte that is in a file.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Writes as much of `bytes` as the current segment takes, and says how much. They begin at the offset `at`, which
    /// is beyond the end where bytes were lost in between.
    ///
    /// # Errors
    /// The disk takes nothing. What was written before is untouched.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let written = self.try_write(at, bytes);
        if written.is_err() {
            // It may be another disk by the time that it works again.
            self.current = None;
        }
        written
    }

    fn try_write(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let full = self.segments.back().is_none_or(|(_, length)| *length >= self.segment);
        if at != self.end || full || (self.current.is_none() && !self.reopen()?) {
            self.begin(at)?;
        }
        let (Some(mut file), Some((_, length))) = (self.current.as_ref(), self.segments.back_mut()) else {
            return Err(io::Error::from_raw_os_error(nix::libc::EIO));
        };
        let room = usize::try_from(self.segment.saturating_sub(*length)).unwrap_or(usize::MAX);
        let piece = &bytes[..bytes.len().min(room)];
        loop {
            match file.write(piece) {
                Ok(0) => return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC)),
                Ok(n) => {
                    *length += n as u64;
                    self.end += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Has the next write open its file again.
    #[cfg(test)]
    pub(super) fn let_go(&mut self) {
        self.current = None;
    }

    /// Opens this host's last segment again, to go on behind its last byte. False where that cannot be.
    fn reopen(&mut self) -> io::Result<bool> {
        let Some(&(start, length)) = self.segments.back() else { return Ok(false) };
        if start < self.first || start + length != self.end {
            return Ok(false);
        }
        let file = match OpenOptions::new().append(true).open(self.folder.join(name_of(start))) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        let found = file.metadata()?.len();
        if found < length {
            return Ok(false);
        }
        if found > length {
            // A write that was reported as failed has left something; it is written again.
            file.set_len(length)?;
        }
        self.current = Some(file);
        Ok(true)
    }

    /// Begins a new segment at this offset.
    fn begin(&mut self, at: u64) -> io::Result<()> {
        self.current = None;
        let name = name_of(at);
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
        if self.segments.back().is_none_or(|(start, _)| *start != at) {
            self.segments.push_back((at, 0));
        }
        self.end = at;
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

    /// The last bytes of this host's part, at most so many and without a gap.
    pub(super) fn tail(&self, most: u64) -> Vec<u8> {
        let mut from = self.end;
        let mut pieces = Vec::new();
        for &(start, length) in self.segments.iter().rev() {
            if start + length != from || start < self.first {
                break;
            }
            let wanted = (most - (self.end - from)).min(length);
            match read_end(&self.folder.join(name_of(start)), length - wanted, wanted) {
                Ok(bytes) if bytes.len() as u64 == wanted => pieces.push(bytes),
                Ok(_) | Err(_) => break,
            }
            from -= wanted;
            if wanted < length {
                break;
            }
        }
        pieces.reverse();
        pieces.concat()
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

    fn open(folder: &Path, keep: u64, segment: u64) -> Segments {
        let mut log = Segments::open(folder, keep, 0).expect("open");
        log.segment = segment;
        log
    }

    impl Segments {
        fn append(&mut self, bytes: &[u8]) {
            let mut rest = bytes;
            while !rest.is_empty() {
                let n = self.write(self.end, rest).expect("write");
                rest = &rest[n..];
            }
        }
    }

    #[test]
    fn segments_join_to_what_was_written_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = open(folder.path(), 100, 40);
        let all: Vec<u8> = (0..1000_u32).map(|i| b'a' + (i % 26) as u8).collect();
        for (i, piece) in all.chunks(33).enumerate() {
            log.append(piece);
            let (found, written) = (pieces(folder.path()), ((i + 1) * 33).min(1000));
            let first = usize::try_from(found[0].0).expect("small");
            let bytes: Vec<u8> = found.iter().flat_map(|(_, b)| b.clone()).collect();
            assert_eq!(bytes, &all[first..written], "without a gap");
            assert!(bytes.len() >= written.min(100), "what is to be kept is there");
            assert!(bytes.len() < 100 + 2 * 40 + 33, "and not much more: {}", bytes.len());
        }
        assert_eq!(log.end(), 1000);
        let link = std::fs::read_link(folder.path().join("output.log")).expect("a link");
        assert_eq!(link.to_str(), Some(name_of(pieces(folder.path()).last().expect("one").0).as_str()));
    }

    #[test]
    fn offsets_go_on_over_starts_and_never_go_back() {
        let folder = tempfile::tempdir().expect("folder");
        open(folder.path(), 1 << 20, 1 << 20).append(b"first");
        let mut second = open(folder.path(), 1 << 20, 1 << 20);
        assert_eq!(second.end(), 5);
        second.append(b"second");
        drop(second);
        // As an exit record says that knows of bytes which no disk took.
        let mut third = Segments::open(folder.path(), 1 << 20, 40).expect("open");
        assert_eq!((third.first(), third.end()), (40, 40));
        third.append(b"third");
        let starts: Vec<u64> = pieces(folder.path()).iter().map(|p| p.0).collect();
        assert_eq!(starts, [0, 5, 40]);
    }

    #[test]
    fn a_disk_that_works_again_goes_on_where_it_stopped_or_behind_a_gap() {
        let folder = tempfile::tempdir().expect("folder");
        let (job, away) = (folder.path().join("job"), folder.path().join("away"));
        std::fs::create_dir(&job).expect("folder");
        let mut log = open(&job, 1 << 20, 10);
        log.append(b"0123456");
        // No segment can be opened where no folder is; a test that runs as root has no other way.
        std::fs::rename(&job, &away).expect("rename");
        log.let_go();
        for _ in 0..3 {
            let error = log.write(7, b"789").expect_err("no folder");
            assert_eq!((error.raw_os_error(), log.end()), (Some(nix::libc::ENOENT), 7));
        }
        std::fs::rename(&away, &job).expect("rename");
        log.append(b"789");
        assert_eq!(pieces(&job), [(0, b"0123456789".to_vec())]);
        assert_eq!(log.write(20, b"later").expect("write"), 5);
        assert_eq!(pieces(&job), [(0, b"0123456789".to_vec()), (20, b"later".to_vec())]);
        assert_eq!(log.tail(100), b"later", "a tail has no gap");
    }

    #[test]
    fn a_write_that_failed_and_left_something_leaves_nothing_twice() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = open(folder.path(), 1 << 20, 100);
        log.append(b"whole");
        log.let_go();
        let path = folder.path().join(name_of(0));
        std::fs::write(&path, b"wholeha").expect("write");
        log.append(b"half");
        assert_eq!(pieces(folder.path()), [(0, b"wholehalf".to_vec())]);
        // One that has lost bytes is not gone on with: its offsets would be wrong.
        log.let_go();
        std::fs::write(&path, b"who").expect("write");
        log.append(b"more");
        assert_eq!(pieces(folder.path()), [(0, b"who".to_vec()), (9, b"more".to_vec())]);
    }

    #[test]
    fn a_tail_crosses_segments_and_stays_within_this_start() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = open(folder.path(), 1 << 20, 7);
        log.append(b"one\ntwo\nthree\nfour\n");
        assert_eq!(log.tail(1 << 20), b"one\ntwo\nthree\nfour\n");
        assert_eq!(log.tail(8), b"ee\nfour\n");
        assert_eq!(log.tail(0), b"");
        let mut next = open(folder.path(), 1 << 20, 7);
        assert_eq!(next.tail(100), b"");
        next.append(b"five\nsix\n");
        assert_eq!(next.tail(100), b"five\nsix\n");
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
