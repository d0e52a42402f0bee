//! Showing, on a session made for it, that sessions outlive their supervisor.
//!
//! The session counts aloud, a number a line. Its supervisor is killed, then made to leave and started anew; the session
//! must stay the same process all along, and its log must have every number once. Other sessions have no part in it.

use crate::cli::context::{Cx, one};
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::client::control::{self, Control, ControlError, Start};
use crate::client::log::{LogReader, Piece, range};
use crate::core::action::View;
use crate::core::event::Command;
use crate::paths::Paths;
use crate::sys::process::{self, Signal};
use serde::Serialize;
use std::io;
use std::time::{Duration, Instant};

/// Counts until it is asked to end, which it says as the last. What the shell says of the end of its `sleep` is no output.
const COUNT: &str = "exec 2>/dev/null; trap 'trap \"\" HUP TERM; echo \"end $n\"; exit 0' HUP TERM; n=0; \
                     while :; do n=$((n+1)); echo \"$n\"; sleep 0.01; done";
/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Output that shows that the session goes on, in bytes.
const SOME: u64 = 50;

/// One step and its outcome.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What was done.
    pub(super) step: &'static str,
    /// Whether it came out as it should.
    pub(super) done: bool,
    /// What was seen.
    pub(super) said: String,
}

/// The session that everything is tried on.
struct Subject {
    paths: Paths,
    id: String,
    pid: u32,
    start: u64,
}

