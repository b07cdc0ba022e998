//! The same promises hold over both transports, over sockets and in memory, against the mock relay and against a server that
//! shares no code with it. What wiremock cannot do, a relay that writes raw bytes does in its place.

use std::time::Duration;

use relaybench::client::{
    Client, ClientBuilder, ErrorKind, Policy, Proof, RequestId, StreamEnd, Timeout, TransportKind, connector,
};
use relaybench::{ChatRequest, Error};
use relaybench_clock::run_virtual;
use relaybench_mock::{MockRelay, MockServer, Profile};
use tokio::runtime::Builder;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question};
use crate::support::runs::profile;
use crate::support::sockets;

const KEY: &str = "sk-agreed";
const HOUR: Duration = Duration::from_secs(3600);
/// Long beside what any machine needs to answer at once, and short beside an hour.
const PATIENCE: Duration = Duration::from_secs(20);

const EVENTS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello.\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// One promise: what the relay does, as the mock's profile and as another server's answers, and what comes of it.
struct Promise {
    name: &'static str,
    /// The mock's profile.
    profile: String,
    /// Where wiremock cannot do it: what a relay writes, byte for byte, in its place, when it is asked for a stream or not.
    raw: Option<fn(bool) -> Step>,
    /// What the other server answers first, streamed or not, if it is not the good answer.
    first: Option<fn(bool) -> ResponseTemplate>,
    /// Whether the good answer follows.
    passes: bool,
    /// Whether it is asked for streamed answers, and for whole ones.
    streamed: &'static [bool],
    client: fn(ClientBuilder) -> ClientBuilder,
    request: fn() -> ChatRequest,
    expected: Outcome,
}

/// What came of a request, and nothing that may differ between machines.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    failure: Option<ErrorKind>,
    /// Of each attempt.
    statuses: Vec<Option<u16>>,
    /// Whether the waits before the attempts were what the server asked for.
    hints_obeyed: Vec<bool>,
}

fn outcome(failure: Option<ErrorKind>, statuses: &[u16], hints_obeyed: &[bool]) -> Outcome {
    let statuses = statuses.iter().map(|status| Some(*status)).collect();
    Outcome { failure, statuses, hints_obeyed: hints_obeyed.to_vec() }
}

fn unanswered(failure: ErrorKind) -> Outcome {
    Outcome { failure: Some(failure), statuses: vec![None], hints_obeyed: vec![false] }
}

