//! The plots of distributions, and of levels of load.

use std::collections::BTreeSet;
use std::time::Duration;

use super::axis::Axis;
use super::plot::{Look, Plot, Series};
use crate::load::{Load, Rate};
use crate::report::details::{Details, Distribution, StageDetails};
use crate::report::stage::StageReport;
use crate::report::summary::Report;

/// A plot of each stage's distribution over its percentiles; none where no stage has enough samples.
pub(super) fn percentiles(
    report: &Report,
    details: &Details,
    (id, title, label): (&'static str, &'static str, &'static str),
    of: fn(&StageDetails) -> &Distribution,
) -> Option<Plot> {
    let curves = report.stages.iter().zip(details.stages()).map(|(stage, details)| (stage, of(details)));
    let series: Vec<Series> = curves
        .enumerate()
        .filter(|(_, (_, distribution))| !distribution.curve.is_empty())
        .map(|(place, (stage, distribution))| Series {
            name: stage.name.clone(),
            look: Look::line(place),
            runs: vec![distribution.curve.iter().map(|(quantile, value)| (*quantile, milliseconds(*value))).collect()],
        })
        .collect();
    let points: Vec<(f64, f64)> = series.iter().flat_map(|series| series.runs.iter().flatten().copied()).collect();
    let quantiles = points.iter().map(|(quantile, _)| *quantile);
    let (low, high) = (quantiles.clone().fold(f64::INFINITY, f64::min), quantiles.fold(0.0, f64::max));
    (low < high).then(|| Plot {
        id,
        title,
        description: format!(
            "A curve for each of {} stages: {label} over the percentile, as far as its samples support it. The figures are in the table.",
            series.len()
        ),
        x: Axis::of_quantiles("percentile (logit scale)", low..high),
        y: Axis::of_values(label, points.iter().map(|(_, value)| *value)),
        series,
        sections: Vec::new(),
    })
}

/// Latency over the levels of load, closed loops by concurrency and open ones by rate, with what was published.
pub(super) fn by_level(report: &Report, level: Level) -> Option<Plot> {
    let mut stages: Vec<(f64, &StageReport)> =
        report.stages.iter().filter_map(|stage| Some((level.of(&stage.load)?, stage))).collect();
    stages.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    type Figure = (&'static str, fn(&StageReport) -> Option<f64>);
    let measured: [Figure; 4] = [
        ("p99", |stage| stage.latency_ms.p99),
        ("p95", |stage| stage.latency_ms.p95),
        ("mean", |stage| stage.latency_ms.mean),
        ("p50", |stage| stage.latency_ms.p50),
    ];
    let published: [Figure; 3] = [
        ("p99", |stage| Some(stage.published?.p99_ms)),
        ("p95", |stage| Some(stage.published?.p95_ms)),
        ("mean", |stage| Some(stage.published?.mean_ms)),
    ];
    // Repeats, and other kinds of load, are curves of their own.
    let group = |stage: &StageReport| (stage.load.kind(), stage.repeat.as_ref().map(|repeat| repeat.number));
    let groups: BTreeSet<_> = stages.iter().map(|(_, stage)| group(stage)).collect();
    let points = |figure: fn(&StageReport) -> Option<f64>| -> Vec<Vec<(f64, f64)>> {
        let of = |wanted| {
            let stages = stages.iter().filter(move |(_, stage)| group(stage) == wanted);
            stages.filter_map(move |(level, stage)| Some((*level, figure(stage)?))).collect::<Vec<_>>()
        };
        groups.iter().map(|group| of(*group)).filter(|run| !run.is_empty()).collect()
    };
    let measured = measured.iter().enumerate().map(|(colour, (name, figure))| Series {
        name: (*name).to_owned(),
        look: Look { colour, dashed: false, dots: true },
        runs: points(*figure),
    });
    let published = published.iter().enumerate().map(|(colour, (name, figure))| Series {
        name: format!("{name}, published"),
        look: Look { colour, dashed: true, dots: false },
        runs: points(*figure),
    });
    let series: Vec<Series> = measured.chain(published).filter(|series| !series.runs.is_empty()).collect();
    let (levels, values): (Vec<f64>, Vec<f64>) = series.iter().flat_map(|series| series.runs.iter().flatten().copied()).unzip();
    // One level is a figure and no curve.
    let is_curve = levels.iter().any(|level| *level != levels[0]);
    is_curve.then(|| Plot {
        id: level.id(),
        title: level.title(),
        description: format!("{} of {} stages. The figures are in the table beside it.", level.title(), stages.len()),
        x: Axis::of_levels(level.label(), &levels),
        y: Axis::of_values("latency, ms", values.into_iter()),
        series,
        sections: Vec::new(),
    })
}

/// What a level of load is counted in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    Concurrency,
    Rate,
}

impl Level {
    fn of(self, load: &Load) -> Option<f64> {
        match self {
            // Of conversations only some are in flight, the others' users think.
            Self::Concurrency if matches!(load, Load::Sessions(_)) => None,
            Self::Concurrency => load.concurrency().map(|concurrency| concurrency as f64),
            Self::Rate => load.rate().map(Rate::rps),
        }
    }

    /// Whether a stage's load has such a level.
    pub(super) fn has(self, load: &Load) -> bool {
        self.of(load).is_some()
    }

    fn id(self) -> &'static str {
        match self {
            Self::Concurrency => "latency-by-concurrency",
            Self::Rate => "latency-by-rate",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Concurrency => "Latency against concurrency",
            Self::Rate => "Latency against rate",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Concurrency => "requests in flight",
            Self::Rate => "requests a second offered",
        }
    }
}

pub(super) fn milliseconds(value: Duration) -> f64 {
    value.as_nanos() as f64 / 1e6
}
