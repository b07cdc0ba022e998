//! What a listener is told: the names and values of the semantic conventions, and no secret.

use std::time::Duration;

use relaybench::Policy;
use relaybench::client::Part;
use relaybench::{ChatRequest, Client, EmbeddingsRequest};
use relaybench_clock::{now, run_virtual, timeout_at};
use tracing::instrument::WithSubscriber;

use crate::support::listener::{Listener, Told};
use crate::support::raw_relay::{COMPLETION, RawRelay, Step, json, question, response};

const KEY: &str = "sk-test-secret";
const PROMPT: &str = "the-prompt-is-private";

/// What is told while this runs.
fn told<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce() -> F + Send + 'static) -> Listener {
    let listener = Listener::default();
    let heard = listener.clone();
    run_virtual(async move { run().with_subscriber(listener).await });
    heard
}

fn asked() -> ChatRequest {
    question().message(relaybench::client::Message::parts("user", [Part::text(PROMPT)]))
}

fn single_try(relay: &RawRelay) -> Client {
    relay.client().policy(Policy::none()).build().unwrap()
}

fn assert_fields(told: &Told, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(told.field(name), Some(*value), "{name} of {told:?}");
    }
}

/// Busy, in words that hold what nobody may read.
fn busy() -> Step {
    let body = format!(r#"{{"error":{{"message":"{PROMPT} with {KEY} was too much","type":"server_error"}}}}"#);
    json("503 Service Unavailable", &[("retry-after", "2")], &body)
}

#[test]
fn a_request_is_a_span_and_each_attempt_its_child() {
    let heard = told(|| async {
        let relay = RawRelay::start([busy(), json("200 OK", &[], COMPLETION)]);
        relay.client().build().unwrap().chat(asked()).await.unwrap();
    });
    let spans = heard.spans();
    let [request, first, second] = &spans[..] else { panic!("{spans:?}") };
    assert!(spans.iter().all(|span| span.is_closed));
    assert_eq!((request.name, first.name, second.name), ("request", "attempt", "attempt"));
    assert_eq!((request.parent, first.parent, second.parent), (None, Some(1), Some(1)));
    assert_fields(
        request,
        &[
            ("otel.name", "chat gpt-4.1"),
            ("otel.kind", "client"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4.1"),
            ("gen_ai.response.model", "gpt-4.1"),
            ("gen_ai.response.id", "chatcmpl-1"),
            ("gen_ai.response.finish_reasons", "[\"stop\"]"),
            ("gen_ai.usage.input_tokens", "8"),
            ("gen_ai.usage.output_tokens", "2"),
            ("server.address", "relay"),
            ("server.port", "80"),
            ("relaybench.attempts", "2"),
        ],
    );
    assert_eq!((request.field("error.type"), request.field("otel.status_code")), (None, None));
    let common = [("http.request.method", "POST"), ("url.full", "http://relay/v1/chat/completions"), ("server.address", "relay")];
    assert_fields(first, &common);
    assert_fields(first, &[("http.response.status_code", "503"), ("error.type", "status-503"), ("otel.status_code", "ERROR")]);
    assert_eq!(first.field("http.request.resend_count"), None);
    assert_fields(second, &common);
    assert_fields(second, &[("http.response.status_code", "200"), ("http.request.resend_count", "1")]);
    assert_eq!(second.field("error.type"), None);
    assert!(second.field("relaybench.waited_s").unwrap().starts_with("2."), "{second:?}");
}

#[test]
fn a_failure_is_told_by_its_kind() {
    let heard = told(|| async {
        let relay = RawRelay::start([busy()]);
        single_try(&relay).chat(asked()).await.unwrap_err();
    });
    assert_fields(
        &heard.spans()[0],
        &[("error.type", "status-503"), ("otel.status_code", "ERROR"), ("relaybench.attempts", "1")],
    );
}

#[test]
fn the_spans_of_a_stream_last_until_its_end() {
    let events = [
        r#"{"id":"chatcmpl-1","model":"gpt-4.1-2025","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}}"#,
        "[DONE]",
    ];
    let events = events.map(|event| format!("data: {event}\n\n")).concat();
    for (events, usage, error) in
        [(events.clone(), Some("1"), None), (events[..events.len() / 2].to_owned(), None, Some("truncated"))]
    {
        let heard = told(move || async move {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let relay = RawRelay::start([Step::WriteAndClose(head.to_owned() + &events)]);
            let mut stream = single_try(&relay).chat_stream(asked()).await.unwrap();
            while let Some(Ok(_)) = stream.next().await {}
        });
        let spans = heard.spans();
        let [request, attempt] = &spans[..] else { panic!("{spans:?}") };
        assert!(request.is_closed && attempt.is_closed);
        assert_fields(request, &[("gen_ai.response.model", "gpt-4.1-2025"), ("gen_ai.response.id", "chatcmpl-1")]);
        assert_eq!((request.field("gen_ai.usage.output_tokens"), request.field("error.type")), (usage, error));
        assert_eq!((attempt.field("http.response.status_code"), attempt.field("error.type")), (Some("200"), error));
    }
}

#[test]
fn the_finish_reasons_of_all_choices_are_told_as_an_array_in_json() {
    let choice = |index, reason| {
        format!(r#"{{"index":{index},"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"{reason}"}}"#)
    };
    let body = format!(r#"{{"choices":[{},{},{}]}}"#, choice(0, "stop"), choice(1, "length"), choice(2, "no \\\"name"));
    let delta = |index, reason| {
        format!(r#"data: {{"choices":[{{"index":{index},"delta":{{"content":"Hi"}},"finish_reason":{reason}}}]}}"#) + "\n\n"
    };
    let events = delta(0, "null") + &delta(1, "\"tool_calls\"") + &delta(0, "\"stop\"") + "data: [DONE]\n\n";
    let heard = told(move || async move {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let relay = RawRelay::start([json("200 OK", &[], &body), Step::WriteAndClose(head.to_owned() + &events)]);
        let client = single_try(&relay);
        client.chat(asked()).await.unwrap();
        let mut stream = client.chat_stream(asked()).await.unwrap();
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
        }
    });
    let reasons: Vec<_> =
        heard.spans().iter().filter_map(|span| span.field("gen_ai.response.finish_reasons").map(str::to_owned)).collect();
    assert_eq!(reasons, [r#"["stop","length","_OTHER"]"#, r#"["stop","tool_calls"]"#]);
}

#[test]
fn names_that_the_server_gives_are_told_only_where_they_are_names() {
    let long = "x".repeat(129);
    for (name, is_told) in [
        ("meta-llama/Llama-3.1:free", true),
        ("accounts/fireworks/models/x_1@2", true),
        (PROMPT, true),
        ("the prompt is private", false),
        ("", false),
        (&long, false),
        (KEY, false),
        ("model-sk-test-secret-1", false),
    ] {
        let name = name.to_owned();
        let body = format!(
            r#"{{"id":"{name}","model":"{name}","choices":[{{"index":0,"message":{{"content":"Hi"}},"delta":{{"content":"Hi"}},"finish_reason":"{name}"}}]}}"#
        );
        let heard = told(move || async move {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let relay = RawRelay::start([json("200 OK", &[], &body), Step::WriteAndClose(format!("{head}data: {body}\n\n"))]);
            let client = single_try(&relay);
            client.chat(asked()).await.unwrap();
            let mut stream = client.chat_stream(asked()).await.unwrap();
            while let Some(chunk) = stream.next().await {
                chunk.unwrap();
            }
        });
        let spans = heard.spans();
        for request in spans.iter().filter(|span| span.name == "request") {
            let expected = is_told.then_some(name.as_str());
            assert_eq!(request.field("gen_ai.response.model"), expected, "{name}");
            assert_eq!(request.field("gen_ai.response.id"), expected, "{name}");
            let reasons = format!("[\"{}\"]", expected.unwrap_or("_OTHER"));
            assert_eq!(request.field("gen_ai.response.finish_reasons"), Some(reasons.as_str()), "{name}");
        }
    }
}

#[test]
fn what_its_caller_gives_up_ends_as_cancelled() {
    let heard = told(|| async {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let begun = Step::Drip(vec![(Duration::ZERO, format!("{head}{chunk}")), (Duration::from_secs(3600), String::new())]);
        let relay = RawRelay::start([begun, Step::Hang]);
        let client = single_try(&relay);
        let mut stream = client.chat_stream(asked()).await.unwrap();
        stream.next().await.unwrap().unwrap();
        drop(stream);
        assert!(timeout_at(now() + Duration::from_secs(1), client.chat(asked())).await.is_err());
    });
    let spans = heard.spans();
    assert_eq!(spans.len(), 4);
    for span in spans {
        assert_fields(&span, &[("error.type", "cancelled"), ("otel.status_code", "ERROR")]);
        assert!(span.is_closed);
    }
}

#[test]
fn every_operation_has_its_name() {
    let heard = told(|| async {
        let vectors = r#"{"data":[{"index":0,"embedding":[1.0]}],"model":"e-1-small","usage":{"prompt_tokens":3}}"#;
        let steps = [vectors, r#"{"data":[]}"#, r#"{"id":"gpt-4.1"}"#].map(|body| json("200 OK", &[], body));
        let client = single_try(&RawRelay::start(steps));
        client.embeddings(EmbeddingsRequest::new("e-1").input(PROMPT)).await.unwrap();
        client.models().await.unwrap();
        client.model("gpt-4.1").await.unwrap();
    });
    let names: Vec<_> = heard.spans().iter().map(|span| span.field("otel.name").unwrap().to_owned()).collect();
    assert_eq!(names, ["embeddings e-1", "POST", "list_models", "GET", "list_models gpt-4.1", "GET"]);
    assert_fields(&heard.spans()[0], &[("gen_ai.response.model", "e-1-small"), ("gen_ai.usage.input_tokens", "3")]);
}

#[test]
fn no_prompt_no_answer_no_words_of_the_server_and_no_key_are_told() {
    let heard = told(|| async {
        let html = Step::Write(response("502 Bad Gateway", "text/html", &[("x-request-id", KEY)], &format!("{PROMPT} {KEY}")));
        let relay = RawRelay::start([busy(), html, Step::WriteAndClose(format!("HTTP/1.1 {KEY}\r\n\r\n")), busy()]);
        let client = relay.client().build().unwrap();
        client.chat(asked()).await.unwrap_err();
        client.chat_stream(asked()).await.map(drop).unwrap_err();
        client.embeddings(EmbeddingsRequest::new("e-1").input(PROMPT)).await.unwrap_err();
    });
    let text = heard.text();
    assert!(text.contains("attempt"), "{text}");
    for secret in [KEY, PROMPT, "too much"] {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
}
