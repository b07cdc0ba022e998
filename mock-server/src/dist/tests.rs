//! What distributions promise.

mod fit;
mod properties;

use super::*;

fn gamma(shape: f64, scale: f64) -> Distribution {
    Distribution::Gamma(Gamma::new(shape, scale))
}

fn normal(mean: f64, sd: f64) -> Distribution {
    Distribution::Normal(TruncatedNormal::new(mean, sd))
}

#[test]
fn a_sigma_of_zero_is_the_median_itself() {
    let distribution = Distribution::Lognormal { median: 5.0, sigma: 0.0 };
    assert_eq!([distribution.draw(0.001), distribution.draw(0.999)], [5.0, 5.0]);
}

#[test]
fn a_delay_is_a_century_at_most_and_a_length_a_million() {
    let heavy = Distribution::Pareto { min: 1e9, shape: 0.05 };
    assert_eq!(heavy.draw_duration(0.5).as_secs_f64().round(), 2_f64.powi(20));
    let largest = 1.0 - f64::EPSILON / 2.0;
    assert!(heavy.draw(largest).is_finite());
    assert_eq!((heavy.draw_duration(largest), heavy.draw_count(largest)), (Time::LONGEST, MOST_TOKENS));
}

#[test]
fn the_most_of_a_count_is_its_largest_whichever_of_a_mixture_has_it() {
    let uniform = |min, max| Distribution::Uniform { min, max };
    assert_eq!(uniform(1.0, 4.0).most_count(), 4);
    let mixture = Mixture::new([(0.5, uniform(1.0, 90.0)), (0.5, Distribution::Fixed(7.0))]).unwrap();
    assert_eq!(Distribution::Mixture(mixture).most_count(), 90);
}

#[test]
fn golden_draws_hold_to_the_bit() {
    let table = QuantileTable::new(&[(0.5, 400e6), (0.95, 612e6), (0.99, 789e6)]).unwrap();
    let mixture = Mixture::new([(0.98, gamma(2.0, 1e8)), (0.02, Distribution::Exponential { mean: 4e9 })]).unwrap();
    #[rustfmt::skip]
    let all = [
        ("fixed", Distribution::Fixed(13e6), [13e6_f64.to_bits(); 5]),
        ("uniform", Distribution::Uniform { min: 50e6, max: 150e6 },
            [0x4187_d784_00cc_cccd, 0x4187_e3b9_0000_0000, 0x4197_d784_0000_0000, 0x41a0_b076_0000_0000, 0x41a1_e1a2_3800_0000]),
        ("normal", normal(639e6, 400e6),
            [0x400b_26d7_5000_0000, 0x4149_b864_66ca_b200, 0x41c3_de02_a847_3a2f, 0x41d1_59f8_1eb8_51cb, 0x41e2_f618_7d52_e54c]),
        ("lognormal", Distribution::Lognormal { median: 639e6, sigma: 0.31 },
            [0x4197_bb96_ed2e_09a8, 0x41ad_39d9_7391_c7db, 0x41c3_0b2e_e000_0000, 0x41cc_552b_9581_ff7b, 0x41e4_c7bd_ff0c_6ec2]),
        ("exponential", Distribution::Exponential { mean: 639e6 },
            [0x3fe4_72b0_20f0_850f, 0x4123_82af_6d23_4aa1, 0x41ba_6670_5860_b7d5, 0x41d5_ecc3_109b_15a2, 0x4200_7192_4c74_2a97]),
        ("gamma below 1", gamma(0.38, 1e9),
            [0x3cdb_4fbc_32b5_e1bd, 0x4022_ac73_7f3c_490b, 0x419e_e8e6_a4aa_ffe3, 0x41d0_22ef_db66_6fa5, 0x4205_3f98_d1bf_dcfc]),
        ("gamma above 1", gamma(7.3, 1e8),
            [0x4173_ff84_e6c3_894e, 0x41a3_b124_15e8_fad3, 0x41c4_c550_3fe4_ced6, 0x41d0_401d_3350_b581, 0x41e4_c513_eebf_9dc1]),
        ("pareto", Distribution::Pareto { min: 20e6, shape: 1.5 },
            [0x4173_12d0_0036_9d04, 0x4173_1612_0744_ef96, 0x417e_46fb_50a1_3c22, 0x4196_2200_82b0_63c5, 0x4247_4876_e7fe_1536]),
        ("weibull", Distribution::Weibull { shape: 0.38, scale: 2e7 },
            [0x3c87_db04_889f_b2ce, 0x3fd0_550b_5890_3264, 0x415d_14be_0c01_2cb5, 0x41a5_67fb_beec_3bd7, 0x4212_aafc_4f10_104c]),
        ("quantiles", Distribution::Quantiles(table),
            [0x41a3_9a72_39d4_c3b3, 0x41a3_a8d2_c71c_71c7, 0x41b7_d784_0000_0000, 0x41c1_8979_8e38_e38e, 0x41c8_d528_c37f_ffff]),
        ("empirical", Distribution::Empirical(Samples::new(vec![3e6, 1e6, 2e6]).unwrap()),
            [0x412e_8480_0000_0000, 0x412e_8480_0000_0000, 0x413e_8480_0000_0000, 0x4146_e360_0000_0000, 0x4146_e360_0000_0000]),
        ("mixture", Distribution::Mixture(mixture),
            [0x40b1_a59b_87f2_95c3, 0x4151_7f80_51f4_1b65, 0x41a4_65f6_c691_48ae, 0x41b8_b206_2ca7_192c, 0x4222_7259_d204_0f19]),
    ];
    for (name, distribution, golden) in all {
        let bits = [1e-9, 0.001, 0.5, 0.9, 0.999_999].map(|u| distribution.draw(u).to_bits());
        assert_eq!(bits, golden, "{name} {bits:#x?}");
    }
}
