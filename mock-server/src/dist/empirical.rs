//! A distribution that was measured.

use std::fmt;
use std::sync::Arc;

/// Samples, each as likely as any other: the quantile function is a step for each.
#[derive(Clone, PartialEq)]
pub struct Samples {
    /// At least one, in rising order.
    sorted: Arc<[f64]>,
}

impl Samples {
    /// None where there is no sample, or where one is negative, infinite or not a number.
    pub fn new(mut samples: Vec<f64>) -> Option<Self> {
        let in_range = samples.iter().all(|sample| (0.0..f64::INFINITY).contains(sample));
        if samples.is_empty() || !in_range {
            return None;
        }
        samples.sort_unstable_by(f64::total_cmp);
        Some(Self { sorted: samples.into() })
    }

    /// The smallest sample that a share `u` (0 to 1) of all samples does not exceed.
    pub fn quantile(&self, u: f64) -> f64 {
        let index = (u * self.sorted.len() as f64) as usize;
        self.sorted[index.min(self.sorted.len() - 1)]
    }
}

/// Not the samples: there may be a million.
impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Samples({} from {} to {})", self.sorted.len(), self.quantile(0.0), self.quantile(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_has_an_equal_step_in_rising_order() {
        let samples = Samples::new(vec![30.0, 10.0, 20.0, 10.0]).unwrap();
        let drawn = [0.0, 0.1, 0.25, 0.499, 0.5, 0.749, 0.75, 0.99, 1.0].map(|u| samples.quantile(u));
        assert_eq!(drawn, [10.0, 10.0, 10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 30.0]);
        assert_eq!(format!("{samples:?}"), "Samples(4 from 10 to 30)");
    }

    #[test]
    fn what_cannot_be_drawn_is_no_sample() {
        assert_eq!(Samples::new(vec![]), None);
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(|sample| Samples::new(vec![1.0, sample])), [const { None }; 3]);
    }
}
