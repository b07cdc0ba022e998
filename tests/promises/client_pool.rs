//! How many connections there are, and for how long.

use std::time::Duration;

use relaybench::Client;
use relaybench::client::{ErrorKind, Policy, Progress, RequestId};
use relaybench_clock::{run_virtual, sleep, timeout_at};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response, success};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Keeps `concurrency` requests in flight until `total` have been answered.
async fn closed_loop(client: &Client, concurrency: usize, total: usize) {
    let workers: Vec<_> = (0..concurrency)
        .map(|worker| {
            let client = client.clone();
            tokio::spawn(async move {
                let prepared = client.prepare(&question()).unwrap();
                for index in (worker..total).step_by(concurrency) {
                    client.send(&prepared, RequestId::new(format!("r-{index}")).unwrap()).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

fn slow_success(delay: Duration) -> Step {
    Step::Drip(vec![(delay, response("200 OK", "application/json", &[], COMPLETION))])
}

/// The head at once and the body later, so that the connection comes back after the caller has the answer.
fn late_body(delay: Duration) -> Step {
    let whole = response("200 OK", "application/json", &[], COMPLETION);
    let (head, body) = whole.split_at(whole.len() - COMPLETION.len());
    Step::Drip(vec![(Duration::ZERO, head.to_owned()), (delay, body.to_owned())])
}

#[test]
fn a_thousand_requests_fifty_at_once_open_fifty_connections() {
    for (connect_ms, step) in [
        (0, slow_success(Duration::ZERO)),
        (0, slow_success(10 * MILLISECOND)),
        (50, slow_success(10 * MILLISECOND)),
        (10, slow_success(50 * MILLISECOND)),
        (0, late_body(MILLISECOND)),
        (5, late_body(20 * MILLISECOND)),
    ] {
        run_virtual(async move {
            let relay = RawRelay::start([step.clone()]);
            let client = relay.client_with_connect_delay(connect_ms * MILLISECOND).policy(Policy::none()).build().unwrap();
            closed_loop(&client, 50, 1000).await;
            assert_eq!(relay.attempts().len(), 1000);
            assert_eq!(relay.connections_opened(), 50, "connecting takes {connect_ms} ms, {step:?}");
        });
    }
}

#[test]
fn a_connect_that_lost_against_a_returned_connection_never_comes_to_life() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(MILLISECOND)]);
        let client =
            relay.client().policy(Policy::none()).max_connections(1).idle_timeout(Duration::from_secs(4)).build().unwrap();
        closed_loop(&client, 50, 50).await;
        // By then the one connection was idle too long and closed, which frees its place.
        sleep(Duration::from_secs(60)).await;
        assert_eq!((relay.connections_opened(), relay.connections_live()), (1, 0));
    });
}

#[test]
fn a_request_that_meets_a_closing_connection_was_never_sent_and_is_an_attempt_of_its_own() {
    run_virtual(async {
        let answer = response("200 OK", "application/json", &[], COMPLETION);
        let closing = Step::DripAndClose(vec![(Duration::ZERO, answer)], Duration::from_secs(1));
        let relay = RawRelay::start([closing, success()]);
        let client = relay.client().build().unwrap();
        client.chat(question()).await.unwrap();
        // The server closes in the very instant of the next request.
        sleep(Duration::from_secs(1)).await;
        let attempts = client.chat(question()).await.unwrap().into_attempts();
        let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.failure, attempt.progress)).collect();
        assert_eq!(outcomes, [(Some(ErrorKind::Closed), Progress::NeverSent), (None, Progress::Content)]);
        assert_eq!(relay.attempts().len(), 2);
    });
}

#[test]
fn the_cap_on_live_connections_holds_under_a_burst() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(100 * MILLISECOND)]);
        let client =
            relay.client_with_connect_delay(20 * MILLISECOND).policy(Policy::none()).max_connections(10).build().unwrap();
        closed_loop(&client, 500, 500).await;
        assert_eq!(relay.attempts().len(), 500);
        assert_eq!(relay.connections_live_peak(), 10);
        assert_eq!(relay.connections_opened(), 10, "a connect that lost its race came to life later");
    });
}

