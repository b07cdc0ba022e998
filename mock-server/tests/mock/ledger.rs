//! The ledger has every attempt, once, and nothing that is secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use relaybench_clock::run_virtual;
use relaybench_mock::{Entry, Ledger, MockServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{KEY, chat, chat_body, connect, exchange, ms, profile, request, server, text};

#[test]
fn every_attempt_is_an_entry() {
    run_virtual(async {
        let server = server("auth.keys = [\"sk-test\"]");
        exchange(&server, &chat("x-client-request-id: a\r\nx-stainless-retry-count: 2\r\n", ",\"stream\":true")).await;
        exchange(&server, &request("POST", "/v1/chat/completions", "", "{}")).await;
        exchange(&server, &request("POST", "/v1/chat/completions", KEY, "{}")).await;
        exchange(&server, &request("POST", "/v1/chat/completions", KEY, &chat_body("nobody", ""))).await;
        exchange(&server, &request("GET", "/v1/models", KEY, "")).await;
        exchange(&server, &request("GET", "/healthz", "", "")).await;
        exchange(&server, &request("GET", "/nowhere", "", "")).await;
        let entries = server.ledger().drain();
        let statuses: Vec<_> = entries.iter().map(|entry| entry.status.unwrap()).collect();
        assert_eq!(statuses, [200, 401, 400, 404, 200, 404]);
        assert_eq!((entries[0].request_id.as_deref(), entries[0].attempt, entries[0].stream), (Some("a"), 2, true));
        assert_eq!((entries[0].model.as_deref(), entries[3].model.as_deref()), (Some("gpt-4.1"), None));
        assert!(server.ledger().drain().is_empty());
    });
}

#[test]
fn whoever_a_limit_refused_has_its_name_and_whose_it_is() {
    let keys = "auth.keys = [\"sk-other\", \"sk-test\"]\nlatency.total = { dist = \"fixed\", value = \"1s\" }\n";
    let cases = [
        ("requests_per_minute = 1", "", "requests_per_minute"),
        ("requests_per_day = 1", "", "requests_per_day"),
        ("tokens_per_minute = 300", "", "tokens_per_minute"),
        ("tokens_per_day = 300", "", "tokens_per_day"),
        ("input_tokens_per_minute = 20", "", "input_tokens_per_minute"),
        ("output_tokens_per_minute = 300", "", "output_tokens_per_minute"),
        ("concurrency = 1", "", "concurrency"),
        ("tokens_per_minute = 300", r#","max_tokens":301"#, "tokens_per_minute"),
    ];
    for (limit, extra, name) in cases {
        for (per, key, model) in [
            ("", Some(2), Some("gpt-4.1")),
            ("per = [\"key\"]", Some(2), None),
            ("per = [\"model\"]", None, Some("gpt-4.1")),
            ("per = []", None, None),
        ] {
            run_virtual(async move {
                let server = server(&format!("{keys}[limits]\n{limit}\n{per}"));
                let mut first = connect(&server);
                first.write_all(&chat("", "")).await.unwrap();
                relaybench_clock::sleep(ms(1)).await;
                exchange(&server, &chat("", extra)).await;
                let page = text(&server, &request("GET", &format!("/__admin/ledger?refused_by={name}"), "", "")).await;
                let page: serde_json::Value = serde_json::from_str(page.split("\r\n\r\n").nth(1).unwrap()).unwrap();
                let refused: Vec<_> =
                    page["entries"].as_array().unwrap().iter().map(|entry| (&entry["status"], &entry["refused_by"])).collect();
                let expected = serde_json::json!({ "limit": name, "key": key, "model": model });
                assert_eq!(refused, [(&serde_json::json!(429), &expected)]);
                first.read_to_end(&mut Vec::new()).await.unwrap();
                let statuses: Vec<_> =
                    server.ledger().entries().iter().map(|entry| (entry.status, entry.refused_by.is_some())).collect();
                assert_eq!(statuses, [(Some(200), false), (Some(429), true)]);
            });
        }
    }
}

#[test]
fn connections_are_counted_and_their_reuse_is_seen() {
    run_virtual(async {
        let server = server("");
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        let mut connection = connect(&server);
        for _ in 0..3 {
            connection.write_all(keep_alive.as_bytes()).await.unwrap();
            let mut answer = [0; 4096];
            assert!(connection.read(&mut answer).await.unwrap() > 0);
        }
        exchange(&server, &chat("", "")).await;
        drop(connection);
        exchange(&server, &chat("", "")).await;
        let connections: Vec<u32> = server.ledger().entries().iter().map(|entry| entry.connection).collect();
        assert_eq!(connections, [0, 0, 0, 1, 2]);
        assert_eq!((server.ledger().connections_opened(), server.ledger().connections_live_peak()), (3, 2));
    });
}

/// A writer whose bytes, or whose failure, can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<(Vec<u8>, bool)>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().unwrap();
        if inner.1 {
            return Err(io::Error::other("the disk is full"));
        }
        inner.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_of_json_say_the_same_as_memory_and_hold_no_secret() {
    let written = Shared::default();
    let writer = written.clone();
    let entries = run_virtual(async move {
        let toml = "auth.keys = [\"sk-test\"]\nlatency.total = { dist = \"lognormal\", median = \"300ms\", sigma = 0.3 }";
        let lines = MockServer::with_ledger(profile(toml), Ledger::to_writer(writer));
        let memory = MockServer::new(profile(toml));
        for server in [&lines, &memory] {
            exchange(server, &chat("x-client-request-id: a\r\n", "")).await;
            exchange(server, &request("POST", "/v1/chat/completions", "authorization: Bearer sk-wrong\r\n", "{}")).await;
        }
        lines.ledger().flush().unwrap();
        assert!(lines.ledger().entries().is_empty());
        memory.ledger().entries()
    });
    let text = String::from_utf8(written.0.lock().unwrap().0.clone()).unwrap();
    assert!(["sk-test", "sk-wrong", "quantum"].iter().all(|secret| !text.contains(secret)), "{text}");
    let read: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let latencies = |entries: &[Entry]| entries.iter().map(|e| (e.sequence, e.status, e.latency_ns)).collect::<Vec<_>>();
    assert_eq!(latencies(&read), latencies(&entries));
}

#[test]
fn a_ledger_that_cannot_be_written_says_so() {
    run_virtual(async {
        let writer = Shared::default();
        let server = MockServer::with_ledger(profile(""), Ledger::to_writer(writer.clone()));
        writer.0.lock().unwrap().1 = true;
        exchange(&server, &chat("", "")).await;
        assert_eq!(server.ledger().flush().unwrap_err().to_string(), "the disk is full");
    });
}
