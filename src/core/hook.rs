//! What agents tell by their hooks, in one form for all of them. `agents` makes it of what each agent really says.

use super::registry::{Key, Patch, Status};
use super::text::Text;
use serde::{Deserialize, Serialize};

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Profile of the agent.
    pub agent: String,
    /// The conversation, as the agent names it; empty where it does not say.
    #[serde(default)]
    pub session_id: String,
    /// Its working directory.
    pub cwd: Text,
    /// What happened.
    pub what: Happening,
    /// It is about a sub-agent or a teammate within the conversation, and not about the conversation itself.
    #[serde(default)]
    pub of_sub_agent: bool,
}

/// What an agent's hook was called for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// The agent, or another conversation in it, begins: `startup`, `resume`, `clear`, `compact`, `fork`.
    Begins {
        /// Which of these; empty where it does not say.
        source: String,
        /// The name that the agent itself gives the conversation; empty for none.
        title: String,
    },
    /// The user, or who stands in, gave a prompt: a turn begins.
    Prompted {
        /// It.
        prompt: String,
    },
    /// A tool is about to be used.
    Tool {
        /// The agent's name of it.
        tool: String,
        /// Files that it is going to write, as far as the agent says: absolute, or relative to `cwd`.
        writes: Vec<Text>,
    },
    /// A tool has been used.
    ToolOver {
        /// The agent's name of it.
        tool: String,
    },
    /// It waits for the user.
    NeedsUser {
        /// For what: one line.
        what: String,
    },
    /// A turn is over. `waits_for_own` where something that it started in the background goes on.
    TurnOver {
        /// See above.
        waits_for_own: bool,
    },
    /// A turn ended with an error.
    TurnFailed {
        /// What, in one line.
        error: String,
    },
    /// The conversation, or the agent, ends.
    Ends {
        /// Why, in the agent's word.
        reason: String,
    },
    /// Its working directory is another one.
    Moved,
    /// The agent, or its user, gave the conversation another name.
    Titled {
        /// It.
        title: String,
    },
    /// Something that nothing follows from.
    Other {
        /// The agent's name of it.
        name: String,
    },
}

/// What becomes of an agent's entry in the registry of live sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum Entered {
    /// Nothing.
    Nothing,
    /// It is made, or changed.
    Update(Patch),
    /// It goes.
    Remove,
}

impl Report {
    /// See [`Entered`]. Sub-agents and teammates are no sessions.
    pub fn entered(&self) -> Entered {
        if self.of_sub_agent {
            return Entered::Nothing;
        }
        let status = |status| Entered::Update(self.named().status(status, None));
        match &self.what {
            // It makes room in a conversation that goes on.
            Happening::Begins { source, .. } if source == "compact" => Entered::Update(self.named()),
            Happening::Begins { title, .. } => {
                let patch = self.named().path(Key::Cwd, &self.cwd).status(Status::Idle, None);
                Entered::Update(patch.text_if(Key::Name, Some(title)))
            }
            Happening::Titled { title } => Entered::Update(self.named().text_if(Key::Name, Some(title))),
            Happening::Prompted { .. } | Happening::Tool { .. } | Happening::ToolOver { .. } => {
                status(Status::Busy)
            }
            Happening::NeedsUser { what } => Entered::Update(
                self.named()
                    .status(Status::Waiting, Some(what).filter(|w| !w.is_empty()).map(String::as_str)),
            ),
            Happening::TurnOver { waits_for_own: true } => status(Status::Busy),
            Happening::TurnOver { waits_for_own: false } | Happening::TurnFailed { .. } => {
                status(Status::Idle)
            }
            Happening::Moved => Entered::Update(self.named().path(Key::Cwd, &self.cwd)),
            // The agent goes on with another conversation, which begins at once.
            Happening::Ends { reason } if matches!(reason.as_str(), "clear" | "resume") => Entered::Nothing,
            Happening::Ends { .. } => Entered::Remove,
            Happening::Other { .. } => Entered::Nothing,
        }
    }

    /// Who it is about.
    fn named(&self) -> Patch {
        Patch::new().text(Key::Agent, &self.agent).text_if(Key::SessionId, Some(&self.session_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::Instance;
    use crate::core::registry::Entry;

    fn report(what: Happening) -> Report {
        Report { agent: "toy".into(), session_id: "s".into(), cwd: "/p".into(), what, of_sub_agent: false }
    }

    /// The entry after these.
    fn after(all: &[Happening]) -> Entry {
        let mut entry = Entry::new(Instance { pid: 1, start: 1 }, &Patch::new());
        for what in all {
            let Entered::Update(patch) = report(what.clone()).entered() else { panic!("{what:?}") };
            entry.merge(&patch);
        }
        entry
    }

    #[test]
    fn an_entry_says_who_it_is_and_what_it_does_now() {
        let begins = Happening::Begins { source: "startup".into(), title: "my title".into() };
        let entry = after(std::slice::from_ref(&begins));
        assert_eq!(entry.text(Key::Agent), Some("toy"));
        assert_eq!((entry.text(Key::SessionId), entry.text(Key::Name)), (Some("s"), Some("my title")));
        assert_eq!((entry.path(Key::Cwd), entry.status()), (Some("/p".into()), Some(Status::Idle)));
        let tool = Happening::Tool { tool: "Bash".into(), writes: vec![] };
        let asks = Happening::NeedsUser { what: "Bash: make".into() };
        let entry = after(&[begins.clone(), tool.clone(), asks.clone()]);
        assert_eq!(
            (entry.status(), entry.text(Key::WaitingFor)),
            (Some(Status::Waiting), Some("Bash: make"))
        );
        let entry = after(&[begins.clone(), asks, tool]);
        assert_eq!((entry.status(), entry.text(Key::WaitingFor)), (Some(Status::Busy), None));
        assert_eq!(after(&[Happening::TurnOver { waits_for_own: true }]).status(), Some(Status::Busy));
        assert_eq!(after(&[Happening::TurnOver { waits_for_own: false }]).status(), Some(Status::Idle));
        let compact = Happening::Begins { source: "compact".into(), title: String::new() };
        let busy = Happening::Prompted { prompt: "p".into() };
        assert_eq!(after(&[begins, busy, compact]).status(), Some(Status::Busy));
    }

    #[test]
    fn sub_agents_are_not_registered_and_a_conversation_that_another_follows_is_not_removed() {
        let begins = Happening::Begins { source: "startup".into(), title: String::new() };
        assert_eq!(Report { of_sub_agent: true, ..report(begins) }.entered(), Entered::Nothing);
        let ends = |reason: &str| report(Happening::Ends { reason: reason.into() }).entered();
        assert_eq!(
            (ends("clear"), ends("prompt_input_exit"), ends("")),
            (Entered::Nothing, Entered::Remove, Entered::Remove)
        );
        assert_eq!(report(Happening::Other { name: "x".into() }).entered(), Entered::Nothing);
    }
}
