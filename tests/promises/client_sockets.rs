//! The same promises over real sockets and both transports, against servers that are not ours where that is possible.

use std::time::Duration;

use futures_util::StreamExt;
use relaybench::client::{ErrorKind, Progress, RequestId, Timeout, TransportKind};
use relaybench::{Client, Policy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response, success};
use crate::support::sockets::{self, BOTH};

const EVENTS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn completion() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(COMPLETION, "application/json")
}

async fn answering(first: Option<ResponseTemplate>, then: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    if let Some(first) = first {
        Mock::given(method("POST")).respond_with(first).up_to_n_times(1).with_priority(1).mount(&server).await;
    }
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer sk-test-secret"))
        .and(body_partial_json(json!({"model": "gpt-4.1"})))
        .respond_with(then)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn an_independent_server_understands_the_request() {
    for transport in BOTH {
        let server = answering(None, completion()).await;
        let answer = sockets::client(*server.address(), transport).build().unwrap().chat(question()).await.unwrap();
        assert_eq!(answer.content(), "Hello.");
        assert!(answer.attempts()[0].sent.is_some(), "{transport:?}");
    }
}

#[tokio::test]
async fn a_stream_is_read_from_an_independent_server() {
    for transport in BOTH {
        let server = answering(None, ResponseTemplate::new(200).set_body_raw(EVENTS, "text/event-stream")).await;
        let stream = sockets::client(*server.address(), transport).build().unwrap().chat_stream(question()).await.unwrap();
        let text: String = stream.map(|chunk| chunk.unwrap().content().to_owned()).collect().await;
        assert_eq!(text, "Hello.", "{transport:?}");
    }
}

#[tokio::test]
async fn retry_after_ms_is_waited_for() {
    for transport in BOTH {
        let busy = ResponseTemplate::new(429).insert_header("retry-after-ms", "150").insert_header("retry-after", "9");
        let server = answering(Some(busy), completion()).await;
        let client = sockets::client(*server.address(), transport).policy(Policy::resilient()).build().unwrap();
        let attempts = client.chat(question()).await.unwrap().into_attempts();
        assert_eq!(attempts.len(), 2, "{transport:?}");
        let waited = attempts[1].started - attempts[0].ended;
        assert!(waited >= Duration::from_millis(150) && waited < Duration::from_secs(9), "{transport:?}: {waited:?}");
        let seen = server.received_requests().await.unwrap();
        assert_eq!(seen[0].headers["x-client-request-id"], seen[1].headers["x-client-request-id"]);
        assert_eq!(seen[1].headers["x-stainless-retry-count"], "1");
    }
}

#[tokio::test]
async fn a_401_is_not_retried() {
    for transport in BOTH {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(401)).expect(1).mount(&server).await;
        let client = sockets::client(*server.address(), transport).policy(Policy::resilient()).build().unwrap();
        assert!(client.chat(question()).await.unwrap_err().is_auth(), "{transport:?}");
    }
}

#[tokio::test]
async fn an_html_502_is_survived() {
    for transport in BOTH {
        let page = ResponseTemplate::new(502).set_body_raw("<html>502 Bad Gateway</html>", "text/html");
        let server = answering(Some(page), completion()).await;
        let client = sockets::client(*server.address(), transport).policy(Policy::resilient()).build().unwrap();
        assert_eq!(client.chat(question()).await.unwrap().attempts().len(), 2, "{transport:?}");
    }
}

