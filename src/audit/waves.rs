//! What waves leave of Little's law: each waits for its slowest request, and a place that is done early stays empty.

use rand_pcg::Pcg64Mcg;
use relaybench_mock::dist::Distribution;
use relaybench_mock::draw;

use super::claims::Row;
use super::spread::{Percentile, certain, max_ms, mean_ms, percentiles};

/// How many runs are simulated. Of as many true tables one would be beyond all of them, if the percentiles told all there is.
pub(super) const RUNS: u32 = 1000;
/// Longer runs vary less, so that what bounds these bounds them.
const MOST_WAVES: u64 = 1000;
/// Of more samples the bound that is certain takes longer than it is worth: it comes ever closer to that of a closed loop.
const MOST_SAMPLES: f64 = 5e6;

/// How many standard deviations above the middle of a normal distribution its percentiles are.
const STANDARD_NORMAL: [(f64, f64); 3] = [(0.5, 0.0), (0.95, 1.644_853_627), (0.99, 2.326_347_874)];
/// The highest quantile below the end.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON;

/// A level measured in waves.
#[derive(Clone, Debug)]
pub(super) struct Level {
    concurrency: u64,
    requests: u64,
    /// How many of the requests have their latency in mean and percentiles, at least and at most.
    samples: (f64, f64),
    mean_ms: f64,
    /// In ascending order.
    percentiles: Vec<Percentile>,
    /// The longest, at least and at most.
    max_ms: (f64, f64),
}

/// Samples that are no longer than a bound: those from one place to before another, counted from the longest.
#[derive(Clone, Copy, Debug)]
struct Bounded {
    from: f64,
    until: f64,
    most_ms: f64,
}

impl Level {
    /// None where too little is told, or what is told contradicts itself.
    pub(super) fn of(concurrency: u64, row: &Row) -> Option<Self> {
        let (requests, mean) = (row.requests?, row.mean_ms.as_ref()?);
        let (succeeded, all) = (row.succeeded()?, requests as f64);
        let max = row.max_ms.as_ref().map(max_ms);
        let level = Self {
            concurrency,
            requests,
            // They are whole: as many as a share of them is at least.
            samples: ((all * succeeded.low - 1e-6).ceil(), (all * succeeded.high).ceil().min(all)),
            mean_ms: mean_ms(mean).low,
            percentiles: percentiles(row),
            max_ms: max.map_or((0.0, f64::INFINITY), |max| (max.low, max.high)),
        };
        let ascends = level.percentiles.windows(2).all(|pair| pair[0].ms.low <= pair[1].ms.high);
        (ascends && level.samples.0 >= 1.0 && all <= MOST_SAMPLES).then_some(level)
    }

    /// The most a second in any run with these figures, however slow and fast answers were mixed.
    ///
    /// A wave lasts as long as its longest request. The sum over waves of c requests is least when the c longest share one, the next c the
    /// next, and so on: wave j then lasts as long as number j·c from above, which is at least the percentiles below it. What is missing
    /// of the sum that the mean tells makes some of them last longer: first those of which most requests can be as long as the longest.
    pub(super) fn most_rps(&self) -> f64 {
        let size = self.concurrency as f64;
        let waves = (self.samples.1 / size).ceil() as u64;
        let bounds = self.bounds();
        let (mut wall_ms, mut covered_ms, mut rises) = (0.0, 0.0, Vec::new());
        for wave in 0..waves {
            let first = wave as f64 * size;
            let within = |bounded: &Bounded| ((first + size).min(bounded.until) - first.max(bounded.from)).max(0.0);
            let longest = self.at_least_ms(first);
            wall_ms += longest;
            covered_ms += bounds.iter().map(|bounded| within(bounded) * longest.min(bounded.most_ms)).sum::<f64>();
            let mut reached = longest;
            for (place, bounded) in bounds.iter().enumerate().rev().filter(|(_, bounded)| bounded.most_ms > longest) {
                let as_long: f64 = bounds[..=place].iter().map(within).sum();
                rises.push((as_long, bounded.most_ms - reached));
                reached = bounded.most_ms;
            }
        }
        rises.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut missing_ms = self.samples.0 * self.mean_ms - covered_ms;
        for (as_long, most) in rises.into_iter().filter(|(as_long, _)| *as_long > 0.0) {
            let rise = (missing_ms / as_long).clamp(0.0, most);
            wall_ms += rise;
            missing_ms -= rise * as_long;
        }
        self.requests as f64 / (wall_ms / 1e3)
    }

    /// The most a second in any of the simulated runs whose requests do not depend on each other: which of them share a wave is then
    /// chance. Of each wave's longest only that is taken which the percentiles make certain.
    pub(super) fn most_rps_if_independent(&self) -> f64 {
        let size = self.concurrency.min(self.requests);
        let waves = self.requests / size;
        let simulated = waves.min(MOST_WAVES);
        let levels: Vec<(f64, f64)> = self.chances().collect();
        let wave_ms = |rng: &mut Pcg64Mcg| {
            let u = draw::uniform(rng);
            levels.iter().rfind(|(without, _)| u > *without).map_or(0.0, |(_, ms)| *ms)
        };
        let mean_ms = |run: u32| {
            let mut rng = Pcg64Mcg::new(u128::from(draw::hash(&run.to_le_bytes())));
            (0..simulated).map(|_| wave_ms(&mut rng)).sum::<f64>() / simulated as f64
        };
        let least_ms = (0..RUNS).map(mean_ms).fold(f64::INFINITY, f64::min);
        self.requests as f64 / (least_ms * waves as f64 / 1e3)
    }

