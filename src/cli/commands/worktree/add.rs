//! `abide worktree add`

use crate::cli::commands::worktree::here;
use crate::cli::context::Cx;
use crate::cli::error::{CliError, Kind};
use crate::cli::text::clean;
use crate::core::slug::Slug;
use crate::sys::clock::wall_ms;
use crate::worktree::base::{Base, pull_request};
use crate::worktree::create::{CreateError, Made, Wanted};
use crate::worktree::declared::Declared;
use crate::worktree::git::Trust;
use crate::worktree::include::{self, Included};
use crate::worktree::repository::Repository;
use crate::worktree::trust::{Standing, Trusted, hooks_folder};
use serde::Serialize;
use std::path::Path;

/// Below the main checkout.
const FOLDER: &str = ".abide/worktrees";

/// Make a worktree on a branch of its own, or open the one of that name again.
///
/// It is in .abide/worktrees of the main checkout, out of `git status`, on the branch worktree-NAME. What .worktreeinclude
/// names and git ignores is copied into it, nothing else of the main checkout is: uncommitted changes stay there, and are
/// named. Hooks, the setup command and linked folders of a repository wait for `abide trust`.
///
/// Prints the folder; with --json an object: name, path, branch, reopened, from, copied, linked, remarks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cd \"$(abide worktree add fix-net)\"
  abide worktree add                        with a made-up name
  abide worktree add '#123'                 a pull request of origin's
  abide worktree add try --base head        from the commit you are at
  abide worktree add --ephemeral            for a script; swept when it is old and nothing is in it")]
pub(super) struct AddArgs {
    /// Its name, or a pull request: #N or its address
    #[arg(value_name = "NAME|#PR|URL")]
    name: Option<String>,
    /// What it starts from [default: fresh, or what the repository's settings say]
    #[arg(long, value_name = "BASE")]
    base: Option<BaseArg>,
    /// It may go when it is old and nothing is in it
    #[arg(long, conflicts_with = "name")]
    ephemeral: bool,
    /// Refuse, with exit code 4, where the repository's hooks, setup and links would be left out
    #[arg(long)]
    require_trust: bool,
    /// Print an object
    #[arg(long)]
    json: bool,
}

/// `--base`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BaseArg {
    /// The default branch of origin, fetched where that was long ago
    Fresh,
    /// The commit of the checkout you are in
    Head,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    path: &'a Path,
    branch: Option<&'a str>,
    reopened: bool,
    from: &'a str,
    copied: &'a [std::path::PathBuf],
    linked: &'a [std::path::PathBuf],
    remarks: &'a [String],
}

pub(super) fn run(cx: &mut Cx, args: &AddArgs) -> Result<(), CliError> {
    let repository = here()?;
    let main = repository.main.clone();
    let declared = main.as_deref().map(Declared::of).unwrap_or_default();
    let standing = Trusted::below(&cx.paths.state).standing(&repository)?;
    let waits = waiting(&repository, &declared);
    if standing != Standing::Trusted && !waits.is_empty() && args.require_trust {
        let message = format!("{} is not trusted, and would run {}", shown(&repository), waits.join(", "));
        return Err(CliError::new(Kind::Protected, message)
            .hint("read these, then: abide trust; or leave out --require-trust to go without them"));
    }
    let (slug, base) = wanted(args, &declared)?;
    let trust = if standing == Standing::Trusted { Trust::Trusted } else { Trust::Untrusted };
    let wanted = Wanted {
        slug,
        ephemeral: args.ephemeral,
        base: &base,
        folder: Path::new(FOLDER),
        sparse: &declared.sparse,
        trust,
        now_ms: wall_ms(),
    };
    let mut made = repository.create(&wanted).map_err(refused)?;
    let mut included = Included::default();
    if let (Some(main), false) = (&main, made.reopened) {
        set_up(main, &made, &declared, trust, &mut included)?;
        made.remarks.extend(uncommitted(&repository, main));
    }
    made.remarks.extend(declared.problems);
    made.remarks.append(&mut included.skipped);
    if standing != Standing::Trusted && !waits.is_empty() && !made.reopened {
        let changed = if standing == Standing::Changed { ", since it changed" } else { "" };
        let text = format!(
            "left out, as the repository is not trusted{changed}: {} (abide trust)",
            waits.join(", ")
        );
        made.remarks.push(text);
    }
    show(cx, args.json, &made, &included)
}

