//! Asking itself: a supervisor that accepts connections and answers none is worse than none, so after an exchange of the
//! program, and in a proof, it goes through its own socket as a client would.

use crate::VERSION;
use crate::core::action::Reply;
use crate::core::event::Command;
use crate::core::id::SessionId;
use crate::wire::control::{self, Answer, Hello, Request, Welcome};
use crate::wire::frame::{self, Inbox};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The sessions that the supervisor behind this socket lists. It must be this process.
///
/// # Errors
/// Why there is no answer, for people.
pub(super) async fn sessions(socket: &Path, within: Duration) -> Result<Vec<SessionId>, String> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await.map_err(|e| format!("cannot connect: {e}"))?;
        let mut inbox = Inbox::default();
        let hello =
            Hello { min: control::MIN, max: control::CURRENT, build: VERSION.to_owned(), start: None };
        put(&mut stream, control::HELLO, &hello).await?;
        let welcome: Welcome = next(&mut stream, &mut inbox, control::WELCOME).await?;
        if welcome.pid != std::process::id() {
            return Err(format!("process {} answers instead", welcome.pid));
        }
        let request = Request { tag: 1, command: Command::List { all: true, cwd: None }, context: None };
        put(&mut stream, control::REQUEST, &request).await?;
        let mut ids = Vec::new();
        loop {
            let answer: Answer = next(&mut stream, &mut inbox, control::ANSWER).await?;
            let Reply::List { sessions } = answer.reply else {
                return Err(format!("a list was due, not {:?}", answer.reply));
            };
            ids.extend(sessions.iter().map(|view| view.record.id));
            if answer.last {
                return Ok(ids);
            }
        }
    };
    let late = |_| Err(format!("no answer within {} s", within.as_secs()));
    tokio::time::timeout(within, asked).await.unwrap_or_else(late)
}

async fn put(stream: &mut UnixStream, kind: u8, message: &impl serde::Serialize) -> Result<(), String> {
    let payload = serde_json::to_vec(message).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    frame::push(&mut out, kind, &payload);
    stream.write_all(&out).await.map_err(|e| format!("cannot ask: {e}"))
}

async fn next<T: serde::de::DeserializeOwned>(
    stream: &mut UnixStream,
    inbox: &mut Inbox,
    wanted: u8,
) -> Result<T, String> {
    loop {
        match inbox.next_frame() {
            Ok(Some((kind, payload))) if kind == wanted => {
                return serde_json::from_slice(payload)
                    .map_err(|e| format!("the answer makes no sense: {e}"));
            }
            Ok(Some((kind, _))) => return Err(format!("message type {kind} instead of {wanted}")),
            Ok(None) => {}
            Err(e) => return Err(e.to_string()),
        }
        let mut chunk = [0; 16 << 10];
        match stream.read(&mut chunk).await {
            Ok(0) => return Err("the connection was closed without an answer".into()),
            Ok(n) => inbox.extend(&chunk[..n]),
            Err(e) => return Err(format!("cannot read the answer: {e}")),
        }
    }
}
