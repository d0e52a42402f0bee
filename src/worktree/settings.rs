//! `extensions.worktreeConfig`: a worktree may have settings of its own (a sparse checkout has), and the repository has to
//! say so. Left behind without need, it keeps some programs out that do not know it.

use super::git::{Git, GitError, Trust};
use super::linked::Worktree;
use super::repository::{Repository, RepositoryError, io_at};
use std::io;
use std::path::Path;

const NAME: &str = "extensions.worktreeConfig";

/// Takes the setting back when the last worktree with settings of its own goes, whose books are here.
///
/// # Errors
/// The repository cannot be read or written.
pub(super) fn release(repository: &Repository, books: &Path) -> Result<(), RepositoryError> {
    let has = |folder: &Path| folder.join("config.worktree").exists();
    if !has(books) || has(&repository.common) {
        return Ok(());
    }
    if Worktree::all(repository)?.iter().any(|other| has(&other.books)) {
        return Ok(());
    }
    let config = |args: &[&str]| {
        Git::within(&repository.common, Trust::Untrusted).args(["config", "--local"]).args(args)
    };
    if done(repository, config(&["--get", NAME]).holds())? {
        done(repository, config(&["--unset-all", NAME]).run())?;
    }
    Ok(())
}

/// Says so again, for a worktree that comes back with settings of its own.
///
/// # Errors
/// The repository cannot be written.
pub(super) fn require(repository: &Repository) -> Result<(), RepositoryError> {
    let git = Git::within(&repository.common, Trust::Untrusted);
    done(repository, git.args(["config", "--local", NAME, "true"]).run()).map(drop)
}

fn done<T>(repository: &Repository, result: Result<T, GitError>) -> Result<T, RepositoryError> {
    io_at("cannot configure", &repository.common, result.map_err(io::Error::other))
}
