//! Views as mount namespaces. Each path is mounted upon itself, so that it can be read-only by itself; whatever is
//! mounted there stays. Mounts that the system makes later are seen, and none of ours leaves the namespace.
//!
//! A mount upon a *file* is lost when somebody outside replaces that file by renaming another one over it, which is how
//! git writes nearly everything. So a [`Keeper`] watches the folders of what is read-only within another mount, and
//! mounts what was replaced again, a moment later.

use super::View;
use nix::libc;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

impl View {
    /// Gives this process the view. The error is the place of the path in the list, from 1, or 0; the system's error
    /// number says more.
    ///
    /// # Safety
    /// Only async-signal-safe calls are made: it may run between `fork` and `execve`, in a process with one thread.
    pub(in crate::sys) unsafe fn enter(&self) -> Result<(), u32> {
        // SAFETY: system calls with pointers to strings that live through them.
        unsafe {
            // The administrator needs no user namespace, and keeps the rights that one would take away.
            if libc::unshare(libc::CLONE_NEWNS) != 0 {
                if libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) != 0 {
                    return Err(0);
                }
                // A system without this file needs none.
                let denied =
                    put(c"/proc/self/setgroups", c"deny") || nix::errno::Errno::last_raw() == libc::ENOENT;
                if !denied
                    || !put(c"/proc/self/uid_map", &self.uid_map)
                    || !put(c"/proc/self/gid_map", &self.gid_map)
                {
                    return Err(0);
                }
            }
            let flags = libc::MS_REC | libc::MS_SLAVE;
            if libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()) != 0 {
                return Err(0);
            }
            // All are there before the first is read-only: what is mounted from something read-only is it, too.
            for (number, (path, writable)) in (1..).zip(&self.mounts) {
                let gone = |_| *writable && nix::errno::Errno::last_raw() == libc::ENOENT;
                if bind(path).is_err_and(|e| !gone(e)) {
                    return Err(number);
                }
            }
            for (number, (path, writable)) in (1..).zip(&self.mounts) {
                if !writable && restrict(path, true).is_err() {
                    return Err(number);
                }
            }
        }
        Ok(())
    }
}

/// Mounts a path upon itself, with all that is mounted in it.
///
/// # Safety
/// None beyond that it changes this process's namespace; async-signal-safe.
unsafe fn bind(path: &CStr) -> Result<(), ()> {
    let flags = libc::MS_BIND | libc::MS_REC;
    // SAFETY: a system call on a string that lives.
    let done =
        unsafe { libc::mount(path.as_ptr(), path.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    if done == 0 { Ok(()) } else { Err(()) }
}

/// Makes what is mounted there read-only, or writable.
///
/// # Safety
/// As [`bind`].
unsafe fn restrict(path: &CStr, read_only: bool) -> Result<(), ()> {
    // SAFETY: writes one `statvfs`, which lives; then a system call on a string that lives.
    unsafe {
        let mut found: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut found) != 0 {
            return Err(());
        }
        // What the mount was restricted in from outside must be named again. Times of access keep their rule by
        // themselves.
        let mut flags = libc::MS_REMOUNT | libc::MS_BIND;
        for (is, keeps) in [
            (libc::ST_NOSUID, libc::MS_NOSUID),
            (libc::ST_NODEV, libc::MS_NODEV),
            (libc::ST_NOEXEC, libc::MS_NOEXEC),
        ] {
            if found.f_flag & is != 0 {
                flags |= keeps;
            }
        }
        if read_only {
            flags |= libc::MS_RDONLY;
        }
        match libc::mount(std::ptr::null(), path.as_ptr(), std::ptr::null(), flags, std::ptr::null()) {
            0 => Ok(()),
            _ => Err(()),
        }
    }
}

/// Writes a short text to a file of the system's.
///
/// # Safety
/// Async-signal-safe, and safe everywhere.
unsafe fn put(file: &CStr, text: &CStr) -> bool {
    // SAFETY: system calls on strings that live.
    unsafe {
        let fd = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.count_bytes());
        libc::close(fd);
        written >= 0
    }
}

/// Whether a process can be given a view of its own here, by giving one to a process that then ends.
///
/// # Errors
/// The system's: it could not.
pub fn probe(folder: &std::path::Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let view = View::new([(folder.as_os_str().as_bytes(), false)])?;
    // SAFETY: the new process makes only async-signal-safe calls, and ends.
    let process = in_a_process(|| unsafe { view.enter() }.is_ok())?;
    let mut status = 0;
    // SAFETY: waits for the process that was just made.
    while unsafe { libc::waitpid(process, &raw mut status, 0) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Err(io::Error::last_os_error());
        }
    }
    match libc::WEXITSTATUS(status) {
        0 if libc::WIFEXITED(status) => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Runs this in a process of its own, which ends with 0, or with the error number.
fn in_a_process(mut work: impl FnMut() -> bool) -> io::Result<i32> {
    // SAFETY: the callers of this module give what makes only async-signal-safe calls.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: ends the new process without a handler of the old one's.
        0 => unsafe {
            let status = if work() { 0 } else { nix::errno::Errno::last_raw().clamp(1, 255) };
            libc::_exit(status)
        },
        process => Ok(process),
    }
}

