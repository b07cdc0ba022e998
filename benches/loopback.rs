//! Real sockets and the wall clock: requests a second against a mock that answers at once, at each of the tutorial's levels.
//!
//! Client and mock share this machine, a thread each, so that the figures are of both together. `bare-reqwest` is what a program
//! without this library does: the same JSON built and parsed, no retries, no deadlines, no record of attempts.
//!
//! `pooling` is what keeping connections gains over TLS.
//!
//! `server-cpu` is what a request costs the mock in processor time, beside bare hyper with the same answer.

#[path = "loopback/cost.rs"]
mod cost;
#[path = "loopback/pooling.rs"]
mod pooling;
#[path = "loopback/raw.rs"]
mod raw;

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main, measurement::WallTime};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use relaybench::client::{ChatRequest, Client, Policy, TransportKind};
use relaybench_clock::now;
use relaybench_mock::{MockRelay, Profile};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const LEVELS: [usize; 4] = [50, 100, 200, 500];
const MODEL: &str = "gpt-4.1";
const PROMPT: &str = "Explain quantum computing in 2 sentences.";

fn loopback(criterion: &mut Criterion) {
    let profile = Profile::load("instant").expect("it is compiled in");
    let relay = MockRelay::start(profile).expect("a free port on loopback");
    // The client brings its own; a bare reqwest built like this workspace's takes the process's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("loopback");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(1));
    for level in LEVELS {
        for transport in [TransportKind::Network, TransportKind::Hyper] {
            let name = format!("relaybench-{}/{level}", format!("{transport:?}").to_lowercase());
            let client = ours(&relay, transport);
            measure(&mut group, &runtime, &name, level, || async { client.chat(request()).await.is_ok() });
        }
        let client = reqwest::Client::builder().build().expect("a client");
        let url = format!("{}/chat/completions", relay.base_url());
        measure(&mut group, &runtime, &format!("bare-reqwest/{level}"), level, || bare(&client, &url));
        relay.ledger().drain();
    }
    group.finish();
}

/// One iteration is one request, and `iterations` of them are really sent, `level` at a time.
fn measure<F: Future<Output = bool>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    level: usize,
    send: impl Fn() -> F,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let start = now();
            let succeeded = runtime.block_on(closed_loop(level, iterations, &send));
            let elapsed = start.elapsed();
            assert_eq!(succeeded, iterations, "requests failed, so that this measures something else");
            elapsed
        });
    });
}

async fn closed_loop<F: Future<Output = bool>>(level: usize, requests: u64, send: impl Fn() -> F) -> u64 {
    let mut left = requests;
    let mut succeeded = 0;
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < level && left > 0 {
            left -= 1;
            in_flight.push(send());
        }
        match in_flight.next().await {
            Some(is_success) => succeeded += u64::from(is_success),
            None => return succeeded,
        }
    }
}

fn ours(relay: &MockRelay, transport: TransportKind) -> Client {
    let builder = Client::builder().base_url(relay.base_url()).api_key("sk-bench").policy(Policy::none()).transport(transport);
    builder.build().expect("the base URL is a mock's own")
}

fn request() -> ChatRequest {
    ChatRequest::new(MODEL).user(PROMPT).max_tokens(500).temperature(0.7)
}

async fn bare(client: &reqwest::Client, url: &str) -> bool {
    let body = json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": PROMPT }],
        "max_tokens": 500,
        "temperature": 0.7,
    });
    let post = client.post(url).bearer_auth("sk-bench").header("content-type", "application/json").body(body.to_string());
    let Ok(response) = post.send().await else { return false };
    let Ok(body) = response.bytes().await else { return false };
    serde_json::from_slice::<Value>(&body).is_ok_and(|answer| answer["choices"][0]["message"]["content"].is_string())
}

criterion_group!(benches, loopback, pooling::pooling, cost::cost);
criterion_main!(benches);
