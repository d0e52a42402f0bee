//! The answer to an agent's hook. Nothing in here fails: what cannot be done is left out and noted, since an agent waits,
//! and what a person edits is never stopped by a mistake of ours.
//!
//! 1. What is said is read ([`crate::agents::hooks`]), and the agent that said it is found among our ancestors.
//! 2. The agent is registered, so that whoever looks for it finds it, the supervisor included.
//! 3. The supervisor is asked what it is, if one runs; one is never started for a hook. Where none answers, the kernel's
//!    evidence is judged here.
//! 4. A background session's conversation begins with a paragraph; what its agent is about to write is looked at.

mod agent;
mod ask;
mod input;
mod note;

use crate::agents::Profile;
use crate::agents::hooks::{self, Answer, Call, Form};
use crate::config::Settings;
use crate::core::background;
use crate::core::guard::{self, Verdict};
use crate::core::hook::{Entered, Happening};
use crate::core::record::{Instance, Template};
use crate::core::registry::{Entry, Key, Patch};
use crate::core::text::Text;
use crate::paths::{Paths, Surroundings};
use crate::registry::Registry;
use crate::worktree::{inspect, policy};
use ask::Known;
use note::note;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Longer than this no agent waits, whatever happens.
const WITHIN: Duration = Duration::from_secs(1);

/// What to print; empty for nothing.
pub(crate) fn answer(paths: &Paths, agent: &str) -> String {
    let (hook, name) = (Hook { paths: paths.clone() }, agent.to_owned());
    within(WITHIN, move || hook.run(&name)).unwrap_or_else(|| {
        note(paths, &format!("{agent}: a hook took longer than {WITHIN:?} and was left unanswered"));
        String::new()
    })
}

/// What `work` comes to; none where it takes longer, or panics. It is left behind then, and ends with this process.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, wait) = mpsc::sync_channel(1);
    let worker = std::thread::Builder::new().spawn(move || {
        // Where nobody waits any more, nobody wants to know.
        _ = done.send(work());
    });
    worker.ok()?;
    wait.recv_timeout(limit).ok()
}

struct Hook {
    paths: Paths,
}

impl Hook {
    fn run(&self, agent: &str) -> String {
        let folder = self.paths.config.join("agents.d");
        let profile = match Profile::find(agent, |file| std::fs::read_to_string(folder.join(file))) {
            Ok(profile) => profile,
            Err(e) => return self.nothing(&format!("{agent:.40}: {e}")),
        };
        let Some(form) = Form::named(&profile.hooks) else {
            return self
                .nothing(&format!("{agent}: its profile names no form of hooks that this abide knows"));
        };
        let input = match form.has_input() {
            true => match input::read() {
                Ok(input) => input,
                Err(e) => return self.nothing(&format!("{agent}: standard input cannot be read: {e}")),
            },
            false => Vec::new(),
        };
        let cwd = std::env::current_dir().unwrap_or_default();
        let Some(call) = hooks::read(form, agent, &input, &Text(cwd.into_os_string().into_vec())) else {
            return self.nothing(&format!("{agent}: what it says is not understood ({} bytes)", input.len()));
        };
        if matches!(call.report.what, Happening::Other { .. }) {
            return String::new();
        }
        let process = agent::among_ancestors(&profile);
        let registry = Registry::of(&self.paths);
        if let Some(process) = process {
            self.enter(&registry, process, &call);
        }
        let known = ask::ask(&self.paths, &registry, &call.report);
        if let Some(process) = process {
            self.add(&registry, process, &call, &known);
        }
        self.answer(&call, &known).map(|answer| call.say(&answer)).unwrap_or_default()
    }

    fn nothing(&self, why: &str) -> String {
        note(&self.paths, why);
        String::new()
    }

    /// Registers the agent, changes what is known of it, or forgets it.
    fn enter(&self, registry: &Registry, process: Instance, call: &Call) {
        let done = match call.report.entered() {
            Entered::Nothing => Ok(()),
            Entered::Remove => registry.remove(process.pid, process.start).map(|_| ()),
            Entered::Update(patch) => match registry.update(process.pid, process.start, &patch) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    let patch = patch.path(Key::Cwd, &call.report.cwd).and(&agent::surroundings());
                    registry.register(&Entry::new(process, &patch))
                }
                Err(e) => Err(e),
            },
        };
        if let Err(e) = done {
            note(&self.paths, &format!("{}: {e}", call.report.agent));
        }
    }

    /// What only the supervisor's answer, or the evidence, told.
    fn add(&self, registry: &Registry, process: Instance, call: &Call, known: &Known) {
        if !matches!(call.report.entered(), Entered::Update(_)) {
            return;
        }
        let mut patch = Patch::new();
        if let Some(kind) = known.class.kind {
            patch = patch.kind(kind);
        }
        if let Some(session) = &known.session {
            let job = self.paths.job(&session.record.id.to_string());
            patch = patch
                .text(Key::Name, &session.record.name)
                .path(Key::LogPath, &Text(job.join("output.log").into_os_string().into_vec()));
        }
        if let Err(e) = registry.update(process.pid, process.start, &patch) {
            note(&self.paths, &format!("{}: {e}", call.report.agent));
        }
    }

    fn answer(&self, call: &Call, known: &Known) -> Option<Answer> {
        match &call.report.what {
            Happening::Begins { .. }
                if known.class.template == Some(Template::Bg) && !call.report.of_sub_agent =>
            {
                Some(Answer::Tell(background::paragraph(known.session.as_ref().map(|view| &view.record))))
            }
            Happening::Tool { writes, .. } => self.guard(call, known, writes),
            Happening::Begins { .. }
            | Happening::Prompted { .. }
            | Happening::ToolOver { .. }
            | Happening::NeedsUser { .. }
            | Happening::TurnOver { .. }
            | Happening::TurnFailed { .. }
            | Happening::Ends { .. }
            | Happening::Moved
            | Happening::Titled { .. }
            | Happening::Other { .. } => None,
        }
    }

    /// Refuses the first write that the guard refuses.
    fn guard(&self, call: &Call, known: &Known, writes: &[Text]) -> Option<Answer> {
        // Nobody else is in its way, whatever git would say, and however long that takes.
        if writes.is_empty() || known.class.template == Some(Template::Foreground) {
            return None;
        }
        let settings = self.settings();
        let home = Surroundings::of_this_process().home_folder();
        let path = |text: &Text| Path::new(OsStr::from_bytes(&text.0)).to_owned();
        let now = path(&call.report.cwd);
        let started = known.session.as_ref().map_or_else(|| now.clone(), |view| path(&view.record.cwd));
        for file in writes {
            let facts = inspect::facts(&started, &now.join(path(file)));
            let policy = policy::policy(&settings, home.as_deref(), &facts);
            match guard::decide(&known.class, &facts, &policy) {
                Verdict::Allow => {}
                Verdict::Refuse { message } if known.by_the_supervisor => {
                    return Some(Answer::Refuse(message));
                }
                Verdict::Refuse { message } => {
                    return Some(Answer::Refuse(format!(
                        "{message} (abide decided this without its supervisor.)"
                    )));
                }
                // Whoever works in a terminal of their own must not hear of it, and that may be who it is.
                Verdict::Report { message } => {
                    note(&self.paths, &format!("{}: {message}", call.report.agent))
                }
            }
        }
        None
    }

    /// What is wrong with the settings is told by the commands that people run.
    fn settings(&self) -> Settings {
        let text = std::fs::read_to_string(self.paths.config_file()).unwrap_or_default();
        Settings::parse(&text).0
    }
}
