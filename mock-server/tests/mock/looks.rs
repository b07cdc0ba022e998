//! HEAD: what may be read may be asked about without its body.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use relaybench_clock::run_virtual;
use relaybench_mock::{Ending, FaultOutcome};

use crate::support::{KEY, connect, http2, request, server, status, text};

const READABLE: [&str; 7] =
    ["/healthz", "/metrics", "/v1/models", "/v1/models/gpt-4.1", "/__admin/profile", "/__admin/ledger", "/__admin/faults"];

/// The lines of the head, in no order, and the body.
fn parts(answer: &str) -> (Vec<&str>, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    lines.sort_unstable();
    (lines, body)
}

#[test]
fn a_look_has_the_head_of_the_answer_and_nothing_behind_it() {
    run_virtual(async {
        let server = server("limits.requests_per_minute = 10");
        for path in READABLE.into_iter().chain(["/v1/models/gpt-99"]) {
            // What is counted goes on counting: all are asked as the first on a server of their own.
            server.reset();
            let whole = text(&server, &request("GET", path, KEY, "")).await;
            server.reset();
            let look = text(&server, &request("HEAD", path, KEY, "")).await;
            let ((head, body), (head_alone, nothing)) = (parts(&whole), parts(&look));
            if path != "/metrics" {
                assert_eq!(head_alone, head, "{path}");
            }
            assert!(!body.is_empty() && nothing.is_empty(), "{path}: {look}");
            assert!(look.contains("content-length: ") && status(&look) == status(&whole), "{look}");
        }
        for (path, expected) in [("/v1/chat/completions", 405), ("/__admin/reset", 405), ("/nowhere", 404)] {
            let look = text(&server, &request("HEAD", path, KEY, "")).await;
            assert_eq!((status(&look), parts(&look).1), (expected, ""), "{path}");
        }
    });
}

#[test]
fn a_look_over_http2_is_the_same() {
    run_virtual(async {
        let server = server("");
        let (mut sender, _) = http2::handshake(connect(&server)).await;
        for path in READABLE {
            let body = || Empty::<Bytes>::new().boxed();
            let ask = |method: &str| {
                let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
                request.header("authorization", "Bearer sk-test").body(body()).unwrap()
            };
            let whole = sender.send_request(ask("GET")).await.unwrap();
            let length = whole.into_body().collect().await.unwrap().to_bytes().len();
            let look = sender.send_request(ask("HEAD")).await.unwrap();
            let told: usize = look.headers()["content-length"].to_str().unwrap().parse().unwrap();
            // Of these there is more with each attempt.
            assert!(told == length || ["/metrics", "/__admin/ledger"].contains(&path), "{path}: {told} of {length}");
            assert!(look.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
        }
        assert!(server.ledger().entries().iter().all(|entry| entry.ending == Ending::Served));
    });
}

#[test]
fn a_look_is_an_attempt_and_faults_of_the_head_befall_it() {
    run_virtual(async {
        let server = server("");
        for (fault, expected) in [
            ("", Some((None, Ending::Served))),
            ("status=503", Some((Some(FaultOutcome::Played), Ending::Served))),
            ("truncate", Some((Some(FaultOutcome::NothingThere), Ending::Served))),
            ("drip=10", Some((Some(FaultOutcome::NothingThere), Ending::Served))),
            ("close", Some((Some(FaultOutcome::Played), Ending::Served))),
            ("slow-headers=1s", Some((Some(FaultOutcome::Played), Ending::Served))),
        ] {
            let headers = if fault.is_empty() { KEY.to_owned() } else { format!("{KEY}x-mock-fault: {fault}\r\n") };
            let look = text(&server, &request("HEAD", "/v1/models", &headers, "")).await;
            assert!(parts(&look).1.is_empty() && look.contains("content-length: "), "{fault}: {look}");
            let entry = server.ledger().drain().pop();
            assert_eq!(entry.map(|entry| (entry.fault.map(|fault| fault.outcome), entry.ending)), expected, "{fault}");
        }
    });
}
