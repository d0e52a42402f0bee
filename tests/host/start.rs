//! Starts, and starts that fail.

use super::rig::{ID, Rig, Session};
use abide::wire::host::{Birth, Reply, Stage};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

/// Starts it, expects that this fails, and that nothing is left.
#[track_caller]
fn fails(rig: &Rig) -> (Stage, i32, String) {
    let (mut host, birth) = rig.launch();
    let Birth::Failed { id, generation, stage, errno, subject } = birth else { panic!("{birth:?}") };
    assert_eq!((id.as_str(), generation), (ID, 7));
    let mut said = String::new();
    host.stderr.take().expect("stderr").read_to_string(&mut said).expect("what it said");
    assert_eq!(host.wait().expect("wait").code(), Some(1));
    assert!(said.contains(&subject), "{said:?} names {subject:?}");
    assert!(!rig.home.paths().host_socket(ID).exists(), "a socket is left");
    assert_eq!(std::fs::read_dir(rig.home.paths().hosts()).expect("folder").count(), 0);
    if let Ok(mut left) = std::fs::read_dir(rig.job()) {
        assert!(left.next().is_none(), "a file is left");
    }
    assert_eq!(rig.home.processes(), [0_u32; 0], "a process is left");
    (stage, i32::from(errno), subject)
}

#[test]
fn a_command_that_is_not_there_fails_at_once() {
    let rig = Rig::new(&["no-such-command-at-all"]);
    assert_eq!(fails(&rig), (Stage::Exec, libc::ENOENT, "no-such-command-at-all".to_owned()));
    let rig = Rig::new(&["./not/here"]);
    assert_eq!(fails(&rig).1, libc::ENOENT);
}

#[test]
fn a_file_that_is_no_program_fails_at_once() {
    let mut rig = Rig::new(&["./plain"]);
    let path = rig.home.path().join("user/plain");
    std::fs::write(&path, "echo no interpreter is named here\n").expect("file");
    assert_eq!(fails(&rig).1, libc::EACCES);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
    assert_eq!(fails(&rig).1, libc::ENOEXEC);
    rig.order.argv = vec![b"plain".to_vec()];
    rig.order.env = vec![b"PATH=/nowhere:.".to_vec()];
    assert_eq!(fails(&rig).1, libc::ENOEXEC, "found in PATH, relative to the working directory");
}

#[test]
fn a_folder_that_is_not_there_fails_at_once() {
    let mut rig = Rig::new(&["true"]);
    rig.order.cwd = b"/nowhere/at/all".to_vec();
    assert_eq!(fails(&rig), (Stage::Cwd, libc::ENOENT, "/nowhere/at/all".to_owned()));
}

#[test]
fn an_order_that_cannot_be_carried_out_fails() {
    let mut rig = Rig::new(&[]);
    assert_eq!(fails(&rig).0, Stage::Exec);
    rig.order.argv = vec![b"nul\0inside".to_vec()];
    assert_eq!(fails(&rig).1, libc::EINVAL);
    rig.order.argv = vec![b"true".to_vec()];
    rig.order.socket = format!("{}/{}", rig.home.path().display(), "x".repeat(120)).into_bytes();
    assert_eq!(fails(&rig).1, libc::ENAMETOOLONG);
    let mut rig = Rig::new(&["true"]);
    std::fs::remove_dir(rig.job()).expect("remove");
    rig.order.generation = 7;
    assert_eq!(fails(&rig).0, Stage::Files);
}

#[test]
fn a_second_host_of_a_living_session_is_refused() {
    let session = Session::new(&["cat"]);
    let (mut second, birth) = session.rig.launch();
    assert!(matches!(birth, Birth::Failed { stage: Stage::Duplicate, .. }), "{birth:?}");
    assert_eq!(second.wait().expect("wait").code(), Some(1));
    let mut link = session.attach(80, 24);
    link.input("still here\r");
    link.until_output(0, "still here\r\nstill here\r\n");
}

#[test]
fn the_socket_of_a_dead_host_is_no_hindrance() {
    let rig = Rig::new(&["cat"]);
    let socket = rig.home.paths().host_socket(ID);
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("bind"));
    let session = rig.start();
    session.connect();
    let mode = std::fs::metadata(&socket).expect("socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_withdrawn_order_starts_nothing() {
    let rig = Rig::new(&["cat"]);
    let mut command = rig.command();
    let orders = rig.home.paths().orders().expect("orders").expect("a folder");
    let (new, taken) = abide::paths::order_names(&orders, ID);
    std::fs::rename(&new, taken.with_extension("withdrawn")).expect("withdraw");
    let output = command.output().expect("abide-host");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no start order"), "{output:?}");
    assert!(!taken.exists());
}

