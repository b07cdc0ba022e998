//! Callers who go away are noticed, whatever they wait for and whatever they sent behind their request.

use std::time::Duration;

use proptest::prelude::*;
use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{Ending, MockRelay, MockServer, Profile, memory};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{KEY, chat, http2, ms, profile, request, server};

fn keep_alive(request: Vec<u8>) -> Vec<u8> {
    String::from_utf8(request).unwrap().replace("connection: close\r\n", "").into_bytes()
}

/// Requests that wait for an hour or so, by what for.
fn waiting() -> Vec<(&'static str, Vec<u8>)> {
    const STREAM: &str = ",\"stream\":true";
    let fault = |fault: &str, extra: &str| keep_alive(chat(&format!("x-mock-fault: {fault}\r\n"), extra));
    let late = |fault: &str, extra: &str| keep_alive(chat(&format!("x-mock-latency: 50m\r\n{fault}"), extra));
    let models = |headers: &str, body: &str| keep_alive(request("GET", "/v1/models", &format!("{KEY}{headers}"), body));
    vec![
        ("a hang", fault("hang", "")),
        ("a hang of the last request", chat("x-mock-fault: hang\r\n", "")),
        ("an answer", late("", "")),
        ("a first token", late("", STREAM)),
        ("more of a body", fault("stall", "")),
        ("more of a stream", fault("stall=1c", STREAM)),
        ("the end of a body", fault("never-close", "")),
        ("the end of a stream", fault("never-close", STREAM)),
        ("a line of a head", fault("slow-headers=50m", "")),
        ("what is dripping", fault("drip=1", STREAM)),
        ("an answer that is to be cut", late("x-mock-fault: truncate\r\n", "")),
        ("a stream that is to be reset", late("x-mock-fault: reset\r\n", STREAM)),
        ("a refusal", late("x-mock-fault: status=503\r\n", "")),
        ("models", models("x-mock-fault: hang\r\n", "")),
        ("models, with a body that nobody reads", models("x-mock-latency: 50m\r\n", &"x".repeat(9_000))),
    ]
}

/// What a caller may have sent behind its request.
fn tails(longest: usize) -> Vec<Vec<u8>> {
    let next = keep_alive(chat("", ""));
    let many = next.repeat(longest / next.len());
    vec![vec![], b"\r\n".to_vec(), b"GET /hea".to_vec(), next, many]
}

fn has_nothing_left(server: &MockServer) -> bool {
    (server.connections(), server.in_flight(), server.ledger().open()) == (0, 0, 0)
}

#[derive(Clone, Copy, Debug)]
enum Leave {
    Close,
    Reset,
    /// It ends its side, and goes on reading.
    EndSending,
}

#[test]
fn whoever_leaves_is_noticed_whatever_it_waits_for_and_sent_behind() {
    run_virtual(async {
        let server = server("");
        for ((awaited, request), tail) in
            waiting().iter().flat_map(|waiting| tails(500_000).into_iter().map(move |tail| (waiting, tail)))
        {
            for leave in [Leave::Close, Leave::Reset, Leave::EndSending] {
                let mut connection = server.connect().unwrap();
                connection.write_all(request).await.unwrap();
                // It does not get rid of all that it would send.
                let sending = Box::pin(connection.write_all(&tail));
                let _ = relaybench_clock::timeout_at(now() + ms(3_000), sending).await;
                sleep(ms(10)).await;
                assert_eq!(server.ledger().open(), 1, "{awaited}");
                let kept = match leave {
                    Leave::Close => {
                        drop(connection);
                        None
                    }
                    Leave::Reset => {
                        connection.reset();
                        None
                    }
                    Leave::EndSending => {
                        connection.shutdown().await.unwrap();
                        Some(connection)
                    }
                };
                sleep(ms(1_500)).await;
                assert!(has_nothing_left(&server), "waiting for {awaited}, {} bytes behind, {leave:?}", tail.len());
                drop(kept);
            }
        }
        assert!(server.ledger().drain().iter().all(|entry| entry.ending != Ending::Served));
    });
}

async fn until_nothing_is_left(server: &MockServer) {
    let patience = now() + Duration::from_secs(120);
    while !has_nothing_left(server) {
        assert!(now() < patience, "{} attempts are open on {} connections", server.ledger().open(), server.connections());
        sleep(ms(10)).await;
    }
}

async fn until_all_wait(relay: &MockRelay, callers: usize) {
    let patience = now() + Duration::from_secs(120);
    while relay.ledger().open() < callers as u64 {
        assert!(now() < patience, "{} of {callers} wait", relay.ledger().open());
        sleep(ms(1)).await;
    }
}

/// Over sockets what is sent behind is so much that no buffer of the relay's takes it, and the system's take all of it.
const LONGEST_OVER_SOCKETS: usize = 60_000;

