use super::*;

fn scan(bytes: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    Scanner::new().scan(bytes, &mut found);
    found
}

/// The queries, with what would be cut out for each.
fn queries(bytes: &[u8]) -> Vec<(Query, Vec<u8>)> {
    scan(bytes)
        .into_iter()
        .filter_map(|f| match f {
            Found::Query { query, start, end } => {
                Some((query, bytes[usize::try_from(start).expect("one batch")..end].to_vec()))
            }
            Found::Title(_)
            | Found::Program(_)
            | Found::PromptMark(_)
            | Found::Notification(_)
            | Found::Bell
            | Found::Reset
            | Found::Alternate { .. } => None,
        })
        .collect()
}

#[test]
fn every_query_is_found_and_cut_exactly() {
    let table: &[(&[u8], Query)] = &[
        (b"\x1b[c", Query::Primary),
        (b"\x1b[0c", Query::Primary),
        (b"\x1bZ", Query::Primary),
        (b"\x1b[>c", Query::Secondary),
        (b"\x1b[=0c", Query::Tertiary),
        (b"\x1b[5n", Query::Health),
        (b"\x1b[6n", Query::Cursor),
        (b"\x1b[?6n", Query::CursorAndPage),
        (b"\x1b[?996n", Query::ColorScheme),
        (b"\x1b[?15n", Query::Other),
        (b"\x1b[4$p", Query::Mode(4)),
        (b"\x1b[?2026$p", Query::PrivateMode(2026)),
        (b"\x1b[>q", Query::Version),
        (b"\x1b[>0q", Query::Version),
        (b"\x1b[?u", Query::KittyKeyboard),
        (b"\x1b[?4m", Query::ModifyOtherKeys),
        (b"\x1b[14t", Query::TextAreaPixels),
        (b"\x1b[16t", Query::CellPixels),
        (b"\x1b[18t", Query::TextAreaCells),
        (b"\x1b[21t", Query::Other),
        (b"\x1b]11;?\x07", Query::Colors { asked: vec![Asked::Dynamic(11)], bell: true }),
        (b"\x1b]11;?\x1b\\", Query::Colors { asked: vec![Asked::Dynamic(11)], bell: false }),
        (
            b"\x1b]10;?;#fff;?\x07",
            Query::Colors { asked: vec![Asked::Dynamic(10), Asked::Dynamic(12)], bell: true },
        ),
        (
            b"\x1b]4;1;?;7;?\x1b\\",
            Query::Colors { asked: vec![Asked::Palette(1), Asked::Palette(7)], bell: false },
        ),
        (b"\x1bP+q544e;436f\x1b\\", Query::Capabilities(vec!["544e".into(), "436f".into()])),
        (b"\x1bP$q q\x1b\\", Query::Setting(b" q".to_vec())),
        (b"\x1b]7501;?\x1b\\", Query::Program),
        (b"\x1b]52;c;?\x07", Query::Other),
        (b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", Query::Other),
    ];
    for (bytes, query) in table {
        let mut all = b"text \xe2\x82\xac".to_vec();
        all.extend_from_slice(bytes);
        all.extend_from_slice(b" more");
        assert_eq!(queries(&all), [(query.clone(), bytes.to_vec())], "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_only_looks_like_a_query_is_none() {
    for bytes in [
        &b"\x1b[1c"[..],
        b"\x1b[?62;22c",
        b"\x1b[0n",
        b"\x1b[2 q",
        b"\x1b[>1u",
        b"\x1b[22;0t",
        b"\x1b[3;4R",
        b"\x1b]11;#000000\x07",
        b"\x1b]7501;state=idle:app=x\x1b\\",
        b"\x1b]52;c;aGk=\x07",
        b"\x1b_Gf=100,a=T;AAAA\x1b\\",
        b"\x1bX\x18 [c",
        b"\x1b[6\x18n",
        "\u{9b}c".as_bytes(),
        b"\x9bc",
        b"\x1b[6;?n",
    ] {
        assert_eq!(queries(bytes), [], "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_string_that_another_sequence_cuts_short_still_counts() {
    let found = queries(b"\x1b]10;?\x1b[6nx");
    assert_eq!(
        found,
        [
            (Query::Colors { asked: vec![Asked::Dynamic(10)], bell: false }, b"\x1b]10;?".to_vec()),
            (Query::Cursor, b"\x1b[6n".to_vec()),
        ]
    );
}

#[test]
fn reports() {
    let text = |bytes: &[u8]| scan(bytes);
    assert_eq!(text(b"\x1b]0;a \xe2\x9c\xb3 b\x07"), [Found::Title("a ✳ b".into())]);
    assert_eq!(text(b"\x1b]2;x;y\x1b\\"), [Found::Title("x;y".into())]);
    assert_eq!(text(b"\x1b]1;icon\x1b\\"), []);
    assert_eq!(
        text(b"\x1b]7501;state=idle:app=x\x1b\\"),
        [Found::Program(Report {
            id: String::new(),
            state: ProgramState::Idle,
            text: "state=idle:app=x".into()
        })]
    );
    assert_eq!(text(b"\x1b]133;A\x07\x1b]133;D;0\x07"), [Found::PromptMark(b'A'), Found::PromptMark(b'D')]);
    assert_eq!(text(b"\x1b]9;hello\x07"), [Found::Notification("hello".into())]);
    assert_eq!(text(b"\x1b]9;4;1;50\x07\x1b]9;9;/tmp\x07"), []);
    assert_eq!(text(b"\x1b]9;4 eggs\x07"), [Found::Notification("4 eggs".into())]);
    assert_eq!(text(b"\x1b]99;i=1:p=title;hi\x1b\\"), [Found::Notification("hi".into())]);
    assert_eq!(text(b"\x1b]99;e=1;aGk=\x1b\\"), [Found::Notification("hi".into())]);
    assert_eq!(text(b"\x1b]777;notify;T;B\x07"), [Found::Notification("T: B".into())]);
    assert_eq!(text(b"\x1b]777;notify;;B\x07"), [Found::Notification("B".into())]);
    assert_eq!(text(b"a\x07b\x1b[\x07m"), [Found::Bell, Found::Bell]);
}

#[test]
fn texts_are_bounded() {
    let mut bytes = b"\x1b]0;".to_vec();
    bytes.extend(vec![b'x'; 100_000]);
    bytes.push(BEL);
    assert_eq!(scan(&bytes), [Found::Title("x".repeat(512))]);
}

#[test]
fn the_alternate_screen_is_tracked() {
    assert_eq!(
        scan(b"ab\x1b[?1049h\x1b[?47hxx\x1b[?25;1049lyy\x1b[?1049l"),
        [Found::Alternate { on: true, at: 2 }, Found::Alternate { on: false, at: 29 }]
    );
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    scanner.scan(b"ab\x1b[?10", &mut found);
    assert_eq!(scanner.unfinished(), 5);
    scanner.scan(b"49h", &mut found);
    scanner.scan(b"\x1bc", &mut found);
    let all = [Found::Alternate { on: true, at: -5 }, Found::Alternate { on: false, at: 2 }, Found::Reset];
    assert_eq!(found, all);
    assert_eq!(scanner.unfinished(), 0);
}
