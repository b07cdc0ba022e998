//! When things happen, to the nanosecond.

use std::time::Duration;

use relaybench_clock::{now, run_virtual, sleep, sleep_until};
use relaybench_mock::Ending;
use tokio::io::AsyncWriteExt;

use crate::support::{chat, connect, exchange, ms, server, status, text};

#[test]
fn an_answer_comes_exactly_when_it_is_due() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"612345us\" }");
        let start = now();
        let parts = exchange(&server, &chat("", "")).await;
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].at - start, Duration::from_micros(612_345));
    });
}

#[test]
fn the_delay_counts_from_the_headers_and_includes_the_time_the_body_took() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"500ms\" }");
        let start = now();
        let request = chat("", "");
        let (head, body) = request.split_at(request.len() - 10);
        let mut connection = connect(&server);
        connection.write_all(head).await.unwrap();
        sleep(ms(300)).await;
        connection.write_all(body).await.unwrap();
        let mut answer = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut connection, &mut answer).await.unwrap();
        assert_eq!(now() - start, ms(500));
    });
}

#[test]
fn every_chunk_of_a_stream_comes_exactly_when_it_is_due() {
    run_virtual(async {
        let server = server(
            "latency.first_token = { dist = \"fixed\", value = \"300ms\" }
             latency.inter_token = { dist = \"fixed\", value = \"13ms\" }
             completion.tokens = { dist = \"fixed\", value = 50 }",
        );
        let start = now();
        let parts = exchange(&server, &chat("", ",\"stream\":true")).await;
        let due: Vec<Duration> = (0..50).map(|token| ms(300 + 13 * token)).collect();
        assert_eq!(parts.iter().map(|part| part.at - start).collect::<Vec<_>>(), due);
        assert!(parts[0].text.contains("\"role\":\"assistant\""));
        assert!(parts[49].text.contains("data: [DONE]\n\n"));
        let entry = &server.ledger().entries()[0];
        assert_eq!((entry.due_first_ns, entry.first_written_ns), (Some(300_000_000), Some(300_000_000)));
        assert_eq!((entry.due_end_ns, entry.end_written_ns), (Some(937_000_000), Some(937_000_000)));
    });
}

/// A token every 13 ms after the first: at a pace that is known, and step by step.
const PACED: [&str; 2] = [
    "latency.first_token = { dist = \"fixed\", value = \"300ms\" }
     latency.inter_token = { dist = \"fixed\", value = \"13ms\" }\n",
    "capacity = { model = \"batch\", max_batch = 4, step = \"13ms\", prefill_tokens_per_second = 50 }\n",
];

#[test]
fn a_chunk_of_several_tokens_comes_exactly_when_its_last_token_is_due() {
    const CHUNKS: &str = "
        completion.tokens = { dist = \"fixed\", value = 11 }
        completion.chunk_tokens = { dist = \"fixed\", value = 4 }";
    for paced in PACED {
        run_virtual(async move {
            let server = server(&format!("{paced}{CHUNKS}"));
            let start = now();
            let parts = exchange(&server, &chat("", ",\"stream\":true")).await;
            let entry = &server.ledger().entries()[0];
            let first = Duration::from_nanos(entry.due_first_ns.unwrap());
            let due = [0, 4, 8, 10].map(|token| first + ms(13 * token));
            assert_eq!(parts.iter().map(|part| part.at - start).collect::<Vec<_>>(), due);
            assert_eq!((entry.tokens, entry.first_written_ns, entry.end_written_ns), (11, entry.due_first_ns, entry.due_end_ns));
        });
    }
}

#[test]
fn an_answer_without_tokens_comes_when_one_of_a_single_token_would() {
    for paced in PACED {
        let entries = |completion: &'static str| {
            run_virtual(async move {
                let server = server(&format!("{paced}{completion}"));
                for extra in ["", ",\"stream\":true"] {
                    exchange(&server, &chat("", extra)).await;
                }
                server.ledger().entries()
            })
        };
        let (empty, single) = (entries("completion.content = { text = \"\" }"), entries("completion.content = { text = \"a\" }"));
        for (empty, single) in empty.iter().zip(&single) {
            assert_eq!((empty.tokens, single.tokens), (0, 1));
            assert_eq!((empty.first_written_ns, empty.end_written_ns), (single.first_written_ns, single.end_written_ns));
            assert_eq!((empty.due_first_ns, empty.due_end_ns), (empty.first_written_ns, empty.end_written_ns));
        }
    }
}

#[test]
fn drawn_gaps_add_up_to_the_planned_end() {
    run_virtual(async {
        let server = server(
            "latency.first_token = { dist = \"lognormal\", median = \"300ms\", sigma = 0.3 }
             latency.inter_token = { dist = \"lognormal\", median = \"13ms\", sigma = 0.5 }",
        );
        for _ in 0..20 {
            exchange(&server, &chat("", ",\"stream\":true")).await;
            exchange(&server, &chat("", "")).await;
        }
        for entry in server.ledger().entries() {
            assert_eq!((entry.end_written_ns, entry.first_written_ns), (entry.due_end_ns, entry.due_first_ns));
            assert_eq!(entry.due_end_ns, Some(entry.arrived_ns + entry.latency_ns));
        }
    });
}

#[test]
fn a_curve_answers_by_the_number_in_flight_and_fails_after_the_latency() {
    const CURVE: &str = "
        [capacity]
        model = \"curve\"
        [[capacity.point]]
        in_flight = 1
        latency = { p50 = \"100ms\" }
        [[capacity.point]]
        in_flight = 3
        latency = { p50 = \"300ms\" }
        failure_share = 1.0
    ";
    run_virtual(async {
        let server = server(CURVE);
        let start = now();
        let request = chat("", "");
        let (a, b, c) = tokio::join!(exchange(&server, &request), exchange(&server, &request), exchange(&server, &request));
        let seen = [&a, &b, &c].map(|parts| parts[0].at - start);
        assert_eq!(seen, [ms(100), ms(200), ms(300)]);
        assert_eq!((status(&a[0].text), status(&c[0].text)), (200, 503));
        let in_flight: Vec<u32> = server.ledger().entries().iter().map(|entry| entry.in_flight).collect();
        assert_eq!(in_flight, [1, 2, 3]);
        exchange(&server, &request).await;
        assert_eq!(server.ledger().entries()[3].in_flight, 1);
    });
}

#[test]
fn a_burst_turns_callers_away_at_once_and_only_while_it_lasts() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"fixed\", value = \"100us\" }\n[[burst]]\nfrom = \"5s\"\nevery = \"20s\"\nfor = \"2s\"\n",
        );
        let start = now();
        for (at, expected) in [(0, 200), (4_999, 200), (5_000, 429), (6_999, 429), (7_000, 200), (25_000, 429)] {
            sleep_until(start + ms(at)).await;
            let parts = exchange(&server, &chat("", "")).await;
            assert_eq!(status(&parts[0].text), expected, "{at}");
            if expected == 429 {
                assert_eq!(parts[0].at - start, ms(at));
                // Without a wait of its own, a burst names what is left of it.
                let left = 2_000 - (at - 5_000) % 20_000;
                assert!(parts[0].text.contains(&format!("\r\nretry-after-ms: {left}\r\n")), "{}", parts[0].text);
                assert!(parts[0].text.contains(&format!("\r\nretry-after: {}\r\n", left.div_ceil(1_000))));
            }
        }
        assert!(server.ledger().entries().iter().all(|entry| entry.in_flight == u32::from(entry.status == Some(200))));
    });
}

#[test]
fn a_hang_says_nothing_until_the_caller_leaves() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"hang\"\nprobability = 1.0\n");
        let mut connection = connect(&server);
        connection.write_all(&chat("", "")).await.unwrap();
        let mut byte = [0];
        let read = tokio::io::AsyncReadExt::read(&mut connection, &mut byte);
        assert!(relaybench_clock::timeout_at(now() + ms(30_000), read).await.is_err());
        assert!(server.ledger().entries().is_empty());
        drop(connection);
        sleep(ms(1)).await;
        let entries = server.ledger().entries();
        assert_eq!((entries[0].ending, entries[0].status, entries[0].in_flight), (Ending::Hung, None, 1));
    });
}

#[test]
fn a_hang_that_nobody_ends_is_cut_after_an_hour() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"hang\"\nprobability = 1.0\n");
        let start = now();
        assert_eq!(text(&server, &chat("", "")).await, "");
        assert_eq!((now() - start, server.ledger().entries()[0].ending), (Duration::from_secs(3600), Ending::Hung));
    });
}

#[test]
fn a_caller_who_leaves_frees_its_place() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"10s\" }");
        for (extra, leaves_after) in [("", 1_000), (",\"stream\":true", 5_000)] {
            let mut connection = connect(&server);
            connection.write_all(&chat("", extra)).await.unwrap();
            sleep(ms(leaves_after)).await;
            drop(connection);
            sleep(ms(1_000)).await;
        }
        exchange(&server, &chat("", "")).await;
        let entries = server.ledger().entries();
        let endings: Vec<_> = entries.iter().map(|entry| (entry.in_flight, entry.ending)).collect();
        assert_eq!(endings, [(1, Ending::CallerLeft), (1, Ending::CallerLeft), (1, Ending::Served)]);
        assert!(entries[1].first_written_ns.is_some() && entries[1].end_written_ns.is_none());
    });
}
