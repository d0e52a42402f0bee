//! Records and journals on disk.

use crate::core::action::Entry;
use crate::core::id::SessionId;
use crate::core::record::Record;
use crate::paths::Paths;
use std::io::{self, Write};

pub(super) struct Store {
    paths: Paths,
}

pub(super) struct Loaded {
    pub(super) records: Vec<Record>,
    pub(super) messages: Vec<String>,
    pub(super) last_event: u64,
    pub(super) recent: Vec<Entry>,
}

impl Store {
    pub(super) fn open(paths: &Paths) -> (Self, Loaded) {
        let mut loaded = Loaded { records: vec![], messages: vec![], last_event: 0, recent: vec![] };
        for entry in std::fs::read_dir(paths.jobs()).into_iter().flatten().flatten() {
            if let Ok(bytes) = std::fs::read(entry.path().join("state.json")) {
                match serde_json::from_slice(&bytes) {
                    Ok(record) => loaded.records.push(record),
                    Err(e) => loaded.messages.push(e.to_string()),
                }
            }
        }
        let text = std::fs::read_to_string(paths.events()).unwrap_or_default();
        loaded.recent = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        loaded.last_event = loaded.recent.last().map_or(0, |e| e.seq);
        (Self { paths: paths.clone() }, loaded)
    }
    pub(super) fn save(&mut self, record: &Record) -> io::Result<()> {
        let dir = self.paths.job(&record.id.to_string());
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(".state.json"), serde_json::to_vec(record)?)?;
        std::fs::rename(dir.join(".state.json"), dir.join("state.json"))
    }
    pub(super) fn save_roster(&mut self) -> io::Result<()> {
        Ok(())
    }
    pub(super) fn journal(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        std::fs::OpenOptions::new().append(true).create(true).open(self.paths.events())?.write_all(&line)
    }
    pub(super) fn remove(&mut self, id: SessionId) -> io::Result<()> {
        match std::fs::remove_dir_all(self.paths.job(&id.to_string())) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
