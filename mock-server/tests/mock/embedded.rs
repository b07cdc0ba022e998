//! A relay on a thread and a socket of its own.

use std::io::{Read, Write};
use std::net::TcpStream;

use relaybench_mock::{Ending, MockRelay};

use crate::support::{chat, profile, status};

fn send(relay: &MockRelay, request: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(relay.addr()).unwrap();
    connection.write_all(request).unwrap();
    connection
}

fn answer(relay: &MockRelay, request: &[u8]) -> String {
    let mut answer = String::new();
    send(relay, request).read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_answers_over_a_socket_as_soon_as_it_is_started() {
    let relay = MockRelay::start(profile("")).unwrap();
    let answer = answer(&relay, &chat("x-client-request-id: a\r\n", ""));
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("\r\ndate: "));
    assert_eq!(relay.base_url(), format!("http://{}/v1", relay.addr()));
    assert_eq!(relay.ledger().entries()[0].request_id.as_deref(), Some("a"));
}

#[test]
fn requests_draw_the_same_over_sockets_as_in_memory() {
    const DRAWN: &str = "latency.total = { dist = \"uniform\", min = \"1ms\", max = \"9ms\" }";
    let requests: Vec<Vec<u8>> =
        (0..20).map(|id| chat(&format!("x-client-request-id: {id}\r\nx-stainless-retry-count: 0\r\n"), "")).collect();
    let relay = MockRelay::start(profile(DRAWN)).unwrap();
    for request in &requests {
        answer(&relay, request);
    }
    let in_memory = relaybench_clock::run_virtual(async move {
        let server = crate::support::server(DRAWN);
        for request in &requests {
            crate::support::exchange(&server, request).await;
        }
        server.ledger().entries()
    });
    let drawn = |entries: Vec<relaybench_mock::Entry>| {
        entries.into_iter().map(|entry| (entry.request_id, entry.tokens, entry.latency_ns)).collect::<Vec<_>>()
    };
    let over_sockets = relay.ledger().entries();
    assert!(over_sockets.iter().all(|entry| entry.end_written_ns >= entry.due_end_ns));
    assert_eq!(drawn(over_sockets), drawn(in_memory));
}

#[test]
fn dropping_it_closes_connections_and_says_so_in_the_ledger() {
    let relay = MockRelay::start(profile("[[fault]]\nfault = \"hang\"\nprobability = 1.0\n")).unwrap();
    let ledger = relay.ledger().clone();
    let mut connection = send(&relay, &chat("", ""));
    while relay.server().in_flight() < 1 {
        std::thread::yield_now();
    }
    drop(relay);
    let mut rest = Vec::new();
    assert!(matches!(connection.read_to_end(&mut rest), Ok(0) | Err(_)));
    assert_eq!(ledger.entries()[0].ending, Ending::Stopped);
}

#[test]
fn hundreds_of_callers_at_once_are_all_accepted() {
    let relay = MockRelay::start(profile("latency.total = { dist = \"fixed\", value = \"50ms\" }")).unwrap();
    let connections: Vec<TcpStream> = (0..400).map(|_| send(&relay, &chat("", ""))).collect();
    for mut connection in connections {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), 200);
    }
    assert_eq!(relay.ledger().connections_opened(), 400);
}
