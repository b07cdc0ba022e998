//! A table that a known system gave is never called inconsistent, however it is printed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;
use relaybench::audit::{Claims, Verdict, audit, table};

/// How long answers take.
#[derive(Clone, Copy, Debug)]
enum Latencies {
    Fixed,
    Uniform,
    Exponential,
    /// With this σ.
    Lognormal(f64),
    /// With this shape: at 1 and below there is no mean.
    Pareto(f64),
    /// This share takes a hundred times as long.
    Bimodal(f64),
}

impl Latencies {
    fn draw(self, rng: &mut Pcg64Mcg) -> f64 {
        let u: f64 = rng.random_range(1e-9..1.0);
        match self {
            Self::Fixed => 1.0,
            Self::Uniform => u,
            Self::Exponential => -u.ln(),
            Self::Lognormal(sigma) => {
                let v: f64 = rng.random_range(0.0..1.0);
                (sigma * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()).exp()
            }
            Self::Pareto(shape) => u.powf(-1.0 / shape),
            Self::Bimodal(share) => {
                if u < share {
                    100.0
                } else {
                    1.0
                }
            }
        }
    }
}

fn latencies() -> impl Strategy<Value = Latencies> {
    prop_oneof![
        Just(Latencies::Fixed),
        Just(Latencies::Uniform),
        Just(Latencies::Exponential),
        (0.01..2.0).prop_map(Latencies::Lognormal),
        (0.5..5.0).prop_map(Latencies::Pareto),
        (0.001..0.5).prop_map(Latencies::Bimodal),
    ]
}

/// A relay, and how it is measured.
#[derive(Clone, Copy, Debug)]
struct System {
    latencies: Latencies,
    scale_ms: f64,
    /// This share fails, after this many of the latency it drew.
    failing: f64,
    failing_takes: f64,
    /// This share hangs, and fails after so much longer than any other.
    hanging: f64,
    /// At times everybody's answers take so much longer.
    slow_spells: f64,
    is_waves: bool,
    concurrency: usize,
    requests: usize,
}

fn system() -> impl Strategy<Value = System> {
    let relay = (
        latencies(),
        0.3_f64..3000.0,
        prop_oneof![Just(0.0), 0.0..0.6],
        prop_oneof![Just(0.0), Just(1.0)],
        prop_oneof![Just(0.0), 0.0..0.02],
    );
    let load = (prop_oneof![Just(1.0), 1.0..20.0], any::<bool>(), 1_usize..300, 1_usize..3000);
    (relay, load).prop_map(
        |((latencies, scale_ms, failing, failing_takes, hanging), (slow_spells, is_waves, concurrency, requests))| System {
            latencies,
            scale_ms,
            failing,
            failing_takes,
            hanging,
            slow_spells,
            is_waves,
            concurrency,
            requests,
        },
    )
}

/// What a run gave.
struct Outcome {
    /// Of the succeeded, ascending.
    ms: Vec<f64>,
    wall_ms: f64,
    /// When each request was sent and ended, in the order in which they were sent, and whether it succeeded.
    requests: Vec<(f64, f64, bool)>,
}

impl Outcome {
    /// Of those that were not the first of their slot: latencies, and what ended a second between the last of the first and the last
    /// send.
    fn steady(&self, concurrency: usize, counts_all: bool) -> Option<(Vec<f64>, f64)> {
        let (ramp, steady) = self.requests.split_at_checked(concurrency)?;
        let begin = ramp.iter().map(|(_, ended, _)| *ended).fold(0.0, f64::max);
        let end = steady.last()?.0;
        let counts = |(_, ended, succeeded): &&(f64, f64, bool)| *ended > begin && *ended <= end && (counts_all || *succeeded);
        let ended = self.requests.iter().filter(counts).count();
        let mut ms: Vec<f64> =
            steady.iter().filter(|(_, _, succeeded)| *succeeded).map(|(sent, ended, _)| ended - sent).collect();
        ms.sort_by(f64::total_cmp);
        (end > begin && !ms.is_empty()).then_some((ms, ended as f64 / (end - begin) * 1e3))
    }
}

