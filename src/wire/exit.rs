//! The exit record: how a session's process ended, written by its host so that an exit while no supervisor runs is
//! known later. File `jobs/<id>/exit`, 0600, written by rename; also sent to every watcher.

use super::codec::{Missing, Reader, Writer};

/// First bytes of the file.
pub const MAGIC: &[u8; 8] = b"abidexit";
/// Format version of this build.
pub const VERSION: u16 = 2;

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Exited(u8),
    /// This signal ended it.
    Signaled(u8),
    /// Its status could not be had (it was reaped elsewhere).
    Unknown,
}

/// Why the host let go of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The child ended by itself.
    Own,
    /// A [`super::host::Request::Stop`].
    Asked,
    /// The host got SIGTERM: `systemctl stop` of the unit, or `kill`.
    Terminated,
    /// As `Terminated`, and the service manager said that it was itself going down.
    ManagerStopping,
}

/// How a session's process ended, and what its screen showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitRecord {
    /// The session.
    pub id: String,
    /// Which start of it, as in the start order.
    pub generation: u64,
    /// `/proc/sys/kernel/random/boot_id` (empty where there is none).
    pub boot_id: String,
    /// How the child ended.
    pub ending: Ending,
    /// Why.
    pub cause: Cause,
    /// Wall clock, ms since the Unix epoch, of the start and of the end.
    pub started_ms: u64,
    /// See `started_ms`.
    pub ended_ms: u64,
    /// CPU time of the child and its waited-for children, µs, in user mode.
    pub user_us: u64,
    /// And in the kernel.
    pub system_us: u64,
    /// Peak resident set, KiB (`ru_maxrss`).
    pub max_rss_kib: u64,
    /// How many of its processes the kernel killed for want of memory, by its control group's count. Since version 2.
    pub oom_kills: u64,
    /// Output offset at the end: the number of bytes that the session ever wrote, over all of its starts.
    pub offset: u64,
    /// Output bytes that could not be logged (a full or failing disk), of this start.
    pub unlogged: u64,
    /// Screen size.
    pub cols: u16,
    /// See `cols`.
    pub rows: u16,
    /// The last screen, one line a row: printable text and SGR sequences only, safe to print after a reset.
    pub screen: Vec<u8>,
}

impl ExitRecord {
    /// The file's content.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer(MAGIC.to_vec());
        let (kind, code) = match self.ending {
            Ending::Exited(c) => (0, c),
            Ending::Signaled(s) => (1, s),
            Ending::Unknown => (2, 0),
        };
        let cause = match self.cause {
            Cause::Own => 0,
            Cause::Asked => 1,
            Cause::Terminated => 2,
            Cause::ManagerStopping => 3,
        };
        w.u16(VERSION).str(&self.id).u64(self.generation).str(&self.boot_id).u8(kind).u8(code).u8(cause);
        w.u64(self.started_ms).u64(self.ended_ms).u64(self.user_us).u64(self.system_us).u64(self.max_rss_kib);
        w.u64(self.offset).u64(self.unlogged).u16(self.cols).u16(self.rows).bytes(&self.screen);
        w.u64(self.oom_kills);
        w.0
    }

    /// Reads [`ExitRecord::encode`]'s bytes, of this version or a later one.
    ///
    /// # Errors
    /// [`Missing`] where the bytes are no exit record or are cut short.
    pub fn decode(bytes: &[u8]) -> Result<Self, Missing> {
        let mut r = Reader(bytes.strip_prefix(MAGIC).ok_or(Missing)?);
        let version = r.u16()?;
        let (id, generation, boot_id) = (r.str()?, r.u64()?, r.str()?);
        let (kind, code, cause) = (r.u8()?, r.u8()?, r.u8()?);
        Ok(Self {
            id,
            generation,
            boot_id,
            ending: match kind {
                0 => Ending::Exited(code),
                1 => Ending::Signaled(code),
                _ => Ending::Unknown,
            },
            cause: match cause {
                1 => Cause::Asked,
                2 => Cause::Terminated,
                3 => Cause::ManagerStopping,
                _ => Cause::Own,
            },
            started_ms: r.u64()?,
            ended_ms: r.u64()?,
            user_us: r.u64()?,
            system_us: r.u64()?,
            max_rss_kib: r.u64()?,
            offset: r.u64()?,
            unlogged: r.u64()?,
            cols: r.u16()?,
            rows: r.u16()?,
            screen: r.bytes()?.to_vec(),
            oom_kills: if version >= 2 { r.u64()? } else { 0 },
        })
    }
}