/// Keeps a process's view as it is, see the module.
#[derive(Debug)]
pub struct Keeper {
    view: View,
    watch: OwnedFd,
    /// The folders that are watched, by the number of their watch.
    folders: HashMap<i32, Vec<u8>>,
    user: Option<OwnedFd>,
    mount: OwnedFd,
}

impl Keeper {
    /// For the view of this process, which has it.
    ///
    /// # Errors
    /// The process is gone, or its view cannot be watched.
    pub fn of(process: i32, view: View) -> io::Result<Self> {
        let space = |of: &str, name: &str| std::fs::File::open(format!("/proc/{of}/ns/{name}"));
        let process = process.to_string();
        let inode = |file: &std::fs::File| {
            use std::os::unix::fs::MetadataExt;
            file.metadata().map(|m| m.ino())
        };
        let user = space(&process, "user")?;
        let own = inode(&user)? == inode(&space("self", "user")?)?;
        let mount = OwnedFd::from(space(&process, "mnt")?);
        // SAFETY: makes a descriptor.
        let watch = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        if watch < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made.
        let watch = unsafe { OwnedFd::from_raw_fd(watch) };
        let mut folders = HashMap::new();
        for folder in view.watched() {
            let path = CString::new(folder.clone())?;
            let events = libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_ONLYDIR;
            // SAFETY: a string that lives through the call.
            let number = unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), events) };
            if number < 0 {
                return Err(io::Error::last_os_error());
            }
            folders.insert(number, folder);
        }
        Ok(Self { view, watch, folders, user: (!own).then(|| user.into()), mount })
    }

    /// For a poll: readable when there may be something to mend.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.watch.as_fd()
    }

    /// Mounts again what was replaced, in a process of its own that is a child of this one and ends by itself.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn mend(&self) -> io::Result<()> {
        let mut lost = vec![false; self.view.mounts.len()];
        let mut buffer = [0u8; 4096];
        loop {
            match nix::unistd::read(&self.watch, &mut buffer) {
                Ok(0) | Err(nix::Error::EAGAIN) => break,
                Ok(n) => self.note(&buffer[..n], &mut lost),
                Err(nix::Error::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        if !lost.contains(&true) {
            return Ok(());
        }
        // SAFETY: system calls on descriptors and strings that live; nothing is allocated.
        let again = || unsafe {
            let user =
                self.user.as_ref().is_none_or(|u| libc::setns(u.as_raw_fd(), libc::CLONE_NEWUSER) == 0);
            if !user || libc::setns(self.mount.as_raw_fd(), libc::CLONE_NEWNS) != 0 {
                return false;
            }
            let paths = self.view.mounts.iter().zip(&lost).filter(|(_, lost)| **lost);
            paths.fold(true, |all, ((path, writable), _)| {
                let done = bind(path).and_then(|()| restrict(path, !writable)).is_ok();
                // What is gone again will come back.
                all & (done || nix::errno::Errno::last_raw() == libc::ENOENT)
            })
        };
        in_a_process(again).map(drop)
    }

    /// Marks what these events are about.
    fn note(&self, events: &[u8], lost: &mut [bool]) {
        const HEAD: usize = 16;
        let mut rest = events;
        while let Some((head, after)) = rest.split_at_checked(HEAD) {
            let word = |at: usize| <[u8; 4]>::try_from(&head[at..at + 4]).unwrap_or_default();
            let length = u32::from_ne_bytes(word(12)) as usize;
            let Some((name, next)) = after.split_at_checked(length) else { return };
            rest = next;
            let name = name.split(|b| *b == 0).next().unwrap_or_default();
            if u32::from_ne_bytes(word(4)) & libc::IN_Q_OVERFLOW != 0 {
                // Which ones is not known: all that may be.
                for (at, (path, writable)) in self.view.mounts.iter().enumerate() {
                    lost[at] |= !writable && self.folders.values().any(|f| is_in(path, f));
                }
            }
            let Some(folder) = self.folders.get(&i32::from_ne_bytes(word(0))) else { continue };
            for (at, (path, _)) in self.view.mounts.iter().enumerate() {
                lost[at] |= is_in(path, folder) && path.as_bytes().ends_with(name) && {
                    path.as_bytes().len() == folder.len() + 1 + name.len()
                };
            }
        }
    }
}

/// The path is that of something right in this folder.
fn is_in(path: &CStr, folder: &[u8]) -> bool {
    let below = path.to_bytes().strip_prefix(folder).and_then(|below| below.strip_prefix(b"/"));
    below.is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
}

impl View {
    /// The folders of what is read-only within something else of the view.
    fn watched(&self) -> Vec<Vec<u8>> {
        let within = |path: &CString| {
            self.mounts.iter().any(|(outer, _)| {
                let below = path.as_bytes().strip_prefix(outer.as_bytes());
                below.is_some_and(|below| below.starts_with(b"/"))
            })
        };
        let of = self.mounts.iter().filter(|(path, writable)| !writable && within(path));
        let mut folders: Vec<Vec<u8>> = of
            .filter_map(|(path, _)| {
                let bytes = path.as_bytes();
                Some(bytes[..bytes.iter().rposition(|b| *b == b'/')?].to_vec())
            })
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }
}
