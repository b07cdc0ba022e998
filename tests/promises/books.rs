//! Nothing is dropped silently: every scheduled request ends as a sample, and the client's attempts are the ledger's.

use std::num::NonZeroUsize;
use std::time::Duration;

use relaybench::load::{Extent, Load, Outcome, Record, StageEnd, Stop, Unsent, Window};
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::runs::{Played, closed, play, play_until, profile, run};

/// Turns callers away, fails, hangs and answers late.
const STORM: &str = r#"
[latency]
total = { dist = "lognormal", median = "200ms", sigma = 0.8 }
[[burst]]
every = "10s"
for = "2s"
share = 0.7
retry_after = "500ms"
[[fault]]
fault = "hang"
probability = 0.01
[[fault]]
fault = "status=500"
probability = 0.05
"#;

fn stage_ends(played: &Played) -> Vec<StageEnd> {
    let ends = played.records.iter().filter_map(|record| match record {
        Record::Stage(end) => Some(end.clone()),
        Record::Run(_) | Record::Sample(_) => None,
    });
    ends.collect()
}

fn assert_balances(played: &Played) {
    for (stage, end) in played.report.stages.iter().zip(stage_ends(played)) {
        let requests = stage.requests;
        assert_eq!(requests.scheduled, end.scheduled);
        assert_eq!(requests.scheduled, requests.sent + requests.unsent);
        assert_eq!(requests.sent, requests.succeeded + requests.failed);
        let ledger = end.ledger.unwrap();
        assert_eq!((ledger.matched, ledger.missing, ledger.unknown), (stage.attempts, 0, 0));
    }
}

#[test]
fn attempts_that_left_the_client_are_the_ledgers_id_by_id() {
    for policy in ["resilient", "tutorial-bench", "tutorial-retry", "none"] {
        let played = play(run(closed(40, 2000), policy, Target::Virtual(profile(STORM))));
        assert_balances(&played);
        assert!(played.report.verdict.valid, "{policy}: {:?}", played.report.verdict.reasons);
    }
}

#[test]
fn the_books_balance_over_real_sockets_too() {
    let quick = "[latency]\ntotal = { dist = \"uniform\", min = \"0ms\", max = \"3ms\" }\n\
                 [[fault]]\nfault = \"status=503\"\nprobability = 0.2\n";
    let mut run = run(closed(20, 400), "none", Target::Mock(profile(quick)));
    run.policy.retry = relaybench::Policy::resilient().retry;
    run.policy.retry.base = Duration::from_millis(1);
    let played = play(run);
    assert_balances(&played);
    assert!(played.report.stages[0].attempts > 400, "some were tried again");
}

#[test]
fn retries_are_counted_as_attempts_and_their_waits_as_latency() {
    let played = play(run(closed(40, 2000), "resilient", Target::Virtual(profile(STORM))));
    let stage = &played.report.stages[0];
    assert!(stage.amplification.unwrap() > 1.05, "{:?}", stage.amplification);
    let (latency, service) = (stage.latency_ms.mean.unwrap(), stage.service_ms.mean.unwrap());
    assert!(latency > service, "latency {latency} ms, service {service} ms");
}

#[test]
fn a_run_that_is_stopped_accounts_for_what_it_did_not_send() {
    let stop = Stop::default();
    stop.request();
    let played = play_until(run(closed(5, 100), "none", Target::Virtual(Profile::load("holysheep").unwrap())), &stop);
    assert_balances(&played);
    let stage = &played.report.stages[0];
    assert_eq!((stage.requests.scheduled, stage.requests.unsent), (100, 100));
    assert!(played.samples().all(|sample| sample.outcome == Outcome::Unsent { reason: Unsent::Interrupted }));
    assert!(!played.report.verdict.valid, "its numbers are no measurement of what was asked");
}

#[test]
fn a_run_of_a_duration_that_is_stopped_is_invalid_too() {
    let stop = Stop::default();
    stop.request();
    let mut scenario = closed(5, 1);
    scenario.stages[0].extent = Extent::Duration(Duration::from_secs(30));
    let played = play_until(run(scenario, "none", Target::Virtual(Profile::load("holysheep").unwrap())), &stop);
    assert!(played.report.verdict.reasons[0].contains("interrupted"), "{:?}", played.report.verdict.reasons);
}

#[test]
fn a_duration_ends_the_sending_and_what_is_in_flight_is_waited_for() {
    let mut scenario = closed(10, 1);
    scenario.stages[0].extent = Extent::Duration(Duration::from_secs(30));
    let played = play(run(scenario, "none", Target::Virtual(Profile::load("holysheep").unwrap())));
    assert_balances(&played);
    let stage = &played.report.stages[0];
    assert!(stage.duration_s > 30.0 && stage.duration_s < 32.0, "{} s", stage.duration_s);
    assert!(played.samples().all(|sample| sample.sent.unwrap() < Duration::from_secs(30)));
}

#[test]
fn what_is_sent_within_the_warm_up_is_the_ramp() {
    let mut scenario = closed(10, 1000);
    scenario.stages[0].warm_up = Duration::from_secs(5);
    let played = play(run(scenario, "none", Target::Virtual(Profile::load("holysheep").unwrap())));
    for sample in played.samples() {
        let is_ramp = sample.index < 10 || sample.sent.unwrap() < Duration::from_secs(5);
        assert_eq!(sample.window, Some(if is_ramp { Window::Ramp } else { Window::Steady }));
    }
}

#[test]
fn never_more_are_in_flight_than_the_load_says() {
    for load in [|concurrency| Load::Closed { concurrency }, |concurrency| Load::Waves { concurrency }] {
        let mut scenario = closed(7, 500);
        scenario.stages[0].load = load(NonZeroUsize::new(7).unwrap());
        let played = play(run(scenario, "none", Target::Virtual(profile(STORM))));
        let mut edges: Vec<(Duration, i32)> = Vec::new();
        for sample in played.samples() {
            edges.push((sample.sent.unwrap(), 1));
            edges.push((sample.ended.unwrap(), -1));
        }
        edges.sort_unstable();
        let mut in_flight = 0;
        let most = edges.iter().map(|(_, step)| {
            in_flight += step;
            in_flight
        });
        assert_eq!(most.max(), Some(7));
    }
}
