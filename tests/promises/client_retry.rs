//! What is tried again, and exactly when.

use std::time::Duration;

use relaybench::client::{ErrorKind, Policy, Stop};
use relaybench_clock::run_virtual;

use crate::support::raw_relay::{RawRelay, error, question, success};

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

#[test]
fn a_good_answer_takes_one_attempt() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let answer = tokio::spawn(async move { client.chat(question()).await }).await.unwrap().unwrap();
        assert_eq!(answer.content(), "Hello.");
        assert_eq!(answer.usage().unwrap().completion_tokens, 2);
        assert_eq!(answer.attempts().len(), 1);
        assert_eq!(relay.attempts().len(), 1);
    });
}

#[test]
fn waits_without_jitter_are_exact() {
    run_virtual(async {
        let relay = RawRelay::start([error("429 Too Many Requests", "rate_limit_exceeded", &[("retry-after", "7")])]);
        let client = relay.client().policy(Policy::tutorial_retry()).build().unwrap();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.stop(), Some(Stop::Attempts));
        assert_eq!(seconds(&relay.times()), [0.0, 1.0, 3.0, 7.0, 15.0]);
    });
}
