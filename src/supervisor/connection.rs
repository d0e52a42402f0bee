//! One client of the control socket: who it is, the handshake, requests in, answers out.

use super::input::{Asked, Client, Input};
use super::outbox::{self, Outbox, WriteEnd};
use super::prepare;
use crate::VERSION;
use crate::core::action::{ErrorKind, Reply};
use crate::core::event::{Command, Peer};
use crate::core::text::Text;
use crate::evidence;
use crate::sys::peer::Credentials;
use crate::sys::process::{self, Process};
use crate::wire::control::{self, Hello, Request, Welcome};
use crate::wire::frame::{self, Inbox};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;

/// How long a client may take to say hello: it would keep the supervisor up otherwise.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Whether this connection may be served at all; the refusal of another user's is logged.
pub(super) fn admit(stream: &UnixStream) -> Option<Credentials> {
    match Credentials::of(stream) {
        Ok(peer) if peer.is_ours() => Some(peer),
        Ok(peer) => {
            tracing::warn!(uid = peer.uid, pid = peer.pid, "refused a connection of another user");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "refused a connection whose peer is unknown");
            None
        }
    }
}

/// Serves one client to its end, or until the supervisor leaves.
pub(super) async fn serve(
    stream: UnixStream,
    peer: Credentials,
    client: Client,
    mut leaving: watch::Receiver<bool>,
) {
    let mut asker = Asker { brief: brief(&peer), credentials: peer, stated: None };
    let (mut read, write) = stream.into_split();
    let (outbox, mut drain) = outbox::channel();
    let end = tokio::select! {
        // An error means that there is no supervisor to serve for.
        _ = leaving.wait_for(|leaving| *leaving) => None,
        end = requests(&mut read, &outbox, &mut asker, &client) => end,
        end = drain.run(write_half(&write)) => match end {
            WriteEnd::Overflow => Some("does not read its answers".to_owned()),
            WriteEnd::Broken | WriteEnd::Closed => None,
        },
    };
    drain.rest(&write);
    if let Some(why) = end {
        tracing::warn!(pid = asker.brief.pid, "dropped a client that {why}");
    }
    client.left();
}

/// Writes through a shared reference, so that what is queued at the end can still be written.
fn write_half(half: &tokio::net::unix::OwnedWriteHalf) -> Shared<'_> {
    Shared(half)
}

struct Shared<'a>(&'a tokio::net::unix::OwnedWriteHalf);

impl tokio::io::AsyncWrite for Shared<'_> {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let socket: &UnixStream = self.0.as_ref();
        loop {
            std::task::ready!(socket.poll_write_ready(cx))?;
            match socket.try_write(bytes) {
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                done => return std::task::Poll::Ready(done),
            }
        }
    }
    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

/// Who is at the other end.
struct Asker {
    credentials: Credentials,
    /// The start time that it stated.
    stated: Option<u64>,
    /// What is kept of it for all of its requests.
    brief: Peer,
}

impl Asker {
    /// For this request. Who asks is looked at in the moment in which that matters: an agent may have been registered
    /// since, and a process that is gone by now asks for nothing.
    fn peer(&self, command: &Command, client: &Client) -> Peer {
        let evidence = match command {
            Command::Run(_) | Command::Who | Command::Hook { .. } => {
                Some(Box::new(evidence::of_peer(&self.credentials, self.stated, &client.prepare.look())))
            }
            Command::List { .. }
            | Command::Show { .. }
            | Command::Stop { .. }
            | Command::Respawn { .. }
            | Command::Resume { .. }
            | Command::Roll { .. }
            | Command::Rm { .. }
            | Command::Pin { .. }
            | Command::Rename { .. }
            | Command::Why { .. }
            | Command::Wait { .. }
            | Command::Events { .. }
            | Command::Daemon
            | Command::Quit => None,
        };
        Peer { evidence, ..self.brief.clone() }
    }
}

/// What the kernel says about a peer. What was read is thrown away if the process is gone by then, since its id may be
/// another's.
fn brief(peer: &Credentials) -> Peer {
    let parent = Process::of(peer.pid).and_then(|p| Process::of(p.parent));
    let cwd = process::cwd(peer.pid);
    if !peer.still_alive() {
        return Peer { pid: peer.pid, ..Peer::default() };
    }
    Peer {
        pid: peer.pid,
        label: parent.map(|p| p.name).unwrap_or_default(),
        cwd: Text(cwd.map(|path| path.into_os_string().into_vec()).unwrap_or_default()),
        ..Peer::default()
    }
}

/// Reads requests until the client leaves (none) or has to be dropped (why).
async fn requests(
    read: &mut OwnedReadHalf,
    outbox: &Outbox,
    asker: &mut Asker,
    client: &Client,
) -> Option<String> {
    let mut inbox = Inbox::default();
    let hello = tokio::time::timeout(HELLO_WITHIN, next(read, &mut inbox)).await;
    match hello {
        Ok(Ok(Some((control::HELLO, payload)))) => match welcome(&payload) {
            Ok((frame, stated)) => {
                asker.stated = stated;
                _ = outbox.push(frame);
            }
            Err(refusal) => {
                _ = outbox.push(answer(0, true, &refusal));
                return Some("speaks no common version".into());
            }
        },
        Ok(Ok(None)) => return None,
        Ok(Ok(Some(_)) | Err(_)) => {
            let text = "this is the control socket of abide: its clients begin with a hello";
            _ = outbox.push(answer(0, true, &error(ErrorKind::Usage, text, "")));
            return Some("does not speak the control protocol".into());
        }
        Err(_) => return Some("said nothing".into()),
    }
    loop {
        let (kind, payload) = match next(read, &mut inbox).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return None,
            Err(why) => return Some(why),
        };
        if kind != control::REQUEST {
            let text = format!("unknown message type {kind}: this is abide {VERSION}");
            _ = outbox.push(answer(0, true, &error(ErrorKind::Usage, &text, "")));
            continue;
        }
        match serde_json::from_slice::<Request>(&payload) {
            Ok(request) => {
                if let Some(refusal) = ask(request, outbox, asker, client).await {
                    return Some(refusal);
                }
            }
            Err(e) => {
                let tag = tag_of(&payload);
                let hint = "the program and its supervisor may be of different versions: abide daemon status";
                let text = format!("the request is not understood: {e}");
                _ = outbox.push(answer(tag, true, &error(ErrorKind::Usage, &text, hint)));
            }
        }
    }
}

