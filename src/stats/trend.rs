//! Whether a quantity goes up or down over time: the median of all slopes (Theil and Sen) with its interval (Kendall's S).

use std::time::Duration;

use serde::Serialize;

/// Time is divided into at most so many stretches, and once it goes on, into at least half as many.
const MOST: usize = 64;
/// Of fewer stretches nothing is said.
const FEWEST: usize = 10;
/// The 99.5 % point of the normal distribution: of a hundred stages without a trend one is taken for one with a trend.
const Z: f64 = 2.575_829_303_548_901;

/// The means of a quantity over equal stretches of time, in memory that does not grow with time.
#[derive(Clone, Debug)]
pub struct Stretches {
    width_ns: u64,
    /// Count and sum of each.
    stretches: Vec<(u64, u128)>,
}

impl Default for Stretches {
    fn default() -> Self {
        Self { width_ns: 1_000, stretches: Vec::new() }
    }
}

impl Stretches {
    /// Adds a value at an instant counted from the beginning, in any order.
    pub fn add(&mut self, at: Duration, value: Duration) {
        let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        while at_ns / self.width_ns >= MOST as u64 {
            self.stretches = self.stretches.chunks(2).map(sum).collect();
            self.width_ns = self.width_ns.saturating_mul(2);
        }
        let place = (at_ns / self.width_ns) as usize;
        if place >= self.stretches.len() {
            self.stretches.resize(place + 1, (0, 0));
        }
        let (count, sum) = &mut self.stretches[place];
        *count += 1;
        *sum += value.as_nanos();
    }

    /// What their means do over time; none where there are too few.
    pub fn trend(&self) -> Option<Trend> {
        let filled = (0..).zip(&self.stretches).filter(|(_, (count, _))| *count > 0);
        let means: Vec<(f64, f64)> =
            filled.map(|(place, (count, sum))| (f64::from(place), *sum as f64 / *count as f64)).collect();
        Trend::of(&means)
    }
}

fn sum(stretches: &[(u64, u128)]) -> (u64, u128) {
    stretches.iter().fold((0, 0), |whole, part| (whole.0 + part.0, whole.1 + part.1))
}

/// How much a quantity changed from the beginning to the end, as a share of its median: 0.1 is a tenth more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// The best guess.
    pub change: f64,
    /// Its 99 % interval.
    pub ci: [f64; 2],
}

impl Trend {
    /// Of values at places in time, in order. None of fewer than ten, and where their median is zero.
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        let ((first, _), (last, _)) = (points.first()?, points.last()?);
        let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = median(&values);
        if points.len() < FEWEST || middle <= 0.0 {
            return None;
        }
        let pairs = points.iter().enumerate().flat_map(|(i, a)| points[i + 1..].iter().map(move |b| (b.1 - a.1) / (b.0 - a.0)));
        let mut slopes: Vec<f64> = pairs.collect();
        slopes.sort_unstable_by(f64::total_cmp);
        // Sen (1968): as many slopes on either side of the median as Kendall's S may be off.
        let (count, reach) = (slopes.len() as f64, Z * variance(&values).sqrt());
        let low = ((count - reach) / 2.0).floor().max(1.0) as usize;
        let high = (((count + reach) / 2.0).ceil() as usize + 1).min(slopes.len());
        let over_all = (last - first) / middle;
        Some(Self { change: median(&slopes) * over_all, ci: [slopes[low - 1] * over_all, slopes[high - 1] * over_all] })
    }

    /// The least change, up or down, that the interval allows: 0 where it allows none.
    pub fn least_change(&self) -> f64 {
        let [low, high] = self.ci;
        low.max(-high).max(0.0)
    }
}

/// Of Kendall's S without a trend, with its correction for values that are the same.
fn variance(sorted: &[f64]) -> f64 {
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|same| term(same.len())).sum();
    (term(sorted.len()) - ties) / 18.0
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    /// A thousand seconds of values around 100 ms, a tenth up or down, that grow by `growth` in all.
    fn seen(seed: u64, growth: f64) -> Trend {
        let (mut random, mut stretches) = (Pcg64Mcg::seed_from_u64(seed), Stretches::default());
        for at in 0..1000 {
            let noise: f64 = random.random_range(0.9..1.1);
            let value = 0.1 * noise * (1.0 + growth * f64::from(at) / 1000.0);
            stretches.add(Duration::from_secs(at as u64), Duration::from_secs_f64(value));
        }
        stretches.trend().unwrap()
    }

    #[test]
    fn what_does_not_change_is_rarely_taken_for_a_trend() {
        let taken = (0..500).filter(|seed| seen(*seed, 0.0).least_change() > 0.0).count();
        assert!(taken <= 15, "{taken} of 500, where 5 are to be expected");
    }

    #[test]
    fn growth_is_found_with_its_size() {
        for seed in 0..50 {
            let trend = seen(seed, 0.2);
            // 20 % of the first value are 18 % of the median.
            assert!(trend.least_change() > 0.1 && (trend.change - 0.18).abs() < 0.03, "{trend:?}");
            assert!(seen(seed, -0.2).least_change() > 0.1);
        }
    }

    #[test]
    fn one_wild_value_is_no_trend() {
        let mut points: Vec<(f64, f64)> = (0..40).map(|at| (f64::from(at), 5.0)).collect();
        points[39].1 = 1e9;
        let trend = Trend::of(&points).unwrap();
        assert_eq!((trend.change, trend.least_change()), (0.0, 0.0));
    }

    #[test]
    fn memory_does_not_grow_with_time_and_no_value_is_lost() {
        let mut stretches = Stretches::default();
        (0..100_000).for_each(|at| stretches.add(Duration::from_millis(at), Duration::from_nanos(3)));
        assert!((32..=MOST).contains(&stretches.stretches.len()), "{}", stretches.stretches.len());
        assert_eq!(sum(&stretches.stretches), (100_000, 300_000));
    }

    #[test]
    fn of_fewer_than_ten_nothing_is_said() {
        let points: Vec<(f64, f64)> = (0..9).map(|at| (f64::from(at), f64::from(at))).collect();
        assert_eq!((Trend::of(&points), Trend::of(&[])), (None, None));
    }
}
