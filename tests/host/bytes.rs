//! What the session writes reaches everybody whole, in order and numbered.

use super::rig::{Rig, Session, segments};
use abide::wire::host::{Reply, Request};

/// What `seq 1 n` prints through a terminal.
fn numbered(n: u32) -> Vec<u8> {
    (1..=n).flat_map(|i| format!("{i}\r\n").into_bytes()).collect()
}

#[test]
fn what_is_typed_comes_back() {
    let session = Session::new(&["cat"]);
    let mut link = session.attach(80, 24);
    let mut at = 0;
    for word in ["hello", "grüße", "次"] {
        link.input(&format!("{word}\r"));
        at = link.until_output(at, &format!("{word}\r\n{word}\r\n"));
    }
}

#[test]
fn a_hundred_thousand_lines_reach_terminal_follower_and_log_alike() {
    let session = Session::new(&["sh", "-c", "read go; seq 1 100000; read end"]);
    let (mut follower, mut offset) = session.follow();
    assert_eq!(offset, 0);
    let mut terminal = session.attach(80, 24);
    terminal.input("\r");
    let reader = std::thread::spawn(move || {
        terminal.until_output(0, "\r\n100000\r\n");
        terminal
    });
    let mut expected = b"\r\n".to_vec();
    expected.extend(numbered(100_000));
    let mut followed = Vec::new();
    while followed.len() < expected.len() {
        followed.extend(follower.data(&mut offset).expect("data"));
    }
    assert!(followed == expected, "the follower's bytes");
    let terminal = reader.join().expect("the terminal");
    assert!(terminal.output.ends_with(&expected), "the terminal's bytes");
    // Clients come before the log: once the host answers again, what it handed out is logged.
    drop(session.connect());
    let (first, log) = session.log();
    assert_eq!(first, 0);
    assert!(log == expected, "the log's bytes");
}

#[test]
fn the_log_is_bounded_and_its_numbers_go_on() {
    let mut rig = Rig::new(&["sh", "-c", "read go; seq 1 3700000"]);
    rig.order.log_keep = 16 << 20;
    let mut session = rig.start();
    let mut link = session.attach(80, 24);
    link.input("\r");
    let record = link.exited();
    session.ended();
    let written: u64 = 2 + (1..=3_700_000_u64).map(|n| n.to_string().len() as u64 + 2).sum::<u64>();
    assert_eq!(record.offset, written, "the line feed that was echoed, and every line");
    let (first, log) = session.log();
    assert_eq!(first + log.len() as u64, written);
    assert!(log.len() >= 16 << 20, "{} kept", log.len());
    assert!(log.len() <= 16 << 20 | 8 << 20, "{} kept", log.len());
    assert!(segments(&session.rig.job()).iter().all(|(_, bytes)| bytes.len() <= 8 << 20));
    let end = numbered(3_700_000);
    assert!(log == end[end.len() - log.len()..], "what is kept is the end");
    let link = std::fs::read_link(session.rig.job().join("output.log")).expect("a link");
    let newest = segments(&session.rig.job()).last().expect("a segment").0;
    assert_eq!(link.to_str(), Some(format!("output.{newest:020}.log").as_str()));
}

#[test]
fn a_follower_that_comes_again_misses_nothing() {
    let session = Session::new(&["sh", "-c", "while read n; do seq 1 $n; done"]);
    let mut terminal = session.attach(80, 24);
    let mut all = Vec::new();
    let mut at = 0;
    for n in [1000, 2000, 3000] {
        let (mut follower, mut offset) = session.follow();
        let (first, log) = session.log();
        assert!(first == 0 && log.len() as u64 >= offset, "what is before a follower's start is in the log");
        all.extend_from_slice(&log[all.len()..usize::try_from(offset).expect("small")]);
        terminal.input(&format!("{n}\r"));
        at = terminal.until_output(at, &format!("\r\n{}\r\n{n}\r\n", n - 1));
        // It is dropped somewhere in the middle.
        all.extend(follower.data(&mut offset).expect("data"));
    }
    let (_, log) = session.log();
    assert!(log.starts_with(&all));
}

