//! Objectives against a stage: which are met, and which requests were good.

use std::time::Duration;

use serde::Serialize;

use super::stage::StageReport;
use crate::load::{Objective, Sample, SloFigure, SloMetric, SloStatistic};
use crate::stats::{Summary, samples_needed};

/// One objective of a stage, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectiveReport {
    /// As it was written.
    pub objective: Objective,
    /// What was measured: in milliseconds, requests a second, or as a share from 0 to 1; null where too few samples support it.
    pub figure: Option<f64>,
    /// The bound, in the same unit.
    pub limit: f64,
    /// Whether it was kept; null where that cannot be told, which a gate takes for a miss.
    pub met: Option<bool>,
}

/// Whether every stage met its objectives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SloVerdict {
    /// True when none was missed, and each could be told.
    pub met: bool,
    /// What was missed or cannot be told, each with its stage and figure.
    pub misses: Vec<String>,
}

impl SloVerdict {
    /// Of all stages; none where none has an objective.
    pub(super) fn of(stages: &[StageReport]) -> Option<Self> {
        let missed = |stage: &StageReport| {
            let missed = stage.slo.iter().filter(|objective| objective.met != Some(true));
            missed.map(|objective| format!("{}: {}", stage.name, objective.miss())).collect::<Vec<_>>()
        };
        let misses: Vec<String> = stages.iter().flat_map(missed).collect();
        stages.iter().any(|stage| !stage.slo.is_empty()).then_some(Self { met: misses.is_empty(), misses })
    }
}

impl ObjectiveReport {
    pub(super) fn of(objective: &Objective, stage: &StageReport) -> Self {
        let figure = match objective.figure {
            SloFigure::Success => stage.success_rate,
            SloFigure::Throughput => stage.throughput_rps,
            SloFigure::Time(metric, statistic) => of_summary(summary(metric, stage), statistic),
        };
        let met = figure.map(|figure| objective.is_met_by(figure));
        Self { objective: objective.clone(), figure, limit: objective.limit, met }
    }

    fn miss(&self) -> String {
        let objective = &self.objective;
        match (self.figure, objective.figure) {
            (Some(share), SloFigure::Success) => format!("{objective} missed: {:.3} %", share * 100.0),
            (Some(rate), SloFigure::Throughput) => format!("{objective} missed: {rate:.2}/s"),
            (Some(ms), SloFigure::Time(..)) => format!("{objective} missed: {ms:.3} ms"),
            (None, SloFigure::Time(_, statistic)) => {
                let needed = statistic.quantile().map_or(1, samples_needed);
                format!("{objective} cannot be told: it needs {needed} succeeded steady requests that have this figure, or more")
            }
            (None, _) => format!("{objective} cannot be told: nothing was sent"),
        }
    }
}

fn summary(metric: SloMetric, stage: &StageReport) -> &Summary {
    match metric {
        SloMetric::Latency => &stage.latency_ms,
        SloMetric::Service => &stage.service_ms,
        SloMetric::TimeToFirstToken => &stage.ttft_ms,
        SloMetric::InterToken => &stage.inter_token_ms,
    }
}

fn of_summary(summary: &Summary, statistic: SloStatistic) -> Option<f64> {
    match statistic {
        SloStatistic::Mean => summary.mean,
        SloStatistic::P50 => summary.p50,
        SloStatistic::P90 => summary.p90,
        SloStatistic::P95 => summary.p95,
        SloStatistic::P99 => summary.p99,
        SloStatistic::P999 => summary.p999,
        SloStatistic::Max => summary.max,
    }
}

/// What a single request must keep to be good: of the objectives for each distribution the one with the largest bound, since a stage
/// whose median is to be below a second does not ask that of every request.
#[derive(Clone, Debug)]
pub(super) struct Good(Vec<(SloMetric, Objective)>);

impl Good {
    pub(super) fn new(objectives: &[Objective]) -> Self {
        let mut widest: Vec<(SloMetric, Objective)> = Vec::new();
        for objective in objectives {
            let SloFigure::Time(metric, _) = objective.figure else { continue };
            match widest.iter_mut().find(|(known, _)| *known == metric) {
                Some((_, known)) if known.limit < objective.limit => known.clone_from(objective),
                Some(_) => {}
                None => widest.push((metric, objective.clone())),
            }
        }
        Self(widest)
    }

    /// Whether a request that succeeded is good.
    pub(super) fn is(&self, sample: &Sample) -> bool {
        self.0.iter().all(|(metric, objective)| {
            let time = time(*metric, sample);
            time.is_some_and(|time| objective.is_met_by(time.as_nanos() as f64 / 1e6))
        })
    }
}

/// The gaps of a request are taken by their mean: a stream of a thousand tokens has a thousand chances of a long one.
fn time(metric: SloMetric, sample: &Sample) -> Option<Duration> {
    match metric {
        SloMetric::Latency => sample.latency(),
        SloMetric::Service => sample.service,
        SloMetric::TimeToFirstToken => sample.time_to_first_token(),
        SloMetric::InterToken => {
            let sum: u64 = sample.gaps_ns.iter().sum();
            Some(Duration::from_nanos(sum.checked_div(sample.gaps_ns.len() as u64).unwrap_or(0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Outcome, Unsent};

    const MS: Duration = Duration::from_millis(1);

    fn succeeded(latency: Duration, gaps_ms: &[u64]) -> Sample {
        Sample {
            outcome: Outcome::Succeeded,
            sent: Some(Duration::ZERO),
            ended: Some(latency),
            first_content: (!gaps_ms.is_empty()).then_some(latency / 2),
            gaps_ns: gaps_ms.iter().map(|ms| ms * 1_000_000).collect(),
            ..Sample::unsent(0, 0, Unsent::Interrupted)
        }
    }

    fn good(objectives: &str) -> Good {
        Good::new(&Objective::list(objectives).unwrap())
    }

    #[test]
    fn a_request_is_good_within_the_largest_bound_of_each_distribution() {
        let good = good("p50<100ms,p99<2s,success>99%");
        assert!(good.is(&succeeded(MS * 1999, &[])) && !good.is(&succeeded(MS * 2000, &[])));
    }

    #[test]
    fn gaps_count_by_their_mean_and_the_first_token_only_where_there_is_one() {
        let gaps = good("inter_token_p99<20ms");
        assert!(gaps.is(&succeeded(MS, &[10, 29])) && !gaps.is(&succeeded(MS, &[10, 31])));
        let first = good("ttft_p95<60ms");
        assert!(first.is(&succeeded(MS * 100, &[1])) && !first.is(&succeeded(MS * 200, &[1])) && !first.is(&succeeded(MS, &[])));
    }
}
