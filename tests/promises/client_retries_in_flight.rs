//! However many callers fail at once, and whatever the server tells them: few of what is in flight are retries.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use relaybench::Client;
use relaybench::client::{Attempt, ErrorKind, Policy, RetryBudget, Stop, Timeout, connector};
use relaybench_clock::{Instant, now, run_virtual};
use relaybench_mock::{MockServer, Profile};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, error, question, response};

const SECOND: Duration = Duration::from_secs(1);

/// Refuses everybody now and then and tells when to come back, is overloaded, and hangs.
const FAULTY: &str = r#"
[latency]
first_token = { dist = "lognormal", median = "300ms", sigma = 0.8 }
inter_token = { dist = "fixed", value = "7ms" }

[[burst]]
every = "3s"
for = "1s"
share = 0.9
retry_after = "700ms"

[[fault]]
fault = "status=503"
probability = 0.2

[[fault]]
fault = "hang"
probability = 0.05
"#;

/// When a logical request was in flight, and its attempts.
struct Request {
    from: Instant,
    to: Instant,
    attempts: Vec<Attempt>,
}

async fn ask(client: &Client, is_streamed: bool) -> Request {
    let from = now();
    let attempts = match is_streamed {
        false => client.chat(question()).await.map_or_else(|error| error.into_attempts(), |answer| answer.into_attempts()),
        true => match client.chat_stream(question()).await {
            Err(error) => error.into_attempts(),
            Ok(mut stream) => {
                while let Some(Ok(_)) = stream.next().await {}
                stream.attempts().to_vec()
            }
        },
    };
    Request { from, to: now(), attempts }
}

/// So many callers, each of whom asks so often, one time after the other.
fn play(callers: usize, times: usize, budget: RetryBudget, total: Duration) -> Vec<Request> {
    run_virtual(async move {
        let server = MockServer::new(Profile::parse(FAULTY, "faulty.toml").unwrap());
        let dial = move || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(server.serve_connection(far));
            Ok(near)
        };
        let mut policy = Policy::resilient();
        (policy.retry.budget, policy.retry.billing_risk) = (Some(budget), None);
        let client = Client::builder().base_url("http://mock/v1").api_key("sk-test").seed(1).policy(policy).total_timeout(total);
        let client =
            client.timeout(Timeout::Read, 2 * SECOND).connector(connector::memory(dial, Duration::ZERO)).build().unwrap();
        let caller = |number: usize| {
            let client = client.clone();
            async move {
                let mut asked = Vec::new();
                for index in 0..times {
                    asked.push(ask(&client, (number + index).is_multiple_of(3)).await);
                }
                asked
            }
        };
        let asked = join_all((0..callers).map(caller)).await.into_iter().flatten().collect();
        let left = client.budgets();
        assert_eq!((left.requests_in_flight, left.retries_in_flight, left.retries_waiting), (0, 0, 0));
        asked
    })
}

