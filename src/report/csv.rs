//! A report as CSV: a row a stage, for a spreadsheet.

use super::stage::StageReport;
use super::summary::Report;
use super::table::errors;
use crate::load::Rate;

/// A column's name, with its unit, and what it says of a stage.
type Column = (&'static str, fn(&StageReport, &Report) -> String);

const COLUMNS: [Column; 40] = [
    ("stage", |stage, _| quoted(&stage.name)),
    ("load", |stage, _| stage.load.kind().to_owned()),
    ("concurrency", |stage, _| stage.load.concurrency().map(|level| level.to_string()).unwrap_or_default()),
    ("scheduled", |stage, _| stage.requests.scheduled.to_string()),
    ("sent", |stage, _| stage.requests.sent.to_string()),
    ("succeeded", |stage, _| stage.requests.succeeded.to_string()),
    ("failed", |stage, _| stage.requests.failed.to_string()),
    ("attempts", |stage, _| stage.attempts.to_string()),
    ("latency_mean_ms", |stage, _| number(stage.latency_ms.mean)),
    ("latency_p50_ms", |stage, _| number(stage.latency_ms.p50)),
    ("latency_p90_ms", |stage, _| number(stage.latency_ms.p90)),
    ("latency_p95_ms", |stage, _| number(stage.latency_ms.p95)),
    ("latency_p99_ms", |stage, _| number(stage.latency_ms.p99)),
    ("latency_p999_ms", |stage, _| number(stage.latency_ms.p999)),
    ("latency_max_ms", |stage, _| number(stage.latency_ms.max)),
    ("ttft_mean_ms", |stage, _| number(stage.ttft_ms.mean)),
    ("throughput_rps", |stage, _| number(stage.throughput_rps)),
    ("success_rate", |stage, _| number(stage.success_rate)),
    ("duration_s", |stage, _| stage.duration_s.to_string()),
    ("cost_usd", |stage, _| number(stage.cost_usd)),
    // New columns come last, so that who counts columns keeps counting right.
    ("rate_rps", |stage, _| number(stage.load.rate().map(Rate::rps))),
    ("unsent", |stage, _| stage.requests.unsent.to_string()),
    ("amplification", |stage, _| number(stage.amplification)),
    ("service_mean_ms", |stage, _| number(stage.service_ms.mean)),
    ("service_p50_ms", |stage, _| number(stage.service_ms.p50)),
    ("service_p99_ms", |stage, _| number(stage.service_ms.p99)),
    ("ttft_p50_ms", |stage, _| number(stage.ttft_ms.p50)),
    ("ttft_p95_ms", |stage, _| number(stage.ttft_ms.p95)),
    ("ttft_p99_ms", |stage, _| number(stage.ttft_ms.p99)),
    ("inter_token_p50_ms", |stage, _| number(stage.inter_token_ms.p50)),
    ("inter_token_p99_ms", |stage, _| number(stage.inter_token_ms.p99)),
    ("send_lateness_p99_ms", |stage, _| number(stage.send_lateness_ms.p99)),
    ("harness_error_p99_ms", |stage, _| number(stage.harness_error_ms.p99)),
    ("goodput_rps", |stage, _| number(stage.goodput_rps)),
    ("throughput_over", |stage, _| stage.throughput_over.as_str().to_owned()),
    ("drain_s", |stage, _| stage.drain_s.to_string()),
    ("prompt_tokens", |stage, _| stage.usage.prompt_tokens.to_string()),
    ("completion_tokens", |stage, _| stage.usage.completion_tokens.to_string()),
    ("errors", |stage, _| quoted(&errors(stage).join("; "))),
    // Of the whole run.
    ("valid", |_, report| report.verdict.valid.to_string()),
];

/// The report as CSV by RFC 4180, with a header. What too few samples support is empty.
pub fn csv(report: &Report) -> String {
    std::iter::once(header()).chain(rows(report)).collect()
}

/// The line of names.
pub(super) fn header() -> String {
    line(COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect())
}

/// A line a stage.
pub(super) fn rows(report: &Report) -> impl Iterator<Item = String> {
    report.stages.iter().map(|stage| line(COLUMNS.iter().map(|(_, cell)| cell(stage, report)).collect()))
}

fn line(cells: Vec<String>) -> String {
    cells.join(",") + "\r\n"
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_with_a_comma_or_quote_stays_one_cell() {
        assert_eq!(quoted("closed-50"), "closed-50");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
