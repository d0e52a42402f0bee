//! All sessions, and the rules that are about more than one of them.

use super::action::Action;
use super::event::{Event, Now};

/// What the rules depend on. Times in milliseconds of awake time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The supervisor leaves when it was not needed for so long.
    pub idle_exit_ms: u64,
    /// And not before it lived so long: a service that exits right after each answer runs into start limits.
    pub min_lifetime_ms: u64,
    /// From the polite signals to SIGKILL, where a stop does not say.
    pub stop_grace_ms: u32,
    /// Starts under way at the same time.
    pub max_starting: usize,
    /// Entries of the event journal kept in memory.
    pub events_tail: usize,
    /// Process id of this supervisor.
    pub pid: u32,
    /// Version of its program.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_exit_ms: 30_000,
            min_lifetime_ms: 1_000,
            stop_grace_ms: 5_000,
            max_starting: 16,
            events_tail: 5_000,
            pid: 0,
            version: crate::VERSION.into(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
}

impl Fleet {
    /// An empty one, which waits for [`Event::Adopt`].
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Takes note of `event` and decides.
    pub fn handle(&mut self, _now: Now, _event: Event) -> Vec<Action> {
        Vec::new()
    }

    /// When to send [`Event::Tick`], in awake milliseconds, and why.
    pub fn next_deadline(&self) -> Option<(u64, &'static str)> {
        self.settings.idle_exit_ms.checked_add(0).map(|at| (at, "idle exit"))
    }
}
