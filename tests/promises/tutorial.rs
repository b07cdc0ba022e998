//! The tutorial's benchmark, reproduced offline.

use relaybench::report::ThroughputOver;
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::runs::{closed, play, run, tutorial};

/// Enough for p99 within 3 % of the truth.
const REQUESTS: u64 = 20_000;

fn assert_within(what: &str, found: f64, expected: f64, share: f64) {
    assert!((found / expected - 1.0).abs() <= share, "{what}: {found}, not within {} % of {expected}", share * 100.0);
}

#[test]
fn the_published_latencies_and_successes_are_reproduced_and_the_throughput_is_littles() {
    let holysheep = Target::Virtual(Profile::load("holysheep").unwrap());
    let report = play(run(tutorial(REQUESTS), "none", holysheep)).report;
    assert!(report.verdict.valid, "{:?}", report.verdict.reasons);
    for (stage, throughput_rps) in report.stages.iter().zip([118.0, 163.0, 236.0, 343.0]) {
        let (published, latency) = (stage.published.unwrap(), stage.latency_ms);
        assert_within("mean", latency.mean.unwrap(), published.mean_ms, 0.02);
        assert_within("p95", latency.p95.unwrap(), published.p95_ms, 0.03);
        assert_within("p99", latency.p99.unwrap(), published.p99_ms, 0.03);
        assert!((stage.success_rate.unwrap() - published.success_rate).abs() <= 0.002, "{:?}", stage.success_rate);
        assert_eq!(stage.throughput_over, ThroughputOver::Steady);
        // What completes a second, the failed ones included.
        assert_within("completions", stage.throughput_rps.unwrap() / stage.success_rate.unwrap(), throughput_rps, 0.02);
        assert!(stage.throughput_rps.unwrap() < published.throughput_rps / 3.0);
    }
    assert_eq!(report.stages.len(), 4);
}

#[test]
fn waves_complete_less_than_a_closed_loop_since_each_waits_for_its_slowest() {
    let throughput = |scenario: &str| {
        let scenario = relaybench::load::Scenario::load(scenario).unwrap();
        let report = play(run(scenario, "none", Target::Virtual(Profile::load("holysheep").unwrap()))).report;
        report.stages[0].throughput_rps.unwrap()
    };
    let (closed, waves) = (throughput("tutorial"), throughput("tutorial-waves"));
    assert!(waves < 0.8 * closed, "waves {waves} req/s, closed loop {closed} req/s");
}

#[test]
fn any_json_counts_failures_as_successes_and_complete_does_not() {
    let holysheep = || Target::Virtual(Profile::load("holysheep").unwrap());
    let strict = play(run(tutorial(1000), "none", holysheep())).report;
    let lax = relaybench::load::Scenario::load("tutorial-waves").unwrap();
    let lax = play(run(lax, "none", holysheep())).report;
    assert!(strict.stages.iter().any(|stage| stage.requests.failed > 0));
    assert!(lax.stages.iter().all(|stage| stage.success_rate == Some(1.0)));
}

/// A row as the tutorial's document prints it.
fn storm_row(policy: &str) -> String {
    let report = play(run(closed(50, 5000), policy, Target::Virtual(Profile::load("flaky").unwrap()))).report;
    let stage = &report.stages[0];
    let latency = stage.latency_ms;
    let failures: Vec<_> = stage.errors.iter().map(|(kind, count)| format!("{} {kind}", thousands(*count as f64))).collect();
    // All of a hundred is said so, and nothing less is rounded to it.
    let success = match stage.success_rate.unwrap() * 100.0 {
        100.0 => "100".to_owned(),
        share => format!("{share:.2}"),
    };
    format!(
        "| `{policy}` | {success} % | {:.3} | {} | {} | {:.1} | {} |",
        stage.amplification.unwrap(),
        thousands(latency.p50.unwrap()),
        thousands(latency.p99.unwrap()),
        latency.max.unwrap() / 1000.0,
        failures.join(", "),
    )
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    match digits.len() {
        0..=3 => digits,
        length => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
    }
}

#[test]
fn the_documents_table_of_a_storm_is_what_its_command_prints() {
    let document = include_str!("../../docs/tutorial.md");
    let section = document.split("## Under a storm").nth(1).unwrap().split("\n## ").next().unwrap();
    let printed: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<_> = ["tutorial-bench", "tutorial-retry", "openai-sdk", "resilient"].into_iter().map(storm_row).collect();
    assert_eq!(printed, expected);
}
