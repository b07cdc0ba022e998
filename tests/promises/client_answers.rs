//! What counts as an answer, and what an error tells.

use std::error::Error as _;

use relaybench::client::{Catalog, ErrorKind, Policy};
use relaybench::{ChatRequest, Client};
use relaybench_clock::run_virtual;

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, error, json, question, response, success};

/// What one attempt at this step ends with.
fn kind_of(step: Step) -> ErrorKind {
    run_virtual(async move {
        let relay = RawRelay::start([step]);
        let client = relay.client().policy(Policy::none()).build().unwrap();
        client.chat(question()).await.unwrap_err().kind()
    })
}

#[test]
fn a_cut_response_is_no_answer() {
    let whole = response("200 OK", "application/json", &[], COMPLETION);
    let cut = |bytes: usize| Step::WriteAndClose(whole[..whole.len() - bytes].to_owned());
    assert_eq!(kind_of(cut(1)), ErrorKind::Truncated);
    assert_eq!(kind_of(cut(COMPLETION.len())), ErrorKind::Truncated);
    assert_eq!(kind_of(cut(whole.len())), ErrorKind::Closed);
    // Without a length the end of the connection is the end of the body: then the JSON must tell.
    let unmeasured = |body: &str| Step::WriteAndClose(format!("HTTP/1.1 200 OK\r\n\r\n{body}"));
    assert_eq!(kind_of(unmeasured(&COMPLETION[..100])), ErrorKind::Truncated);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n";
    assert_eq!(kind_of(Step::WriteAndClose(chunked.to_owned())), ErrorKind::Truncated);
}

#[test]
fn a_200_with_an_error_inside_is_an_error() {
    for body in [
        r#"{"error":{"message":"upstream failed","type":"upstream_error","code":"bad_response_status_code"}}"#,
        r#"{"error":"overloaded"}"#,
        r#"{"object":"error","message":"no"}"#,
        r#"{"error":{"message":"no"},"choices":[]}"#,
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"error"}]}"#,
    ] {
        assert_eq!(kind_of(json("200 OK", &[], body)), ErrorKind::InBand, "{body}");
    }
}

#[test]
fn a_200_of_another_shape_is_an_error() {
    for body in ["", "[]", "null", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"index":0}]}"#, "<html></html>", "{\"choices\":[}"]
    {
        let kind = kind_of(json("200 OK", &[], body));
        assert!(matches!(kind, ErrorKind::Malformed | ErrorKind::Truncated), "{body:?}: {kind}");
    }
    assert_eq!(kind_of(Step::WriteAndClose("SSH-2.0-OpenSSH\r\n\r\n".to_owned())), ErrorKind::Malformed);
}

#[test]
fn a_redirect_is_not_followed() {
    let step = Step::Write(response("307 Temporary Redirect", "text/plain", &[("location", "http://elsewhere/v1")], ""));
    assert_eq!(kind_of(step), ErrorKind::Status(307));
}

#[test]
fn an_error_tells_status_message_body_and_request_id() {
    run_virtual(async {
        let relay = RawRelay::start([error("404 Not Found", "model_not_found", &[("x-request-id", "req_1")])]);
        let error = relay.client().build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(error.to_string(), "status 404: no");
        assert_eq!(error.kind().as_str(), "status-404");
        assert_eq!(error.status(), Some(404));
        assert!(error.body().unwrap().contains("model_not_found"));
        assert_eq!(error.attempts()[0].server_request_id.as_deref(), Some("req_1"));
    });
}

#[test]
fn the_key_appears_in_no_debug_and_no_error() {
    const KEY: &str = "sk-test-secret";
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}","type":"invalid_request_error"}}}}"#);
    let unlike = format!(r#"{{"choices":"{KEY}"}}"#);
    let scripts = [
        json("401 Unauthorized", &[("x-request-id", KEY)], &echo),
        json("200 OK", &[], &echo),
        json("200 OK", &[], &unlike),
        Step::WriteAndClose(format!("HTTP/1.1 {KEY}\r\n\r\n")),
        Step::Write(response("200 OK", "text/event-stream", &[], &format!("data: {echo}\n\n"))),
    ];
    for step in scripts {
        run_virtual(async move {
            let relay = RawRelay::start([step.clone()]);
            let builder = relay.client();
            assert!(!format!("{builder:?}").contains(KEY));
            let client = builder.build().unwrap();
            assert!(!format!("{client:?}").contains(KEY));
            for error in [client.chat(question()).await.unwrap_err(), client.chat_stream(question()).await.map(drop).unwrap_err()]
            {
                let mut told = format!("{error:?} {error} {:?}", error.body());
                let mut source = error.source();
                while let Some(below) = source {
                    told += &format!(" {below} {below:?}");
                    source = below.source();
                }
                assert!(!told.contains(KEY), "{step:?}: {told}");
            }
        });
    }
    let error = Client::builder().base_url("http://relay/v1").api_key("sk-test\nsecret").build().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
}

#[test]
fn an_unknown_model_is_not_sent() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().models(Catalog::default()).build().unwrap();
        let error = client.chat(ChatRequest::new("gpt-4.l").user("Hi")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownModel);
        assert!(
            error.to_string().starts_with("unknown model \"gpt-4.l\"; did you mean \"gpt-4.1\"? (known: gpt-4.1,"),
            "{error}"
        );
        assert_eq!(relay.attempts().len(), 0);
        let unchecked = relay.client().validate_models(false).build().unwrap();
        unchecked.chat(ChatRequest::new("gpt-4.l").user("Hi")).await.unwrap();
    });
}

#[test]
fn a_batch_keeps_its_order_and_one_failure_does_not_lose_the_others() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let model = |index: usize| if index == 3 { "no-such-model" } else { "gpt-4.1" };
        let requests = (0..100).map(|index| ChatRequest::new(model(index)).user(format!("question {index}")));
        let answers = client.batch(requests, 8).await;
        assert_eq!(answers.len(), 100);
        let failed: Vec<usize> = (0..100).filter(|index| answers[*index].is_err()).collect();
        assert_eq!(failed, [3]);
        assert!(relay.connections_live_peak() <= 8);
    });
}

#[test]
fn a_batch_gives_each_request_its_own_answer() {
    run_virtual(async {
        // The answers come in the order of the requests, the first after the longest wait.
        let step = |index: u64| {
            let body = COMPLETION.replace("Hello.", &format!("answer {index}"));
            let wait = std::time::Duration::from_millis(100 - 10 * index);
            Step::Drip(vec![(wait, response("200 OK", "application/json", &[], &body))])
        };
        let relay = RawRelay::start((0..5).map(step).collect::<Vec<_>>());
        let requests = (0..5).map(|_| question());
        let answers = relay.client().build().unwrap().batch(requests, 5).await;
        let contents: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().content().to_owned()).collect();
        assert_eq!(contents, ["answer 0", "answer 1", "answer 2", "answer 3", "answer 4"]);
    });
}

#[test]
fn the_models_are_listed() {
    run_virtual(async {
        let list = r#"{"object":"list","data":[{"id":"gpt-4.1","object":"model","created":1,"owned_by":"openai"},{"id":"x"}]}"#;
        let relay = RawRelay::start([error("503 Service Unavailable", "busy", &[]), json("200 OK", &[], list)]);
        let models = relay.client().build().unwrap().models().await.unwrap();
        assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["gpt-4.1", "x"]);
        assert!(relay.attempts()[0].head.starts_with("GET /v1/models HTTP/1.1\r\n"));
    });
}
