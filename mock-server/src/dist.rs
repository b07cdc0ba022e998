//! Distributions of delays and lengths.
//!
//! A draw costs one uniform number: every kind here is sampled through its inverse distribution function. All arithmetic is
//! that of IEEE 754 and of the `libm` crate, so that a draw has the same bits on every platform.

mod empirical;
mod gamma;
mod lognormal;
mod mixture;
mod normal;
mod quantiles;
pub(crate) mod standard_normal;
#[cfg(test)]
mod tests;

pub use empirical::Samples;
pub use gamma::Gamma;
pub use mixture::Mixture;
pub use normal::TruncatedNormal;
pub use quantiles::{QuantileError, QuantileTable};

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::Time;

/// The shapes that gamma, Pareto and Weibull distributions may have. At 0.05 draws span hundreds of orders of magnitude, at 1000 they
/// vary by a few percent.
pub const SHAPES: RangeInclusive<f64> = 0.05..=1000.0;

/// The longest length in tokens: several times what any model answers with, and still a body of a few megabytes.
pub const MOST_TOKENS: u32 = 1_000_000;

/// A distribution of non-negative numbers: nanoseconds where it describes a delay, tokens where it describes a length. A clone
/// shares what is large.
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
    /// A normal distribution, given that it is not negative.
    Normal(TruncatedNormal),
    /// The exponential of a normal distribution.
    Lognormal {
        /// Half of the values are below; above 0.
        median: f64,
        /// The standard deviation of the logarithm, at least 0.
        sigma: f64,
    },
    /// The time to the next of events that come independently of each other.
    Exponential {
        /// Above 0.
        mean: f64,
    },
    /// A sum of exponential ones where the shape is whole.
    Gamma(Gamma),
    /// A power law: what exceeds x does so with the probability (min/x)^shape. Its mean is infinite for shapes up to 1.
    Pareto {
        /// The smallest value, above 0.
        min: f64,
        /// How fast the tail falls, within [`SHAPES`].
        shape: f64,
    },
    /// What exceeds x does so with the probability exp(−(x/scale)^shape).
    Weibull {
        /// How fast the tail falls, within [`SHAPES`]: 1 is exponential, less a heavier tail.
        shape: f64,
        /// 63 % of the values are below; above 0.
        scale: f64,
    },
    /// Linear between given quantiles, exact at each.
    Quantiles(QuantileTable),
    /// One of given samples.
    Empirical(Samples),
    /// A draw from one of several.
    Mixture(Mixture),
}

impl Distribution {
    /// The value that a uniform number `u`, above 0 and below 1, stands for: finite, and the quantile `u`, save for a mixture,
    /// where `u` also says from which component it is.
    pub fn draw(&self, u: f64) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Uniform { min, max } => min + u * (max - min),
            Self::Normal(normal) => normal.quantile(u),
            Self::Lognormal { median, sigma } => median * libm::exp(sigma * standard_normal::quantile(u)),
            Self::Exponential { mean } => mean * exponential(u),
            Self::Gamma(gamma) => gamma.quantile(u),
            // A shape of 0.05 may leave the range of numbers.
            Self::Pareto { min, shape } => (min * libm::exp(exponential(u) / shape)).min(f64::MAX),
            // Half the time of a power.
            Self::Weibull { shape, scale } => scale * libm::exp(libm::log(exponential(u)) / shape),
            Self::Quantiles(table) => table.quantile(u),
            Self::Empirical(samples) => samples.quantile(u),
            Self::Mixture(mixture) => {
                let (component, rest) = mixture.pick(u);
                component.draw(rest)
            }
        }
    }

    /// As [`draw`](Self::draw), of nanoseconds; a century at most, the longest duration that can be written.
    pub fn draw_duration(&self, u: f64) -> Duration {
        duration(self.draw(u))
    }

    /// As [`draw`](Self::draw), of whole numbers, to the nearest, and [`MOST_TOKENS`] at most. A uniform one gives each of them, both
    /// ends included, the same share.
    pub fn draw_count(&self, u: f64) -> u32 {
        let value = match self {
            Self::Uniform { min, max } => libm::floor(min + u * (max + 1.0 - min)).min(*max),
            Self::Mixture(mixture) => {
                let (component, rest) = mixture.pick(u);
                return component.draw_count(rest);
            }
            other => libm::round(other.draw(u)),
        };
        // The cast saturates.
        (value as u32).min(MOST_TOKENS)
    }

    /// The most that [`draw_count`](Self::draw_count) gives.
    pub fn most_count(&self) -> u32 {
        const LARGEST: f64 = 1.0 - f64::EPSILON / 2.0;
        match self {
            // What a mixture draws last need not be its largest.
            Self::Mixture(mixture) => mixture.components().map(Self::most_count).max().unwrap_or(MOST_TOKENS),
            other => other.draw_count(LARGEST),
        }
    }
}

/// The quantile `u` of the exponential distribution with a mean of 1, exact to rounding near 0 as near 1.
fn exponential(u: f64) -> f64 {
    -libm::log1p(-u)
}

/// Nanoseconds as a duration, rounded to the nearest, and a century at most.
pub(crate) fn duration(nanoseconds: f64) -> Duration {
    // The cast saturates at 584 years.
    Duration::from_nanos(libm::round(nanoseconds) as u64).min(Time::LONGEST)
}
