//! An agent's conversation: the id by which it is resumed, which some agents choose themselves and change at will.
//!
//! Commands that need it are kept with a place for it, since no other session's conversation may ever be resumed
//! instead. Ids come from the agents' hooks, so from outside: one that could be taken for an option is none.

use super::action::Otherwise;
use super::record::Record;
use super::text::Text;

/// Characters of an id, at most.
const LONGEST: usize = 128;

/// Whether an agent may name a conversation so.
pub fn is_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.starts_with(['-', '.']) && (1..=LONGEST).contains(&id.len()) && id.chars().all(allowed)
}

/// A command with this id wherever a NUL holds its place: no argument can hold one.
pub fn filled(argv: &[Text], id: &str) -> Vec<Text> {
    let fill = |arg: &Text| {
        let parts: Vec<&[u8]> = arg.0.split(|b| *b == 0).collect();
        Text(parts.join(id.as_bytes()))
    };
    argv.iter().map(fill).collect()
}

/// Takes note of the conversation that a session's agent is in; whether that is news.
pub fn converse(record: &mut Record, id: &str) -> bool {
    if !is_id(id) || record.session_id.as_deref() == Some(id) {
        return false;
    }
    record.session_id = Some(id.to_owned());
    if !record.resume.is_empty() {
        record.respawn_argv = filled(&record.resume, id);
        record.resumes = true;
    }
    true
}

/// The command of a respawn, and what to execute where there turns out to be no conversation.
pub(super) fn respawn(record: &Record) -> (Vec<Text>, Option<Box<Otherwise>>) {
    let otherwise =
        record.session_id.as_deref().filter(|_| !record.kept.is_empty() && record.resumes).map(|id| {
            let first = id.get(..8).unwrap_or(id);
            let place = |pattern: &String| pattern.replace("{id}", id).replace("{id8}", first);
            Box::new(Otherwise {
                kept: record.kept.iter().map(place).collect(),
                argv: filled(&record.anew, id),
            })
        });
    (record.respawn_argv.clone(), otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let least = include_bytes!("../../tests/data/v1/least.json");
        let mut record: Record = serde_json::from_slice(least).expect("fixture");
        record.respawn_argv = vec!["agent".into()];
        record.anew = vec!["agent".into(), "--new=\0".into()];
        record.resume = vec!["agent".into(), "-s\0\0".into(), "x".into()];
        record.kept = vec!["~/{id8}/{id}".into()];
        record
    }

    #[test]
    fn a_learned_id_makes_a_respawn_resume_and_another_one_replaces_it() {
        let mut record = record();
        assert_eq!(respawn(&record), (vec!["agent".into()], None));
        assert!(converse(&mut record, "0123456789"));
        assert!(!converse(&mut record, "0123456789"));
        let (argv, otherwise) = respawn(&record);
        assert_eq!(argv, ["agent".into(), Text::from("-s01234567890123456789"), "x".into()]);
        let otherwise = otherwise.expect("kept in files");
        assert_eq!(otherwise.kept, ["~/01234567/0123456789"]);
        assert_eq!(otherwise.argv, ["agent".into(), Text::from("--new=0123456789")]);
        assert!(converse(&mut record, "b") && record.resumes);
        assert_eq!(respawn(&record).0[1], Text::from("-sbb"));
    }

    #[test]
    fn what_could_be_anything_but_an_id_is_none() {
        let mut record = record();
        for bad in ["", "-x", "--help", "..", "a/b", "a b", "a\0", "é", &"x".repeat(129)] {
            assert!(!is_id(bad) && !converse(&mut record, bad), "{bad:?}");
        }
        assert_eq!(record.session_id, None);
        for good in ["ses_dec0dc8f2ffe9P6H", "0b0e1f5e-57a5-4a3a-9b1f-0a1c2d3e4f50", "a", "1.2"] {
            assert!(is_id(good), "{good}");
        }
    }
}
