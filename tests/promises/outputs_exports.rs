//! What a run leaves for other tools can be read by them, and says what the report says.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use crate::support::process::{ended, relaybench};

/// A streamed run of two stages with failures: its directory, and its report.
fn exported() -> (tempfile::TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().display().to_string();
    let arguments = ["run", "--virtual", "--stream", "--profile", "flaky", "--policy", "none", "--requests", "2000"];
    let run = ended(relaybench(&arguments).args(["--concurrency", "10,40", "--export", "hlog,aiperf", "--out", &out]));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report = fs::read_to_string(directory.path().join("report.json")).unwrap();
    (directory, serde_json::from_str(&report).unwrap())
}

#[test]
fn the_histogram_log_adds_up_to_the_reports_percentiles() {
    let (directory, report) = exported();
    let log = fs::read(directory.path().join("latency.hlog")).unwrap();
    let mut of_stages: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut last = Duration::ZERO;
    for entry in IntervalLogIterator::new(&log) {
        let interval = match entry.unwrap() {
            LogEntry::Interval(interval) => interval,
            LogEntry::StartTime(start) | LogEntry::BaseTime(start) => {
                assert_eq!(start, Duration::ZERO);
                continue;
            }
        };
        assert!(interval.start_timestamp() >= last, "intervals are in order");
        last = interval.start_timestamp();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, interval.encoded_histogram()).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert!((read.max() as f64 / 1e6 - interval.max()).abs() < 0.001, "the maximum is in milliseconds");
        match of_stages.get_mut(interval.tag().unwrap().as_str()) {
            Some(sum) => sum.add(read).unwrap(),
            None => drop(of_stages.insert(interval.tag().unwrap().as_str().to_owned(), read)),
        }
    }
    let stages = report["stages"].as_array().unwrap();
    assert_eq!(of_stages.len(), stages.len());
    for stage in stages {
        let sum = &of_stages[stage["name"].as_str().unwrap()];
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)] {
            assert_eq!(sum.value_at_quantile(quantile) as f64 / 1e6, stage["latency_ms"][name].as_f64().unwrap(), "{name}");
        }
    }
}

const STATISTICS: [&str; 14] = ["unit", "avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std"];
const TAGS: [&str; 8] = [
    "request_latency",
    "time_to_first_token",
    "inter_token_latency",
    "request_throughput",
    "request_count",
    "error_request_count",
    "output_token_throughput",
    "goodput",
];

#[test]
fn all_files_are_made_again_of_the_samples() {
    let (directory, report) = exported();
    let again = directory.path().join("again");
    let arguments =
        ["report", &directory.path().display().to_string(), "--export", "aiperf", "--out", &again.display().to_string()];
    let rebuilt = ended(&mut relaybench(&arguments));
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
    let of_stages = report["stages"].as_array().unwrap().iter().enumerate().flat_map(|(place, stage)| {
        let of = format!("aiperf/{}-{}", place + 1, stage["name"].as_str().unwrap());
        ["profile_export_aiperf.json", "profile_export.jsonl"].map(|file| format!("{of}/{file}"))
    });
    let of_all = ["report.json", "report.html", "report.md", "report.csv", "latency.hlog"].map(str::to_owned);
    for file in of_all.into_iter().chain(of_stages) {
        let read = |directory: &std::path::Path| fs::read_to_string(directory.join(&file)).unwrap();
        assert!(read(directory.path()) == read(&again), "{file}");
    }
}

#[test]
fn the_aggregates_for_aiperf_have_its_keys_and_the_reports_figures() {
    let (directory, report) = exported();
    for (place, stage) in report["stages"].as_array().unwrap().iter().enumerate() {
        let path = format!("aiperf/{}-{}/profile_export_aiperf.json", place + 1, stage["name"].as_str().unwrap());
        let file: Value = serde_json::from_str(&fs::read_to_string(directory.path().join(path)).unwrap()).unwrap();
        assert!(file["schema_version"].is_string() && file["input_config"].is_object());
        for tag in TAGS {
            assert!(file[tag]["unit"].is_string() && file[tag].get("avg").is_some(), "{tag}");
        }
        for tag in &TAGS[..3] {
            let mut keys: Vec<&str> = file[tag].as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected = STATISTICS;
            keys.sort_unstable();
            expected.sort_unstable();
            assert_eq!(keys, expected, "{tag}");
            assert!(STATISTICS[1..].iter().all(|statistic| file[tag][statistic].is_number()), "{tag}: {}", file[tag]);
        }
        for (theirs, ours) in [("request_latency", "latency_ms"), ("time_to_first_token", "ttft_ms")] {
            for (statistic, figure) in [("avg", "mean"), ("p50", "p50"), ("p99", "p99"), ("max", "max")] {
                assert_eq!(file[theirs][statistic], stage[ours][figure], "{theirs} {statistic}");
            }
        }
        assert_eq!(file["request_throughput"]["avg"], stage["throughput_rps"]);
    }
}

#[test]
fn the_records_for_aiperf_are_a_line_for_each_request_that_was_sent() {
    let (directory, report) = exported();
    for (place, stage) in report["stages"].as_array().unwrap().iter().enumerate() {
        let path = format!("aiperf/{}-{}/profile_export.jsonl", place + 1, stage["name"].as_str().unwrap());
        let lines = fs::read_to_string(directory.path().join(path)).unwrap();
        let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len() as u64, stage["requests"]["sent"]);
        let failed: Vec<&Value> = records.iter().filter(|record| !record["error"].is_null()).collect();
        assert!(!failed.is_empty() && failed.len() as u64 == stage["requests"]["failed"]);
        for record in &records {
            let metadata = &record["metadata"];
            let keys = [
                "session_num",
                "x_request_id",
                "request_start_ns",
                "request_ack_ns",
                "request_end_ns",
                "benchmark_phase",
                "was_cancelled",
            ];
            assert!(keys.iter().all(|key| metadata.get(key).is_some()), "{metadata}");
            let took_ns = metadata["request_end_ns"].as_u64().unwrap() - metadata["request_start_ns"].as_u64().unwrap();
            if record["error"].is_null() {
                let latency = &record["metrics"]["request_latency"];
                assert!(latency["unit"] == "ms" && (latency["value"].as_f64().unwrap() * 1e6 - took_ns as f64).abs() < 1.0);
            } else {
                assert!(["code", "type", "message"].iter().all(|key| record["error"].get(key).is_some()), "{}", record["error"]);
                assert_eq!(record["metrics"], serde_json::json!({}));
            }
        }
        let warm_up = records.iter().filter(|record| record["metadata"]["benchmark_phase"] == "warmup").count();
        assert_eq!(warm_up as u64, stage["windows"]["ramp"]);
    }
}