/// Tries it, and tells each step when it is over. At the end the session and its files are gone.
///
/// # Errors
/// Telling failed. What failed of the trial is a step, and makes the second answer false.
pub(super) fn prove(
    cx: &mut Cx,
    mut tell: impl FnMut(&mut Out, &Step) -> io::Result<()>,
) -> Result<(Vec<Step>, bool), CliError> {
    type Trial = fn(&Subject) -> Result<String, String>;
    let trials: [(&'static str, Trial); 5] = [
        ("it counts", Subject::goes_on),
        ("its supervisor is killed", Subject::outlives_a_kill),
        ("its supervisor is replaced", Subject::outlives_a_replacement),
        ("it is ended", Subject::ends),
        ("its output is whole", Subject::is_whole),
    ];
    let (mut steps, mut well) = (Vec::new(), true);
    let mut note = |out: &mut Out, step, outcome: Result<String, String>| -> Result<bool, CliError> {
        let done = outcome.is_ok();
        let (Ok(said) | Err(said)) = outcome;
        steps.push(Step { step, done, said });
        if let Some(step) = steps.last() {
            tell(out, step)?;
        }
        Ok(done)
    };
    let subject = match Subject::begin(cx) {
        Ok(subject) => subject,
        Err(why) => {
            note(&mut cx.out, "a session is started", Err(why))?;
            return Ok((steps, false));
        }
    };
    let said = format!("{}, process {}", subject.id, subject.pid);
    note(&mut cx.out, "a session is started", Ok(said))?;
    for (step, trial) in trials {
        well = well && note(&mut cx.out, step, trial(&subject))?;
    }
    well &= note(&mut cx.out, "it is removed", subject.remove())?;
    Ok((steps, well))
}

impl Subject {
    fn begin(cx: &Cx) -> Result<Self, String> {
        let text = |e: CliError| e.lines().into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("; ");
        let argv = ["/bin/sh", "-c", COUNT].map(Into::into).to_vec();
        let name = format!("doctor-{}", std::process::id());
        let (spec, context) = super::super::run::of_command(cx, name, argv).map_err(text)?;
        let view = cx.ask_with(&Command::Run(spec), &context).and_then(one).map_err(text)?;
        let id = view.record.id.to_string();
        let (pid, start) = child(&view).ok_or("it has no process")?;
        Ok(Self { paths: cx.paths.clone(), id, pid, start })
    }

    /// The session by its supervisor, which is started where there is none.
    fn view(&self) -> Result<Box<View>, String> {
        let show = Command::Show { target: self.id.clone() };
        let reply = control::ask(&self.paths, &show, None).map_err(|e| e.to_string())?;
        one(reply).map_err(|e| e.message)
    }

    /// Bytes of its output that are logged.
    fn logged(&self) -> Result<u64, String> {
        let range = range(&self.paths.job(&self.id)).map_err(|e| format!("its log cannot be read: {e}"))?;
        Ok(range.map_or(0, |(_, end)| end))
    }

    /// Does it go on writing, as the same process?
    fn goes_on(&self) -> Result<String, String> {
        let before = self.logged()?;
        let now = within(|| self.logged().map(|now| (now >= before + SOME).then_some(now)))?;
        let now = now.ok_or("it writes nothing any more")?;
        if !process::is_running(self.pid, self.start) {
            return Err(format!("process {} is gone", self.pid));
        }
        Ok(format!("{now} bytes of output so far"))
    }

    /// Goes on without a supervisor, and is found again by the next one.
    fn outlives_a_kill(&self) -> Result<String, String> {
        let pid = self.supervisor()?;
        let start = process::start_time(pid);
        if !process::signal_exactly(pid, start, Signal::SIGKILL).map_err(|e| e.to_string())? {
            return Err(format!("the supervisor (process {pid}) had left already"));
        }
        within(|| Ok((!process::is_running(pid, start)).then_some(())))?
            .ok_or_else(|| format!("the supervisor (process {pid}) does not end"))?;
        self.goes_on()?;
        self.is_found_by_another_than(pid)
    }

    /// The same where the supervisor leaves for another one of this build.
    fn outlives_a_replacement(&self) -> Result<String, String> {
        let mut control = Control::connect(&self.paths, Start::Never).map_err(|e| e.to_string())?;
        let pid = control.welcome.pid;
        match control.ask(Command::Quit, None) {
            Ok(_) | Err(ControlError::Broken(_)) => {}
            Err(e) => return Err(e.to_string()),
        }
        // Its end of the connection closes when it leaves.
        while control.answer().is_ok() {}
        self.is_found_by_another_than(pid)
    }

    fn supervisor(&self) -> Result<u32, String> {
        Control::connect(&self.paths, Start::Never).map(|c| c.welcome.pid).map_err(|e| e.to_string())
    }

    fn is_found_by_another_than(&self, old: u32) -> Result<String, String> {
        let begin = Instant::now();
        let view = self.view()?;
        let (took, new) = (begin.elapsed(), self.supervisor()?);
        if new == old {
            return Err(format!("process {old} is the supervisor still"));
        }
        if child(&view) != Some((self.pid, self.start)) {
            return Err(format!(
                "the next supervisor (process {new}) does not know its process {}",
                self.pid
            ));
        }
        self.goes_on()?;
        let milliseconds = took.as_millis();
        Ok(format!(
            "process {old} is gone, process {new} found the session and answered after {milliseconds} ms"
        ))
    }

    fn ends(&self) -> Result<String, String> {
        let stop = Command::Stop { targets: vec![self.id.clone()], all: false, grace_ms: None };
        control::ask(&self.paths, &stop, None).map_err(|e| e.to_string())?;
        let view = within(|| self.view().map(|view| Some(view).filter(|view| view.record.host.is_none())))?;
        view.ok_or("it does not end")?;
        Ok(format!("process {} is gone", self.pid))
    }

    fn is_whole(&self) -> Result<String, String> {
        let end = self.logged()?;
        let mut reader = LogReader::new(self.paths.job(&self.id), 0);
        let (mut text, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match reader.read(&mut buffer, end).map_err(|e| format!("its log cannot be read: {e}"))? {
                Piece::Bytes(n) => text.extend_from_slice(&buffer[..n]),
                Piece::Gap(n) => return Err(format!("{n} bytes are missing from its log")),
                Piece::End => break,
            }
        }
        let last = counted(&String::from_utf8_lossy(&text))?;
        let exit = self.view()?.record.exit.ok_or("nothing was recorded about its end")?;
        if (exit.offset, exit.unlogged) != (end, 0) {
            return Err(format!(
                "its host counted {} bytes, {} of them not logged; its log has {end}",
                exit.offset, exit.unlogged
            ));
        }
        Ok(format!("{last} lines, {end} bytes, nothing missing and nothing twice"))
    }

    fn remove(&self) -> Result<String, String> {
        let rm = Command::Rm { targets: vec![self.id.clone()] };
        let removed = control::ask(&self.paths, &rm, None);
        match removed {
            Ok(_) => Ok("nothing of it is left".to_owned()),
            Err(e) => Err(format!("{e}; `abide rm {}` removes it", self.id)),
        }
    }
}

/// The session's process and when that started.
fn child(view: &View) -> Option<(u32, u64)> {
    let pid = view.record.host.as_ref()?.child_pid;
    Some((pid, process::start_time(pid)))
}

/// Asks again and again, for what no event tells; none where it takes too long.
fn within<T>(mut ask: impl FnMut() -> Result<Option<T>, String>) -> Result<Option<T>, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask()?;
        if answer.is_some() || Instant::now() > end {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The last number, where the output is every number from 1 on, once and in order, and then its end.
fn counted(text: &str) -> Result<u64, String> {
    let mut last = 0;
    let mut lines = text.lines();
    for line in lines.by_ref() {
        match (line.parse::<u64>(), line.strip_prefix("end ")) {
            (Ok(number), _) if number == last + 1 => last = number,
            // It may have been asked to end between counting on and saying so.
            (Err(_), Some(n)) if n.parse() == Ok(last) || n.parse() == Ok(last + 1) => break,
            (Ok(_) | Err(_), _) => return Err(format!("after line {last} comes {line:?}")),
        }
    }
    match lines.next() {
        None => Ok(last),
        Some(line) => Err(format!("after its end comes {line:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_doubled_and_a_cut_line_are_seen() {
        assert_eq!(counted("1\r\n2\r\n3\r\nend 3\r\n"), Ok(3));
        assert_eq!(counted("1\n2\nend 3\n"), Ok(2));
        for bad in ["2\n", "1\n3\n", "1\n1\n", "1\n2\nend 9\n", "1\nend 1\n2\n", "1\n2x\n", "1\n\n2\n"] {
            assert!(counted(bad).is_err(), "{bad:?}");
        }
    }
}
