//! Several distributions, each with a share.

use std::sync::Arc;

use super::Distribution;

/// Draws from one of its components: from each as often as its weight is of all weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    components: Arc<[Component]>,
}

#[derive(Clone, Debug, PartialEq)]
struct Component {
    /// The weights up to and including this one, of all; the last has 1.
    until: f64,
    distribution: Distribution,
}

impl Mixture {
    /// A mixture of (weight, distribution). None where nothing is to be mixed, or where a weight or their sum is not a number
    /// above 0.
    pub fn new(weighted: impl IntoIterator<Item = (f64, Distribution)>) -> Option<Self> {
        let mut sum = 0.0;
        let mut components = Vec::new();
        for (weight, distribution) in weighted {
            if weight.is_nan() || weight <= 0.0 {
                return None;
            }
            sum += weight;
            components.push(Component { until: sum, distribution });
        }
        if !(0.0..f64::INFINITY).contains(&sum) || components.is_empty() {
            return None;
        }
        // The last becomes 1, since it is divided by itself.
        components.iter_mut().for_each(|component| component.until /= sum);
        Some(Self { components: components.into() })
    }

    pub(super) fn components(&self) -> impl Iterator<Item = &Distribution> {
        self.components.iter().map(|component| &component.distribution)
    }

    /// The component that `u` (above 0 and below 1) falls to, and what is left of `u` to draw from it: where it lies within the
    /// component's share.
    pub(super) fn pick(&self, u: f64) -> (&Distribution, f64) {
        // Rounding must not make it 0 or 1, where a quantile may be infinite.
        const EDGE: f64 = f64::EPSILON / 2.0;
        let chosen = self.components.partition_point(|component| component.until <= u).min(self.components.len() - 1);
        let from = if chosen == 0 { 0.0 } else { self.components[chosen - 1].until };
        let Component { until, distribution } = &self.components[chosen];
        (distribution, ((u - from) / (until - from)).clamp(EDGE, 1.0 - EDGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Gamma;

    #[test]
    fn each_component_has_the_share_of_its_weight_and_the_whole_range_of_it() {
        let flat = |min| Distribution::Uniform { min, max: min + 100.0 };
        let mixture = Distribution::Mixture(Mixture::new([(3.0, flat(0.0)), (1.0, flat(1000.0))]).unwrap());
        let drawn = [0.0075, 0.375, 0.7425, 0.7525, 0.875, 0.9975].map(|u| mixture.draw(u).round());
        assert_eq!(drawn, [1.0, 50.0, 99.0, 1001.0, 1050.0, 1099.0]);
    }

    #[test]
    fn the_ends_of_a_share_are_no_ends_of_the_component() {
        let step = f64::EPSILON / 2.0;
        // Where a share begins, and where rounding takes the last number of a share to its end.
        for (ends, u) in [([0.5, 1.0, 1.0], 0.5), ([step / 2.0, 1.0 - step, 1.0], 1.0 - 2.0 * step)] {
            let unbounded = |until| Component { until, distribution: Distribution::Gamma(Gamma::new(1.0, 1.0)) };
            let drawn = Distribution::Mixture(Mixture { components: ends.map(unbounded).into() }).draw(u);
            assert!((0.0..40.0).contains(&drawn), "{u}: {drawn}");
        }
    }

    #[test]
    fn what_has_no_shares_is_no_mixture() {
        let weighted = |weight| Mixture::new([(weight, Distribution::Fixed(1.0)), (1.0, Distribution::Fixed(2.0))]);
        assert_eq!(Mixture::new([]), None);
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(weighted), [const { None }; 4]);
    }
}
