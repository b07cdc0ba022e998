//! Distributions of delays and lengths.
//!
//! A draw costs one uniform number: every kind here is sampled through its inverse distribution function. All arithmetic is
//! that of IEEE 754 and of the `libm` crate, so that a draw has the same bits on every platform.

mod normal;
mod quantiles;

pub use quantiles::{QuantileError, QuantileTable};

use std::time::Duration;

/// A distribution of non-negative numbers: nanoseconds where it describes a delay, tokens where it describes a length.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Fixed(f64),
    /// Every value from `min` to `max` alike.
    Uniform {
        /// The smallest value.
        min: f64,
        /// The largest value, at least `min`.
        max: f64,
    },
    /// The exponential of a normal distribution.
    Lognormal {
        /// Half of the values are below; above 0.
        median: f64,
        /// The standard deviation of the logarithm, at least 0.
        sigma: f64,
    },
    /// Linear between given quantiles, exact at each.
    Quantiles(QuantileTable),
}

impl Distribution {
    /// The value that a uniform number `u`, above 0 and below 1, stands for: the quantile `u`.
    pub fn draw(&self, u: f64) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Uniform { min, max } => min + u * (max - min),
            Self::Lognormal { median, sigma } => median * libm::exp(sigma * normal::quantile(u)),
            Self::Quantiles(table) => table.quantile(u),
        }
    }

    /// As [`draw`](Self::draw), of nanoseconds.
    pub fn draw_duration(&self, u: f64) -> Duration {
        duration(self.draw(u))
    }

    /// As [`draw`](Self::draw), of whole numbers. A uniform one gives each of them, both ends included, the same share.
    pub fn draw_count(&self, u: f64) -> u32 {
        let value = match self {
            Self::Uniform { min, max } => libm::floor(min + u * (max + 1.0 - min)).min(*max),
            other => libm::round(other.draw(u)),
        };
        // The cast saturates: what is larger than any length stays so.
        value as u32
    }
}

/// Nanoseconds as a duration, rounded to the nearest. The cast saturates at 584 years.
pub(crate) fn duration(nanoseconds: f64) -> Duration {
    Duration::from_nanos(libm::round(nanoseconds) as u64)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, LogNormal, Uniform};

    use super::*;
    use crate::draw::{Draws, Purpose};

    const DRAWS: usize = 100_000;

    fn sorted_draws(distribution: &Distribution) -> Vec<f64> {
        let uniform = |attempt| Draws::new(7, 1, attempt).uniform(Purpose::Latency);
        let mut draws: Vec<f64> = (0..DRAWS as u64).map(|attempt| distribution.draw(uniform(attempt))).collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    /// Whether the Kolmogorov-Smirnov distance is one that a true sample exceeds in 1 of 100 cases at most.
    fn fits(distribution: &Distribution, cdf: impl Fn(f64) -> f64) -> bool {
        let n = DRAWS as f64;
        let distance = |(i, x): (usize, &f64)| {
            let expected = cdf(*x);
            (expected - i as f64 / n).abs().max(((i + 1) as f64 / n - expected).abs())
        };
        let largest = sorted_draws(distribution).iter().enumerate().map(distance).fold(0.0, f64::max);
        // The asymptotic critical value at 1 %.
        largest < 1.628 / n.sqrt()
    }

    #[test]
    fn a_uniform_one_fits_an_independent_cdf() {
        let reference = Uniform::new(50e6, 150e6).unwrap();
        assert!(fits(&Distribution::Uniform { min: 50e6, max: 150e6 }, |x| reference.cdf(x)));
    }

    #[test]
    fn a_lognormal_one_fits_an_independent_cdf() {
        let reference = LogNormal::new(639e6_f64.ln(), 0.31).unwrap();
        assert!(fits(&Distribution::Lognormal { median: 639e6, sigma: 0.31 }, |x| reference.cdf(x)));
        assert!(!fits(&Distribution::Lognormal { median: 639e6, sigma: 0.32 }, |x| reference.cdf(x)));
    }

    #[test]
    fn a_quantile_table_hits_each_given_quantile() {
        let given = [(0.0, 250.0), (0.5, 400.0), (0.95, 612.0), (0.99, 789.0), (1.0, 830.0)];
        let draws = sorted_draws(&Distribution::Quantiles(QuantileTable::new(&given).unwrap()));
        for (q, expected) in given {
            let drawn = draws[((DRAWS as f64 * q) as usize).min(DRAWS - 1)];
            assert!((drawn / expected - 1.0).abs() < 0.01, "p{}: {drawn} is not {expected}", q * 100.0);
        }
    }

    #[test]
    fn a_sigma_of_zero_is_the_median_itself() {
        let distribution = Distribution::Lognormal { median: 5.0, sigma: 0.0 };
        assert_eq!([distribution.draw(0.001), distribution.draw(0.999)], [5.0, 5.0]);
    }

    #[test]
    fn whole_numbers_have_equal_shares_up_to_both_ends() {
        let dice = Distribution::Uniform { min: 1.0, max: 6.0 };
        let mut faces = [0_u32; 7];
        for attempt in 0..60_000 {
            faces[dice.draw_count(Draws::new(7, 2, attempt).uniform(Purpose::Tokens)) as usize] += 1;
        }
        let chi_square: f64 = faces[1..].iter().map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0).sum();
        // The critical value of five degrees of freedom at 1 %.
        assert!(faces[0] == 0 && chi_square < 15.09, "{faces:?} {chi_square}");
    }

    #[test]
    fn golden_draws_hold_to_the_bit() {
        let lognormal = Distribution::Lognormal { median: 639e6, sigma: 0.31 };
        let bits = [0.001, 0.25, 0.5, 0.9, 0.999_999].map(|u| lognormal.draw(u).to_bits());
        let golden =
            [0x41ad_39d9_7391_c7db, 0x41be_e6ac_9d75_2a68, 0x41c3_0b2e_e000_0000, 0x41cc_552b_9581_ff7b, 0x41e4_c7bd_ff0c_6ec2];
        assert_eq!(bits, golden, "{bits:#x?}");
    }
}
