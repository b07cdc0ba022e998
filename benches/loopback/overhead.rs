//! What the client costs: requests a second beside a bare reqwest loop, and what its spans cost when somebody listens.
//!
//! All programs take turns within a round, so that a machine that slows down slows down all of them, and what is compared is the
//! times of one round; the figures are medians of the rounds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use relaybench::client::{Client, Policy, TransportKind};
use relaybench_clock::now;
use relaybench_mock::{MockRelay, Profile};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{MODEL, PROMPT, closed_loop, request};

const LEVELS: [usize; 4] = [50, 100, 200, 500];
/// What the client keeps of the bare loop's rate at the first level.
const LEAST_SHARE: f64 = 0.9;

/// Of a round and a program.
const LEAST_REQUESTS: u64 = 2000;

/// Who asks. Each round begins with the next of them.
const PROGRAMS: [&str; 5] = [
    "bare-reqwest",
    "relaybench-network",
    "relaybench-network, resilient",
    "relaybench-hyper",
    "relaybench-network, listened to",
];
const BARE: usize = 0;
const OURS: usize = 1;
const LISTENED_TO: usize = 4;

pub(crate) fn overhead(criterion: &mut Criterion) {
    let profile = Profile::load("instant").expect("it is compiled in");
    let relay = MockRelay::start(profile).expect("a free port on loopback");
    // The client brings its own; a bare reqwest built like this workspace's takes the process's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("loopback");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(1));
    for level in LEVELS {
        let programs = Programs::new(&relay);
        let mut rounds = Vec::new();
        group.bench_function(format!("{}/{level}", PROGRAMS[OURS]), |bencher| {
            bencher.iter_custom(|requests| {
                // In less time the loop would hardly be closed.
                let sent = requests.max(LEAST_REQUESTS).max(10 * level as u64);
                let mut times = [Duration::ZERO; PROGRAMS.len()];
                for turn in 0..times.len() {
                    let program = (rounds.len() + turn) % times.len();
                    times[program] = programs.time(&runtime, program, level, sent);
                }
                relay.ledger().drain();
                rounds.push(times.map(|time| time.as_secs_f64() / sent as f64));
                times[OURS].mul_f64(requests as f64 / sent as f64)
            });
        });
        // The first opens the connections.
        report(level, rounds.get(1..).unwrap_or_default());
    }
    group.finish();
}

/// The clients, with connections that they keep from round to round.
struct Programs {
    bare: reqwest::Client,
    url: String,
    network: Client,
    resilient: Client,
    hyper: Client,
}

impl Programs {
    fn new(relay: &MockRelay) -> Self {
        let ours = |transport, policy| {
            let builder = Client::builder().base_url(relay.base_url()).api_key("sk-bench").policy(policy);
            builder.transport(transport).build().expect("the base URL is a mock's own")
        };
        Self {
            bare: reqwest::Client::builder().build().expect("a client"),
            url: format!("{}/chat/completions", relay.base_url()),
            network: ours(TransportKind::Network, Policy::none()),
            resilient: ours(TransportKind::Network, Policy::resilient()),
            hyper: ours(TransportKind::Hyper, Policy::none()),
        }
    }

    /// How long one program takes for so many requests, `level` of them at a time.
    fn time(&self, runtime: &Runtime, program: usize, level: usize, requests: u64) -> Duration {
        let start = now();
        let succeeded = match program {
            BARE => runtime.block_on(closed_loop(level, requests, || bare(&self.bare, &self.url))),
            OURS => self.ours(runtime, &self.network, level, requests),
            2 => self.ours(runtime, &self.resilient, level, requests),
            3 => self.ours(runtime, &self.hyper, level, requests),
            _ => tracing::subscriber::with_default(Listener, || self.ours(runtime, &self.network, level, requests)),
        };
        let took = start.elapsed();
        // Whoever listened no longer does.
        tracing::callsite::rebuild_interest_cache();
        assert_eq!(succeeded, requests, "requests failed, so that this measures something else");
        took
    }

    fn ours(&self, runtime: &Runtime, client: &Client, level: usize, requests: u64) -> u64 {
        runtime.block_on(closed_loop(level, requests, || async { client.chat(request()).await.is_ok() }))
    }
}

/// What a program without this library does: the same JSON built and parsed, no retries, no deadlines, no record of attempts.
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

/// `rounds` has the time of a request, in seconds, of each program.
#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn report(level: usize, rounds: &[[f64; PROGRAMS.len()]]) {
    if rounds.is_empty() {
        return;
    }
    println!("loopback: {level} in flight, medians of {} rounds:", rounds.len());
    for (program, name) in PROGRAMS.iter().enumerate() {
        let rate = 1.0 / quantiles(rounds, |round| round[program])[1];
        let [low, share, high] = quantiles(rounds, |round| round[BARE] / round[program]);
        println!("  {name:<32} {rate:>7.0} req/s, {share:.2} of the bare loop's (half of the rounds: {low:.2} to {high:.2})");
    }
    let spans = quantiles(rounds, |round| round[LISTENED_TO] - round[OURS])[1];
    println!("  the spans of a request that somebody listens to cost {:.1} µs", spans * 1e6);
    let share = quantiles(rounds, |round| round[BARE] / round[OURS])[1];
    if level == LEVELS[0] {
        let kept = if share >= LEAST_SHARE { "kept" } else { "NOT KEPT" };
        println!("  at least {LEAST_SHARE} of the bare loop's rate at {level} in flight: {kept}");
    }
    println!();
}

/// The quartiles of a figure of the rounds.
fn quantiles<R>(rounds: &[R], figure: impl Fn(&R) -> f64) -> [f64; 3] {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[(figures.len() - 1) * quarter / 4])
}

/// Listens to all and keeps nothing: what it costs is the client's part.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("relaybench")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Look);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Look);
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Look);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Look;

impl Visit for Look {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        black_box((field, value));
    }
}
