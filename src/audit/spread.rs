//! What a level's percentiles say of its latencies, whichever of the usual definitions made them.

use super::claims::Row;
use super::figure::{Figure, Interval};

/// A histogram's percentile, mean or longest may be this much above the sample that it stands for.
const HISTOGRAM: f64 = 0.999;

/// A percentile that is told: the share below it, and its latency in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Percentile {
    pub(super) name: &'static str,
    pub(super) share: f64,
    pub(super) ms: Interval,
}

/// The percentiles that a row tells, in ascending order.
pub(super) fn percentiles(row: &Row) -> Vec<Percentile> {
    let told = [("p50", 0.5, &row.p50_ms), ("p95", 0.95, &row.p95_ms), ("p99", 0.99, &row.p99_ms)];
    let percentile = |(name, share, figure): (&'static str, f64, &Option<_>)| {
        let figure: &Figure = figure.as_ref()?;
        let Interval { low, high } = figure.interval();
        Some(Percentile { name, share, ms: Interval::new(low * HISTOGRAM, high) })
    };
    told.into_iter().filter_map(percentile).collect()
}

/// What the mean of the samples may have been: a histogram's is off by half of what a percentile is, either way.
pub(super) fn mean_ms(printed: &Figure) -> Interval {
    let Interval { low, high } = printed.interval();
    Interval::new(low * HISTOGRAM, high / HISTOGRAM)
}

/// What the longest sample may have been.
pub(super) fn max_ms(printed: &Figure) -> Interval {
    let Interval { low, high } = printed.interval();
    Interval::new(low * HISTOGRAM, high)
}

/// What the longest request of a row took at least: the longest that is told, or else a percentile.
pub(super) fn longest_ms(row: &Row) -> Option<f64> {
    let told = row.max_ms.as_ref().map(max_ms).into_iter().chain(percentiles(row).into_iter().map(|percentile| percentile.ms));
    told.map(|ms| ms.low).filter(|ms| *ms > 0.0).reduce(f64::max)
}

/// Of so many samples, how many are certain to be at least as long as the percentile with this share above it (or as short, with this
/// share below it).
///
/// Definitions differ: the sample at index ⌊nq⌋ or ⌈nq⌉ − 1 of the sorted ones, or something between neighbours (Hyndman and Fan, The
/// American Statistician 50, 1996). All leave this many.
pub(super) fn certain(samples: f64, share: f64) -> f64 {
    ((samples * share).floor() - 1.0).max(1.0).min(samples)
}

/// The same as a share of samples whose number may be any.
pub(super) fn certain_share(samples: Option<f64>, share: f64) -> f64 {
    // What the formula above is at least: a third, at the number of samples whose share is just below three.
    let of_any = share / 3.0;
    samples.map_or(of_any, |samples| of_any.max(share - 2.0 / samples))
}
