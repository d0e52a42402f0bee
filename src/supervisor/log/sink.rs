//! Where log lines go, and their forms.

use super::Line;
use super::journal::Journal;
use crate::sys::{clock, dirs};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file is rotated at this size, in bytes; one older one is kept.
const FILE_LIMIT: u64 = 1 << 20;
/// The longest message or field of one line, in bytes.
const FIELD_LIMIT: usize = 8 << 10;

/// See the module.
#[derive(Debug)]
pub(in super::super) enum Target {
    /// systemd's journal.
    Journal(Journal),
    /// A file in the state folder.
    File(LogFile),
    /// Standard error: in the foreground, on a terminal.
    Stderr,
}

impl Target {
    /// The file; and the journal, where standard error is connected to it (`JOURNAL_STREAM` names that very stream) or
    /// where a service manager started us. Then the sessions are units, whose names have this tag.
    pub(in super::super) fn choose(
        journal_stream: Option<&str>,
        managed: bool,
        tag: Option<String>,
        file: PathBuf,
    ) -> Vec<Self> {
        let journal = managed || journal_stream.is_some_and(is_stderr);
        // Where it cannot be opened no journal runs, whatever the variable says.
        let journal = journal.then(|| Journal::open(managed.then_some(tag))).and_then(Result::ok);
        journal.map(Self::Journal).into_iter().chain([Self::file(file)]).collect()
    }

    /// The file of this name.
    pub(super) fn file(path: PathBuf) -> Self {
        Self::File(LogFile { path, open: None })
    }

    /// For people: what is used.
    pub(in super::super) fn describe(&self) -> String {
        match self {
            Self::Journal(_) => "the journal".into(),
            Self::File(file) => file.path.display().to_string(),
            Self::Stderr => "standard error".into(),
        }
    }

    pub(super) fn write(&mut self, line: &Line) {
        match self {
            Self::Journal(journal) => journal.write(line),
            // A log that cannot be written must not stop what it is about.
            Self::File(file) => _ = file.append(text_form(line, clock::wall_ms()).as_bytes()),
            Self::Stderr => _ = std::io::stderr().write_all(text_form(line, clock::wall_ms()).as_bytes()),
        }
    }
}

/// `DEVICE:INODE` of the stream that standard error was connected to at the start.
fn is_stderr(journal_stream: &str) -> bool {
    let named = journal_stream.split_once(':').and_then(|(d, i)| Some((d.parse().ok()?, i.parse().ok()?)));
    // The descriptor itself, through /dev/fd: no raw call is needed.
    let stderr = std::fs::metadata("/dev/fd/2").map(|m| (m.dev(), m.ino()));
    matches!((named, stderr), (Some(named), Ok(stderr)) if named == stderr)
}

/// A file that is replaced when it is full.
#[derive(Debug)]
pub(in super::super) struct LogFile {
    path: PathBuf,
    open: Option<(File, u64)>,
}

impl LogFile {
    fn append(&mut self, text: &[u8]) -> std::io::Result<()> {
        let (file, size) = match &mut self.open {
            Some((file, size)) if *size < FILE_LIMIT => (file, size),
            Some(_) | None => {
                let (file, size) = open(&self.path)?;
                let (file, size) = self.open.insert((file, size));
                (file, size)
            }
        };
        file.write_all(text)?;
        *size += text.len() as u64;
        Ok(())
    }
}

fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let appended = std::fs::OpenOptions::new().append(true).open(path);
    match appended.and_then(|file| Ok((file.metadata()?.len(), file))) {
        Ok((size, file)) if size < FILE_LIMIT => return Ok((file, size)),
        Ok(_) => std::fs::rename(path, path.with_extension("log.1"))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    dirs::create_private_file(path).map(|file| (file, 0))
}

/// `2026-11-20T21:05:07.123Z INFO  message key=value`
fn text_form(line: &Line, wall_ms: u64) -> String {
    let at = i64::try_from(wall_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let mut text = format!("{:.3} {:5} {}", at.unwrap_or_default(), line.level, one_line(&line.message));
    for (name, value) in &line.fields {
        if !value.is_empty() {
            text.push_str(&format!(" {name}={}", one_line(value)));
        }
    }
    text.push('\n');
    text
}

fn one_line(text: &str) -> String {
    let mut out = String::new();
    for c in clipped(text).chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// The beginning of a text, where it is too long to be logged.
pub(super) fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(FIELD_LIMIT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line {
            level: tracing::Level::WARN,
            message: message.into(),
            fields: vec![("session", "0000002a".into()), ("by", String::new())],
        }
    }

    #[test]
    fn a_line_of_text_is_one_line() {
        assert_eq!(
            text_form(&line("a\x1b[2Jb\nc"), 1_763_672_707_123),
            "2025-11-20T21:05:07.123Z WARN  a\\u{1b}[2Jb\\nc session=0000002a\n"
        );
    }

    #[test]
    fn a_full_file_makes_room_for_a_new_one_and_stays_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("abided.log");
        let mut file = LogFile { path: path.clone(), open: None };
        let chunk = vec![b'x'; 300 << 10];
        for _ in 0..9 {
            file.append(&chunk).expect("append");
        }
        let sizes =
            ["abided.log", "abided.log.1"].map(|name| dir.path().join(name).metadata().expect("there"));
        assert!(sizes.iter().all(|m| m.len() <= FILE_LIMIT + chunk.len() as u64), "{sizes:?}");
        assert!(sizes.iter().all(|m| m.permissions().mode() & 0o777 == 0o600));
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 2);
    }

    #[test]
    fn a_later_run_appends() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("abided.log");
        for text in ["one\n", "two\n"] {
            LogFile { path: path.clone(), open: None }.append(text.as_bytes()).expect("append");
        }
        assert_eq!(std::fs::read_to_string(path).expect("text"), "one\ntwo\n");
    }

    #[test]
    fn a_journal_stream_that_is_not_ours_is_not_believed() {
        for other in ["", "1:1", "x:y", "1"] {
            assert!(!is_stderr(other), "{other}");
        }
    }
}
