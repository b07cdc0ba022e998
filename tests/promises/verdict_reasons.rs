//! A run says when its numbers may not be quoted: each reason provoked, with its figure, and a healthy run that has none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{io, thread};

use relaybench::client::ApiKey;
use relaybench::load::{InFlight, Record, Sink, Stop};
use relaybench::report::{Collector, Report, StageReport};
use relaybench::target::{Live, Target};
use relaybench_mock::MockRelay;

use crate::support::runs::{Played, play, play_virtual, profile, run, scenario};

const LOGNORMAL: &str = "[latency]\ntotal = { dist = \"lognormal\", median = \"200ms\", sigma = 0.4 }\n";

/// What the report of these records says.
fn reported(records: &[Record]) -> Report {
    let mut collector = Collector::default();
    records.iter().for_each(|record| collector.record(record).unwrap());
    collector.report().unwrap()
}

/// This check fails, and the run says so in a reason with these words.
fn assert_fails(report: &Report, check: &str, says: &str) {
    let failed = report.stages[0].checks[check];
    assert!(!failed.ok, "{check}: {failed:?}");
    let reasons = &report.verdict.reasons;
    assert!(!report.verdict.valid && reasons.iter().any(|reason| reason.contains(says)), "{says} is not in {reasons:?}");
}

/// These checks fail, and no others.
fn failing(stage: &StageReport) -> Vec<&'static str> {
    stage.checks.iter().filter(|(_, check)| !check.ok).map(|(name, _)| *name).collect()
}

fn healthy() -> Played {
    play_virtual("load = { kind = \"poisson\", rate = \"50/s\" }\nrequests = 4000\nsteady = true", LOGNORMAL)
}

/// Spoils the first record of which `spoil` knows how.
fn spoilt(played: &Played, mut spoil: impl FnMut(&mut Record) -> bool) -> Vec<Record> {
    let mut records = played.records.clone();
    assert!(records.iter_mut().any(&mut spoil));
    records
}

#[test]
fn a_healthy_run_is_valid_and_shows_by_how_much() {
    let report = healthy().report;
    assert!(report.verdict.valid, "{:?}", report.verdict.reasons);
    let names: Vec<_> = report.stages[0].checks.keys().copied().collect();
    assert_eq!(
        names,
        [
            "clipped_values",
            "littles_law_difference",
            "send_lateness_p99_ms",
            "sent_in_time_share",
            "trend_share",
            "unaccounted_requests",
            "unmatched_attempts",
        ],
        "in virtual time nothing is said of the processor"
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let check = &json["stages"][0]["checks"]["sent_in_time_share"];
    assert_eq!(check.to_string(), r#"{"figure":1.0,"must_be":"at-least","ok":true,"threshold":0.99}"#);
}

/// Blocks the harness's thread once, as a machine would that has no time for it.
struct Blocking {
    collector: Collector,
    samples: u32,
}

impl Sink for Blocking {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        if matches!(record, Record::Sample(_)) {
            if self.samples == 0 {
                // Nobody ever sends: a wait of three seconds.
                let (_never, silence) = mpsc::channel::<()>();
                let _ = silence.recv_timeout(Duration::from_secs(3));
            }
            self.samples += 1;
        }
        self.collector.record(record)
    }
}

#[test]
fn a_starved_pacer_is_late_and_offers_less_than_was_asked() {
    let scenario = scenario("[[stage]]\nload = { kind = \"constant\", rate = \"100/s\" }\nduration = \"2s\"\n");
    let quick = profile("[latency]\ntotal = { dist = \"fixed\", value = \"5ms\" }\n");
    let run = run(scenario, "none", Target::Mock(quick));
    run.check().unwrap();
    let sink = Blocking { collector: Collector::default(), samples: 0 };
    let (sink, played) = run.play(&Stop::default(), &InFlight::default(), sink);
    played.unwrap();
    let report = sink.collector.report().unwrap();
    assert_fails(&report, "send_lateness_p99_ms", "send lateness");
    assert_fails(&report, "sent_in_time_share", "less load was offered");
}

#[test]
fn a_wait_under_a_cap_that_was_asked_for_is_not_the_harness_s_lateness() {
    let played = play_virtual(
        "load = { kind = \"constant\", rate = \"100/s\", max_in_flight = 4 }\nrequests = 1000",
        "[latency]\ntotal = { dist = \"fixed\", value = \"100ms\" }\n",
    );
    let stage = &played.report.stages[0];
    assert!(stage.send_lateness_ms.p99.unwrap() > 1000.0);
    assert_eq!(stage.checks["send_lateness_p99_ms"].figure, 0.0, "it sent as soon as there was room");
    assert!(played.report.verdict.valid, "{:?}", played.report.verdict.reasons);
}

#[test]
fn a_processor_that_has_no_time_left_is_told() {
    // A quarter of a second at the least: of much less nothing is said.
    let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 4 }\nrequests = 200\n");
    let played = play(run(scenario, "none", Target::Mock(profile("[latency]\ntotal = { dist = \"fixed\", value = \"5ms\" }\n"))));
    // How busy this machine is nobody knows: the check says of what was recorded what it must.
    let stage = &played.report.stages[0];
    let (check, duration_ns) = (stage.checks["cpu_share"], stage.duration_s * 1e9);
    assert_eq!((check.threshold, check.ok), (0.9, check.figure <= 0.9));
    assert_eq!(!check.ok, played.report.verdict.reasons.iter().any(|reason| reason.contains("processor")));

    for (share, ok) in [(0.89, true), (0.91, false)] {
        let records = spoilt(&played, |record| {
            let Record::Stage(end) = record else { return false };
            let cpu = end.cpu.as_mut().unwrap();
            assert!(cpu.used_ns > 0 && (1..=2).contains(&cpu.cores), "{cpu:?}");
            cpu.used_ns = (duration_ns * f64::from(cpu.cores) * share) as u64;
            true
        });
        let report = reported(&records);
        assert_eq!(report.stages[0].checks["cpu_share"].ok, ok);
        if !ok {
            assert_fails(&report, "cpu_share", "processor: this process used 91 % of the");
        }
    }
}

