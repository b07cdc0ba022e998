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

#[test]
fn a_loop_that_is_behind_its_schedule_takes_in_answers_while_it_sends() {
    // No machine makes a million requests a second of one thread: all are late, and the schedule is over before most are sent.
    let behind = scenario("[[stage]]\nload = { kind = \"constant\", rate = \"1000000/s\" }\nrequests = 5000\n");
    let played = play(run(behind, "none", Target::Mock(profile("[latency]\ntotal = { dist = \"fixed\", value = \"0ms\" }\n"))));
    played.assert_accounted_for();
    let sent = |index: u64| played.samples().find(|sample| sample.index == index).unwrap().sent.unwrap();
    let last = sent(4999);
    assert!(last > Duration::from_millis(5), "it is late: the last is sent {last:?} after the start");
    let ended = played.samples().filter(|sample| sample.ended.unwrap() < last).count();
    assert!(ended > 0, "nothing ended before the last of 5,000 was sent");
    assert!(sent(0) < last / 10, "the first does not wait for the last to be made: {:?} of {last:?}", sent(0));
    assert!(!played.report.verdict.valid, "less was offered than asked");
}
