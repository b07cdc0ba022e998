//! Streams end with a success only when something proved their end.

use std::time::Duration;

use relaybench::client::{ChatStream, ErrorKind, FinishReason, Policy, Proof, Stop, StreamEnd};
use relaybench::{Client, Error};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{RawRelay, Step, error, json, question, success};
use crate::support::streams::{COMMENT, DONE, HEAD, ROLE, USAGE, chunk_of, finish, said};

/// Role, two pieces of text, finish.
fn chunks() -> String {
    ROLE.to_owned() + &said("Hel") + &said("lo.") + &finish()
}

/// A stream whose body ends with the connection.
fn stream(events: &str) -> Step {
    Step::WriteAndClose(format!("{HEAD}{events}"))
}

fn single_try(relay: &RawRelay) -> Client {
    relay.client().policy(Policy::none()).build().unwrap()
}

/// What was said, and how it ended.
async fn read(stream: &mut ChatStream) -> (String, Option<Error>) {
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => text += chunk.content(),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

#[test]
fn a_stream_is_read_to_its_end() {
    for (tail, end) in [
        ("data: [DONE]\n\n", StreamEnd::Done),
        ("data: [DONE]\n", StreamEnd::DoneUnterminated),
        ("data: [DONE]", StreamEnd::DoneUnterminated),
        ("", StreamEnd::FinishReason),
        (": keep-alive\n\ndata: [DONE]\r\n\r\n", StreamEnd::Done),
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([stream(&(chunks() + tail))]);
            let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
            let (text, error) = read(&mut stream).await;
            assert_eq!(text, "Hello.");
            assert!(error.is_none(), "{tail:?}: {error:?}");
            assert_eq!(stream.ended_by(), Some(end), "{tail:?}");
            assert_eq!(stream.finish_reason(), Some(&FinishReason::Stop));
            assert_eq!(stream.attempts().len(), 1);
            assert!(stream.next().await.is_none());
            let seen = &relay.attempts()[0];
            assert_eq!(seen.header("accept"), Some("text/event-stream"));
            assert!(seen.body.contains("\"stream\":true"));
        });
    }
}

#[test]
fn the_usage_comes_in_its_own_chunk_and_unknown_fields_are_kept() {
    run_virtual(async {
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10},\"x\":1}\n\n";
        let relay = RawRelay::start([stream(&(chunks() + usage + "data: [DONE]\n\n"))]);
        let mut stream = single_try(&relay).chat_stream(question().include_usage()).await.unwrap();
        let mut last = None;
        while let Some(chunk) = stream.next().await {
            last = Some(chunk.unwrap());
        }
        assert_eq!(stream.usage().unwrap().completion_tokens, 2);
        assert_eq!(last.unwrap().json()["x"], 1);
        assert!(relay.attempts()[0].body.contains("\"include_usage\":true"));
    });
}

#[test]
fn a_stream_of_two_answers_that_stops_after_one_is_truncated() {
    let first = chunk_of(0, r#"{"content":"Hi"}"#, "null") + &chunk_of(0, "{}", "\"stop\"");
    let both = first.clone() + &chunk_of(1, r#"{"content":"Ho"}"#, "\"stop\"");
    for (request, events, expected) in [
        (question().n(2), &first, Some(ErrorKind::Truncated)),
        (question().extra("n", 2), &first, Some(ErrorKind::Truncated)),
        (question(), &first, None),
        (question().n(2), &both, None),
    ] {
        let events = events.clone();
        run_virtual(async move {
            let relay = RawRelay::start([stream(&events)]);
            let mut stream = single_try(&relay).chat_stream(request).await.unwrap();
            let (text, error) = read(&mut stream).await;
            assert_eq!((text.as_str(), error.map(|error| error.kind())), ("Hi", expected), "{events}");
        });
    }
}

#[test]
fn a_stream_that_just_stops_is_truncated() {
    let whole = chunks();
    let without_finish = whole[..whole.rfind("data:").unwrap()].to_owned();
    let within_finish = whole[..whole.len() - 10].to_owned();
    for events in [without_finish, within_finish] {
        run_virtual(async move {
            let relay = RawRelay::start([stream(&events)]);
            let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
            let (text, error) = read(&mut stream).await;
            assert_eq!(text, "Hello.");
            let error = error.expect("no proof of the end");
            assert_eq!(error.kind(), ErrorKind::Truncated);
            assert_eq!(error.stop(), Some(Stop::ContentSeen));
            assert_eq!(error.attempts().len(), 1);
            let partial = error.partial().unwrap();
            assert_eq!((partial.content.as_str(), partial.chunks, partial.usage), ("Hello.", 3, None));
            assert!(stream.next().await.is_none() && stream.ended_by().is_none());
        });
    }
}

#[test]
fn an_error_in_the_stream_surfaces() {
    for event in [
        "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n",
        "data: {\"object\":\"error\",\"message\":\"overloaded\"}\n\n",
        "event: error\ndata: {\"message\":\"overloaded\"}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        "data: {\"error\":{\"message\":\"overloaded\"},\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([stream(&(said("Hel") + event))]);
            let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
            let (text, error) = read(&mut stream).await;
            assert_eq!(text, "Hel");
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::InBand, "{event:?}");
            assert!(error.body().unwrap().contains("overloaded"), "{error}");
            assert_eq!(error.partial().unwrap().content, "Hel");
        });
    }
}

