//! The demonstration's plots.

use super::{Level, Measuring};
use crate::report::html::axis::Axis;
use crate::report::html::plot::{Look, Plot, Series};
use crate::stats::{Histogram, supports};

/// The curve has a point wherever the odds of being below are so many times the last.
const ODDS_STEP: f64 = 1.1;
/// It begins at p1.
const LEAST_ODDS: f64 = 0.01;

/// Quantiles of a histogram, as far as its samples support them, in milliseconds.
pub(super) fn curve(histogram: &Histogram) -> Vec<(f64, f64)> {
    let quantiles = std::iter::successors(Some(LEAST_ODDS), |odds| Some(odds * ODDS_STEP)).map(|odds| odds / (1.0 + odds));
    let supported = quantiles.take_while(|quantile| supports(histogram.len(), quantile.max(0.5)));
    supported.filter_map(|quantile| Some((quantile, histogram.quantile(quantile)?.as_secs_f64() * 1e3))).collect()
}

impl Measuring {
    /// Throughput over the level, as an SVG file of its own.
    pub fn throughput_svg(&self) -> String {
        let series = |colour, dashed, name: &str, of: fn(&Level) -> f64| Series {
            name: name.to_owned(),
            look: Look { colour, dashed, dots: !dashed },
            runs: vec![self.levels.iter().map(|level| (level.concurrency as f64, of(level))).collect()],
        };
        let levels: Vec<f64> = self.levels.iter().map(|level| level.concurrency as f64).collect();
        let most = self.levels.iter().map(|level| level.most_rps).fold(0.0, f64::max);
        let plot = Plot {
            id: "throughput",
            title: "Throughput of one relay, by the way it is measured",
            description: "Throughput over requests in flight: the closed loop is close to Little's law, waves stay below."
                .to_owned(),
            x: Axis::of_levels("requests in flight", &levels),
            y: Axis::from_zero("requests a second", most),
            series: vec![
                series(0, true, "most by Little's law", |level| level.most_rps),
                series(2, false, "closed loop", |level| level.closed_rps),
                series(1, false, "waves", |level| level.waves_rps),
            ],
            sections: Vec::new(),
        };
        plot.svg()
    }

    /// Latency percentiles of the relay that stalls, as an SVG file of its own.
    pub fn stall_svg(&self) -> String {
        let series = self.ways.iter().enumerate().map(|(place, way)| Series {
            name: way.name.clone(),
            look: Look { dashed: place == 0, ..Look::line(place) },
            runs: vec![way.curve.clone()],
        });
        let points = || self.ways.iter().flat_map(|way| way.curve.iter().copied());
        let highest = points().map(|(quantile, _)| quantile).fold(0.5, f64::max);
        let plot = Plot {
            id: "stall",
            title: "Latency of a relay that stalls for ten seconds of sixty, by the way it is measured",
            description: "Latency over its percentile: the stall is a sixth of the open loop's requests, and a few thousandths of the others'."
                .to_owned(),
            x: Axis::of_quantiles("percentile (logit scale)", LEAST_ODDS..highest),
            y: Axis::of_values("latency, ms", points().map(|(_, ms)| ms)),
            series: series.collect(),
            sections: Vec::new(),
        };
        plot.svg()
    }
}
