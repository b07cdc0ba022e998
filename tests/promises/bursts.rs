//! A burst of 429s: what a policy makes of it.

use relaybench::report::StageReport;
use relaybench::target::Target;

use crate::support::runs::{closed, play, profile, run};

/// Every 10 s everyone is turned away for a second, and told to come back after it.
const BURSTS: &str = r#"
[latency]
total = { dist = "fixed", value = "100ms" }
[[burst]]
every = "10s"
for = "1s"
from = "2s"
retry_after = "1s"
"#;

fn under(policy: &str) -> StageReport {
    let mut report = play(run(closed(20, 4000), policy, Target::Virtual(profile(BURSTS)))).report;
    assert!(report.verdict.valid, "{:?}", report.verdict.reasons);
    report.stages.remove(0)
}

#[test]
fn a_burst_is_ridden_out_by_resilient() {
    let stage = under("resilient");
    assert_eq!(stage.success_rate, Some(1.0), "{:?}", stage.errors);
    assert!(stage.attempts > stage.requests.sent);
}

#[test]
fn a_burst_is_lost_by_none() {
    let stage = under("none");
    assert!(stage.errors["rate-limited"] > 100, "{:?}", stage.errors);
    assert_eq!(stage.attempts, stage.requests.sent);
}