/// A retry is in flight until its answer is there; one that is streamed until its first content.
fn retries(asked: &[Request]) -> impl Iterator<Item = (Instant, Instant)> + Clone {
    let retries = asked.iter().flat_map(|request| &request.attempts).filter(|attempt| attempt.number > 1);
    retries.map(|retry| (retry.started, retry.first_token.unwrap_or(retry.ended)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_retry_is_sent_beyond_the_share_of_what_is_in_flight(
        callers in 1_usize..120,
        share in prop::sample::select(vec![0.0, 0.1, 0.2, 0.5]),
        least in 1_u32..5,
        total_s in 3_u32..40,
    ) {
        let mut budget = RetryBudget::default();
        (budget.share_in_flight, budget.least_in_flight) = (share, least);
        let asked = play(callers, 6, budget, total_s * SECOND);
        prop_assert!(callers < 10 || retries(&asked).count() > callers / 2, "{} retries", retries(&asked).count());
        for (at, _) in retries(&asked) {
            let retries = retries(&asked).filter(|(from, to)| *from <= at && at < *to).count();
            let requests = asked.iter().filter(|request| request.from <= at && at <= request.to).count();
            let most = ((requests as f64 * share) as usize).max(least as usize);
            prop_assert!(retries <= most, "{retries} retries of {requests} requests in flight");
        }
    }
}

/// When a request ended, and how it failed, if it did.
type End = (Duration, Option<(ErrorKind, Stop)>);

/// Asks so many at once of a relay that tells all of them to come back in a second, and then takes two for each.
fn all_told_to_come_back(callers: usize, total: Duration) -> (Vec<End>, usize) {
    run_virtual(async move {
        let busy = error("429 Too Many Requests", "rate_limit_exceeded", &[("retry-after", "1")]);
        let good = Step::Drip(vec![(2 * SECOND, response("200 OK", "application/json", &[], COMPLETION))]);
        let relay = RawRelay::start(std::iter::repeat_n(busy, callers).chain([good]).collect::<std::collections::VecDeque<_>>());
        let client = Arc::new(relay.client().total_timeout(total).build().unwrap());
        let start = now();
        let asked = (0..callers).map(|_| {
            let client = Arc::clone(&client);
            async move {
                let failure = client.chat(question()).await.err().map(|error| (error.kind(), error.stop().unwrap()));
                (start.elapsed(), failure)
            }
        });
        (join_all(asked).await, relay.attempts().len())
    })
}

#[test]
fn all_who_are_told_to_come_back_are_answered_a_few_at_a_time() {
    let (ends, attempts) = all_told_to_come_back(20, 30 * SECOND);
    assert!(ends.iter().all(|(_, failure)| failure.is_none()), "{ends:?}");
    assert_eq!(attempts, 40);
    // Four at a time of twenty, and three as soon as there are fewer than twenty.
    assert!(ends.iter().filter(|(at, _)| *at < 4 * SECOND).count() == 4, "{ends:?}");
}

#[test]
fn who_finds_no_place_for_a_retry_ends_with_what_failed_at_the_deadline() {
    const TOTAL: Duration = Duration::from_secs(6);
    let (ends, attempts) = all_told_to_come_back(20, TOTAL);
    let (answered, failed): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, failure)| failure.is_none());
    let waited_in_vain = failed.iter().filter(|end| **end == (TOTAL, Some((ErrorKind::RateLimited, Stop::Budget)))).count();
    // Some were sent and cut off; who was not sent is not in the relay's books.
    assert!(waited_in_vain > 5, "{failed:?}");
    assert_eq!(attempts, 40 - waited_in_vain);
    assert!(answered.len() >= 7 && failed.iter().all(|(at, _)| *at == TOTAL), "{answered:?}, {failed:?}");
}

#[test]
fn behind_retries_that_hang_nobody_waits_longer_than_the_longest_backoff() {
    run_virtual(async {
        let busy = error("429 Too Many Requests", "rate_limit_exceeded", &[("retry-after", "1")]);
        let script: std::collections::VecDeque<_> = std::iter::repeat_n(busy, 6).chain([Step::Hang]).collect();
        let relay = RawRelay::start(script);
        let client = relay.client().total_timeout(100 * SECOND).timeout(Timeout::Read, 60 * SECOND).build().unwrap();
        let start = now();
        let asked = join_all((0..6).map(|_| {
            let client = client.clone();
            async move { (client.chat(question()).await.unwrap_err(), start.elapsed()) }
        }));
        let refused: Vec<_> = asked.await.into_iter().filter(|(error, _)| error.kind() == ErrorKind::RateLimited).collect();
        assert_eq!(refused.len(), 3);
        // The wait that was asked for, with its spread, and the cap of `resilient`.
        for (error, after) in refused {
            assert_eq!(error.stop(), Some(Stop::Budget));
            assert!((9 * SECOND..10 * SECOND).contains(&after), "{after:?}");
        }
    });
}