impl System {
    fn run(&self, rng: &mut Pcg64Mcg) -> Outcome {
        let (mut ms, mut requests, mut wall_ms, mut wave_began) = (Vec::new(), Vec::new(), 0.0_f64, 0.0_f64);
        // In nanoseconds, which can be ordered.
        let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        for index in 0..self.requests {
            let sent = if self.is_waves {
                if index % self.concurrency == 0 {
                    wave_began = wall_ms;
                }
                wave_began
            } else if ends.len() < self.concurrency {
                0.0
            } else {
                ends.pop().unwrap().0 as f64 / 1e6
            };
            let is_slow = (sent / (self.scale_ms * 7.0)) as u64 % 4 == 3;
            let drawn = self.latencies.draw(rng) * self.scale_ms * if is_slow { self.slow_spells } else { 1.0 };
            let hangs = rng.random_range(0.0..1.0) < self.hanging;
            let fails = hangs || rng.random_range(0.0..1.0) < self.failing;
            let took = match (hangs, fails) {
                (true, _) => self.scale_ms * 50.0,
                (false, true) => drawn * self.failing_takes,
                (false, false) => drawn,
            };
            let took = took.min(1e10);
            ends.push(Reverse(((sent + took) * 1e6) as u64));
            wall_ms = wall_ms.max(sent + took);
            requests.push((sent, sent + took, !fails));
            if !fails {
                ms.push(took);
            }
        }
        ms.sort_by(f64::total_cmp);
        Outcome { ms, wall_ms, requests }
    }
}

/// A figure to so many decimals, rounded or truncated.
fn printed(value: f64, rng: &mut Pcg64Mcg) -> String {
    let decimals = rng.random_range(0..4_usize);
    let unit = 10_f64.powi(decimals as i32);
    let value = if rng.random_range(0..2) == 0 { (value * unit).round() / unit } else { (value * unit).floor() / unit };
    format!("{value:.decimals$}")
}

/// One of the usual definitions.
fn percentile(sorted: &[f64], share: f64, definition: u32) -> f64 {
    let n = sorted.len() as f64;
    let at = |index: f64| sorted[(index.max(0.0) as usize).min(sorted.len() - 1)];
    let between = |index: f64| at(index.floor()) + (at(index.ceil()) - at(index.floor())) * (index - index.floor()).max(0.0);
    match definition {
        0 => at(n * share),
        1 => at((n * share).ceil() - 1.0),
        2 => between((n - 1.0) * share),
        _ => between((n + 1.0) * share - 1.0),
    }
}

/// The figures of a level, in the order in which a row has them.
type Figures = [f64; 7];
const KEYS: [&str; 7] = ["mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "throughput_rps", "success_percent"];

/// What one measurement of a level gives.
fn measured(system: &System, definition: u32, counts_all: bool, is_window: bool, rng: &mut Pcg64Mcg) -> Option<Figures> {
    let outcome = system.run(rng);
    let succeeded = outcome.ms.len();
    let completed = if counts_all { system.requests } else { succeeded };
    let whole_rps = completed as f64 / outcome.wall_ms * 1e3;
    let taken = outcome.requests.iter().filter(|(_, _, succeeded)| *succeeded).map(|(sent, ended, _)| ended - sent);
    let longest_ms = taken.fold(0.0, f64::max);
    let (ms, rps) = if is_window { outcome.steady(system.concurrency, counts_all)? } else { (outcome.ms, whole_rps) };
    if ms.is_empty() || outcome.wall_ms <= 0.0 {
        return None;
    }
    let mean = ms.iter().sum::<f64>() / ms.len() as f64;
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| percentile(&ms, share, definition));
    Some([mean, p50, p95, p99, longest_ms, rps, succeeded as f64 / system.requests as f64 * 100.0])
}

