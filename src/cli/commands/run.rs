//! `abide run`

use crate::agents;
use crate::cli::context::{Cx, label, one};
use crate::cli::error::CliError;
use crate::cli::output::Listed;
use crate::cli::text::clean;
use crate::core::environment;
use crate::core::event::{Command, RunSpec};
use crate::core::record::Restart;
use crate::core::text::Text;
use crate::wire::control::Context;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, umask};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Start a session in the background.
///
/// With a prompt, an agent is started with it, and what follows -- goes to the agent. Without one, what follows -- is
/// the command to run. Either gets a terminal of its own, the environment of this shell, and goes on without you.
///
/// The environment is taken as it is now, without what describes this terminal, an enclosing agent or service. Values
/// are never written to a disk and are never arguments: --env takes the name of a variable.
#[derive(Debug, Default, clap::Args)]
#[command(
    override_usage = "abide run [OPTIONS] \"PROMPT\" [-- AGENT-ARG…]\n       abide run [OPTIONS] -- COMMAND [ARG…]",
    after_help = "\
Examples:
  abide run -- bash                          a shell
  abide run -n web --cwd ~/site -- npm run dev
  abide run \"fix the failing test\"           the default agent
  abide run -n docs \"write the README\" -- --model opus
  abide run --attach -- htop                 and look at it at once
  GH_TOKEN=… abide run --env GH_TOKEN -- ./release.sh
  id=$(abide run --json -- make | jq -r .id); abide wait $id && abide logs $id"
)]
pub(crate) struct Args {
    /// What the agent is to do
    #[arg(value_name = "PROMPT")]
    pub(super) prompt: Vec<String>,
    /// The command, or the agent's own arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) rest: Vec<OsString>,
    /// A name, to use instead of the id
    #[arg(short, long)]
    pub(super) name: Option<String>,
    /// The agent's profile [default: `agent` of the settings, claude]
    #[arg(long, value_name = "PROFILE")]
    pub(super) agent: Option<String>,
    /// Working directory [default: this one]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(super) cwd: Option<PathBuf>,
    /// Pass this variable on, even where it would be left out; its value is this shell's
    #[arg(long, value_name = "NAME")]
    pub(super) env: Vec<String>,
    /// Set the variables of this file: a NAME=value a line, # for comments
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) env_file: Vec<PathBuf>,
    /// Keep it running, however long it is idle
    #[arg(long)]
    pub(super) pin: bool,
    /// What becomes of it when the machine, or your last login, ends [default: `restart` of the settings, manual]
    ///
    /// manual: it is parked, and `abide respawn` resumes it. auto: it comes back by itself; an agent resumes its
    /// conversation, and a command runs once more. never: it counts as stopped.
    #[arg(long, value_name = "WHEN")]
    pub(super) restart: Option<RestartArg>,
    /// Attach to it at once
    #[arg(long, conflicts_with = "json")]
    pub(super) attach: bool,
    /// Print the session as JSON: one object as in `abide ls --json`
    #[arg(long)]
    pub(super) json: bool,
}

/// `--restart`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RestartArg {
    Never,
    Manual,
    Auto,
}

impl From<RestartArg> for Restart {
    fn from(arg: RestartArg) -> Self {
        match arg {
            RestartArg::Never => Self::Never,
            RestartArg::Manual => Self::Manual,
            RestartArg::Auto => Self::Auto,
        }
    }
}

pub(super) fn run(cx: &mut Cx, args: Args) -> Result<(), CliError> {
    let (attach, json) = (args.attach, args.json);
    if attach {
        super::attach::need_terminal("--attach needs a terminal")?;
    }
    let (spec, context) = prepare(cx, args, context_of_this_process())?;
    let view = one(cx.ask_with(&Command::Run(spec), &context)?)?;
    cx.anchor();
    let (id, name) = (view.record.id.to_string(), view.record.name.clone());
    if view.record.restart == Restart::Auto && !view.record.unguarded.is_empty() {
        crate::cli::remark(&format!(
            "it will not be restarted by itself, since it skips permission checks ({})",
            view.record.unguarded
        ));
    }
    if json {
        return Ok(cx.out.json(&Listed::from(&*view))?);
    }
    cx.out.line(&clean(&format!("backgrounded · {}", label(&id, &name))))?;
    if attach {
        return super::attach::session(cx, &id, &super::attach::Args::default());
    }
    let key = cx.settings().detach_key.to_string();
    for (command, what) in [
        (format!("attach {id}"), format!("open in this terminal ({key} leaves it)")),
        (format!("peek {id}"), "show its screen".to_owned()),
        (format!("logs -f {id}"), "follow its output".to_owned()),
        (format!("stop {id}"), "stop this session".to_owned()),
    ] {
        cx.out.line(&format!("  abide {command:<16}  {what}"))?;
    }
    Ok(())
}

