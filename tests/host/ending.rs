//! Ends: by itself, asked for, by force, and what is left behind.

use super::rig::{Rig, Session};
use crate::support::{ended, until};
use abide::wire::exit::{Cause, Ending};
use abide::wire::host::{Farewell, Reply, Request};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).expect("pid")), signal).expect("signal");
}

/// Reads a process id that the session writes into a file.
fn pid_in(session: &Session, name: &str) -> u32 {
    let path = session.rig.home.path().join("user").join(name);
    until(name, || std::fs::read_to_string(&path).ok()?.strip_suffix('\n')?.parse().ok())
}

#[test]
fn the_record_says_how_it_ended_and_what_it_showed() {
    let script = "read go; printf 'the \\033[1mlast\\033[0m words'; exit 42";
    let mut session = Session::new(&["sh", "-c", script]);
    let (mut watcher, _) = session.watch();
    let (mut follower, mut offset) = session.follow();
    let mut terminal = session.attach(80, 24);
    terminal.input("\r");
    let record = terminal.exited();
    assert_eq!(terminal.next(), Reply::Bye(Farewell::Ended));
    assert_eq!(watcher.exited(), record);
    while follower.data(&mut offset).is_some() {}
    assert_eq!(offset, record.offset);
    assert!(session.ended().success());
    assert_eq!(session.record(), record, "what was told is what is on disk");
    assert!(!session.rig.home.paths().host_socket(super::rig::ID).exists());

    assert_eq!((record.id.as_str(), record.generation), (super::rig::ID, 7));
    assert_eq!((record.ending, record.cause), (Ending::Exited(42), Cause::Own));
    assert_eq!(record.started_ms, session.welcome.started_ms);
    assert!(record.started_ms <= record.ended_ms && record.started_ms > 1_700_000_000_000);
    assert_eq!(
        record.boot_id,
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("id").trim()
    );
    assert!(record.max_rss_kib > 100);
    assert_eq!((record.cols, record.rows, record.unlogged), (80, 24, 0));
    let screen = String::from_utf8_lossy(&record.screen).into_owned();
    assert!(screen.contains("last") && screen.contains("words"), "{screen:?}");
    let (_, log) = session.log();
    assert_eq!(log.len() as u64, record.offset);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(session.rig.job().join("exit")).expect("record").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_signal_that_ended_it_is_said() {
    let mut session = Session::new(&["sh", "-c", "kill -SEGV $$"]);
    session.ended();
    assert_eq!(session.record().ending, Ending::Signaled(libc::SIGSEGV as u8));
    assert_eq!(session.record().cause, Cause::Own);
}

#[test]
fn all_that_was_written_before_the_end_is_there() {
    let mut session = Session::new(&["sh", "-c", "read go; seq 1 20000"]);
    let mut terminal = session.attach(80, 24);
    terminal.input("\r");
    let record = terminal.exited();
    let text: String =
        std::iter::once("\r\n".to_owned()).chain((1..=20_000).map(|n| format!("{n}\r\n"))).collect();
    assert_eq!(record.offset, text.len() as u64);
    assert!(String::from_utf8_lossy(&terminal.output).contains(&text));
    session.ended();
    assert_eq!(session.log().1, text.into_bytes());
}

#[test]
fn a_stop_is_polite_first() {
    for (traps, ending) in
        [("trap 'exit 3' HUP", Ending::Exited(3)), ("trap '' HUP; trap 'exit 4' TERM", Ending::Exited(4))]
    {
        let script = format!("{traps}; echo ready; while :; do read x || sleep 0.01; done");
        let session = Session::new(&["sh", "-c", &script]);
        let mut terminal = session.attach(80, 24);
        terminal.until_output(0, "ready");
        assert_eq!(session.connect().ask(&Request::Stop { grace_ms: 60_000 }), Reply::Done);
        let record = terminal.exited();
        assert_eq!((record.ending, record.cause), (ending, Cause::Asked));
    }
}

#[test]
fn what_ignores_the_polite_signals_is_killed_with_all_that_it_started() {
    let script = "trap '' HUP TERM INT; (trap '' HUP TERM; echo $$ > a; exec setsid sleep 1000) & \
                  setsid sh -c 'trap \"\" HUP TERM; echo $$ > b; sh -c \"echo \\$\\$ > c; sleep 1000; :\"; :' & \
                  echo $$ > d; while :; do sleep 1000; done";
    let mut session = Session::new(&["sh", "-c", script]);
    let pids = ["b", "c", "d"].map(|name| pid_in(&session, name));
    assert_eq!(pids[2], session.welcome.child_pid);
    assert_eq!(session.connect().ask(&Request::Stop { grace_ms: 200 }), Reply::Done);
    session.ended();
    let record = session.record();
    assert_eq!((record.ending, record.cause), (Ending::Signaled(libc::SIGKILL as u8), Cause::Asked));
    for pid in pids {
        ended(pid);
    }
    assert_eq!(session.rig.home.processes(), [0_u32; 0], "nothing is left");
}

#[test]
fn what_a_program_leaves_running_is_ended_after_it() {
    // One that forked twice and left the session, one that ignores the hang-up, and one of the foreground's group.
    let script = "setsid sh -c 'sh -c \"echo \\$\\$ > a; exec sleep 1000\" & exit' ; \
                  nohup sh -c 'echo $$ > b; exec sleep 1000' > /dev/null 2>&1 & \
                  sh -c 'echo $$ > c; exec sleep 1000' & read go; exit 5";
    let mut session = Session::new(&["sh", "-c", script]);
    let pids = ["a", "b", "c"].map(|name| pid_in(&session, name));
    let mut terminal = session.attach(80, 24);
    terminal.input("\r");
    let record = terminal.exited();
    assert_eq!((record.ending, record.cause), (Ending::Exited(5), Cause::Own));
    session.ended();
    for pid in pids {
        ended(pid);
    }
    assert_eq!(session.rig.home.processes(), [0_u32; 0], "nothing is left");
}

#[test]
fn a_terminated_host_ends_its_session() {
    let mut session = Session::new(&["cat"]);
    let (mut watcher, _) = session.watch();
    signal(session.host_pid(), Signal::SIGTERM);
    let record = watcher.exited();
    assert_eq!((record.ending, record.cause), (Ending::Signaled(libc::SIGHUP as u8), Cause::Terminated));
    assert!(session.ended().success());
    assert_eq!(session.record(), record);
}

#[test]
fn a_host_is_told_apart_when_its_manager_goes_down() {
    for (says, cause) in [("stopping", Cause::ManagerStopping), ("running", Cause::Terminated)] {
        let mut rig = Rig::new(&["cat"]);
        let bin = rig.home.path().join("bin");
        std::fs::create_dir(&bin).expect("folder");
        let fake = bin.join("systemctl");
        std::fs::write(
            &fake,
            format!("#!/bin/sh\necho \"$@\" > {}/asked\necho {says}\nexit 1\n", bin.display()),
        )
        .expect("a stand-in for systemctl");
        std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        rig.home.set("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH")));
        rig.home.set("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
        let mut session = rig.start();
        signal(session.host_pid(), Signal::SIGTERM);
        session.ended();
        assert_eq!(session.record().cause, cause);
        assert_eq!(std::fs::read_to_string(bin.join("asked")).expect("asked"), "--user is-system-running\n");
    }
}

