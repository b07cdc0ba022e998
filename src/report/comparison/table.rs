//! A comparison as a person reads it in a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::{Compared, ComparedStage, Comparison, MeanOver};
use crate::report::figures::{count, milliseconds, percent, rate};
use crate::report::table::{WIDTH, counts, cut, wrapped};
use crate::report::verdict::accounted_for;

pub(super) fn table(comparison: &Comparison) -> String {
    let mut text = format!("{}\n{}\n", wrapped(&headline(comparison)), rows(comparison));
    for note in notes(comparison) {
        let _ = writeln!(text, "{}", wrapped(&note));
    }
    text
}

/// What was run everywhere, in a line.
pub(super) fn headline(comparison: &Comparison) -> String {
    let run = &comparison.run;
    let time = if run.r#virtual { ", virtual time" } else { "" };
    format!("{} at {} providers, policy {}, seed {}{time}", run.scenario, comparison.providers.len(), run.policy, run.seed)
}

fn rows(comparison: &Comparison) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["provider", "load", "sent", "mean ms", "p95", "req/s", "success", "cost $", "errors"]);
    for compared in &comparison.providers {
        table.add_row(published_cells(compared));
        for (stage, own) in compared.stages.iter().zip(&compared.report.stages) {
            let mut cells = measured_cells(stage);
            cells.push(counts(own, cut).join("\n"));
            table.add_row([String::new()].into_iter().chain(cells));
        }
    }
    for column in table.column_iter_mut().skip(2).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

/// The row of what was published, which the measured ones follow.
pub(super) fn published_cells(compared: &Compared) -> Vec<String> {
    let published = compared.published.as_ref();
    let figure = |figure: Option<String>| figure.unwrap_or_default();
    vec![
        cut(&compared.title),
        "published".to_owned(),
        String::new(),
        figure(published.and_then(|published| published.mean_ms).map(milliseconds)),
        String::new(),
        figure(published.and_then(|published| published.throughput_rps).map(rate)),
        String::new(),
        String::new(),
        figure(published.and_then(|published| published.limit.as_ref()).map(|limit| format!("limit {limit}"))),
    ]
}

/// The measured figures of a stage, without its errors.
pub(super) fn measured_cells(stage: &ComparedStage) -> Vec<String> {
    let figure = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    vec![
        cut(&stage.name),
        count(stage.requests.sent),
        figure(stage.mean_ms.map(|mean| format!("{}{}", milliseconds(mean), ramp(stage)))),
        figure(stage.p95_ms.map(milliseconds)),
        figure(stage.throughput_rps.map(rate)),
        figure(stage.success_rate.map(percent)),
        figure(stage.cost_usd.map(|usd| format!("{usd:.2}"))),
    ]
}

/// What marks a mean of the ramp.
fn ramp(stage: &ComparedStage) -> &'static str {
    if stage.mean_over == MeanOver::Ramp { "*" } else { "" }
}

/// What to know of each, where the published figures are from, and the verdict.
pub(super) fn notes(comparison: &Comparison) -> Vec<String> {
    let own = |compared: &Compared| {
        let warnings = compared.report.warnings.len();
        let plural = if warnings == 1 { "" } else { "s" };
        let warnings = (warnings > 0).then(|| format!("{warnings} warning{plural} in its own report"));
        let notes = compared.notes.iter().cloned().chain(warnings);
        notes.map(|note| format!("{}: {note}", compared.name)).collect::<Vec<_>>()
    };
    let mut notes: Vec<String> = comparison.providers.iter().flat_map(own).collect();
    if comparison.providers.iter().flat_map(|compared| &compared.stages).any(|stage| stage.mean_over == MeanOver::Ramp) {
        notes.push(
            "* of what was answered at the start, before the limit refused the rest: too little for percentiles.".to_owned(),
        );
    }
    let mut sources: Vec<String> = Vec::new();
    for published in comparison.providers.iter().filter_map(|compared| compared.published.as_ref()) {
        let source = format!("{}, {}", published.source, published.date);
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if !sources.is_empty() {
        notes.push(format!("published: {}; for no load that is told, and nothing of it was measured here.", sources.join(" · ")));
    }
    if comparison.verdict.valid {
        let stages = comparison.providers.iter().flat_map(|compared| &compared.report.stages);
        notes.push(format!("valid: {}", accounted_for(stages)));
    }
    notes.extend(comparison.verdict.reasons.iter().map(|reason| format!("INVALID: {reason}")));
    for compared in &comparison.providers {
        let slo = compared.report.slo.iter();
        notes.extend(slo.clone().filter(|slo| slo.met).map(|_| format!("{}: objectives met.", compared.name)));
        notes.extend(slo.flat_map(|slo| &slo.misses).map(|miss| format!("OBJECTIVE: {}: {miss}", compared.name)));
    }
    notes
}
