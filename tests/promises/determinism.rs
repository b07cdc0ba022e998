//! The same scenario and seed, the same figures: from run to run, and over sockets as in virtual time.

use std::collections::BTreeMap;

use relaybench::client::{ChatRequest, Client, Policy, RequestId, TransportKind, connector};
use relaybench::target::Target;
use relaybench_clock::run_virtual;
use relaybench_mock::{Entry, MockRelay, MockServer, Profile};

use crate::support::runs::{Played, closed, play, profile, run, tutorial};

#[test]
fn two_virtual_runs_leave_the_same_bytes() {
    let played = |seed| {
        let mut scenario = tutorial(300);
        scenario.seed = seed;
        let played = play(run(scenario, "resilient", Target::Virtual(Profile::load("flaky").unwrap())));
        (played.report.to_json(), serde_json::to_string(&played.records).unwrap())
    };
    assert_eq!(played(1), played(1));
    assert_ne!(played(1).1, played(2).1);
}

/// What an attempt drew, by request and try. Instants and load are not draws.
fn draws(entries: Vec<Entry>) -> BTreeMap<(String, u32), (Option<u16>, u32, u64)> {
    let by_attempt = entries.into_iter().map(|entry| {
        let id = entry.request_id.unwrap_or_default().into_string();
        ((id, entry.attempt), (entry.status, entry.tokens, entry.latency_ns))
    });
    by_attempt.collect()
}

#[test]
fn requests_draw_the_same_over_sockets_and_in_virtual_time_id_by_id() {
    let quick = || {
        profile(
            "[latency]\ntotal = { dist = \"lognormal\", median = \"2ms\", sigma = 0.5 }\n\
             [[fault]]\nfault = \"status=503\"\nprobability = 0.1\n",
        )
    };
    let ask = |client: Client, concurrency: usize| async move {
        let requests = (0..200).map(|index| {
            let id = RequestId::new(format!("draw-{index}")).unwrap();
            ChatRequest::new("gpt-4.1").user("Hi").request_id(id)
        });
        client.batch(requests, concurrency).await
    };

    let over_sockets = |transport, concurrency| {
        let relay = MockRelay::start(quick()).unwrap();
        let client = Client::builder().base_url(relay.base_url()).api_key("k").policy(Policy::none()).transport(transport);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answers = runtime.block_on(ask(client.build().unwrap(), concurrency));
        assert_eq!(answers.len(), 200);
        let ledger = relay.ledger().clone();
        drop((runtime, relay));
        draws(ledger.drain())
    };
    let in_virtual_time = run_virtual(async move {
        let server = MockServer::new(quick());
        let served = server.clone();
        let dial = move || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(served.serve_connection(far));
            Ok(near)
        };
        let memory = connector::memory(dial, std::time::Duration::ZERO);
        let client = Client::builder().base_url("http://mock/v1").api_key("k").policy(Policy::none()).connector(memory);
        ask(client.build().unwrap(), 7).await;
        draws(server.ledger().drain())
    });

    assert_eq!(in_virtual_time.len(), 200);
    assert!(in_virtual_time.values().any(|(status, ..)| *status == Some(503)));
    assert_eq!(over_sockets(TransportKind::Network, 50), in_virtual_time);
    assert_eq!(over_sockets(TransportKind::Hyper, 3), in_virtual_time);
}

#[test]
fn a_run_over_sockets_draws_what_the_virtual_run_draws_index_by_index() {
    let quick = || {
        profile(
            "[latency]\ntotal = { dist = \"uniform\", min = \"0ms\", max = \"3ms\" }\n\
             [[fault]]\nfault = \"status=503\"\nprobability = 0.1\n",
        )
    };
    let drawn = |played: &Played| -> BTreeMap<_, _> {
        played.samples().map(|sample| (sample.index, (sample.outcome.clone(), sample.completion_tokens))).collect()
    };
    let over_sockets = play(run(closed(20, 300), "none", Target::Mock(quick())));
    let in_virtual_time = play(run(closed(20, 300), "none", Target::Virtual(quick())));
    assert_eq!(drawn(&over_sockets).len(), 300);
    assert_eq!(drawn(&over_sockets), drawn(&in_virtual_time));
}
