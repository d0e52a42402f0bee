//! Records on disk.
//!
//! | File | Holds | Written |
//! |---|---|---|
//! | `jobs/<id>/state.json` | a session's record | durably, before what it decides is done |
//! | `roster.json` | a copy of all records | durably, some time after |
//! | `events.jsonl`, `events.1.jsonl` | the event journal, and what was rotated out of it | appended |
//! | `jobs/<id>/timeline.jsonl` | the session's own events | appended |
//!
//! The folder `jobs/<id>` is what makes a session exist. Of the two copies of its record the higher revision is used,
//! and `state.json` where they are equal. What cannot be read is set aside as `<name>.unreadable-<n>` with a message,
//! never overwritten, and the other copy is used. A folder under removal is called `.removing-<id>`: that rename is the
//! decision, and whoever loads next finishes it.
//!
//! One supervisor at a time writes: `abided.lock` keeps others away, whatever runtime folder they use (`hold`).
//!
//! Everything here blocks on the disk; one thread of the supervisor does it all, in order.

mod file;
mod hold;
mod lines;
mod load;
mod remove;
mod store;
mod v1;

pub use file::RosterError;
pub use hold::{HoldError, hold, holder, lock_of};
pub use load::Loaded;
pub use store::Store;

#[cfg(test)]
mod tests;
