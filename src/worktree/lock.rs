//! Git's lock of a worktree (`git worktree lock`): ours says who holds it, so that one of a dead owner can be told.

use super::linked::{Worktree, read_small};
use crate::core::text::Text;
use crate::core::worktree::{Holder, Lock};
use crate::sys::dirs::create_private_file;
use crate::sys::{clock, process};
use std::io::{self, Write};
use std::path::PathBuf;

/// What our reasons begin with.
const OURS: &str = "in use by abide: ";

/// Who holds a lock of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    pid: u32,
    start: u64,
    boot: String,
    /// Of its process ids.
    namespace: u64,
    host: String,
    session: Option<String>,
}

impl Owner {
    fn of(pid: u32, session: Option<&str>) -> Self {
        Self {
            pid,
            start: process::start_time(pid),
            boot: clock::boot_id(),
            namespace: clock::namespace("pid"),
            host: host(),
            session: session.map(ToOwned::to_owned),
        }
    }

    fn reason(&self) -> String {
        let Self { pid, start, boot, namespace, host, session } = self;
        let session = session.as_ref().map(|s| format!(" session={s}")).unwrap_or_default();
        format!("{OURS}pid={pid} start={start} boot={boot} namespace={namespace} host={host}{session}\n")
    }

    fn parse(reason: &str) -> Option<Self> {
        let mut fields = reason.trim_end().strip_prefix(OURS)?.split(' ').map(|field| field.split_once('='));
        let mut next =
            |name: &str| fields.next()?.filter(|(n, _)| *n == name).map(|(_, value)| value.to_owned());
        Some(Self {
            pid: next("pid")?.parse().ok()?,
            start: next("start")?.parse().ok()?,
            boot: next("boot")?,
            namespace: next("namespace")?.parse().ok()?,
            host: next("host")?,
            session: next("session"),
        })
    }

    /// One on another machine or in another container cannot be looked for, and lives.
    fn is_alive(&self) -> bool {
        if self.host != host() || self.namespace != clock::namespace("pid") {
            return true;
        }
        self.boot == clock::boot_id() && process::is_running(self.pid, self.start)
    }
}

fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '-' }).collect()
}

fn file(worktree: &Worktree) -> PathBuf {
    worktree.books.join("locked")
}

/// The worktree's lock; none where nobody locked it.
///
/// # Errors
/// It is there, and cannot be read.
pub fn of(worktree: &Worktree) -> io::Result<Option<Lock>> {
    let reason = match read_small(&file(worktree)) {
        Ok(reason) => reason,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let owner = std::str::from_utf8(&reason).ok().and_then(Owner::parse);
    let holder = owner.map_or(Holder::Somebody, |owner| Holder::Ours {
        pid: owner.pid,
        alive: owner.is_alive(),
        session: owner.session,
    });
    let ours = holder != Holder::Somebody;
    let reason = if ours { Text::default() } else { Text(reason.trim_ascii().to_vec()) };
    Ok(Some(Lock { reason, holder }))
}

/// Locks a worktree for this process and its session. False where somebody has locked it already.
///
/// # Errors
/// The lock cannot be written.
pub fn take(worktree: &Worktree, pid: u32, session: Option<&str>) -> io::Result<bool> {
    match create_private_file(&file(worktree)) {
        Ok(mut file) => file.write_all(Owner::of(pid, session).reason().as_bytes()).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Takes off a lock of ours, whoever of us holds it; somebody else's stays. True where none is left.
///
/// # Errors
/// It cannot be read or removed.
pub fn release(worktree: &Worktree) -> io::Result<bool> {
    match of(worktree)? {
        None => Ok(true),
        Some(Lock { holder: Holder::Somebody, .. }) => Ok(false),
        Some(Lock { holder: Holder::Ours { .. }, .. }) => match std::fs::remove_file(file(worktree)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(true),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worktree::linked::{Head, Link};

    fn worktree(dir: &tempfile::TempDir) -> Worktree {
        Worktree {
            id: "x".into(),
            books: dir.path().into(),
            path: PathBuf::new(),
            link: Link::Missing,
            head: Head::Unknown(String::new()),
        }
    }

    #[test]
    fn a_lock_names_its_owner_and_is_taken_once() {
        let dir = tempfile::tempdir().expect("folder");
        let worktree = worktree(&dir);
        assert_eq!(of(&worktree).expect("none"), None);
        let pid = std::process::id();
        assert!(take(&worktree, pid, Some("7c5dcf5d")).expect("taken"));
        assert!(!take(&worktree, pid, None).expect("held"));
        let holder = Holder::Ours { pid, session: Some("7c5dcf5d".into()), alive: true };
        assert_eq!(of(&worktree).expect("read"), Some(Lock { reason: Text::default(), holder }));
        assert!(release(&worktree).expect("released") && release(&worktree).expect("again"));
        assert_eq!(of(&worktree).expect("none"), None);
    }

    #[test]
    fn the_lock_of_somebody_else_stays() {
        let dir = tempfile::tempdir().expect("folder");
        let worktree = worktree(&dir);
        for reason in ["", "on a stick\n", "in use by abide: pid=x", "in use by abide: "] {
            std::fs::write(file(&worktree), reason).expect("written");
            let lock = of(&worktree).expect("read").expect("locked");
            assert_eq!((lock.reason, lock.holder), (Text::from(reason.trim()), Holder::Somebody));
            assert!(!release(&worktree).expect("not ours"));
        }
    }

    #[test]
    fn an_owner_is_dead_only_where_that_can_be_told() {
        let now = Owner::of(std::process::id(), None);
        assert_eq!(Owner::parse(&now.reason()), Some(now.clone()));
        assert!(now.is_alive());
        let dead = [
            Owner { start: now.start + 1, ..now.clone() },
            Owner { pid: u32::MAX, ..now.clone() },
            Owner { boot: "another".into(), ..now.clone() },
        ];
        for owner in dead {
            assert!(!owner.is_alive(), "{owner:?}");
            assert!(Owner { host: "elsewhere".into(), ..owner.clone() }.is_alive());
            assert!(Owner { namespace: 1, ..owner }.is_alive());
        }
    }
}