/// What is needed for a session of a plain command, in the root folder, with this process's environment.
pub(super) fn of_command(
    cx: &Cx,
    name: String,
    command: Vec<OsString>,
) -> Result<(RunSpec, Context), CliError> {
    let args = Args {
        rest: command,
        name: Some(name),
        cwd: Some("/".into()),
        restart: Some(RestartArg::Never),
        ..Args::default()
    };
    prepare(cx, args, context_of_this_process())
}

/// What is asked of the supervisor, and what the session is to have of this process.
pub(super) fn prepare(cx: &Cx, args: Args, mut context: Context) -> Result<(RunSpec, Context), CliError> {
    let mut prompt = args.prompt;
    if prompt.len() > 1 {
        let words = prompt.join(" ");
        return Err(CliError::usage("a prompt is one argument, and a command stands after --")
            .hint(format!("an agent: abide run \"{words}\""))
            .hint(format!("a command: abide run -- {words}")));
    }
    let prompt = prompt.pop();
    if prompt.as_ref().is_some_and(|p| p.trim().is_empty()) {
        return Err(CliError::usage("the prompt is empty"));
    }
    if prompt.is_none() && args.agent.is_none() && args.rest.is_empty() {
        return Err(CliError::usage("nothing to run: neither a prompt nor a command")
            .hint("an agent: abide run \"fix the failing test\"")
            .hint("a command: abide run -- npm run dev"));
    }
    let agent = match (args.agent, &prompt) {
        (Some(agent), _) => Some(agent),
        (None, Some(_)) => Some(cx.settings().agent.clone()),
        (None, None) => None,
    };
    let cwd = working_directory(args.cwd.as_deref())?;
    for name in &args.env {
        pass_on(&mut context.env, name)?;
    }
    context.asked_for = args.env;
    for file in &args.env_file {
        let names = from_file(&mut context.env, file)?;
        context.asked_for.extend(names);
    }
    let mut request = [0; 16];
    getrandom::fill(&mut request).map_err(|e| CliError::failed(format!("no random numbers: {e}")))?;
    let spec = RunSpec {
        request: request.iter().map(|b| format!("{b:02x}")).collect(),
        name: args.name,
        agent,
        argv: args.rest.into_iter().map(|a| Text(a.into_vec())).collect(),
        prompt,
        cwd: Text(cwd.into_os_string().into_vec()),
        // The supervisor lists what is left of them.
        env_names: Vec::new(),
        pinned: args.pin,
        restart: args.restart.map(Restart::from),
        asked_for: Vec::new(),
    };
    Ok((spec, context))
}

/// The folder to run in, known to exist and to be open to us: an error here costs nothing, one later a start.
fn working_directory(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let dir = match given {
        None => std::env::current_dir().map_err(|e| {
            CliError::usage(format!("the present folder is gone: {e}"))
                .hint("cd somewhere else, or use --cwd DIR")
        })?,
        Some(dir) => {
            std::path::absolute(dir).map_err(|e| CliError::usage(format!("--cwd {}: {e}", dir.display())))?
        }
    };
    let wrong = |why: String| {
        CliError::usage(format!("the working directory {} cannot be used: {why}", dir.display()))
            .hint("--cwd DIR takes an existing folder")
    };
    let data = std::fs::metadata(&dir).map_err(|e| wrong(e.to_string()))?;
    if !data.is_dir() {
        return Err(wrong("it is no folder".to_owned()));
    }
    nix::unistd::access(&dir, nix::unistd::AccessFlags::X_OK).map_err(|e| wrong(e.desc().to_owned()))?;
    // `..` and links are resolved now: what they mean may change while the session lives.
    Ok(dir.canonicalize().unwrap_or(dir))
}

/// What a session takes over from this process.
pub(super) fn context_of_this_process() -> Context {
    let variables = std::env::vars_os().map(|(name, value)| {
        let mut text = name.into_vec();
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        Text(text)
    });
    // It can only be read by setting it; nothing else runs in this process.
    let mask = umask(Mode::empty());
    umask(mask);
    Context {
        env: environment::scrub(variables, &agents::markers()),
        asked_for: Vec::new(),
        umask: mask.bits() as u32,
        limits: limits(),
    }
}