#[test]
fn a_processor_that_the_process_itself_burns_is_told() {
    let relay = MockRelay::start(profile("[latency]\ntotal = { dist = \"fixed\", value = \"20ms\" }\n")).unwrap();
    let target = Live {
        base_url: relay.base_url(),
        key: ApiKey::from("sk-test".to_owned()),
        model: None,
        max_requests: 1000,
        max_cost_usd: 1000.0,
    };
    let played = || {
        let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 2 }\nrequests = 60\n");
        play(run(scenario, "none", Target::Live(target.clone()))).report
    };
    let is_over = AtomicBool::new(false);
    // More threads than cores: how much of the machine this process gets is for other processes to say, so it goes on until it is
    // enough of the one core that the harness can keep busy.
    let report = thread::scope(|scope| {
        for _ in 0..2 * thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            });
        }
        let report = std::iter::repeat_with(played)
            .take(100)
            .find(|report| report.stages[0].checks.get("cpu_share").is_some_and(|check| !check.ok));
        is_over.store(true, Ordering::Relaxed);
        report.unwrap()
    });
    assert!(report.stages[0].checks["cpu_share"].figure > 0.9);
    assert_fails(&report, "cpu_share", "of the one core that it can keep busy");
}

#[test]
fn what_takes_longer_than_the_histogram_s_hour_is_told() {
    let mut run = run(
        scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 2 }\nrequests = 8\n"),
        "none",
        Target::Virtual(profile("[latency]\ntotal = { dist = \"fixed\", value = \"61m\" }\n")),
    );
    run.policy.timeouts.total = Duration::from_secs(3 * 3600);
    run.policy.timeouts.read = None;
    run.policy.timeouts.first_token = None;
    let report = play(run).report;
    assert_fails(&report, "clipped_values", "longer than the histogram's hour");
    assert_eq!(failing(&report.stages[0]), ["clipped_values"]);
}

#[test]
fn a_trend_spoils_a_stage_that_says_it_is_steady_and_no_other() {
    let slower = format!("{LOGNORMAL}[[phase]]\nfor = \"1h\"\nramp_up = \"200s\"\nlatency_factor = 2.0\n");
    let load = "load = { kind = \"poisson\", rate = \"50/s\" }\nrequests = 4000";
    let steady = play_virtual(&format!("{load}\nsteady = true"), &slower).report;
    assert_fails(&steady, "trend_share", "not steady: latency changed by +");
    assert_eq!(failing(&steady.stages[0]), ["trend_share"]);
    // 80 s of 200 s: by the end latencies are 1.4 times those of the beginning, and the median is 1.2 times.
    let trend = steady.stages[0].trend.unwrap();
    assert!((trend.change - 0.4 / 1.2).abs() < 0.08, "{trend:?}");

    let other = play_virtual(load, &slower).report;
    assert!(other.verdict.valid, "{:?}", other.verdict.reasons);
    assert_eq!(other.stages[0].trend, steady.stages[0].trend, "the figure is there all the same");
}

#[test]
fn samples_that_were_changed_do_not_balance() {
    let played = healthy();
    let mut missing = played.records.clone();
    missing.remove(77);
    assert_fails(&reported(&missing), "unaccounted_requests", "4000 requests were scheduled, but 3999 samples exist");

    let mut twice = played.records.clone();
    twice.insert(78, played.records[77].clone());
    assert_fails(&reported(&twice), "unaccounted_requests", "but 4001 samples exist");

    let mut one_for_another = played.records.clone();
    one_for_another[77] = played.records[78].clone();
    assert_fails(&reported(&one_for_another), "unaccounted_requests", "but one is there twice and another missing");

    let tried_again = spoilt(&played, |record| match record {
        Record::Sample(sample) => {
            sample.attempts += 1;
            true
        }
        Record::Run(_) | Record::Stage(_) => false,
    });
    assert_fails(&reported(&tried_again), "unmatched_attempts", "4001 by the samples and 4000 by the client's books");

    let mut faster = played.records.clone();
    for record in &mut faster {
        if let Record::Sample(sample) = record {
            sample.ended = sample.ended.map(|ended| ended - sample.in_flight().unwrap() / 20);
        }
    }
    assert_fails(&reported(&faster), "littles_law_difference", "Little's law");
}
