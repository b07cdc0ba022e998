//! A histogram as plots and other tools want it.

use std::time::Duration;

use crate::stats::{Histogram, supports};

/// The curve of a distribution has a point wherever the odds of being below are so many times the last: even steps on a logit axis.
const ODDS_STEP: f64 = 1.1;
/// The curve goes from one in ten thousand below to one in ten thousand above.
const MOST_ODDS: f64 = 1e4;

/// Percentiles that other tools show, in percent.
pub(crate) const PERCENTILES: [u8; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];

/// What is kept of a histogram: enough for a curve and for the figures of other tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) mean: Option<Duration>,
    pub(crate) min: Option<Duration>,
    pub(crate) max: Option<Duration>,
    pub(crate) standard_deviation: Option<Duration>,
    /// At [`PERCENTILES`]; none where too few samples support it.
    pub(crate) percentiles: [Option<Duration>; 9],
    /// Quantile, from 0 to 1, and value; only what the samples support.
    pub(crate) curve: Vec<(f64, Duration)>,
}

impl Distribution {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.len(),
            mean: histogram.mean(),
            min: histogram.min(),
            max: histogram.max(),
            standard_deviation: histogram.standard_deviation(),
            percentiles: PERCENTILES.map(|percent| at(histogram, f64::from(percent) / 100.0)),
            curve: curve(histogram),
        }
    }
}

fn curve(histogram: &Histogram) -> Vec<(f64, Duration)> {
    let odds = std::iter::successors(Some(1.0 / MOST_ODDS), |odds| Some(odds * ODDS_STEP).filter(|odds| *odds <= MOST_ODDS));
    let quantiles = odds.map(|odds| odds / (1.0 + odds));
    quantiles.filter_map(|quantile| Some((quantile, at(histogram, quantile)?))).collect()
}

/// A low quantile needs samples below it as a high one needs them above.
fn at(histogram: &Histogram, quantile: f64) -> Option<Duration> {
    supports(histogram.len(), quantile.max(1.0 - quantile)).then(|| {
        let value = Duration::from_nanos(histogram.counts().value_at_quantile(quantile));
        value.min(histogram.max().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_too_few_samples_support_it() {
        let mut histogram = Histogram::default();
        (1..=662).for_each(|ms| histogram.record(Duration::from_millis(ms)));
        let distribution = Distribution::of(&histogram);
        let (low, high) = (distribution.curve[0].0, distribution.curve.last().unwrap().0);
        assert!((0.01..0.012).contains(&low) && (0.988..=0.99).contains(&high), "{low} {high}");
        assert!(distribution.percentiles.iter().all(Option::is_some));
        assert!(distribution.curve.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
    }

    #[test]
    fn of_nothing_there_is_no_curve() {
        let distribution = Distribution::of(&Histogram::default());
        assert!(distribution.curve.is_empty() && distribution.percentiles.iter().all(Option::is_none));
        assert_eq!((distribution.mean, distribution.min, distribution.standard_deviation), (None, None, None));
    }
}