fn limits() -> Vec<(u32, u64, u64)> {
    let all = [
        Resource::RLIMIT_AS,
        Resource::RLIMIT_CORE,
        Resource::RLIMIT_CPU,
        Resource::RLIMIT_DATA,
        Resource::RLIMIT_FSIZE,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_MEMLOCK,
        Resource::RLIMIT_NOFILE,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_NPROC,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_RSS,
        Resource::RLIMIT_STACK,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_LOCKS,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_MSGQUEUE,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_NICE,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_RTPRIO,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_RTTIME,
        #[cfg(target_os = "linux")]
        Resource::RLIMIT_SIGPENDING,
    ];
    // One that this kernel does not know has no value to hand on.
    all.into_iter().filter_map(|r| getrlimit(r).ok().map(|(soft, hard)| (r as u32, soft, hard))).collect()
}

/// Takes over a variable of ours.
fn pass_on(env: &mut Vec<Text>, name: &str) -> Result<(), CliError> {
    if name.contains('=') {
        let name = name.split('=').next().unwrap_or_default();
        return Err(CliError::usage(format!("--env takes the name of a variable, not {name}=…"))
            .hint("arguments can be read by every user of this machine, so values never are arguments")
            .hint(format!("set it for this command alone: {name}=… abide run --env {name} …")));
    }
    let value = std::env::var_os(name).ok_or_else(|| {
        CliError::usage(format!("--env {name}: there is no such variable here"))
            .hint(format!("{name}=… abide run --env {name} … sets it for this command alone"))
    })?;
    set(env, name.as_bytes(), value.as_bytes());
    Ok(())
}

/// Sets the variables of a file; returns their names.
fn from_file(env: &mut Vec<Text>, file: &Path) -> Result<Vec<String>, CliError> {
    let bytes =
        std::fs::read(file).map_err(|e| CliError::usage(format!("--env-file {}: {e}", file.display())))?;
    let mut names = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (name, value) = variable(line).ok_or_else(|| {
            // Not the line itself: it may hold a secret.
            CliError::usage(format!("--env-file {}: line {number} is no NAME=value", file.display()))
        })?;
        set(env, name.as_bytes(), &value);
        names.push(name.to_owned());
    }
    Ok(names)
}

/// `NAME=value`, with `export` in front and quotes around the value as shells' files have them. Nothing is expanded.
fn variable(line: &[u8]) -> Option<(&str, Vec<u8>)> {
    let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
    let at = line.iter().position(|b| *b == b'=')?;
    let name = std::str::from_utf8(&line[..at]).ok()?.trim_end();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = line[at + 1..].trim_ascii_start();
    let quoted = |q: u8| value.len() >= 2 && value.first() == Some(&q) && value.last() == Some(&q);
    let value = if quoted(b'"') || quoted(b'\'') { &value[1..value.len() - 1] } else { value };
    (!value.contains(&0)).then(|| (name, value.to_vec()))
}

fn set(env: &mut Vec<Text>, name: &[u8], value: &[u8]) {
    env.retain(|v| environment::name_of(&v.0) != Some(name));
    env.push(Text([name, b"=", value].concat()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_variables_are_read_as_shells_write_them() {
        let value = |line: &str| {
            variable(line.as_bytes()).map(|(n, v)| (n.to_owned(), String::from_utf8(v).expect("text")))
        };
        let is = |n: &str, v: &str| Some((n.to_owned(), v.to_owned()));
        assert_eq!(value("A=b c"), is("A", "b c"));
        assert_eq!(value("export A_1='x=y'"), is("A_1", "x=y"));
        assert_eq!(value("A=\"\""), is("A", ""));
        assert_eq!(value("A=$HOME"), is("A", "$HOME"));
        for bad in ["A", "=x", "1A=x", "A B=x", "a-b=x", "A=\0"] {
            assert_eq!(value(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_is_refused_as_an_argument_and_not_repeated() {
        let error = pass_on(&mut Vec::new(), "TOKEN=s3cret").expect_err("refused");
        assert_eq!(error.kind.code(), 2);
        assert!(error.lines().iter().all(|(_, l)| !l.contains("s3cret")));
    }

    #[test]
    fn what_is_set_replaces_what_was_there() {
        let mut env = vec![Text::from("A=1"), Text::from("B=2")];
        set(&mut env, b"A", b"3");
        assert_eq!(env, [Text::from("B=2"), Text::from("A=3")]);
    }

    #[test]
    fn a_missing_folder_is_a_usage_error_that_names_it() {
        let error = working_directory(Some(Path::new("/no/such/folder"))).expect_err("missing");
        assert_eq!(error.kind.code(), 2);
        assert!(error.message.contains("/no/such/folder"));
    }
}
