//! What a new worktree starts from.

use super::git::{Git, Trust};
use super::repository::{Repository, RepositoryError, git_at};
use git2::Oid;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A remote branch that was fetched longer ago is fetched again before something is based on it.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// And so long that may take: who has no network wants to work all the same.
const FETCH_WITHIN: Duration = Duration::from_secs(5);
/// A pull request that was asked for is nothing to do without.
const REQUEST_WITHIN: Duration = Duration::from_secs(120);

/// What a user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The default branch of `origin`, as it is there now; without one, as [`Base::Head`].
    Fresh,
    /// The commit that the checkout one is in is at.
    Head,
    /// A pull or merge request of `origin`'s.
    PullRequest(u64),
}

/// A commit, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// It.
    pub commit: Oid,
    /// For people: `origin/main`, `HEAD (main)`, `pull request #7`.
    pub from: String,
    /// Why it is not what was asked for, or may be old; for people.
    pub remark: Option<String>,
}

/// Where a pull request's number may stand: `#7`, or the address of one. Only the number counts; it is asked of
/// `origin`, wherever the address leads.
pub fn pull_request(text: &str) -> Option<u64> {
    let number = |digits: &str| -> Option<u64> {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|n| plain && *n > 0)
    };
    if let Some(digits) = text.strip_prefix('#').or_else(|| text.strip_prefix('!')) {
        return number(digits);
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let path = rest.split(['?', '#']).next()?;
    // github: HOST/OWNER/REPO/pull/N[/files]; gitlab: HOST/GROUP…/REPO/-/merge_requests/N[/diffs].
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let at = parts.windows(2).rposition(|w| matches!(w[0], "pull" | "pulls" | "merge_requests"))?;
    if at < 2 { None } else { number(parts[at + 1]) }
}

impl Repository {
    /// Finds the commit, fetching where that is needed.
    ///
    /// # Errors
    /// There is no commit to start from, or a pull request cannot be had.
    pub fn start(&self, base: &Base) -> Result<Start, RepositoryError> {
        match base {
            Base::Head => self.head(None),
            Base::Fresh => self.fresh(),
            Base::PullRequest(number) => self.request(*number),
        }
    }

    fn place(&self) -> &Path {
        self.here.as_deref().unwrap_or(&self.common)
    }

    fn head(&self, remark: Option<String>) -> Result<Start, RepositoryError> {
        let nothing = "cannot start from";
        let head = match self.git.head() {
            Ok(head) => head,
            Err(_) => {
                return Err(RepositoryError::Git {
                    doing: nothing,
                    path: self.place().to_owned(),
                    message: "it has no commit yet; make one: git commit --allow-empty -m start".into(),
                });
            }
        };
        let commit = git_at(nothing, self.place(), head.peel_to_commit())?.id();
        let name = head.shorthand().unwrap_or("detached").to_owned();
        Ok(Start { commit, from: format!("HEAD ({name})"), remark })
    }

    fn fresh(&self) -> Result<Start, RepositoryError> {
        if self.git.find_remote("origin").is_err() {
            return self.head(None);
        }
        let fetched = self.fetch_if_stale();
        let Some((full, commit)) = self.default_branch() else {
            let why = "origin's default branch is not known; `git remote set-head origin --auto` asks for it";
            return self.head(Some(format!("{why}; started from HEAD")));
        };
        let from = full.strip_prefix("refs/remotes/").unwrap_or(&full).to_owned();
        let remark = fetched.err().map(|why| format!("{from} may be old: {why}"));
        Ok(Start { commit, from, remark })
    }

    /// `origin`'s default branch: what its HEAD says, else the usual names.
    pub fn default_branch(&self) -> Option<(String, Oid)> {
        let says = self.git.find_reference("refs/remotes/origin/HEAD").ok();
        let says = says.and_then(|head| head.symbolic_target().ok().flatten().map(ToOwned::to_owned));
        let usual = ["main", "master", "trunk"].map(|name| format!("refs/remotes/origin/{name}"));
        says.into_iter().chain(usual).find_map(|full| {
            let commit = self.git.find_reference(&full).ok()?.peel_to_commit().ok()?.id();
            Some((full, commit))
        })
    }

    /// Fetches `origin` where that was long ago; why it could not be, for people.
    fn fetch_if_stale(&self) -> Result<(), String> {
        let mark = std::fs::metadata(self.common.join("FETCH_HEAD")).and_then(|meta| meta.modified());
        let age = mark.ok().and_then(|then| SystemTime::now().duration_since(then).ok());
        if age.is_some_and(|age| age < STALE) {
            return Ok(());
        }
        let fetch = Git::within(&self.common, Trust::Untrusted).limit(FETCH_WITHIN);
        let fetch = fetch.args(["fetch", "--quiet", "--no-recurse-submodules", "--no-tags", "origin"]);
        fetch.run().map(|_| ()).map_err(|e| e.to_string())
    }

    fn request(&self, number: u64) -> Result<Start, RepositoryError> {
        let refused = |message: String| RepositoryError::Git {
            doing: "cannot fetch a pull request for",
            path: self.place().to_owned(),
            message,
        };
        let origin = self.git.find_remote("origin");
        let origin = origin.map_err(|_| refused("it has no remote called origin".into()))?;
        let url = origin.url().unwrap_or_default().to_ascii_lowercase();
        let (hub, lab) = (format!("refs/pull/{number}/head"), format!("refs/merge-requests/{number}/head"));
        // A host that is neither by its name may be either.
        let refs = if url.contains("github") {
            vec![hub]
        } else if url.contains("gitlab") {
            vec![lab]
        } else {
            vec![hub, lab]
        };
        let kept = format!("refs/abide/pr/{number}");
        let mut complaints = Vec::new();
        for name in refs {
            let fetch = Git::within(&self.common, Trust::Untrusted).limit(REQUEST_WITHIN);
            let spec = format!("+{name}:{kept}");
            let fetch =
                fetch.args(["fetch", "--quiet", "--no-recurse-submodules", "--no-tags", "origin", &spec]);
            match fetch.run() {
                Ok(_) => {
                    let found = self.git.find_reference(&kept).and_then(|r| r.peel_to_commit());
                    let commit = git_at("cannot read", &self.common, found)?.id();
                    return Ok(Start { commit, from: format!("pull request #{number}"), remark: None });
                }
                Err(e) => complaints.push(e.to_string()),
            }
        }
        Err(refused(complaints.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_is_its_number() {
        for (text, number) in [
            ("#7", Some(7)),
            ("!12", Some(12)),
            ("https://github.com/o/r/pull/123", Some(123)),
            ("https://github.com/o/r/pull/123/files#diff-1", Some(123)),
            ("https://gitlab.example.org/g/s/r/-/merge_requests/9/diffs?x=1", Some(9)),
            ("https://git.example.org/o/r/pulls/4", Some(4)),
            ("7", None),
            ("#", None),
            ("#0", None),
            ("#-1", None),
            ("#+1", None),
            ("#7x", None),
            ("#99999999999999999999", None),
            ("https://github.com/pull/3", None),
            ("https://github.com/o/r/issues/3", None),
            ("file:///o/r/pull/3", None),
        ] {
            assert_eq!(pull_request(text), number, "{text}");
        }
    }
}
