//! A report as a person reads it in a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::stage::{StageReport, ThroughputOver};
use super::summary::Report;
use crate::load::Published;
use crate::stats::{closed_loop_ceiling_rps, in_flight_needed};

/// The widest table that a terminal of 100 columns shows whole.
const WIDTH: u16 = 100;

/// The report as a table with its footnotes, ending in a newline.
pub fn table(report: &Report) -> String {
    let mut text = format!("{}\n{}\n", headline(report), rows(report));
    for note in notes(report) {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn headline(report: &Report) -> String {
    let run = &report.run;
    let profile = run.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    let time = if run.r#virtual { ", virtual time" } else { "" };
    format!("{} against {}{profile}, policy {}, seed {}{time}", run.scenario, run.target, run.policy, run.seed)
}

fn rows(report: &Report) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["load", "sent", "mean ms", "p50", "p95", "p99", "req/s", "success", "errors"]);
    for stage in &report.stages {
        let published = |figure: fn(&Published) -> String| stage.published.as_ref().map(figure);
        let latency = &stage.latency_ms;
        table.add_row([
            stage.name.clone(),
            stage.requests.sent.to_string(),
            beside(latency.mean.map(milliseconds), published(|published| milliseconds(published.mean_ms))),
            beside(latency.p50.map(milliseconds), None),
            beside(latency.p95.map(milliseconds), published(|published| milliseconds(published.p95_ms))),
            beside(latency.p99.map(milliseconds), published(|published| milliseconds(published.p99_ms))),
            beside(stage.throughput_rps.map(rate), published(|published| rate(published.throughput_rps))),
            beside(stage.success_rate.map(percent), published(|published| percent(published.success_rate))),
            errors(stage),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The measured figure, with the published one in parentheses below it.
fn beside(measured: Option<String>, published: Option<String>) -> String {
    let measured = measured.unwrap_or_else(|| "–".to_owned());
    match published {
        Some(published) => format!("{measured}\n({published})"),
        None => measured,
    }
}

fn errors(stage: &StageReport) -> String {
    let kinds = stage.errors.iter().map(|(kind, count)| format!("{kind} {count}"));
    let unsent = stage.unsent.iter().map(|(reason, count)| format!("unsent: {reason} {count}"));
    kinds.chain(unsent).collect::<Vec<_>>().join("\n")
}

/// Whole milliseconds where they are many, and microseconds where they are few.
fn milliseconds(value: f64) -> String {
    match value {
        100.0.. => grouped(value.round()),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn rate(value: f64) -> String {
    if value >= 10.0 { grouped(value.round()) } else { format!("{value:.2}") }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with a comma before each three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.stages.iter().any(|stage| stage.published.is_some()) {
        notes.push("In parentheses: the published figure.".to_owned());
    }
    let ceilings: Vec<_> = report.stages.iter().filter_map(beyond_littles_law).collect();
    if !ceilings.is_empty() {
        notes.push(
            "The published throughput cannot be (Little's law): N requests in flight with mean latency R complete at most N/R a second."
                .to_owned(),
        );
        notes.extend(ceilings);
    }
    if report.stages.iter().any(|stage| stage.throughput_over == ThroughputOver::Stage && stage.requests.sent > 0) {
        notes.push("A throughput over the whole stage counts its ramp and its drain too.".to_owned());
    }
    notes.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if report.verdict.valid {
        notes.push("valid: every scheduled request is accounted for, and the books balance.".to_owned());
    }
    notes.extend(report.verdict.reasons.iter().map(|reason| format!("INVALID: {reason}")));
    if let Some(slo) = &report.slo {
        notes.extend(slo.met.then(|| "objectives met.".to_owned()));
        notes.extend(slo.misses.iter().map(|miss| format!("OBJECTIVE: {miss}")));
    }
    notes
}

/// For a row whose published throughput is more than its own published latency allows: the calculation.
fn beyond_littles_law(stage: &StageReport) -> Option<String> {
    let published = stage.published.as_ref()?;
    let in_flight = stage.load.concurrency()?;
    let mean = Duration::from_secs_f64(published.mean_ms / 1e3);
    let ceiling = closed_loop_ceiling_rps(in_flight, mean);
    (published.throughput_rps > ceiling).then(|| {
        let needed = in_flight_needed(published.throughput_rps, mean);
        format!(
            "  {}: {in_flight} / {} s = {} req/s; {} req/s would need {} in flight.",
            stage.name,
            published.mean_ms / 1e3,
            rate(ceiling),
            rate(published.throughput_rps),
            rate(needed)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_mean_something() {
        assert_eq!([1456.4, 97.26, 0.0641].map(milliseconds), ["1,456", "97.3", "0.064"]);
        assert_eq!([1_234_567.0, 118.2, 3.25].map(rate), ["1,234,567", "118", "3.25"]);
        assert_eq!(percent(0.998), "99.8 %");
    }
}
