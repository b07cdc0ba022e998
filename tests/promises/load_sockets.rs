//! Over sockets, sends differ from the schedule by the reported lateness, and by nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use relaybench::load::Scenario;
use relaybench::target::Target;

use crate::support::runs::{Played, play, profile, run, scenario};

const QUICK: &str = "[latency]\ntotal = { dist = \"uniform\", min = \"0ms\", max = \"3ms\" }\n";

fn poisson() -> Scenario {
    scenario("[[stage]]\nload = { kind = \"poisson\", rate = \"1000/s\" }\nrequests = 700\n")
}

fn intended(played: &Played) -> BTreeMap<u64, Duration> {
    played.samples().map(|sample| (sample.index, sample.intended.unwrap())).collect()
}

#[test]
fn the_schedule_is_that_of_virtual_time_and_sends_are_late_by_what_is_reported() {
    let over_sockets = play(run(poisson(), "none", Target::Mock(profile(QUICK))));
    let in_virtual_time = play(run(poisson(), "none", Target::Virtual(profile(QUICK))));
    over_sockets.assert_accounted_for();
    assert_eq!(intended(&over_sockets), intended(&in_virtual_time));

    let mut lateness: Vec<Duration> = Vec::new();
    for sample in over_sockets.samples() {
        let (intended, sent, ended) = (sample.intended.unwrap(), sample.sent.unwrap(), sample.ended.unwrap());
        assert!(sent >= intended, "{sample:?} was sent too early");
        assert_eq!(sample.latency(), Some(ended - intended));
        lateness.push(sent - intended);
    }
    lateness.sort_unstable();
    let reported = over_sockets.report.stages[0].send_lateness_ms;
    assert_eq!(reported.max, Some(lateness[699].as_nanos() as f64 / 1e6));
    // The 693rd of 700 is p99, and a histogram keeps three digits, of a microsecond at least.
    let (p99, found) = (lateness[692].as_nanos() as f64 / 1e6, reported.p99.unwrap());
    assert!((p99 - 0.001..=p99 * 1.001 + 0.001).contains(&found), "{found} ms for {p99} ms");
}
