//! Repeats of the same stage, taken together.

use std::collections::BTreeMap;

use serde::Serialize;

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

impl RepeatReport {
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
                (name, all.and_then(|all| Repeated::of(&all)))
            };
            Self { stage: of, n: rows.len() as u64, figures: FIGURES.map(figure).into() }
        };
        names.into_iter().map(repeats).collect()
    }
}
