//! Answers to hooks, in each agent's own form.

use super::{Call, Form};
use serde_json::{Value, json};

/// What is answered to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The tool is not to be used, and why: for the agent.
    Refuse(String),
    /// Something that the agent is to know of from now on.
    Tell(String),
    /// Something for the user to see; nothing follows from it.
    Remark(String),
}

impl Call {
    /// The answer as the agent reads it from standard output; empty where it cannot be told.
    pub fn say(&self, answer: &Answer) -> String {
        let value = match self.form {
            Form::Claude | Form::Codex => self.as_claude(answer),
            Form::Gemini => self.as_gemini(answer),
            Form::Opencode => Some(match answer {
                Answer::Refuse(why) => json!({"refuse": why}),
                Answer::Tell(text) => json!({"tell": text}),
                Answer::Remark(text) => json!({"remark": text}),
            }),
            Form::Aider => None,
        };
        value.map(|value| format!("{value}\n")).unwrap_or_default()
    }

    fn as_claude(&self, answer: &Answer) -> Option<Value> {
        let specific = |more: Value| {
            let mut specific = json!({"hookEventName": self.event});
            if let (Some(all), Some(more)) = (specific.as_object_mut(), more.as_object()) {
                all.extend(more.clone());
            }
            json!({"hookSpecificOutput": specific})
        };
        match (answer, self.event.as_str()) {
            (Answer::Refuse(why), "PreToolUse") => {
                Some(specific(json!({"permissionDecision": "deny", "permissionDecisionReason": why})))
            }
            (Answer::Tell(text), "SessionStart" | "UserPromptSubmit") => {
                Some(specific(json!({"additionalContext": text})))
            }
            (Answer::Remark(text), _) => Some(json!({"systemMessage": text})),
            (Answer::Refuse(_) | Answer::Tell(_), _) => None,
        }
    }

    fn as_gemini(&self, answer: &Answer) -> Option<Value> {
        match (answer, self.event.as_str()) {
            (Answer::Refuse(why), "BeforeTool") => Some(json!({"decision": "deny", "reason": why})),
            (Answer::Tell(text), "SessionStart" | "BeforeAgent") => {
                let specific = json!({"hookEventName": self.event, "additionalContext": text});
                Some(json!({"hookSpecificOutput": specific}))
            }
            (Answer::Remark(text), _) => Some(json!({"systemMessage": text})),
            (Answer::Refuse(_) | Answer::Tell(_), _) => None,
        }
    }
}
