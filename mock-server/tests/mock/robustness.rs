//! Whatever callers send, the relay survives it and answers the next.

mod garbage;
mod leaving;
mod slow;
mod storm;

use proptest::prelude::*;
use relaybench_clock::run_virtual;
use relaybench_mock::MockServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{chat, connect, exchange, ms, request, server, status, text};

/// Sends bytes, ends the sending side, and reads what comes back.
async fn send_raw(server: &MockServer, bytes: &[u8]) -> Vec<u8> {
    let mut connection = connect(server);
    let mut answer = Vec::new();
    // Either fails when the relay has closed the connection already.
    if connection.write_all(bytes).await.is_ok() && connection.shutdown().await.is_ok() {
        let _ = connection.read_to_end(&mut answer).await;
    }
    answer
}

async fn still_answers(server: &MockServer) -> bool {
    status(&text(server, &chat("", "")).await) == 200
}

proptest! {
    #[test]
    fn random_bytes_leave_no_trace(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        run_virtual(async move {
            let server = server("");
            send_raw(&server, &bytes).await;
            assert!(still_answers(&server).await);
        });
    }

    #[test]
    fn a_mutated_request_leaves_no_trace(at in 0_usize..300, byte in any::<u8>(), cut in 0_usize..400) {
        run_virtual(async move {
            let server = server("latency.total = { dist = \"fixed\", value = \"100ms\" }");
            let mut bytes = chat("x-client-request-id: a\r\n", ",\"stream\":true");
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length - cut % length);
            send_raw(&server, &bytes).await;
            relaybench_clock::sleep(ms(1_000)).await;
            assert!(still_answers(&server).await);
            // Whoever came has left.
            assert_eq!(server.ledger().entries().last().unwrap().in_flight, 1);
        });
    }

    #[test]
    fn a_body_of_any_json_is_answered(body in json(), model in any::<bool>(), echo in any::<bool>()) {
        run_virtual(async move {
            let server = server(if echo { "completion.content = \"echo\"" } else { "" });
            let body = if model { format!("{{\"model\":\"gpt-4.1\",\"messages\":{body}}}") } else { body };
            let answer = text(&server, &request("POST", "/v1/chat/completions", crate::support::KEY, &body)).await;
            assert!([200, 400, 404].contains(&status(&answer)), "{body}: {answer}");
        });
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"role\"".to_owned()),
        Just("\"\\ud83d\\ude00\\n\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("-1.5e3".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![Just("role"), Just("content"), Just("text"), Just("model"), Just("messages"), Just("stream")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((key, inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

#[test]
fn a_body_in_many_pieces_is_read_whole() {
    run_virtual(async {
        let server = server("");
        let bytes = chat("", "");
        let mut connection = connect(&server);
        for piece in bytes.chunks(7) {
            connection.write_all(piece).await.unwrap();
            relaybench_clock::sleep(ms(1)).await;
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert_eq!(status(&answer), 200);
    });
}

#[test]
fn a_body_without_a_length_is_held_to_the_limit_as_well() {
    run_virtual(async {
        let server = server("limits.body_bytes = 1000");
        let chunk = format!("{:x}\r\n{}\r\n", 600, " ".repeat(600));
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = send_raw(&server, format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&String::from_utf8(answer).unwrap()), 413);
        assert!(still_answers(&server).await);
    });
}

#[test]
fn a_body_whose_end_cannot_be_found_is_told_so_and_is_an_entry() {
    run_virtual(async {
        let server = server("");
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = text(&server, format!("{head}5\r\n{{\"mod\r\nzz\r\n").as_bytes()).await;
        assert!(status(&answer) == 400 && answer.contains("its transfer coding is broken"), "{answer}");
        assert_eq!(server.ledger().drain().remove(0).status, Some(400));
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run_virtual(async {
        let server = server("");
        let keep_alive = |id: &str| {
            String::from_utf8(chat(&format!("x-client-request-id: {id}\r\n"), "")).unwrap().replace("connection: close\r\n", "")
        };
        let last = String::from_utf8(chat("x-client-request-id: c\r\n", "")).unwrap();
        let answers = text(&server, format!("{}{}{last}", keep_alive("a"), keep_alive("b")).as_bytes()).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3);
        let ids: Vec<String> =
            server.ledger().entries().iter().map(|entry| entry.request_id.as_deref().unwrap().to_owned()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    });
}

#[test]
fn of_a_long_name_so_much_is_kept_that_it_is_told_from_others() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"uniform\", min = \"1ms\", max = \"9s\" }");
        let names = [256, 257, 5_000, 5_001].map(|length| "n".repeat(length));
        for name in &names {
            // Without a key as well.
            for headers in ["x-api-key: a", "accept: */*"] {
                let headers = format!("{headers}\r\nx-client-request-id: {name}\r\nx-stainless-retry-count: 0\r\n");
                exchange(&server, &request("POST", "/v1/chat/completions", &headers, &crate::support::chat_body("gpt-4.1", "")))
                    .await;
            }
        }
        let entries = server.ledger().entries();
        let kept: Vec<&str> = entries.iter().map(|entry| entry.request_id.as_deref().unwrap()).collect();
        assert_eq!(kept[0], names[0]);
        for of_one in kept.chunks(2) {
            assert!(of_one[0] == of_one[1] && of_one[0].len() <= 256);
        }
        let different: std::collections::HashSet<_> = kept.iter().collect();
        assert_eq!(different.len(), names.len());
        // What is drawn depends on all of a name, and on nothing else.
        let latencies: std::collections::HashSet<_> = entries.iter().step_by(2).map(|entry| entry.latency_ns).collect();
        assert_eq!(latencies.len(), names.len());
    });
}