fn load_table(system: &System, repeats: u32, rng: &mut Pcg64Mcg) -> Option<String> {
    let definition = rng.random_range(0..4);
    let counts_all = rng.random_range(0..2) == 0;
    let is_window = rng.random_range(0..3) == 0;
    // A repeat may find the relay much faster or slower than another; what is told are the means.
    let mut figures: Figures = [0.0; 7];
    for repeat in 0..repeats {
        let pace = if repeat == 0 { 1.0 } else { rng.random_range(0.001..2.0) };
        let system = System { scale_ms: system.scale_ms * pace, ..*system };
        let of_one = measured(&system, definition, counts_all, is_window, rng)?;
        figures.iter_mut().zip(of_one).for_each(|(mean, figure)| *mean += figure / f64::from(repeats));
    }
    let in_flight = system.concurrency.min(system.requests);
    let tells_success = rng.random_range(0..3) > 0;
    let tells_requests = rng.random_range(0..4) > 0;
    let counts = if rng.random_range(0..2) == 0 {
        "unstated"
    } else if counts_all {
        "all"
    } else {
        "succeeded"
    };
    // A connection carries one request, or, over HTTP/2, many.
    let (protocol, connections) = match rng.random_range(0..3) {
        0 => ("http/1.1", in_flight),
        1 => ("http/2", 1),
        _ => ("unstated", 1),
    };
    let mut toml = format!(
        "[load]\nmethod = \"{}\"\nsuccess = \"complete\"\nthroughput_over = \"{}\"\nthroughput_counts = \"{counts}\"\n\
         protocol = \"{protocol}\"\nconnections = {connections}\n{}{}[[load.row]]\nconcurrency = {in_flight}\n",
        if system.is_waves {
            "waves"
        } else if rng.random_range(0..2) == 0 {
            "closed"
        } else {
            "unstated"
        },
        if is_window { "window" } else { "whole" },
        if tells_requests { format!("requests = {}\n", system.requests) } else { String::new() },
        if repeats > 1 { format!("repeats = {repeats}\n") } else { String::new() },
    );
    for (key, figure) in KEYS.iter().zip(figures) {
        if *key != "success_percent" || tells_success {
            toml += &format!("{key} = {}\n", printed(figure, rng));
        }
    }
    // Any of them may be missing.
    let kept = |line: &&str| {
        !["p50_ms", "p95_ms", "p99_ms", "max_ms"].iter().any(|key| line.starts_with(key)) || rng.random_range(0..3) > 0
    };
    Some(toml.lines().filter(kept).map(|line| format!("{line}\n")).collect())
}

