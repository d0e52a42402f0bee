//! Starting a host: its order on tmpfs, then the service manager.

use super::input::{Input, Inputs};
use super::links::Link;
use super::orders::Orders;
use super::perform::Hands;
use super::programs;
use crate::config::Settings;
use crate::core::environment;
use crate::core::id::SessionId;
use crate::core::restart::lacking;
use crate::core::roll::Program;
use crate::core::text::Text;
use crate::paths::Paths;
use crate::service::{LaunchError, Manager, Prepared};
use crate::wire::control::Context;
use crate::wire::host::Birth;
use crate::wire::order::{Limit, Mount, StartOrder};
use crate::worktree::confine::{self, Mounts};
use nix::unistd::{AccessFlags, access};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a host may take from its launch to its report. A loaded machine needs seconds; the order stays withdrawn
/// after that, so the start cannot happen later.
const REPORT_WITHIN: Duration = Duration::from_secs(60);
/// How long looking at a repository may take before the start.
const PLAN_WITHIN: Duration = Duration::from_secs(30);
/// The terminal's size until somebody attaches.
const SIZE: (u16, u16) = (200, 50);
/// So much sooner is the kernel to end a session's processes than its host, when memory runs out.
const OOM_SCORE_ADJ: i16 = 200;

/// What a request brought for a start.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The client's environment, mask and limits.
    pub(super) context: Option<Context>,
    /// What the profile sets.
    pub(super) set: Vec<(String, String)>,
    /// A first start takes what the request brought; a later one what the session had, if that is still known.
    pub(super) first: bool,
}

/// What the core wants started.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) argv: Vec<Text>,
    pub(super) cwd: Text,
    /// Nobody asked for it.
    pub(super) by_itself: bool,
    /// The last order has a stand-in's environment.
    pub(super) renew: bool,
    /// Where its own `PATH` led to its program; empty for none.
    pub(super) found_in: Text,
    /// Names of the variables that it had at its dispatch.
    pub(super) had: Vec<String>,
}

/// What a start has of whoever asked for it, now or earlier.
pub(super) struct Surroundings {
    pub(super) env: Vec<Text>,
    umask: u32,
    limits: Vec<Limit>,
    /// They are its last order's.
    kept: bool,
}

/// What a start order came to have for an environment.
#[derive(Debug)]
pub(super) struct LaidOut {
    /// Names of what the session had and does not have now.
    pub(super) lacks: Vec<String>,
    /// It is the service manager's.
    pub(super) stand_in: bool,
    /// Where its `PATH` leads to its program; empty for none.
    pub(super) found_in: Text,
    /// That program.
    pub(super) program: Program,
    /// Its home folder.
    pub(super) home: Option<PathBuf>,
}

/// The usual mask, for a session of which nothing else is known any more.
const UMASK: u32 = 0o022;

/// What a start will have; none where that is not known any more.
pub(super) fn surroundings(
    orders: &Orders,
    id: SessionId,
    wanted: &Wanted,
    start: &Start,
) -> Option<Surroundings> {
    let from_the_request = start.first || (wanted.renew && start.context.is_some());
    let last = orders.last(id).filter(|_| !from_the_request);
    match (last, &start.context) {
        (Some(order), _) => Some(Surroundings {
            env: order.env.into_iter().map(Text).collect(),
            umask: order.umask,
            limits: order.limits,
            kept: true,
        }),
        (None, Some(context)) => {
            let limit = |&(resource, soft, hard): &(u32, u64, u64)| Limit { resource, soft, hard };
            let limits = context.limits.iter().map(limit).collect();
            Some(Surroundings { env: context.env.clone(), umask: context.umask, limits, kept: false })
        }
        (None, None) if wanted.by_itself => {
            let env = super::surroundings::environment();
            Some(Surroundings { env, umask: UMASK, limits: Vec::new(), kept: false })
        }
        (None, None) => None,
    }
}

/// Writes the start order. The error is for people.
pub(super) fn lay_out(
    hands: &Hands,
    id: SessionId,
    generation: u64,
    wanted: &Wanted,
    start: &Start,
) -> Result<LaidOut, String> {
    let Wanted { argv, cwd, by_itself, renew, found_in, had } = wanted;
    let orders = hands.orders.as_ref().ok_or(
        "there is no folder in memory for its environment (the runtime folder and /dev/shm are on disks)",
    )?;
    let bytes = |path: PathBuf| path.into_os_string().into_vec();
    let Surroundings { mut env, umask, limits, kept } = surroundings(orders, id, wanted, start)
        .ok_or("its environment is not known any more, and the request brought none")?;
    let stand_in = (kept && *renew) || (!kept && *by_itself);
    let lacks = lacking(had, &env);
    let folder = argv.first().and_then(|program| folder_of(program, &env));
    let program = argv.first().map(|program| programs::of_command(program, folder.as_ref(), cwd));
    if stand_in && folder.is_none() && !found_in.0.is_empty() {
        environment::append_to_path(&mut env, found_in);
    }
    let env: Vec<Text> = environment::for_session(env, id, cwd, &start.set);
    let name = id.to_string();
    let home = env
        .iter()
        .find_map(|v| v.0.strip_prefix(b"HOME="))
        .map(|at| Path::new(OsStr::from_bytes(at)).to_owned());
    let order = StartOrder {
        id: name.clone(),
        generation,
        argv: argv.iter().map(|arg| arg.0.clone()).collect(),
        cwd: cwd.0.clone(),
        env: env.into_iter().map(|v| v.0).collect(),
        umask,
        limits,
        cols: SIZE.0,
        rows: SIZE.1,
        job_dir: bytes(hands.paths.job(&name)),
        socket: bytes(hands.paths.host_socket(&name)),
        births: bytes(hands.paths.births_socket()),
        log_keep: hands.settings.log_keep,
        scrollback: hands.settings.scrollback,
        oom_score_adj: OOM_SCORE_ADJ,
        grace_ms: hands.settings.stop_grace_ms,
        mounts: Vec::new(),
    };
    let written = orders.write(id, &order).and_then(|()| orders.forget_withdrawn(id));
    written.map_err(|e| format!("its start order cannot be written: {e}"))?;
    Ok(LaidOut {
        lacks,
        stand_in,
        found_in: folder.unwrap_or_default(),
        program: program.unwrap_or_default(),
        home,
    })
}

