//! The tables of the page.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::charts::Level;
use crate::load::Published;
use crate::report::details::Details;
use crate::report::figures::{NOTHING, count, milliseconds, percent, rate, shown};
use crate::report::stage::{StageReport, ThroughputOver};
use crate::report::summary::Report;

type Column = (&'static str, fn(&StageReport) -> String);

/// The columns of figures, with their units.
const COLUMNS: [Column; 16] = [
    ("sent", |stage| count(stage.requests.sent)),
    ("success", |stage| shown(stage.success_rate, percent)),
    ("mean, ms", |stage| shown(stage.latency_ms.mean, milliseconds)),
    ("p50", |stage| shown(stage.latency_ms.p50, milliseconds)),
    ("p90", |stage| shown(stage.latency_ms.p90, milliseconds)),
    ("p95", |stage| shown(stage.latency_ms.p95, milliseconds)),
    ("p99", |stage| shown(stage.latency_ms.p99, milliseconds)),
    ("p99.9", |stage| shown(stage.latency_ms.p999, milliseconds)),
    ("max", |stage| shown(stage.latency_ms.max, milliseconds)),
    ("TTFT p50, ms", |stage| shown(stage.ttft_ms.p50, milliseconds)),
    ("send late p99, ms", |stage| shown(stage.send_lateness_ms.p99, milliseconds)),
    ("req/s", |stage| shown(stage.throughput_rps, rate)),
    ("goodput, req/s", |stage| shown(stage.goodput_rps, rate)),
    ("harness error p99, ms", |stage| shown(stage.harness_error_ms.p99, milliseconds)),
    ("attempts/request", |stage| shown(stage.amplification, |value| format!("{value:.2}"))),
    ("cost, USD", |stage| shown(stage.cost_usd, |value| format!("{value:.4}"))),
];

/// A row a stage. Columns of which no stage has a figure are left out.
pub(super) fn figures(report: &Report) -> Markup {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|(_, cell)| report.stages.iter().any(|stage| cell(stage) != NOTHING)).collect();
    html! {
        div.wide {
            table {
                thead { tr { th scope="col" { "stage" } @for (name, _) in &columns { th.number scope="col" { (name) } } } }
                tbody {
                    @for stage in &report.stages {
                        tr { th scope="row" { (stage.name) } @for (_, cell) in &columns { td.number { (cell(stage)) } } }
                    }
                }
            }
        }
        p.note {
            "Latencies in milliseconds, to the last byte. " (report.latency_counts_from()) " "
            @if report.stages.iter().any(|stage| stage.throughput_over == ThroughputOver::Stage) {
                "Where the steady window was shorter than five mean latencies, throughput is over the whole stage with its ramp and drain: "
                (report.stages.iter().filter(|stage| stage.throughput_over == ThroughputOver::Stage).map(|stage| stage.name.as_str()).collect::<Vec<_>>().join(", "))
                "."
            }
        }
    }
}

