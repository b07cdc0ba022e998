//! Streams end with a success only when something proved their end.

use std::time::Duration;

use relaybench::client::{ChatStream, ErrorKind, FinishReason, Policy, Stop, StreamEnd};
use relaybench::{Client, Error};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{RawRelay, Step, error, json, question, success};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn chunk(delta: &str, finish_reason: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4.1\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish_reason}}}]}}\n\n"
    )
}

/// Role, two pieces of text, finish.
fn chunks() -> String {
    let said = |text: &str| chunk(&format!("{{\"content\":\"{text}\"}}"), "null");
    chunk(r#"{"role":"assistant","content":""}"#, "null") + &said("Hel") + &said("lo.") + &chunk("{}", "\"stop\"")
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
        "data: {\"error\":{\"message\":\"overloaded\"},\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
    ] {
        run_virtual(async move {
            let said = chunk(r#"{"content":"Hel"}"#, "null");
            let relay = RawRelay::start([stream(&(said + event))]);
            let mut stream = single_try(&relay).chat_stream(question()).await.unwrap();
            let (text, error) = read(&mut stream).await;
            assert_eq!(text, "Hel");
            assert_eq!(error.unwrap().kind(), ErrorKind::InBand, "{event:?}");
        });
    }
}

#[test]
fn a_broken_chunk_is_malformed() {
    run_virtual(async {
        let relay = RawRelay::start([stream(&(chunk(r#"{"content":"Hel"}"#, "null") + "data: {\"choices\":[}\n\n"))]);
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
        let relay = RawRelay::start([stream(&chunk(r#"{"content":"Hel"}"#, "null")), success()]);
        let mut stream = relay.client().build().unwrap().chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await.1.is_some());
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn a_stream_that_stalls_is_ended_after_10_s_and_one_that_drips_at_the_total() {
    for (pause_s, pieces, kind, ended_s) in [(26, 1, ErrorKind::StallTimeout, 10), (4, 20, ErrorKind::TotalTimeout, 30)] {
        run_virtual(async move {
            let first = (Duration::ZERO, HEAD.to_owned() + &chunk(r#"{"content":"x"}"#, "null"));
            let later = (Duration::from_secs(pause_s), chunk(r#"{"content":"x"}"#, "null"));
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
        let first = (Duration::ZERO, HEAD.to_owned() + &chunk(r#"{"content":"x"}"#, "null"));
        let endless = Step::Drip(vec![first, (Duration::from_secs(3600), String::new())]);
        let relay = RawRelay::start([endless, success()]);
        let client = relay.client().policy(Policy::none()).max_connections(1).build().unwrap();
        drop(client.chat_stream(question()).await.unwrap());
        let start = now();
        client.chat(question()).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}
