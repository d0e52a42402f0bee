//! What a `run` needs before the core can decide on it: a free id, and the commands of its profile. Off the engine,
//! since profiles are files.

use super::connection::error;
use super::{launch, programs};
use crate::agents::{self, Profile};
use crate::core::action::{ErrorKind, Reply};
use crate::core::event::{Command, Plan, RunSpec};
use crate::core::id::SessionId;
use crate::core::status::Signs;
use crate::core::text::Text;
use crate::evidence::{Look, Mark};
use crate::paths::Paths;
use crate::registry::Registry;
use crate::roster::Store;
use crate::wire::control::Context;
use std::collections::BTreeMap;
use std::io;

/// What preparing needs.
#[derive(Debug)]
pub(super) struct Prepare {
    pub(super) paths: Paths,
    pub(super) store: Store,
    /// Profile of a prompt that names none.
    pub(super) agent: String,
    /// Programs by which vendors of agents run sessions.
    pub(super) marks: Vec<Mark>,
    /// See [`Paths::tag`].
    pub(super) tag: Option<String>,
    pub(super) registry: Registry,
}

/// A command, ready for the core.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) command: Command,
    pub(super) draft: Option<(SessionId, Plan)>,
    /// What the profile sets in the session's environment.
    pub(super) set: Vec<(String, String)>,
}

/// Prepares a request; the error is its answer.
pub(super) async fn prepare(
    command: Command,
    context: Option<&Context>,
    with: &std::sync::Arc<Prepare>,
) -> Result<Prepared, Box<Reply>> {
    let Command::Run(spec) = command else {
        return Ok(Prepared { command, draft: None, set: Vec::new() });
    };
    let with = std::sync::Arc::clone(with);
    let path = context.and_then(|c| c.env.iter().find(|v| v.0.starts_with(b"PATH=")).cloned());
    let run = tokio::task::spawn_blocking(move || with.run(spec, path.as_slice()));
    run.await.unwrap_or_else(|e| Err(error(ErrorKind::Failed, &format!("the request failed: {e}"), "")))
}

impl Prepare {
    /// What to look for in who asks.
    pub(super) fn look(&self) -> Look<'_> {
        Look {
            tag: self.tag.as_deref(),
            marks: &self.marks,
            supervisor: std::process::id(),
            agents: &self.registry,
        }
    }

    /// `path`: the `PATH` of its environment.
    fn run(&self, mut spec: RunSpec, path: &[Text]) -> Result<Prepared, Box<Reply>> {
        let system = |what: &str| {
            let what = what.to_owned();
            move |e: io::Error| error(ErrorKind::Failed, &format!("{what}: {e}"), "")
        };
        if spec.argv.iter().any(|arg| arg.0.contains(&0)) {
            return Err(error(ErrorKind::Usage, "an argument holds a NUL byte", ""));
        }
        if spec.agent.is_none() && (spec.prompt.is_some() || spec.argv.is_empty()) {
            spec.agent = Some(self.agent.clone());
        }
        let (mut plan, set) = match &spec.agent {
            None => (agents::plain(&spec.argv), Vec::new()),
            Some(name) => {
                let profile = self.profile(name)?;
                let prompt = spec.prompt.as_deref().filter(|p| !p.is_empty());
                if prompt.is_some_and(|p| p.contains('\0')) {
                    return Err(error(ErrorKind::Usage, "the prompt holds a NUL byte", ""));
                }
                let plan = profile.plan(prompt, &spec.argv, &uuid::Uuid::new_v4().to_string());
                (plan, profile.env)
            }
        };
        // Known before the record is first written, so that it need not be written again for that.
        let folder = plan.argv.first().and_then(|program| launch::folder_of(program, path));
        if let Some(program) = plan.argv.first() {
            plan.program = programs::of_command(program, folder.as_ref(), &spec.cwd);
        }
        plan.found_in = folder.unwrap_or_default();
        let id = self.free_id().map_err(system("cannot choose a session id"))?;
        Ok(Prepared { command: Command::Run(spec), draft: Some((id, plan)), set })
    }

    fn profile(&self, name: &str) -> Result<Profile, Box<Reply>> {
        let usage = |message: String, hint: &str| error(ErrorKind::Usage, &message, hint);
        let folder = self.paths.config.join("agents.d");
        Profile::find(name, |file| std::fs::read_to_string(folder.join(file))).map_err(|e| {
            let known: Vec<&str> = agents::BUILT_IN.iter().map(|(name, _)| *name).collect();
            let hint = format!(
                "built in are {}; a file agents.d/NAME.toml in the configuration folder adds one; any other program: \
                 abide run -- PROGRAM ARG…",
                known.join(", ")
            );
            usage(e.to_string(), &hint)
        })
    }

    /// A random id that no folder has. That no session has it either is the core's to check.
    fn free_id(&self) -> io::Result<SessionId> {
        // With a million sessions one in four thousand is taken: that all of these are means something else.
        for _ in 0..100 {
            let id = SessionId::from_bits(getrandom::u32().map_err(io::Error::other)?);
            if self.store.is_free(id) {
                return Ok(id);
            }
        }
        Err(io::Error::other("none is free, or the folder of the sessions cannot be examined"))
    }
}

/// How the agents of all profiles show what they do, the built-in ones and the user's. A profile that cannot be read names
/// nothing, which whoever uses it is told.
pub(super) fn signs(paths: &Paths) -> BTreeMap<String, Signs> {
    let built_in = agents::BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let files = std::fs::read_dir(paths.config.join("agents.d")).into_iter().flatten().flatten();
    let own = files.filter_map(|entry| {
        let path = entry.path();
        let name = path.file_stem()?.to_str().filter(|_| path.extension().is_some_and(|e| e == "toml"))?;
        Some((name.to_owned(), std::fs::read_to_string(&path).ok()?))
    });
    let parsed = built_in.chain(own).filter_map(|(name, text)| Profile::parse(&name, &text).ok());
    parsed.map(|profile| (profile.name, profile.signs)).collect()
}

/// The names of an environment's variables.
pub(super) fn names(env: &[Text]) -> Vec<String> {
    let name =
        |v: &Text| crate::core::environment::name_of(&v.0).map(|n| String::from_utf8_lossy(n).into_owned());
    let mut names: Vec<String> = env.iter().filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}
