//! What agents tell by their hooks, in one form for all of them. `agents` makes it of what each agent really says.

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
