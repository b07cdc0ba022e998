//! What faults do to an answer in one piece.

use relaybench_mock::Ending;

use super::seen::{End, is_played, ordinary, seen, seen_kept_alive};

#[test]
fn a_status_comes_with_the_dialects_body() {
    let (seen, entry) = seen("status=503", false);
    assert_eq!((seen.status(), seen.header("content-type"), seen.end), (503, Some("application/json"), End::Closed));
    assert!(seen.text().contains("\"server_is_overloaded\""));
    is_played(&entry, Ending::Served);
}

#[test]
fn a_page_of_html_comes_from_a_proxy() {
    let (seen, entry) = seen("html=502", true);
    assert_eq!((seen.status(), seen.header("content-type")), (502, Some("text/html")));
    assert!(seen.text().starts_with("<html>") && seen.header("x-request-id").is_none(), "{}", seen.head);
    is_played(&entry, Ending::Served);
}

#[test]
fn a_body_stalls_within_its_length() {
    let whole = ordinary(false);
    let (seen, entry) = seen("stall=100b", false);
    assert_eq!((&seen.head, &seen.rest[..], seen.end), (&whole.head, &whole.rest[..100], End::Open));
    is_played(&entry, Ending::Hung);
}

#[test]
fn a_body_is_truncated_within_its_length() {
    let whole = ordinary(false);
    for (place, kept) in [("=100b", 100), ("", whole.rest.len() / 2), ("=10%", whole.rest.len() / 10), ("=0%", 0)] {
        let (seen, entry) = seen(&format!("truncate{place}"), false);
        assert_eq!((&seen.head, &seen.rest[..], seen.end), (&whole.head, &whole.rest[..kept], End::Closed));
        is_played(&entry, Ending::Broken);
    }
}

#[test]
fn a_body_is_cut_by_a_reset_within_its_length() {
    let whole = ordinary(false);
    let (seen, entry) = seen("reset-mid-body=100b", false);
    assert_eq!((&seen.head, &seen.rest[..], seen.end), (&whole.head, &whole.rest[..100], End::Reset));
    is_played(&entry, Ending::Broken);
}

#[test]
fn a_length_is_short_of_what_is_sent() {
    let whole = ordinary(false);
    let (seen, entry) = seen("short-length", false);
    assert_eq!(seen.header("content-length"), Some((whole.rest.len() / 2).to_string().as_str()));
    assert_eq!((seen.rest, seen.end), (whole.rest, End::Closed));
    is_played(&entry, Ending::Served);
}

#[test]
fn a_length_is_more_than_what_is_sent() {
    let whole = ordinary(false);
    let (seen, entry) = seen("long-length", false);
    assert_eq!(seen.header("content-length"), Some((whole.rest.len() * 2).to_string().as_str()));
    assert_eq!((seen.rest, seen.end), (whole.rest, End::Closed));
    is_played(&entry, Ending::Broken);
}

#[test]
fn json_breaks_off_in_a_body_that_is_complete() {
    let (seen, entry) = seen_kept_alive("malformed-json", false);
    assert_eq!(seen.header("content-length"), Some(seen.rest.len().to_string().as_str()));
    let error = serde_json::from_slice::<serde_json::Value>(&seen.rest).unwrap_err();
    assert!(error.is_eof() && ordinary(false).rest.starts_with(&seen.rest), "{error}");
    // It is all there, and the connection as good as any.
    assert_eq!(seen.end, End::Open);
    is_played(&entry, Ending::Served);
}

#[test]
fn a_body_without_a_length_is_complete_and_never_ends() {
    let (seen, entry) = seen("never-close", false);
    assert_eq!(seen.unchunked(), (ordinary(false).text(), String::new()));
    assert_eq!((seen.end, seen.header("content-length")), (End::Open, None));
    is_played(&entry, Ending::Hung);
}

#[test]
fn a_connection_is_closed_behind_the_answer_unannounced() {
    let whole = ordinary(false);
    let (seen, entry) = seen_kept_alive("close", false);
    assert_eq!((seen.rest, seen.end), (whole.rest, End::Closed));
    assert!(!seen.head.contains("connection: ") && seen.head.contains("content-length: "), "{}", seen.head);
    is_played(&entry, Ending::Served);
}

#[test]
fn an_error_says_that_all_is_well() {
    for is_stream in [false, true] {
        let (seen, entry) = seen("error-in-200", is_stream);
        assert_eq!((seen.status(), seen.header("content-type"), seen.end), (200, Some("application/json"), End::Closed));
        assert!(seen.text().starts_with("{\"error\":{\"message\":\"The server had an error"), "{}", seen.text());
        is_played(&entry, Ending::Served);
    }
}

#[test]
fn an_answer_is_another_models() {
    let (right, (wrong, entry)) = (ordinary(false), seen("wrong-model", false));
    assert_eq!(wrong.text(), right.text().replace("\"model\":\"gpt-4.1\"", "\"model\":\"gpt-4o\""));
    assert_eq!(wrong.header("content-length"), Some(wrong.rest.len().to_string().as_str()));
    is_played(&entry, Ending::Served);
}

#[test]
fn a_size_in_the_transfer_coding_is_no_number() {
    let whole = ordinary(false).text();
    let (seen, entry) = seen("bad-chunk-size", false);
    let half = whole.len() / 2;
    assert_eq!(seen.unchunked(), (whole[..half].to_owned(), format!("zz\r\n{}\r\n", &whole[half..])));
    assert_eq!(seen.end, End::Closed);
    is_played(&entry, Ending::Broken);
}
