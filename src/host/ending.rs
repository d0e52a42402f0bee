//! How a session ends.
//!
//! 1. The program ends by itself, or is asked to: SIGHUP and SIGCONT to its process group and to the one in the
//!    foreground; SIGTERM to those and to every descendant a little later; SIGKILL to all of them when the grace is over.
//! 2. Once the program is gone, whatever it left running is ended likewise, with the rest of the grace. Orphans are
//!    found since this process is their new parent.
//! 3. The rest of the output is read, the exit record is made durable, and the socket goes, so that a next start of the
//!    session meets nobody.
//! 4. Watchers and terminals are told, and this process ends when they have taken it.

use super::clients::Role;
use super::event_loop::Host;
use super::{birth, record};
use crate::sys::reap::{self, Ended, Reaped, Waited};
use crate::sys::{clock, fd, signal};
use crate::wire::exit::{Cause, Ending as Outcome, ExitRecord};
use crate::wire::host::{Farewell, Reply};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// From SIGHUP to SIGTERM at most: shells take the one, most other programs the other.
const BEFORE_TERM: Duration = Duration::from_secs(1);
/// Between looks at what is left of a program's descendants. Most of their ends are signalled anyway.
const RECHECK: Duration = Duration::from_millis(50);
/// What SIGKILL did not end by then hangs in the kernel, and is left behind.
const UNKILLABLE: Duration = Duration::from_secs(1);
/// How long the disk may take for the last bytes of the log, and for the exit record, before the session ends without.
const LAST_BYTES: Duration = Duration::from_secs(2);
/// The service manager answers in this time, or its answer does not count.
const MANAGER_ANSWERS: Duration = Duration::from_secs(2);

/// How far the end has come.
#[derive(Debug, Default)]
pub(super) struct Ending {
    cause: Option<Cause>,
    program: Option<Outcome>,
    usage: Option<Reaped>,
    term_at: Option<Instant>,
    kill_at: Option<Instant>,
    recheck_at: Option<Instant>,
    give_up_at: Option<Instant>,
    /// The grace is over.
    by_force: bool,
    /// Descendants that were asked to end.
    asked: Vec<u32>,
    manager: Option<Manager>,
    told: bool,
}

/// The question to the service manager whether it is going down.
#[derive(Debug)]
struct Manager {
    pid: u32,
    answer: ChildStdout,
    said: Vec<u8>,
    deadline: Instant,
}

impl Ending {
    /// The session is over, and everybody was told.
    pub(super) fn is_told(&self) -> bool {
        self.told
    }

