//! One environment variable switches to a live endpoint: here a mock relay in a process of its own.

use relaybench_mock::Entry;
use serde_json::Value;

use crate::support::process::{MockProcess, ended, relaybench};

const KEY: &str = "sk-live-do-not-print-me";

#[test]
fn a_live_run_measures_the_endpoint_within_its_caps_and_keeps_the_key_to_itself() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("ledger.jsonl");
    let relay = MockProcess::start(&["--profile", "instant", "--ledger", ledger.to_str().unwrap()]);
    let out = directory.path().join("out");
    let mut run = relaybench(&["run", "--out", out.to_str().unwrap(), "--concurrency", "2,4", "--requests", "30"]);
    run.env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", KEY).env("RELAYBENCH_MAX_REQUESTS", "20");
    let run = ended(&mut run);
    // A machine that stalls within these few milliseconds makes its figures, rightly, invalid.
    assert!(matches!(run.code, Some(0 | 4)), "{}", run.stderr);
    assert!(run.stderr.contains("at most 20 requests (10 a stage"), "{}", run.stderr);
    assert_eq!(relay.interrupt(), Some(0));

    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    for stage in report["stages"].as_array().unwrap() {
        assert_eq!(stage["requests"]["scheduled"], 30);
        assert_eq!(stage["requests"]["succeeded"], 10);
        assert_eq!(stage["unsent"]["request-cap"], 20);
    }
    let entries = std::fs::read_to_string(&ledger).unwrap();
    let entries: Vec<Entry> = entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ids: Vec<_> = entries.iter().map(|entry| entry.request_id.as_deref().unwrap().to_owned()).collect();
    ids.sort_unstable();
    let mut expected: Vec<_> = (0..2).flat_map(|stage| (0..10).map(move |index| format!("rb-1-{stage}-{index}"))).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);

    let mut written = run.stdout + &run.stderr;
    for file in ["report.json", "run.json", "samples.jsonl"] {
        written += &std::fs::read_to_string(out.join(file)).unwrap();
    }
    written += &std::fs::read_to_string(&ledger).unwrap();
    assert!(!written.contains(KEY));
}

#[test]
fn a_live_run_stops_sending_before_it_could_cost_more_than_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let relay = MockProcess::start(&["--profile", "instant"]);
    let mut run = relaybench(&["run", "--out", directory.path().join("out").to_str().unwrap()]);
    run.args(["--concurrency", "4", "--requests", "50", "--format", "json"]);
    // At $8 for a million tokens, 500 of the answer and at most 57 of the prompt cost at most $0.0045.
    run.env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", KEY).env("RELAYBENCH_MAX_COST_USD", "0.01");
    let run = ended(&mut run);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let stage = &report["stages"][0];
    assert!(stage["unsent"]["cost-cap"].as_u64().unwrap() > 0, "{stage}");
    assert!(stage["requests"]["succeeded"].as_u64().unwrap() >= 2, "{stage}");
    assert!(stage["cost_usd"].as_f64().unwrap() <= 0.01, "{stage}");
}

#[test]
fn a_mock_in_another_process_of_this_machine_is_balanced_attempt_by_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let relay = MockProcess::start(&["--profile", "instant"]);
    let run = |out: &str| {
        let mut run = relaybench(&["run", "--concurrency", "4,8", "--requests", "50", "--format", "json", "--out"]);
        run.arg(directory.path().join(out)).env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", KEY);
        serde_json::from_str::<Value>(&ended(&mut run).stdout).unwrap()
    };
    // The ids of the second run are those of the first: what was there before it is not its.
    for out in ["first", "second"] {
        let report = run(out);
        for stage in report["stages"].as_array().unwrap() {
            assert_eq!(stage["ledger"], serde_json::json!({ "matched": 50, "missing": 0, "unknown": 0 }), "{out}");
            assert!(stage["harness_error_ms"]["mean"].as_f64().unwrap() > 0.0, "{stage}");
        }
    }
}

#[test]
fn a_mock_that_forgot_attempts_is_not_balanced_and_the_run_says_what_would_help() {
    let directory = tempfile::tempdir().unwrap();
    let relay = MockProcess::start(&["--profile", "instant", "--ledger-keep", "5"]);
    let mut run = relaybench(&["run", "--concurrency", "4", "--requests", "50", "--format", "json", "--out"]);
    run.arg(directory.path().join("out")).env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", KEY);
    let report: Value = serde_json::from_str(&ended(&mut run).stdout).unwrap();
    assert_eq!(report["stages"][0]["ledger"], Value::Null);
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("start it with --ledger-keep 50")), "{warnings:?}");
}