#[tokio::test]
async fn a_silent_server_meets_the_read_timeout_and_a_slow_one_the_total() {
    let limit = Duration::from_millis(100);
    for transport in BOTH {
        let server = answering(None, completion().set_delay(Duration::from_secs(60))).await;
        let client = || sockets::client(*server.address(), transport);
        let silent = client().read_timeout(limit).build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::ReadTimeout, "{transport:?}");
        assert_eq!(silent.attempts()[0].progress, Progress::NoResponse, "{transport:?}");
        let slow = client().total_timeout(limit).build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(slow.kind(), ErrorKind::TotalTimeout, "{transport:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_host_are_told_apart() {
    for transport in BOTH {
        // A port that was just free: bound, and closed again.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = sockets::client(address, transport).build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Connect, "{transport:?}: {refused:?}");
        assert_eq!(refused.attempts()[0].progress, Progress::NeverSent, "{transport:?}");

        // Names below `invalid` never resolve; a label of 64 characters is not even asked for.
        let host = format!("http://{}.invalid/v1", "x".repeat(64));
        let client = Client::builder().base_url(host).policy(Policy::none()).validate_models(false).transport(transport);
        let unknown = client.build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Dns, "{transport:?}: {unknown:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_tls_error() {
    for transport in BOTH {
        let address = sockets::accept(|mut stream, _| {
            tokio::spawn(async move { stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await });
            Ok(())
        })
        .await;
        let client = Client::builder().base_url(format!("https://{address}/v1")).policy(Policy::none()).transport(transport);
        let error = client.validate_models(false).build().unwrap().chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{transport:?}: {error:?}");
        assert_eq!(error.attempts()[0].progress, Progress::NeverSent);
    }
}

#[tokio::test]
async fn a_reset_is_told_from_a_close() {
    for transport in BOTH {
        for (bytes, reset, close) in [
            ("", ErrorKind::Reset, ErrorKind::Closed),
            ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", ErrorKind::Reset, ErrorKind::Truncated),
        ] {
            for (is_reset, expected) in [(true, reset), (false, close)] {
                let address = sockets::accept(move |mut stream, _| {
                    tokio::spawn(async move {
                        let _ = stream.read(&mut [0; 4096]).await;
                        let _ = stream.write_all(bytes.as_bytes()).await;
                        // So that what was written is read before the reset overtakes it.
                        relaybench_clock::sleep(Duration::from_millis(50)).await;
                        if is_reset {
                            let _ = stream.set_zero_linger();
                        }
                    });
                    Ok(())
                })
                .await;
                let error = sockets::client(address, transport).build().unwrap().chat(question()).await.unwrap_err();
                assert_eq!(error.kind(), expected, "{transport:?}, reset: {is_reset}, after {bytes:?}: {error:?}");
            }
        }
    }
}

/// Keeps `concurrency` requests in flight until `total` have been answered.
async fn closed_loop(client: &Client, concurrency: usize, total: usize) {
    let prepared = client.prepare(&question()).unwrap();
    let workers = (0..concurrency).map(|worker| {
        let (client, prepared) = (client.clone(), prepared.clone());
        tokio::spawn(async move {
            for index in (worker..total).step_by(concurrency) {
                client.send(&prepared, RequestId::new(format!("r-{index}")).unwrap()).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

fn slow_success() -> RawRelay {
    let answer = response("200 OK", "application/json", &[], COMPLETION);
    RawRelay::start([Step::Drip(vec![(Duration::from_millis(2), answer)])])
}

/// On one thread, as in virtual time: see `TransportKind::Hyper` for what several threads may add.
#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_by_the_connect_timeout_of_the_client_or_of_the_request() {
    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(3600);
    for transport in BOTH {
        // Kept open, and silent.
        let address = sockets::accept(|stream, _| {
            tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(stream);
            });
            Ok(())
        })
        .await;
        let client = |connect| {
            let builder = sockets::client(address, transport).base_url(format!("https://{address}/v1"));
            builder.connect_timeout(connect).build().unwrap()
        };
        let by_client = client(SOON).chat(question()).await.unwrap_err();
        let by_request = client(LATE).chat(question().timeout(Timeout::Connect, SOON)).await.unwrap_err();
        let of_models = client(SOON).models().await.unwrap_err();
        for error in [by_client, by_request, of_models] {
            assert_eq!(error.kind(), ErrorKind::ConnectTimeout, "{transport:?}: {error:?}");
            assert_eq!(error.to_string(), "the connection was not open within the connect timeout of 50ms");
            let attempt = &error.attempts()[0];
            assert_eq!((attempt.progress, attempt.sent), (Progress::NeverSent, None), "{transport:?}");
            assert!(attempt.ended - attempt.started >= SOON, "{transport:?}");
        }
    }
}

#[tokio::test]
async fn hyper_opens_fifty_connections_for_a_thousand_requests_fifty_at_once() {
    let relay = slow_success();
    let address = sockets::serve(&relay).await;
    let client = sockets::client(address, TransportKind::Hyper).max_connections(50).build().unwrap();
    closed_loop(&client, 50, 1000).await;
    assert_eq!(relay.attempts().len(), 1000);
    assert!(relay.connections_opened() <= 50, "{} opened", relay.connections_opened());
}

#[tokio::test]
async fn hyper_keeps_its_cap_under_a_burst() {
    let relay = slow_success();
    let address = sockets::serve(&relay).await;
    let client = sockets::client(address, TransportKind::Hyper).max_connections(10).build().unwrap();
    closed_loop(&client, 500, 1000).await;
    assert!(relay.connections_opened() <= 10, "{} opened", relay.connections_opened());
}

/// What is documented at `TransportKind::Network`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_opens_few_more_connections_than_attempts_in_flight() {
    let relay = slow_success();
    let address = sockets::serve(&relay).await;
    let client = sockets::client(address, TransportKind::Network).max_connections(50).build().unwrap();
    closed_loop(&client, 200, 1000).await;
    assert_eq!(relay.attempts().len(), 1000);
    assert!(relay.connections_opened() <= 100, "{} opened", relay.connections_opened());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_caps_attempts_in_flight() {
    let relay = RawRelay::start([Step::Hang]);
    let address = sockets::serve(&relay).await;
    let client = sockets::client(address, TransportKind::Network).max_connections(5).build().unwrap();
    let calls = tokio::spawn(async move { client.batch((0..20).map(|_| question()), 20).await });
    until("five attempts came", || relay.attempts().len() >= 5).await;
    // A sixth would have come with the others.
    relaybench_clock::sleep(Duration::from_millis(100)).await;
    assert_eq!(relay.attempts().len(), 5);
    calls.abort();
}

/// Waits for something that takes as long as the machine needs.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = relaybench_clock::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(relaybench_clock::now() < deadline, "not until 30 s: {what}");
        relaybench_clock::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn idle_connections_close_over_both_transports() {
    for transport in BOTH {
        let relay = RawRelay::start([success()]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).idle_timeout(Duration::from_millis(100)).build().unwrap();
        client.chat(question()).await.unwrap();
        assert_eq!(relay.connections_live(), 1, "{transport:?}");
        until("the idle connection closes", || relay.connections_live() == 0).await;
    }
}

#[tokio::test]
async fn dropping_a_call_frees_its_place_over_both_transports() {
    for transport in BOTH {
        let relay = RawRelay::start([Step::Hang, success()]);
        let address = sockets::serve(&relay).await;
        let client = sockets::client(address, transport).max_connections(1).build().unwrap();
        let soon = relaybench_clock::now() + Duration::from_millis(100);
        relaybench_clock::timeout_at(soon, client.chat(question())).await.unwrap_err();
        client.chat(question()).await.unwrap();
    }
}
