//! What the client says of each attempt against what the mock's ledger says: the harness's own error.

use relaybench::load::Outcome;
use relaybench::stats::Summary;
use relaybench::target::Target;
use relaybench_mock::Entry;
use statrs::distribution::{ContinuousCDF, LogNormal};

use crate::support::runs::{play, profile, run, scenario};

const UNEVEN: &str = r#"
[latency]
total = { dist = "lognormal", median = "2ms", sigma = 0.5 }
[[fault]]
fault = "status=503"
probability = 0.1
"#;

#[test]
fn in_virtual_time_the_harness_errs_by_nothing_at_all() {
    for (policy, request) in [("none", ""), ("resilient", ""), ("resilient", "[request]\nstream = true\n")] {
        for load in ["{ kind = \"closed\", concurrency = 20 }", "{ kind = \"poisson\", rate = \"500/s\" }"] {
            let scenario = scenario(&format!("{request}[[stage]]\nload = {load}\nrequests = 2000\n"));
            let played = play(run(scenario, policy, Target::Virtual(profile(UNEVEN))));
            played.assert_accounted_for();
            let error = played.report.stages[0].harness_error_ms;
            assert_eq!((error.mean, error.p99, error.max), (Some(0.0), Some(0.0), Some(0.0)), "{policy} {load} {request}");
        }
    }
}

#[test]
fn over_sockets_the_error_is_a_figure_of_the_report() {
    let scenario = scenario("[[stage]]\nload = { kind = \"constant\", rate = \"500/s\" }\nrequests = 1000\n");
    let played = play(run(scenario, "none", Target::Mock(profile(UNEVEN))));
    let stage = &played.report.stages[0];
    // Some 900 were answered to the end.
    let (p99, [low, high]) = (stage.harness_error_ms.p99.unwrap(), stage.harness_error_ms.p99_ci.unwrap());
    assert!(low <= p99 && p99 <= high && high <= stage.harness_error_ms.max.unwrap(), "{:?}", stage.harness_error_ms);
    assert!(p99 > 0.0, "a socket takes time");
}

/// Below this share of the values, as many of them lie as a percentile says: the nearest rank.
fn percentile_ms(sorted_ns: &[u64], share: f64) -> f64 {
    let rank = (share * sorted_ns.len() as f64).ceil() as usize;
    sorted_ns[rank.max(1) - 1] as f64 / 1e6
}

fn percentiles(summary: &Summary) -> [(f64, f64); 4] {
    [(0.5, summary.p50), (0.9, summary.p90), (0.95, summary.p95), (0.99, summary.p99)].map(|(share, ms)| (share, ms.unwrap()))
}

#[test]
fn over_sockets_percentiles_are_those_of_theory_within_the_error_that_the_run_reports() {
    const REQUESTS: usize = 1500;
    /// A percentile in a histogram is at most a thousandth or a microsecond above the true one.
    const RESOLUTION: (f64, f64) = (1.001, 0.001);
    let scenario = scenario(&format!("[[stage]]\nload = {{ kind = \"poisson\", rate = \"300/s\" }}\nrequests = {REQUESTS}\n"));
    let lognormal = "[latency]\ntotal = { dist = \"lognormal\", median = \"20ms\", sigma = 0.5 }\n";
    let played = play(run(scenario, "none", Target::Mock(profile(lognormal))));
    played.assert_accounted_for();
    assert!(played.samples().all(|sample| sample.outcome == Outcome::Succeeded));

    // What was drawn depends on the seed alone, and is from the distribution: so far off that a share lies beyond by sampling error.
    let mut drawn: Vec<u64> = played.ledger.iter().map(|entry| entry.latency_ns).collect();
    drawn.sort_unstable();
    let theory = LogNormal::new(20_f64.ln(), 0.5).unwrap();
    for share in [0.5, 0.9, 0.95, 0.99] {
        let error = 3.0 * (share * (1.0 - share) / REQUESTS as f64).sqrt();
        let found = theory.cdf(percentile_ms(&drawn, share));
        assert!((found - share).abs() < error, "p{share} of what was drawn is p{found} of the distribution");
    }

    // The mock answers no earlier than that. How much later is its own lateness, which its ledger has; the rest is the harness's error,
    // and of latency how late it sent, both of which the report has.
    let stage = &played.report.stages[0];
    let late = |entry: &Entry| entry.end_written_ns.unwrap().saturating_sub(entry.arrived_ns + entry.latency_ns);
    let mock_late_ms = played.ledger.iter().map(late).max().unwrap() as f64 / 1e6;
    let error_ms = stage.harness_error_ms.max.unwrap();
    let late_ms = stage.send_lateness_ms.max.unwrap();
    for (summary, most_ms) in
        [(&stage.service_ms, mock_late_ms + error_ms), (&stage.latency_ms, mock_late_ms + error_ms + late_ms)]
    {
        for (share, reported) in percentiles(summary) {
            let drawn = percentile_ms(&drawn, share);
            let (least, most) = (drawn - error_ms, (drawn + most_ms) * RESOLUTION.0 + RESOLUTION.1);
            assert!((least..=most).contains(&reported), "p{share}: {reported} ms of {least} to {most} ms, drawn {drawn} ms");
        }
    }
}
