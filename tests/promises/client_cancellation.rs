//! Dropping a call, at whatever it waits for, leaks nothing: no place in the pool, no connection, no attempt that nobody counted, no retry.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use relaybench::client::{
    Attempt, BillingRisk, BrokenStreams, ErrorKind, Policy, PreparedRequest, Protocol, RequestId, RetryBudget, Timeout, connector,
};
use relaybench::{ChatRequest, Client};
use relaybench_clock::{now, run_virtual, sleep, sleep_until, timeout_at};
use relaybench_mock::{MockRelay, MockServer, Profile};
use tokio::runtime::Builder;
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
    let builder = builder.connector(connector::memory(dial, CONNECT)).max_connections(PLACES);
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
    assert_nothing_leaks(FAULTY, Policy::resilient());
}

#[test]
fn calls_dropped_at_random_instants_leak_nothing_over_http2() {
    let mut policy = Policy::resilient();
    policy.pool.protocol = Protocol::Http2;
    assert_nothing_leaks(FAULTY, policy);
}

#[test]
fn calls_dropped_at_random_instants_leak_nothing_though_broken_streams_begin_anew() {
    let mut policy = Policy::resilient();
    // What was cut may be billed: bounded, few would be asked for again.
    (policy.retry.broken_streams, policy.retry.billing_risk, policy.retry.budget) = (BrokenStreams::Restart, None, None);
    let cut = "[[fault]]\nfault = \"truncate=3c\"\nprobability = 0.2\n";
    let restarted = assert_nothing_leaks(&format!("{FAULTY}\n{cut}"), policy);
    // Few callers have so much patience: most are gone while the new answer is waited for.
    assert!(restarted > 0, "{restarted} streams were begun anew after they were cut");
}

/// All of the calls against a mock of this profile; how many attempts followed on one whose answer was cut.
fn assert_nothing_leaks(profile: &str, policy: Policy) -> usize {
    let profile = Profile::parse(profile, "faulty.toml").unwrap();
    run_virtual(async move {
        let server = MockServer::new(profile);
        let live = Arc::new(AtomicUsize::new(0));
        let client = client_of(&server, &live, policy);
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

        let is_cut = |attempt: &Attempt| attempt.failure == Some(ErrorKind::Truncated);
        attempts.windows(2).filter(|two| is_cut(&two[0]) && two[0].request_id == two[1].request_id).count()
    })
}

/// How long a connection takes to open.
const CONNECT: Duration = Duration::from_millis(7);

/// As many calls as there are places get one at once, without waiting for each other. Over HTTP/2 those that share a new connection wait
/// for its handshake.
async fn every_place_is_free(client: &Client) {
    let is_shared = |attempt: &Attempt| attempt.connection.is_some_and(|connection| connection.is_http2);
    let at_once = |attempt: &Attempt| attempt.queued.is_zero() || is_shared(attempt) && attempt.queued <= CONNECT;
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
        assert!(attempts.iter().all(at_once), "{attempts:?}");
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

/// Polls a call so often, each time it asks for it, and drops it; whether it ended before.
async fn polled(times: u32, call: impl Future<Output = Vec<Attempt>>) -> bool {
    let (mut call, mut left) = (pin!(call), times);
    poll_fn(|cx| match (left, call.as_mut().poll(cx)) {
        (_, Poll::Ready(_)) => Poll::Ready(true),
        (1, Poll::Pending) => Poll::Ready(false),
        _ => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Refusals, cuts and answers, and nothing that lasts.
const HASTY: &str = r#"
[latency]
first_token = { dist = "fixed", value = "2ms" }
inter_token = { dist = "fixed", value = "1ms" }

[[fault]]
fault = "status=503"
probability = 0.2

[[fault]]
fault = "truncate"
probability = 0.1
"#;

#[test]
fn over_sockets_calls_dropped_at_any_poll_leak_nothing() {
    const SOCKET_CALLS: u32 = 600;
    let relay = MockRelay::start(Profile::parse(HASTY, "hasty.toml").unwrap()).unwrap();
    let mut policy = Policy::resilient();
    (policy.retry.base, policy.retry.broken_streams) = (MILLISECOND, BrokenStreams::Restart);
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let builder = Client::builder().base_url(relay.base_url()).api_key("sk-test").seed(1).policy(policy);
        let client = builder.max_connections(PLACES).build().unwrap();
        let request = Arc::new(client.prepare(&ChatRequest::new("gpt-4.1").user("Hi").max_tokens(5)).unwrap());
        let one = |name: &str, index: u32| {
            let id = RequestId::new(format!("{name}-{index}")).unwrap();
            call(client.clone(), Arc::clone(&request), id, index.is_multiple_of(2))
        };
        let callers = (0..CALLERS).map(|number| {
            let one = &one;
            async move {
                let mut dropped = 0;
                for index in (number..SOCKET_CALLS).step_by(CALLERS as usize) {
                    // The first poll alone is no attempt, and few calls take as many as 15.
                    dropped += u32::from(!polled(1 + index / CALLERS % 15, one("c", index)).await);
                }
                dropped
            }
        });
        let dropped: u32 = futures_util::future::join_all(callers).await.into_iter().sum();
        assert!(dropped > SOCKET_CALLS / 10, "{dropped} dropped");

        // A place that was lost would be missed: all of these wait for one.
        let again = futures_util::future::join_all((0..4 * PLACES as u32).map(|index| one("last", index))).await;
        assert!(again.iter().flatten().all(|attempt| attempt.left_the_client()), "{again:?}");
        let left = client.budgets();
        assert_eq!((left.requests_in_flight, left.retries_in_flight, left.retries_waiting), (0, 0, 0));

        // The server notices that they left, however long that takes it.
        while relay.ledger().open() > 0 {
            sleep(MILLISECOND).await;
        }
        let entries = relay.ledger().drain();
        let booked: BTreeSet<_> = entries.iter().map(|entry| (entry.request_id.clone().unwrap(), entry.attempt)).collect();
        assert_eq!(booked.len(), entries.len(), "no attempt twice");
    });
}
