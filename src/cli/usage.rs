//! What sessions use of the machine: read by this very command, which runs as the same user, so that the supervisor
//! waits for no file of the kernel's.

use super::text::{bytes, span};
use crate::core::action::View;
use crate::paths::Paths;
use crate::service::unit;
use crate::sys::usage::{Reader, Source, Usage};
use serde::Serialize;

/// As JSON: `abide.usage` of a session that has a process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// Bytes now.
    memory: u64,
    /// `cgroup`: as the limits count it, cached files included. `processes`: the sum over the living ones.
    memory_from: &'static str,
    /// Bytes at most, where there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_max: Option<u64>,
    /// Processor time since the start, µs.
    cpu_us: u64,
    /// As `memoryFrom`.
    cpu_from: &'static str,
    /// Processes that the kernel killed for want of memory.
    oom_kills: u64,
}

impl From<Usage> for Shown {
    fn from(usage: Usage) -> Self {
        let name = |source| match source {
            Source::Cgroup => "cgroup",
            Source::Processes => "processes",
        };
        Self {
            memory: usage.memory,
            memory_from: name(usage.memory_from),
            memory_max: usage.memory_max,
            cpu_us: usage.cpu_us,
            cpu_from: name(usage.cpu_from),
            oom_kills: usage.oom_kills,
        }
    }
}

/// What a session uses; none where it has no process, or has lost it by now.
pub(crate) fn of(reader: &mut Reader, paths: &Paths, view: &View) -> Option<Usage> {
    let host = view.record.host.as_ref().filter(|host| host.pid > 0)?;
    reader.of_host(host.pid, &unit::session(paths.tag().as_deref(), &view.record.id.to_string())).ok()
}

/// Memory and processor time for a table: `3.4 MiB`, `12m`.
pub(crate) fn columns(usage: Option<Usage>) -> [String; 2] {
    match usage {
        Some(usage) => [bytes(usage.memory), span(usage.cpu_us / 1_000)],
        None => ["-".to_owned(), "-".to_owned()],
    }
}

/// In a sentence: `12.0 MiB of memory (at most 64.0 MiB), 3s of CPU`.
pub(crate) fn sentence(usage: Usage) -> String {
    let limit = usage.memory_max.map(|max| format!(" (at most {})", bytes(max))).unwrap_or_default();
    let [memory, cpu] = columns(Some(usage));
    let killed = match usage.oom_kills {
        0 => String::new(),
        n => format!("; {}", crate::core::session::killed_for_memory(n)),
    };
    format!("{memory} of memory{limit}, {cpu} of CPU{killed}")
}
