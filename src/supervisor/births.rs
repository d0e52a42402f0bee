//! The socket on which hosts report that they have started, or could not. One message a connection.

use super::connection::admit;
use super::input::{Input, Inputs};
use crate::wire::frame::Inbox;
use crate::wire::host::{Birth, Stage};
use nix::errno::Errno;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// How long a host may take for its one message.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads a host's report.
pub(super) async fn hear(stream: UnixStream, inputs: Inputs) {
    if admit(&stream).is_none() {
        return;
    }
    match tokio::time::timeout(WITHIN, report(stream)).await {
        // Without an engine nobody needs to know.
        Ok(Ok(birth)) => _ = inputs.send(Input::Birth(birth)),
        Ok(Err(why)) => tracing::warn!(why, "a start was reported that cannot be understood"),
        Err(_) => tracing::warn!("a host connected and did not report its start"),
    }
}

async fn report(mut stream: UnixStream) -> Result<Birth, String> {
    let mut inbox = Inbox::default();
    loop {
        match inbox.next_frame() {
            Ok(Some((kind, payload))) => return Birth::decode(kind, payload).map_err(|e| e.to_string()),
            Ok(None) => {}
            Err(e) => return Err(e.to_string()),
        }
        let mut chunk = [0; 1 << 10];
        match stream.read(&mut chunk).await {
            Ok(0) => return Err("it ends early".into()),
            Ok(n) => inbox.extend(&chunk[..n]),
            Err(e) => return Err(e.to_string()),
        }
    }
}

/// Why a start failed, for people; and whether the command or the folder is at fault, rather than the system.
pub(super) fn explain(stage: Stage, errno: u16, subject: &str) -> (String, bool) {
    let error = Errno::from_raw(i32::from(errno));
    let subject: String = subject.chars().flat_map(char::escape_debug).collect();
    let because = if errno == 0 { String::new() } else { format!(": {}", error.desc()) };
    match stage {
        Stage::Exec if error == Errno::ENOENT => {
            (format!("{subject}: no such command in the PATH of the one who asked"), true)
        }
        Stage::Exec => (format!("{subject}: cannot be run{because}"), true),
        Stage::Cwd => (format!("{subject}: cannot be the working directory{because}"), true),
        Stage::Pty => (format!("no pseudo-terminal can be had{because}"), false),
        Stage::Files => (format!("{subject}: cannot be written{because}"), false),
        Stage::Process => (format!("the process cannot be made{because}"), false),
        Stage::Duplicate => (format!("another host of this session lives {subject}"), false),
        Stage::View => {
            let what = if subject.is_empty() {
                "a view of the file system".into()
            } else {
                format!("{subject} there")
            };
            let todo = "see abide doctor, or set guard = \"hooks\"";
            (format!("guard = \"kernel\" cannot be had: {what} cannot be set up{because}: {todo}"), true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_command_is_the_users_fault_and_a_missing_terminal_is_not() {
        let enoent = u16::try_from(Errno::ENOENT as i32).expect("fits");
        let (text, fault) = explain(Stage::Exec, enoent, "nosuch");
        assert!(fault && text.starts_with("nosuch: no such command"), "{text}");
        let (text, fault) = explain(Stage::Cwd, enoent, "/gone\u{1b}[2J");
        assert_eq!(
            (text.as_str(), fault),
            ("/gone\\u{1b}[2J: cannot be the working directory: No such file or directory", true)
        );
        assert!(!explain(Stage::Pty, 24, "").1);
    }
}
