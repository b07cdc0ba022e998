//! Faults of the connection over HTTP/1.0, whose streams end with it.

use relaybench_clock::run_virtual;
use relaybench_mock::{FaultOutcome, MockServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::seen::PROFILE;
use crate::support::{chat, profile};

/// What is read of the answer to a chat over HTTP/1.0, and what came of its fault.
async fn answered(server: &MockServer, fault: &str, extra: &str) -> (String, FaultOutcome) {
    let request = String::from_utf8(chat(&format!("x-mock-fault: {fault}\r\n"), extra)).unwrap();
    let mut connection = server.connect().unwrap();
    connection.write_all(request.replace(" HTTP/1.1", " HTTP/1.0").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    if connection.read_to_end(&mut answer).await.is_err() {
        answer.extend_from_slice(b" and a reset");
    }
    let outcome = server.ledger().drain().remove(0).fault.unwrap().outcome;
    (String::from_utf8(answer).unwrap(), outcome)
}

#[test]
fn faults_of_the_connection_are_played_over_http1_0_as_well() {
    run_virtual(async {
        let server = MockServer::new(profile(PROFILE));
        for extra in ["", ",\"stream\":true"] {
            let (plain, _) = answered(&server, "no-done", extra).await;
            let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
            let is_old = |answer: &str| answer.starts_with("HTTP/1.0 200 OK\r\n") && !answer.to_lowercase().contains("chunked");
            for fault in ["truncate", "close", "slow-headers=1s", "long-length", "short-length", "reset-mid-body"] {
                let (answer, outcome) = answered(&server, fault, extra).await;
                assert!(is_old(&answer) && outcome == FaultOutcome::Played, "{fault}: {answer}");
                assert_eq!(answer.ends_with(" and a reset"), fault == "reset-mid-body", "{answer}");
                let is_cut = matches!(fault, "truncate" | "reset-mid-body");
                assert!(!is_cut || body(&answer).len() < body(&plain).len(), "{fault}: {answer}");
            }
            assert_eq!(answered(&server, "reset", extra).await, (" and a reset".to_owned(), FaultOutcome::Played));
            let (answer, outcome) = answered(&server, "bad-chunk-size", extra).await;
            assert!(is_old(&answer) && outcome == FaultOutcome::NeedsHttp1, "{answer}");
        }
    });
}
