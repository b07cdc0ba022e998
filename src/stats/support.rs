//! Which percentiles a number of samples can support.

/// How often a supported percentile may still rest on fewer than two samples beyond it.
const RISK: f64 = 0.01;

/// Whether `samples` support the quantile `quantile` (0 to 1): with 99 % confidence at least two lie beyond it.
///
/// That asks for 64 samples for p90, 130 for p95, 662 for p99 and 6,636 for p99.9.
pub fn supports(samples: u64, quantile: f64) -> bool {
    let n = samples as f64;
    // P(at most one of n beyond the quantile), a binomial sum of two terms.
    samples > 1 && quantile.powf(n) + n * (1.0 - quantile) * quantile.powf(n - 1.0) <= RISK
}

/// The fewest samples that [support](supports) a quantile below 1.
pub fn samples_needed(quantile: f64) -> u64 {
    let mut enough = 2;
    while !supports(enough, quantile) {
        enough *= 2;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if supports(middle, quantile) { enough = middle } else { too_few = middle }
    }
    enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floors_are_those_of_the_one_sided_99_percent_bound() {
        let floors = [0.9, 0.95, 0.99, 0.999].map(samples_needed);
        assert_eq!(floors, [64, 130, 662, 6_636]);
    }
}