fn price_table(rng: &mut Pcg64Mcg) -> String {
    // Prices are what is charged: exact. What is made of them is printed.
    let official = rng.random_range(2..3000_u32) as f64 / 100.0;
    let relay = (official * rng.random_range(0.05..0.99) * 100.0).floor() / 100.0;
    let mtok = rng.random_range(1..500_u32) as f64;
    let (official_usd, relay_usd) = (official * mtok, relay * mtok);
    let discount = (1.0 - relay / official) * 100.0;
    format!(
        "[headline]\ncheaper_percent = {}\n[[price]]\nmodel = \"a\"\nofficial_usd_per_mtok = {official:.2}\nrelay_usd_per_mtok = {relay:.2}\n\
         [[saving]]\nname = \"s\"\nmodel = \"a\"\nmtok = {mtok}\nofficial_usd = {}\nrelay_usd = {}\nsaved_usd = {}\nsaved_percent = {}\n",
        printed(discount, rng),
        printed(official_usd, rng),
        printed(relay_usd, rng),
        printed(official_usd - relay_usd, rng),
        printed(discount, rng),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_table_of_a_known_system_is_called_inconsistent(system in system(), repeats in prop_oneof![3 => Just(1_u32), 1 => 2_u32..4], seed: u64) {
        let rng = &mut Pcg64Mcg::seed_from_u64(seed);
        let load = load_table(&system, repeats, rng);
        prop_assume!(load.is_some());
        // What is available is known, and what succeeded differs from it by chance.
        let available = printed((1.0 - system.failing) * (1.0 - system.hanging) * 100.0, rng);
        let toml = format!(
            "name = \"x\"\navailability_percent = {available}\navailability_of = \"requests\"\n{}{}",
            load.unwrap(),
            price_table(rng)
        );
        let audit = audit(&Claims::parse(&toml, "x.toml").unwrap());
        prop_assert!(audit.verdict != Some(Verdict::Inconsistent), "{}\n{toml}", table(&audit));
    }

    #[test]
    fn no_limited_provider_is_called_inconsistent(limiter in limiter(), concurrency in 1_usize..300, latency_ms in 1.0_f64..3000.0, seed: u64) {
        let rng = &mut Pcg64Mcg::seed_from_u64(seed);
        let requests = rng.random_range(1..3000_usize);
        let (begins_ms, tokens_per_request) = (rng.random_range(0.0..60_000.0), rng.random_range(1..200_u32) as f64);
        let mut limiter = limiter;
        let mut slots: BinaryHeap<Reverse<u64>> = (0..concurrency).map(|_| Reverse((begins_ms * 1e6) as u64)).collect();
        let (mut passed, mut ended_ms, mut took_ms) = (0, 0.0_f64, 0.0);
        for _ in 0..requests {
            let sent_ms = slots.pop().unwrap().0 as f64 / 1e6;
            let is_let_in = limiter.lets_in(sent_ms);
            // Whoever is refused may come back at once, or wait.
            let took = if is_let_in { latency_ms * rng.random_range(0.5..1.5) } else { rng.random_range(0.0..2.0) * latency_ms };
            passed += usize::from(is_let_in);
            took_ms += if is_let_in { took } else { 0.0 };
            ended_ms = ended_ms.max(sent_ms + took);
            slots.push(Reverse(((sent_ms + took) * 1e6) as u64));
        }
        let seconds = (ended_ms - begins_ms) / 1e3;
        prop_assume!(passed > 0);
        let success = rng.random_range(0..2) == 0;
        let tells_requests = rng.random_range(0..2) == 0;
        // Without a number of requests it is of a second at least.
        prop_assume!(tells_requests || seconds >= 1.0);
        let counts_all = success && rng.random_range(0..2) == 0;
        let completed = if counts_all { requests } else { passed };
        let mut toml = format!(
            "name = \"x\"\n[[provider]]\nname = \"p\"\nconcurrency = {concurrency}\nmean_ms = {}\nthroughput_rps = {}\nrequests_per_minute = {}\n\
             tokens_per_minute = {}\ntokens_per_request = {}\n",
            printed(took_ms / passed as f64, rng),
            printed(completed as f64 / seconds, rng),
            limiter.most,
            printed(limiter.most * tokens_per_request, rng),
            printed(tokens_per_request, rng),
        );
        if success {
            toml += &format!("success_percent = {}\n", printed(passed as f64 / requests as f64 * 100.0, rng));
        }
        if tells_requests {
            toml += &format!("requests = {requests}\n");
        }
        let audit = audit(&Claims::parse(&toml, "x.toml").unwrap());
        prop_assert!(audit.verdict != Some(Verdict::Inconsistent), "{passed} of {requests} in {seconds} s\n{}\n{toml}", table(&audit));
    }

    #[test]
    fn no_true_headline_discount_or_cost_of_a_mix_is_called_inconsistent(
        prices in proptest::collection::vec((1_u32..3000, 0_u32..3000, 0.0_f64..50.0), 1..5),
        rows in proptest::collection::vec((1_u64..5, 1_u32..3000, 1_u32..3000), 1..6),
        quoted: proptest::sample::Index,
        unlisted: bool,
        untold in proptest::collection::vec(0_u32..6, 5),
        seed: u64,
    ) {
        let rng = &mut Pcg64Mcg::seed_from_u64(seed);
        let (concurrency, mean, rps) = *quoted.get(&rows);
        let sum = |of: fn(&(u32, u32, f64)) -> f64| prices.iter().map(of).sum::<f64>();
        let (official, relay) = (sum(|price| f64::from(price.0) / 100.0 * price.2), sum(|price| f64::from(price.1) / 100.0 * price.2));
        let mtok = sum(|price| price.2);
        prop_assume!(official > 0.0);
        // Of some models the file has no prices.
        let listed = if unlisted { &prices[..prices.len() / 2] } else { &prices[..] };
        let mut toml = format!("name = \"x\"\nall_models_priced = {}\n[headline]\nconcurrency = {concurrency}\n", !unlisted);
        toml += &format!("mean_ms = {}\nthroughput_rps = {}\n", printed(f64::from(mean), rng), printed(f64::from(rps), rng));
        if relay <= official {
            toml += &format!("cheaper_percent = {}\n", printed((1.0 - relay / official) * 100.0, rng));
        }
        toml += "[load]\n";
        for (concurrency, mean, rps) in &rows {
            toml += &format!("[[load.row]]\nconcurrency = {concurrency}\nmean_ms = {mean}.0\nthroughput_rps = {rps}.0\n");
        }
        for (place, (official, relay, _)) in listed.iter().enumerate() {
            let (official, relay) = (f64::from(*official) / 100.0, f64::from(*relay) / 100.0);
            toml += &format!("[[price]]\nmodel = \"{place}\"\n");
            // Either price of a model may be untold.
            if untold[place] != 0 {
                toml += &format!("official_usd_per_mtok = {official:.2}\n");
            }
            if untold[place] != 1 {
                toml += &format!("relay_usd_per_mtok = {relay:.2}\n");
            }
        }
        toml += &format!("[[saving]]\nname = \"mix\"\nmtok = {}\nofficial_usd = {}\nrelay_usd = {}\n", printed(mtok, rng), printed(official, rng), printed(relay, rng));
        let audit = audit(&Claims::parse(&toml, "x.toml").unwrap());
        prop_assert!(audit.verdict != Some(Verdict::Inconsistent), "{}\n{toml}", table(&audit));
    }
}

/// What lets so many pass in a minute.
#[derive(Clone, Debug)]
struct Limiter {
    most: f64,
    kind: LimiterKind,
    /// When what passed did.
    passed_ms: Vec<f64>,
    /// What is left in the bucket, as of when.
    left: (f64, f64),
}

#[derive(Clone, Copy, Debug)]
enum LimiterKind {
    Bucket,
    Fixed,
    Sliding,
}

fn limiter() -> impl Strategy<Value = Limiter> {
    let kind = prop_oneof![Just(LimiterKind::Bucket), Just(LimiterKind::Fixed), Just(LimiterKind::Sliding)];
    (1_u32..500, kind).prop_map(|(most, kind)| {
        let most = f64::from(most);
        Limiter { most, kind, passed_ms: Vec::new(), left: (most, 0.0) }
    })
}

impl Limiter {
    fn lets_in(&mut self, now_ms: f64) -> bool {
        let within =
            |is_within: &dyn Fn(f64) -> bool| self.passed_ms.iter().rev().take_while(|ms| is_within(**ms)).count() as f64;
        let is_let_in = match self.kind {
            LimiterKind::Fixed => within(&|ms| (ms / 6e4).floor() == (now_ms / 6e4).floor()) < self.most,
            LimiterKind::Sliding => within(&|ms| now_ms - ms < 6e4) < self.most,
            LimiterKind::Bucket => {
                let (left, as_of) = self.left;
                self.left = ((left + (now_ms - as_of) * self.most / 6e4).min(self.most), now_ms);
                self.left.0 >= 1.0
            }
        };
        if is_let_in {
            self.passed_ms.push(now_ms);
            self.left.0 -= 1.0;
        }
        is_let_in
    }
}
