//! HTTP/1.1 and HTTP/2 on one port, and ending in peace.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http_body_util::BodyExt;
use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{Ending, MockRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{chat, connect, http2, ms, profile, server, status, text};

const TEN_TOKENS_A_SECOND: &str =
    "latency.first_token = { dist = \"fixed\", value = \"100ms\" }\nlatency.inter_token = { dist = \"fixed\", value = \"100ms\" }
completion.tokens = { dist = \"fixed\", value = 20 }";

#[test]
fn many_requests_share_a_connection_of_http2_and_are_answered_side_by_side() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"1s\" }");
        let (sender, _) = http2::handshake(connect(&server)).await;
        let start = now();
        let answers: Vec<_> = (0..50)
            .map(|_| {
                let mut sender = sender.clone();
                tokio::spawn(async move { http2::exchange(&mut sender, http2::chat("")).await.unwrap() })
            })
            .collect();
        for answer in answers {
            let (status, body) = answer.await.unwrap();
            assert!(status == 200 && body.contains("chat.completion"), "{status} {body}");
        }
        assert_eq!(now() - start, ms(1_000));
        let entries = server.ledger().entries();
        assert!(entries.len() == 50 && entries.iter().all(|entry| entry.connection == 0 && entry.ending == Ending::Served));
    });
}

#[test]
fn a_stream_over_http2_has_the_same_events_at_the_same_instants() {
    run_virtual(async {
        let server = server(TEN_TOKENS_A_SECOND);
        let (mut sender, _) = http2::handshake(connect(&server)).await;
        let start = now();
        let mut response = sender.send_request(http2::chat(",\"stream\":true")).await.unwrap();
        let (mut instants, mut events) = (Vec::new(), String::new());
        while let Some(frame) = response.body_mut().frame().await {
            instants.push((now() - start).as_millis());
            events.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
        assert_eq!(instants, (1..=20).map(|tenth| tenth * 100).collect::<Vec<_>>());
        assert!(events.ends_with("data: [DONE]\n\n"), "{events}");
    });
}

#[test]
fn a_beginning_that_only_resembles_http2_is_http1() {
    run_virtual(async {
        let server = server("");
        let request = String::from_utf8(chat("", "")).unwrap();
        let rest = |beginning| request.strip_prefix(beginning).unwrap();
        for (beginning, rest, expected) in [
            ("P", rest("P"), 200),
            ("POST /", rest("POST /"), 200),
            // A method that nobody knows.
            ("PR", &request[..], 405),
            ("PRI * HTTP/2.0\r\n\r\nSX", "", 400),
        ] {
            let mut connection = connect(&server);
            connection.write_all(beginning.as_bytes()).await.unwrap();
            sleep(ms(1)).await;
            connection.write_all(rest.as_bytes()).await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            assert_eq!(status(&answer), expected, "{beginning:?}: {answer}");
        }
    });
}

#[test]
fn a_relay_takes_both_protocols_on_one_port() {
    let relay = MockRelay::start(profile("")).unwrap();
    let mut connection = TcpStream::connect(relay.addr()).unwrap();
    connection.write_all(&chat("", "")).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(relay.addr()).await.unwrap();
        let (mut sender, _) = http2::handshake(stream).await;
        assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
    });
}

#[test]
fn draining_lets_streams_end_closes_what_is_idle_and_takes_nobody_in() {
    run_virtual(async {
        let server = server(TEN_TOKENS_A_SECOND);
        let mut idle = connect(&server);
        let streamed = tokio::spawn({
            let server = server.clone();
            async move { text(&server, &chat("", ",\"stream\":true")).await }
        });
        let (mut sender, ended) = http2::handshake(connect(&server)).await;
        let mut over_http2 = sender.send_request(http2::chat(",\"stream\":true")).await.unwrap();
        // Its first token is there.
        let start = now();
        let drained = tokio::spawn({
            let server = server.clone();
            async move {
                server.drain().await;
                now()
            }
        });
        assert_eq!(idle.read(&mut [0; 10]).await.unwrap(), 0);
        let mut late = connect(&server);
        assert_eq!(late.read(&mut [0; 10]).await.unwrap(), 0);
        assert_eq!(now(), start);
        assert!(streamed.await.unwrap().ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
        let body = over_http2.body_mut().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
        ended.await.unwrap().unwrap();
        assert_eq!(drained.await.unwrap() - start, ms(1_900));
        assert!(sender.ready().await.is_err());
        assert!(server.ledger().entries().iter().all(|entry| entry.ending == Ending::Served));
    });
}

#[test]
fn a_relay_that_is_shut_down_waits_for_what_it_owes_and_no_longer_than_it_may() {
    let slow = "latency.total = { dist = \"fixed\", value = \"300ms\" }";
    for (toml, patience, ending) in
        [(slow, Duration::from_secs(3600), Ending::Served), ("[[fault]]\nfault = \"hang\"", ms(50), Ending::Stopped)]
    {
        let relay = MockRelay::start(profile(toml)).unwrap();
        let (addr, ledger) = (relay.addr(), relay.ledger().clone());
        let mut connection = TcpStream::connect(addr).unwrap();
        connection.write_all(&chat("", "")).unwrap();
        while relay.server().in_flight() < 1 {
            std::thread::yield_now();
        }
        relay.shutdown(patience);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 OK"), ending == Ending::Served);
        assert_eq!(ledger.entries()[0].ending, ending);
        assert!(TcpStream::connect(addr).is_err());
    }
}

#[test]
fn draining_does_not_wait_for_those_who_never_asked() {
    run_virtual(async {
        let slow = "[[fault]]\nfault = \"slow-accept=1h\"";
        for (toml, sent) in [(slow, ""), ("", "PRI *"), ("", "GET /healthz HTTP/1.1\r\nhost: a\r\n")] {
            let server = server(toml);
            let mut connection = connect(&server);
            connection.write_all(sent.as_bytes()).await.unwrap();
            sleep(ms(1)).await;
            assert_eq!(server.connections(), 1, "{sent}");
            let start = now();
            server.drain().await;
            assert_eq!(now() - start, ms(0), "{sent}");
            assert_eq!(connection.read(&mut [0; 10]).await.unwrap(), 0, "{sent}");
        }
    });
}

#[test]
fn a_head_that_is_too_long_is_431_over_http2_as_well() {
    run_virtual(async {
        let server = server("");
        let (mut sender, _) = http2::handshake(connect(&server)).await;
        for (bytes, expected) in [(60_000, 200), (66_000, 431), (100_000, 431), (10, 200)] {
            let health = hyper::Request::get("http://mock/healthz").header("x-long", "a".repeat(bytes));
            let health = health.body(http_body_util::Empty::new().boxed()).unwrap();
            assert_eq!(
                http2::exchange(&mut sender, health).await.map(|(status, _)| status.as_u16()).ok(),
                Some(expected),
                "{bytes}"
            );
        }
    });
}
