//! The plots over time, and their figures.

use std::time::Duration;

use maud::{Markup, html};

use super::axis::Axis;
use super::charts::milliseconds;
use super::plot::{Look, Plot, Series};
use crate::report::details::{Details, Interval, StageDetails};
use crate::report::figures;
use crate::report::stage::StageReport;
use crate::report::summary::Report;

const MEDIAN: Look = Look { colour: 0, dashed: false, dots: false };
const LONGEST: Look = Look { colour: 1, dashed: false, dots: false };

/// Latency over the time of each stage, side by side.
pub(super) fn latency(report: &Report, details: &Details) -> Option<Plot> {
    let p50 = over_time(details, |interval| Some(milliseconds(interval.p50?)));
    let longest = over_time(details, |interval| Some(milliseconds(interval.max?)));
    let values: Vec<f64> = p50.iter().chain(&longest).flatten().map(|(_, value)| *value).collect();
    timeline(report, details).filter(|_| !values.is_empty()).map(|(x, sections)| Plot {
        id: "latency-over-time",
        title: "Latency over time",
        description: "The median and the longest latency of the requests that ended in each interval, stages side by side."
            .to_owned(),
        x,
        y: Axis::of_values("latency, ms", values.iter().copied()),
        series: vec![
            Series { name: "longest".to_owned(), look: LONGEST, runs: longest },
            Series { name: "median".to_owned(), look: MEDIAN, runs: p50 },
        ],
        sections,
    })
}

/// Throughput and failures over the time of each stage, side by side.
pub(super) fn throughput(report: &Report, details: &Details) -> Option<Plot> {
    let succeeded = rates(details, |interval| interval.succeeded);
    let failed = rates(details, |interval| interval.failed);
    let most = succeeded.iter().chain(&failed).flatten().map(|(_, value)| *value).fold(0.0, f64::max);
    let has_failures = failed.iter().flatten().any(|(_, value)| *value > 0.0);
    timeline(report, details).filter(|_| most > 0.0).map(|(x, sections)| Plot {
        id: "throughput-over-time",
        title: "Throughput over time",
        description: "Requests a second that succeeded, and that failed, by when they ended, stages side by side.".to_owned(),
        x,
        y: Axis::from_zero("requests a second", most),
        series: [Series { name: "succeeded".to_owned(), look: MEDIAN, runs: succeeded }]
            .into_iter()
            .chain(has_failures.then(|| Series { name: "failed".to_owned(), look: LONGEST, runs: failed }))
            .collect(),
        sections,
    })
}

/// The axis of the stages' time, side by side, and where each begins.
fn timeline(report: &Report, details: &Details) -> Option<(Axis, Vec<(f64, String)>)> {
    let played: Vec<(&StageReport, &StageDetails)> =
        report.stages.iter().zip(details.stages()).filter(|(_, stage)| is_played(stage)).collect();
    let seconds: Vec<f64> = played.iter().map(|(_, stage)| stage.duration.as_secs_f64()).collect();
    let sections = played.iter().enumerate().map(|(place, (stage, _))| (place as f64, stage.name.clone())).collect();
    (!seconds.is_empty()).then(|| (Axis::of_stages("seconds from the start of each stage", &seconds), sections))
}

fn is_played(stage: &StageDetails) -> bool {
    !stage.duration.is_zero()
}

/// The intervals of each stage that was played, with beginning and end as they are on the axis of time, and how many seconds they are.
fn on_the_timeline(details: &Details) -> impl Iterator<Item = Vec<(f64, f64, f64, &Interval)>> {
    details.stages().iter().filter(|stage| is_played(stage)).enumerate().map(|(place, stage)| {
        let (began, whole) = (stage.began.as_secs_f64(), stage.duration.as_secs_f64());
        let at = |second: f64| place as f64 + (second - began) / whole;
        stage.stretches().map(|(begin, length, interval)| (at(begin), at(begin + length), length, interval)).collect()
    })
}

/// A run of points for each stretch of intervals that have a value, at the middle of each.
fn over_time(details: &Details, of: fn(&Interval) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
    let mut runs = Vec::new();
    for stage in on_the_timeline(details) {
        let mut run = Vec::new();
        for (begin, end, _, interval) in stage {
            match of(interval) {
                Some(value) => run.push(((begin + end) / 2.0, value)),
                None => runs.push(std::mem::take(&mut run)),
            }
        }
        runs.push(run);
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Counts as rates, a level step for each interval.
fn rates(details: &Details, count: fn(&Interval) -> u64) -> Vec<Vec<(f64, f64)>> {
    let step = |(begin, end, seconds, interval): (f64, f64, f64, &Interval)| {
        let rate = count(interval) as f64 / seconds;
        [(begin, rate), (end, rate)]
    };
    on_the_timeline(details).map(|stage| stage.into_iter().flat_map(step).collect()).collect()
}

/// The figures of the plots over time, for those who cannot see them.
pub(super) fn table(report: &Report, details: &Details) -> Markup {
    /// As many rows as a person may want to scroll through.
    const MOST: usize = 400;
    let intervals: usize = details.stages().iter().map(|stage| stage.intervals.len()).sum();
    if intervals > MOST || intervals == 0 {
        return html! {};
    }
    let milliseconds = |value: Option<Duration>| {
        value.map_or_else(|| figures::NOTHING.to_owned(), |value| figures::milliseconds(milliseconds(value)))
    };
    html! {
        details {
            summary { "The figures of the plots over time" }
            div.wide {
                table {
                    thead { tr {
                        th scope="col" { "stage" } th.number scope="col" { "from, s" } th.number scope="col" { "to, s" }
                        th.number scope="col" { "succeeded" } th.number scope="col" { "failed" }
                        th.number scope="col" { "median, ms" } th.number scope="col" { "longest, ms" }
                    } }
                    tbody {
                        @for (stage, details) in report.stages.iter().zip(details.stages()) {
                            @for (begin, length, interval) in details.stretches() {
                                tr {
                                    th scope="row" { (stage.name) }
                                    td.number { (format!("{begin:.3}")) } td.number { (format!("{:.3}", begin + length)) }
                                    td.number { (interval.succeeded) } td.number { (interval.failed) }
                                    td.number { (milliseconds(interval.p50)) } td.number { (milliseconds(interval.max)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