#[test]
fn a_garbled_order_is_refused() {
    let rig = Rig::new(&["cat"]);
    let whole = rig.order.encode();
    for bytes in [&whole[..whole.len() - 1], b"", b"{}"] {
        let mut command = rig.command();
        let orders = rig.home.paths().orders().expect("orders").expect("a folder");
        std::fs::write(abide::paths::order_names(&orders, ID).0, bytes).expect("order");
        assert_eq!(command.output().expect("abide-host").status.code(), Some(1));
    }
    for wrong in ["../../etc", "0BADCAFE", ""] {
        let output = rig.home.command(crate::support::program("abide-host")).arg(wrong).output();
        assert_eq!(output.expect("abide-host").status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn the_gate_holds_a_host_back_and_its_starters_death_ends_it() {
    let rig = Rig::new(&["cat"]);
    let orders = rig.home.paths().orders().expect("orders").expect("a folder");
    let (new, taken) = abide::paths::order_names(&orders, ID);
    let mut host = rig.command().arg("gate").stdin(Stdio::piped()).spawn().expect("abide-host");
    drop(host.stdin.take());
    let output = host.wait_with_output().expect("wait");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(new.exists() && !taken.exists(), "the order lies where it was");

    let mut host = rig.command().arg("gate").stdin(Stdio::piped()).spawn().expect("abide-host");
    host.stdin.take().expect("stdin").write_all(b"!").expect("go");
    assert!(matches!(rig.birth(), Birth::Born(_)));
    assert!(taken.exists() && !new.exists());
    host.kill().expect("kill");
    host.wait().expect("wait");
}

#[test]
fn a_session_lives_without_anybody_to_report_to() {
    let mut rig = Rig::new(&["sh", "-c", "echo $$ > pid; cat"]);
    rig.order.births = b"/nowhere/births.sock".to_vec();
    let pid = rig.home.path().join("user/pid");
    let mut host = rig.command().spawn().expect("abide-host");
    crate::support::until("the program", || std::fs::read(&pid).ok().filter(|t| t.ends_with(b"\n")));
    assert!(host.try_wait().expect("wait").is_none());
    host.kill().expect("kill");
    host.wait().expect("wait");
}

/// The platforms do not agree on the type.
fn number(resource: impl TryInto<u32>) -> u32 {
    resource.try_into().ok().expect("a small number")
}

#[test]
fn the_program_gets_what_the_order_says_and_nothing_else() {
    let mut rig = Rig::new(&[
        "sh",
        "-c",
        "exec > out; env | sort; pwd; umask; ulimit -n; ulimit -Hn; stty size < /dev/tty; cat /proc/self/oom_score_adj; \
         ls /proc/self/fd; tty < /dev/tty; ps -o pgid=,sid=,tpgid= -p $$; grep -E 'Sig(Blk|Ign)' /proc/self/status; \
         stty -a < /dev/tty | grep -o -w -e '-*iutf8' -e '-*icanon' -e '-*echo'; echo end",
    ]);
    rig.order.umask = 0o027;
    rig.order.oom_score_adj = 321;
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").expect("a score");
    let raised = (own.trim().parse::<i32>().expect("a number") + 321).min(1000).to_string();
    rig.order.limits =
        vec![abide::wire::order::Limit { resource: number(libc::RLIMIT_NOFILE), soft: 123, hard: 456 }];
    rig.order.cols = 111;
    rig.order.rows = 22;
    // What the starter leaves open must not reach the program.
    let leak = std::fs::File::open("/dev/null").expect("file");
    nix::fcntl::fcntl(&leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("fcntl");
    let names = rig.order.env.clone();
    let user = rig.home.path().join("user");
    let mut session = rig.start();
    session.ended();
    let out = std::fs::read_to_string(user.join("out")).expect("out");
    let mut lines: Vec<&str> = out.lines().collect();
    let mut env: Vec<_> = names.iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect();
    env.push(format!("PWD={}", user.display()));
    env.sort();
    let (said, rest) = lines.split_at_mut(env.len());
    let shells_own =
        |v: &&&str| !v.starts_with("_=") && !v.starts_with("OLDPWD=") && !v.starts_with("SHLVL=");
    assert_eq!(said.iter().filter(shells_own).copied().collect::<Vec<_>>(), env);
    let user = user.display().to_string();
    assert_eq!(rest[..6], [user.as_str(), "0027", "123", "456", "22 111", raised.as_str()]);
    let fds: Vec<&str> = rest[6..].iter().take_while(|l| l.parse::<u32>().is_ok()).copied().collect();
    assert_eq!(fds.len(), 4, "three, and the one with which `ls` reads: {fds:?}");
    let rest = &rest[6 + fds.len()..];
    assert!(Path::new(rest[0]).starts_with("/dev"), "{rest:?}");
    let ids: Vec<&str> = rest[1].split_ascii_whitespace().collect();
    let child = session.welcome.child_pid.to_string();
    assert_eq!(ids, [child.as_str(); 3], "group, session and foreground are its own");
    for line in &rest[2..4] {
        let bits = line.split('\t').nth(1).and_then(|h| u64::from_str_radix(h, 16).ok()).expect("a mask");
        // The C library keeps 32 and 33 for itself, as they were.
        assert_eq!(bits & !0x1_8000_0000, 0, "{line}");
    }
    assert_eq!(rest[4..], ["iutf8", "icanon", "echo", "end"], "{rest:?}");
}

#[test]
fn the_welcome_names_the_very_process() {
    let session = Session::new(&["cat"]);
    let welcome = &session.welcome;
    assert_eq!((welcome.id.as_str(), welcome.generation, welcome.host_pid), (ID, 7, session.host_pid()));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", welcome.child_pid)).expect("the program");
    let start = stat.rsplit(')').next().expect("fields").split_ascii_whitespace().nth(19).expect("field 22");
    assert_eq!(start, welcome.child_start.to_string());
    let parent = stat.rsplit(')').next().expect("fields").split_ascii_whitespace().nth(1).expect("field 4");
    assert_eq!(parent, welcome.host_pid.to_string());
    let mut link = session.connect();
    assert!(matches!(link.ask(&abide::wire::host::Request::Peek), Reply::Screen { cols: 200, rows: 50, .. }));
}
