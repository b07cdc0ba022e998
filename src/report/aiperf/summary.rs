//! `profile_export_aiperf.json`: a stage's aggregates.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error_summary;
use crate::load::RunInfo;
use crate::report::details::{Details, Distribution, PERCENTILES};
use crate::report::stage::StageReport;
use crate::report::summary::Report;

/// The first version of AIPerf's schema, whose fields these are.
const SCHEMA_VERSION: &str = "1.0";

/// The stage's file, with a newline at its end; none where there is no such stage.
///
/// Each metric is `{unit, avg, min, max, p1, p5, p10, p25, p50, p75, p90, p95, p99, std}`; what too few samples support is null, and
/// metrics that are one number have `unit` and `avg` alone.
pub fn summary(report: &Report, details: &Details, place: usize) -> Option<String> {
    let (stage, details) = (report.stages.get(place)?, details.stages().get(place)?);
    let seconds = details.duration.as_secs_f64();
    let tokens_each = (details.latency.count > 0).then(|| details.steady_tokens as f64 / details.latency.count as f64);
    let tokens_a_second = stage.throughput_rps.zip(tokens_each).map(|(requests, tokens)| requests * tokens);
    let file = json!({
        "schema_version": SCHEMA_VERSION,
        "request_throughput": scalar("requests/sec", stage.throughput_rps),
        "request_latency": distribution(&details.latency),
        "time_to_first_token": distribution(&details.time_to_first_token),
        "inter_token_latency": distribution(&details.time_per_token),
        "output_token_throughput": scalar("tokens/sec", tokens_a_second),
        "request_count": scalar("requests", Some(details.latency.count as f64)),
        "error_request_count": scalar("requests", Some(details.steady_errors.values().sum::<u64>() as f64)),
        "goodput": scalar("requests/sec", stage.goodput_rps),
        "benchmark_duration": scalar("sec", Some(seconds)),
        "was_cancelled": details.interrupted,
        "error_summary": error_summary(&details.steady_errors),
        "input_config": input_config(&report.run, stage),
    });
    Some(format!("{file:#}\n"))
}

fn scalar(unit: &str, value: Option<f64>) -> Value {
    json!({ "unit": unit, "avg": value })
}

fn distribution(of: &Distribution) -> Value {
    let milliseconds = |value: Option<Duration>| json!(value.map(|value| value.as_nanos() as f64 / 1e6));
    let mut metric = Map::new();
    metric.insert("unit".to_owned(), json!("ms"));
    for (name, value) in [("avg", of.mean), ("min", of.min), ("max", of.max)] {
        metric.insert(name.to_owned(), milliseconds(value));
    }
    for (percent, value) in PERCENTILES.iter().zip(of.percentiles) {
        metric.insert(format!("p{percent}"), milliseconds(value));
    }
    metric.insert("std".to_owned(), milliseconds(of.standard_deviation));
    Value::Object(metric)
}

/// What was run, in AIPerf's sections.
fn input_config(run: &RunInfo, stage: &StageReport) -> Value {
    json!({
        "endpoint": { "url": run.target, "type": "chat" },
        "input": { "random_seed": run.seed },
        "loadgen": {
            "concurrency": stage.load.concurrency(),
            "request_rate_mode": stage.load.kind(),
            "request_count": stage.requests.scheduled,
        },
        "relaybench": {
            "scenario": run.scenario,
            "stage": stage.name,
            "profile": run.profile,
            "policy": run.policy,
            "virtual": run.r#virtual,
            "version": run.version,
        },
    })
}
