//! Dropping a call, at whatever it waits for, leaks nothing: no place in the pool, no connection, no attempt that nobody counted, no retry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use relaybench::client::{Attempt, BillingRisk, Policy, PreparedRequest, RequestId, RetryBudget, Timeout, connector};
use relaybench::{ChatRequest, Client};
use relaybench_clock::{now, run_virtual, sleep, sleep_until, timeout_at};
use relaybench_mock::{MockServer, Profile};
use tracing::instrument::WithSubscriber;

use crate::support::listener::Listener;

const MILLISECOND: Duration = Duration::from_millis(1);
const PLACES: usize = 5;
const CALLERS: u32 = 12;
const CALLS: u32 = 10_000;

/// Hangs, refusals and answers of all lengths.
const FAULTY: &str = r#"
name = "faulty"

[latency]
first_token = { dist = "lognormal", median = "40ms", sigma = 0.6 }
inter_token = { dist = "fixed", value = "3ms" }

[[fault]]
fault = "hang"
probability = 0.1

[[fault]]
fault = "status=503"
probability = 0.1

[[fault]]
fault = "status=429"
probability = 0.1
"#;

/// A connection that counts as live as long as the server serves it.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn client_of(server: &MockServer, live: &Arc<AtomicUsize>, policy: Policy) -> Client {
    let (server, live) = (server.clone(), Arc::clone(live));
    let dial = move || {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let (served, counted) = (server.serve_connection(far), Live::new(&live));
        tokio::spawn(async move {
            served.await;
            drop(counted);
        });
        Ok(near)
    };
    let builder = Client::builder().base_url("http://mock/v1").api_key("sk-test").seed(1).policy(policy);
    let builder = builder.connector(connector::memory(dial, 7 * MILLISECOND)).max_connections(PLACES);
    builder.timeout(Timeout::Read, 300 * MILLISECOND).timeout(Timeout::FirstToken, 250 * MILLISECOND).build().unwrap()
}

/// Asks, whole or streamed, and tells the attempts when it came that far.
async fn call(client: Client, request: Arc<PreparedRequest>, id: RequestId, is_streamed: bool) -> Vec<Attempt> {
    if !is_streamed {
        return match client.send(&request, id).await {
            Ok(answer) => answer.into_attempts(),
            Err(error) => error.into_attempts(),
        };
    }
    match client.send_stream(&request, id).await {
        Err(error) => error.into_attempts(),
        Ok(mut stream) => {
            while let Some(Ok(_)) = stream.next().await {}
            stream.attempts().to_vec()
        }
    }
}

/// One caller's share of the calls; what became of those that were not dropped.
async fn caller(client: Client, number: u32) -> (Vec<Attempt>, u32) {
    let mut rng = Pcg64Mcg::seed_from_u64(u64::from(number));
    let request = Arc::new(client.prepare(&ChatRequest::new("gpt-4.1").user("Hi").max_tokens(30)).unwrap());
    let (mut attempts, mut dropped) = (Vec::new(), 0);
    for index in (number..CALLS).step_by(CALLERS as usize) {
        let id = RequestId::new(format!("c-{index}")).unwrap();
        let patience = Duration::from_nanos(rng.random_range(0..400_000_000));
        let call = call(client.clone(), Arc::clone(&request), id, rng.random_bool(0.5));
        match timeout_at(now() + patience, call).await {
            Ok(seen) => attempts.extend(seen),
            Err(_) => dropped += 1,
        }
        if rng.next_u32().is_multiple_of(8) {
            sleep(Duration::from_nanos(rng.random_range(0..20_000_000))).await;
        }
    }
    (attempts, dropped)
}

/// All of the calls, with somebody who listens.
async fn all_callers(client: &Client, listener: &Listener) -> (Vec<Attempt>, u32) {
    let call = |number| tokio::spawn(caller(client.clone(), number).with_subscriber(listener.clone()));
    let callers: Vec<_> = (0..CALLERS).map(call).collect();
    let (mut attempts, mut dropped) = (Vec::new(), 0);
    for caller in callers {
        let (seen, lost) = caller.await.unwrap();
        attempts.extend(seen);
        dropped += lost;
    }
    (attempts, dropped)
}

