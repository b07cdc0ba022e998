//! What is taken for a stream, and how much of one is kept before it says anything.

use relaybench::client::{Client, ErrorKind, Policy};
use relaybench_clock::run_virtual;

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question};
use crate::support::streams::{DONE, chunk, finish, said};

fn single_try(relay: &RawRelay) -> Client {
    relay.client().policy(Policy::none()).build().unwrap()
}

/// What a stream of this type and body says, cut into pieces of this many bytes.
fn said_by(content_type: Option<&str>, body: &str, piece: usize) -> Result<String, ErrorKind> {
    let content_type = content_type.map(|kind| format!("content-type: {kind}\r\n")).unwrap_or_default();
    let mut pieces = vec![(std::time::Duration::ZERO, format!("HTTP/1.1 200 OK\r\n{content_type}\r\n"))];
    let characters: Vec<char> = body.chars().collect();
    let later = |piece: &[char]| (std::time::Duration::from_millis(1), piece.iter().collect::<String>());
    pieces.extend(characters.chunks(piece).map(later));
    run_virtual(async move {
        let relay = RawRelay::start([Step::DripAndClose(pieces, std::time::Duration::ZERO)]);
        let mut stream = single_try(&relay).chat_stream(question()).await.map_err(|error| error.kind())?;
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            text += chunk.map_err(|error| error.kind())?.content();
        }
        Ok(text)
    })
}

#[test]
fn a_stream_is_one_whatever_its_type_is_written_like() {
    let body = said("Hel") + &said("lo.") + &finish() + DONE;
    for content_type in ["text/event-stream", "Text/Event-Stream", "TEXT/EVENT-STREAM; charset=UTF-8", "text/event-stream ;x=y"] {
        assert_eq!(said_by(Some(content_type), &body, 1000).as_deref(), Ok("Hello."), "{content_type}");
    }
}

#[test]
fn a_stream_without_a_type_or_with_another_is_known_by_its_beginning() {
    let body = said("Hel") + &said("lo.") + &finish() + DONE;
    for content_type in [
        None,
        Some(""),
        Some("Text/Plain; charset=utf-8"),
        Some("application/json"),
        Some("application/octet-stream"),
        Some("text/html"),
    ] {
        for before in ["", "\u{feff}", "\u{feff}\r\n\r\n", ": ping\n\n", "id: 1\n", "retry: 5\n\n", "event: message\n"] {
            for piece in [1, 7, 10_000] {
                let body = format!("{before}{body}");
                assert_eq!(
                    said_by(content_type, &body, piece).as_deref(),
                    Ok("Hello."),
                    "{content_type:?} {before:?} by {piece}"
                );
            }
        }
    }
}

#[test]
fn a_stream_of_a_wrong_type_is_asked_for_once() {
    run_virtual(async {
        for content_type in ["application/json", "application/octet-stream"] {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n");
            let relay = RawRelay::start([Step::WriteAndClose(head + &said("Hello.") + &finish() + DONE)]);
            let mut stream = relay.client().build().unwrap().chat_stream(question()).await.unwrap();
            while let Some(chunk) = stream.next().await {
                chunk.unwrap();
            }
            assert_eq!(stream.attempts().len(), 1, "{content_type}");
        }
    });
}

#[test]
fn what_does_not_begin_like_a_stream_is_none() {
    let failed = r#"{"error":{"message":"no","type":"server_error"}}"#;
    for (content_type, body, kind) in [
        (None, COMPLETION, ErrorKind::Malformed),
        (None, failed, ErrorKind::InBand),
        (Some("text/plain"), failed, ErrorKind::InBand),
        (Some("text/plain"), "upstream connect error", ErrorKind::Malformed),
        (None, "", ErrorKind::Truncated),
        (Some("text/plain"), "\n\n", ErrorKind::Truncated),
        (Some("application/json"), COMPLETION, ErrorKind::Malformed),
        (Some("application/json"), failed, ErrorKind::InBand),
        (Some("application/octet-stream"), failed, ErrorKind::InBand),
        (Some("text/html"), "<html>data: {}</html>", ErrorKind::Malformed),
    ] {
        for piece in [1, 10_000] {
            assert_eq!(said_by(content_type, body, piece), Err(kind), "{content_type:?} {body:?} by {piece}");
        }
    }
    let blank = "\n".repeat(200_000);
    assert_eq!(said_by(None, &blank, 10_000), Err(ErrorKind::Malformed));
}

#[test]
fn a_server_that_says_nothing_ten_thousand_times_is_not_listened_to_any_longer() {
    let nothing = chunk("{}", "null");
    let said = |count| said_by(Some("text/event-stream"), &(nothing.repeat(count) + &said("Hello.") + &finish() + DONE), 1 << 20);
    assert_eq!(said(9_999).as_deref(), Ok("Hello."));
    assert_eq!(said(10_000), Err(ErrorKind::Malformed));
    run_virtual(async {
        let body = chunk("{}", "null").repeat(20_000);
        let relay = RawRelay::start([Step::WriteAndClose(format!("{}{body}", crate::support::streams::HEAD))]);
        let error = single_try(&relay).chat_stream(question()).await.unwrap_err();
        assert_eq!(error.to_string(), "the stream brought 10000 chunks and no content");
    });
}
