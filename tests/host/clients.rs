//! Several clients at once, and clients that misbehave.

use super::rig::{Link, Rig, Session};
use crate::support::until;
use abide::wire::host::{Refusal, Reply, Request};
use std::io::Read;

fn refusal(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(why, text) => {
            assert!(!text.is_empty());
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_terminal_may_type_and_one_that_only_looks_may_not() {
    let session = Session::new(&["cat"]);
    let (mut one, mut two, mut looking) = (session.attach(80, 24), session.attach(90, 30), session.look());
    one.input("from one\r");
    two.until_output(0, "from one\r\nfrom one\r\n");
    two.input("from two\r");
    one.until_output(0, "from two\r\nfrom two\r\n");
    looking.input("from nobody\r");
    assert_eq!(refusal(looking.next()), Refusal::State);
    one.input("last\r");
    looking.until_output(0, "last\r\nlast\r\n");
    assert!(!String::from_utf8_lossy(&looking.output).contains("from nobody"));
}

#[test]
fn the_size_follows_the_terminal_that_was_active_last() {
    let session = Session::new(&[
        "sh",
        "-c",
        "trap 'stty size' WINCH; stty -echo; echo ready; while :; do read x; done",
    ]);
    let (mut watcher, status) = session.watch();
    assert_eq!((status.cols, status.rows), (200, 50));
    let mut one = session.attach(80, 24);
    one.until_output(0, "ready");
    watcher.status(|s| (s.cols, s.rows) == (80, 24));
    let mut two = session.attach(100, 30);
    watcher.status(|s| (s.cols, s.rows, s.writers) == (100, 30, 2));
    one.input("x");
    watcher.status(|s| (s.cols, s.rows) == (80, 24));
    let _looking = session.look();
    watcher.status(|s| (s.cols, s.rows, s.readers) == (80, 24, 1));
    two.send(&Request::Resize { cols: 120, rows: 40 });
    watcher.status(|s| (s.cols, s.rows) == (120, 40));
    two.until_output(0, "40 120");
    two.send(&Request::Resize { cols: 0, rows: 0 });
    two.send(&Request::Detach);
    watcher.status(|s| (s.cols, s.rows, s.writers) == (80, 24, 1));
    drop(one);
    watcher.status(|s| (s.cols, s.rows, s.writers) == (80, 24, 0));
}

#[test]
fn a_stalled_terminal_holds_up_neither_the_session_nor_the_others() {
    let mut session = Session::new(&[
        "sh",
        "-c",
        "read go; head -c 16000000 /dev/zero | tr '\\0' x; echo; echo END; read bye",
    ]);
    let mut stalled = session.attach(80, 24);
    let mut reading = session.attach(80, 24);
    reading.input("\r");
    reading.until_output(0, "END");
    // Nobody but the stalled one is left: it sets no pace.
    drop(reading);
    stalled.until_output(0, "END");
    stalled.input("\r");
    assert_eq!(stalled.exited().offset, 16_000_000 + 2 + 2 + 5 + 2);
    session.ended();
}

#[test]
fn a_flood_nobody_takes_does_not_stop_the_session() {
    let mut session = Session::new(&[
        "sh",
        "-c",
        "read go; head -c 16000000 /dev/zero | tr '\\0' x; echo END > done; read bye",
    ]);
    let mut stalled = session.attach(80, 24);
    stalled.input("\r");
    let done = session.rig.home.path().join("user/done");
    session.wrote(&done, "END\n");
    stalled.input("\r");
    session.ended();
    let (first, log) = session.log();
    assert_eq!(first + log.len() as u64, 16_000_000 + 4);
}

#[test]
fn a_follower_that_stalls_is_dropped() {
    let session =
        Session::new(&["sh", "-c", "read go; head -c 16000000 /dev/zero | tr '\\0' x; echo END; read bye"]);
    let (mut stalled, mut offset) = session.follow();
    let mut terminal = session.attach(80, 24);
    terminal.input("\r");
    terminal.until_output(0, "END");
    while let Some(Reply::Data { offset: at, bytes }) = stalled.try_next() {
        assert_eq!(at, offset, "what it got is without a gap");
        offset += bytes.len() as u64;
    }
    assert!(offset < 16_000_000, "it was dropped");
}

#[test]
fn the_death_of_a_client_is_a_detach_and_nothing_more() {
    let session = Session::new(&["cat"]);
    let (mut watcher, _) = session.watch();
    let socket = session.rig.home.paths().host_socket(super::rig::ID);
    for signal in [nix::sys::signal::Signal::SIGKILL, nix::sys::signal::Signal::SIGHUP] {
        // A process of its own that attaches and stays.
        let script = format!(
            "import socket,struct,sys,time\ns=socket.socket(socket.AF_UNIX); s.connect({:?})\n\
             f=lambda k,p: s.sendall(struct.pack('<IB',len(p)+1,k)+p)\n\
             f(1,struct.pack('<HHI',1,1,0)); f(2,struct.pack('<HHBI',70,20,0,0))\n\
             while s.recv(65536): pass\n",
            socket.to_str().expect("UTF-8")
        );
        let mut client =
            std::process::Command::new("python3").args(["-c", &script]).spawn().expect("python3");
        watcher.status(|s| s.writers == 1);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(client.id() as i32), signal).expect("kill");
        client.wait().expect("wait");
        watcher.status(|s| s.writers == 0);
    }
    let mut link = session.attach(80, 24);
    link.input("alive\r");
    link.until_output(0, "alive\r\nalive\r\n");
}

#[test]
fn a_text_is_sent_once_per_request() {
    let session = Session::new(&["cat"]);
    let mut terminal = session.attach(80, 24);
    let send = |n: u8, text: &str| Request::Send {
        request: [n; 16],
        text: text.as_bytes().to_vec(),
        paste: true,
        enter: true,
    };
    let mut link = session.connect();
    assert_eq!(link.ask(&send(1, "once")), Reply::Done);
    assert_eq!(link.ask(&send(1, "once")), Reply::Done);
    assert_eq!(session.connect().ask(&send(1, "once")), Reply::Done);
    for n in 2..65 {
        assert_eq!(link.ask(&send(n, &format!("n{n}"))), Reply::Done);
    }
    assert_eq!(link.ask(&send(1, "once")), Reply::Done);
    assert_eq!(link.ask(&send(200, "last")), Reply::Done);
    let echoed = terminal.until_output(0, "last\r\n");
    terminal.until_output(echoed, "last\r\n");
    let said = String::from_utf8_lossy(&terminal.output).into_owned();
    // Echoed and printed.
    assert_eq!(said.matches("once").count(), 2, "{said}");
    assert_eq!(said.matches("n64").count(), 2);
}

#[test]
fn a_text_is_one_paste_where_the_program_asked_for_that() {
    let session = Session::new(&["sh", "-c", "stty raw -echo; printf '\\033[?2004hready'; exec cat -v"]);
    let mut terminal = session.attach(80, 24);
    terminal.until_output(0, "ready");
    let request = Request::Send { request: [9; 16], text: b"two\nlines".to_vec(), paste: true, enter: true };
    assert_eq!(session.connect().ask(&request), Reply::Done);
    terminal.until_output(0, "^[[200~two\nlines^[[201~^M");
}

#[test]
fn a_session_that_does_not_read_is_busy_and_typing_waits() {
    let rig =
        Rig::new(&["sh", "-c", "stty raw -echo; echo ready; read go < go; head -c 3000000 | wc -c; cat"]);
    let fifo = rig.home.path().join("user/go");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let session = rig.start();
    let mut terminal = session.attach(80, 24);
    terminal.until_output(0, "ready");
    let send = |n: u8, size: usize| Request::Send {
        request: [n; 16],
        text: vec![b'x'; size],
        paste: false,
        enter: false,
    };
    let mut link = session.connect();
    assert_eq!(link.ask(&send(1, 1_000_000)), Reply::Done);
    assert_eq!(refusal(link.ask(&send(2, 1_000_000))), Refusal::Busy);
    let writer = std::thread::spawn(move || {
        terminal.input(&"y".repeat(2_000_000));
        terminal
    });
    std::fs::write(&fifo, "go\n").expect("the program goes on");
    let mut terminal = writer.join().expect("typed");
    terminal.until_output(0, "3000000");
    assert_eq!(link.ask(&send(2, 10)), Reply::Done, "one that was refused may come again");
    terminal.until_output(0, "xxxxxxxxxx");
}

#[test]
fn a_signal_reaches_the_foreground() {
    let session =
        Session::new(&["sh", "-c", "trap 'echo got INT' INT; echo ready; while :; do read x; done"]);
    let mut link = session.attach(80, 24);
    link.until_output(0, "ready");
    assert_eq!(link.ask(&Request::Signal(libc::SIGINT as u8)), Reply::Done);
    link.until_output(0, "got INT");
    assert_eq!(refusal(link.ask(&Request::Signal(200))), Refusal::System);
}

#[test]
fn one_client_more_than_there_is_room_for_displaces_one_without_a_role() {
    let session = Session::new(&["cat"]);
    let mut idle: Vec<Link> = (0..64).map(|_| session.connect()).collect();
    let mut terminal = session.attach(80, 24);
    terminal.input("room\r");
    terminal.until_output(0, "room\r\nroom\r\n");
    let mut rest = Vec::new();
    idle[0].stream.read_to_end(&mut rest).expect("the oldest is closed");
    let mut watchers: Vec<_> = (0..63).map(|_| session.watch()).collect();
    let mut refused = session.connect_silently();
    assert_eq!(refusal(refused.next()), Refusal::System);
    watchers.pop();
    until("a free place", || {
        let mut link = session.connect_silently();
        link.send(&Request::Hello { min: 1, max: 1, build: String::new() });
        matches!(link.try_next(), Some(Reply::Welcome(_))).then_some(())
    });
}
