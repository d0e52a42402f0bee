//! Which session a user means: its id, its name, or the beginning of its id.
//!
//! A whole id wins over a name (no name looks like one), and a whole name over a prefix: what was typed in full is
//! never ambiguous. Sessions that are being removed are no longer found.

use super::action::ErrorKind;
use super::id::SessionId;
use super::naming::printable;

/// Why a request was not done, as in [`super::action::Reply::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What a caller does about it.
    pub kind: ErrorKind,
    /// What failed, on what.
    pub message: String,
    /// What to do next; empty for nothing.
    pub hint: String,
}

impl Problem {
    /// One of class `kind`.
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: hint.into() }
    }
}

/// Candidates that a message names at most.
const NAMED: usize = 6;

/// The one session of `sessions` (ids and names) that `address` means.
///
/// # Errors
/// [`ErrorKind::NoSession`] with the candidates where there are several.
pub(super) fn resolve<'a>(
    address: &str,
    sessions: impl Iterator<Item = (SessionId, &'a str)> + Clone,
) -> Result<SessionId, Problem> {
    if let Ok(id) = address.parse::<SessionId>() {
        return match sessions.clone().any(|(known, _)| known == id) {
            true => Ok(id),
            false => Err(none(address)),
        };
    }
    let named: Vec<_> = sessions.clone().filter(|(_, name)| *name == address).collect();
    let meant = match named.is_empty() && !address.is_empty() {
        true => sessions.filter(|(id, _)| id.to_string().starts_with(address)).collect(),
        false => named,
    };
    match meant.as_slice() {
        [] => Err(none(address)),
        [(id, _)] => Ok(*id),
        several => {
            let mut list: Vec<_> =
                several.iter().take(NAMED).map(|(id, name)| format!("{id} {name}")).collect();
            if several.len() > NAMED {
                list.push(format!("and {} more", several.len() - NAMED));
            }
            Err(Problem::new(
                ErrorKind::NoSession,
                format!("{:?} could be any of {} sessions", printable(address, 80), several.len()),
                format!("type more of the id: {}", list.join(", ")),
            ))
        }
    }
}

fn none(address: &str) -> Problem {
    Problem::new(
        ErrorKind::NoSession,
        format!("no session {:?}", printable(address, 80)),
        "`abide ls --all` lists ids and names",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_names_and_prefixes() {
        let id = SessionId::from_bits;
        let all = [(id(0xabc0_0001), "make"), (id(0xabc0_0002), "abc00001x"), (id(0xdef0_0000), "abc0")];
        let find = |a: &str| resolve(a, all.iter().copied());
        assert_eq!(find("abc00001"), Ok(id(0xabc0_0001)));
        assert_eq!(find("make"), Ok(id(0xabc0_0001)));
        assert_eq!(find("abc0"), Ok(id(0xdef0_0000)), "a whole name is no prefix");
        assert_eq!(find("d"), Ok(id(0xdef0_0000)));
        for nothing in ["", "f", "mak", "abc00003", "ABC00001", "abc00001xx"] {
            let problem = find(nothing).expect_err(nothing);
            assert_eq!(problem.kind, ErrorKind::NoSession);
            assert!(problem.message.starts_with("no session"), "{problem:?}");
        }
        let problem = find("abc").expect_err("ambiguous");
        assert_eq!(problem.message, "\"abc\" could be any of 2 sessions");
        assert_eq!(problem.hint, "type more of the id: abc00001 make, abc00002 abc00001x");
    }
}