    /// When the next step is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.told {
            return None;
        }
        let manager = self.manager.as_ref().map(|m| m.deadline);
        [self.term_at, self.kill_at, self.recheck_at, self.give_up_at, manager].into_iter().flatten().min()
    }

    /// Where the service manager's answer comes in.
    pub(super) fn manager_fd(&self) -> Option<BorrowedFd<'_>> {
        self.manager.as_ref().map(|m| m.answer.as_fd())
    }

    /// Takes the service manager's answer.
    pub(super) fn read_manager(&mut self) {
        let Some(manager) = &mut self.manager else { return };
        let mut buffer = [0; 64];
        match manager.answer.read(&mut buffer) {
            Ok(n @ 1..) if manager.said.len() < 1024 => manager.said.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                if manager.said.trim_ascii() == b"stopping" && self.cause == Some(Cause::Terminated) {
                    self.cause = Some(Cause::ManagerStopping);
                }
                self.manager = None;
            }
        }
    }

    fn ask_manager(&mut self, now: Instant) {
        let mut command = Command::new("systemctl");
        command.args(["--user", "is-system-running"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Where it cannot be asked, the session was stopped, as far as anybody can know.
        let Ok(mut child) = command.spawn() else { return };
        if let Some(answer) = child.stdout.take() {
            let deadline = now + MANAGER_ANSWERS;
            self.manager = Some(Manager { pid: child.id(), answer, said: Vec::new(), deadline });
        }
    }
}

impl Host {
    /// A signal came.
    pub(super) fn on_signals(&mut self, now: Instant) {
        let caught = self.signals.take();
        if self.log.take_news() {
            self.reporter.may_have_changed(now);
        }
        if caught.terminate && self.ending.cause.is_none() {
            self.stop(Cause::Terminated, Duration::from_millis(u64::from(self.order.grace_ms)), now);
            if birth::is_unit() {
                self.ending.ask_manager(now);
            }
        }
        if self.log.has_come_to_rest() {
            fd::trim_heap();
        }
        if caught.hangup {
            self.show_socket(now);
        }
        if caught.child {
            self.reap();
            // What is left is looked at now rather than at the next deadline.
            self.ending.recheck_at = self.ending.recheck_at.map(|_| now);
        }
    }

    /// Whoever finds a session without its socket sends `SIGHUP`. Nothing is lost where that was a mistake, and a host of
    /// a build that does not know it ignores the signal.
    fn show_socket(&mut self, now: Instant) {
        // Whoever has connected to the one without a name is served.
        self.accept(now);
        if let Some(socket) = &mut self.socket
            && socket.is_lost()
            // Where it cannot be shown, the next signal tries again.
            && let Ok(again) = socket.again()
        {
            *socket = again;
        }
    }

    fn reap(&mut self) {
        loop {
            match reap::wait_any() {
                Waited::Reaped(reaped) if reaped.pid == self.child => {
                    self.ending.usage = Some(reaped);
                    self.program_ended(match reaped.ended {
                        Ended::Exited(status) => Outcome::Exited(status),
                        Ended::Signaled(number) => Outcome::Signaled(number),
                    });
                }
                Waited::Reaped(_) => {}
                Waited::Alive => return,
                Waited::Childless => {
                    if self.ending.program.is_none() {
                        self.program_ended(Outcome::Unknown);
                    }
                    return;
                }
            }
        }
    }

    fn program_ended(&mut self, outcome: Outcome) {
        self.ending.program = Some(outcome);
        self.ending.cause.get_or_insert(Cause::Own);
        self.ending.term_at = None;
        self.welcome.child_pid = 0;
    }

    /// Ends the program: politely now, by force after `grace`. A second call can only hasten it.
    pub(super) fn stop(&mut self, cause: Cause, grace: Duration, now: Instant) {
        let kill_at = now + grace;
        self.ending.kill_at = Some(self.ending.kill_at.map_or(kill_at, |t| t.min(kill_at)));
        if self.ending.cause.is_some() {
            return;
        }
        self.ending.cause = Some(cause);
        self.ending.term_at = Some(now + BEFORE_TERM.min(grace / 4));
        self.signal_groups(signal::HUP);
        self.signal_groups(signal::CONT);
    }

    /// Signals the program's process group and the one in the foreground. What is gone already is no error.
    fn signal_groups(&self, number: i32) {
        let _ = signal::send_group(self.child, number);
        if let Some(group) = self.pty.foreground().filter(|group| *group != self.child) {
            let _ = signal::send_group(group, number);
        }
    }

    /// All descendants, but for what this process runs for itself.
    fn descendants(&self) -> Vec<u32> {
        let mut found = reap::descendants(std::process::id());
        found.retain(|pid| self.ending.manager.as_ref().is_none_or(|m| m.pid != *pid));
        found
    }

    /// Takes the steps that are due.
    pub(super) fn go_on_ending(&mut self, now: Instant) {
        let due = |t: Option<Instant>| t.is_some_and(|t| t <= now);
        if self.ending.told {
            return;
        }
        if let Some(manager) = self.ending.manager.take_if(|m| m.deadline <= now) {
            signal_process(manager.pid, signal::KILL);
        }
        if self.ending.program.is_some() {
            if self.ending.recheck_at.is_none_or(|t| t <= now) {
                self.end_descendants(now);
            }
            return;
        }
        if due(self.ending.term_at) {
            self.ending.term_at = None;
            self.signal_groups(signal::TERM);
            self.signal_groups(signal::CONT);
            for pid in self.descendants() {
                signal_process(pid, signal::TERM);
                self.ending.asked.push(pid);
            }
        }
        if due(self.ending.kill_at) {
            self.ending.kill_at = None;
            self.ending.by_force = true;
            self.signal_groups(signal::KILL);
            for pid in self.descendants() {
                signal_process(pid, signal::KILL);
            }
        }
    }

    /// The program is gone: ends what it left, and then the session.
    fn end_descendants(&mut self, now: Instant) {
        let left = self.descendants();
        let given_up = self.ending.give_up_at.is_some_and(|t| t <= now);
        if (left.is_empty() || given_up) && self.ending.manager.is_none() {
            self.finish(now);
            return;
        }
        let grace = Duration::from_millis(u64::from(self.order.grace_ms));
        if !self.ending.by_force && *self.ending.kill_at.get_or_insert(now + grace) <= now {
            self.ending.by_force = true;
        }
        if self.ending.by_force {
            self.ending.kill_at = None;
            self.ending.give_up_at.get_or_insert(now + UNKILLABLE);
        }
        for pid in left {
            if self.ending.by_force {
                signal_process(pid, signal::KILL);
            } else if !self.ending.asked.contains(&pid) {
                for number in [signal::HUP, signal::TERM, signal::CONT] {
                    signal_process(pid, number);
                }
                self.ending.asked.push(pid);
            }
        }
        self.ending.recheck_at = Some(now + RECHECK);
    }

    fn finish(&mut self, now: Instant) {
        self.drain_output(now);
        self.screen.settle();
        self.log.close(LAST_BYTES);
        let record = self.exit_record();
        let folder = Path::new(std::ffi::OsStr::from_bytes(&self.order.job_dir)).to_owned();
        let (at, what) = (folder.clone(), record.clone());
        if let Err(error) = self.log.beside(LAST_BYTES, move || record::write(&at, &what)) {
            fd::say(&format!("abide-host {}: {}: exit record: {error}", self.order.id, folder.display()));
        }
        if let Some(socket) = self.socket.take() {
            socket.remove();
        }
        self.ending.told = true;
        self.tell_end(&record, now);
        fd::say(&format!("abide-host {}: {}", record.id, describe(&record)));
    }

    fn tell_end(&mut self, record: &ExitRecord, now: Instant) {
        let exited = Reply::Exited(record.clone()).frame();
        let restore = self.screen.restore();
        for place in 0..self.clients.len() {
            let behind = self.clients.get(place).and_then(|c| c.terminal()).is_some_and(|t| t.behind);
            let picture = if behind { self.picture() } else { Vec::new() };
            let Some(client) = self.clients.get_mut(place).filter(|c| !c.closing) else { continue };
            match client.role {
                Role::Terminal(_) => {
                    client.output(&picture, now);
                    client.output(&restore, now);
                    client.send(&[&exited], now);
                    client.reply(&Reply::Bye(Farewell::Ended), now);
                }
                Role::Follower | Role::Watcher { .. } => client.send(&[&exited], now),
                Role::Guest => {}
            }
            client.close();
        }
    }

    fn exit_record(&mut self) -> ExitRecord {
        let shown = self.screen.text();
        let usage = self.ending.usage;
        ExitRecord {
            id: self.order.id.clone(),
            generation: self.order.generation,
            boot_id: clock::boot_id(),
            ending: self.ending.program.unwrap_or(Outcome::Unknown),
            cause: self.ending.cause.unwrap_or(Cause::Own),
            started_ms: self.welcome.started_ms,
            ended_ms: birth::wall_ms(),
            user_us: usage.map_or(0, |u| u.user_us),
            system_us: usage.map_or(0, |u| u.system_us),
            max_rss_kib: usage.map_or(0, |u| u.max_rss_kib),
            oom_kills: crate::sys::usage::own_oom_kills(),
            offset: self.log.offset(),
            unlogged: self.log.losses().0,
            cols: shown.cols,
            rows: shown.rows,
            screen: shown.text,
        }
    }
}

/// For a log.
fn describe(record: &ExitRecord) -> String {
    let ending = match record.ending {
        Outcome::Exited(status) => format!("the program exited with status {status}"),
        Outcome::Signaled(number) => format!("the program was ended by signal {number}"),
        Outcome::Unknown => "the program is gone".to_owned(),
    };
    let cause = match record.cause {
        Cause::Own => "",
        Cause::Asked => ", as asked",
        Cause::Terminated => ", since its host was told to end",
        Cause::ManagerStopping => ", since the service manager is going down",
    };
    ending + cause
}

/// What is gone, or not ours to end, is no error: it is looked at again.
fn signal_process(pid: u32, number: i32) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::send(pid, number);
    }
}
