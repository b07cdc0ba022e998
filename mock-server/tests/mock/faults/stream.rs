//! What faults do to a stream.

use relaybench_clock::run_virtual;
use relaybench_mock::{Ending, FaultOutcome};

use super::seen::{End, PROFILE, is_played, ordinary, seen};
use crate::support::{KEY, request, server, text};

/// The events of a stream, without what lies between them.
fn events(payload: &str) -> Vec<&str> {
    payload.split("\n\n").filter(|event| !event.is_empty()).collect()
}

/// The payload of an ordinary stream: a role, nine chunks, an end and its mark.
fn payload() -> String {
    let (payload, rest) = ordinary(true).unchunked();
    assert_eq!((rest.as_str(), events(&payload).len()), ("complete", 12));
    payload
}

fn data(event: &str) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(event.strip_prefix("data: ").unwrap())
}

#[test]
fn a_stream_stalls_behind_so_many_chunks() {
    let (seen, entry) = seen("stall=3c", true);
    let (part, rest) = seen.unchunked();
    assert_eq!((events(&part), rest.as_str(), seen.end), (events(&payload())[..4].to_vec(), "", End::Open));
    is_played(&entry, Ending::Hung);
}

#[test]
fn a_stream_is_truncated_at_a_byte_a_chunk_or_a_share() {
    let whole = payload();
    let chunks = |count: usize| events(&whole)[..count].iter().map(|event| event.len() + 2).sum::<usize>();
    for (place, kept) in [("=700b", 700), ("=0c", 0), ("=2c", chunks(3)), ("=9c", chunks(10)), ("", whole.len() / 2)] {
        let (seen, entry) = seen(&format!("truncate{place}"), true);
        assert_eq!(seen.unchunked(), (whole[..kept].to_owned(), String::new()), "{place}");
        assert_eq!(seen.end, End::Closed);
        is_played(&entry, Ending::Broken);
    }
}

#[test]
fn a_stream_is_cut_by_a_reset() {
    let whole = payload();
    let (seen, entry) = seen("reset-mid-body", true);
    assert_eq!((seen.unchunked().0.as_str(), seen.end), (&whole[..whole.len() / 2], End::Reset));
    is_played(&entry, Ending::Broken);
}

#[test]
fn a_streams_length_is_wrong_both_ways() {
    let whole = payload();
    for (fault, length, ending) in
        [("short-length", whole.len() / 2, Ending::Served), ("long-length", whole.len() * 2, Ending::Broken)]
    {
        let (seen, entry) = seen(fault, true);
        assert_eq!(seen.header("content-length"), Some(length.to_string().as_str()));
        assert_eq!((seen.text(), seen.header("transfer-encoding"), seen.end), (whole.clone(), None, End::Closed));
        is_played(&entry, ending);
    }
}

#[test]
fn one_event_of_a_stream_is_broken_and_the_others_are_well() {
    let (seen, entry) = seen("malformed-chunk", true);
    let (broken, rest) = seen.unchunked();
    assert_eq!((rest.as_str(), seen.end), ("complete", End::Closed));
    let (broken, whole) = (events(&broken), payload());
    assert_eq!(broken.len(), 12);
    let differing: Vec<_> = broken.iter().zip(events(&whole)).filter(|(broken, whole)| *broken != whole).collect();
    assert!(differing.len() == 1 && data(differing[0].0).unwrap_err().is_eof(), "{differing:?}");
    is_played(&entry, Ending::Served);
}

#[test]
fn a_streams_transfer_coding_has_a_size_that_is_no_number() {
    let whole = payload();
    let (seen, entry) = seen("bad-chunk-size", true);
    let (part, rest) = seen.unchunked();
    assert_eq!(part, whole[..whole.len() / 2]);
    assert!(rest.starts_with("zz\r\n") && seen.end == End::Closed, "{rest}");
    is_played(&entry, Ending::Broken);
}

#[test]
fn an_error_in_midstream_ends_it_without_a_mark() {
    let (seen, entry) = seen("error-event", true);
    let (payload, rest) = seen.unchunked();
    assert_eq!((rest.as_str(), seen.end), ("complete", End::Closed));
    let events = events(&payload);
    // A role and half of nine chunks.
    assert_eq!((events.len(), seen.status()), (6, 200));
    assert_eq!(data(events[5]).unwrap()["error"]["type"], "server_error");
    is_played(&entry, Ending::Served);
}

#[test]
fn a_stream_lacks_the_mark_of_its_end_and_nothing_else() {
    let (seen, entry) = seen("no-done", true);
    let whole = payload();
    assert_eq!(seen.unchunked(), (whole.strip_suffix("data: [DONE]\n\n").unwrap().to_owned(), "complete".to_owned()));
    is_played(&entry, Ending::Served);
}

#[test]
fn a_stream_is_complete_and_never_ends() {
    let (seen, entry) = seen("never-close", true);
    assert_eq!((seen.unchunked(), seen.end), ((payload(), String::new()), End::Open));
    is_played(&entry, Ending::Hung);
}

#[test]
fn all_chunks_of_a_stream_are_another_models() {
    let (seen, entry) = seen("wrong-model", true);
    assert_eq!(seen.unchunked().0, payload().replace("\"model\":\"gpt-4.1\"", "\"model\":\"gpt-4o\""));
    is_played(&entry, Ending::Served);
}

#[test]
fn streams_of_all_endpoints_break_in_their_own_words() {
    run_virtual(async {
        let server = server(PROFILE);
        let input = r#""input":"hi""#;
        let messages = r#""max_tokens":50,"messages":[{"role":"user","content":"hi"}]"#;
        for (path, input, error, end) in [
            ("/v1/completions", r#""prompt":"hi""#, "data: {\"error\":{", "data: [DONE]"),
            ("/v1/responses", input, "event: ", "event: response.completed"),
            ("/v1/messages", messages, "event: error\ndata: {\"type\":\"error\"", "event: message_stop"),
        ] {
            let ask = async |fault: &str| {
                let body = format!(r#"{{"model":"gpt-4.1","stream":true,{input}}}"#);
                let headers = format!("{KEY}x-client-request-id: a\r\nx-stainless-retry-count: 0\r\n{fault}");
                text(&server, &request("POST", path, &headers, &body)).await
            };
            let whole = ask("").await;
            let broken = ask("x-mock-fault: error-event\r\n").await;
            assert!(whole.contains(end) && !broken.contains(end) && broken.contains(error), "{path}: {broken}");
            assert!(broken.ends_with("\r\n0\r\n\r\n"), "{path}: {broken}");
            let endless = ask("x-mock-fault: no-done\r\n").await;
            assert!(!endless.contains(end) && endless.ends_with("\r\n0\r\n\r\n"), "{path}: {endless}");
            let other = ask("x-mock-fault: wrong-model\r\n").await;
            assert!(other.contains("\"gpt-4o\"") && !other.contains("\"gpt-4.1\""), "{path}: {other}");
        }
        assert!(server.ledger().entries().iter().all(|e| e.fault.is_none_or(|fault| fault.outcome == FaultOutcome::Played)));
    });
}
