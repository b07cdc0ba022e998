//! What came of objectives, and of repeats.

use maud::{Markup, html};

use crate::load::SloFigure;
use crate::report::figures::{NOTHING, milliseconds, rate, shown};
use crate::report::repeats::{RepeatReport, Shown};
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
    html! {
        @if !report.repeats.is_empty() {
            section {
                h2 { "Over repeats" }
                div.wide {
                    table {
                        thead { tr { th scope="col" { "stage" } th.number scope="col" { "repeats" } @for name in RepeatReport::columns() { th.number scope="col" { (name) } } } }
                        tbody {
                            @for repeat in &report.repeats {
                                tr {
                                    th scope="row" { (repeat.stage) }
                                    td.number { (repeat.n) }
                                    @for figure in repeat.shown() {
                                        td.number {
                                            @match figure {
                                                Some(Shown { mean, reach }) => {
                                                    (mean)
                                                    @if let Some(reach) = reach { br; small { "± " (reach) } }
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
                p.note { "The mean of the repeats' figures, and how far off it may be with 95 % confidence." }
            }
        }
    }
}
