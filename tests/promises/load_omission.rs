//! Coordinated omission: what callers feel while a relay stalls is in the latency, though little is sent meanwhile.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use relaybench::report::ThroughputOver;

use crate::support::runs::play_virtual;

const MS: u64 = 1_000_000;

/// Ten milliseconds, and ten seconds for what comes between second 40 and 50: nothing is answered then.
const STALLS: &str = r#"
[latency]
total = { dist = "fixed", value = "10ms" }
[[phase]]
from = "40s"
for = "10s"
latency_factor = 1000.0
"#;

/// What each of 10,000 requests must see, 100 a second, when 50 are in flight at most: sent in order, when its time has come and a
/// place is free. Latency from the intended time and service time, in nanoseconds.
fn theory() -> Vec<(u64, u64)> {
    let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut seen = Vec::new();
    for index in 0..10_000_u64 {
        let intended = index * 10 * MS;
        let sent = if ends.len() < 50 { intended } else { ends.pop().unwrap().0.max(intended) };
        let service = if (40_000 * MS..50_000 * MS).contains(&sent) { 10_000 * MS } else { 10 * MS };
        ends.push(Reverse(sent + service));
        seen.push((sent + service - intended, service));
    }
    seen
}

/// The smallest value that a share of them do not exceed.
fn quantile(mut values: Vec<u64>, share: f64) -> f64 {
    values.sort_unstable();
    values[(values.len() as f64 * share).ceil() as usize - 1] as f64 / 1e6
}

#[test]
fn a_stall_is_in_the_latency_of_all_who_waited_and_in_the_service_time_of_the_few_who_were_sent() {
    let load = "load = { kind = \"constant\", rate = \"100/s\", max_in_flight = 50 }\nduration = \"100s\"";
    let played = play_virtual(load, STALLS);
    played.assert_accounted_for();
    let theory = theory();

    // To the nanosecond, request by request.
    let nanoseconds = |time: Duration| time.as_nanos() as u64;
    let mut seen: Vec<_> =
        played.samples().map(|s| (s.index, nanoseconds(s.latency().unwrap()), nanoseconds(s.service.unwrap()))).collect();
    seen.sort_unstable();
    let expected: Vec<_> = (0..).zip(&theory).map(|(index, (latency, service))| (index, *latency, *service)).collect();
    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen.iter().zip(&expected).find(|(seen, expected)| seen != expected), None);

    // And in the report, within the thousandth that a histogram keeps.
    let stage = &played.report.stages[0];
    let (latency, service) = (stage.latency_ms.p99.unwrap(), stage.service_ms.p99.unwrap());
    let expected = quantile(theory.iter().map(|(latency, _)| *latency).collect(), 0.99);
    assert!(
        (9_000.0..9_200.0).contains(&expected),
        "the 50 that were stalled are half a percent, and the next 50 waited {expected} ms"
    );
    assert!((expected..=expected * 1.001).contains(&latency), "{latency} ms for {expected} ms");
    assert!((10.0..=10.01).contains(&service), "{service} ms");
    // The latest send is that of the arrival which found the last place taken.
    let lateness = theory.iter().map(|(latency, service)| latency - service).max().unwrap() as f64 / 1e6;
    assert_eq!(stage.send_lateness_ms.max, Some(lateness));
    assert_eq!(stage.throughput_over, ThroughputOver::Steady);
}

#[test]
fn a_closed_loop_of_as_many_hides_the_same_stall() {
    let played = play_virtual("load = { kind = \"closed\", concurrency = 50 }\nrequests = 10000", &STALLS.replace("40s", "1s"));
    let stage = &played.report.stages[0];
    assert!(stage.latency_ms.p99.unwrap() < 11.0, "{:?}", stage.latency_ms);
    assert_eq!(stage.send_lateness_ms.p50, None, "nothing says when it should have been sent");
}
