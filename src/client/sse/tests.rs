//! The rules of the event stream, whatever pieces the bytes arrive in.

use proptest::prelude::*;

use super::*;

/// Type and data of an event.
type Seen = (Option<String>, String);

fn seen(event: Event) -> Seen {
    (event.kind.map(Into::into), event.data)
}

/// The events, and the one that the end of the stream left unterminated.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, Option<Seen>) {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next().unwrap() {
            events.push(seen(event));
        }
    }
    (events, decoder.unterminated().map(seen))
}

/// The pieces between these ascending cuts.
fn cut(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Vec<&[u8]> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    for end in cuts.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[start..end]);
        start = end;
    }
    pieces
}

/// All 2ⁿ⁻¹ ways to split up to 14 bytes; of longer ones every pair of cuts, and byte by byte.
fn splits(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let inner = 1..bytes.len();
    if bytes.len() <= 14 {
        let ways = 0..1_u32 << bytes.len().saturating_sub(1);
        return ways.map(|way| cut(bytes, inner.clone().filter(|at| way >> (at - 1) & 1 == 1))).collect();
    }
    let pairs = inner.clone().flat_map(|first| (first..bytes.len()).map(move |second| cut(bytes, [first, second])));
    pairs.chain([cut(bytes, inner)]).collect()
}

#[track_caller]
fn holds_for_every_split(stream: &str, expected: &[Seen]) {
    for pieces in splits(stream.as_bytes()) {
        assert_eq!(decode(pieces.iter().copied()).0, expected, "{pieces:?}");
    }
}

fn messages(data: &[&str]) -> Vec<Seen> {
    data.iter().map(|data| (None, (*data).to_owned())).collect()
}

#[test]
fn the_rules_hold_in_every_split() {
    for (stream, expected) in [
        ("data: a\n\n", vec!["a"]),
        ("data:a\r\rdata:b\r\r", vec!["a", "b"]),
        ("data:a\r\n\r\n", vec!["a"]),
        ("data:a\r\n\ndata:b\n\r\n", vec!["a", "b"]),
        ("\u{feff}data:é\n\n", vec!["é"]),
        ("\u{feff}\u{feff}data:a\n\n", vec![]),
        ("data:\u{feff}\n\n", vec!["\u{feff}"]),
        (": comment\n\n:\ndata: a\n\n", vec!["a"]),
        ("data:a\ndata:b\n\n", vec!["a\nb"]),
        ("data\n\n", vec![""]),
        ("data\ndata\n\n", vec!["\n"]),
        ("data:  a\n\n", vec![" a"]),
        ("data:\ta\n\n", vec!["\ta"]),
        ("data: a: b\n\n", vec!["a: b"]),
        ("data : a\n\n", vec![]),
        ("Data:a\n data:b\nxdata:c\ndata_:d\ndata\0:e\ndata:f\0\n\n", vec!["f\0"]),
        ("id: 1\nretry: x\nunknown: a\ndata: a\n\n", vec!["a"]),
        ("event: x\n\ndata: a\n\n", vec!["a"]),
        ("event\ndata: a\n\n", vec!["a"]),
        ("\n\n\r\rdata:a\n\n", vec!["a"]),
        ("data: a\n", vec![]),
        ("data: a", vec![]),
    ] {
        holds_for_every_split(stream, &messages(&expected));
    }
}

/// The streams that the specification itself explains, with each of the line ends that it allows.
#[test]
fn the_examples_of_the_specification_hold_in_every_split() {
    let named = |kind: &str, data: &str| (Some(kind.to_owned()), data.to_owned());
    let examples = [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", messages(&["YHOO\n+2\n10"])),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
            messages(&["first event", "second event"]),
        ),
        ("data\n\ndata\ndata\n\ndata:", messages(&["", "\n"])),
        ("data:test\n\ndata: test\n\n", messages(&["test", "test"])),
        (
            "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
            vec![named("add", "73857293"), named("remove", "2153"), named("add", "113411")],
        ),
    ];
    for (stream, expected) in examples {
        for end in ["\n", "\r", "\r\n"] {
            holds_for_every_split(&stream.replace('\n', end), &expected);
        }
    }
}

#[test]
fn the_type_of_an_event_is_its_own_alone_and_the_last_one_counts() {
    let expected = [(Some("error".to_owned()), "a".to_owned()), (None, "b".to_owned())];
    holds_for_every_split("event: x\nevent: error\ndata: a\n\ndata: b\n\n", &expected);
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced_and_cost_no_event() {
    let bytes = b"data: \xF0\x9F\ndata: \xFFa\n\n";
    for pieces in splits(bytes) {
        assert_eq!(decode(pieces).0, messages(&["\u{fffd}\n\u{fffd}a"]));
    }
}

#[test]
fn an_event_without_its_empty_line_can_be_asked_for_in_every_split() {
    for stream in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r", "data: [DONE]\r\n", "data: x\n\ndata: [DONE]\n"] {
        for pieces in splits(stream.as_bytes()) {
            let (_, rest) = decode(pieces.iter().copied());
            assert_eq!(rest.map(|(_, data)| data).as_deref(), Some("[DONE]"), "{pieces:?}");
        }
    }
    for stream in ["data: a\n\n", "data: a\r\r\n", "event: x\n", ": comment", ""] {
        for pieces in splits(stream.as_bytes()) {
            assert_eq!(decode(pieces.iter().copied()).1, None, "{pieces:?}");
        }
    }
}

/// What became of a stream of these pieces: how many events, and whether it was refused.
fn fate<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (usize, bool) {
    let (mut decoder, mut events) = (Decoder::default(), 0);
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(_)) => events += 1,
                Ok(None) => break,
                Err(TooLong) => return (events, true),
            }
        }
    }
    (events, false)
}

#[test]
fn a_line_or_an_event_of_a_megabyte_is_the_longest_however_it_arrives() {
    let line = |length: usize| format!("data:{}\n\n", "x".repeat(length - "data:".len()));
    let event = |length: usize| format!("data:{}\ndata:{}\n\n", "x".repeat(length / 2), "x".repeat(length - length / 2 - 1));
    for (stream, is_refused) in [
        (line(LONGEST), false),
        (line(LONGEST + 1), true),
        (event(LONGEST), false),
        (event(LONGEST + 1), true),
        (format!(":{}", "x".repeat(LONGEST)), true),
        ("data\n".repeat(LONGEST + 2), true),
    ] {
        for size in [stream.len(), 64 * 1024, 1000] {
            let expected = (usize::from(!is_refused), is_refused);
            assert_eq!(fate(stream.as_bytes().chunks(size)), expected, "{} bytes in pieces of {size}", stream.len());
        }
    }
}

proptest! {
    #[test]
    fn events_do_not_depend_on_how_the_bytes_are_split(
        stream in "(\u{feff})?((data|event|id|): ?[a-zé]{0,3}(\n|\r|\r\n|\n\n|\r\n\r\n)){0,8}",
        cuts in prop::collection::vec(0_usize..200, 0..8),
    ) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(decode(cut(bytes, cuts)), decode([bytes]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        decode([bytes.as_slice()]);
    }
}
