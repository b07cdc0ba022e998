//! A report as a person reads it in a terminal.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::figures::{NOTHING, milliseconds, percent, rate};
use super::repeats::{RepeatReport, Shown};
use super::stage::{StageReport, ThroughputOver};
use super::summary::Report;
use super::verdict::accounted_for;
use crate::load::Published;
use crate::stats::{closed_loop_ceiling_rps, in_flight_needed};

/// The widest table that a terminal of 100 columns shows whole.
pub(crate) const WIDTH: u16 = 100;

/// Longer names of stages and of errors are cut, so that figures keep their columns.
const LONGEST_NAME: usize = 22;

/// The report as a table with its footnotes, ending in a newline. No line is longer than 100 columns.
pub fn table(report: &Report) -> String {
    let mut text = format!("{}\n{}\n", wrapped(&headline(report)), rows(report));
    if !report.repeats.is_empty() {
        let _ = writeln!(
            text,
            "Over repeats: the mean of their figures, and how far off it may be with 95 % confidence.\n{}",
            repeats(report)
        );
    }
    for note in notes(report) {
        let _ = writeln!(text, "{}", wrapped(&note));
    }
    text
}

/// A line broken at blanks, what follows set in; words that are longer than a line are broken too.
pub(crate) fn wrapped(line: &str) -> String {
    const SET_IN: &str = "    ";
    let (mut text, mut column) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column > SET_IN.len() && column + length > WIDTH.into() {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(SET_IN);
            column = SET_IN.len();
        }
        for c in word.chars() {
            if column == usize::from(WIDTH) {
                if c == ' ' {
                    continue;
                }
                text.push('\n');
                text.push_str(SET_IN);
                column = SET_IN.len();
            }
            text.push(c);
            column += 1;
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// A name as long as there is room for.
pub(super) fn cut(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// What was run, in a line.
fn headline(report: &Report) -> String {
    format!("{} {}", report.run.scenario, circumstances(report))
}

/// Against what, and how.
pub(super) fn circumstances(report: &Report) -> String {
    let run = &report.run;
    let profile = run.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    let time = if run.r#virtual { ", virtual time" } else { "" };
    format!("against {}{profile}, policy {}, seed {}{time}", run.target, run.policy, run.seed)
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
            cut(&stage.name),
            stage.requests.sent.to_string(),
            beside(latency.mean.map(milliseconds), published(|published| milliseconds(published.mean_ms))),
            beside(latency.p50.map(milliseconds), None),
            beside(latency.p95.map(milliseconds), published(|published| milliseconds(published.p95_ms))),
            beside(latency.p99.map(milliseconds), published(|published| milliseconds(published.p99_ms))),
            beside(stage.throughput_rps.map(rate), published(|published| rate(published.throughput_rps))),
            beside(stage.success_rate.map(percent), published(|published| percent(published.success_rate))),
            counts(stage, cut).join("\n"),
        ]);
    }
    align(&mut table, 1..8);
    table
}

/// Figures stand at the right of their columns, which are as wide as they need.
fn align(table: &mut Table, columns: Range<usize>) {
    for column in table.column_iter_mut().skip(columns.start).take(columns.len()) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

fn repeats(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["load", "repeats"].into_iter().chain(RepeatReport::columns()));
    for repeat in &report.repeats {
        let figures = repeat.shown().map(|figure| match figure {
            Some(Shown { mean, reach: Some(reach) }) => format!("{mean}\n± {reach}"),
            Some(Shown { mean, reach: None }) => mean,
            None => NOTHING.to_owned(),
        });
        table.add_row([cut(&repeat.stage), repeat.n.to_string()].into_iter().chain(figures));
    }
    let columns = table.column_count();
    align(&mut table, 1..columns);
    table
}

/// The measured figure, with the published one in parentheses below it.
fn beside(measured: Option<String>, published: Option<String>) -> String {
    let measured = measured.unwrap_or_else(|| NOTHING.to_owned());
    match published {
        Some(published) => format!("{measured}\n({published})"),
        None => measured,
    }
}

/// Failures and what was not sent, by kind.
pub(super) fn errors(stage: &StageReport) -> Vec<String> {
    counts(stage, str::to_owned)
}

pub(super) fn counts(stage: &StageReport, name: fn(&str) -> String) -> Vec<String> {
    let kinds = stage.errors.iter().map(|(kind, count)| format!("{} {count}", name(kind)));
    let unsent = stage.unsent.iter().map(|(reason, count)| format!("unsent: {reason} {count}"));
    kinds.chain(unsent).collect()
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.stages.iter().any(|stage| stage.published.is_some()) {
        notes.push("In parentheses: the published figure.".to_owned());
    }
    notes.extend(beyond_littles_law_notes(report));
    if !report.stages.is_empty() {
        notes.push(report.latency_counts_from());
    }
    if report.stages.iter().any(|stage| stage.throughput_over == ThroughputOver::Stage && stage.requests.sent > 0) {
        notes.push("A throughput over the whole stage counts its ramp and its drain too.".to_owned());
    }
    notes.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    if report.verdict.valid {
        notes.push(format!("valid: {}", accounted_for(report.stages.iter())));
    }
    notes.extend(report.verdict.reasons.iter().map(|reason| format!("INVALID: {reason}")));
    if let Some(slo) = &report.slo {
        notes.extend(slo.met.then(|| "objectives met.".to_owned()));
        notes.extend(slo.misses.iter().map(|miss| format!("OBJECTIVE: {miss}")));
    }
    notes
}

/// The calculation for each stage whose published throughput is more than its own published latency allows.
pub(super) fn beyond_littles_law_notes(report: &Report) -> Vec<String> {
    let ceilings: Vec<_> = report
        .stages
        .iter()
        .filter(|stage| stage.repeat.as_ref().is_none_or(|repeat| repeat.number == 1))
        .filter_map(beyond_littles_law)
        .collect();
    let law = "The published throughput cannot be (Little's law): N requests in flight with mean latency R complete at most N/R a second.";
    let law = (!ceilings.is_empty()).then(|| law.to_owned());
    law.into_iter().chain(ceilings).collect()
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
            stage.repeat.as_ref().map_or(&stage.name, |repeat| &repeat.of),
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
    fn a_long_line_is_broken_at_blanks_and_loses_nothing() {
        let line = format!("warning: {} {} end", "a word ".repeat(40), "x".repeat(250));
        let wrapped = wrapped(&line);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 100), "{wrapped}");
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(letters(&wrapped), letters(&line));
        assert_eq!(super::wrapped("  set in"), "  set in");
    }
}
