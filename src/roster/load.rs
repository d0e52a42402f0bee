//! Reading everything at the supervisor's start: what two copies agree on, what only one has, and what nobody can read.

use super::file::{LARGEST_RECORD, set_aside};
use super::store::Store;
use super::{remove, v1};
use crate::core::id::SessionId;
use crate::core::record::Record;
use crate::sys::files::read_ours;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A roster is never larger, by far.
const LARGEST_ROSTER: u64 = 256 << 20;

/// What the disk holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The record of every session that has a folder.
    pub records: Vec<Record>,
    /// Records in the roster whose session has no folder: it was removed, or its folder was lost. They count only where
    /// a host of that session lives.
    pub without_folder: Vec<Record>,
    /// What was wrong, for people: on what, and what was done about it.
    pub messages: Vec<String>,
}

impl Store {
    /// Reads all records, finishes removals, and sets aside what cannot be read. Never fails as a whole: whatever can be
    /// had is returned, and the messages say what could not.
    pub fn load(&self) -> Loaded {
        let mut loaded = Loaded::default();
        let mut copies: BTreeMap<SessionId, Record> = BTreeMap::new();
        for record in self.load_roster(&mut loaded.messages) {
            copies.insert(record.id, record);
        }
        let names = match std::fs::read_dir(&self.jobs) {
            Ok(entries) => entries,
            Err(e) => {
                loaded.messages.push(format!("cannot list {}: {e}", self.jobs.display()));
                loaded.records = copies.into_values().collect();
                return loaded;
            }
        };
        let mut ids = Vec::new();
        for entry in names {
            let name = match entry {
                Ok(entry) => entry.file_name(),
                Err(e) => {
                    loaded.messages.push(format!("cannot list all of {}: {e}", self.jobs.display()));
                    continue;
                }
            };
            // A name that is no id is not ours, whatever is behind it.
            let Some(name) = name.to_str() else { continue };
            if remove::is_removing(name) {
                if let Err(e) = remove::finish(&self.jobs.join(name)) {
                    loaded.messages.push(format!("a removal is not finished: {e}"));
                }
            } else if let Ok(id) = name.parse::<SessionId>() {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        for id in ids {
            let copy = copies.remove(&id);
            loaded.records.extend(self.load_job(id, copy, &mut loaded.messages));
        }
        loaded.without_folder = copies.into_values().collect();
        loaded
    }

    fn load_roster(&self, messages: &mut Vec<String>) -> Vec<Record> {
        let content = match read_ours(&self.roster, LARGEST_ROSTER) {
            Ok(None) => return Vec::new(),
            Ok(Some(content)) => content,
            Err(e) => {
                messages.push(aside(&self.roster, &e.to_string()));
                return Vec::new();
            }
        };
        match v1::decode_all(&content) {
            Ok((records, wrong)) if wrong.is_empty() => records,
            Ok((records, wrong)) => {
                messages.push(aside(
                    &self.roster,
                    &format!("{} of its records: {}", wrong.len(), wrong.join("; ")),
                ));
                records
            }
            Err(why) => {
                messages.push(aside(&self.roster, &why));
                Vec::new()
            }
        }
    }

    fn load_job(&self, id: SessionId, copy: Option<Record>, messages: &mut Vec<String>) -> Option<Record> {
        let folder = self.job(id);
        match std::fs::symlink_metadata(&folder) {
            Ok(meta) if !meta.is_dir() || meta.uid() != nix::unistd::geteuid().as_raw() => {
                messages.push(format!("{} is no folder of yours: it is left alone", folder.display()));
                return None;
            }
            Ok(_) => {}
            Err(e) => {
                messages.push(format!("cannot examine {}: {e}", folder.display()));
                return copy;
            }
        }
        let path = folder.join("state.json");
        let read = match read_ours(&path, LARGEST_RECORD) {
            Ok(None) => {
                if copy.is_none() {
                    self.without_record(id, messages);
                }
                return copy;
            }
            Ok(Some(content)) => v1::decode(&content),
            Err(e) => Err(e.to_string()),
        };
        let read = read.and_then(|record| match record.id == id {
            true => Ok(record),
            false => Err(format!("it is the record of {}", record.id)),
        });
        match read {
            Ok(record) => Some(match copy {
                Some(copy) if copy.revision > record.revision => copy,
                Some(_) | None => record,
            }),
            Err(why) => {
                let used =
                    if copy.is_some() { "the roster's copy is used" } else { "the roster has no copy" };
                messages.push(format!("{}; {used}", aside(&path, &why)));
                copy
            }
        }
    }

    /// A folder without a record: the remains of a crash between its making and its first record are removed, anything
    /// else is left alone.
    fn without_record(&self, id: SessionId, messages: &mut Vec<String>) {
        let folder = self.job(id);
        match is_bare(&folder) {
            Ok(true) => {
                if let Err(e) = self.remove(id) {
                    messages.push(e.to_string());
                }
            }
            Ok(false) => messages.push(format!("{} has no record: it is left alone", folder.display())),
            Err(e) => messages.push(format!("cannot list {}: {e}", folder.display())),
        }
    }
}

/// Nothing is there but what is made before the first record.
fn is_bare(folder: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let bare = match entry.file_name().to_str() {
            Some(".state.json.new") => true,
            Some("tmp") => entry.file_type()?.is_dir() && std::fs::read_dir(entry.path())?.next().is_none(),
            Some(_) | None => false,
        };
        if !bare {
            return Ok(false);
        }
    }
    Ok(true)
}

fn aside(path: &Path, why: &str) -> String {
    match set_aside(path) {
        Ok(name) => format!(
            "{} cannot be used ({why}): it was set aside as {}",
            path.display(),
            name.file_name().unwrap_or_default().to_string_lossy()
        ),
        Err(e) => format!("{} cannot be used ({why}), nor set aside: {e}", path.display()),
    }
}
