//! What the client says of each attempt against what the mock's ledger says: the harness's own error.

use relaybench::target::Target;

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