fn wanted(args: &AddArgs, declared: &Declared) -> Result<(Option<Slug>, Base), CliError> {
    let base = match args.base {
        Some(BaseArg::Fresh) => Base::Fresh,
        Some(BaseArg::Head) => Base::Head,
        None => declared.base.clone().unwrap_or(Base::Fresh),
    };
    let Some(name) = &args.name else { return Ok((None, base)) };
    if let Some(number) = pull_request(name) {
        return match args.base {
            None => Ok((Some(Slug::of_pull_request(number)), Base::PullRequest(number))),
            Some(_) => Err(CliError::usage("a pull request is its own base: leave out --base")),
        };
    }
    let slug = Slug::parse(name).map_err(|e| {
        let name = crate::core::naming::printable(name, 80);
        CliError::usage(format!("{name:?} is no name of a worktree: {e}"))
    })?;
    Ok((Some(slug), base))
}

/// What of the repository would be executed or linked.
fn waiting(repository: &Repository, declared: &Declared) -> Vec<String> {
    let setup = declared.setup.as_ref().map(|_| "its setup command".to_owned());
    let links = (!declared.links.is_empty()).then(|| format!("links to {}", declared.links.join(", ")));
    let hooks = hooks_folder(repository).map(|folder| format!("the hooks in {}", folder.display()));
    setup.into_iter().chain(links).chain(hooks).collect()
}

fn set_up(
    main: &Path,
    made: &Made,
    declared: &Declared,
    trust: Trust,
    included: &mut Included,
) -> Result<(), CliError> {
    let failed = |e: include::CopyError| {
        CliError::failed(format!("{} was made, and not set up: {e}", made.path.display()))
    };
    include::copy(main, &made.path, included).map_err(failed)?;
    if trust == Trust::Untrusted {
        return Ok(());
    }
    include::link(main, &made.path, &declared.links, included).map_err(failed)?;
    let Some(line) = &declared.setup else { return Ok(()) };
    // Standard output is for the folder, which scripts read.
    let status = std::process::Command::new("sh")
        .args(["-c", line])
        .current_dir(&made.path)
        .stdout(std::io::stderr())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CliError::failed(format!(
            "{} was made, and its setup command failed ({status}): {}",
            made.path.display(),
            crate::core::naming::printable(line, 200)
        ))
        .hint("run it there again once what it complains about is mended")),
        Err(e) => Err(CliError::failed(format!("cannot run sh: {e}"))),
    }
}

/// What of the main checkout's own changes a new worktree does not have, in one sentence.
fn uncommitted(repository: &Repository, main: &Path) -> Option<String> {
    let mut options = git2::StatusOptions::new();
    options.include_untracked(true).include_ignored(false).exclude_submodules(true);
    let of_main = git2::Repository::open(main).ok()?;
    // Where git cannot say there is nothing to be told.
    let n = of_main.statuses(Some(&mut options)).ok()?.len();
    let here = if repository.is_linked { "the main checkout" } else { "this checkout" };
    (n > 0).then(|| {
        format!("{n} uncommitted {} of {here} are not in it", if n == 1 { "change" } else { "changes" })
    })
}

fn show(cx: &mut Cx, json: bool, made: &Made, included: &Included) -> Result<(), CliError> {
    if json {
        return Ok(cx.out.json(&Shown {
            name: made.slug.as_str(),
            path: &made.path,
            branch: made.branch.as_deref(),
            reopened: made.reopened,
            from: &made.from,
            copied: &included.copied,
            linked: &included.linked,
            remarks: &made.remarks,
        })?);
    }
    let branch = made.branch.as_deref().unwrap_or("no branch");
    let how = if made.reopened { "opened again".to_owned() } else { format!("from {}", made.from) };
    crate::cli::remark(&format!("{} · {branch} · {how}", made.slug));
    for remark in &made.remarks {
        crate::cli::remark(remark);
    }
    Ok(cx.out.line(&clean(&made.path.display().to_string()))?)
}

fn shown(repository: &Repository) -> String {
    repository.main.as_deref().unwrap_or(&repository.common).display().to_string()
}

fn refused(error: CreateError) -> CliError {
    let message = error.to_string();
    match error {
        CreateError::Repository(_) | CreateError::Git(_) | CreateError::NoName | CreateError::Random(_) => {
            CliError::failed(message)
        }
        CreateError::Occupied(_) => CliError::failed(message).hint("choose another name, or move it away"),
        CreateError::InUse { path, .. } => CliError::failed(message)
            .hint(format!("work there, or: git -C {} switch --detach", path.display())),
        CreateError::Unfinished(path) | CreateError::Lost(path) => CliError::failed(message).hint(format!(
            "look at it, then: git worktree unlock {0}; git worktree repair {0}; or choose another name",
            path.display()
        )),
    }
}
