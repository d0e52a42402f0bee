//! What programs tell about themselves in operating system commands.

use super::Found;
use super::program::Report;
use super::text::{LONGEST, base64, printable};

/// Reads the command without introducer and terminator.
pub(super) fn command(text: &[u8]) -> Option<Found> {
    let (kind, rest) = split(text);
    match kind {
        b"0" | b"2" => Some(Found::Title(printable(rest?, LONGEST))),
        b"7501" => Report::parse(rest?).map(Found::Program),
        b"133" => match rest?.first()? {
            mark @ b'A'..=b'D' => Some(Found::PromptMark(*mark)),
            _ => None,
        },
        b"9" => notification(nine(rest?)?),
        b"99" => notification(&ninety_nine(rest?)?),
        b"777" => {
            let (kind, rest) = split(rest?);
            if kind != b"notify" {
                return None;
            }
            let (title, body) = split(rest?);
            notification(&[title, body.unwrap_or_default()].join(&b": "[usize::from(title.is_empty()) * 2..]))
        }
        _ => None,
    }
}

fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|b| *b == b';') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn notification(text: &[u8]) -> Option<Found> {
    let text = printable(text, LONGEST);
    let text = text.trim().trim_end_matches(':');
    (!text.is_empty()).then(|| Found::Notification(text.to_owned()))
}

/// `OSC 9` is a notification, but `9;1` to `9;12` are another terminal's commands: progress, folders and the like.
fn nine(text: &[u8]) -> Option<&[u8]> {
    let (first, more) = split(text);
    let number = std::str::from_utf8(first).ok().and_then(|n| n.parse::<u8>().ok());
    match number {
        Some(1..=12) if more.is_some() || number == Some(4) => None,
        Some(_) | None => Some(text),
    }
}

/// `OSC 99 ; key=value:… ; payload`: the title or the body.
fn ninety_nine(text: &[u8]) -> Option<Vec<u8>> {
    let (metadata, payload) = split(text);
    let payload = payload?;
    let mut encoded = false;
    for pair in metadata.split(|b| *b == b':') {
        match pair {
            b"e=1" => encoded = true,
            b"p=title" | b"p=body" => {}
            _ if pair.starts_with(b"p=") => return None,
            _ => {}
        }
    }
    if encoded { base64(payload) } else { Some(payload.to_vec()) }
}
