//! A disk under the log that fails, or does not answer.

use super::rig::{Link, Rig, Session, segments};
use crate::support::{Home, until};
use abide::wire::host::Request;
use std::io::Read;
use std::os::unix::process::CommandExt;

/// Writes as many bytes as each line that is typed says, and then that line.
const WRITER: &str = "while read n; do head -c $n /dev/zero | tr '\\0' x; echo; echo END $n; done";

/// A session whose host may write files of `limit` bytes at most: a disk that is full for this process alone, wherever
/// the test runs.
fn with_small_disk(limit: u64) -> Session {
    let rig = Rig::with(Home::new(), &["sh", "-c", WRITER]);
    let mut command = rig.command();
    // SAFETY: one async-signal-safe call between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    rig.adopt(command.spawn().expect("abide-host"))
}

/// Room again.
#[cfg(not(target_os = "linux"))]
fn make_room(_session: &Session) {
    panic!("only Linux lifts the limit of another process");
}

/// Room again.
#[cfg(target_os = "linux")]
fn make_room(session: &Session) {
    let pid = i32::try_from(session.host_pid()).expect("pid");
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads one `rlimit`, which lives through the call.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const unlimited, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

/// Reads on until the output ends so.
fn follow_to(follower: &mut Link, offset: &mut u64, followed: &mut Vec<u8>, end: &str) {
    while !followed.ends_with(end.as_bytes()) {
        followed.extend(follower.data(offset).expect("data"));
    }
}

/// How many bytes of `all` the log does not have; every other is in its place.
fn missing(session: &Session, all: &[u8]) -> u64 {
    let mut logged = 0;
    for (start, bytes) in segments(&session.rig.job()) {
        let start = usize::try_from(start).expect("small");
        assert!(bytes == all[start..start + bytes.len()], "every byte in its place");
        logged += bytes.len();
    }
    (all.len() - logged) as u64
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux lifts the limit of another process")]
fn a_disk_that_takes_no_more_costs_the_log_what_does_not_fit_into_memory_and_nothing_else() {
    let session = with_small_disk(1_000_000);
    let (mut watcher, status) = session.watch();
    assert_eq!((status.unlogged, status.log_errno), (0, 0));
    let (mut follower, mut offset) = session.follow();
    let mut terminal = session.attach(80, 24);
    terminal.input("3000000\r");
    terminal.until_output(0, "END 3000000");
    let mut followed = Vec::new();
    follow_to(&mut follower, &mut offset, &mut followed, "END 3000000\r\n");
    let status = watcher.status(|s| s.log_errno != 0 && s.offset == offset);
    assert_eq!(i32::from(status.log_errno), libc::EFBIG);
    assert_eq!(segments(&session.rig.job()), [(0, followed[..1_000_000].to_vec())], "all that the disk took");
    assert!(
        (900_000..1_500_000).contains(&status.unlogged),
        "half a megabyte waits, or twice that: {status:?}"
    );
    // A follower that comes now is given what waits.
    let mut late = session.connect();
    late.send(&Request::Follow);
    let mut waits = Vec::new();
    let abide::wire::host::Reply::Following { offset: from } = late.next() else { panic!("not following") };
    while !waits.ends_with(b"END 3000000\r\n") {
        match late.next() {
            abide::wire::host::Reply::Data { bytes, .. } => waits.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(from, 1_000_000);
    assert_eq!(waits.len() as u64 + status.unlogged, offset - from);

    // Room again, and nothing follows: what waited is logged all the same, and the rest is known to the byte.
    make_room(&session);
    until("the last line in the log", || {
        segments(&session.rig.job())
            .last()
            .is_some_and(|(_, b)| b.ends_with(b"END 3000000\r\n"))
            .then_some(())
    });
    let known = watcher.status(|s| s.log_errno == 0);
    assert_eq!(known.unlogged, status.unlogged);
    assert_eq!(missing(&session, &followed), known.unlogged);
    let from = terminal.output.len();
    terminal.input("12345\r");
    terminal.until_output(from, "END 12345");
    follow_to(&mut follower, &mut offset, &mut followed, "END 12345\r\n");
    drop(session.connect());
    assert_eq!(missing(&session, &followed), known.unlogged, "nothing more");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux lifts the limit of another process")]
fn the_last_line_is_logged_by_a_disk_that_works_again_when_the_program_ends() {
    let mut session = with_small_disk(10_000);
    let (mut watcher, _) = session.watch();
    let mut terminal = session.attach(80, 24);
    terminal.input("20000\r");
    terminal.until_output(0, "END 20000");
    watcher.status(|s| s.log_errno != 0);
    make_room(&session);
    terminal.input("\x04");
    let record = terminal.exited();
    session.ended();
    let (first, log) = session.log();
    assert_eq!((record.unlogged, first, log.len() as u64), (0, 0, record.offset));
    assert!(log.ends_with(b"END 20000\r\n"));
}

#[test]
fn what_a_disk_never_took_is_counted_at_the_end() {
    let mut session = with_small_disk(10_000);
    let mut terminal = session.attach(80, 24);
    terminal.input("20000\r");
    terminal.until_output(0, "END 20000");
    terminal.input("\x04");
    let record = terminal.exited();
    session.ended();
    let (_, log) = session.log();
    assert_eq!(log.len(), 10_000);
    assert_eq!(record.unlogged + 10_000, record.offset);
    assert_eq!(session.record(), record, "a file that fits is written");
}

#[test]
fn a_disk_that_hangs_stalls_neither_the_program_nor_its_clients() {
    let rig = Rig::new(&["sh", "-c", WRITER]);
    // Opening a FIFO that nobody reads does not return, as a file of a server that is gone.
    let segment = rig.job().join("output.00000000000000000000.log");
    nix::unistd::mkfifo(&segment, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut session = rig.start();
    let mut terminal = session.attach(80, 24);
    let (mut watcher, _) = session.watch();
    for n in 1..20 {
        let from = terminal.output.len();
        terminal.input(&format!("{n}000\r"));
        terminal.until_output(from, &format!("END {n}000"));
    }
    assert_eq!(i32::from(watcher.status(|s| s.log_errno != 0).log_errno), libc::ETIMEDOUT);
    // Who comes in this time is answered, and sees what was written.
    let mut late = session.attach(80, 24);
    late.until_output(0, "END 19000");
    let mut file = std::fs::File::open(&segment).expect("the FIFO");
    let logged = std::thread::spawn(move || {
        let mut logged = Vec::new();
        file.read_to_end(&mut logged).map(|_| logged)
    });
    terminal.input("\x04");
    let record = terminal.exited();
    session.ended();
    let logged = logged.join().expect("a reader").expect("the log");
    assert_eq!((record.unlogged, logged.len() as u64), (0, record.offset));
    assert!(logged.ends_with(b"END 19000\r\n"));
}

#[test]
fn a_disk_that_never_answers_does_not_keep_a_session_from_ending() {
    let rig = Rig::new(&["sh", "-c", WRITER]);
    let segment = rig.job().join("output.00000000000000000000.log");
    nix::unistd::mkfifo(&segment, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut session = rig.start();
    let mut terminal = session.attach(80, 24);
    terminal.input("1000\r");
    terminal.until_output(0, "END 1000");
    terminal.input("\x04");
    let record = terminal.exited();
    assert_eq!(record.unlogged, record.offset, "all of it is missing, and that is said");
    assert!(session.ended().success());
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
