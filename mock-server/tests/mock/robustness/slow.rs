//! Callers that are slow: what is missing is waited for so long and no longer, and what is not missing for ever.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{Ending, MockServer, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::{chat, connect, http2, ms, profile, status};

fn guarded(toml: &str) -> MockServer {
    MockServer::with_settings(profile(toml), Settings::default())
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_head_has_half_a_minute_from_its_first_byte_however_it_dribbles() {
    run_virtual(async {
        let server = guarded("");
        for (beginning, dribbled) in
            [("GET", "a"), ("PRI * HTTP", ""), ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n", "a")]
        {
            let mut connection = connect(&server);
            sleep(HOUR).await;
            let start = now();
            connection.write_all(beginning.as_bytes()).await.unwrap();
            let (mut reader, mut writer) = tokio::io::split(connection);
            let dribble = tokio::spawn(async move {
                while !dribbled.is_empty() && writer.write_all(dribbled.as_bytes()).await.is_ok() {
                    sleep(ms(1_000)).await;
                }
            });
            let mut answer = String::new();
            let _ = reader.read_to_string(&mut answer).await;
            assert_eq!(now() - start, ms(30_000), "{beginning}");
            assert_eq!(status(&answer), 408, "{answer}");
            drop(reader);
            dribble.await.unwrap();
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn a_head_that_began_behind_a_request_has_as_long_from_the_answer_on() {
    run_virtual(async {
        let whole = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned();
        let with_body = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        for request in [whole, with_body] {
            let server = guarded("");
            let mut connection = connect(&server);
            connection.write_all(format!("{request}GET /healthz HT").as_bytes()).await.unwrap();
            let start = now();
            let mut answers = String::new();
            let _ = connection.read_to_string(&mut answers).await;
            assert_eq!((now() - start, status(&answers)), (ms(30_000), 200), "{answers}");
            assert!(answers.contains("HTTP/1.1 408"), "{answers}");
        }
    });
}

#[test]
fn ends_of_lines_between_requests_are_no_head() {
    run_virtual(async {
        let server = guarded("");
        let request = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
        // With the request, and behind its answer.
        for stray in [format!("{request}\r\n"), format!("\r\n{request}")] {
            let mut connection = connect(&server);
            for _ in 0..2 {
                connection.write_all(stray.as_bytes()).await.unwrap();
                let mut answer = vec![0; 9_000];
                let length = connection.read(&mut answer).await.unwrap();
                assert_eq!(status(&String::from_utf8_lossy(&answer[..length])), 200);
                connection.write_all(b"\r\n").await.unwrap();
                sleep(HOUR).await;
            }
        }
    });
}

#[test]
fn each_head_has_a_time_of_its_own() {
    run_virtual(async {
        let server = guarded("");
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        let mut connection = connect(&server);
        for _ in 0..3 {
            connection.write_all(&keep_alive.as_bytes()[..10]).await.unwrap();
            sleep(ms(29_000)).await;
            connection.write_all(&keep_alive.as_bytes()[10..]).await.unwrap();
            let mut answer = vec![0; 9_000];
            let length = connection.read(&mut answer).await.unwrap();
            assert_eq!(status(&String::from_utf8_lossy(&answer[..length])), 200);
        }
    });
}

#[test]
fn a_body_has_two_minutes_and_then_the_caller_is_given_up() {
    run_virtual(async {
        let server = guarded("");
        let request = chat("", "");
        let mut connection = connect(&server);
        let start = now();
        connection.write_all(&request[..request.len() - 1]).await.unwrap();
        let mut answer = String::new();
        let _ = connection.read_to_string(&mut answer).await;
        assert_eq!((status(&answer), now() - start), (408, ms(120_000)));
        let entry = server.ledger().drain().remove(0);
        assert_eq!((entry.ending, entry.status), (Ending::GivenUp, Some(408)));
        assert_eq!((server.connections(), server.in_flight()), (0, 0));
    });
}

#[test]
fn a_body_for_the_relay_itself_is_told_once_that_it_is_too_late() {
    run_virtual(async {
        let server = guarded("");
        for route in ["PUT /__admin/profile", "POST /__admin/faults"] {
            let mut connection = connect(&server);
            let request = format!("{route} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{{");
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut answers = String::new();
            let _ = connection.read_to_string(&mut answers).await;
            assert_eq!((status(&answers), answers.matches("HTTP/1.1 ").count()), (408, 1), "{answers}");
        }
    });
}

#[test]
fn a_body_over_http2_has_as_long_and_the_connection_goes_on() {
    run_virtual(async {
        let server = guarded("");
        let (mut sender, _) = http2::handshake(connect(&server)).await;
        let start = now();
        let never = NeverEnding.boxed();
        let answer = http2::exchange(&mut sender, http2::post(never)).await;
        assert!(answer.is_err() && now() - start == ms(120_000), "{answer:?}");
        let entry = server.ledger().drain().remove(0);
        assert_eq!((entry.ending, entry.status), (Ending::GivenUp, None));
        assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
        assert_eq!(server.ledger().connections_opened(), 1);
    });
}

/// The preface and a SETTINGS frame that sets nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// GET /healthz, in the words of HPACK.
const HEALTH: &[u8] = b"\x82\x86\x04\x08/healthz\x01\x01a";

/// A frame of a head on a stream, with the flags END_STREAM (1) and END_HEADERS (4).
fn head_frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[test]
fn a_head_over_http2_that_does_not_end_has_half_a_minute_as_well() {
    run_virtual(async {
        let server = guarded("");
        let whole = head_frame(1, 5, 1, &[0x82; 200]);
        for (beginning, dribbled) in [
            // A head of which more was announced, and one within a frame whose rest does not come, or comes slowly.
            (head_frame(1, 1, 1, HEALTH), false),
            (whole[..20].to_vec(), false),
            (whole[..20].to_vec(), true),
        ] {
            let mut connection = connect(&server);
            connection.write_all(PREFACE).await.unwrap();
            sleep(HOUR).await;
            let start = now();
            connection.write_all(&beginning).await.unwrap();
            let (mut reader, mut writer) = tokio::io::split(connection);
            let dribble = tokio::spawn(async move {
                while dribbled && writer.write_all(&[0x82]).await.is_ok() {
                    sleep(ms(1_000)).await;
                }
            });
            let mut read = Vec::new();
            let _ = reader.read_to_end(&mut read).await;
            assert_eq!(now() - start, ms(30_000), "{beginning:?}");
            assert!(!read.windows(4).any(|bytes| bytes == b"HTTP"), "{read:?}");
            drop(reader);
            dribble.await.unwrap();
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn each_head_over_http2_has_a_time_of_its_own() {
    run_virtual(async {
        let server = guarded("");
        let mut connection = connect(&server);
        connection.write_all(PREFACE).await.unwrap();
        for stream in [1, 3, 5] {
            let (first, rest) = HEALTH.split_at(5);
            connection.write_all(&head_frame(1, 1, stream, first)).await.unwrap();
            sleep(ms(29_000)).await;
            connection.write_all(&head_frame(9, 4, stream, rest)).await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"ok\n") {
                assert!(connection.read_buf(&mut read).await.unwrap() > 0);
            }
            sleep(HOUR).await;
        }
    });
}

/// A body that never comes.
struct NeverEnding;

impl Body for NeverEnding {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[test]
fn who_waits_for_an_answer_and_who_rests_between_two_waits_as_long_as_it_likes() {
    run_virtual(async {
        let server = guarded("latency.total = { dist = \"fixed\", value = \"20m\" }");
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        let mut connection = connect(&server);
        for _ in 0..3 {
            sleep(10 * HOUR).await;
            connection.write_all(keep_alive.as_bytes()).await.unwrap();
            let mut answer = vec![0; 9_000];
            let length = connection.read(&mut answer).await.unwrap();
            assert_eq!(status(&String::from_utf8_lossy(&answer[..length])), 200);
        }
    });
}

#[test]
fn a_caller_that_takes_nothing_for_five_minutes_is_let_go_and_one_that_takes_a_little_is_not() {
    run_virtual(async {
        let server = guarded("completion.tokens = { dist = \"fixed\", value = 1000 }");
        for (pause_s, is_served) in [(301, false), (299, true)] {
            let (mut near, far) = duplex(64);
            tokio::spawn(server.serve_connection(far));
            let request = chat("", ",\"stream\":true,\"max_tokens\":20");
            near.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            let mut piece = [0; 64];
            while let Ok(length @ 1..) = near.read(&mut piece).await {
                answer.extend_from_slice(&piece[..length]);
                sleep(Duration::from_secs(pause_s)).await;
            }
            assert_eq!(answer.ends_with(b"0\r\n\r\n"), is_served);
            drop(near);
            sleep(ms(10)).await;
            let ending = if is_served { Ending::Served } else { Ending::GivenUp };
            assert_eq!(server.ledger().drain().remove(0).ending, ending);
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn without_clocks_nobody_is_too_slow() {
    run_virtual(async {
        let server = MockServer::new(profile(""));
        let request = chat("", "");
        let mut connection = connect(&server);
        for piece in request.chunks(request.len() / 3) {
            sleep(HOUR).await;
            connection.write_all(piece).await.unwrap();
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), 200);
    });
}
