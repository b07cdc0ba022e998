//! Runs of scenarios, in virtual time unless told otherwise.

use std::io;
use std::num::NonZeroUsize;

use relaybench::client::{Policy, TransportKind};
use relaybench::load::{Extent, InFlight, Load, Record, Run, Sample, Scenario, Sink, Stage, Stop};
use relaybench::report::{Collector, Report};
use relaybench::target::Target;
use relaybench_mock::Profile;

/// The tutorial's scenario with so many requests in each stage.
pub(crate) fn tutorial(requests: u64) -> Scenario {
    let mut scenario = Scenario::load("tutorial").unwrap();
    scenario.stages.iter_mut().for_each(|stage| stage.extent = Extent::Requests(requests));
    scenario
}

/// One closed loop of the tutorial's request.
pub(crate) fn closed(concurrency: usize, requests: u64) -> Scenario {
    let load = Load::Closed { concurrency: NonZeroUsize::new(concurrency).unwrap() };
    let mut scenario = tutorial(requests);
    scenario.stages = vec![Stage { name: load.stage_name(), load, published: None, ..scenario.stages[0].clone() }];
    scenario
}

/// A run of this scenario under this policy.
pub(crate) fn run(scenario: Scenario, policy: &str, target: Target) -> Run {
    let catalog = Some(target.catalog());
    Run { scenario, policy: Policy::named(policy).unwrap(), target, transport: TransportKind::Network, catalog }
}

/// A profile written for one test.
pub(crate) fn profile(toml: &str) -> Profile {
    Profile::parse(toml, "test.toml").unwrap()
}

/// Everything a run leaves: its report, and its records as lines.
pub(crate) struct Played {
    pub(crate) report: Report,
    pub(crate) records: Vec<Record>,
}

impl Played {
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.records.iter().filter_map(|record| match record {
            Record::Sample(sample) => Some(sample),
            Record::Run(_) | Record::Stage(_) => None,
        })
    }
}

#[derive(Default)]
struct Keeper {
    collector: Collector,
    records: Vec<Record>,
}

impl Sink for Keeper {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.records.push(record.clone());
        self.collector.record(record)
    }
}

/// Plays a run to its end.
pub(crate) fn play(run: Run) -> Played {
    play_until(run, &Stop::default())
}

/// Plays a run that may be stopped.
pub(crate) fn play_until(run: Run, stop: &Stop) -> Played {
    run.check().unwrap();
    let (keeper, played) = run.play(stop, &InFlight::default(), Keeper::default());
    played.unwrap();
    Played { report: keeper.collector.report().unwrap(), records: keeper.records }
}
