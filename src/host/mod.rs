//! `abide-host`: holds one session's terminal, screen and log, for as long as the session's program lives.
//!
//! One thread, one `poll`; a second thread writes the log while there is something to write. It knows no policy: it is told what to start by a [start order](crate::wire::order), serves
//! whoever connects to the session's socket by the [host protocol](crate::wire::host), and leaves an
//! [exit record](crate::wire::exit). Nothing that a client, a disk or the supervisor does or fails to do may end it or
//! stall the session's program. `SIGTERM` ends the session; `SIGHUP` has the host look whether its socket is where it
//! belongs, and make another where it is not.
//!
//! | File | Holds |
//! |---|---|
//! | `anchor` | keeping a login open while sessions run |
//! | `order` | taking the start order |
//! | `birth` | socket, terminal, program; the report of a start |
//! | `event_loop` | the state of a running host, and its poll |
//! | `output` | a piece of output on its way to terminals, log and screen |
//! | `requests` | what clients ask |
//! | `clients`, `outgoing` | connections, their roles and what they have not taken yet |
//! | `input` | what is typed |
//! | `log` | the output log |
//! | `status` | what watchers are told |
//! | `ending`, `record` | ending the program and all that it left, and what remains of it |

mod anchor;
mod birth;
mod clients;
mod ending;
mod event_loop;
mod input;
mod log;
mod order;
mod outgoing;
mod output;
mod programs;
mod record;
mod requests;
pub mod scan;
pub mod screen;
mod status;

use crate::paths::Paths;
use crate::sys::dirs::Lock;
use crate::sys::{fd, reap, signal};
use std::io::{Read, Write};
use std::process::ExitCode;

/// Entry point: `abide-host ID [gate]`, `abide-host anchor` or `abide-host --version`.
pub fn main() -> ExitCode {
    fd::close_from(3);
    let mut args = std::env::args_os().skip(1);
    if std::env::args_os().nth(1).is_some_and(|first| first == "--version") {
        let text = format!("abide-host {}\n", crate::VERSION);
        return match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if std::env::args_os().nth(1).is_some_and(|first| first == "anchor") {
        return match anchor::stay() {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                fd::say(&format!("abide-host anchor: {message}"));
                ExitCode::FAILURE
            }
        };
    }
    let id = args.next().and_then(|a| a.into_string().ok()).filter(|id| order::is_id(id));
    let gate = args.next();
    let (Some(id), true) = (id, gate.as_ref().is_none_or(|g| g == "gate")) else {
        fd::say(
            "usage: abide-host ID [gate]\nStarted by abided with a start order; not meant to be run by hand.",
        );
        return ExitCode::from(2);
    };
    if gate.is_some() && !opened() {
        return ExitCode::SUCCESS;
    }
    match run(&id) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            fd::say(&format!("abide-host {id}: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// Waits for the byte on standard input that says go; false where the starter went away instead.
fn opened() -> bool {
    std::io::stdin().lock().read_exact(&mut [0]).is_ok()
}

fn run(id: &str) -> Result<(), String> {
    signal::ignore_deadly();
    fd::map_large_blocks(64 << 10);
    fd::share_heap();
    let order = order::take(id)?;
    fd::leave_stdio().map_err(|e| format!("/dev/null: {e}"))?;
    reap::leave_session();
    reap::become_subreaper();
    // No folder is held busy, and no file of this program's is ever open to others.
    let _ = std::env::set_current_dir("/");
    fd::keep_files_private();
    // Without it an anchor may leave too early; the session matters more than the login that it was started from.
    let present = Paths::find().ok().and_then(|paths| Lock::share(&paths.hosts_lock()).ok().flatten());
    let host = birth::start(order)?;
    host.run();
    drop(present);
    Ok(())
}
