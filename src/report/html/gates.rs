//! What came of objectives, and of repeats.

use maud::{Markup, html};

use super::tables::{NOTHING, shown};
use crate::load::SloFigure;
use crate::report::figures::{milliseconds, percent, rate};
use crate::report::slo::ObjectiveReport;
use crate::report::summary::Report;

/// What came of the objectives of each stage; nothing where there are none.
pub(super) fn objectives(report: &Report) -> Markup {
    let objectives = report.stages.iter().flat_map(|stage| stage.slo.iter().map(move |objective| (stage, objective)));
    html! {
        @if report.slo.is_some() {
            section {
                h2 { "Objectives" }
                div.wide {
                    table {
                        thead { tr { th scope="col" { "stage" } th scope="col" { "objective" } th.number scope="col" { "measured" } th scope="col" { "met" } } }
                        tbody {
                            @for (stage, objective) in objectives {
                                tr {
                                    th scope="row" { (stage.name) }
                                    td { (objective.objective) }
                                    td.number { (shown(objective.figure, |figure| measured(objective, figure))) }
                                    td { @match objective.met { Some(true) => "yes", Some(false) => strong { "no" }, None => strong { "cannot be told" } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn measured(objective: &ObjectiveReport, figure: f64) -> String {
    match objective.objective.figure {
        SloFigure::Success => format!("{:.3} %", figure * 100.0),
        SloFigure::Throughput => format!("{} req/s", rate(figure)),
        SloFigure::Time(..) => format!("{} ms", milliseconds(figure)),
    }
}

/// Figures of repeated stages with their intervals; nothing where none is repeated.
pub(super) fn repeats(report: &Report) -> Markup {
    /// A figure of repeats, its name with its unit, and how it is read.
    type Figure = (&'static str, &'static str, fn(f64) -> String);
    const FIGURES: [Figure; 6] = [
        ("latency_mean_ms", "mean, ms", milliseconds),
        ("latency_p50_ms", "p50, ms", milliseconds),
        ("latency_p95_ms", "p95, ms", milliseconds),
        ("latency_p99_ms", "p99, ms", milliseconds),
        ("throughput_rps", "req/s", rate),
        ("success_rate", "success", percent),
    ];
    html! {
        @if !report.repeats.is_empty() {
            section {
                h2 { "Over repeats" }
                div.wide {
                    table {
                        thead { tr { th scope="col" { "stage" } th.number scope="col" { "repeats" } @for (_, name, _) in FIGURES { th.number scope="col" { (name) } } } }
                        tbody {
                            @for repeat in &report.repeats {
                                tr {
                                    th scope="row" { (repeat.stage) }
                                    td.number { (repeat.n) }
                                    @for (figure, _, text) in FIGURES {
                                        td.number {
                                            @match repeat.figures.get(figure).copied().flatten() {
                                                Some(repeated) => {
                                                    (text(repeated.mean))
                                                    @if let Some([low, high]) = repeated.ci { br; small { (text(low)) " to " (text(high)) } }
                                                }
                                                None => (NOTHING),
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                p.note { "The mean of the repeats' figures, and where it lies with 95 % confidence." }
            }
        }
    }
}
