//! How far a figure may be from the truth: of a percentile by its ranks, of a mean over repeats by Student's t.

use serde::Serialize;

use super::support::supports;

/// The 97.5 % point of the normal distribution: with as much cut off on either side, 95 % are left.
const Z: f64 = 1.959_963_984_540_054;

/// The ranks, from 1, between whose values a quantile lies with 95 % confidence, whatever the distribution: np ± 1.96 √(np(1−p)),
/// rounded outwards. None where too few samples [support](supports) the quantile.
///
/// Samples that depend on each other (a relay that is slow for everybody at once) say less than as many independent ones: the interval
/// is then too narrow, and `--repeat` says more.
pub fn ranks(samples: u64, quantile: f64) -> Option<(u64, u64)> {
    let n = samples as f64;
    let (centre, reach) = (n * quantile, Z * (n * quantile * (1.0 - quantile)).sqrt());
    let low = (centre - reach).floor().max(1.0) as u64;
    let high = (centre + reach).ceil() as u64 + 1;
    supports(samples, quantile).then_some((low, high.min(samples)))
}

/// A figure over the repeats of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Repeated {
    /// How many repeats there are.
    pub n: u64,
    /// The mean of the repeats' figures.
    pub mean: f64,
    /// Where the mean of ever more repeats lies with 95 % confidence, by Student's t; null for one repeat.
    pub ci: Option<[f64; 2]>,
}

impl Repeated {
    /// Of the figures of all repeats; none where there are none.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let n = figures.len();
        let mean = figures.iter().sum::<f64>() / n as f64;
        let ci = (n > 1).then(|| {
            let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
            let reach = student_t(n - 1) * (variance / n as f64).sqrt();
            [mean - reach, mean + reach]
        });
        (n > 0).then_some(Self { n: n as u64, mean, ci })
    }
}

/// The 97.5 % point of Student's t with so many degrees of freedom.
fn student_t(freedom: usize) -> f64 {
    /// From one degree on, where the series below is too far off.
    const FEW: [f64; 10] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281];
    if let Some(point) = FEW.get(freedom.saturating_sub(1)) {
        return *point;
    }
    // Abramowitz and Stegun, 26.7.5.
    let (z, v) = (Z, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    use super::*;

    #[test]
    fn ranks_are_those_of_the_formula_and_stay_within_the_sample() {
        assert_eq!(ranks(1000, 0.5), Some((469, 532)));
        assert_eq!(ranks(1000, 0.99), Some((983, 998)));
        assert_eq!(
            [ranks(64, 0.9), ranks(662, 0.99), ranks(6636, 0.999)],
            [Some((52, 64)), Some((650, 662)), Some((6624, 6636))]
        );
        assert_eq!(ranks(661, 0.99), None);
    }

    /// Samples of a uniform distribution, whose quantiles are known: in about 95 % of them they lie between the values at the ranks.
    #[test]
    fn the_interval_covers_the_true_quantile_as_often_as_it_says() {
        let mut random = Pcg64Mcg::seed_from_u64(7);
        for quantile in [0.5, 0.9, 0.99] {
            let covered = (0..2000).filter(|_| {
                let mut sample: Vec<f64> = (0..700).map(|_| random.random()).collect();
                sample.sort_unstable_by(f64::total_cmp);
                let (low, high) = ranks(700, quantile).unwrap();
                (sample[low as usize - 1]..=sample[high as usize - 1]).contains(&quantile)
            });
            let share = covered.count() as f64 / 2000.0;
            assert!((0.94..1.0).contains(&share), "{share} of the intervals for {quantile}");
        }
    }

    #[test]
    fn t_points_are_those_of_the_distribution() {
        for freedom in (1..40).chain([100, 1000]) {
            let expected = StudentsT::new(0.0, 1.0, freedom as f64).unwrap().inverse_cdf(0.975);
            assert!((student_t(freedom) - expected).abs() < 1e-3 * expected, "{freedom}: {} for {expected}", student_t(freedom));
        }
    }

    #[test]
    fn the_interval_over_repeats_is_that_of_the_textbook() {
        let Repeated { n, mean, ci } = Repeated::of(&[10.0, 12.0, 11.0, 13.0, 14.0]).unwrap();
        let [low, high] = ci.unwrap();
        // s = 1.5811, t = 2.7764: 12 ± 1.963.
        assert_eq!((n, mean), (5, 12.0));
        assert!((low - 10.037).abs() < 1e-3 && (high - 13.963).abs() < 1e-3, "{low} to {high}");
        assert_eq!(Repeated::of(&[3.0]), Some(Repeated { n: 1, mean: 3.0, ci: None }));
        assert_eq!(Repeated::of(&[]), None);
    }
}