#[test]
fn a_respawn_goes_on_with_the_numbers() {
    let mut session = Session::new(&["sh", "-c", "echo first"]);
    for (generation, text) in
        [(7, "first\r\n"), (8, "first\r\nfirst\r\n"), (9, "first\r\nfirst\r\nfirst\r\n")]
    {
        session.ended();
        let record = session.record();
        assert_eq!((record.generation, record.offset), (generation, text.len() as u64));
        assert_eq!(session.log(), (0, text.as_bytes().to_vec()));
        session.again();
    }
}

/// Whether a private mode is switched on (`h`) or off (`l`), alone or among others.
fn switches(text: &str, mode: &str, action: char) -> bool {
    text.split("\x1b[?").skip(1).any(|sequence| {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        sequence[end..].starts_with(action) && sequence[..end].split(';').any(|m| m == mode)
    })
}

#[test]
fn an_attach_shows_what_is_there_and_detach_restores() {
    let session = Session::new(&["sh", "-c", "seq 1 300; printf '\\033[?2004hready'; read end"]);
    let (mut watcher, _) = session.watch();
    watcher.status(|s| s.offset > 0);
    let mut link = session.connect();
    link.send(&Request::Attach { cols: 100, rows: 30, read_only: false, scrollback: 10_000 });
    link.until_output(0, "ready");
    let shown = String::from_utf8_lossy(&link.output).into_owned();
    for n in 1..=300 {
        assert!(shown.contains(&format!("{n}")), "line {n}");
    }
    assert!(switches(&shown, "2004", 'h'), "modes are set: {shown:?}");
    link.send(&Request::Detach);
    let from = link.output.len();
    assert_eq!(link.next(), Reply::Bye(abide::wire::host::Farewell::Detached));
    assert!(switches(&String::from_utf8_lossy(&link.output[from..]), "2004", 'l'), "and set back");
    assert!(link.try_next().is_none(), "the connection is closed");
}

#[test]
fn queries_are_answered_when_nobody_is_attached_and_else_by_one_terminal_only() {
    // Asks for the cursor's place at each line that it reads, and prints the answer.
    let script = "stty raw -echo; printf 'ready\\r'; while :; do k=$(dd bs=1 count=1 2>/dev/null); [ \"$k\" = q ] && exit; \
                  printf '<\\033[6n>'; a=; while :; do c=$(dd bs=1 count=1 2>/dev/null); a=\"$a$c\"; \
                  [ \"$c\" = R ] && break; done; printf '(%s)' \"${a#?}\"; done";
    let session = Session::new(&["sh", "-c", script]);
    let (mut follower, mut offset) = session.follow();
    // What came before the follower is in the log.
    let mut seen = session.log().1[..usize::try_from(offset).expect("small")].to_vec();
    let mut follow_until = |text: &str| {
        while !String::from_utf8_lossy(&seen).contains(text) {
            seen.extend(follower.data(&mut offset).expect("data"));
        }
        seen.clear();
    };
    let send = |text: &str| {
        let request = Request::Send {
            request: [text.as_bytes()[0]; 16],
            text: text.as_bytes().to_vec(),
            paste: false,
            enter: false,
        };
        assert_eq!(session.connect().ask(&request), Reply::Done);
    };
    follow_until("ready\r");
    send("a");
    follow_until("([1;2R)");

    let mut looking = session.look();
    send("b");
    follow_until("R)");
    looking.until_output(0, "<>");
    assert!(!looking.output.windows(4).any(|w| w == b"\x1b[6n"), "one that may not type is not asked");

    let (mut one, mut two) = (session.attach(80, 24), session.attach(90, 25));
    send("c");
    two.until_output(0, "<\x1b[6n>");
    one.until_output(0, "<>");
    two.input("\x1b[7;7R");
    follow_until("([7;7R)");
    one.input("d");
    one.until_output(0, "<\x1b[6n>");
    one.input("\x1b[8;8R");
    follow_until("([8;8R)");
    two.until_output(0, "([8;8R)");
    assert_eq!(two.output.windows(4).filter(|w| *w == b"\x1b[6n").count(), 1, "the last active is asked");
}
