//! Program status reports (`OSC 7501`): `key=value` pairs with colons between, in any order.

use super::text::{LONGEST, printable};

/// Longest `id`, and longest segment of one, in bytes; segments at most.
const ID: (usize, usize, usize) = (128, 32, 8);

/// What a program says of itself, or of a part of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which part; empty for the program itself.
    pub id: String,
    /// What it does.
    pub state: ProgramState,
    /// The report once more, printable: the state first, and the message last, which is cut where it is too long.
    pub text: String,
}

/// The states that the protocol knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramState {
    /// Nothing to do.
    Idle,
    /// At work.
    Working,
    /// Waits for the user.
    Blocked,
    /// Finished.
    Done,
    /// Failed.
    Error,
    /// There is nothing to be said of it any more.
    Clear,
}

impl Report {
    /// Reads what stands behind `7501;`. A report whose state or id is none that the protocol knows is no report.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let [mut state, mut id, mut kind, mut app, mut progress, mut title, mut msg] = [None; 7];
        for pair in bytes.split(|b| *b == b':') {
            let Some(at) = pair.iter().position(|b| *b == b'=') else { continue };
            let value = Some(&pair[at + 1..]);
            match &pair[..at] {
                b"state" => state = value,
                b"id" => id = value,
                b"kind" => kind = value,
                b"app" => app = value,
                b"progress" => progress = value,
                b"title" => title = value,
                b"msg" => msg = value,
                _ => {}
            }
        }
        let word = state?;
        let state = match word {
            b"idle" => ProgramState::Idle,
            b"working" => ProgramState::Working,
            b"blocked" => ProgramState::Blocked,
            b"done" => ProgramState::Done,
            b"error" => ProgramState::Error,
            b"clear" => ProgramState::Clear,
            _ => return None,
        };
        if id.is_some_and(|id| !is_id(id)) {
            return None;
        }
        let mut text = b"state=".to_vec();
        text.extend_from_slice(word);
        let others = [
            ("kind", kind),
            ("app", app),
            ("progress", progress),
            ("id", id),
            ("title", title),
            ("msg", msg),
        ];
        for (key, value) in others {
            let Some(value) = value else { continue };
            text.push(b':');
            text.extend_from_slice(key.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value);
        }
        let id = id.map(|id| printable(id, ID.0)).unwrap_or_default();
        Some(Self { id, state, text: printable(&text, LONGEST) })
    }
}

fn is_id(id: &[u8]) -> bool {
    let part = |segment: &[u8]| {
        let known = |b: &u8| b.is_ascii_alphanumeric() || b"_.+-".contains(b);
        !segment.is_empty() && segment.len() <= ID.1 && segment.iter().all(known)
    };
    id.len() <= ID.0 && id.split(|b| *b == b'/').count() <= ID.2 && id.split(|b| *b == b'/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_in_any_order_and_told_in_one() {
        let report =
            Report::parse(b"msg=bWFrZQ==:new=1:id=a/b.2:progress=40:app=make:state=working").expect("valid");
        assert_eq!((report.id.as_str(), report.state), ("a/b.2", ProgramState::Working));
        assert_eq!(report.text, "state=working:app=make:progress=40:id=a/b.2:msg=bWFrZQ==");
        let long = [b"msg=".as_slice(), &[b'Y'; 3000], b":state=blocked:kind=auth"].concat();
        let report = Report::parse(&long).expect("valid");
        assert!(report.text.starts_with("state=blocked:kind=auth:msg=YYY"), "{}", report.text);
        assert_eq!(report.text.len(), LONGEST);
    }

    #[test]
    fn what_the_protocol_does_not_know_is_no_report() {
        let deep = ["a"; 9].join("/");
        let long = "a".repeat(33);
        for bad in [
            "",
            "app=x",
            "state=",
            "state=asleep",
            "state=done:id=",
            "state=done:id=a//b",
            "state=done:id=a b",
        ] {
            assert_eq!(Report::parse(bad.as_bytes()), None, "{bad}");
        }
        for id in [&deep, &long, "é"] {
            assert_eq!(Report::parse(format!("state=done:id={id}").as_bytes()), None, "{id}");
        }
    }
}
