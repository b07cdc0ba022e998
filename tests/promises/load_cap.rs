//! An open loop with a cap on requests in flight: arrivals wait in their order, and are sent late or recorded as unsent, never dropped.

use std::time::Duration;

use relaybench::load::{Outcome, Sample, Stop, Unsent};
use relaybench::target::Target;

use crate::support::runs::{play_until, play_virtual, profile, run, scenario};

/// Four places are enough for 40 of the 100 requests that come in a second.
const SLOW: &str = "[latency]\ntotal = { dist = \"fixed\", value = \"100ms\" }\n";

#[test]
fn arrivals_beyond_the_cap_wait_in_their_order() {
    let played = play_virtual("load = { kind = \"constant\", rate = \"100/s\", max_in_flight = 4 }\nrequests = 400", SLOW);
    played.assert_accounted_for();
    let mut samples: Vec<&Sample> = played.samples().collect();
    samples.sort_unstable_by_key(|sample| sample.index);
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Succeeded));
    assert!(samples.windows(2).all(|pair| pair[0].sent <= pair[1].sent), "first come, first sent");
    // Four at once in every 100 ms.
    assert!(samples.iter().skip(4).zip(&samples).all(|(after, before)| after.sent >= before.ended));
    let last = samples[399];
    assert_eq!(last.sent.unwrap(), Duration::from_millis(99 * 100 + 30));
    assert_eq!(last.send_lateness().unwrap(), Duration::from_millis(99 * 100 + 30 - 3990));
}

#[test]
fn who_still_waits_when_the_duration_is_over_is_unsent() {
    let played = play_virtual("load = { kind = \"constant\", rate = \"100/s\", max_in_flight = 4 }\nduration = \"4s\"", SLOW);
    played.assert_accounted_for();
    let requests = played.report.stages[0].requests;
    // Every 100 ms another four, the last of them at 3.9 s and within 30 ms of it.
    assert_eq!((requests.scheduled, requests.sent, requests.unsent), (400, 160, 240));
    assert_eq!(played.report.stages[0].unsent["stage-over"], 240);
    assert!(played.samples().all(|sample| sample.sent.is_none_or(|sent| sent < Duration::from_secs(4))));
}

#[test]
fn without_a_cap_nobody_waits_for_an_answer() {
    let played = play_virtual(
        "load = { kind = \"constant\", rate = \"100/s\" }\nduration = \"4s\"",
        "[[fault]]\nfault = \"hang\"\nprobability = 0.5",
    );
    played.assert_accounted_for();
    assert_eq!(played.report.stages[0].requests.sent, 400);
    assert_eq!(played.report.stages[0].send_lateness_ms.max, Some(0.0));
}

#[test]
fn what_was_sent_is_waited_for_and_the_drain_is_told() {
    let stage = &play_virtual("load = { kind = \"constant\", rate = \"100/s\" }\nduration = \"4s\"", SLOW).report.stages[0];
    assert_eq!((stage.duration_s, stage.drain_s), (4.09, 0.1));
}

#[test]
fn an_open_loop_that_is_stopped_accounts_for_all_that_was_still_to_come() {
    let stop = Stop::default();
    stop.request();
    for (load, count) in [
        ("load = { kind = \"poisson\", rate = \"100/s\" }\nrequests = 70", 70),
        ("load = { kind = \"constant\", rate = \"10/s\" }\nduration = \"5s\"", 50),
        ("load = { kind = \"sessions\", rate = \"10/s\", turns = 3 }\nsessions = 5", 15),
        ("load = { kind = \"sessions\", concurrency = 2, turns = 3 }\nsessions = 5", 15),
    ] {
        let scenario = scenario(&format!("[[stage]]\n{load}\n"));
        let played = play_until(run(scenario, "none", Target::Virtual(profile(SLOW))), &stop);
        played.assert_accounted_for();
        assert_eq!(played.report.stages[0].requests.unsent, count, "{load}");
        assert!(played.samples().all(|sample| sample.outcome == Outcome::Unsent { reason: Unsent::Interrupted }));
        assert!(!played.report.verdict.valid);
    }
}
