//! The standard normal distribution.
//!
//! Its quantiles are those of M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied
//! Statistics 37 (1988), pages 477 to 484, routine PPND16: rational approximations with a relative error of about 1e-16, so that
//! no refinement is needed.

#![expect(clippy::excessive_precision, reason = "the coefficients as they were published")]

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// Within this distance of the median one rational function of the square is enough.
const CENTRAL: f64 = 0.425;
/// `CENTRAL` squared.
const CENTRAL_SQUARED: f64 = 0.180_625;
/// The tails are split where √(−ln p) is this large, at p of about 1.4e-11.
const FAR: f64 = 5.0;

#[rustfmt::skip]
const CENTRAL_OVER: [f64; 8] = [
    3.387_132_872_796_366_608, 1.331_416_678_917_843_774_5e2, 1.971_590_950_306_551_442_7e3, 1.373_169_376_550_946_112_5e4,
    4.592_195_393_154_987_145_7e4, 6.726_577_092_700_870_085_3e4, 3.343_057_558_358_812_810_5e4, 2.509_080_928_730_122_672_7e3,
];
#[rustfmt::skip]
const CENTRAL_UNDER: [f64; 8] = [
    1.0, 4.231_333_070_160_091_125_2e1, 6.871_870_074_920_579_083e2, 5.394_196_021_424_751_107_7e3,
    2.121_379_430_158_659_586_7e4, 3.930_789_580_009_271_061e4, 2.872_908_573_572_194_267_4e4, 5.226_495_278_852_854_561e3,
];
#[rustfmt::skip]
const NEAR_OVER: [f64; 8] = [
    1.423_437_110_749_683_577_34, 4.630_337_846_156_545_295_9, 5.769_497_221_460_691_405_5, 3.647_848_324_763_204_605_04,
    1.270_458_252_452_368_382_58, 2.417_807_251_774_506_117_7e-1, 2.272_384_498_926_918_458_33e-2, 7.745_450_142_783_414_076_4e-4,
];
#[rustfmt::skip]
const NEAR_UNDER: [f64; 8] = [
    1.0, 2.053_191_626_637_758_821_87, 1.676_384_830_183_803_849_4, 6.897_673_349_851_000_045_5e-1,
    1.481_039_764_274_800_745_9e-1, 1.519_866_656_361_645_719_66e-2, 5.475_938_084_995_344_946e-4, 1.050_750_071_644_416_843_24e-9,
];
#[rustfmt::skip]
const FAR_OVER: [f64; 8] = [
    6.657_904_643_501_103_777_2, 5.463_784_911_164_114_369_9, 1.784_826_539_917_291_335_8, 2.965_605_718_285_048_912_3e-1,
    2.653_218_952_657_612_309_3e-2, 1.242_660_947_388_078_438_6e-3, 2.711_555_568_743_487_578_15e-5, 2.010_334_399_292_288_132_65e-7,
];
#[rustfmt::skip]
const FAR_UNDER: [f64; 8] = [
    1.0, 5.998_322_065_558_879_376_9e-1, 1.369_298_809_227_358_053_1e-1, 1.487_536_129_085_061_485_25e-2,
    7.868_691_311_456_132_591e-4, 1.846_318_317_510_054_681_8e-5, 1.421_511_758_316_445_888_7e-7, 2.044_263_103_389_939_785_64e-15,
];

/// How many standard deviations above the mean the quantile `p` (above 0 and below 1) lies.
pub(crate) fn quantile(p: f64) -> f64 {
    let from_median = p - 0.5;
    if from_median.abs() <= CENTRAL {
        let r = CENTRAL_SQUARED - from_median * from_median;
        return from_median * polynomial(&CENTRAL_OVER, r) / polynomial(&CENTRAL_UNDER, r);
    }
    let tail = p.min(1.0 - p);
    let r = libm::sqrt(-libm::log(tail));
    let distance = if r <= FAR {
        polynomial(&NEAR_OVER, r - 1.6) / polynomial(&NEAR_UNDER, r - 1.6)
    } else {
        polynomial(&FAR_OVER, r - FAR) / polynomial(&FAR_UNDER, r - FAR)
    };
    distance.copysign(from_median)
}

/// The share that lies below `z`; exact to rounding in the lower tail too, where 1 less the share above would not be.
pub(crate) fn cdf(z: f64) -> f64 {
    libm::erfc(-z * FRAC_1_SQRT_2) / 2.0
}

/// How dense it is at `z`.
pub(crate) fn density(z: f64) -> f64 {
    const AT_MEAN: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2 / 2.0;
    AT_MEAN * libm::exp(-z * z / 2.0)
}

/// The coefficients begin with that of 1.
pub(crate) fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Continuous, ContinuousCDF, Normal};

    use super::*;

    #[test]
    fn it_inverts_an_independent_cdf_from_the_median_to_the_far_tails() {
        let reference = Normal::standard();
        for p in [1e-300, 1e-100, 1e-15, 1e-12, 1e-10, 1e-6, 0.001, 0.074, 0.076, 0.25, 0.4999, 0.5, 0.6, 0.925, 0.99, 1.0 - 1e-9]
        {
            let back = reference.cdf(quantile(p));
            let error = (back / p - 1.0).abs();
            assert!(error < 1e-9, "{p}: {back} is off by {error}");
        }
        // Published to these digits in every table of the normal distribution.
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((quantile(0.001) + 3.090_232_306_167_813_5).abs() < 1e-14);
    }

    #[test]
    fn cdf_and_density_agree_with_an_independent_library() {
        let reference = Normal::standard();
        for z in [-37.0, -8.25, -3.0, -0.5, 0.0, 0.1, 2.0, 8.25] {
            let errors = [cdf(z) / reference.cdf(z) - 1.0, density(z) / reference.pdf(z) - 1.0];
            assert!(errors.iter().all(|error| error.abs() < 1e-10), "{z}: {errors:?}");
        }
        // Published to these digits.
        assert!((cdf(-1.0) - 0.158_655_253_931_457_05).abs() < 1e-16);
    }

    #[test]
    fn it_is_symmetric() {
        for p in [0.25, 0.0625, 0.001_953_125] {
            assert_eq!(quantile(p), -quantile(1.0 - p));
        }
    }
}
