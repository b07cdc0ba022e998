//! A hundred thousand draws of each kind have the shape that a CDF which is not ours says, and the test would see a slight error.

use std::mem;

use statrs::distribution::{ChiSquared, ContinuousCDF, Exp, LogNormal, Normal, Pareto, Uniform, Weibull};

use super::{gamma, normal};
use crate::dist::{Distribution, Mixture, QuantileTable, Samples};
use crate::draw::{Draws, Purpose};

const DRAWS: u64 = 100_000;

fn uniform_numbers() -> impl Iterator<Item = f64> {
    (0..DRAWS).map(|attempt| Draws::new(7, 1, attempt).uniform(Purpose::Latency))
}

fn sorted_draws(distribution: &Distribution) -> Vec<f64> {
    let mut draws: Vec<f64> = uniform_numbers().map(|u| distribution.draw(u)).collect();
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

/// As [`fits`], for whole numbers: Pearson's chi-square, over classes that expect at least 5 draws.
fn counts_fit(distribution: &Distribution, probability: impl Fn(u32) -> f64) -> bool {
    let mut counts: Vec<u32> = uniform_numbers().map(|u| distribution.draw_count(u)).collect();
    counts.sort_unstable();
    let (mut chi_square, mut classes, mut left) = (0.0, 0_u32, DRAWS as f64);
    let mut class = (0.0, 0.0);
    let mut close = |(observed, expected): (f64, f64)| {
        chi_square += (observed - expected).powi(2) / expected;
        classes += 1;
    };
    for value in 0..=*counts.last().unwrap() {
        let expected = DRAWS as f64 * probability(value);
        let observed = counts.partition_point(|count| *count <= value) - counts.partition_point(|count| *count < value);
        class = (class.0 + observed as f64, class.1 + expected);
        left -= expected;
        if class.1 >= 5.0 && left >= 5.0 {
            close(mem::take(&mut class));
        }
    }
    close((class.0, class.1 + left));
    chi_square < ChiSquared::new(f64::from(classes - 1)).unwrap().inverse_cdf(0.99)
}

/// The test tells the distribution from one that is slightly off.
#[track_caller]
fn fits_unlike(distribution: &Distribution, slightly_wrong: &Distribution, cdf: impl Fn(f64) -> f64) {
    assert!(fits(distribution, &cdf), "{distribution:?}");
    assert!(!fits(slightly_wrong, &cdf), "{slightly_wrong:?}");
}

#[track_caller]
fn counts_fit_unlike(distribution: &Distribution, slightly_wrong: &Distribution, probability: impl Fn(u32) -> f64) {
    assert!(counts_fit(distribution, &probability), "{distribution:?}");
    assert!(!counts_fit(slightly_wrong, &probability), "{slightly_wrong:?}");
}

/// The probability that what has this CDF rounds to a whole number.
fn rounded(cdf: impl Fn(f64) -> f64) -> impl Fn(u32) -> f64 {
    move |value| cdf(f64::from(value) + 0.5) - if value == 0 { 0.0 } else { cdf(f64::from(value) - 0.5) }
}

/// The share of a normal distribution up to `x`, of what is not negative.
fn truncated_cdf(mean: f64, sd: f64) -> impl Fn(f64) -> f64 {
    let whole = Normal::new(mean, sd).unwrap();
    move |x| (whole.cdf(x) - whole.cdf(0.0)) / (1.0 - whole.cdf(0.0))
}

#[test]
fn a_fixed_one_is_always_the_same() {
    assert!(sorted_draws(&Distribution::Fixed(13e6)).iter().all(|draw| *draw == 13e6));
}

#[test]
fn a_uniform_one_fits_an_independent_cdf() {
    let cdf = |x| Uniform::new(50e6, 150e6).unwrap().cdf(x);
    fits_unlike(&Distribution::Uniform { min: 50e6, max: 150e6 }, &Distribution::Uniform { min: 50e6, max: 151e6 }, cdf);
}

#[test]
fn a_normal_one_fits_an_independent_truncated_cdf() {
    fits_unlike(&normal(639e6, 50e6), &normal(639e6, 52e6), truncated_cdf(639e6, 50e6));
    // Of these a sixth, and a half, of the whole is negative.
    fits_unlike(&normal(10e6, 10e6), &normal(10e6, 10.3e6), truncated_cdf(10e6, 10e6));
    fits_unlike(&normal(0.0, 1.0), &normal(0.0, 1.03), truncated_cdf(0.0, 1.0));
}

#[test]
fn a_lognormal_one_fits_an_independent_cdf() {
    let reference = LogNormal::new(639e6_f64.ln(), 0.31).unwrap();
    let of_sigma = |sigma| Distribution::Lognormal { median: 639e6, sigma };
    fits_unlike(&of_sigma(0.31), &of_sigma(0.32), |x| reference.cdf(x));
}

#[test]
fn an_exponential_one_fits_an_independent_cdf() {
    let of_mean = |mean| Distribution::Exponential { mean };
    fits_unlike(&of_mean(4e6), &of_mean(4.1e6), |x| Exp::new(1.0 / 4e6).unwrap().cdf(x));
}

#[test]
fn a_gamma_one_fits_an_independent_cdf_at_small_and_large_shapes() {
    for (shape, wrong) in [(0.05, 0.051), (0.38, 0.39), (1.0, 1.03), (2.5, 2.55), (30.0, 30.2), (1000.0, 1001.0)] {
        let reference = statrs::distribution::Gamma::new(shape, 1.0 / 3e6).unwrap();
        fits_unlike(&gamma(shape, 3e6), &gamma(wrong, 3e6), |x| reference.cdf(x));
    }
}

#[test]
fn a_pareto_one_fits_an_independent_cdf() {
    for shape in [0.05, 1.0, 2.5] {
        let of_shape = |shape| Distribution::Pareto { min: 20e6, shape };
        let reference = Pareto::new(20e6, shape).unwrap();
        fits_unlike(&of_shape(shape), &of_shape(shape * 1.03), |x| reference.cdf(x));
    }
}

#[test]
fn a_weibull_one_fits_an_independent_cdf() {
    for shape in [0.05, 0.38, 1.0, 3.0] {
        let of_shape = |shape| Distribution::Weibull { shape, scale: 20e6 };
        let reference = Weibull::new(shape, 20e6).unwrap();
        fits_unlike(&of_shape(shape), &of_shape(shape * 1.03), |x| reference.cdf(x));
    }
}

#[test]
fn a_quantile_table_is_linear_between_quantiles() {
    let table = |middle| Distribution::Quantiles(QuantileTable::new(&[(0.0, 0.0), (0.5, middle), (1.0, 600e6)]).unwrap());
    let cdf = |x: f64| if x < 200e6 { x / 400e6 } else { 0.5 + (x - 200e6) / 800e6 };
    fits_unlike(&table(200e6), &table(205e6), cdf);
}

#[test]
fn a_quantile_table_hits_each_given_quantile() {
    let given = [(0.0, 250.0), (0.5, 400.0), (0.95, 612.0), (0.99, 789.0), (1.0, 830.0)];
    let draws = sorted_draws(&Distribution::Quantiles(QuantileTable::new(&given).unwrap()));
    for (q, expected) in given {
        let drawn = draws[((DRAWS as f64 * q) as usize).min(draws.len() - 1)];
        assert!((drawn / expected - 1.0).abs() < 0.01, "p{}: {drawn} is not {expected}", q * 100.0);
    }
}

#[test]
fn a_mixture_fits_the_weighted_cdfs_of_its_components() {
    let lognormal = |median, sigma| Distribution::Lognormal { median, sigma };
    let inner = Mixture::new([(1.0, gamma(0.5, 2e9)), (1.0, normal(4.5e9, 1e9))]).unwrap();
    let mixture = |weight| {
        Distribution::Mixture(
            Mixture::new([(weight, lognormal(639e6, 0.31)), (0.2, Distribution::Mixture(inner.clone()))]).unwrap(),
        )
    };
    let lognormal_cdf = |x| LogNormal::new(639e6_f64.ln(), 0.31).unwrap().cdf(x);
    let gamma_cdf = |x| statrs::distribution::Gamma::new(0.5, 1.0 / 2e9).unwrap().cdf(x);
    let normal_cdf = truncated_cdf(4.5e9, 1e9);
    fits_unlike(&mixture(0.8), &mixture(0.85), |x| 0.8 * lognormal_cdf(x) + 0.1 * gamma_cdf(x) + 0.1 * normal_cdf(x));
}

#[test]
fn whole_numbers_have_equal_shares_up_to_both_ends() {
    let dice = |max| Distribution::Uniform { min: 1.0, max };
    counts_fit_unlike(&dice(6.0), &dice(7.0), |value| if (1..=6).contains(&value) { 1.0 / 6.0 } else { 0.0 });
}

#[test]
fn whole_numbers_of_continuous_distributions_have_the_share_of_what_rounds_to_them() {
    let exponential = |mean| Distribution::Exponential { mean };
    counts_fit_unlike(&exponential(12.5), &exponential(12.9), rounded(|x| Exp::new(1.0 / 12.5).unwrap().cdf(x)));
    let reference = statrs::distribution::Gamma::new(2.5, 1.0 / 3.2).unwrap();
    counts_fit_unlike(&gamma(2.5, 3.2), &gamma(2.5, 3.3), rounded(|x| reference.cdf(x)));
    counts_fit_unlike(&normal(6.0, 4.0), &normal(6.1, 4.0), rounded(truncated_cdf(6.0, 4.0)));
    let weibull = |scale| Distribution::Weibull { shape: 0.8, scale };
    counts_fit_unlike(&weibull(9.0), &weibull(9.3), rounded(|x| Weibull::new(0.8, 9.0).unwrap().cdf(x)));
    let pareto = |shape| Distribution::Pareto { min: 4.0, shape };
    counts_fit_unlike(&pareto(2.0), &pareto(2.05), rounded(|x| Pareto::new(4.0, 2.0).unwrap().cdf(x)));
}

#[test]
fn whole_numbers_of_a_mixture_are_those_of_its_components() {
    let dice = Distribution::Uniform { min: 1.0, max: 6.0 };
    let mixture =
        |weight| Distribution::Mixture(Mixture::new([(weight, dice.clone()), (1.0, Distribution::Fixed(6.0))]).unwrap());
    let probability = |value| match value {
        1..=5 => 0.75 / 6.0,
        6 => 0.25 + 0.75 / 6.0,
        _ => 0.0,
    };
    counts_fit_unlike(&mixture(3.0), &mixture(2.9), probability);
}

#[test]
fn every_sample_of_an_empirical_one_is_as_likely_as_any_other() {
    let samples = |values: &[f64]| Distribution::Empirical(Samples::new(values.to_vec()).unwrap());
    let probability = |value| match value {
        7 => 0.5,
        3 | 12 => 0.25,
        _ => 0.0,
    };
    let slightly_wrong: Vec<f64> = [7.0, 3.0, 7.0, 12.0].repeat(20).into_iter().chain([3.0]).collect();
    counts_fit_unlike(&samples(&[7.0, 3.0, 7.0, 12.0]), &samples(&slightly_wrong), probability);
}
