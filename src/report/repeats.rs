//! Repeats of the same stage, taken together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{milliseconds, percent, rate};
use super::stage::StageReport;
use crate::stats::Repeated;

/// What the repeats of a stage have in common, and how far they lie apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RepeatReport {
    /// The stage's name, without a number.
    pub stage: String,
    /// How many repeats there are.
    pub n: u64,
    /// Figures of the rows by name, each over all repeats; null where a repeat does not have it.
    pub figures: BTreeMap<&'static str, Option<Repeated>>,
}

type Figure = (&'static str, fn(&StageReport) -> Option<f64>);

const FIGURES: [Figure; 13] = [
    ("latency_mean_ms", |stage| stage.latency_ms.mean),
    ("latency_p50_ms", |stage| stage.latency_ms.p50),
    ("latency_p90_ms", |stage| stage.latency_ms.p90),
    ("latency_p95_ms", |stage| stage.latency_ms.p95),
    ("latency_p99_ms", |stage| stage.latency_ms.p99),
    ("latency_p999_ms", |stage| stage.latency_ms.p999),
    ("service_mean_ms", |stage| stage.service_ms.mean),
    ("ttft_p50_ms", |stage| stage.ttft_ms.p50),
    ("ttft_p95_ms", |stage| stage.ttft_ms.p95),
    ("throughput_rps", |stage| stage.throughput_rps),
    ("goodput_rps", |stage| stage.goodput_rps),
    ("success_rate", |stage| stage.success_rate),
    ("amplification", |stage| stage.amplification),
];

type ShownFigure = (&'static str, &'static str, fn(f64) -> String);

/// Those that people are shown: their names, what their columns are called, and how they are read.
const SHOWN: [ShownFigure; 6] = [
    ("latency_mean_ms", "mean ms", milliseconds),
    ("latency_p50_ms", "p50", milliseconds),
    ("latency_p95_ms", "p95", milliseconds),
    ("latency_p99_ms", "p99", milliseconds),
    ("throughput_rps", "req/s", rate),
    ("success_rate", "success", percent),
];

/// A figure of repeats as people read it.
pub(super) struct Shown {
    pub(super) mean: String,
    /// How far from there it lies at most with 95 % confidence, for two repeats and more.
    pub(super) reach: Option<String>,
}

impl RepeatReport {
    /// What the columns of people's tables are called.
    pub(super) fn columns() -> impl Iterator<Item = &'static str> {
        SHOWN.into_iter().map(|(_, column, _)| column)
    }

    /// What stands in them; nothing where a repeat has no such figure.
    pub(super) fn shown(&self) -> impl Iterator<Item = Option<Shown>> {
        SHOWN.into_iter().map(|(name, _, text)| {
            let repeated = self.figures.get(name).copied().flatten()?;
            let reach = |[low, high]: [f64; 2]| text((repeated.mean - low).max(high - repeated.mean));
            Some(Shown { mean: text(repeated.mean), reach: repeated.ci.map(reach) })
        })
    }

    /// One for each stage that was repeated, in their order.
    pub(super) fn of(stages: &[StageReport]) -> Vec<Self> {
        let name = |stage: &StageReport| stage.repeat.as_ref().map(|repeat| repeat.of.clone());
        let mut names: Vec<String> = Vec::new();
        for of in stages.iter().filter_map(name) {
            if !names.contains(&of) {
                names.push(of);
            }
        }
        let repeats = |of: String| {
            let rows: Vec<&StageReport> = stages.iter().filter(|stage| name(stage).as_ref() == Some(&of)).collect();
            let figure = |(name, read): Figure| {
                let all: Option<Vec<f64>> = rows.iter().map(|row| read(row)).collect();
                (name, all.and_then(|all| Repeated::of(&all)).map(|repeated| possible(name, repeated)))
            };
            Self { stage: of, n: rows.len() as u64, figures: FIGURES.map(figure).into() }
        };
        names.into_iter().map(repeats).collect()
    }
}

/// A share is at most all, whatever Student's t says of repeats that have nearly all.
fn possible(name: &str, repeated: Repeated) -> Repeated {
    let ci = match name {
        "success_rate" => repeated.ci.map(|ends| ends.map(|end| end.clamp(0.0, 1.0))),
        _ => repeated.ci,
    };
    Repeated { ci, ..repeated }
}
