//! The tutorial's benchmark, offline: each concurrency level in virtual time, then the table beside the published figures.
//!
//! Criterion's figure is the level's throughput in virtual seconds, a property of the relay and not of this machine; it is the same
//! in every run. With `RELAYBENCH_BASE_URL` set, that endpoint is measured instead, each level once, within its caps.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's result is what it prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use relaybench::client::{Policy, TransportKind};
use relaybench::load::{Extent, InFlight, Run, Scenario, Stop};
use relaybench::report::{Collector, Report, table};
use relaybench::target::{Live, Target, spending};
use relaybench_mock::Profile;

/// Enough for p99.9, and for means within 2 % of the truth.
const REQUESTS: u64 = 20_000;
/// In criterion's test mode every level is only shown to run.
const TEST_REQUESTS: u64 = 200;
/// Requests of one iteration: what the tutorial sends at a level.
const ITERATION_REQUESTS: u64 = 1_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let scenario = Scenario::load("tutorial")?;
    if let Some(live) = Live::from_environment(None, |name| std::env::var(name).ok())? {
        return measure_live(scenario, live);
    }
    let mut criterion = Criterion::default().configure_from_args();
    levels(&mut criterion, &scenario)?;
    criterion.final_summary();
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--list") {
        return Ok(());
    }
    let target = Target::Virtual(Profile::load(&scenario.profile)?);
    if has("--test") {
        println!("{}", table(&play(&scenario, target, TEST_REQUESTS)?));
        return Ok(());
    }
    show(&play(&scenario, target, REQUESTS)?, "relay")
}

fn levels(criterion: &mut Criterion, scenario: &Scenario) -> Result<(), Failure> {
    let profile = Profile::load(&scenario.profile)?;
    let mut group = criterion.benchmark_group("relay");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(ITERATION_REQUESTS));
    for stage in &scenario.stages {
        let level = Scenario { stages: vec![stage.clone()], ..scenario.clone() };
        group.bench_function(format!("virtual/{}", stage.name), |bencher| {
            bencher.iter_custom(|iterations| {
                let runs = (0..iterations).map(|_| play(&level, Target::Virtual(profile.clone()), ITERATION_REQUESTS));
                runs.map(|report| virtual_time(&report.expect("a run in memory needs nothing that could be missing"))).sum()
            });
        });
    }
    group.finish();
    Ok(())
}

fn play(scenario: &Scenario, target: Target, requests: u64) -> Result<Report, Failure> {
    let mut scenario = scenario.clone();
    scenario.stages.iter_mut().for_each(|stage| stage.extent = Extent::Requests(requests));
    let policy = Policy::named(&scenario.policy)?;
    let run = Run { catalog: Some(target.catalog()), scenario, policy, target, transport: TransportKind::Network };
    run.check()?;
    let (collector, played) = run.play(&Stop::default(), &InFlight::default(), Collector::default());
    played?;
    collector.report().ok_or_else(|| "the run left no record".into())
}

fn virtual_time(report: &Report) -> Duration {
    report.stages.iter().map(|stage| Duration::from_secs_f64(stage.duration_s)).sum()
}

fn measure_live(mut scenario: Scenario, live: Live) -> Result<(), Failure> {
    if let Some(model) = &live.model {
        scenario.request.model.clone_from(model);
    }
    eprintln!("{}", spending(&live, &scenario, &Policy::named(&scenario.policy)?));
    let report = play(&scenario, Target::Live(live), ITERATION_REQUESTS)?;
    show(&report, "relay-live")
}

fn show(report: &Report, name: &str) -> Result<(), Failure> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../relaybench");
    fs::create_dir_all(&directory)?;
    let file = directory.canonicalize()?.join(format!("{name}.json"));
    fs::write(&file, report.to_json())?;
    println!("\n{}{}", table(report), written(&file));
    Ok(())
}

fn written(file: &Path) -> String {
    format!("report: {}\n", file.display())
}
