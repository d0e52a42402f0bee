//! A session's output from its files.
//!
//! `jobs/<id>/output.<offset of its first byte, 20 digits>.log` are the segments; offsets number every byte that the
//! session ever wrote. While one reads, the host goes on writing: the last segment grows, a new one begins, the
//! oldest goes. Where a segment begins later than the one before ends, the bytes between were never logged, or their
//! segment went: a [`Piece::Gap`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// So many bytes are not there.
    Gap(u64),
    /// Nothing more, for now.
    End,
}

/// Reads on from an offset.
#[derive(Debug)]
pub struct LogReader {
    folder: PathBuf,
    at: u64,
    open: Option<(u64, File)>,
}

/// The segments of a folder: first offset and size, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn segments(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(start) = entry.file_name().to_str().and_then(start_of) else { continue };
        match entry.metadata() {
            Ok(data) if data.is_file() => found.push((start, data.len())),
            Ok(_) => {}
            // It was the oldest, and went.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Offsets of the first and after the last logged byte; `None` where nothing was logged.
///
/// # Errors
/// As [`segments`].
pub fn range(folder: &Path) -> io::Result<Option<(u64, u64)>> {
    let segments = segments(folder)?;
    Ok(segments.first().zip(segments.last()).map(|(first, last)| (first.0, last.0 + last.1)))
}

fn start_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("output.")?.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn name_of(start: u64) -> String {
    format!("output.{start:020}.log")
}

impl LogReader {
    /// Of this folder, from this offset on.
    pub fn new(folder: PathBuf, from: u64) -> Self {
        Self { folder, at: from, open: None }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// Goes on elsewhere.
    pub fn seek(&mut self, to: u64) {
        self.at = to;
        self.open = None;
    }

    /// Reads on, up to `until` at most.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn read(&mut self, buffer: &mut [u8], until: u64) -> io::Result<Piece> {
        loop {
            let wanted =
                usize::try_from(until.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
            if wanted == 0 {
                return Ok(Piece::End);
            }
            if let Some((start, file)) = &self.open {
                let n = read_at(file, &mut buffer[..wanted], self.at - start)?;
                if n > 0 {
                    self.at += n as u64;
                    return Ok(Piece::Bytes(n));
                }
            }
            // Past the end of this segment, or none is open yet: which one has the next byte?
            let segments = segments(&self.folder)?;
            let here = self.open.take().map(|(start, _)| start);
            let holds =
                segments.iter().rev().find(|(start, size)| *start <= self.at && self.at < start + size);
            if let Some(&(start, _)) = holds {
                match File::open(self.folder.join(name_of(start))) {
                    Ok(file) => self.open = Some((start, file)),
                    // Gone since it was listed: list again. It cannot come back, so this ends.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
                continue;
            }
            match segments.iter().find(|(start, size)| *start > self.at && *size > 0) {
                Some(&(start, _)) => {
                    // The host appends to a segment before it begins the next, but our two looks were not one: what
                    // was appended between them must not pass for lost.
                    if let Some(here) = here
                        && let Ok(file) = File::open(self.folder.join(name_of(here)))
                        && read_at(&file, &mut buffer[..1], self.at - here)? > 0
                    {
                        self.open = Some((here, file));
                        continue;
                    }
                    let gap = start.min(until) - self.at;
                    self.at += gap;
                    return Ok(Piece::Gap(gap));
                }
                None => return Ok(Piece::End),
            }
        }
    }
}

fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, at) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Offset of the first of the last `lines` lines before `end`. A last line without its end counts as one.
///
/// # Errors
/// The files cannot be read.
pub fn last_lines(folder: &Path, end: u64, lines: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let Some((first, _)) = range(folder)? else { return Ok(end) };
    if lines == 0 {
        return Ok(end);
    }
    let (mut at, mut ends) = (end, 0u64);
    let mut buffer = vec![0; STEP as usize];
    while at > first {
        let from = at.saturating_sub(STEP).max(first);
        let mut reader = LogReader::new(folder.to_owned(), from);
        // One step back, kept with its place: gaps hold no lines.
        let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
        loop {
            let start = reader.offset();
            match reader.read(&mut buffer, at)? {
                Piece::Bytes(n) => pieces.push((start, buffer[..n].to_vec())),
                Piece::Gap(_) => {}
                Piece::End => break,
            }
        }
        for (start, bytes) in pieces.iter().rev() {
            for i in memchr::memrchr_iter(b'\n', bytes) {
                let after = start + i as u64 + 1;
                // The end of the very last line is its own.
                if after == end {
                    continue;
                }
                ends += 1;
                if ends == lines {
                    return Ok(after);
                }
            }
        }
        at = from;
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{remove_file, write};

    fn put(folder: &Path, start: u64, bytes: &[u8]) {
        write(folder.join(name_of(start)), bytes).expect("write");
    }

    /// Everything from `from`, gaps as `<n>`.
    fn all(reader: &mut LogReader, until: u64) -> String {
        let (mut out, mut buffer) = (String::new(), [0; 3]);
        loop {
            match reader.read(&mut buffer, until).expect("read") {
                Piece::Bytes(n) => out.push_str(std::str::from_utf8(&buffer[..n]).expect("text")),
                Piece::Gap(n) => out.push_str(&format!("<{n}>")),
                Piece::End => return out,
            }
        }
    }

    #[test]
    fn segments_are_one_stream_with_gaps_said() {
        let dir = tempfile::tempdir().expect("folder");
        put(dir.path(), 0, b"abcde");
        put(dir.path(), 5, b"fgh");
        put(dir.path(), 20, b"uvw");
        put(dir.path(), 23, b"");
        write(dir.path().join("output.5.log"), b"no").expect("write");
        std::os::unix::fs::symlink(name_of(23), dir.path().join("output.log")).expect("link");
        let read = |from, until| all(&mut LogReader::new(dir.path().to_owned(), from), until);
        assert_eq!(read(0, u64::MAX), "abcdefgh<12>uvw");
        assert_eq!(read(4, 6), "ef");
        assert_eq!(read(10, u64::MAX), "<10>uvw");
        assert_eq!(read(10, 15), "<5>");
        assert_eq!(read(23, u64::MAX), "");
        assert_eq!(read(99, u64::MAX), "");
        assert_eq!(range(dir.path()).expect("range"), Some((0, 23)));
    }

    #[test]
    fn a_segment_that_goes_while_it_is_read_is_read_to_its_end() {
        let dir = tempfile::tempdir().expect("folder");
        put(dir.path(), 0, b"abcdef");
        put(dir.path(), 6, b"ghi");
        let mut reader = LogReader::new(dir.path().to_owned(), 0);
        let mut buffer = [0; 2];
        assert_eq!(reader.read(&mut buffer, u64::MAX).expect("read"), Piece::Bytes(2));
        remove_file(dir.path().join(name_of(0))).expect("remove");
        assert_eq!(all(&mut reader, u64::MAX), "cdefghi");
    }

    #[test]
    fn what_grows_is_read_on() {
        let dir = tempfile::tempdir().expect("folder");
        put(dir.path(), 0, b"ab");
        let mut reader = LogReader::new(dir.path().to_owned(), 0);
        assert_eq!(all(&mut reader, u64::MAX), "ab");
        put(dir.path(), 0, b"abcd");
        put(dir.path(), 4, b"ef");
        assert_eq!(all(&mut reader, u64::MAX), "cdef");
        assert_eq!(reader.offset(), 6);
    }

    #[test]
    fn the_oldest_that_went_is_a_gap() {
        let dir = tempfile::tempdir().expect("folder");
        put(dir.path(), 8, b"ijk");
        assert_eq!(all(&mut LogReader::new(dir.path().to_owned(), 0), u64::MAX), "<8>ijk");
    }

    #[test]
    fn last_lines_are_found_over_segments() {
        let dir = tempfile::tempdir().expect("folder");
        put(dir.path(), 0, b"one\ntw");
        put(dir.path(), 6, b"o\nthree\nfo");
        let last = |n| last_lines(dir.path(), 16, n).expect("read");
        assert_eq!((last(0), last(1), last(2), last(3), last(4), last(9)), (16, 14, 8, 4, 0, 0));
        put(dir.path(), 6, b"o\nthree\n");
        assert_eq!(last_lines(dir.path(), 14, 1).expect("read"), 8);
    }
}
