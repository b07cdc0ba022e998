//! Every shape of load arrives at the mock as it was asked: to the nanosecond where it is fixed, and else by a test of goodness of fit.

use std::time::Duration;

use relaybench::load::{Outcome, Sample};
use statrs::distribution::{ContinuousCDF, Exp, Gamma, Uniform};

use crate::support::fit::assert_fits;
use crate::support::runs::{Played, play_virtual};

/// Longer than any gap, so that nobody waits for an answer.
const SLOW: &str = "[latency]\ntotal = { dist = \"fixed\", value = \"1s\" }\n";

/// A run of 5,000 requests of this load, each sent at its time.
fn arrivals_ns(load: &str, extent: &str) -> Vec<u64> {
    let played = play_virtual(&format!("load = {load}\n{extent}"), SLOW);
    played.assert_accounted_for();
    let is_on_time = |sample: &Sample| sample.send_lateness() == Some(Duration::ZERO) && sample.outcome == Outcome::Succeeded;
    assert!(played.samples().all(is_on_time), "{load}");
    played.arrivals_ns()
}

fn gaps_s(arrivals_ns: &[u64]) -> Vec<f64> {
    arrivals_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect()
}

#[test]
fn constant_is_one_request_every_interval() {
    let arrivals = arrivals_ns("{ kind = \"constant\", rate = \"400/s\" }", "duration = \"10s\"");
    assert_eq!(arrivals, (0..4000).map(|index| index * 2_500_000).collect::<Vec<_>>());
}

#[test]
fn poisson_has_exponential_gaps() {
    let gaps = gaps_s(&arrivals_ns("{ kind = \"poisson\", rate = \"100/s\" }", "requests = 5000"));
    let exponential = Exp::new(100.0).unwrap();
    assert_fits("gaps", &gaps, |gap| exponential.cdf(gap));
    // Independent of each other: neighbours are uncorrelated, within three standard errors.
    let mean = 0.01;
    let correlation =
        gaps.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>() / (mean * mean * gaps.len() as f64);
    assert!(correlation.abs() < 3.0 / (gaps.len() as f64).sqrt(), "{correlation}");
}

#[test]
fn gamma_has_gaps_of_the_asked_variation() {
    for (written, shape) in [("cv = 2", 0.25), ("shape = 4", 4.0), ("cv = 1", 1.0)] {
        let gaps = gaps_s(&arrivals_ns(&format!("{{ kind = \"gamma\", rate = \"100/s\", {written} }}"), "requests = 5000"));
        let gamma = Gamma::new(shape, 100.0 * shape).unwrap();
        // Gaps below a nanosecond are none on this clock, and a share of them that the test would see where bursts are dense.
        assert_fits(written, &gaps, |gap| gamma.cdf(gap + 0.5e-9));
    }
}

#[test]
fn a_ramp_rises_in_a_straight_line() {
    // H(t) = 100t + 2t²/2 for 40 s: 4,800 arrivals.
    let expected_by = |t: f64| 100.0 * t + t * t;
    let even = arrivals_ns("{ kind = \"ramp\", from = \"100/s\", to = \"180/s\" }", "duration = \"40s\"");
    assert_eq!(even.len(), 5600);
    for (index, at_ns) in even.iter().enumerate() {
        // A nanosecond is 1.8e-7 arrivals.
        assert!((expected_by(*at_ns as f64 / 1e9) - index as f64).abs() < 2e-7, "{index} at {at_ns} ns");
    }
    // With independent arrivals the times are a sample of the density that the rate is.
    let load = "load = { kind = \"ramp\", from = \"100/s\", to = \"180/s\", spacing = \"poisson\" }\nduration = \"40s\"";
    let played = play_virtual(load, SLOW);
    played.assert_accounted_for();
    // The ledger counts from its own beginning, which is the stage's where there is one: the first is sent before time goes on.
    let shares: Vec<f64> = played.ledger.iter().map(|entry| expected_by(entry.arrived_ns as f64 / 1e9) / 5600.0).collect();
    let uniform = Uniform::new(0.0, 1.0).unwrap();
    assert_fits("times", &shares, |share| uniform.cdf(share));
    assert!((5600.0 - shares.len() as f64).abs() < 3.0 * 5600_f64.sqrt(), "{}", shares.len());
}

#[test]
fn steps_are_stages_of_their_own_rates() {
    let load = "load = { kind = \"steps\", rates = [\"50/s\", \"200/s\"], spacing = \"poisson\" }\nrequests = 3000";
    let played = play_virtual(load, SLOW);
    played.assert_accounted_for();
    let names: Vec<_> = played.report.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["poisson-50", "poisson-200"]);
    for (stage, rate) in [(0, 50.0), (1, 200.0)] {
        let gaps = gaps_s(&played.arrivals_of_ns(stage));
        assert_eq!(gaps.len(), 2999);
        let exponential = Exp::new(rate).unwrap();
        assert_fits("gaps", &gaps, |gap| exponential.cdf(gap));
    }
}

#[test]
fn the_schedule_is_the_same_whatever_the_relay_does() {
    let intended = |mock: &str| {
        let load = "load = { kind = \"poisson\", rate = \"100/s\" }\nrequests = 500";
        let played: Played = play_virtual(load, mock);
        let mut times: Vec<_> = played.samples().map(|sample| (sample.index, sample.intended)).collect();
        times.sort_unstable();
        times
    };
    assert_eq!(intended(SLOW), intended("[[fault]]\nfault = \"status=500\"\nprobability = 0.5\n"));
}
