//! What the supervisor registers of the sessions that it runs.

use super::{Key, Patch, Status};
use crate::core::record::{Instance, Record, State};
use crate::core::text::Text;

/// The process of a session, and what is known of it; none while it has none. `log`: its output's file.
pub fn of_record(record: &Record, log: &Text) -> Option<(Instance, Patch)> {
    let host = record.host.as_ref().filter(|host| host.child_pid > 0 && host.child_start > 0)?;
    let status = match record.state {
        State::Queued | State::Starting | State::Working => Status::Busy,
        State::Blocked => Status::Waiting,
        State::Idle | State::Done | State::Failed | State::Stopped | State::Parked => Status::Idle,
    };
    let patch = Patch::new()
        .kind(record.kind)
        .path(Key::Cwd, &record.cwd)
        .path(Key::LogPath, log)
        .time(Key::StartedAt, record.times.started_ms)
        .text_if(Key::Name, Some(&record.name))
        .text_if(Key::Agent, record.agent.as_deref())
        .text_if(Key::SessionId, record.session_id.as_deref())
        .status(status, record.waiting_for.as_deref());
    Some((Instance { pid: host.child_pid, start: host.child_start }, patch))
}
