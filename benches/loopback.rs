//! Real sockets and the wall clock: requests a second against a mock that answers at once, at each of the tutorial's levels.
//!
//! Client and mock share this machine, a thread each, so that the figures are of both together. `loopback` has the client beside
//! what a program without this library does, in turns, and says what share of its rate is kept.
//!
//! `pooling` is what keeping connections gains over TLS.
//!
//! `server-cpu` is what a request costs the mock in processor time, beside bare hyper with the same answer.

#[path = "loopback/cost.rs"]
mod cost;
#[path = "loopback/overhead.rs"]
mod overhead;
#[path = "loopback/pooling.rs"]
mod pooling;
#[path = "loopback/raw.rs"]
mod raw;

use criterion::{criterion_group, criterion_main};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use relaybench::client::ChatRequest;

const MODEL: &str = "gpt-4.1";
const PROMPT: &str = "Explain quantum computing in 2 sentences.";

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

fn request() -> ChatRequest {
    ChatRequest::new(MODEL).user(PROMPT).max_tokens(500).temperature(0.7)
}

criterion_group!(benches, overhead::overhead, pooling::pooling, cost::cost);
criterion_main!(benches);
