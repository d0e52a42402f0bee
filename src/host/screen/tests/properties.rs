use proptest::prelude::*;

use super::generate::{Step, flood, program, soup, writing};
use super::shown;
use super::snapshot::Snapshot;
use crate::host::screen::Screen;

fn run((cols, rows): (u16, u16), steps: &[Step]) -> Screen {
    let mut screen = Screen::new(cols, rows);
    for step in steps {
        match step {
            Step::Output(bytes) => screen.push(bytes),
            Step::Resize(cols, rows) => screen.resize(*cols, *rows),
        }
    }
    screen.settle();
    screen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_repaint_shows_the_same_on_a_fresh_terminal((size, steps) in program()) {
        let mut screen = run(size, &steps);
        let painted = screen.repaint(b"", 0);
        let (cols, rows) = screen.size();
        let mut fresh = shown(cols, rows, &painted);
        prop_assert_eq!(Snapshot::of(&mut fresh), Snapshot::of(&mut screen), "{}", painted.escape_ascii());
    }

    #[test]
    fn a_terminal_may_join_anywhere(bytes in writing(), at in any::<prop::sample::Index>()) {
        let (before, after) = bytes.split_at(at.index(bytes.len() + 1));
        let mut screen = shown(30, 8, before);
        let mut joined = shown(30, 8, &screen.repaint(b"", 0));
        // What REP would repeat cannot be told to a terminal.
        joined.emulator.machine.last = screen.emulator.machine.last;
        screen.push(after);
        joined.push(after);
        let (joined, screen) = (Snapshot::of(&mut joined).unlinked(), Snapshot::of(&mut screen).unlinked());
        // Whether the last row goes on below the screen, which cannot be told, may show later.
        let cells = |snapshot: &Snapshot| format!("{:?}", snapshot.primary.rows).replace("wraps=true", "wraps=false");
        prop_assert_eq!(cells(&joined), cells(&screen));
        prop_assert_eq!(joined.primary.cursor, screen.primary.cursor);
        prop_assert_eq!((joined.region, joined.mode, joined.charset, joined.modes, joined.title), (screen.region, screen.mode, screen.charset, screen.modes, screen.title));
    }

    #[test]
    fn a_repaint_shows_the_same_on_a_used_terminal((size, steps) in program(), before in writing()) {
        let mut screen = run(size, &steps);
        let painted = screen.repaint(b"", 0);
        let (cols, rows) = screen.size();
        let mut used = shown(cols, rows, &before);
        used.push(&painted);
        let (used, screen) = (Snapshot::of(&mut used), Snapshot::of(&mut screen));
        prop_assert_eq!(used.primary, screen.primary);
        prop_assert_eq!(used.alternate, screen.alternate);
        prop_assert_eq!(used.modes.shared(), screen.modes.shared());
        prop_assert_eq!((used.region, used.mode, used.charset), (screen.region, screen.mode, screen.charset));
    }

    #[test]
    fn restoring_leaves_a_usual_terminal((size, steps) in program()) {
        let mut screen = run(size, &steps);
        let (cols, rows) = screen.size();
        let mut client = shown(cols, rows, &screen.repaint(b"", 0));
        client.push(&screen.restore());
        let left = Snapshot::of(&mut client);
        let usual = Snapshot::of(&mut Screen::new(cols, rows));
        prop_assert_eq!(left.alternate, None);
        prop_assert_eq!(left.screens[0].kitty.len(), 0);
        prop_assert_eq!(left.modes.shared(), usual.modes.shared());
        prop_assert_eq!((left.region, left.charset, left.mode, left.colors), (usual.region, usual.charset, usual.mode, usual.colors));
        prop_assert_eq!((left.cursor_style, left.progress), (0, String::new()));
        prop_assert_eq!(left.primary.cursor.pen, usual.primary.cursor.pen);
        prop_assert_eq!(left.primary.cursor.at.1, 0);
    }

    #[test]
    fn pieces_do_not_matter(bytes in writing(), cuts in proptest::collection::vec(1_usize..30, 1..20)) {
        let mut whole = shown(30, 8, &bytes);
        let mut pieces = Screen::new(30, 8);
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            pieces.settle();
            rest = more;
        }
        prop_assert_eq!(Snapshot::of(&mut pieces), Snapshot::of(&mut whole));
    }

    #[test]
    fn a_rest_changes_nothing((size, steps) in program(), (then, more) in program()) {
        let mut rested = run(size, &steps);
        let mut awake = run(size, &steps);
        rested.rest();
        prop_assert_eq!(rested.size(), awake.size());
        prop_assert_eq!(rested.repaint(b"", 0), awake.repaint(b"", 0));
        prop_assert_eq!((rested.text(), rested.restore()), (awake.text(), awake.restore()));
        prop_assert!(rested.emulator.machine.is_resting());
        for screen in [&mut rested, &mut awake] {
            screen.resize(then.0, then.1);
            for step in &more {
                match step {
                    Step::Output(bytes) => screen.push(bytes),
                    Step::Resize(cols, rows) => screen.resize(*cols, *rows),
                }
            }
            screen.push(b".");
            screen.settle();
        }
        prop_assert_eq!(Snapshot::of(&mut rested), Snapshot::of(&mut awake));
    }

    #[test]
    fn skimming_is_exact((size, steps) in program(), bytes in flood(), after in writing()) {
        let mut skimmed = run(size, &steps);
        let mut full = run(size, &steps);
        skimmed.emulator.skim(&bytes);
        full.emulator.feed(&bytes);
        prop_assert_eq!(Snapshot::of(&mut skimmed), Snapshot::of(&mut full));
        skimmed.emulator.feed(&after);
        full.emulator.feed(&after);
        prop_assert_eq!(Snapshot::of(&mut skimmed), Snapshot::of(&mut full));
    }

    #[test]
    fn anything_may_be_written(bytes in soup(), size in any::<(u16, u16)>(), then in any::<(u16, u16)>()) {
        let mut screen = Screen::new(size.0 % 300, size.1 % 100);
        // Not `settle`, which would hide a panic.
        screen.emulator.feed(&bytes);
        screen.resize(then.0 % 300, then.1 % 100);
        screen.emulator.feed(&bytes);
        screen.repaint(&bytes, 50);
        screen.restore();
        screen.text();
    }
}
