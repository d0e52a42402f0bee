//! Who a connection's other end is, where that process has gone.

use super::raw::{Client, Daemon};
use crate::support::Home;
use abide::core::action::Reply;
use abide::core::classify::Class;
use abide::core::event::Command;
use abide::core::hook::{Happening, Report};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// A connection that a process made which has gone since, and that process's id.
fn of_one_that_left(home: &Home) -> (Client, Pid) {
    let socket =
        socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).expect("socket");
    let address = UnixAddr::new(&home.paths().control_socket()).expect("an address");
    // SAFETY: the child makes two system calls and touches nothing of this program's.
    let child = match unsafe { fork() }.expect("fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let connected = socket::connect(socket.as_raw_fd(), &address).is_ok();
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(i32::from(!connected)) }
        }
    };
    let ended = waitpid(child, None).expect("wait");
    assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(child, 0), "it could connect");
    (Client::over(UnixStream::from(socket)).expect("a supervisor that answers"), child)
}

fn class(reply: Reply) -> Class {
    match reply {
        Reply::Who { class, session: None, .. } | Reply::Hooked { class, session: None } => *class,
        other => panic!("who? {other:?}"),
    }
}

fn hook() -> Command {
    let what = Happening::Ends { reason: "exit".into() };
    let (agent, session_id, cwd) = ("toy".into(), "x".into(), "/".into());
    Command::Hook { report: Box::new(Report { agent, session_id, cwd, what, of_sub_agent: false }) }
}

#[test]
fn a_client_is_what_its_process_is() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, welcome) = Client::connect(&home);
    assert_eq!(welcome.version, 2);
    let Reply::Who { evidence, class, .. } = client.get(Command::Who) else { panic!("who?") };
    assert_eq!(evidence.chain.first().map(|p| p.pid), Some(std::process::id()));
    assert!(class.row > 0, "{class:?}");
}

#[test]
fn who_left_before_it_was_looked_at_is_unknown_and_served_all_the_same() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = of_one_that_left(&home);
    for command in [Command::Who, hook()] {
        let class = class(client.get(command));
        assert_eq!((class.kind, class.template, class.row), (None, None, 0), "{class:?}");
        assert!(class.reasons[0].contains("gone"), "{class:?}");
    }
    let run = client.run(&["sleep", "1000"]);
    assert_eq!(run.record.parent, None);
    assert!(run.record.dispatch[0].contains("gone"), "{:?}", run.record.dispatch);
}

#[test]
#[cfg(target_os = "linux")]
fn a_later_process_with_its_id_is_not_taken_for_it() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, pid) = of_one_that_left(&home);
    // Only root may choose a process id.
    let Some(later) = Later::with(pid) else { return };
    let id = u32::try_from(pid.as_raw()).expect("an id");
    assert!(abide::sys::process::Process::of(id).is_ok_and(|p| !p.zombie), "the id is in use again");
    let class = class(client.get(Command::Who));
    assert_eq!((class.kind, class.row), (None, 0), "{class:?}");
    drop(later);
}

/// A process that waits for its end, with an id of our choice.
#[cfg(target_os = "linux")]
struct Later(Pid);

#[cfg(target_os = "linux")]
impl Later {
    fn with(pid: Pid) -> Option<Self> {
        let wanted = [pid.as_raw()];
        // SAFETY: plain integers, for which zero is valid.
        let mut how: libc::clone_args = unsafe { std::mem::zeroed() };
        how.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
        how.set_tid = wanted.as_ptr() as u64;
        how.set_tid_size = 1;
        // SAFETY: as fork, with an array of one id that lives through the call; the child only waits.
        let made = unsafe { libc::syscall(libc::SYS_clone3, &raw mut how, size_of::<libc::clone_args>()) };
        match made {
            0 => loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            },
            -1 => {
                let error = nix::errno::Errno::last();
                assert!(
                    !nix::unistd::geteuid().is_root() || error == nix::errno::Errno::EEXIST,
                    "clone3: {error}"
                );
                None
            }
            made => Some(Self(Pid::from_raw(i32::try_from(made).expect("an id")))),
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Later {
    fn drop(&mut self) {
        // It is our own child: its id is its own until it is waited for.
        _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGKILL);
        _ = waitpid(self.0, None);
    }
}
