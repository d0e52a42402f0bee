//! Program status reports (`OSC 7501`): `key=value` pairs with colons between; title and message are base64.

use super::claim::{Claim, Doing};
use crate::core::event::Signals;
use crate::core::naming::printable;

/// Characters of a text that is shown, at most.
pub(super) const TEXT: usize = 200;

/// What the program of a session says of itself; none where it says nothing.
pub(super) fn claim(signals: &Signals, now: u64) -> Option<Claim> {
    let own = Report::parse(&signals.program).filter(|report| report.id.is_empty());
    let parts = signals.blocked.iter().filter_map(|raw| Report::parse(raw));
    // A part of its work that waits for the user keeps all of it waiting, or will.
    let part = parts.into_iter().find(|part| part.doing() == Some(Doing::Blocked));
    let waits = own.as_ref().is_some_and(|own| own.doing() == Some(Doing::Blocked));
    let report = if waits { own } else { part.or(own) }?;
    let doing = report.doing()?;
    Some(Claim {
        doing,
        vague: false,
        old: false,
        what: report.said(doing),
        made: now,
        renewed: now,
        inputs: signals.inputs,
        says: report.sentence(),
    })
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Report {
    state: String,
    id: String,
    app: String,
    kind: String,
    title: String,
    message: String,
    progress: Option<u8>,
}

impl Report {
    /// None for no report, for a cleared one, and for what is no report.
    fn parse(raw: &str) -> Option<Self> {
        let raw = raw.strip_prefix("7501;").unwrap_or(raw);
        let mut report = Self::default();
        for (key, value) in raw.split([':', ';']).filter_map(|pair| pair.split_once('=')) {
            match key {
                "state" => report.state = printable(value, 20),
                "id" => report.id = printable(value, 128),
                "app" => report.app = printable(value, 40),
                "kind" => report.kind = printable(value, 40),
                "title" => report.title = decode(value),
                "msg" => report.message = decode(value),
                "progress" => report.progress = value.parse().ok().filter(|percent| *percent <= 100),
                _ => {}
            }
        }
        report.doing().is_some().then_some(report)
    }

    fn doing(&self) -> Option<Doing> {
        Some(match self.state.as_str() {
            "working" => Doing::Working,
            "idle" => Doing::Idle,
            "done" => Doing::Done,
            // A program that failed and lives on waits for somebody to see to it.
            "blocked" | "error" => Doing::Blocked,
            _ => return None,
        })
    }

    fn said(&self, doing: Doing) -> String {
        let texts = [&self.message, &self.title, &self.kind];
        let said = texts.into_iter().find(|t| !t.is_empty()).cloned().unwrap_or_default();
        match (doing, self.progress) {
            (Doing::Blocked, _) if said.is_empty() && self.state == "error" => "an error".into(),
            (Doing::Working, Some(percent)) if said.is_empty() => format!("{percent} %"),
            (Doing::Working, Some(percent)) => format!("{said} ({percent} %)"),
            (Doing::Working | Doing::Blocked | Doing::Idle | Doing::Done, _) => said,
        }
    }

    fn sentence(&self) -> String {
        let app = if self.app.is_empty() { "its program" } else { &self.app };
        match self.id.is_empty() {
            true => format!("{app} reports {:?} (OSC 7501)", self.state),
            false => format!("{app} reports {:?} of a part of its work (OSC 7501)", self.state),
        }
    }
}

/// Base64 as one printable line; what is no base64 is shown as it is, since it is only ever shown.
fn decode(value: &str) -> String {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0u32);
    for c in value.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return printable(value, TEXT),
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_le_bytes()[0]);
        }
    }
    printable(&String::from_utf8_lossy(&bytes), TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(program: &str, blocked: &[&str]) -> Option<(Doing, String)> {
        let blocked = blocked.iter().map(|raw| (*raw).to_owned()).collect();
        let signals = Signals { program: program.into(), blocked, ..Signals::default() };
        claim(&signals, 0).map(|claim| (claim.doing, claim.what))
    }

    #[test]
    fn reports_carry_what_a_program_says() {
        use Doing::{Blocked, Done, Idle, Working};
        for (program, doing, what) in [
            ("state=working", Working, ""),
            ("7501;state=done:app=codex", Done, ""),
            ("state=idle:title=QnVpbGQ", Idle, "Build"),
            ("state=working:progress=40:title=QnVpbGQ", Working, "Build (40 %)"),
            ("state=working:progress=40", Working, "40 %"),
            ("state=working:progress=400:msg=not base64!", Working, "not base64!"),
            ("state=blocked:kind=permission", Blocked, "permission"),
            (
                "state=blocked:kind=permission:msg=YXBwcm92ZSBXcml0ZTogL3gbWzJK",
                Blocked,
                "approve Write: /x\u{fffd}[2J",
            ),
            ("state=error", Blocked, "an error"),
            ("state=error:msg=Ym9vbQ==", Blocked, "boom"),
        ] {
            assert_eq!(said(program, &[]), Some((doing, what.to_owned())), "{program}");
        }
        for none in ["", "state=clear", "state=dreaming", "app=x", "gibberish", "=", "state=done:id=part"] {
            assert_eq!(said(none, &[]), None, "{none}");
        }
    }

    #[test]
    fn a_part_that_waits_makes_the_whole_wait() {
        let part = "state=blocked:id=a:msg=cGFydA";
        assert_eq!(said("state=working", &[part]), Some((Doing::Blocked, "part".into())));
        assert_eq!(said("", &[part]), Some((Doing::Blocked, "part".into())));
        assert_eq!(said("state=blocked:msg=d2hvbGU", &[part]), Some((Doing::Blocked, "whole".into())));
        assert_eq!(said("state=working", &["nonsense"]), Some((Doing::Working, String::new())));
    }
}
