//! A report as one file for a browser: nothing is loaded from elsewhere, so that it can be kept, sent and opened offline.

pub(crate) mod axis;
mod charts;
mod gates;
mod over_time;
pub(crate) mod plot;
mod svg;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::charts::Level;
use self::plot::Plot;
use super::details::Details;
use super::summary::Report;
use super::verdict::accounted_for;

const STYLE: &str = include_str!("html/page.css");

/// The report as a page of HTML: verdict, figures, and plots with the figures they show. It follows the reader's choice of light or dark,
/// and prints. Whatever comes from files or servers is escaped.
///
/// The details must be those of the same records.
pub fn html(report: &Report, details: &Details) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing may be loaded, whatever a name in the report says.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (report.run.scenario) " – relaybench" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (report.run.scenario) }
                    p { (super::table::circumstances(report)) }
                    (verdict(report))
                }
                main {
                    section { h2 { "Figures" } (tables::figures(report)) }
                    (gates::objectives(report))
                    (gates::repeats(report))
                    (levels(report))
                    (figure(charts::percentiles(report, details, ("latency", "Latency percentiles", "latency, ms"), |stage| &stage.latency)))
                    (figure(charts::percentiles(
                        report, details, ("ttft", "Time to first token", "time to first token, ms"), |stage| &stage.time_to_first_token,
                    )))
                    (figure(charts::percentiles(
                        report, details, ("gaps", "Gaps between tokens", "gap between chunks, ms"), |stage| &stage.inter_token,
                    )))
                    (figure(over_time::latency(report, details)))
                    (figure(over_time::throughput(report, details)))
                    (over_time::table(report, details))
                    section { h2 { "Errors by kind" } (tables::errors(report)) }
                    section { h2 { "Attempts per request" } (tables::attempts(report, details)) }
                }
                footer {
                    p {
                        "Latency is from the intended send (in a closed loop from the send) to the last byte of the last attempt, of the succeeded "
                        "requests of the steady window. A figure that too few samples support is a dash; a curve ends there. The medians over "
                        "time are of the requests that ended in an interval."
                    }
                    p { "Made by relaybench " (report.run.version) ", scenario " (report.run.scenario) ", seed " (report.run.seed) "." }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn verdict(report: &Report) -> Markup {
    html! {
        @if report.verdict.valid {
            p.verdict.valid { strong { "Valid" } ": " (accounted_for(report.stages.iter())) }
        } @else {
            div.verdict.invalid {
                p { strong { "Invalid" } ": these numbers may not be quoted." }
                ul { @for reason in &report.verdict.reasons { li { (reason) } } }
            }
        }
        @if !report.warnings.is_empty() {
            ul.warnings aria-label="Warnings" { @for warning in &report.warnings { li { (warning) } } }
        }
    }
}

/// Latency against the level of load, with the published figures beside it.
fn levels(report: &Report) -> Markup {
    html! {
        @for level in [Level::Concurrency, Level::Rate] {
            @let (plot, table) = (charts::by_level(report, level), tables::published(report, level));
            @if plot.is_some() || table.is_some() {
                @let title = plot.as_ref().map_or("Measured and published", |plot| plot.title);
                section {
                    h2 { (title) }
                    @if let Some(plot) = plot { div.plot { (plot.figure()) } }
                    @if let Some(table) = table { (table) }
                }
            }
        }
    }
}

fn figure(plot: Option<Plot>) -> Markup {
    html! { @if let Some(plot) = plot { section { h2 { (plot.title) } div.plot { (plot.figure()) } } } }
}

#[cfg(test)]
mod tests;
