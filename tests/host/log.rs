//! A disk under the log that fails.

use super::rig::{Rig, segments};
use crate::support::{Home, until};
use std::os::unix::process::CommandExt;

#[test]
fn a_disk_that_takes_no_more_costs_the_log_and_nothing_else() {
    // A limit on the size of files is a disk that is full for this process alone, wherever the test runs.
    let rig = Rig::with(
        Home::new(),
        &["sh", "-c", "while read n; do head -c $n /dev/zero | tr '\\0' x; echo; echo END $n; done"],
    );
    let mut command = rig.command();
    // SAFETY: one async-signal-safe call between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 1_000_000, rlim_max: libc::RLIM_INFINITY };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let session = rig.adopt(command.spawn().expect("abide-host"));
    let (mut watcher, status) = session.watch();
    assert_eq!((status.unlogged, status.log_errno), (0, 0));
    let (mut follower, mut offset) = session.follow();
    let mut terminal = session.attach(80, 24);
    terminal.input("3000000\r");
    terminal.until_output(0, "END 3000000");
    let status = watcher.status(|s| s.log_errno != 0);
    assert_eq!(i32::from(status.log_errno), libc::EFBIG);
    let mut followed = Vec::new();
    while !followed.ends_with(b"END 3000000\r\n") {
        followed.extend(follower.data(&mut offset).expect("data"));
    }
    assert_eq!(segments(&session.rig.job()), [(0, followed[..1_000_000].to_vec())], "all that the disk took");

    // Room again: the next output that comes after the pause begins a new segment at its true offset.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(session.host_pid()).expect("pid"));
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads one `rlimit`, which lives through the call.
    let set = unsafe {
        libc::prlimit(pid.as_raw(), libc::RLIMIT_FSIZE, &raw const unlimited, std::ptr::null_mut())
    };
    assert_eq!(set, 0);
    until("a log that goes on", || {
        terminal.input("10\r");
        followed.extend(follower.data(&mut offset).expect("data"));
        (segments(&session.rig.job()).len() > 1).then_some(())
    });
    let from = terminal.output.len();
    terminal.input("12345\r");
    terminal.until_output(from, "END 12345");
    while !followed.ends_with(b"END 12345\r\n") {
        followed.extend(follower.data(&mut offset).expect("data"));
    }
    // Clients come before the log: once the host answers again, what it handed out is logged.
    drop(session.connect());
    let found = segments(&session.rig.job());
    let (start, bytes) = found.last().expect("a segment");
    let start = usize::try_from(*start).expect("small");
    assert!(start > 1_000_000, "the gap shows");
    assert!(*bytes == followed[start..], "and behind it nothing is missing");
    let status = watcher.status(|s| s.log_errno == 0 && s.unlogged > 0);
    assert_eq!(status.unlogged, start as u64 - 1_000_000, "what was lost is known to the byte");
}

#[test]
fn a_folder_that_vanishes_costs_the_log_and_the_record_and_nothing_else() {
    let mut session = Rig::new(&["cat"]).start();
    std::fs::remove_dir_all(session.rig.job()).expect("remove");
    let mut terminal = session.attach(80, 24);
    terminal.input("still\r");
    terminal.until_output(0, "still\r\nstill\r\n");
    terminal.input("\x04");
    let record = terminal.exited();
    assert_eq!(record.ending, abide::wire::exit::Ending::Exited(0));
    assert!(session.ended().success());
    assert!(!session.rig.home.paths().host_socket(super::rig::ID).exists());
}