/// Hands a request to the engine. Some where it is gone.
async fn ask(request: Request, outbox: &Outbox, asker: &Asker, client: &Client) -> Option<String> {
    let Request { tag, command, context } = request;
    let peer = asker.peer(&command, client);
    match prepare::prepare(command, context.as_ref(), &client.prepare).await {
        Ok(prepared) => {
            let asked = Asked {
                ticket: client.ticket(),
                connection: client.connection,
                tag,
                outbox: outbox.clone(),
                peer,
                prepared,
                context,
            };
            client.inputs.send(Input::Asked(Box::new(asked))).err().map(|_| "came too late".to_owned())
        }
        Err(refusal) => {
            _ = outbox.push(answer(tag, true, &refusal));
            None
        }
    }
}

/// The next whole frame; none at the end of the stream.
async fn next(read: &mut OwnedReadHalf, inbox: &mut Inbox) -> Result<Option<(u8, Vec<u8>)>, String> {
    loop {
        match inbox.next_frame() {
            Ok(Some((kind, payload))) => return Ok(Some((kind, payload.to_vec()))),
            Ok(None) => {}
            Err(e) => return Err(format!("sends garbage ({e})")),
        }
        let mut chunk = [0; 16 << 10];
        match read.read(&mut chunk).await {
            // A broken connection is a client that left.
            Ok(0) | Err(_) => return Ok(None),
            Ok(n) => inbox.extend(&chunk[..n]),
        }
    }
}

/// The handshake's answer, and the start time that the client states; or why there is no common version.
fn welcome(hello: &[u8]) -> Result<(Vec<u8>, Option<u64>), Box<Reply>> {
    let hello: Hello = serde_json::from_slice(hello)
        .map_err(|e| error(ErrorKind::Usage, &format!("the hello is not understood: {e}"), ""))?;
    let version = hello.max.min(control::CURRENT);
    if version < hello.min.max(control::MIN) {
        let text = format!(
            "abide {} speaks protocol {} to {}, and its supervisor {VERSION} speaks {} to {}",
            clip(&hello.build),
            hello.min,
            hello.max,
            control::MIN,
            control::CURRENT,
        );
        let hint =
            "abide daemon stop ends the supervisor and no session; the next command starts the present one";
        return Err(error(ErrorKind::Failed, &text, hint));
    }
    let welcome = Welcome { version, build: VERSION.to_owned(), pid: std::process::id() };
    Ok((json(control::WELCOME, &welcome), hello.start))
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The tag of a request that could not be read otherwise, so that its sender knows which it was.
fn tag_of(payload: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Tagged {
        tag: u64,
    }
    serde_json::from_slice::<Tagged>(payload).map_or(0, |t| t.tag)
}

/// A refusal.
pub(super) fn error(kind: ErrorKind, message: &str, hint: &str) -> Box<Reply> {
    Box::new(Reply::Error { kind, message: message.to_owned(), hint: hint.to_owned() })
}

/// An answer's frame. One that is too large for a frame becomes an error that says so.
pub(super) fn answer(tag: u64, last: bool, reply: &Reply) -> Vec<u8> {
    let frame = json(control::ANSWER, &Borrowed { tag, last, reply });
    if frame.len() <= frame::MAX_PAYLOAD {
        return frame;
    }
    let text = "the answer is too large: there are too many sessions";
    let reply = error(ErrorKind::Failed, text, "ask for fewer with --cwd DIR, and remove old ones: abide rm");
    json(control::ANSWER, &Borrowed { tag, last, reply: &reply })
}

/// An [`Answer`](control::Answer) that needs no copy of a long list.
#[derive(serde::Serialize)]
struct Borrowed<'a> {
    tag: u64,
    last: bool,
    reply: &'a Reply,
}

fn json(kind: u8, value: &impl serde::Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    // Our own types have string keys and no failing parts; an empty payload would be refused by its reader.
    let payload = serde_json::to_vec(value).unwrap_or_default();
    out.extend_from_slice(&frame::header(kind, payload.len().min(frame::MAX_PAYLOAD)));
    out.extend_from_slice(&payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::Answer;

    fn read(frame: &[u8]) -> Answer {
        let (kind, payload, size) = frame::split(frame).expect("a frame").expect("whole");
        assert_eq!((kind, size), (control::ANSWER, frame.len()));
        serde_json::from_slice(payload).expect("an answer")
    }

    #[test]
    fn an_answer_is_read_as_it_was_meant() {
        let reply = Reply::List { sessions: Vec::new() };
        assert_eq!(read(&answer(7, true, &reply)), Answer { tag: 7, last: true, reply });
    }

    #[test]
    fn an_answer_too_large_for_a_frame_becomes_an_error_that_fits() {
        let long = error(ErrorKind::Failed, &"x".repeat(frame::MAX_PAYLOAD), "");
        let Reply::Error { message, .. } = read(&answer(7, true, &long)).reply else { panic!("no error") };
        assert!(message.contains("too large"), "{message}");
    }
}