#[test]
fn a_broken_chunk_is_malformed() {
    run_virtual(async {
        let relay = RawRelay::start([stream(&(said("Hel") + "data: {\"choices\":[}\n\n"))]);
        let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
        assert_eq!(read(&mut stream).await.1.unwrap().kind(), ErrorKind::Malformed);
    });
}

#[test]
fn what_breaks_before_the_first_chunk_is_tried_again() {
    for step in [
        error("429 Too Many Requests", "rate_limit_exceeded", &[]),
        json("200 OK", &[], r#"{"error":{"message":"busy"}}"#),
        success(),
        stream(""),
        stream("data: [DONE]\n\n"),
        stream("data: {\"error\":{\"message\":\"busy\"}}\n\n"),
        Step::WriteAndClose(String::new()),
        Step::Hang,
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([step.clone(), stream(&(chunks() + "data: [DONE]\n\n"))]);
            let client = relay.client().build().unwrap();
            let mut stream = client.chat_stream(question()).await.unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
            let (text, error) = read(&mut stream).await;
            assert!(error.is_none() && text == "Hello.", "{step:?}: {error:?}");
            assert_eq!(stream.attempts().len(), 2, "{step:?}");
        });
    }
}

#[test]
fn a_broken_stream_is_not_retried_after_its_first_chunk() {
    run_virtual(async {
        let relay = RawRelay::start([stream(&said("Hel")), success()]);
        let mut stream = relay.client().build().unwrap().chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await.1.is_some());
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn a_stream_that_stalls_is_ended_after_10_s_and_one_that_drips_at_the_total() {
    for (pause_s, pieces, kind, ended_s) in [(26, 1, ErrorKind::StallTimeout, 10), (4, 20, ErrorKind::TotalTimeout, 30)] {
        run_virtual(async move {
            let first = (Duration::ZERO, HEAD.to_owned() + &said("x"));
            let later = (Duration::from_secs(pause_s), said("x"));
            let drip = std::iter::once(first).chain(std::iter::repeat_n(later, pieces)).collect();
            let relay = RawRelay::start([Step::Drip(drip)]);
            let start = now();
            let mut stream = relay.client().build().unwrap().chat_stream(question()).await.unwrap();
            let error = read(&mut stream).await.1.unwrap();
            assert_eq!((error.kind(), start.elapsed()), (kind, Duration::from_secs(ended_s)));
        });
    }
}

#[test]
fn the_end_is_told_at_done_and_the_connection_is_kept_when_the_body_ends_after() {
    run_virtual(async {
        let hex = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
        let body = head + &hex(&(chunks() + "data: [DONE]\n\n"));
        let late_end = Step::Drip(vec![(Duration::ZERO, body), (Duration::from_millis(40), "0\r\n\r\n".to_owned())]);
        let relay = RawRelay::start([late_end, success()]);
        let client = single_try(&relay);
        let start = now();
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await.1.is_none());
        assert_eq!(start.elapsed(), Duration::ZERO);
        relaybench_clock::sleep(Duration::from_millis(50)).await;
        assert!(client.chat(question()).await.unwrap().attempts()[0].connection.unwrap().reused);
    });
}

#[test]
fn a_body_that_never_closes_after_done_costs_its_connection_alone() {
    run_virtual(async {
        let never_closed = Step::Drip(vec![
            (Duration::ZERO, format!("{HEAD}{}data: [DONE]\n\n", chunks())),
            (Duration::from_secs(3600), String::new()),
        ]);
        let relay = RawRelay::start([never_closed, success()]);
        let client = relay.client().policy(Policy::none()).max_connections(1).build().unwrap();
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await.1.is_none());
        let start = now();
        client.chat(question()).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    });
}

