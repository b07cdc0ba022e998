//! A latency histogram and the figures read from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interval::ranks;
use super::stored::Stored;
use super::support::supports;

/// The finest difference kept: below a microsecond a socket measures only itself.
const LOWEST: Duration = Duration::from_micros(1);
/// The longest latency kept apart. Anything beyond is clipped, and a report with clipped values is invalid.
const HIGHEST: Duration = Duration::from_secs(3600);
/// Three digits: a percentile is at most 0.1 % above the true one.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Durations from 1 µs to 1 h in an HDR histogram of three digits, with the exact sum beside it for the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Histogram {
    pub(super) counts: hdrhistogram::Histogram<u64>,
    pub(super) sum_ns: u128,
    pub(super) max: Duration,
    pub(super) clipped: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new_with_bounds(nanos(LOWEST), nanos(HIGHEST), SIGNIFICANT_DIGITS);
        Self { counts: counts.expect("the bounds are constants that make sense"), sum_ns: 0, max: Duration::ZERO, clipped: 0 }
    }
}

impl Histogram {
    /// Adds one duration.
    pub fn record(&mut self, value: Duration) {
        self.sum_ns += value.as_nanos();
        self.max = self.max.max(value);
        self.clipped += u64::from(value > HIGHEST);
        self.counts.saturating_record(nanos(value));
    }

    /// How many durations were added.
    pub fn len(&self) -> u64 {
        self.counts.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many durations were longer than the histogram can tell apart.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The exact mean, from the sum and not from the buckets.
    pub fn mean(&self) -> Option<Duration> {
        let mean_ns = self.sum_ns.checked_div(u128::from(self.len()))?;
        Some(Duration::from_nanos(u64::try_from(mean_ns).unwrap_or(u64::MAX)))
    }

    /// The shortest, within the histogram's resolution.
    pub fn min(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.counts.min_nz()).min(self.max))
    }

    /// The longest, exact.
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.max)
    }

    /// The standard deviation of a sample, from the buckets; none of fewer than two.
    pub fn standard_deviation(&self) -> Option<Duration> {
        let n = self.len() as f64;
        (n > 1.0).then(|| Duration::from_secs_f64(self.counts.stdev() * (n / (n - 1.0)).sqrt() / 1e9))
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts).expect("both have the same bounds");
        self.sum_ns += other.sum_ns;
        self.max = self.max.max(other.max);
        self.clipped += other.clipped;
    }

    /// The counts in nanoseconds, for the format of other tools.
    pub(crate) fn counts(&self) -> &hdrhistogram::Histogram<u64> {
        &self.counts
    }

    /// The value at a quantile from 0 to 1, or none where too few samples support it.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        supports(self.len(), quantile).then(|| self.sample_quantile(quantile))
    }

    /// The value at a quantile from 0 to 1 of what was added, however little that is; zero where it is nothing.
    pub fn sample_quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.counts.value_at_quantile(quantile)).min(self.max)
    }

    /// Between which values a quantile lies with 95 % confidence, whatever the distribution, or none where too few samples support it.
    /// See [`ranks`].
    pub fn quantile_interval(&self, quantile: f64) -> Option<(Duration, Duration)> {
        let (low, high) = ranks(self.len(), quantile)?;
        // Half a rank back: what is added up to the rank is found whichever way the quotient was rounded.
        let at = |rank: u64| self.sample_quantile((rank as f64 - 0.5) / self.len() as f64);
        Some((at(low), at(high)))
    }

    /// The figures a report shows.
    pub fn summary(&self) -> Summary {
        let interval = |quantile| self.quantile_interval(quantile).map(|(low, high)| [milliseconds(low), milliseconds(high)]);
        Summary {
            mean: self.mean().map(milliseconds),
            p50: self.quantile(0.5).map(milliseconds),
            p50_ci: interval(0.5),
            p90: self.quantile(0.9).map(milliseconds),
            p90_ci: interval(0.9),
            p95: self.quantile(0.95).map(milliseconds),
            p95_ci: interval(0.95),
            p99: self.quantile(0.99).map(milliseconds),
            p99_ci: interval(0.99),
            p999: self.quantile(0.999).map(milliseconds),
            p999_ci: interval(0.999),
            max: (!self.is_empty()).then(|| milliseconds(self.max)),
        }
    }
}

/// A distribution in milliseconds, null where too few samples support a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The arithmetic mean, exact.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// Its 95 % interval.
    pub p50_ci: Option<[f64; 2]>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// Its 95 % interval.
    pub p90_ci: Option<[f64; 2]>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// Its 95 % interval.
    pub p95_ci: Option<[f64; 2]>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// Its 95 % interval.
    pub p99_ci: Option<[f64; 2]>,
    /// The 99.9th percentile.
    pub p999: Option<f64>,
    /// Its 95 % interval.
    pub p999_ci: Option<[f64; 2]>,
    /// The longest, exact.
    pub max: Option<f64>,
}

fn nanos(value: Duration) -> u64 {
    u64::try_from(value.as_nanos()).unwrap_or(u64::MAX)
}

fn milliseconds(value: Duration) -> f64 {
    value.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|ms| histogram.record(Duration::from_millis(ms)));
        histogram
    }

    #[test]
    fn the_mean_is_exact_and_percentiles_are_within_a_thousandth() {
        let summary = of(1..=10_000).summary();
        assert_eq!(summary.mean, Some(5000.5));
        assert_eq!(summary.max, Some(10_000.0));
        for (found, expected) in [(summary.p50, 5_000.0), (summary.p95, 9_500.0), (summary.p99, 9_900.0), (summary.p999, 9_990.0)]
        {
            let found = found.unwrap();
            assert!(found >= expected && found <= expected * 1.001, "{found} for {expected}");
        }
    }

    #[test]
    fn a_percentile_too_few_samples_support_is_absent() {
        let summary = of(1..=661).summary();
        assert!(summary.p95.is_some());
        assert_eq!(summary.p99, None);
        assert!(of(1..=662).summary().p99.is_some());
        assert_eq!(of([]).summary(), Summary::default());
    }

    #[test]
    fn what_is_longer_than_an_hour_is_counted_as_clipped() {
        let mut histogram = of([1, 2]);
        histogram.record(Duration::from_secs(3601));
        assert_eq!((histogram.clipped(), histogram.len()), (1, 3));
    }
}
