//! The file that an agent keeps about itself, read and never written: JSON with `pid`, `procStart`, `status` and
//! `waitingFor`. It is believed only where it is about this very process.

use super::claim::Doing;
use super::program::TEXT;
use crate::core::naming::printable;
use crate::core::record::Instance;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    pid: u32,
    /// Clock ticks; a number, or one in a text.
    proc_start: Value,
    status: String,
    #[serde(default)]
    waiting_for: Option<String>,
}

/// What the file says, and for what the agent waits; none where it is about another process, damaged, or in words that
/// are not known.
pub(super) fn says(text: &str, child: Instance) -> Option<(Doing, String)> {
    let file: File = serde_json::from_str(text).ok()?;
    let start = match &file.proc_start {
        Value::Number(n) => n.as_u64(),
        Value::String(s) => s.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if (Some(file.pid), start) != (Some(child.pid), Some(child.start)) {
        return None;
    }
    let doing = match file.status.as_str() {
        "busy" => Doing::Working,
        // It would stop, but for a command that it left running.
        "shell" => Doing::Working,
        "waiting" => Doing::Blocked,
        "idle" => Doing::Idle,
        _ => return None,
    };
    let what = file.waiting_for.filter(|_| doing == Doing::Blocked).unwrap_or_default();
    Some((doing, printable(&what, TEXT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: Instance = Instance { pid: 7, start: 92534 };

    #[test]
    fn only_what_is_about_this_process_and_known_is_believed() {
        let of = |text: &str| says(text, CHILD);
        let busy = r#"{"pid":7,"procStart":"92534","status":"busy","waitingFor":"x","new":[1]}"#;
        assert_eq!(of(busy), Some((Doing::Working, String::new())));
        let waits =
            r#"{"pid":7,"procStart":92534,"status":"waiting","waitingFor":"permission\u001b prompt"}"#;
        let (doing, what) = of(waits).expect("known");
        assert_eq!(doing, Doing::Blocked);
        assert!(what.starts_with("permission") && !what.contains('\u{1b}'), "{what:?}");
        assert_eq!(
            of(r#"{"pid":7,"procStart":"92534","status":"idle","waitingFor":null}"#),
            Some((Doing::Idle, String::new()))
        );
        for none in [
            "",
            "{",
            "[]",
            r#"{"pid":8,"procStart":"92534","status":"busy"}"#,
            r#"{"pid":7,"procStart":"92535","status":"busy"}"#,
            r#"{"pid":7,"procStart":null,"status":"busy"}"#,
            r#"{"pid":7,"procStart":"92534","status":"asleep"}"#,
            r#"{"pid":7,"procStart":"92534"}"#,
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