#[test]
fn ten_thousand_calls_dropped_at_random_instants_leak_nothing() {
    run_virtual(async {
        let server = MockServer::new(Profile::parse(FAULTY, "faulty.toml").unwrap());
        let live = Arc::new(AtomicUsize::new(0));
        let client = client_of(&server, &live, Policy::resilient());
        let (attempts, dropped) = all_callers(&client, &Listener::default()).await;
        assert!(dropped > CALLS / 4 && dropped < CALLS, "{dropped} dropped");

        // The server notices that they left, and streams that said their end have closed their bodies.
        sleep(2000 * MILLISECOND).await;
        assert_eq!((server.in_flight(), server.ledger().open()), (0, 0));
        assert!(server.ledger().connections_live_peak() <= PLACES as u64);

        // Every attempt that left is in the server's books once, and of those that were dropped there is nothing but their ids.
        let entries = server.ledger().drain();
        let booked: BTreeSet<_> = entries.iter().map(|entry| (entry.request_id.clone().unwrap(), entry.attempt)).collect();
        assert_eq!(booked.len(), entries.len(), "no attempt twice");
        let id = |attempt: &Attempt| (Box::from(attempt.request_id.as_str()), attempt.number - 1);
        for attempt in attempts.iter().filter(|attempt| attempt.left_the_client()) {
            assert!(booked.contains(&id(attempt)), "{attempt:?}");
        }
        for attempt in attempts.iter().filter(|attempt| !attempt.left_the_client()) {
            assert!(!booked.contains(&id(attempt)), "{attempt:?}");
        }

        every_place_is_free(&client).await;
        // Idle connections are closed, and then there is none.
        sleep(Duration::from_secs(10)).await;
        assert_eq!(live.load(Relaxed), 0);
    });
}

/// As many calls as there are places get one at once, without waiting for each other.
async fn every_place_is_free(client: &Client) {
    let again = |attempts: &[Attempt]| attempts.iter().all(|attempt| attempt.queued.is_zero());
    let until = now() + 30_000 * MILLISECOND;
    let request = Arc::new(client.prepare(&ChatRequest::new("gpt-4.1").user("Hi").max_tokens(30)).unwrap());
    let calls: Vec<_> = (0..PLACES)
        .map(|index| {
            let id = RequestId::new(format!("last-{index}")).unwrap();
            tokio::spawn(call(client.clone(), Arc::clone(&request), id, index % 2 == 0))
        })
        .collect();
    for call in calls {
        let attempts = call.await.unwrap();
        assert!(again(&attempts), "{attempts:?}");
    }
    sleep_until(until).await;
}

/// Retries that began, as a listener knows them, also those whose calls were dropped; and how many of these followed on an attempt
/// that may be billed, which here is one that hung.
fn retries_begun(listener: &Listener) -> (i64, i64) {
    let spans = listener.spans();
    let (mut retries, mut risks) = (0, 0);
    let mut last_failures = BTreeMap::new();
    for span in spans.iter().filter(|span| span.name == "attempt") {
        let last = last_failures.insert(span.parent, span.field("error.type"));
        assert_eq!(span.field("http.request.resend_count").is_some(), last.is_some(), "{span:?}");
        retries += i64::from(last.is_some());
        risks += i64::from(last.flatten().is_some_and(|failure| failure.ends_with("-timeout")));
    }
    (retries, risks)
}

/// In thousandths of a retry: what is left to be retried, and to be risked.
fn purses(client: &Client) -> (i64, i64) {
    let thousandths = |left: Option<f64>| (left.unwrap() * 1000.0).round() as i64;
    let left = client.budgets();
    (thousandths(left.retries_left), thousandths(left.risks_left))
}

#[test]
fn ten_thousand_calls_dropped_at_random_instants_cost_the_budgets_what_was_sent() {
    const START: f64 = 5000.0;
    run_virtual(async {
        let server = MockServer::new(Profile::parse(FAULTY, "faulty.toml").unwrap());
        let mut policy = Policy::resilient();
        let (mut budget, mut risk) = (RetryBudget::default(), BillingRisk::default());
        (budget.start, budget.deposit, risk.start, risk.share, risk.per_request) = (START, 0.001, START, 0.001, 10);
        (policy.retry.budget, policy.retry.billing_risk) = (Some(budget), Some(risk));
        let client = client_of(&server, &Arc::default(), policy);

        // Enough retries that the deposits of all calls find room.
        let request = Arc::new(client.prepare(&ChatRequest::new("gpt-4.1").user("Hi").max_tokens(30)).unwrap());
        for index in 0..400 {
            call(client.clone(), Arc::clone(&request), RequestId::new(format!("before-{index}")).unwrap(), index % 2 == 0).await;
        }
        let (retries, risks) = purses(&client);
        let room = (START * 1000.0) as i64 - i64::from(CALLS);
        assert!(retries < room && risks < room, "{retries} and {risks} of {room}");
        server.ledger().drain();

        let listener = Listener::default();
        let (attempts, dropped) = all_callers(&client, &listener).await;
        assert!(dropped > CALLS / 4, "{dropped} dropped");
        sleep(2000 * MILLISECOND).await;
        let left = client.budgets();
        assert_eq!((left.requests_in_flight, left.retries_in_flight, left.retries_waiting), (0, 0, 0));

        let (begun, risked) = retries_begun(&listener);
        let answered = attempts.iter().filter(|attempt| attempt.failure.is_none()).count() as i64;
        let expected = (retries + answered - 1000 * begun, risks + i64::from(CALLS) - 1000 * risked);
        assert_eq!(purses(&client), expected, "{begun} retries, {risked} of them risks, {answered} answers");
        // In the server's books are those of them that left.
        let left = server.ledger().drain().iter().filter(|entry| entry.attempt > 0).count() as i64;
        assert!(left <= begun && left > 0, "{left} of {begun} retries came");
    });
}
