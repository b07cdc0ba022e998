//! Whether what was drawn is from the distribution that was asked.

/// The probability that so many draws of a continuous distribution lie as far from it as these, by Kolmogorov and Smirnov (Stephens'
/// approximation, JRSS B 32, 1970).
pub(crate) fn kolmogorov_smirnov(values: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().fold(0.0, |distance: f64, (place, value)| {
        let expected = cdf(*value);
        distance.max(expected - place as f64 / n).max((place + 1) as f64 / n - expected)
    });
    let scaled = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * distance;
    let term = |k: i32| (if k % 2 == 1 { 2.0 } else { -2.0 }) * (-2.0 * f64::from(k * k) * scaled * scaled).exp();
    (1..100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// Asserts that the values are what the distribution may well give.
pub(crate) fn assert_fits(what: &str, values: &[f64], cdf: impl Fn(f64) -> f64) {
    let p = kolmogorov_smirnov(values, cdf);
    assert!(p > 0.01, "{what}: p = {p} of {} values", values.len());
}

#[test]
fn another_distribution_is_noticed() {
    let values: Vec<f64> = (0..2000).map(|i| -(1.0 - (f64::from(i) + 0.5) / 2000.0).ln()).collect();
    assert!(kolmogorov_smirnov(&values, |x| 1.0 - (-x).exp()) > 0.99);
    assert!(kolmogorov_smirnov(&values, |x| 1.0 - (-x * 1.2).exp()) < 0.01);
}