fn failing(status: u16, kind: &str) -> ResponseTemplate {
    let body = format!(r#"{{"error":{{"message":"no","type":"{kind}","param":null,"code":"{kind}"}}}}"#);
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

fn unchanged(builder: ClientBuilder) -> ClientBuilder {
    builder
}

fn promises() -> Vec<Promise> {
    let promise = |name, profile: &str, expected| Promise {
        name,
        profile: profile.to_owned(),
        raw: None,
        first: None,
        passes: true,
        streamed: &[false, true],
        client: unchanged,
        request: question,
        expected,
    };
    vec![
        promise("a good answer is one attempt", "", outcome(None, &[200], &[false])),
        Promise {
            first: Some(|_| failing(401, "invalid_api_key")),
            passes: false,
            client: |builder| builder.api_key("sk-wrong"),
            ..promise(
                "a refused key is not tried again",
                "[auth]\nkeys = [\"sk-agreed\"]",
                outcome(Some(ErrorKind::Status(401)), &[401], &[false]),
            )
        },
        Promise {
            first: Some(|_| failing(404, "model_not_found")),
            passes: false,
            client: |builder| builder.validate_models(false),
            request: || ChatRequest::new("no-such-model").user("Hi"),
            ..promise("an unknown model is not tried again", "", outcome(Some(ErrorKind::Status(404)), &[404], &[false]))
        },
        Promise {
            first: Some(|_| failing(429, "rate_limit_exceeded").insert_header("retry-after-ms", "20")),
            ..promise(
                "a 429 is waited for as long as it says",
                "[[burst]]\nevery = \"24h\"\nfor = \"24h\"\nshare = 0.5\nretry_after = \"20ms\"",
                outcome(None, &[429, 200], &[false, true]),
            )
        },
        Promise {
            first: Some(|_| failing(503, "server_is_overloaded")),
            client: |builder| builder.backoff(Duration::from_millis(20), 1.0, Duration::from_millis(20)),
            ..promise(
                "a 503 is tried again",
                "[[fault]]\nfault = \"status=503\"\nprobability = 0.5",
                outcome(None, &[503, 200], &[false, false]),
            )
        },
        Promise {
            first: Some(|_| failing(503, "server_is_overloaded")),
            passes: false,
            client: |builder| builder.attempts(3).backoff(Duration::from_millis(5), 1.0, Duration::from_millis(5)),
            ..promise(
                "tries are counted",
                "[[fault]]\nfault = \"status=503\"\nprobability = 1.0",
                outcome(Some(ErrorKind::Status(503)), &[503, 503, 503], &[false; 3]),
            )
        },
        Promise {
            first: Some(|_| ResponseTemplate::new(200).set_delay(HOUR)),
            passes: false,
            client: |builder| builder.total_timeout(Duration::from_millis(100)),
            ..promise(
                "a hang ends at the total timeout",
                "[[fault]]\nfault = \"hang\"\nprobability = 1.0",
                unanswered(ErrorKind::TotalTimeout),
            )
        },
        Promise {
            first: Some(|_| ResponseTemplate::new(200).set_delay(HOUR)),
            passes: false,
            client: |builder| builder.policy(Policy::none()).read_timeout(Duration::from_millis(100)),
            ..promise(
                "a silence ends at the read timeout",
                "[latency]\ntotal = { dist = \"fixed\", value = \"1h\" }",
                unanswered(ErrorKind::ReadTimeout),
            )
        },
        Promise {
            first: Some(|_| ResponseTemplate::new(200).set_delay(HOUR)),
            passes: false,
            streamed: &[true],
            client: |builder| builder.policy(Policy::none()).timeout(Timeout::FirstToken, Duration::from_millis(100)),
            ..promise(
                "a stream that does not begin ends at the first-token timeout",
                "[latency]\ntotal = { dist = \"fixed\", value = \"1h\" }",
                unanswered(ErrorKind::FirstTokenTimeout),
            )
        },
        Promise {
            // wiremock always keeps to the length that it says.
            raw: Some(|streamed| Step::WriteAndClose(head(streamed, "content-length: 1000") + cut(streamed))),
            ..broken("an answer that is cut is no answer", ErrorKind::Truncated, "truncate", |streamed| {
                answer(streamed, cut(streamed))
            })
        },
        broken("an error in a response that says 200 is one", ErrorKind::InBand, "error-in-200", |_| answer(false, FAILED)),
        Promise {
            streamed: &[true],
            ..broken("an error in the middle of a stream is its end", ErrorKind::InBand, "error-event", |_| {
                answer(true, &format!("{}data: {FAILED}\n\n", cut(true)))
            })
        },
        Promise {
            streamed: &[true],
            client: |builder| {
                let mut proof = Proof::default();
                (proof.finish_reason, proof.usage) = (false, false);
                builder.policy(Policy::none()).proof(proof)
            },
            ..broken("a stream that ends without proof of its end is cut", ErrorKind::Truncated, "no-done", |_| {
                answer(true, EVENTS.trim_end_matches("data: [DONE]\n\n"))
            })
        },
    ]
}

/// What is answered with 200 and fails all the same, in one attempt: by this fault of the mock, and as another server does it.
fn broken(name: &'static str, kind: ErrorKind, fault: &str, first: fn(bool) -> ResponseTemplate) -> Promise {
    Promise {
        name,
        profile: format!("[[fault]]\nfault = \"{fault}\"\nprobability = 1.0"),
        raw: None,
        first: Some(first),
        passes: false,
        streamed: &[false, true],
        client: |builder| builder.policy(Policy::none()),
        request: question,
        expected: outcome(Some(kind), &[200], &[false]),
    }
}

fn content_type(streamed: bool) -> &'static str {
    if streamed { "text/event-stream" } else { "application/json" }
}

fn head(streamed: bool, header: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{header}\r\n\r\n", content_type(streamed))
}

fn answer(streamed: bool, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, content_type(streamed))
}

/// The beginning of a good answer.
fn cut(streamed: bool) -> &'static str {
    let whole = if streamed { EVENTS } else { COMPLETION };
    &whole[..whole.find("Hello.").expect("it says so") + if streamed { "Hello.\"}}]}\n\n".len() } else { 0 }]
}

const FAILED: &str = r#"{"error":{"message":"no","type":"server_error"}}"#;