    /// What to expect a second, of independent answers whose upper half is lognormal through the two highest percentiles; none with fewer.
    pub(super) fn expected_rps(&self) -> Option<f64> {
        let [.., lower, upper] = self.percentiles.as_slice() else { return None };
        let printed = |percentile: &Percentile| percentile.ms.low.midpoint(percentile.ms.high);
        let deviations =
            |percentile: &Percentile| STANDARD_NORMAL.iter().find(|(share, _)| *share == percentile.share).map(|(_, z)| *z);
        let (low, high) = (deviations(lower)?, deviations(upper)?);
        let sigma = ((printed(upper) / printed(lower)).ln() / (high - low)).max(0.0);
        let fitted = Distribution::Lognormal { median: printed(upper) / (sigma * high).exp(), sigma };
        let (size, waves) = (self.concurrency.min(self.requests), MOST_WAVES.min(self.requests));
        let mut rng = Pcg64Mcg::new(1);
        // The longest of c has the quantile of the c-th root.
        let longest_ms = |_| fitted.draw(draw::uniform(&mut rng).powf(1.0 / size as f64).min(BELOW_ONE));
        Some(size as f64 / ((0..waves).map(longest_ms).sum::<f64>() / waves as f64 / 1e3))
    }

    /// For each percentile the chance that a wave has nothing as long, at most, and its latency.
    fn chances(&self) -> impl Iterator<Item = (f64, f64)> {
        let exponent = i32::try_from(self.concurrency.min(self.requests)).unwrap_or(i32::MAX);
        self.percentiles.iter().map(move |percentile| {
            let as_long = certain(self.samples.0, 1.0 - percentile.share) / self.requests as f64;
            ((1.0 - as_long).powi(exponent), percentile.ms.low)
        })
    }

    /// What the sample at this place from above is at least.
    fn at_least_ms(&self, place: f64) -> f64 {
        let below = self.percentiles.iter().filter(|p| place < certain(self.samples.0, 1.0 - p.share));
        let longest = if place == 0.0 { self.max_ms.0 } else { 0.0 };
        below.map(|percentile| percentile.ms.low).fold(longest, f64::max)
    }

    /// All samples by what they are at most, the longest first.
    fn bounds(&self) -> Vec<Bounded> {
        let (all, mut bounds) = (self.samples.1, Vec::new());
        let (mut from, mut most_ms) = (0.0, self.max_ms.1);
        for percentile in self.percentiles.iter().rev() {
            let until = (all - certain(all, percentile.share)).max(from);
            bounds.push(Bounded { from, until, most_ms });
            (from, most_ms) = (until, most_ms.min(percentile.ms.high));
        }
        bounds.push(Bounded { from, until: all, most_ms });
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::figure::Figure;

    fn row(requests: u64, mean: &str, p95: &str, p99: &str) -> Row {
        let figure = |text| Some(Figure::parse(text).unwrap());
        Row {
            requests: Some(requests),
            mean_ms: figure(mean),
            p95_ms: figure(p95),
            p99_ms: figure(p99),
            success_percent: figure("100.0000"),
            ..Row::default()
        }
    }

    #[test]
    fn two_waves_last_as_long_as_p99_and_what_is_left_of_the_mean() {
        let level = Level::of(500, &row(1000, "1456.00", "2123.00", "2789.00")).unwrap();
        // By hand, up to the digits' room: in the first wave 11 requests are as long as p99 or longer, 40 as p99, 449 as p95; the second
        // has the rest of 1,000 × 1,456 ms.
        let first: f64 = 2789.0;
        let second = (1000.0 * 1456.0 - 11.0 * first - 40.0 * first - 449.0 * 2123.0) / 500.0;
        let by_hand = 1000.0 / (first + second) * 1e3;
        assert!((level.most_rps() / by_hand - 1.0).abs() < 0.005, "{} for {by_hand}", level.most_rps());
    }

    #[test]
    fn equal_latencies_lose_nothing_in_waves() {
        let level = Level::of(50, &row(1000, "100.000", "100.000", "100.000")).unwrap();
        assert!((level.most_rps() / 500.0 - 1.0).abs() < 0.002, "{}", level.most_rps());
    }

    #[test]
    fn independent_answers_make_most_waves_of_fifty_last_as_long_as_p95() {
        let level = Level::of(50, &row(1000, "423", "612", "789")).unwrap();
        let most = level.most_rps_if_independent();
        assert!((70.0..118.0).contains(&most), "{most}");
        // A lognormal tail through both: half of the longest of fifty are above its quantile 0.5^(1/50), p98.6.
        let expected = level.expected_rps().unwrap();
        assert!((60.0..70.0).contains(&expected), "{expected}");
        assert!(level.most_rps() > 110.0, "what came together may have been faster: {}", level.most_rps());
    }
}
