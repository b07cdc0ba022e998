//! How many connections there are, and for how long.

use std::time::Duration;

use relaybench::Client;
use relaybench::client::{Connection, Policy, Progress, RequestId};
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

/// Answers, and closes the connection this long after.
fn success_and_close_after(idle: Duration) -> Step {
    Step::DripAndClose(vec![(Duration::ZERO, response("200 OK", "application/json", &[], COMPLETION))], idle)
}

#[test]
fn a_request_that_meets_a_closing_connection_is_sent_on_another_for_free() {
    run_virtual(async {
        let relay = RawRelay::start([success_and_close_after(Duration::from_secs(1)), success()]);
        // A policy without retries.
        let client = relay.client().policy(Policy::none()).build().unwrap();
        client.chat(question()).await.unwrap();
        // The server closes in the very instant of the next request.
        sleep(Duration::from_secs(1)).await;
        let attempts = client.chat(question()).await.unwrap().into_attempts();
        let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
        let id_and_reused = |connection: Connection| (connection.id, connection.reused);
        assert_eq!(attempt.stale.map(id_and_reused), Some((1, true)));
        assert_eq!(attempt.connection.map(id_and_reused), Some((2, false)));
        let seen = relay.attempts();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].header("x-stainless-retry-count"), Some("0"));
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
fn waits_for_a_place_are_counted() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(100 * MILLISECOND)]);
        let client = relay.client().policy(Policy::none()).max_connections(1).build().unwrap();
        let calls = tokio::spawn({
            let client = client.clone();
            async move { client.batch((0..5).map(|_| question()), 5).await }
        });
        sleep(50 * MILLISECOND).await;
        let early = client.pool();
        assert_eq!((early.live, early.opened, early.waiting, early.waits.count()), (1, 1, 4, 1));
        let answers = calls.await.unwrap();
        let queued: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().attempts()[0].queued).collect();
        assert_eq!(queued, [0, 100, 200, 300, 400].map(|wait_ms| wait_ms * MILLISECOND));
        let pool = client.pool();
        assert_eq!((pool.live, pool.peak, pool.opened, pool.waiting, pool.gave_up), (1, 1, 1, 0, 0));
        assert_eq!((pool.waits.count(), pool.waits.waited()), (5, 4));
        assert_eq!((pool.waits.total(), pool.waits.longest()), (1000 * MILLISECOND, 400 * MILLISECOND));
        assert_eq!(pool.waits.quantile(1.0), 400 * MILLISECOND);
    });
}

#[test]
fn who_leaves_while_it_waits_is_counted_apart() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(100 * MILLISECOND)]);
        let client = relay.client().policy(Policy::none()).max_connections(1).total_timeout(150 * MILLISECOND).build().unwrap();
        let answers = client.batch((0..3).map(|_| question()), 3).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let last = answers[2].as_ref().unwrap_err().attempts();
        assert_eq!((last[0].queued, last[0].progress), (150 * MILLISECOND, Progress::NeverSent));
        let pool = client.pool();
        assert_eq!((pool.waiting, pool.gave_up, pool.waits.count()), (0, 1, 2));
    });
}

#[test]
fn either_cap_rules_if_it_is_the_smaller() {
    for (all, host) in [(Some(3), None), (None, Some(3)), (Some(3), Some(20)), (Some(20), Some(3))] {
        run_virtual(async move {
            let relay = RawRelay::start([slow_success(10 * MILLISECOND)]);
            let client = relay.client().policy(Policy::none()).max_connections(all).max_connections_per_host(host);
            let client = client.build().unwrap();
            closed_loop(&client, 30, 90).await;
            assert_eq!((relay.connections_live_peak(), client.pool().peak), (3, 3), "{all:?} in all, {host:?} a host");
        });
    }
}

#[test]
fn a_connection_carries_no_request_once_it_is_too_old() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let age = Duration::from_secs(60);
        let client = relay.client().policy(Policy::none()).max_connection_age(age).build().unwrap();
        let mut ids = Vec::new();
        // At 0 s, 59.999 s, 60 s and 119.999 s.
        for wait_ms in [0, 59_999, 1, 59_999] {
            sleep(wait_ms * MILLISECOND).await;
            ids.push(client.chat(question()).await.unwrap().attempts()[0].connection.unwrap().id);
        }
        assert_eq!(ids, [1, 1, 2, 2]);
    });
}

#[test]
fn what_an_old_connection_carries_is_finished_and_its_place_is_free() {
    run_virtual(async {
        let relay = RawRelay::start([slow_success(Duration::from_secs(90)), success()]);
        let client = relay.client().policy(Policy::none()).max_connections(1).max_connection_age(Duration::from_secs(60));
        let client = client.build().unwrap();
        let answers = client.batch((0..3).map(|_| question()), 3).await;
        let ids: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().attempts()[0].connection.unwrap().id).collect();
        assert_eq!(ids, [1, 2, 2]);
        assert_eq!((relay.connections_live_peak(), client.pool().live), (1, 1));
    });
}

/// The gain is the time to open a connection over the time of an answer: 40 % takes answers within two and a half handshakes.
#[test]
fn what_keeping_connections_gains_is_the_handshake_over_the_latency() {
    const CONNECT: Duration = Duration::from_millis(50);
    const WAVES: u32 = 20;
    for (latency_ms, gain_percent) in [(125, 40), (500, 10)] {
        let latency = latency_ms * MILLISECOND;
        let took = |idle_timeout: Duration| {
            run_virtual(async move {
                let relay = RawRelay::start([slow_success(latency)]);
                let client = relay.client_with_connect_delay(CONNECT).policy(Policy::none()).idle_timeout(idle_timeout);
                let start = relaybench_clock::now();
                closed_loop(&client.build().unwrap(), 50, 50 * WAVES as usize).await;
                (start.elapsed(), relay.connections_opened())
            })
        };
        let (kept, opened) = took(Duration::from_secs(4));
        assert_eq!((kept, opened), (CONNECT + WAVES * latency, 50));
        let (fresh, opened) = took(Duration::ZERO);
        assert_eq!((fresh, opened), (WAVES * (CONNECT + latency), 1000));
        // Without the one handshake that all begin with.
        assert_eq!(fresh * 100, (100 + gain_percent) * (kept - CONNECT), "at {latency:?}");
    }
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