#[test]
fn the_cap_holds_when_the_server_closes_every_connection() {
    run_virtual(async {
        let bytes = response("200 OK", "application/json", &[("connection", "close")], COMPLETION);
        let relay = RawRelay::start([Step::WriteAndClose(bytes)]);
        let client =
            relay.client_with_connect_delay(20 * MILLISECOND).policy(Policy::none()).max_connections(10).build().unwrap();
        closed_loop(&client, 50, 200).await;
        assert_eq!(relay.connections_live_peak(), 10);
        assert_eq!(relay.connections_opened(), 200);
    });
}

#[test]
fn attempts_wait_for_a_connection_in_the_order_they_came() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(100 * MILLISECOND)]);
        let client = relay.client().policy(Policy::none()).max_connections(1).build().unwrap();
        let calls: Vec<_> = (0..5)
            .map(|index| {
                let client = client.clone();
                tokio::spawn(async move {
                    let prepared = client.prepare(&question()).unwrap();
                    client.send(&prepared, RequestId::new(format!("r-{index}")).unwrap()).await.unwrap()
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        let attempts = relay.attempts();
        let order: Vec<_> = attempts.iter().map(|seen| seen.header("x-client-request-id").unwrap()).collect();
        assert_eq!(order, ["r-0", "r-1", "r-2", "r-3", "r-4"]);
    });
}

#[test]
fn an_attempt_tells_its_connection_and_whether_it_was_used_before() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let mut connections = Vec::new();
        for _ in 0..2 {
            let connection = client.chat(question()).await.unwrap().attempts()[0].connection.unwrap();
            connections.push((connection.id, connection.reused));
        }
        assert_eq!(connections, [(1, false), (1, true)]);
    });
}

#[test]
fn idle_connections_close() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(MILLISECOND)]);
        let client = relay.client().idle_timeout(Duration::from_secs(4)).build().unwrap();
        closed_loop(&client, 20, 20).await;
        assert_eq!(relay.connections_live(), 20);
        // They are looked at in intervals of the timeout.
        sleep(Duration::from_secs(9)).await;
        assert_eq!(relay.connections_live(), 0);
    });
}

#[test]
fn an_idle_connection_is_not_used_beyond_its_timeout() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().idle_timeout(Duration::from_secs(4)).build().unwrap();
        let mut reused = Vec::new();
        for wait_ms in [0, 4000, 4001] {
            sleep(wait_ms * MILLISECOND).await;
            reused.push(client.chat(question()).await.unwrap().attempts()[0].connection.unwrap().reused);
        }
        assert_eq!(reused, [false, true, false]);
    });
}

#[test]
fn dropping_a_call_frees_its_place() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang, Step::Hang, success()]);
        let client = relay.client().policy(Policy::none()).max_connections(2).build().unwrap();
        for _ in 0..2 {
            let soon = relaybench_clock::now() + MILLISECOND;
            timeout_at(soon, client.chat(question())).await.unwrap_err();
        }
        // Dropped while it waits for a place, and while it connects.
        client.chat(question()).await.unwrap();
        assert_eq!(relay.connections_live(), 1);
    });
}

#[test]
fn dropping_calls_that_wait_or_connect_leaks_no_place() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(10 * MILLISECOND)]);
        let client = relay.client_with_connect_delay(10 * MILLISECOND).policy(Policy::none()).max_connections(3).build().unwrap();
        for round in 0..200_u32 {
            let until = relaybench_clock::now() + round * MILLISECOND / 4;
            let calls: Vec<_> = (0..6)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { timeout_at(until, client.chat(question())).await.is_ok() })
                })
                .collect();
            for call in calls {
                call.await.unwrap();
            }
        }
        closed_loop(&client, 10, 50).await;
        assert!(relay.connections_live_peak() <= 3, "{}", relay.connections_live_peak());
    });
}

#[test]
fn two_virtual_runs_are_identical() {
    let run = || {
        run_virtual(async {
            let relay = RawRelay::start([slow_success(7 * MILLISECOND)]);
            let client = relay.client_with_connect_delay(3 * MILLISECOND).max_connections(7).build().unwrap();
            closed_loop(&client, 20, 300).await;
            let seen = |seen: &crate::support::raw_relay::Seen| (seen.at, seen.connection, seen.head.clone());
            relay.attempts().iter().map(seen).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(), run());
}
