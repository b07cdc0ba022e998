//! A report as Markdown, for a pull request or the summary of a job.

use std::fmt::Write as _;
use std::iter::once;

use super::figures::{NOTHING, count, milliseconds, percent, rate};
use super::repeats::{RepeatReport, Shown};
use super::stage::StageReport;
use super::summary::Report;
use super::table;
use super::verdict::accounted_for;
use crate::load::Published;

/// A column's name, what it says of a stage, and what was published of it.
type Column = (&'static str, fn(&StageReport) -> Option<String>, fn(&Published) -> Option<String>);

const COLUMNS: [Column; 10] = [
    ("sent", |stage| Some(count(stage.requests.sent)), |_| None),
    ("mean ms", |stage| stage.latency_ms.mean.map(milliseconds), |published| Some(milliseconds(published.mean_ms))),
    ("p50", |stage| stage.latency_ms.p50.map(milliseconds), |_| None),
    ("p95", |stage| stage.latency_ms.p95.map(milliseconds), |published| Some(milliseconds(published.p95_ms))),
    ("p99", |stage| stage.latency_ms.p99.map(milliseconds), |published| Some(milliseconds(published.p99_ms))),
    ("TTFT p50", |stage| stage.ttft_ms.p50.map(milliseconds), |_| None),
    ("req/s", |stage| stage.throughput_rps.map(rate), |published| Some(rate(published.throughput_rps))),
    ("goodput", |stage| stage.goodput_rps.map(rate), |_| None),
    ("success", |stage| stage.success_rate.map(percent), |published| Some(percent(published.success_rate))),
    ("attempts/request", |stage| stage.amplification.map(|value| format!("{value:.2}")), |_| None),
];

/// The report as GitHub's Markdown: the verdict, a row a stage, errors, and what to know. Columns of which no stage has a figure are
/// left out; what too few samples support is a dash. Names are escaped.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("### {}\n\n{}\n\n", escaped(&report.run.scenario), escaped(&table::circumstances(report)));
    let verdict = match report.verdict.valid {
        true => format!("**Valid**: {}", accounted_for(report.stages.iter())),
        false => "**INVALID**: these numbers may not be quoted.".to_owned(),
    };
    let _ = writeln!(text, "{verdict}\n");
    report.verdict.reasons.iter().for_each(|reason| _ = writeln!(text, "- {}", escaped(reason)));
    if !report.verdict.reasons.is_empty() {
        text.push('\n');
    }
    if let Some(slo) = &report.slo {
        let _ = writeln!(text, "{}\n", if slo.met { "**Objectives met.**" } else { "**Objectives missed:**" });
        slo.misses.iter().for_each(|miss| _ = writeln!(text, "- {}", escaped(miss)));
        if !slo.misses.is_empty() {
            text.push('\n');
        }
    }
    text += &rows(report);
    text += &repeats(report);
    if report.stages.iter().any(|stage| stage.published.is_some()) {
        text += "\nIn parentheses: the published figure.\n";
    }
    if !report.stages.is_empty() {
        text += &format!("\n{}\n", escaped(&report.latency_counts_from()));
    }
    let notes = table::beyond_littles_law_notes(report).into_iter().chain(report.warnings.iter().cloned());
    let notes: String = notes.map(|note| format!("- {}\n", escaped(note.trim()))).collect();
    if !notes.is_empty() {
        text += &format!("\n{notes}");
    }
    text
}

fn rows(report: &Report) -> String {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|(_, cell, _)| report.stages.iter().any(|stage| cell(stage).is_some())).collect();
    let within = |first: String, cells: &mut dyn Iterator<Item = String>, last: String| {
        line(&mut once(first).chain(cells).chain(once(last)))
    };
    let mut text = within("stage".to_owned(), &mut columns.iter().map(|(name, ..)| (*name).to_owned()), "errors".to_owned());
    text += &within("---".to_owned(), &mut columns.iter().map(|_| "---:".to_owned()), "---".to_owned());
    for stage in &report.stages {
        let cells = &mut columns.iter().map(|(_, cell, published)| {
            let measured = cell(stage).unwrap_or_else(|| NOTHING.to_owned());
            let published = stage.published.as_ref().and_then(published);
            published.map_or(measured.clone(), |published| format!("{measured} ({published})"))
        });
        text += &within(escaped(&stage.name), cells, escaped(&table::errors(stage).join(", ")));
    }
    text
}

/// Figures of repeated stages with their intervals; nothing where none is repeated.
fn repeats(report: &Report) -> String {
    if report.repeats.is_empty() {
        return String::new();
    }
    let columns: Vec<_> = RepeatReport::columns().collect();
    let mut text = String::from("\nOver repeats: the mean of their figures, and how far off it may be with 95 % confidence.\n\n");
    text += &line(&mut ["stage", "repeats"].into_iter().chain(columns.iter().copied()).map(str::to_owned));
    text += &line(&mut ["---", "---:"].into_iter().chain(columns.iter().map(|_| "---:")).map(str::to_owned));
    for repeat in &report.repeats {
        let figures = repeat.shown().map(|figure| match figure {
            Some(Shown { mean, reach: Some(reach) }) => format!("{mean} ± {reach}"),
            Some(Shown { mean, reach: None }) => mean,
            None => NOTHING.to_owned(),
        });
        text += &line(&mut [escaped(&repeat.stage), count(repeat.n)].into_iter().chain(figures));
    }
    text
}

/// A row of a table.
fn line(cells: &mut dyn Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Text that stays text, also in a cell of a table.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' | '\n' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_a_server_named_is_text_and_no_markup() {
        assert_eq!(escaped("a|b\n<img> [x](y) *c* _d_"), "a\\|b &lt;img> \\[x\\](y) \\*c\\* \\_d\\_");
    }
}