/// Asks, whole or streamed, and tells what came of it. Whatever succeeds must be complete.
async fn ask(client: &Client, request: ChatRequest, streamed: bool) -> Outcome {
    let told = |attempts: &[relaybench::client::Attempt], error: Option<&Error>| Outcome {
        failure: error.map(Error::kind),
        statuses: attempts.iter().map(|attempt| attempt.status).collect(),
        hints_obeyed: attempts.iter().map(|attempt| attempt.hint_obeyed).collect(),
    };
    if !streamed {
        return match client.chat(request).await {
            Ok(answer) => {
                assert!(!answer.content().is_empty() && answer.usage().is_some() && answer.finish_reason().is_some());
                told(answer.attempts(), None)
            }
            Err(error) => told(error.attempts(), Some(&error)),
        };
    }
    let mut stream = match client.chat_stream(request).await {
        Ok(stream) => stream,
        Err(error) => return told(error.attempts(), Some(&error)),
    };
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => text += chunk.content(),
            Err(error) => return told(error.attempts(), Some(&error)),
        }
    }
    assert!(!text.is_empty() && stream.ended_by() == Some(StreamEnd::Done));
    told(stream.attempts(), None)
}

fn client(promise: &Promise, base_url: &str) -> ClientBuilder {
    (promise.client)(Client::builder().base_url(base_url).api_key(KEY).total_timeout(PATIENCE).seed(1))
}

/// The mock draws what befalls an attempt by the request's id: one whose first attempts fare as expected, and everywhere the same.
fn request_id(promise: &Promise, streamed: bool) -> RequestId {
    (0..1000)
        .map(|number| RequestId::new(format!("agreed-{number}")).unwrap())
        .find(|id| in_memory(promise, id, streamed) == promise.expected)
        .unwrap_or_else(|| panic!("{}: the mock never does this", promise.name))
}

/// hyper over connections in memory, against the mock, in virtual time.
fn in_memory(promise: &Promise, id: &RequestId, streamed: bool) -> Outcome {
    let server = MockServer::new(mock_profile(promise));
    let dial = move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(server.serve_connection(far));
        Ok(near)
    };
    let builder = client(promise, "http://mock/v1").connector(connector::memory(dial, Duration::ZERO));
    let (client, request) = (builder.build().unwrap(), (promise.request)().request_id(id.clone()));
    run_virtual(async move { ask(&client, request, streamed).await })
}

fn mock_profile(promise: &Promise) -> Profile {
    profile(&format!("name = \"agreed\"\n{}", promise.profile))
}

/// Over sockets, against the mock.
fn over_sockets(promise: &Promise, id: &RequestId, streamed: bool, transport: TransportKind) -> Outcome {
    let relay = MockRelay::start(mock_profile(promise)).unwrap();
    let request = (promise.request)().request_id(id.clone());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let client = client(promise, &relay.base_url()).transport(transport).build().unwrap();
        ask(&client, request, streamed).await
    })
}

/// Over sockets, against a server that shares no code with the mock.
fn against_another(promise: &Promise, streamed: bool) -> Outcome {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        if let Some(raw) = promise.raw {
            let address = sockets::serve(&RawRelay::start([raw(streamed)])).await;
            return ask(&client(promise, &format!("http://{address}/v1")).build().unwrap(), (promise.request)(), streamed).await;
        }
        let server = wiremock::MockServer::start().await;
        if let Some(first) = promise.first {
            let first = Mock::given(method("POST")).respond_with(first(streamed));
            let first = if promise.passes { first.up_to_n_times(1) } else { first };
            first.with_priority(1).mount(&server).await;
        }
        let good = match streamed {
            true => ResponseTemplate::new(200).set_body_raw(EVENTS, "text/event-stream"),
            false => ResponseTemplate::new(200).set_body_raw(COMPLETION, "application/json"),
        };
        let asked = Mock::given(method("POST")).and(path("/v1/chat/completions"));
        asked.and(header("authorization", format!("Bearer {KEY}"))).respond_with(good).mount(&server).await;
        let client = client(promise, &format!("{}/v1", server.uri())).build().unwrap();
        ask(&client, (promise.request)(), streamed).await
    })
}

#[test]
fn wiremock_and_the_mock_agree_over_both_transports_and_in_memory() {
    for promise in promises() {
        for &streamed in promise.streamed {
            let id = request_id(&promise, streamed);
            for (set_up, found) in [
                ("network, another server", against_another(&promise, streamed)),
                ("network, mock", over_sockets(&promise, &id, streamed, TransportKind::Network)),
                ("hyper, mock", over_sockets(&promise, &id, streamed, TransportKind::Hyper)),
                ("hyper, mock in memory", in_memory(&promise, &id, streamed)),
            ] {
                assert_eq!(found, promise.expected, "{} ({set_up}, streamed: {streamed})", promise.name);
            }
        }
    }
}
