//! Faults before the body, their instants, and the places that they hold.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{Ending, FaultKind, MockRelay, MockServer, Place};

use super::seen::{End, PROFILE, is_played, ordinary, seen};
use crate::support::{Part, chat, exchange, ms, profile, server};

/// What is read of a request, and when, in milliseconds.
async fn instants(server: &MockServer, request: &[u8]) -> (Vec<u64>, String) {
    let start = now();
    let parts = exchange(server, request).await;
    let at = |part: &Part| (part.at - start).as_millis() as u64;
    (parts.iter().map(at).collect(), parts.into_iter().map(|part| part.text).collect())
}

#[test]
fn a_hang_is_silence() {
    let (seen, entry) = seen("hang", false);
    assert_eq!((seen.head.as_str(), seen.end), ("", End::Open));
    is_played(&entry, Ending::Hung);
}

#[test]
fn a_reset_before_the_head_is_a_reset_and_no_end() {
    for is_stream in [false, true] {
        let (seen, entry) = seen("reset", is_stream);
        assert_eq!((seen.head.as_str(), seen.end), ("", End::Reset));
        is_played(&entry, Ending::Broken);
    }
}

#[test]
fn a_slow_head_is_the_same_head_and_the_last_of_its_connection() {
    for is_stream in [false, true] {
        let (slow, entry) = seen("slow-headers=60ms", is_stream);
        let quick = ordinary(is_stream);
        let sorted = |head: &str| {
            let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!((sorted(&slow.head), slow.end), (sorted(&quick.head), End::Closed));
        match is_stream {
            true => assert_eq!(slow.unchunked(), quick.unchunked()),
            false => assert_eq!(slow.rest, quick.rest),
        }
        assert_eq!(slow.header("connection"), Some("close"));
        is_played(&entry, Ending::Served);
    }
}

#[test]
fn a_slow_head_comes_a_line_at_a_time_after_the_latency() {
    run_virtual(async {
        let server = server(&format!("{PROFILE}latency.total = {{ dist = \"fixed\", value = \"1s\" }}"));
        let (at, text) = instants(&server, &chat("x-mock-fault: slow-headers=7s\r\n", "")).await;
        // A status, four headers of the dialect, the connection's and the length's, and the end of the head, with which the body comes.
        assert_eq!(at, [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000], "{text}");
        assert!(text.ends_with('}'));
    });
}

#[test]
fn a_body_drips_at_its_rate() {
    for is_stream in [false, true] {
        let (dripped, entry) = seen("drip=20000", is_stream);
        let whole = ordinary(is_stream);
        match is_stream {
            true => assert_eq!(dripped.unchunked(), whole.unchunked()),
            false => assert_eq!((dripped.head, dripped.rest, dripped.end), (whole.head, whole.rest, whole.end)),
        }
        is_played(&entry, Ending::Served);
    }
    run_virtual(async {
        let server = server(&format!("{PROFILE}latency.total = {{ dist = \"fixed\", value = \"1s\" }}"));
        let (at, text) = instants(&server, &chat("x-mock-fault: drip=100\r\n", "")).await;
        let bytes = text.split_once("\r\n\r\n").unwrap().1.len() as u64;
        // The first byte comes with the head, and each hundredth of a second one more.
        assert_eq!((at[0], *at.last().unwrap(), at.len() as u64), (1_000, 1_000 + 10 * (bytes - 1), bytes));
    });
}

#[test]
fn a_fault_in_the_body_comes_when_that_part_of_the_body_is_due() {
    run_virtual(async {
        let server = server(
            "completion.tokens = { dist = \"fixed\", value = 9 }
             latency.first_token = { dist = \"fixed\", value = \"300ms\" }
             latency.inter_token = { dist = \"fixed\", value = \"100ms\" }",
        );
        for (fault, first, last) in [("truncate=3c", 300, 500), ("error-event", 300, 700), ("truncate=0c", 300, 300)] {
            let (at, _) = instants(&server, &chat(&format!("x-mock-fault: {fault}\r\n"), ",\"stream\":true")).await;
            assert_eq!((at.first(), at.last()), (Some(&first), Some(&last)), "{fault}");
        }
    });
}

#[test]
fn whoever_is_held_holds_a_place_for_an_hour_at_most() {
    run_virtual(async {
        let server = server(&format!("{PROFILE}capacity = {{ model = \"queue\", servers = 1, waiting_room = 0 }}"));
        for fault in [FaultKind::Stall(Place::HALF), FaultKind::NeverClose, FaultKind::Drip(1.try_into().unwrap())] {
            server.queue_faults(1, fault);
            let held = tokio::spawn({
                let server = server.clone();
                async move { exchange(&server, &chat("", "")).await }
            });
            sleep(ms(1)).await;
            // Its tokens are long past, and its place is taken all the same.
            assert_eq!(crate::support::status(&exchange(&server, &chat("", "")).await[0].text), 429, "{fault}");
            let start = now();
            held.await.unwrap();
            assert!(now() - start <= ms(3_600_000), "{fault}");
            assert_eq!(server.in_flight(), 0);
        }
    });
}

#[test]
fn whoever_leaves_while_its_answer_is_played_by_hand_gives_its_place_back() {
    run_virtual(async {
        let server = server(&format!("{PROFILE}latency.total = {{ dist = \"fixed\", value = \"90ms\" }}"));
        let mut connection = crate::support::connect(&server);
        let request = chat("x-mock-fault: slow-headers=1h\r\n", "");
        tokio::io::AsyncWriteExt::write_all(&mut connection, &request).await.unwrap();
        sleep(ms(10_000)).await;
        assert_eq!(server.in_flight(), 1);
        drop(connection);
        sleep(ms(1)).await;
        assert_eq!(server.in_flight(), 0);
        assert_eq!(server.ledger().entries()[0].ending, Ending::CallerLeft);
    });
}

/// A socket that asks, and is not told that its connection ends; what it reads first, and when.
fn first_answer(toml: &str) -> (MockRelay, TcpStream, String, Duration) {
    let relay = MockRelay::start(profile(toml)).unwrap();
    let start = now();
    let mut socket = TcpStream::connect(relay.addr()).unwrap();
    let request = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 9_000];
    let length = socket.read(&mut answer).unwrap();
    answer.truncate(length);
    (relay, socket, String::from_utf8(answer).unwrap(), now() - start)
}

#[test]
fn a_slow_accept_delays_the_first_answer_of_a_socket() {
    let (_relay, _socket, answer, took) = first_answer("[[fault]]\nfault = \"slow-accept=80ms\"");
    assert!(took >= ms(80) && crate::support::status(&answer) == 200, "{took:?}");
}

#[test]
fn an_idle_socket_ends_without_a_word() {
    let (_relay, mut socket, answer, _) = first_answer("[[fault]]\nfault = \"close-idle=80ms\"");
    assert!(crate::support::status(&answer) == 200 && !answer.contains("connection: "), "{answer}");
    assert_eq!(socket.read(&mut [0; 10]).unwrap(), 0);
}