#[tokio::test]
async fn whoever_leaves_a_socket_is_noticed_as_well() {
    let relay = MockRelay::start(profile("")).unwrap();
    let mut callers = Vec::new();
    for (number, (_, request)) in waiting().iter().enumerate() {
        for tail in tails(LONGEST_OVER_SOCKETS) {
            let mut connection = TcpStream::connect(relay.addr()).await.unwrap();
            connection.write_all(&[&**request, &tail].concat()).await.unwrap();
            if number % 2 == 0 {
                connection.set_zero_linger().unwrap();
            }
            callers.push(connection);
        }
    }
    until_all_wait(&relay, callers.len()).await;
    drop(callers);
    until_nothing_is_left(relay.server()).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn whoever_leaves_a_socket_of_tls_is_noticed_as_well() {
    let tls = relaybench_mock::Tls::self_signed(None).unwrap();
    let pem = tls.authority_pem().unwrap().to_owned();
    let relay = MockRelay::builder(profile("")).tls(tls).start().unwrap();
    let mut callers = Vec::new();
    for (_, request) in waiting() {
        for tail in tails(LONGEST_OVER_SOCKETS) {
            let mut connection = crate::tls::dial(relay.addr(), &pem, "localhost", &["http/1.1"]).await.unwrap();
            connection.write_all(&[&*request, &tail].concat()).await.unwrap();
            connection.flush().await.unwrap();
            callers.push(connection);
        }
    }
    until_all_wait(&relay, callers.len()).await;
    for (mut caller, number) in callers.into_iter().zip(0..) {
        // With a farewell, and without.
        if number % 2 == 0 {
            let _ = caller.shutdown().await;
        }
    }
    until_nothing_is_left(relay.server()).await;
}

#[test]
fn whoever_leaves_a_connection_of_http2_is_noticed_as_well() {
    run_virtual(async {
        for toml in [
            "[[fault]]\nfault = \"hang\"",
            "[[fault]]\nfault = \"stall\"",
            "latency.total = { dist = \"fixed\", value = \"50m\" }",
        ] {
            let server = server(toml);
            let (mut sender, connection) = http2::handshake(server.connect().unwrap()).await;
            let exchange = tokio::spawn(async move {
                let _ = http2::exchange(&mut sender, http2::chat(",\"stream\":true")).await;
            });
            sleep(ms(100)).await;
            assert_eq!(server.ledger().open(), 1, "{toml}");
            exchange.abort();
            connection.abort();
            sleep(ms(1_500)).await;
            assert!(has_nothing_left(&server), "{toml}");
        }
    });
}

#[test]
fn whoever_leaves_while_it_waits_to_be_accepted_is_noticed_as_well() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"slow-accept=50m\"");
        let mut connection = server.connect().unwrap();
        connection.write_all(&chat("", "")).await.unwrap();
        sleep(ms(10_000)).await;
        assert_eq!(server.connections(), 1);
        drop(connection);
        sleep(ms(1_500)).await;
        assert_eq!((server.connections(), server.ledger().connections_live()), (0, 0));
    });
}

#[test]
fn the_place_of_a_caller_who_left_is_free() {
    run_virtual(async {
        let server = server("[limits]\nconcurrency = 1");
        let mut connection = server.connect().unwrap();
        let hang = keep_alive(chat("x-mock-fault: hang\r\n", ""));
        connection.write_all(&[&hang[..], b"\r\n"].concat()).await.unwrap();
        sleep(ms(10)).await;
        drop(connection);
        sleep(ms(10)).await;
        assert!(super::still_answers(&server).await);
    });
}

/// How many bytes it gets rid of, a piece within two seconds.
async fn accepted(connection: &mut (impl AsyncWrite + Unpin), piece: &[u8]) -> usize {
    let mut accepted = 0;
    while let Ok(Ok(written @ 1..)) = relaybench_clock::timeout_at(now() + ms(2_000), connection.write(piece)).await {
        accepted += written;
    }
    accepted
}

#[test]
fn of_what_is_sent_behind_a_request_that_waits_only_so_much_is_taken() {
    run_virtual(async {
        // Behind the last answer of a connection all that comes is thrown away.
        for (awaited, request) in waiting().into_iter().filter(|(awaited, _)| *awaited != "a line of a head") {
            let server = server("");
            // Connections hold nearly nothing themselves.
            let (mut near, far) = memory::pair(64);
            tokio::spawn(server.serve_connection(far));
            near.write_all(&request).await.unwrap();
            let taken = accepted(&mut near, &chat("", "")).await;
            assert!(taken < 64 * 1024, "waiting for {awaited}: {taken} bytes");
        }
    });
}

proptest! {
    #[test]
    fn pipelined_requests_are_answered_in_order_however_they_come(
        bodies in proptest::collection::vec(0_usize..30_000, 1..6),
        pieces in proptest::collection::vec((1_usize..40_000, 0_u64..200), 1..8),
    ) {
        run_virtual(async move {
            let server = MockServer::new("latency.total = { dist = \"fixed\", value = \"100ms\" }".parse::<Profile>().unwrap());
            let sent: Vec<String> = (0..bodies.len()).map(|number| format!("request-{number}")).collect();
            let mut bytes: Vec<u8> = bodies.iter().zip(&sent).flat_map(|(pad, id)| {
                let extra = format!(",\"user\":\"{}\",\"max_tokens\":9", "u".repeat(*pad));
                keep_alive(chat(&format!("x-client-request-id: {id}\r\n"), &extra))
            }).collect();
            bytes.extend_from_slice(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let (mut reader, mut writer) = tokio::io::split(server.connect().unwrap());
            let writing = async {
                let mut rest = &bytes[..];
                for (length, pause_ms) in pieces.iter().cycle() {
                    let (piece, after) = rest.split_at((*length).min(rest.len()));
                    writer.write_all(piece).await.unwrap();
                    rest = after;
                    if rest.is_empty() {
                        return;
                    }
                    sleep(ms(*pause_ms)).await;
                }
            };
            let mut answers = String::new();
            let (read, ()) = tokio::join!(reader.read_to_string(&mut answers), writing);
            read.unwrap();
            assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), sent.len() + 1, "{answers}");
            let entries = server.ledger().entries();
            let answered: Vec<&str> = entries.iter().map(|entry| entry.request_id.as_deref().unwrap()).collect();
            assert_eq!(answered, sent);
        });
    }
}