#[test]
fn dropping_a_stream_frees_its_place() {
    run_virtual(async {
        let first = (Duration::ZERO, HEAD.to_owned() + &said("x"));
        let endless = Step::Drip(vec![first, (Duration::from_secs(3600), String::new())]);
        let relay = RawRelay::start([endless, success()]);
        let client = relay.client().policy(Policy::none()).max_connections(1).build().unwrap();
        drop(client.chat_stream(question()).await.unwrap());
        let start = now();
        client.chat(question()).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

/// How a stream of these events ends for a client that accepts this proof, closed by the server or fallen silent after them.
async fn ending(events: &str, proof: Proof, is_closed: bool) -> Result<StreamEnd, ErrorKind> {
    let bytes = format!("{HEAD}{events}");
    let silent = || Step::Drip(vec![(Duration::ZERO, bytes.clone()), (Duration::from_secs(3600), String::new())]);
    let relay = RawRelay::start([if is_closed { Step::WriteAndClose(bytes.clone()) } else { silent() }]);
    let client = relay.client().policy(Policy::none()).proof(proof).build().unwrap();
    let mut stream = client.chat_stream(question()).await.map_err(|error| error.kind())?;
    match read(&mut stream).await.1 {
        None => Ok(stream.ended_by().expect("a stream that ended well was ended by something")),
        Some(error) => Err(error.kind()),
    }
}

#[test]
fn a_client_chooses_what_proves_the_end() {
    let text = format!("{ROLE}{}", said("Hello."));
    let finished = text.clone() + &finish();
    let both_choices = |reason: &str| chunk_of(0, "{}", "\"stop\"") + &chunk_of(1, r#"{"content":"Hi"}"#, reason);
    let only = |finish_reason, done, usage| {
        let mut proof = Proof::default();
        (proof.finish_reason, proof.done, proof.usage) = (finish_reason, done, usage);
        proof
    };
    let truncated = Err(ErrorKind::Truncated);
    for (events, proof, expected) in [
        (text.clone() + DONE, Proof::default(), Ok(StreamEnd::Done)),
        (text.clone() + DONE, only(true, false, false), truncated),
        (text.clone() + DONE.trim_end(), only(true, false, false), truncated),
        (finished.clone() + DONE, only(true, false, false), Ok(StreamEnd::FinishReason)),
        (finished.clone(), only(false, true, false), truncated),
        (finished.clone(), Proof::default(), Ok(StreamEnd::FinishReason)),
        (text.clone() + USAGE, Proof::default(), Ok(StreamEnd::Usage)),
        (text.clone() + USAGE, only(true, true, false), truncated),
        (text.clone() + &USAGE.replace("[]", r#"[{"index":0,"delta":{"content":"!"}}]"#), Proof::default(), truncated),
        (text.clone() + &both_choices("null"), Proof::default(), truncated),
        (text.clone() + &both_choices("\"stop\""), Proof::default(), Ok(StreamEnd::FinishReason)),
    ] {
        run_virtual(async move {
            assert_eq!(ending(&events, proof, true).await, expected, "{proof:?} {events}");
        });
    }
}

#[test]
fn what_falls_silent_after_the_proof_ends_well_and_before_it_does_not() {
    for (events, expected) in [
        (said("Hello.") + &finish(), Ok(StreamEnd::FinishReason)),
        (said("Hello.") + USAGE, Ok(StreamEnd::Usage)),
        (said("Hello."), Err(ErrorKind::TotalTimeout)),
    ] {
        run_virtual(async move {
            assert_eq!(ending(&events, Proof::default(), false).await, expected, "{events}");
        });
    }
}

#[test]
fn a_stream_without_end_is_refused_before_it_fills_the_memory() {
    const MEBIBYTE: usize = 1024 * 1024;
    let endless_line = said("x") + "data: " + &"x".repeat(MEBIBYTE);
    let endless_stream = said(&"x".repeat(MEBIBYTE / 2)).repeat(65);
    for body in [endless_line, endless_stream] {
        run_virtual(async move {
            assert_eq!(ending(&body, Proof::default(), true).await, Err(ErrorKind::Malformed), "{} bytes", body.len());
        });
    }
}

#[test]
fn a_stream_that_was_read_to_its_end_hands_its_connection_back_and_one_that_was_dropped_closes_it() {
    run_virtual(async {
        let chunked = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
        let begun = head + &chunked(&(ROLE.to_owned() + &said("Hello.")));
        let whole = Step::Write(begun.clone() + &chunked(&(finish() + DONE)) + "0\r\n\r\n");
        // It goes on writing, and so notices that nobody reads.
        let comments = std::iter::repeat_n((Duration::from_micros(100), chunked(COMMENT)), 1000);
        let endless = Step::Drip([(Duration::ZERO, begun)].into_iter().chain(comments).collect());
        let relay = RawRelay::start([whole.clone(), endless, whole]);
        let client = single_try(&relay);
        for (is_read, opened, live) in [(true, 1, 1), (false, 1, 0), (true, 2, 1)] {
            let mut stream = client.chat_stream(question()).await.unwrap();
            if is_read {
                assert!(read(&mut stream).await.1.is_none());
            } else {
                stream.next().await.unwrap().unwrap();
            }
            drop(stream);
            relaybench_clock::sleep(Duration::from_millis(1)).await;
            assert_eq!((relay.connections_opened(), relay.connections_live()), (opened, live), "read to its end: {is_read}");
        }
    });
}

#[test]
fn every_attempt_tells_the_ids_of_both_sides() {
    run_virtual(async {
        let head = HEAD.replace("\r\n\r\n", "\r\nx-request-id: req_1\r\n\r\n");
        let relay = RawRelay::start([Step::WriteAndClose(format!("{head}{COMMENT}{}{}", said("x"), finish()))]);
        let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await.1.is_none());
        let record = &stream.attempts()[0];
        assert_eq!(record.server_request_id.as_deref(), Some("req_1"));
        assert_eq!(Some(record.request_id.as_str()), relay.attempts()[0].header("x-client-request-id"));
    });
}
