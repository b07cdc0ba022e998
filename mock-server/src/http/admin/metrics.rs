//! Counts in the text that Prometheus reads (exposition format 0.0.4).

use std::fmt::{self, Write};

use crate::ledger::{Lateness, PlannedFault, Totals};
use crate::server::MockServer;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const SECOND_NS: f64 = 1e9;

pub(super) fn text(server: &MockServer) -> String {
    let mut text = String::new();
    // A string takes whatever is written.
    let _ = write(&mut text, server);
    text
}

fn write(out: &mut String, server: &MockServer) -> fmt::Result {
    let ledger = server.ledger();
    let totals = ledger.totals();
    attempts(out, &totals)?;
    faults(out, &totals)?;
    lateness(out, totals.lateness())?;
    for (name, kind, help, value) in [
        ("attempts_open", "gauge", "Attempts that arrived and have not ended.", ledger.open()),
        ("in_flight", "gauge", "Attempts that count as load of the profile in force.", u64::from(server.in_flight())),
        ("waiting", "gauge", "Of these, those that wait for a place.", u64::from(server.waiting())),
        ("queued_faults", "gauge", "Attempts for which an outcome is queued.", server.queued()),
        ("connections_opened_total", "counter", "Connections that were opened.", ledger.connections_opened()),
        ("connections_live", "gauge", "Connections that are open.", ledger.connections_live()),
    ] {
        header(out, name, kind, help)?;
        writeln!(out, "relaybench_mock_{name} {value}")?;
    }
    header(out, "profile_info", "gauge", "The profile in force.")?;
    writeln!(out, "relaybench_mock_profile_info{{name=\"{}\"}} 1", Escaped(server.profile().name()))
}

fn attempts(out: &mut String, totals: &Totals) -> fmt::Result {
    header(out, "attempts_total", "counter", "Attempts that ended, by model, planned status and ending.")?;
    for (kind, count) in totals.kinds() {
        let model = Escaped(kind.model.as_deref().unwrap_or_default());
        let status = kind.status.map_or_else(String::new, |status| status.to_string());
        let ending = serde_json::to_value(kind.ending).unwrap_or_default();
        let ending = ending.as_str().unwrap_or_default();
        writeln!(out, "relaybench_mock_attempts_total{{model=\"{model}\",status=\"{status}\",ending=\"{ending}\"}} {count}")?;
    }
    Ok(())
}

fn faults(out: &mut String, totals: &Totals) -> fmt::Result {
    header(out, "faults_total", "counter", "Faults of attempts and connections, by what came of them.")?;
    for (PlannedFault { name, outcome }, count) in totals.faults() {
        writeln!(out, "relaybench_mock_faults_total{{fault=\"{name}\",outcome=\"{}\"}} {count}", outcome.as_str())?;
    }
    Ok(())
}

fn lateness(out: &mut String, lateness: &Lateness) -> fmt::Result {
    header(out, "lateness_seconds", "histogram", "How much later than due answers were written to their end.")?;
    let (buckets, all) = lateness.cumulative();
    for (bound_ns, count) in buckets {
        writeln!(out, "relaybench_mock_lateness_seconds_bucket{{le=\"{}\"}} {count}", bound_ns as f64 / SECOND_NS)?;
    }
    writeln!(out, "relaybench_mock_lateness_seconds_bucket{{le=\"+Inf\"}} {all}")?;
    writeln!(out, "relaybench_mock_lateness_seconds_sum {}", lateness.sum_ns as f64 / SECOND_NS)?;
    writeln!(out, "relaybench_mock_lateness_seconds_count {all}")
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP relaybench_mock_{name} {help}\n# TYPE relaybench_mock_{name} {kind}")
}

/// A label's value.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}
