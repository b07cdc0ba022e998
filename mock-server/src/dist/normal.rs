//! A normal distribution without its negative part.

use super::standard_normal::{cdf, quantile};

/// What a normal distribution is, given that it is not negative. The mean and the standard deviation are those of the whole
/// normal distribution, before the negative part is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    mean: f64,
    sd: f64,
    /// The shares of the whole normal distribution below and above zero: differences from 1 would lose the smaller one's digits.
    below: f64,
    above: f64,
}

impl TruncatedNormal {
    /// `mean` at least 0, `sd` above 0.
    pub fn new(mean: f64, sd: f64) -> Self {
        Self { mean, sd, below: cdf(-mean / sd), above: cdf(mean / sd) }
    }

    /// The value that a share `u` (above 0 and below 1) of the distribution does not exceed.
    pub fn quantile(&self, u: f64) -> f64 {
        // From the nearer end, so that either tail keeps its digits.
        let deviations = if u < 0.5 { quantile(self.below + u * self.above) } else { -quantile((1.0 - u) * self.above) };
        // Rounding may leave a value just below zero.
        (self.mean + self.sd * deviations).max(0.0)
    }
}
