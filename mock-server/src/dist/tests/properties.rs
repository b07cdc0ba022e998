//! What holds for every distribution that a profile may have, and for every number that may be drawn.

use proptest::prelude::*;

use super::{gamma, normal};
use crate::config::Time;
use crate::dist::{Distribution, Mixture, QuantileTable, SHAPES, Samples};

fn shape() -> impl Strategy<Value = f64> {
    prop_oneof![SHAPES, 0.05..2.0]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![1e-3..1e3, 1.0..Time::LONGEST.as_nanos() as f64]
}

fn simple() -> impl Strategy<Value = Distribution> {
    let rising = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let points: Vec<_> = values.iter().enumerate().map(|(i, value)| (i as f64 / last as f64, *value)).collect();
        Distribution::Quantiles(QuantileTable::new(&points).unwrap())
    };
    prop_oneof![
        value().prop_map(Distribution::Fixed),
        (value(), value()).prop_map(|(a, b)| Distribution::Uniform { min: a.min(b), max: a.max(b) }),
        (prop_oneof![Just(0.0), value()], value()).prop_map(|(mean, sd)| normal(mean, sd)),
        (value(), 0.0..10.0).prop_map(|(median, sigma)| Distribution::Lognormal { median, sigma }),
        value().prop_map(|mean| Distribution::Exponential { mean }),
        (shape(), value()).prop_map(|(shape, scale)| gamma(shape, scale)),
        (value(), shape()).prop_map(|(min, shape)| Distribution::Pareto { min, shape }),
        (shape(), value()).prop_map(|(shape, scale)| Distribution::Weibull { shape, scale }),
        prop::collection::vec(value(), 2..9).prop_map(rising),
        prop::collection::vec(value(), 1..9).prop_map(|values| Distribution::Empirical(Samples::new(values).unwrap())),
    ]
}

fn mixed() -> impl Strategy<Value = Distribution> {
    simple().prop_recursive(4, 16, 4, |inner| {
        let weighted = prop::collection::vec((1e-6..1e6, inner), 1..4);
        weighted.prop_map(|weighted| Distribution::Mixture(Mixture::new(weighted).unwrap()))
    })
}

/// Also what is nearer to the ends than any number that is drawn.
fn u() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 1e-300..1.0, 1 => 1e-300..1e-12, 1 => 1.0 - 1e-12..1.0, 1 => Just(f64::MIN_POSITIVE), 1 => Just(1.0 - f64::EPSILON / 2.0)]
}

proptest! {
    #[test]
    fn every_draw_is_finite_and_not_negative(distribution in mixed(), u in u()) {
        let drawn = distribution.draw(u);
        prop_assert!(drawn.is_finite() && drawn >= 0.0, "{}", drawn);
        prop_assert!(distribution.draw_duration(u) <= Time::LONGEST);
    }

    #[test]
    fn a_larger_u_never_draws_less(distribution in simple(), a in u(), b in u(), near in 0_u64..4) {
        let next = f64::from_bits(a.to_bits() + near).min(1.0 - f64::EPSILON / 2.0);
        for (low, high) in [(a.min(b), a.max(b)), (a, next)] {
            // Up to rounding: exponents of hundreds have an error of 1e-13.
            let (low, high) = (distribution.draw(low), distribution.draw(high));
            prop_assert!(low <= high * (1.0 + 1e-12), "{} {}", low, high);
        }
    }
}
