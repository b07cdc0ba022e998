//! For known distributions the reported percentiles are those of theory, within the histogram's resolution and sampling error.

use statrs::distribution::{ContinuousCDF, Exp, Gamma, LogNormal, Uniform};

use crate::support::runs::play_virtual;

const REQUESTS: u64 = 12_000;
/// A percentile in a histogram is at most this above the true one.
const RESOLUTION: f64 = 1.001;
/// Standard errors of a share; with 20 figures one in a thousand tests would be beyond by chance.
const ERRORS: f64 = 4.0;

fn assert_percentiles(latency: &str, cdf_of_ms: impl Fn(f64) -> f64) {
    let load = format!("load = {{ kind = \"poisson\", rate = \"500/s\" }}\nrequests = {REQUESTS}");
    let played = play_virtual(&load, &format!("[latency]\ntotal = {latency}\n"));
    let summary = played.report.stages[0].latency_ms;
    let figures = [(0.5, summary.p50), (0.9, summary.p90), (0.95, summary.p95), (0.99, summary.p99), (0.999, summary.p999)];
    for (share, reported) in figures {
        let reported = reported.unwrap();
        let error = ERRORS * (share * (1.0 - share) / REQUESTS as f64).sqrt();
        let (least, most) = (cdf_of_ms(reported / RESOLUTION), cdf_of_ms(reported));
        assert!(least - error <= share && share <= most + error, "{latency}: p{share} is {reported} ms, a share of {most}");
    }
}

#[test]
fn of_uniform_latencies() {
    let uniform = Uniform::new(20.0, 80.0).unwrap();
    assert_percentiles("{ dist = \"uniform\", min = \"20ms\", max = \"80ms\" }", |ms| uniform.cdf(ms));
}

#[test]
fn of_exponential_latencies() {
    let exponential = Exp::new(1.0 / 50.0).unwrap();
    assert_percentiles("{ dist = \"exponential\", mean = \"50ms\" }", |ms| exponential.cdf(ms));
}

#[test]
fn of_lognormal_latencies() {
    let lognormal = LogNormal::new(200_f64.ln(), 0.5).unwrap();
    assert_percentiles("{ dist = \"lognormal\", median = \"200ms\", sigma = 0.5 }", |ms| lognormal.cdf(ms));
}

#[test]
fn of_gamma_latencies() {
    let gamma = Gamma::new(3.0, 1.0 / 20.0).unwrap();
    assert_percentiles("{ dist = \"gamma\", shape = 3, scale = \"20ms\" }", |ms| gamma.cdf(ms));
}

#[test]
fn of_one_server_and_its_queue() {
    // A queue with Poisson arrivals and one exponential server, at 4/5 of its rate: the time in it is exponential too, its mean
    // 1 / (μ − λ) (Kleinrock, Queueing Systems I, 1975). Successive times depend on each other, so that the error is not that of
    // independent samples: the runs agree within 15 % where the law itself would be off by 5 times.
    let load = "load = { kind = \"poisson\", rate = \"80/s\" }\nrequests = 40000";
    let mock = "[latency]\ntotal = { dist = \"exponential\", mean = \"10ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 1\n";
    let summary = play_virtual(load, mock).report.stages[0].latency_ms;
    let mean_ms = 1000.0 / (100.0 - 80.0);
    for (share, reported) in [(0.5_f64, summary.p50), (0.9, summary.p90), (0.99, summary.p99)] {
        let (theory, reported) = (-(1.0 - share).ln() * mean_ms, reported.unwrap());
        assert!((reported / theory - 1.0).abs() < 0.15, "p{share} is {reported} ms, by theory {theory} ms");
    }
}
