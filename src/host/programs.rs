//! What the programs of a session say of themselves (`OSC 7501`), as a terminal keeps it: a report replaces the record
//! of its id, and a record goes when it is cleared, or when the shell that the program left shows its prompt.

use super::scan::{ProgramState, Report};

/// Parts of a program's work that are kept, at most; the one that was reported least recently goes first.
const PARTS: usize = 64;
/// Parts that are told of, at most.
const TOLD: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Of the program itself; empty for none.
    own: String,
    /// Of parts of its work, the one that was reported last at the end.
    parts: Vec<Report>,
    own_state: Option<ProgramState>,
}

impl Records {
    /// Takes a report in.
    pub(super) fn take(&mut self, report: &Report) {
        if report.id.is_empty() {
            if report.state == ProgramState::Clear {
                self.clear();
            } else {
                self.own.clone_from(&report.text);
                self.own_state = Some(report.state);
            }
            return;
        }
        let is_below = |id: &str| id.strip_prefix(&report.id).is_some_and(|rest| rest.starts_with('/'));
        let clears = report.state == ProgramState::Clear;
        self.parts.retain(|part| part.id != report.id && !(clears && is_below(&part.id)));
        if !clears {
            if self.parts.len() >= PARTS {
                self.parts.remove(0);
            }
            self.parts.push(report.clone());
        }
    }

    /// A shell shows its prompt: of what ran before, only results are left.
    pub(super) fn at_prompt(&mut self) {
        let is_over = |state: ProgramState| matches!(state, ProgramState::Done | ProgramState::Error);
        if !self.own_state.is_some_and(is_over) {
            self.own.clear();
            self.own_state = None;
        }
        self.parts.retain(|part| is_over(part.state));
    }

    /// The terminal was reset, or the program has nothing more to say.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the program says of itself; empty for nothing.
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    /// What it says of parts of its work that wait for the user.
    pub(super) fn blocked(&self) -> Vec<String> {
        let blocked = self.parts.iter().filter(|part| part.state == ProgramState::Blocked);
        blocked.take(TOLD).map(|part| part.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scan::{Found, Scanner};

    fn after(output: &str) -> (String, Vec<String>) {
        let (mut found, mut records) = (Vec::new(), Records::default());
        let bytes =
            output.replace('<', "\x1b]7501;").replace('>', "\x1b\\").replace("PROMPT", "\x1b]133;A\x07");
        Scanner::new().scan(bytes.replace("RESET", "\x1bc").as_bytes(), &mut found);
        for item in found {
            match item {
                Found::Program(report) => records.take(&report),
                Found::PromptMark(b'A') => records.at_prompt(),
                Found::Reset => records.clear(),
                Found::PromptMark(_)
                | Found::Query { .. }
                | Found::Title(_)
                | Found::Notification(_)
                | Found::Bell
                | Found::Alternate { .. } => {}
            }
        }
        (records.own().to_owned(), records.blocked())
    }

    #[test]
    fn what_is_said_of_a_part_is_not_said_of_the_whole() {
        for (output, own, blocked) in [
            ("<state=working><state=done:id=a>", "state=working", vec![]),
            ("<state=working><state=clear:id=a>", "state=working", vec![]),
            ("<state=working:app=x:progress=5><state=done>", "state=done", vec![]),
            ("<state=working><state=nonsense>", "state=working", vec![]),
            ("<state=working><state=blocked:id=a>", "state=working", vec!["state=blocked:id=a"]),
            ("<state=blocked:id=a><state=working:id=a>", "", vec![]),
            (
                "<state=blocked:id=a/b><state=blocked:id=ab><state=clear:id=a>",
                "",
                vec!["state=blocked:id=ab"],
            ),
            ("<state=idle><state=blocked:id=a><state=clear>", "", vec![]),
            ("<state=working><state=blocked:id=a>PROMPT", "", vec![]),
            ("<state=done>PROMPT", "state=done", vec![]),
            ("<state=done>RESET", "", vec![]),
        ] {
            assert_eq!(
                after(output),
                (own.to_owned(), blocked.iter().map(ToString::to_string).collect()),
                "{output}"
            );
        }
    }

    #[test]
    fn records_are_bounded() {
        let many: String = (0..200).map(|n| format!("<state=blocked:id=p{n}>")).collect();
        let (_, blocked) = after(&many);
        assert_eq!(blocked.first().map(String::as_str), Some("state=blocked:id=p136"), "the oldest are gone");
        assert_eq!(blocked.len(), TOLD);
    }
}
