//! The exit record's file.

use crate::wire::exit::ExitRecord;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the file in a session's folder.
const NAME: &str = "exit";

/// Makes the record durable. One whose screen has no room on a full disk is written without it: how a session ended
/// matters more than what it showed.
///
/// # Errors
/// The disk takes not even that.
pub(super) fn write(folder: &Path, record: &ExitRecord) -> io::Result<()> {
    put(folder, &record.encode())
        .or_else(|_| put(folder, &ExitRecord { screen: Vec::new(), ..record.clone() }.encode()))
}

fn put(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(".exit.new");
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, folder.join(NAME))
    })();
    if written.is_err() {
        // It may be what fills the disk.
        let _ = std::fs::remove_file(&fresh);
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Offset at which the last start of this session ended; 0 where that is not known.
pub(super) fn last_offset(folder: &Path) -> u64 {
    let bytes = std::fs::read(folder.join(NAME)).unwrap_or_default();
    ExitRecord::decode(&bytes).map_or(0, |record| record.offset)
}