#[test]
fn hang_ups_do_not_end_a_host() {
    let session = Session::new(&["cat"]);
    for one in [Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGXFSZ] {
        signal(session.host_pid(), one);
    }
    let mut link = session.attach(80, 24);
    link.input("alive\r");
    link.until_output(0, "alive\r\nalive\r\n");
}

#[test]
fn a_program_that_lets_go_of_its_terminal_lives_on() {
    let script = "exec < /dev/null > /dev/null 2>&1; echo $$ > let-go; read x < go; \
                  echo 'back again' > /dev/tty; read x < /dev/tty; exit 6";
    let rig = Rig::new(&["sh", "-c", script]);
    let fifo = rig.home.path().join("user/go");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let session = rig.start();
    pid_in(&session, "let-go");
    let mut link = session.attach(80, 24);
    assert!(matches!(link.ask(&Request::Peek), Reply::Screen { .. }), "its host serves on");
    std::fs::write(&fifo, "\n").expect("go");
    link.until_output(0, "back again");
    link.input("\r");
    assert_eq!(link.exited().ending, Ending::Exited(6));
}

#[test]
fn no_zombie_is_left_while_the_session_runs() {
    // Its children are orphaned at once, and so become the host's.
    let script = "for i in 1 2 3 4 5 6 7 8; do sh -c 'true & true & exit'; done; echo done; read x";
    let session = Session::new(&["sh", "-c", script]);
    session.attach(80, 24).until_output(0, "done");
    until("the end of all zombies", || {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", session.host_pid()));
        (children.expect("children").split_ascii_whitespace().count() == 1).then_some(())
    });
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_a_host() {
    let mut session = Session::new(&["sh", "-c", "read go; head -c 3000000 /dev/zero | tr '\\0' x"]);
    let mut stalled = session.attach(80, 24);
    let mut typing = session.attach(80, 24);
    typing.input("\r");
    let record = typing.exited();
    assert_eq!(record.offset, 3_000_002);
    session.ended();
    // What the system held for it is still there, and then the end.
    let mut rest = Vec::new();
    let _ = stalled.stream.read_to_end(&mut rest);
}
