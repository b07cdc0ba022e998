//! Every kind of distribution can be written for delays and for lengths, and a wrong one is refused in one line.

use proptest::prelude::*;
use relaybench_mock::Profile;

/// One of each kind, for delays.
const DELAYS: [&str; 13] = [
    r#"{ dist = "fixed", value = "13ms" }"#,
    r#"{ dist = "uniform", min = "0s", max = "80ms" }"#,
    r#"{ dist = "normal", mean = "300ms", sd = "120ms" }"#,
    r#"{ dist = "lognormal", median = "639ms", sigma = 0.31 }"#,
    r#"{ dist = "lognormal", mean = "423ms", p95 = "612ms" }"#,
    r#"{ dist = "exponential", mean = "4.5s" }"#,
    r#"{ dist = "gamma", shape = 0.38, scale = "20ms" }"#,
    r#"{ dist = "pareto", min = "20ms", shape = 1 }"#,
    r#"{ dist = "weibull", shape = 0.38, scale = "20ms" }"#,
    r#"{ dist = "quantiles", p50 = "400ms", p95 = "612ms" }"#,
    r#"{ dist = "empirical", samples = ["12ms", "15ms"] }"#,
    r#"{ dist = "mixture", of = [ { weight = 0.98, dist = "fixed", value = "1s" }, { weight = 2, dist = "exponential", mean = "1s" } ] }"#,
    r#"{ dist = "mixture", of = [ { weight = 1, dist = "mixture", of = [ { weight = 1, dist = "fixed", value = "1s" } ] } ] }"#,
];

const LENGTHS: [&str; 12] = [
    r#"{ dist = "fixed", value = 20 }"#,
    r#"{ dist = "uniform", min = 20, max = 80 }"#,
    r#"{ dist = "normal", mean = 120.5, sd = 30 }"#,
    r#"{ dist = "lognormal", median = 120.5, sigma = 0.31 }"#,
    r#"{ dist = "lognormal", mean = 120.5, p95 = 300 }"#,
    r#"{ dist = "exponential", mean = 120.5 }"#,
    r#"{ dist = "gamma", shape = 2, scale = 60.25 }"#,
    r#"{ dist = "pareto", min = 20, shape = 2.5 }"#,
    r#"{ dist = "weibull", shape = 1.5, scale = 60.5 }"#,
    r#"{ dist = "quantiles", p50 = 100, p95 = 400 }"#,
    r#"{ dist = "empirical", samples = [120, 80] }"#,
    r#"{ dist = "mixture", of = [ { weight = 1, dist = "fixed", value = 20 }, { weight = 1, dist = "exponential", mean = 9.5 } ] }"#,
];

fn delay(dist: &str) -> Result<Profile, String> {
    Profile::parse(&format!("latency.total = {dist}"), "x.toml").map_err(|error| error.to_string())
}

fn length(dist: &str) -> Result<Profile, String> {
    Profile::parse(&format!("completion.tokens = {dist}"), "x.toml").map_err(|error| error.to_string())
}

#[track_caller]
fn refused(dist: &str, expected: &str) {
    assert_eq!(delay(dist).unwrap_err(), format!("x.toml:1: latency.total{expected}"), "{dist}");
}

#[track_caller]
fn refused_length(dist: &str, expected: &str) {
    assert_eq!(length(dist).unwrap_err(), format!("x.toml:1: completion.tokens{expected}"), "{dist}");
}

#[test]
fn every_kind_can_be_a_delay_and_a_length() {
    for dist in DELAYS {
        assert!(delay(dist).is_ok(), "{}", delay(dist).unwrap_err());
    }
    for dist in LENGTHS {
        assert!(length(dist).is_ok(), "{}", length(dist).unwrap_err());
    }
}

