//! What an agent in a background session is told when a conversation begins. One that a person works with is told nothing.

use super::naming::printable;
use super::record::Record;

/// The paragraph; `session` where it is one of ours.
pub fn paragraph(session: Option<&Record>) -> String {
    let (what, later) = match session {
        Some(record) => (
            format!("the background session {:?} of abide (id {})", printable(&record.name, 80), record.id),
            format!(" The user will read it with `abide attach {}`.", record.id),
        ),
        None => ("a background session".to_owned(), String::new()),
    };
    format!(
        "This conversation is {what}. Work on your own: nobody watches it, and nobody will answer a question while \
         you work. Do not stop to ask. Where something is open, take what the user most likely means, remember \
         that you had to choose, and go on. Stay in the checkout that you are in, and leave the repository's other \
         checkouts as they are. When there is nothing left that you can do, end your turn with a short report: what \
         you did and where it is, what you had to choose, what is missing and why.{later}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_which_session_it_is_in_one_printable_line() {
        let least = include_bytes!("../../tests/data/v1/least.json");
        let mut record: Record = serde_json::from_slice(least).expect("fixture");
        record.name = "fix\nit\u{1b}[2J".into();
        let text = paragraph(Some(&record));
        assert!(text.contains(&format!("abide attach {}", record.id)), "{text}");
        assert!(text.chars().all(super::super::naming::is_printable), "{text}");
        assert!(!paragraph(None).contains("abide"));
    }
}
