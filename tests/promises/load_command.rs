//! The flags that offer load at times of its own.

use std::path::Path;

use serde_json::Value;

use crate::support::process::{Ended, MockProcess, ended, relaybench};

fn run(arguments: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let fixed = ["run", "--virtual", "--quiet", "--policy", "none", "--format", "json", "--out", out.to_str().unwrap()];
    ended(relaybench(&fixed).args(arguments))
}

fn report(arguments: &[&str]) -> Value {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn names(report: &Value) -> Vec<&str> {
    report["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect()
}

#[test]
fn rates_are_stages_with_the_spacing_that_is_asked() {
    let asked = report(&["--rate", "50,6000/min", "--arrivals", "gamma", "--cv", "2", "--duration", "5s", "--warm-up", "1s"]);
    assert_eq!(names(&asked), ["gamma-50", "gamma-100"]);
    let load = &asked["stages"][1]["load"];
    assert_eq!((&load["rate_rps"], &load["shape"]), (&Value::from(100.0), &Value::from(0.25)));
    assert!(asked["stages"][0]["windows"]["ramp"].as_u64().unwrap() > 20);
    assert_eq!(names(&report(&["--rate", "20", "--requests", "50"])), ["constant-20"]);
}

#[test]
fn the_throughput_of_an_open_loop_is_counted_from_where_as_many_end_as_come() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("slow.toml");
    std::fs::write(&profile, "[latency]\ntotal = { dist = \"fixed\", value = \"950ms\" }\n").unwrap();
    let profile = profile.to_str().unwrap();
    let stage = &report(&["--profile", profile, "--rate", "100", "--duration", "20s", "--slo", "throughput>=99/s"])["stages"][0];
    assert_eq!(stage["throughput_over"], "steady");
    let throughput = stage["throughput_rps"].as_f64().unwrap();
    assert!((99.0..=101.0).contains(&throughput), "{throughput}");
}

#[test]
fn what_is_not_sent_takes_a_line_and_not_a_line_each() {
    let directory = tempfile::tempdir().unwrap();
    let relay = MockProcess::start(&["--profile", "instant"]);
    let out = directory.path().join("out");
    let mut run = relaybench(&["run", "--rate", "1000", "--duration", "1h", "--format", "json", "--out", out.to_str().unwrap()]);
    run.env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", "sk").env("RELAYBENCH_MAX_REQUESTS", "20");
    let ended = ended(&mut run);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["stages"][0]["unsent"]["request-cap"], 3_600_000 - 20, "{}", ended.stderr);
    let samples = std::fs::read_to_string(out.join("samples.jsonl")).unwrap();
    // Its head, the 20, what was left, and its end.
    assert!(samples.lines().count() <= 24, "{}", samples.lines().count());
}

#[test]
fn a_cap_is_that_of_the_stages() {
    let stage = &report(&["--rate", "100", "--max-in-flight", "3", "--requests", "100"])["stages"][0];
    assert_eq!(stage["load"]["max_in_flight"], 3);
    assert!(stage["send_lateness_ms"]["max"].as_f64().unwrap() > 1000.0, "{stage:#}");
}

#[test]
fn traces_of_every_format_are_replayed() {
    for (file, name) in [("azure.csv", "trace-azure"), ("mooncake.jsonl", "trace-mooncake"), ("burstgpt.csv", "trace-burstgpt")] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces").join(file);
        let replayed = report(&["--trace", file.to_str().unwrap(), "--time-scale", "0.5", "--profile", "instant"]);
        assert_eq!(names(&replayed), [name]);
        assert_eq!(replayed["stages"][0]["requests"]["succeeded"], 40);
    }
}

#[test]
fn the_built_in_shapes_run_and_are_valid() {
    let shapes = report(&["shapes", "--duration", "10s"]);
    assert_eq!(names(&shapes), ["constant-20", "poisson-20", "gamma-20", "ramp-5-35", "sessions-5"]);
    assert_eq!(names(&report(&["open-loop", "--requests", "300"])), ["poisson-50", "poisson-100", "poisson-200"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    };
    refused(&["--rate", "0"], 2, "\"0/s\" is no rate");
    refused(&["--rate", "5", "--concurrency", "5"], 2, "cannot be used with");
    refused(&["--cv", "2"], 2, "--arrivals");
    refused(&["--rate", "5,5"], 2, "--rate: each rate can be measured once");
    refused(&["--rate", "5", "--arrivals", "poisson", "--cv", "2"], 2, "--cv: only --arrivals gamma has one");
    refused(&["--max-in-flight", "5"], 2, "--max-in-flight: stage \"closed-50\" is closed");
    refused(&["shapes", "--requests", "5"], 2, "--requests: stage \"ramp-5-35\" does not count requests");
    refused(&["--slo", ""], 2, "write a figure and its bound");
    refused(&["--trace", "no-such.csv"], 1, "cannot read the trace no-such.csv");
    refused(&["--prompts", "no-such.txt"], 1, "cannot read the prompts no-such.txt");
}
