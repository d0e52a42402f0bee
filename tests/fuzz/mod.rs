//! What holds for any bytes from outside. `cargo fuzz` looks for bytes that break it:
//!
//! ```text
//! cd tests/fuzz && cargo +nightly fuzz run --fuzz-dir . screen corpus/screen seeds/screen
//! ```
//! A plain `cargo test` replays the seeds, to which every input that ever broke something is added.

use abide::host::scan::{Found, Scanner};
use abide::host::screen::{Screen, answer};
use abide::wire::frame::{self, Inbox};
use abide::wire::{control, exit::ExitRecord, host, order::StartOrder};

/// Both protocols: no bytes are a panic, and what was understood is written as it was read.
pub(crate) fn wire(bytes: &[u8]) {
    let mut inbox = Inbox::default();
    for piece in bytes.chunks(7) {
        inbox.extend(piece);
        loop {
            match inbox.next_frame() {
                Ok(Some((kind, payload))) => message(kind, payload),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn message(kind: u8, payload: &[u8]) {
    if let Ok(request) = host::Request::decode(kind, payload) {
        let (kind, payload) = request.encode();
        assert_eq!(host::Request::decode(kind, &payload), Ok(request));
    }
    if let Ok(reply) = host::Reply::decode(kind, payload) {
        let (kind, payload) = reply.encode();
        assert_eq!(host::Reply::decode(kind, &payload), Ok(reply));
    }
    if let Ok(birth) = host::Birth::decode(kind, payload) {
        let frame = birth.frame();
        let (kind, payload, size) = frame::split(&frame).expect("a frame").expect("a whole one");
        assert_eq!((size, host::Birth::decode(kind, payload)), (frame.len(), Ok(birth)));
    }
    if let Ok(request) = serde_json::from_slice::<control::Request>(payload) {
        let again = serde_json::to_vec(&request).expect("JSON");
        assert!(serde_json::from_slice::<control::Request>(&again).expect("JSON") == request);
    }
    if let Ok(answer) = serde_json::from_slice::<control::Answer>(payload) {
        let again = serde_json::to_vec(&answer).expect("JSON");
        assert_eq!(serde_json::from_slice::<control::Answer>(&again).expect("JSON"), answer);
    }
}

/// The files that a host and the rest pass to each other, and the records.
pub(crate) fn files(bytes: &[u8]) {
    if let Ok(order) = StartOrder::decode(bytes) {
        assert!(StartOrder::decode(&order.encode()).as_ref() == Ok(&order));
    }
    if let Ok(record) = ExitRecord::decode(bytes) {
        assert_eq!(ExitRecord::decode(&record.encode()).as_ref(), Ok(&record));
    }
    if let Ok(record) = serde_json::from_slice::<abide::core::record::Record>(bytes) {
        let again = serde_json::to_vec(&record).expect("JSON");
        let again: abide::core::record::Record = serde_json::from_slice(&again).expect("JSON");
        assert_eq!(again, record, "unknown keys are kept");
    }
}

/// A session's output: how it is cut into pieces changes nothing, and a repaint shows what it should.
pub(crate) fn screen(bytes: &[u8]) {
    let (Some([cols, rows]), Some(output)) = (bytes.first_chunk::<2>(), bytes.get(2..)) else { return };
    let (cols, rows) = (u16::from(*cols) % 100 + 1, u16::from(*rows) % 40 + 1);
    let (mut whole, mut found) = (Scanner::new(), Vec::new());
    whole.scan(output, &mut found);
    let (mut cut, mut found_cut) = (Scanner::new(), Vec::new());
    for byte in output {
        cut.scan(std::slice::from_ref(byte), &mut found_cut);
    }
    assert_eq!(said(&found), said(&found_cut));
    assert_eq!(whole.unfinished().min(output.len()), cut.unfinished().min(output.len()));

    let mut shown = Screen::new(cols, rows);
    shown.push(output);
    for found in &found {
        if let Found::Query { query, .. } = found {
            answer(query, &mut shown);
        }
    }
    let painted = shown.repaint(output, 100);
    let mut again = Screen::new(cols, rows);
    again.push(&painted);
    assert_eq!(again.text(), shown.text(), "a repaint shows the screen");
    shown.restore();
    shown.resize(rows, cols);
    shown.text();
}

/// What was found, without the places.
fn said(found: &[Found]) -> Vec<Found> {
    let mut said = found.to_vec();
    for one in &mut said {
        match one {
            Found::Query { start, end, .. } => (*start, *end) = (0, 0),
            Found::Alternate { at, .. } => *at = 0,
            Found::Title(_)
            | Found::Program(_)
            | Found::PromptMark(_)
            | Found::Notification(_)
            | Found::Bell
            | Found::Reset => {}
        }
    }
    said
}

#[cfg(test)]
mod seeds {
    use super::*;

    fn replay(target: &str, check: fn(&[u8])) {
        let folder = crate::support::source().join("tests/fuzz/seeds").join(target);
        let mut seeds = 0;
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            let seed = std::fs::read(&path).expect("a seed");
            check(&seed);
            // Cut short anywhere, which is what a crash leaves.
            (0..seed.len().min(512)).for_each(|end| check(&seed[..end]));
            seeds += 1;
        }
        assert!(seeds > 0, "no seeds in {}", folder.display());
    }

    #[test]
    fn both_protocols_survive_the_seeds() {
        replay("wire", wire);
    }

    #[test]
    fn the_files_survive_the_seeds() {
        replay("files", files);
    }

    #[test]
    fn the_screen_survives_the_seeds() {
        replay("screen", screen);
    }
}
