//! Objectives, goodput, and repeats with their intervals.

use relaybench::load::{Outcome, Record, Sample};
use relaybench::target::Target;

use crate::support::process::{ended, relaybench};
use crate::support::runs::{Played, play, profile, run, scenario};

/// Nine of ten take 100 ms, the tenth a second; and 2 % fail at once.
const MOSTLY_FAST: &str = r#"
[latency]
total = { dist = "mixture", of = [
    { weight = 9, dist = "fixed", value = "100ms" },
    { weight = 1, dist = "fixed", value = "1s" },
] }
[[fault]]
fault = "status=503"
probability = 0.02
"#;

fn held_to(slo: &str, requests: u64) -> Played {
    let slo = if slo.is_empty() { String::new() } else { format!("slo = \"{slo}\"\n") };
    let text = format!("{slo}[[stage]]\nload = {{ kind = \"poisson\", rate = \"50/s\" }}\nrequests = {requests}\n");
    play(run(scenario(&text), "none", Target::Virtual(profile(MOSTLY_FAST))))
}

#[test]
fn each_objective_is_met_or_missed_with_its_figure() {
    let report = held_to("p50<200ms, p95<200ms, success>97%, success>99.5%, throughput>40/s", 3000).report;
    let met: Vec<_> = report.stages[0].slo.iter().map(|objective| objective.met.unwrap()).collect();
    assert_eq!(met, [true, false, true, false, true]);
    let slo = report.slo.unwrap();
    assert!(!slo.met && slo.misses.len() == 2, "{slo:?}");
    assert!(slo.misses[0].contains("poisson-50: p95<200ms missed: 1000.") && slo.misses[1].contains("success>99.5% missed: 9"));
    assert!(report.verdict.valid, "a relay that is slow is no fault of the measurement");
}

#[test]
fn an_objective_that_too_few_requests_support_cannot_be_told_and_is_no_pass() {
    let report = held_to("p50<200ms,p99<2s", 300).report;
    let met: Vec<_> = report.stages[0].slo.iter().map(|objective| objective.met).collect();
    assert_eq!(met, [Some(true), None]);
    let slo = report.slo.unwrap();
    assert!(!slo.met && slo.misses[0].contains("cannot be told: it needs 662"), "{slo:?}");
}

#[test]
fn goodput_is_of_the_requests_that_succeeded_in_time() {
    let played = held_to("p99<500ms", 3000);
    let stage = &played.report.stages[0];
    let is_good = |sample: &&Sample| sample.outcome == Outcome::Succeeded && sample.latency().unwrap().as_millis() < 500;
    let good = played.samples().filter(is_good).count() as f64 / stage.requests.succeeded as f64;
    assert!((0.87..0.93).contains(&good), "{good} are to be nine of ten");
    let found = stage.goodput_rps.unwrap() / stage.throughput_rps.unwrap();
    assert!((found - good).abs() < 0.005, "{found} of throughput, {good} of successes");
    assert_eq!(held_to("", 300).report.stages[0].goodput_rps, None);
}

#[test]
fn repeats_take_turns_and_have_an_interval_over_them() {
    let two = "repeat = 5\n[[stage]]\nload = { kind = \"closed\", concurrency = 5 }\nrequests = 700\n\
               [[stage]]\nload = { kind = \"poisson\", rate = \"50/s\" }\nrequests = 700\n";
    let played = play(run(scenario(two), "none", Target::Virtual(profile(MOSTLY_FAST))));
    let names: Vec<_> = played.report.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names[..4], ["closed-5#1", "poisson-50#1", "closed-5#2", "poisson-50#2"]);
    let order = played.records.iter().filter_map(|record| match record {
        Record::Stage(end) => Some(end.stage),
        Record::Run(_) | Record::Sample(_) => None,
    });
    assert_eq!(order.collect::<Vec<_>>(), (0..10).collect::<Vec<_>>(), "one after another and then again");

    let [closed, poisson] = &played.report.repeats[..] else { panic!("{:?}", played.report.repeats) };
    assert_eq!((closed.stage.as_str(), closed.n, poisson.stage.as_str(), poisson.n), ("closed-5", 5, "poisson-50", 5));
    let means: Vec<f64> = played.report.stages.iter().step_by(2).map(|stage| stage.latency_ms.mean.unwrap()).collect();
    assert!(means.windows(2).all(|pair| pair[0] != pair[1]), "each has draws of its own: {means:?}");
    let mean = closed.figures["latency_mean_ms"].unwrap();
    let [low, high] = mean.ci.unwrap();
    assert!((mean.mean - means.iter().sum::<f64>() / 5.0).abs() < 1e-9 && low < 190.0 && 190.0 < high, "{mean:?}");
    assert_eq!(closed.figures["latency_p999_ms"], None, "700 samples support no p99.9");
}

#[test]
fn a_person_is_shown_repeats_together_and_what_was_published_once() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let run = ["run", "--virtual", "--concurrency", "50", "--requests", "300", "--repeat", "2", "--out", out.to_str().unwrap()];
    let table = ended(&mut relaybench(&run)).stdout;
    let (rows, repeats) = table.split_once("Over repeats").unwrap();
    assert!(rows.contains("closed-50#2") && repeats.contains(" closed-50 "), "{table}");
    assert_eq!(table.matches("50 / 0.423 s").count(), 1, "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");

    let report = ended(&mut relaybench(&["report", out.to_str().unwrap(), "--format", "json"])).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let [low, high] = [0, 1].map(|end| report["repeats"][0]["figures"]["success_rate"]["ci"][end].as_f64().unwrap());
    assert!(0.9 < low && low <= high && high <= 1.0, "a share is at most all: {low} to {high}");
    let markdown = ended(&mut relaybench(&["report", out.to_str().unwrap(), "--format", "markdown"])).stdout;
    assert!(markdown.contains("| stage | repeats |") && markdown.contains("| closed-50 | 2 |"), "{markdown}");
}

#[test]
fn the_command_exits_3_when_an_objective_is_missed_and_4_when_the_run_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    let run = |slo: &str, out: &str| {
        let arguments = ["run", "--virtual", "--concurrency", "10", "--requests", "200", "--profile", "steady", "--out", out];
        ended(relaybench(&arguments).args(["--policy", "none", "--slo", slo]))
    };
    let missed = run("p50<1ms,success>50%", out);
    assert_eq!(missed.code, Some(3), "{}", missed.stderr);
    assert!(missed.stdout.contains("closed-10: p50<1ms missed"), "{}", missed.stdout);

    // Held to another, the same samples pass; without one of them they are invalid, whatever is missed.
    let again = |slo: &str| ended(&mut relaybench(&["report", out, "--slo", slo]));
    assert_eq!(again("p50<1h").code, Some(0));
    let samples = format!("{out}/samples.jsonl");
    let text = std::fs::read_to_string(&samples).unwrap();
    let without = text.lines().enumerate().filter(|(number, _)| *number != 9).map(|(_, line)| format!("{line}\n"));
    std::fs::write(&samples, without.collect::<String>()).unwrap();
    assert_eq!(again("p50<1ms").code, Some(4));

    let wrong = ended(&mut relaybench(&["run", "--virtual", "--slo", "p98<1s"]));
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("p98"), "{}", wrong.stderr);
}
