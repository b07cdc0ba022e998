//! The same attempt draws the same, whenever and however it comes.

use std::collections::BTreeMap;

use relaybench_clock::{run_virtual, sleep};
use relaybench_mock::{Entry, MockServer};

use crate::support::{chat, exchange, ms, profile};

const DRAWN: &str = "
    latency.first_token = { dist = \"lognormal\", median = \"300ms\", sigma = 0.3 }
    latency.inter_token = { dist = \"uniform\", min = \"5ms\", max = \"20ms\" }
    [[fault]]
    fault = \"status=503\"
    probability = 0.1
";

/// What was drawn, by request and attempt: status, tokens and latency; and the offsets of the first token and of the end from the
/// arrival, as planned and as written.
type Drawn = BTreeMap<(String, u32), (Option<u16>, u32, u64, [Option<u64>; 4])>;

fn drawn(entries: &[Entry]) -> Drawn {
    let of = |entry: &Entry| {
        let id = entry.request_id.as_deref().unwrap_or_default().to_owned();
        let instants = [entry.due_first_ns, entry.due_end_ns, entry.first_written_ns, entry.end_written_ns];
        let offsets = instants.map(|instant| instant.map(|instant| instant - entry.arrived_ns));
        ((id, entry.attempt), (entry.status, entry.tokens, entry.latency_ns, offsets))
    };
    entries.iter().map(of).collect()
}

fn named(id: u64, attempt: u32) -> Vec<u8> {
    let stream = if id.is_multiple_of(2) { ",\"stream\":true" } else { "" };
    chat(&format!("x-client-request-id: request-{id}\r\nx-stainless-retry-count: {attempt}\r\n"), stream)
}

/// Sends every request with so many workers, each of which takes every so many-th of them.
fn run(order: Vec<(u64, u32)>, workers: usize, seed: u64) -> Drawn {
    run_virtual(async move {
        let server = MockServer::new(profile(DRAWN).with_seed(seed));
        let tasks: Vec<_> = (0..workers)
            .map(|worker| {
                let (server, order) = (server.clone(), order.clone());
                tokio::spawn(async move {
                    sleep(ms(worker as u64)).await;
                    for (id, attempt) in order.into_iter().skip(worker).step_by(workers) {
                        exchange(&server, &named(id, attempt)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        drawn(&server.ledger().entries())
    })
}

#[test]
fn order_and_workers_do_not_change_what_ten_thousand_requests_draw_nor_when_they_are_answered() {
    let order: Vec<(u64, u32)> = (0..5_000).flat_map(|id| [(id, 0), (id, 1)]).collect();
    let reversed = order.iter().rev().copied().collect();
    let mut shuffled = order.clone();
    shuffled.sort_by_key(|(id, attempt)| (id * 7_919 + u64::from(*attempt)) % 10_007);
    let reference = run(order.clone(), 1, 1);
    assert_eq!(reference.len(), 10_000);
    assert!(run(reversed, 7, 1) == reference);
    assert!(run(shuffled, 50, 1) == reference);
    assert!(run(order, 1, 2) != reference);
}

#[test]
fn on_the_threads_of_a_real_runtime_requests_draw_what_they_draw_in_virtual_time() {
    const QUICK: &str = "
        latency.total = { dist = \"uniform\", min = \"0ms\", max = \"2ms\" }
        [[fault]]
        fault = \"status=503\"
        probability = 0.1
    ";
    async fn draws() -> Vec<(String, Option<u16>, u32, u64)> {
        let server = MockServer::new(profile(QUICK));
        let one = |id: u64| {
            let server = server.clone();
            tokio::spawn(async move { exchange(&server, &named(id, 0)).await })
        };
        for task in (0..400).map(one).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let mut drawn: Vec<_> = server
            .ledger()
            .drain()
            .into_iter()
            .map(|entry| (String::from(entry.request_id.unwrap()), entry.status, entry.tokens, entry.latency_ns))
            .collect();
        drawn.sort();
        drawn
    }
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let on_threads = threads.block_on(async { tokio::spawn(draws()).await.unwrap() });
    assert_eq!(on_threads.len(), 400);
    assert_eq!(on_threads, run_virtual(draws()));
}

#[test]
fn another_attempt_of_a_request_draws_anew() {
    let draws = run((0..20).map(|attempt| (1, attempt)).collect(), 1, 1);
    let served = || draws.values().filter(|(status, ..)| *status == Some(200)).map(|(_, _, latency, _)| *latency);
    assert_eq!(served().collect::<std::collections::BTreeSet<u64>>().len(), served().count());
    assert!((10..20).contains(&served().count()), "{draws:?}");
}

#[test]
fn requests_without_a_name_draw_by_body_and_occurrence() {
    run_virtual(async {
        let sequence = |requests: Vec<Vec<u8>>| async move {
            let server = MockServer::new(profile(DRAWN));
            for request in requests {
                exchange(&server, &request).await;
            }
            server.ledger().entries().into_iter().map(|entry| (entry.attempt, entry.latency_ns)).collect::<Vec<_>>()
        };
        let (a, b) = (chat("", ""), chat("", ",\"user\":\"b\""));
        let alternating = sequence(vec![a.clone(), b.clone(), a.clone(), b.clone()]).await;
        let grouped = sequence(vec![a.clone(), a, b.clone(), b]).await;
        assert_eq!([alternating[0], alternating[2]], [grouped[0], grouped[1]]);
        assert_eq!([alternating[1], alternating[3]], [grouped[2], grouped[3]]);
        assert_eq!(grouped.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert_ne!(grouped[0].1, grouped[1].1);
    });
}

#[test]
fn a_retry_count_alone_does_not_make_all_callers_draw_the_same() {
    run_virtual(async {
        let server = MockServer::new(profile(DRAWN));
        let first_try = chat("x-stainless-retry-count: 0\r\n", "");
        exchange(&server, &first_try).await;
        exchange(&server, &first_try).await;
        let entries = server.ledger().entries();
        assert_eq!([entries[0].attempt, entries[1].attempt], [0, 0]);
        assert_ne!(entries[0].latency_ns, entries[1].latency_ns);
    });
}
