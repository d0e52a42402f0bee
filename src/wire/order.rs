//! The start order: all that a host is told, environment included. It lies in a folder on tmpfs, 0600, never on a
//! disk, as `<id>.new`; the host takes it by renaming it to `<id>`. That rename is the fence: whoever renames or
//! removes `<id>.new` first has decided whether that start happens. The taken order stays for respawns until `rm`.

use super::codec::{Missing, Reader, Writer};

/// First bytes of the file.
pub const MAGIC: &[u8; 8] = b"abideord";
/// And of one with mounts: a host that knows nothing of them must refuse it, not start the program without.
const MAGIC_WITH_MOUNTS: &[u8; 8] = b"abideorm";
/// Format version of this build.
pub const VERSION: u16 = 1;

/// One resource limit, as for `setrlimit`; `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// `RLIMIT_*` number of the platform.
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit; one above the host's own is lowered to that.
    pub hard: u64,
}

/// A path of the program's view of the file system, which differs from ours in that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Absolute, without links.
    pub path: Vec<u8>,
    /// It can be written to, within something that cannot.
    pub writable: bool,
}

/// What a host is to start, and where its files are.
#[derive(Clone, PartialEq, Eq)]
pub struct StartOrder {
    /// The session: 8 hex digits.
    pub id: String,
    /// Counts the starts of a session; a host of an older one is refused by the supervisor.
    pub generation: u64,
    /// The program and its arguments; the program is looked up in the environment's `PATH`.
    pub argv: Vec<Vec<u8>>,
    /// Working directory.
    pub cwd: Vec<u8>,
    /// The whole environment, `NAME=value` each.
    pub env: Vec<Vec<u8>>,
    /// File mode creation mask.
    pub umask: u32,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// First size of the terminal.
    pub cols: u16,
    /// See `cols`.
    pub rows: u16,
    /// `jobs/<id>`: `output.log` and its older parts, `exit`.
    pub job_dir: Vec<u8>,
    /// The session's socket, to be bound by the host.
    pub socket: Vec<u8>,
    /// The supervisor's socket for births; empty for none.
    pub births: Vec<u8>,
    /// Bytes of log to keep at least (at least 16 MiB in practice).
    pub log_keep: u64,
    /// Lines of scrollback that an attach replays at most.
    pub scrollback: u32,
    /// What the child's `oom_score_adj` is above the host's.
    pub oom_score_adj: i16,
    /// Milliseconds between HUP and TERM's end and KILL.
    pub grace_ms: u32,
    /// What is read-only for the program, and what within that is not, each after what holds it. Empty for nothing.
    pub mounts: Vec<Mount>,
}

impl std::fmt::Debug for StartOrder {
    /// Names of variables only: values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartOrder")
            .field("id", &self.id)
            .field("generation", &self.generation)
            .field("env", &format_args!("{} variables", self.env.len()))
            .finish_non_exhaustive()
    }
}

impl StartOrder {
    /// The file's content.
    pub fn encode(&self) -> Vec<u8> {
        let magic = if self.mounts.is_empty() { MAGIC } else { MAGIC_WITH_MOUNTS };
        let mut w = Writer(magic.to_vec());
        w.u16(VERSION).str(&self.id).u64(self.generation);
        w.list(&self.argv, |w, a| _ = w.bytes(a)).bytes(&self.cwd).list(&self.env, |w, a| _ = w.bytes(a));
        w.u32(self.umask).list(&self.limits, |w, l| _ = w.u32(l.resource).u64(l.soft).u64(l.hard));
        w.u16(self.cols).u16(self.rows).bytes(&self.job_dir).bytes(&self.socket).bytes(&self.births);
        w.u64(self.log_keep).u32(self.scrollback).u16(self.oom_score_adj.cast_unsigned()).u32(self.grace_ms);
        if !self.mounts.is_empty() {
            w.list(&self.mounts, |w, m| _ = w.bytes(&m.path).u8(m.writable.into()));
        }
        w.0
    }

    /// Reads [`StartOrder::encode`]'s bytes, of this version or a later one.
    ///
    /// # Errors
    /// [`Missing`] where the bytes are no start order or are cut short.
    pub fn decode(bytes: &[u8]) -> Result<Self, Missing> {
        let with_mounts = bytes.strip_prefix(MAGIC_WITH_MOUNTS);
        let mut r = Reader(bytes.strip_prefix(MAGIC).or(with_mounts).ok_or(Missing)?);
        let _version = r.u16()?;
        Ok(Self {
            id: r.str()?,
            generation: r.u64()?,
            argv: r.list(|r| r.bytes().map(<[u8]>::to_vec))?,
            cwd: r.bytes()?.to_vec(),
            env: r.list(|r| r.bytes().map(<[u8]>::to_vec))?,
            umask: r.u32()?,
            limits: r.list(|r| Ok(Limit { resource: r.u32()?, soft: r.u64()?, hard: r.u64()? }))?,
            cols: r.u16()?,
            rows: r.u16()?,
            job_dir: r.bytes()?.to_vec(),
            socket: r.bytes()?.to_vec(),
            births: r.bytes()?.to_vec(),
            log_keep: r.u64()?,
            scrollback: r.u32()?,
            oom_score_adj: r.u16()?.cast_signed(),
            grace_ms: r.u32()?,
            mounts: match with_mounts {
                // One of a version that has none ends here.
                None => Vec::new(),
                Some(_) => r.list(|r| Ok(Mount { path: r.bytes()?.to_vec(), writable: r.u8()? != 0 }))?,
            },
        })
    }
}
