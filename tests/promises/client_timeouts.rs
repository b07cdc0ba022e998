//! When the client stops waiting: exact to the nanosecond in virtual time.

use std::time::Duration;

use relaybench::client::{ErrorKind, Policy, Progress};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, success};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_hang_ends_at_exactly_30_s() {
    for policy in [Policy::resilient(), Policy::tutorial_bench(), Policy::tutorial_pool()] {
        run_virtual(async move {
            let relay = RawRelay::start([Step::Hang]);
            let client = relay.client().policy(policy.clone()).build().unwrap();
            let start = now();
            let error = client.chat(question()).await.unwrap_err();
            assert_eq!(start.elapsed(), 30 * SECOND, "{}", policy.name);
            assert_eq!(error.kind(), ErrorKind::TotalTimeout, "{}", policy.name);
            assert!(error.is_timeout() && error.to_string().contains("30s"), "{error}");
        });
    }
}

#[test]
fn a_hang_ends_under_every_policy() {
    for name in Policy::names() {
        run_virtual(async move {
            let relay = RawRelay::start([Step::Hang]);
            let policy = Policy::named(name).unwrap();
            let total = policy.timeouts.total;
            let start = now();
            let error = relay.client().policy(policy).build().unwrap().chat(question()).await.unwrap_err();
            assert!(error.is_timeout() && start.elapsed() <= total, "{name}: {error} after {:?}", start.elapsed());
        });
    }
}

#[test]
fn connect_and_read_timeouts_are_told_apart() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang]);
        let slow = relay.client_with_connect_delay(11 * SECOND).policy(Policy::tutorial_retry()).build().unwrap();
        let start = now();
        let error = slow.chat(question()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ConnectTimeout, 10 * SECOND));
        assert_eq!(error.attempts()[0].progress, Progress::NeverSent);

        let silent = relay.client().policy(Policy::tutorial_retry()).build().unwrap();
        let start = now();
        let error = silent.chat(question()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ReadTimeout, 25 * SECOND));
        assert_eq!(error.attempts()[0].progress, Progress::NoResponse);
    });
}

#[test]
fn the_read_timeout_counts_from_when_the_request_was_sent() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang]);
        let builder = relay.client_with_connect_delay(4 * SECOND);
        let client = builder.policy(Policy::none()).read_timeout(3 * SECOND).build().unwrap();
        let start = now();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ReadTimeout, 7 * SECOND));
        assert_eq!(error.attempts()[0].connect, Some(4 * SECOND));
        assert_eq!(error.attempts()[0].sent, Some(start + 4 * SECOND));
    });
}

#[test]
fn the_read_timeout_is_of_a_gap_and_not_of_the_whole() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", COMPLETION.len());
    let (first, second) = COMPLETION.split_at(100);
    let pieces = [head, first.to_owned(), second.to_owned()];
    for (gap_ms, expected) in [(2999, None), (3001, Some(ErrorKind::ReadTimeout))] {
        let pieces = pieces.clone();
        run_virtual(async move {
            let pieces = pieces.into_iter().map(|piece| (Duration::from_millis(gap_ms), piece)).collect();
            let relay = RawRelay::start([Step::Drip(pieces)]);
            let client = relay.client().policy(Policy::none()).read_timeout(3 * SECOND).build().unwrap();
            let answer = client.chat(question()).await;
            assert_eq!(answer.err().map(|error| error.kind()), expected, "a gap of {gap_ms} ms");
        });
    }
}

#[test]
fn a_silence_within_the_body_ends_at_the_read_timeout() {
    run_virtual(async {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"id\"";
        let relay = RawRelay::start([Step::Drip(vec![(SECOND, head.to_owned())])]);
        let client = relay.client().policy(Policy::none()).read_timeout(3 * SECOND).build().unwrap();
        let start = now();
        let error = client.chat(question()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::ReadTimeout, 4 * SECOND));
        assert_eq!(error.attempts()[0].progress, Progress::Content);
        assert_eq!(error.status(), Some(200));
    });
}

#[test]
fn waiting_for_a_connection_counts_towards_the_total_and_not_towards_the_connect_timeout() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang]);
        let client = relay.client().policy(Policy::tutorial_bench()).max_connections(1).connect_timeout(SECOND).build().unwrap();
        let (first, second) = (client.clone(), client);
        let start = now();
        let hanging = tokio::spawn(async move { first.chat(question()).await });
        let queued = tokio::spawn(async move { second.chat(question()).await });
        hanging.await.unwrap().unwrap_err();
        let error = queued.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TotalTimeout, 30 * SECOND));
        assert_eq!(error.attempts()[0].progress, Progress::NeverSent);
    });
}

#[test]
fn the_total_covers_retries_and_their_waits() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang, success()]);
        let answer = relay.client().build().unwrap().chat(question()).await.unwrap();
        // The default read timeout ends the hang after 25 s, which leaves 5 s for another try.
        assert_eq!(answer.attempts()[0].failure, Some(ErrorKind::ReadTimeout));
        assert_eq!(answer.attempts()[0].ended - answer.attempts()[0].started, 25 * SECOND);
        assert!(relay.times()[1] < Duration::from_millis(25_500));
    });
}
