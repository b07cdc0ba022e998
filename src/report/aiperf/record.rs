//! A line of `profile_export.jsonl`: one request.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::ErrorDetails;
use crate::load::{INTERRUPTED, Outcome, RunHeader, Sample, Window, request_id};
use crate::report::details::time_per_token;

#[derive(Debug, Serialize)]
struct Line {
    metadata: Metadata,
    metrics: BTreeMap<&'static str, Metric>,
    error: Option<ErrorDetails>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    session_num: u64,
    x_request_id: String,
    conversation_id: Option<String>,
    turn_index: u32,
    request_start_ns: u64,
    /// When the server acknowledged the request, which no sample tells.
    request_ack_ns: Option<u64>,
    request_end_ns: u64,
    benchmark_phase: &'static str,
    was_cancelled: bool,
}

#[derive(Debug, Serialize)]
struct Metric {
    value: f64,
    unit: &'static str,
}

/// The request's line, with a newline at its end; none of one that was not sent. Instants are nanoseconds from the start of its stage.
pub fn record(header: &RunHeader, sample: &Sample) -> Option<String> {
    let (start, ended) = (sample.intended.or(sample.sent)?, sample.ended?);
    let (conversation, turn_index) = sample.session.map_or((None, 0), |(session, turn)| (Some(session), turn));
    let error = match &sample.outcome {
        Outcome::Failed { error } => Some(ErrorDetails::of(error)),
        Outcome::Succeeded | Outcome::Unsent { .. } => None,
    };
    let line = Line {
        metadata: Metadata {
            session_num: conversation.unwrap_or(sample.index),
            x_request_id: request_id(header.run.seed, sample.stage, sample.index),
            conversation_id: conversation.map(|session| session.to_string()),
            turn_index,
            request_start_ns: nanoseconds(start),
            request_ack_ns: None,
            request_end_ns: nanoseconds(ended),
            benchmark_phase: if sample.window == Some(Window::Ramp) { "warmup" } else { "profiling" },
            was_cancelled: error.as_ref().is_some_and(|error| error.r#type == INTERRUPTED),
        },
        metrics: if error.is_none() { metrics(sample) } else { BTreeMap::new() },
        error,
    };
    let line = serde_json::to_string(&line).expect("a line has only string keys and finite numbers");
    Some(line + "\n")
}

fn metrics(sample: &Sample) -> BTreeMap<&'static str, Metric> {
    let (latency, ttft) = (sample.latency(), sample.time_to_first_token());
    let tokens = sample.completion_tokens;
    let per_token = latency.zip(ttft).zip(tokens).and_then(|((latency, ttft), tokens)| time_per_token(latency, ttft, tokens));
    let milliseconds = |value: Duration| Metric { value: value.as_nanos() as f64 / 1e6, unit: "ms" };
    let count = |value: u64| Metric { value: value as f64, unit: "tokens" };
    let metrics = [
        ("request_latency", latency.map(milliseconds)),
        ("time_to_first_token", ttft.map(milliseconds)),
        ("inter_token_latency", per_token.map(milliseconds)),
        ("input_sequence_length", sample.prompt_tokens.map(count)),
        ("output_sequence_length", tokens.map(count)),
    ];
    metrics.into_iter().filter_map(|(tag, metric)| Some((tag, metric?))).collect()
}

fn nanoseconds(value: Duration) -> u64 {
    u64::try_from(value.as_nanos()).unwrap_or(u64::MAX)
}