/// Has an order make this read-only, see `worktree::confine`.
pub(super) fn guard(order: &mut StartOrder, mounts: Mounts) {
    let mount =
        |(path, writable): (PathBuf, bool)| Mount { path: path.into_os_string().into_vec(), writable };
    order.mounts = mounts.into_iter().map(mount).collect();
    let mut env: Vec<Text> = std::mem::take(&mut order.env).into_iter().map(Text).collect();
    environment::set_git(&mut env, confine::GIT);
    order.env = env.into_iter().map(|v| v.0).collect();
}

/// The folder in which this environment's `PATH` leads to a program; none where it leads nowhere, or the program is named
/// by a path.
pub(super) fn folder_of(program: &Text, env: &[Text]) -> Option<Text> {
    if program.0.contains(&b'/') || program.0.is_empty() {
        return None;
    }
    let path = env.iter().find_map(|v| v.0.strip_prefix(b"PATH="))?;
    let leads = |folder: &&[u8]| {
        let file = Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(&program.0));
        folder.starts_with(b"/") && file.is_file() && access(&file, AccessFlags::X_OK).is_ok()
    };
    path.split(|b| *b == b':').find(leads).map(|folder| Text(folder.to_vec()))
}

/// A host that is being started, and takes no order yet. Dropped, it leaves without a trace.
pub(super) type Preparation = JoinHandle<Result<Prepared, LaunchError>>;

/// One start under way.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) id: SessionId,
    pub(super) generation: u64,
    pub(super) paths: Paths,
    pub(super) manager: Arc<Manager>,
    pub(super) inputs: Inputs,
    /// A host that was started while the record was made durable.
    pub(super) prepared: Option<Preparation>,
    /// Resolves when the host has reported.
    pub(super) outcome: oneshot::Receiver<()>,
}

impl Launch {
    /// Finds out what is to be read-only for the session, where the settings want that, and comes back to the engine
    /// with it: repositories are on disks, which may be slow.
    pub(super) async fn plan(self, settings: Settings, home: Option<PathBuf>, cwd: Text) {
        let needed = [self.paths.state.clone(), self.paths.runtime.clone()];
        let found = tokio::task::spawn_blocking(move || {
            let needed: Vec<&Path> = needed.iter().map(PathBuf::as_path).collect();
            confine::mounts(&settings, home.as_deref(), &needed, Path::new(OsStr::from_bytes(&cwd.0)))
        });
        let mounts = match tokio::time::timeout(PLAN_WITHIN, found).await {
            Ok(Ok(mounts)) => mounts,
            Ok(Err(e)) => Err(format!("what to guard cannot be found out: {e}")),
            Err(_) => Err("what to guard was not found out in time: its repository does not answer".into()),
        };
        // The engine's own queue, as above.
        let inputs = self.inputs.clone();
        _ = inputs.send(Input::Planned { launch: Box::new(self), mounts });
    }

    /// Has the host started, and sees to it that the start has an outcome.
    pub(super) async fn run(self) {
        let Self { id, generation, paths, manager, inputs, prepared, outcome } = self;
        let name = id.to_string();
        let prepared = match prepared {
            // One that could not be prepared is launched: that tells why, if it fails again.
            Some(task) => task.await.ok().and_then(Result::ok).unwrap_or(Prepared::Nothing),
            None => Prepared::Nothing,
        };
        if let Err(error) = manager.release(prepared, &paths, &name).await {
            // Without an engine there is nobody who waits, here and below.
            _ = inputs.send(Input::NotLaunched { id, generation, error: error.to_string() });
        }
        if tokio::time::timeout(REPORT_WITHIN, outcome).await.is_ok() {
            return;
        }
        // Its report may have been lost; its socket cannot have been.
        let input = match Link::dial(&paths, id).await {
            Ok(link) if link.welcome.generation == generation => Input::Birth(Birth::Born(link.welcome)),
            Ok(_) | Err(_) => Input::Overdue { id, generation },
        };
        _ = inputs.send(input);
    }
}
