//! A lognormal distribution by what people know of it.

use super::Distribution;

/// The quantile 0.95 of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_7;

impl Distribution {
    /// The lognormal distribution that has this mean and this 95th percentile, both above 0; none where no such distribution
    /// exists. Of two that fit it is the one with the smaller sigma, which is at most 1.645.
    ///
    /// The mean is m·exp(σ²/2), the percentile m·exp(zσ), so that the logarithm r of their ratio is zσ − σ²/2. Its smaller root is
    /// σ = z − √(z² − 2r), for 0 ≤ r ≤ z²/2: the percentile is from 1 to 3.868 times the mean.
    pub fn lognormal_with(mean: f64, p95: f64) -> Option<Self> {
        let r = libm::log(p95 / mean);
        let discriminant = Z95 * Z95 - 2.0 * r;
        if r.is_nan() || r < 0.0 || discriminant < 0.0 {
            return None;
        }
        let sigma = Z95 - libm::sqrt(discriminant);
        Some(Self::Lognormal { median: mean * libm::exp(-sigma * sigma / 2.0), sigma })
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, LogNormal};
    use statrs::statistics::Distribution as _;

    use super::*;

    #[test]
    fn it_has_the_mean_and_the_p95_that_were_asked_for() {
        for (mean, p95) in [(612e6, 845e6), (1.0, 1.000_001), (120.5, 300.0), (1.0, 3.868)] {
            let Some(Distribution::Lognormal { median, sigma }) = Distribution::lognormal_with(mean, p95) else {
                panic!("{mean}")
            };
            let reference = LogNormal::new(median.ln(), sigma).unwrap();
            assert!((reference.mean().unwrap() / mean - 1.0).abs() < 1e-12, "{mean} {p95}");
            assert!((reference.cdf(p95) - 0.95).abs() < 1e-9, "{mean} {p95}");
        }
        assert_eq!(Distribution::lognormal_with(5.0, 5.0), Some(Distribution::Lognormal { median: 5.0, sigma: 0.0 }));
    }

    #[test]
    fn a_p95_below_the_mean_or_beyond_3_868_times_it_is_no_lognormal_distribution() {
        assert_eq!([0.999, 3.869, 1e6, f64::NAN].map(|p95| Distribution::lognormal_with(1.0, p95)), [const { None }; 4]);
    }
}