#[test]
fn impossible_parameters_are_refused_with_the_reason() {
    refused(r#"{ dist = "normal", mean = "1s", sd = "0s" }"#, r#".sd: "0s" is no sd; write one above 0"#);
    refused(
        r#"{ dist = "normal", mean = "-1s", sd = "1s" }"#,
        r#".mean: "-1s" is negative; write a duration such as "250ms" or "1.5s""#,
    );
    refused(r#"{ dist = "lognormal", median = "0s", sigma = 1 }"#, r#".median: "0s" is no median; write one above 0"#);
    refused(r#"{ dist = "lognormal", median = "1s", sigma = 11 }"#, ".sigma: 11 is no sigma; write a number from 0 to 10");
    refused(r#"{ dist = "exponential", mean = "0s" }"#, r#".mean: "0s" is no mean; write one above 0"#);
    for (dist, rest) in [("gamma", r#"scale = "1s""#), ("pareto", r#"min = "1s""#), ("weibull", r#"scale = "1s""#)] {
        for shape in ["0", "0.049", "1000.5", "nan", "inf", "\"1\"", "[1]"] {
            let written = match shape {
                "[1]" => "an array",
                other => other,
            };
            refused(
                &format!("{{ dist = \"{dist}\", shape = {shape}, {rest} }}"),
                &format!(".shape: {written} is no shape; write a number from 0.05 to 1000"),
            );
        }
    }
    refused(r#"{ dist = "gamma", shape = 1, scale = "0s" }"#, r#".scale: "0s" is no scale; write one above 0"#);
    refused(r#"{ dist = "weibull", shape = 1, scale = "0s" }"#, r#".scale: "0s" is no scale; write one above 0"#);
    refused(r#"{ dist = "pareto", min = "0s", shape = 1 }"#, r#".min: "0s" is no min; write one above 0"#);
    refused(
        r#"{ dist = "gamma", shape = 1, scale = true }"#,
        r#".scale: true has no unit; write a duration such as "250ms" or "1.5s""#,
    );
}

#[test]
fn a_lognormal_one_has_one_pair_of_parameters_that_is_possible() {
    const EITHER: &str = "write either median and sigma, or mean and p95";
    refused(
        r#"{ dist = "lognormal", mean = "1s", p95 = "0.5s" }"#,
        r#".p95: "0.5s" is 0.5 times the mean; a lognormal distribution has its p95 from 1 to 3.868 times its mean"#,
    );
    refused(
        r#"{ dist = "lognormal", mean = "1s", p95 = "4s" }"#,
        r#".p95: "4s" is 4 times the mean; a lognormal distribution has its p95 from 1 to 3.868 times its mean"#,
    );
    refused(r#"{ dist = "lognormal", mean = "1s", sigma = 1 }"#, &format!(".mean: median or sigma is given as well; {EITHER}"));
    refused(r#"{ dist = "lognormal", mean = "1s" }"#, r#": the key "p95" is missing"#);
    refused(r#"{ dist = "lognormal" }"#, &format!(": it has no parameter; {EITHER}"));
    refused(r#"{ dist = "lognormal", mu = "1s" }"#, r#".mu: unknown key, known here: median, sigma, mean, p95"#);
}

#[test]
fn keys_that_are_missing_or_of_another_kind_are_refused() {
    refused(r#"{ dist = "normal", mean = "1s" }"#, r#": the key "sd" is missing"#);
    refused(r#"{ dist = "exponential", scale = "1s" }"#, ".scale: unknown key, known here: mean");
    refused(r#"{ dist = "gamma", shape = 1, mean = "1s" }"#, ".mean: unknown key, known here: shape, scale");
    refused(r#"{ dist = "pareto", shape = 1, scale = "1s" }"#, ".scale: unknown key, known here: min, shape");
    refused(r#"{ dist = "weibull", shap = 1, scale = "1s" }"#, r#".shap: unknown key, did you mean "shape"?"#);
    refused(r#"{ dist = "weibul", shape = 1 }"#, r#".dist: "weibul" is no distribution, did you mean "weibull"?"#);
    refused(r#"{ dist = "normal", mean = 2026-01-01, sd = "1s" }"#, ".mean: a date means nothing here");
}

#[test]
fn only_what_is_itself_a_length_must_be_whole() {
    for dist in [r#"{ dist = "fixed", value = 1.5 }"#, r#"{ dist = "fixed", value = 1000001 }"#] {
        let value = dist.split(&['=', ' ', '}']).rfind(|part| !part.is_empty()).unwrap();
        refused_length(dist, &format!(".value: {value} is no number of tokens; write a whole number from 1 to 1000000"));
    }
    refused_length(
        r#"{ dist = "pareto", min = 0.5, shape = 1 }"#,
        ".min: 0.5 is no number of tokens; write a whole number from 1 to 1000000",
    );
    refused_length(
        r#"{ dist = "empirical", samples = [3, 2.5] }"#,
        ".samples: 2.5 is no number of tokens; write a whole number from 1 to 1000000",
    );
    refused_length(
        r#"{ dist = "exponential", mean = -1 }"#,
        ".mean: -1 is no number of tokens; write a number from 0 to 1000000, such as 120.5",
    );
    refused_length(
        r#"{ dist = "exponential", mean = "1s" }"#,
        r#".mean: "1s" is no number of tokens; write a number from 0 to 1000000, such as 120.5"#,
    );
    refused_length(r#"{ dist = "exponential", mean = 0 }"#, ".mean: 0 is no mean; write one above 0");
}

#[test]
fn wrong_mixtures_are_refused_where_they_are() {
    let of = |components: &str| format!("{{ dist = \"mixture\", of = {components} }}");
    refused(r#"{ dist = "mixture" }"#, r#": the key "of" is missing"#);
    refused(&of("[]"), ".of: the array is empty; write at least one { weight = …, dist = … }");
    refused(&of("3"), ".of: 3 is no array; write [ { weight = 0.9, dist = … }, … ]");
    refused(&of("[3]"), ".of: 3 is no component; write { weight = 0.9, dist = … }");
    refused(&of(r#"[{ dist = "fixed", value = "1s" }]"#), r#".of: the key "weight" is missing"#);
    for weight in ["0", "-1", "nan", "inf", "1e13", "\"1\""] {
        let written = match weight {
            "1e13" => "10000000000000.0",
            other => other,
        };
        refused(
            &of(&format!("[{{ weight = {weight}, dist = \"fixed\", value = \"1s\" }}]")),
            &format!(
                ".of.weight: {written} is no weight; write a number above 0 and up to 1e12; the weights need not add up to 1"
            ),
        );
    }
    let lines = "[latency.total]\ndist = \"mixture\"\nof = [\n{ weight = 1, dist = \"fixed\", value = \"1s\" },\n{ weight = 1, dist = \"mixture\", of = [\n{ weight = 1, dist = \"fixed\", value = \"1\" } ] } ]";
    assert_eq!(
        Profile::parse(lines, "x.toml").unwrap_err().to_string(),
        "x.toml:6: latency.total.of.of.value: \"1\" has no unit; write a duration such as \"250ms\" or \"1.5s\""
    );
}

#[test]
fn wrong_inline_samples_are_refused_where_they_are() {
    const EITHER: &str = "write either file, with the column, or samples";
    refused(r#"{ dist = "empirical" }"#, &format!(": there is nothing to draw from; {EITHER}"));
    refused(
        r#"{ dist = "empirical", file = "x.csv", samples = ["1s"] }"#,
        &format!(".samples: a file is given as well; {EITHER}"),
    );
    refused(r#"{ dist = "empirical", samples = [] }"#, ".samples: the array has no sample");
    refused(r#"{ dist = "empirical", samples = "1s" }"#, r#".samples: "1s" is no array of samples"#);
    refused(
        r#"{ dist = "empirical", samples = ["1s", 2] }"#,
        r#".samples: 2 has no unit; write a duration such as "250ms" or "1.5s""#,
    );
    refused(r#"{ dist = "empirical", samples = ["1s"], column = "a" }"#, r#".column: unknown key, known here: samples"#);
    refused(r#"{ dist = "empirical", file = 3 }"#, ".file: 3 is no name; write it in quotes");
}

proptest! {
    #[test]
    fn a_damaged_distribution_is_read_or_refused_in_one_line(
        which in 0..DELAYS.len(), cut in 0_usize..200, removed in 0_usize..6, text in "[ -~\n]{0,12}",
    ) {
        let whole = DELAYS[which];
        let from = cut.min(whole.len());
        let damaged = format!("{}{text}{}", &whole[..from], &whole[(from + removed).min(whole.len())..]);
        for read in [delay(&damaged), length(&damaged)] {
            if let Err(error) = read {
                prop_assert!(error.starts_with("x.toml:") && !error.contains('\n'), "{}", error);
            }
        }
    }
}
