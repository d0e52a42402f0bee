//! Version 1 of the records' format: JSON objects with the keys of [`Record`].
//!
//! Frozen: a later version may add keys at the top level of a record, never inside its objects, and may not change what
//! these mean. So this build keeps what a later one added ([`Record::extra`]), and the version that it carries: a
//! record that an older build has written is still one of the later version.

use crate::core::record::{Record, VERSION};
use serde::Serialize;
use serde_json::Value;

/// Content of `state.json`.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    to_json(record, true)
}

/// Content of `roster.json`.
pub(super) fn encode_all(records: &[Record]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Roster<'a> {
        version: u32,
        sessions: &'a [Record],
    }
    to_json(&Roster { version: VERSION, sessions: records }, false)
}

fn to_json(value: &impl Serialize, pretty: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let done = match pretty {
        true => serde_json::to_writer_pretty(&mut out, value),
        false => serde_json::to_writer(&mut out, value),
    };
    // Maps with text keys into memory: there is nothing that could fail. An empty file would be set aside, not trusted.
    debug_assert!(done.is_ok(), "{done:?}");
    out.push(b'\n');
    out
}

/// Reads `state.json`, of this version or a later one.
///
/// # Errors
/// Why it is no record, for people.
pub(super) fn decode(content: &[u8]) -> Result<Record, String> {
    record(serde_json::from_slice(content).map_err(|e| format!("it is no JSON: {e}"))?)
}

/// Reads `roster.json`: what can be read of it, and what is wrong with the rest.
///
/// # Errors
/// Why none of it can be read, for people.
pub(super) fn decode_all(content: &[u8]) -> Result<(Vec<Record>, Vec<String>), String> {
    let value: Value = serde_json::from_slice(content).map_err(|e| format!("it is no JSON: {e}"))?;
    let Some(Value::Array(sessions)) = value.get("sessions").cloned() else {
        return Err(format!("it is no roster{}", of_version(&value)));
    };
    let mut wrong = Vec::new();
    let records =
        sessions.into_iter().filter_map(|value| record(value).map_err(|e| wrong.push(e)).ok()).collect();
    Ok((records, wrong))
}

fn record(value: Value) -> Result<Record, String> {
    let version = of_version(&value);
    let record: Record =
        serde_json::from_value(value).map_err(|e| format!("it is no record{version}: {e}"))?;
    if record.version == 0 { Err("there is no version 0".into()) } else { Ok(record) }
}

/// For messages: that somebody newer has written it.
fn of_version(value: &Value) -> String {
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version > u64::from(VERSION) => {
            format!(" that this build can read (it has version {version}, this build writes {VERSION})")
        }
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::{Desired, State};

    const FIXTURE: &str = include_str!("../../tests/data/v1/state.json");

    /// Whatever changes: this file was written by a released build and must load, with every value where it was.
    #[test]
    fn the_fixture_of_version_1_loads_for_ever() {
        let record = decode(FIXTURE.as_bytes()).expect("the fixture");
        assert_eq!(record.id.to_string(), "7c5dcf5d");
        assert_eq!((record.state, record.desired), (State::Parked, Desired::Running));
        assert_eq!((record.generation, record.start, record.revision), (5, 5, 17));
        assert_eq!(record.argv[2].0, b"a\xffb");
        assert_eq!(record.exit.as_ref().map(|e| (e.code, e.signal, e.offset)), Some((None, Some(15), 4096)));
        assert_eq!(record.times.started_ms, 1_767_225_600_000);
        assert_eq!(record.extra.len(), 1);
        let written: Value = serde_json::from_slice(&encode(&record)).expect("ours");
        let fixture: Value = serde_json::from_str(FIXTURE).expect("fixture");
        assert_eq!(written, fixture, "what is written back is what was read");
    }

    #[test]
    fn the_shortest_record_of_version_1_loads_for_ever() {
        let record = decode(include_bytes!("../../tests/data/v1/least.json")).expect("the fixture");
        assert_eq!((record.start, record.revision, record.host), (0, 0, None));
    }

    /// A downgrade: a later build has written it, this one changes it, and the later one finds what it knew.
    #[test]
    fn an_old_writer_keeps_new_data() {
        let mut later: Value = serde_json::from_str(FIXTURE).expect("fixture");
        later["version"] = 7.into();
        later["quota"] =
            serde_json::json!({"tokens": 18_446_744_073_709_551_615u64, "list": [1, {"x": null}]});
        let mut record = decode(&serde_json::to_vec(&later).expect("json")).expect("read as version 1");
        record.state = State::Working;
        record.revision += 1;
        let written: Value = serde_json::from_slice(&encode(&record)).expect("ours");
        assert_eq!(written["quota"], later["quota"]);
        assert_eq!(written["version"], 7, "it still is a record of the later version");
        assert_eq!(written["state"], "working");
    }

    #[test]
    fn what_a_later_version_means_is_never_guessed() {
        let mut later: Value = serde_json::from_str(FIXTURE).expect("fixture");
        later["version"] = 2.into();
        later["state"] = "dreaming".into();
        let error = decode(&serde_json::to_vec(&later).expect("json")).expect_err("unknown state");
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn one_bad_record_does_not_spoil_the_roster() {
        let record = decode(FIXTURE.as_bytes()).expect("fixture");
        let mut roster: Value = serde_json::from_slice(&encode_all(&[record.clone(), record])).expect("ours");
        roster["sessions"][0]["id"] = "../../etc".into();
        let (records, wrong) = decode_all(&serde_json::to_vec(&roster).expect("json")).expect("the rest");
        assert_eq!((records.len(), wrong.len()), (1, 1));
        for garbage in ["", "{", "[]", "null", "{\"sessions\": 3}", "\0\0\0"] {
            decode_all(garbage.as_bytes()).expect_err(garbage);
        }
    }
}
