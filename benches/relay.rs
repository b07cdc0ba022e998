//! The tutorial's benchmark, offline: each concurrency level in virtual time, then the table beside the published figures.
//!
//! Criterion's figure is the level's throughput in virtual seconds, a property of the relay and not of this machine; it is the same
//! in every run. With `RELAYBENCH_BASE_URL` set, that endpoint is measured instead, each level once, within its caps.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's result is what it prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use relaybench::client::{Catalog, Policy, TransportKind};
use relaybench::load::{Extent, InFlight, Models, Run, Scenario, Stop};
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

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let scenario = Scenario::load("tutorial")?;
    // Listing and testing must not cost anything.
    if let (false, Some(live)) = (has("--list") || has("--test"), Live::from_environment(None, |name| std::env::var(name).ok())?)
    {
        return measure_live(scenario, live);
    }
    let mut criterion = Criterion::default().configure_from_args();
    levels(&mut criterion, &scenario)?;
    criterion.final_summary();
    if has("--list") {
        return Ok(());
    }
    let target = Target::Virtual(Profile::load(&scenario.profile)?);
    if has("--test") {
        println!("{}", table(&play(run(&scenario, target, TEST_REQUESTS, None)?)?));
        return Ok(());
    }
    show(&play(run(&scenario, target, REQUESTS, None)?)?, "relay")
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
                let runs = (0..iterations)
                    .map(|_| run(&level, Target::Virtual(profile.clone()), ITERATION_REQUESTS, None).and_then(play));
                runs.map(|report| virtual_time(&report.expect("a run in memory needs nothing that could be missing"))).sum()
            });
        });
    }
    group.finish();
    Ok(())
}

/// A run of the scenario with so many requests in each stage, checked.
fn run(scenario: &Scenario, target: Target, requests: u64, catalog: Option<Catalog>) -> Result<Run, Failure> {
    let mut scenario = scenario.clone();
    scenario.stages.iter_mut().for_each(|stage| stage.extent = Extent::Requests(requests));
    let policy = Policy::named(&scenario.policy)?;
    let run = Run { catalog, scenario, policy, target, transport: TransportKind::Network };
    run.check()?;
    Ok(run)
}

fn play(run: Run) -> Result<Report, Failure> {
    let (collector, played) = run.play(&Stop::default(), &InFlight::default(), Collector::default());
    played?;
    collector.report().ok_or_else(|| "the run left no record".into())
}

fn virtual_time(report: &Report) -> Duration {
    report.stages.iter().map(|stage| Duration::from_secs_f64(stage.duration_s)).sum()
}

fn measure_live(mut scenario: Scenario, live: Live) -> Result<(), Failure> {
    if let Some(model) = &live.model {
        scenario.request.models = Models::only(model);
    }
    let told = spending(&live, &scenario, &Policy::named(&scenario.policy)?);
    // A model that the environment names is meant, whether our catalog knows it or not.
    let catalog = live.model.is_none().then(Catalog::default);
    let run = run(&scenario, Target::Live(live), ITERATION_REQUESTS, catalog)?;
    eprintln!("{told}");
    show(&play(run)?, "relay-live")
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
