//! What `abide doctor` says: observed [`Facts`] in, verdicts and a forecast out.
//!
//! Looking is done elsewhere; here nothing is known but what was observed. A verdict is *fail* where abide cannot do what
//! it promises, *warn* where something ends, is slower or is lost that need not be, and *ok* otherwise. Whatever is not ok
//! says what it means and what to do. What does not concern this machine is not mentioned.

mod checks;
mod facts;
mod forecast;
#[cfg(test)]
mod tests;

pub use checks::checks;
pub use facts::*;
pub use forecast::forecast;

use serde::Serialize;

/// What is thought of one thing. Ordered by what is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, and could be better.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, as one word for programs.
    pub name: &'static str,
    /// What is thought of it.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What follows from it; empty where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub means: String,
    /// What to do; empty where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub todo: String,
}

/// What may happen to a machine or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// The terminal of a session's dispatch is closed.
    TerminalClose,
    /// The user's last login session ends.
    Logout,
    /// The supervisor dies.
    SupervisorCrash,
    /// The programs are replaced.
    Upgrade,
    /// Memory runs out.
    LowMemory,
    /// The machine sleeps.
    Sleep,
    /// The machine is started anew.
    Reboot,
}

impl Happening {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::TerminalClose,
        Self::Logout,
        Self::SupervisorCrash,
        Self::Upgrade,
        Self::LowMemory,
        Self::Sleep,
        Self::Reboot,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::TerminalClose => "terminal closed",
            Self::Logout => "logout",
            Self::SupervisorCrash => "supervisor crash",
            Self::Upgrade => "upgrade of abide",
            Self::LowMemory => "low memory",
            Self::Sleep => "sleep",
            Self::Reboot => "reboot",
        }
    }
}

/// What happens to sessions then. Ordered by what is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// They go on.
    LiveOn,
    /// It cannot be told.
    Unknown,
    /// Some process of one may be ended.
    AtRisk,
    /// They end; their records and output stay.
    End,
}

impl Fate {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::LiveOn => "live on",
            Self::Unknown => "unknown",
            Self::AtRisk => "at risk",
            Self::End => "end",
        }
    }
}

/// One line of the forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// When this happens,
    pub event: Happening,
    /// this becomes of the sessions,
    pub sessions: Fate,
    /// because of this.
    pub why: String,
}

/// The worst of them.
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}