/// What is measured beside what was published for that load; none where nothing was.
pub(super) fn published(report: &Report, level: Level) -> Option<Markup> {
    type Pair = (&'static str, fn(&StageReport) -> String, fn(&Published) -> String);
    const PAIRS: [Pair; 5] = [
        ("mean, ms", |stage| shown(stage.latency_ms.mean, milliseconds), |published| milliseconds(published.mean_ms)),
        ("p95, ms", |stage| shown(stage.latency_ms.p95, milliseconds), |published| milliseconds(published.p95_ms)),
        ("p99, ms", |stage| shown(stage.latency_ms.p99, milliseconds), |published| milliseconds(published.p99_ms)),
        ("req/s", |stage| shown(stage.throughput_rps, rate), |published| rate(published.throughput_rps)),
        ("success", |stage| shown(stage.success_rate, percent), |published| percent(published.success_rate)),
    ];
    let stages = report.stages.iter().filter(|stage| level.has(&stage.load));
    let quoted: Vec<(&StageReport, &Published)> = stages.filter_map(|stage| Some((stage, stage.published.as_ref()?))).collect();
    (!quoted.is_empty()).then(|| {
        html! {
            div.wide {
                table {
                    thead {
                        tr { th scope="col" rowspan="2" { "stage" } @for (name, ..) in PAIRS { th.group colspan="2" scope="colgroup" { (name) } } }
                        tr { @for _ in PAIRS { th.number scope="col" { "measured" } th.number.quoted scope="col" { "published" } } }
                    }
                    tbody {
                        @for (stage, published) in &quoted {
                            tr {
                                th scope="row" { (stage.name) }
                                @for (_, measured, quoted) in PAIRS { td.number { (measured(stage)) } td.number.quoted { (quoted(published)) } }
                            }
                        }
                    }
                }
            }
            @for note in crate::report::table::beyond_littles_law_notes(report) { p.note { (note) } }
        }
    })
}

/// Failures and what was not sent, by kind, with a bar for its share of a stage's scheduled requests.
pub(super) fn errors(report: &Report) -> Markup {
    let failed = report.stages.iter().flat_map(|stage| stage.errors.keys().cloned());
    let unsent = report.stages.iter().flat_map(|stage| stage.unsent.keys().map(|reason| unsent_name(reason)));
    let kinds: BTreeSet<String> = failed.chain(unsent).collect();
    if kinds.is_empty() {
        return html! { p { "None: every request succeeded." } };
    }
    let cell = |stage: &StageReport, kind: &str| {
        let unsent = stage.unsent.iter().find(|(reason, _)| unsent_name(reason) == *kind).map(|(_, count)| *count);
        stage.errors.get(kind).copied().or(unsent).unwrap_or(0)
    };
    let rows = kinds.iter().map(|kind| {
        let cells = report.stages.iter().map(|stage| (cell(stage, kind), stage.requests.scheduled));
        (kind.clone(), cells.collect())
    });
    shares(report, "kind", "Share of a stage's scheduled requests.", rows)
}

fn unsent_name(reason: &str) -> String {
    format!("unsent: {reason}")
}

/// How many requests took how many attempts, with a bar for the share of a stage's requests.
pub(super) fn attempts(report: &Report, details: &Details) -> Markup {
    let numbers: BTreeSet<u32> = details.stages().iter().flat_map(|stage| stage.attempts.keys().copied()).collect();
    if numbers.is_empty() {
        return html! { p { "Nothing was sent." } };
    }
    let rows = numbers.into_iter().map(|number| {
        let name = if number == 1 { "1 attempt".to_owned() } else { format!("{number} attempts") };
        let stages = report.stages.iter().zip(details.stages());
        let cells = stages.map(|(stage, details)| (details.attempts.get(&number).copied().unwrap_or(0), stage.requests.sent));
        (name, cells.collect())
    });
    shares(
        report,
        "attempts",
        "Share of a stage's requests that were sent. None: the client gave up before anything left it.",
        rows,
    )
}

/// A table with a column a stage; each cell is a count, and a bar for what part it is of the whole.
fn shares(report: &Report, what: &str, note: &str, rows: impl Iterator<Item = (String, Vec<(u64, u64)>)>) -> Markup {
    html! {
        div.wide {
            table.shares {
                thead { tr { th scope="col" { (what) } @for stage in &report.stages { th.number scope="col" { (stage.name) } } } }
                tbody {
                    @for (name, cells) in rows {
                        tr { th scope="row" { (name) } @for (part, whole) in cells { (share(part, whole)) } }
                    }
                }
            }
        }
        p.note { (note) }
    }
}

fn share(part: u64, whole: u64) -> Markup {
    if part == 0 || whole == 0 {
        return html! { td.number.nothing { "0" } };
    }
    let share = part as f64 / whole as f64;
    html! {
        td.number {
            (count(part)) " " small { "(" (percent(share)) ")" }
            span.bar aria-hidden="true" { span style={ "width:" (format!("{:.2}", share * 100.0)) "%" } {} }
        }
    }
}
