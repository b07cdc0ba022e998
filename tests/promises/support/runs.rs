//! Runs of scenarios, in virtual time unless told otherwise.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;

use relaybench::client::{Policy, TransportKind};
use relaybench::load::{Extent, InFlight, Load, Record, Run, Sample, Scenario, Sink, Stage, Stop};
use relaybench::report::{Collector, Report};
use relaybench::target::Target;
use relaybench_mock::{Entry, Profile};

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

/// A scenario written for one test.
pub(crate) fn scenario(toml: &str) -> Scenario {
    Scenario::parse(&format!("name = \"test\"\n{toml}"), "test.toml").unwrap()
}

/// A virtual run of a scenario of this one stage against a mock of this profile, without retries.
pub(crate) fn play_virtual(stage: &str, mock: &str) -> Played {
    play(run(scenario(&format!("[[stage]]\n{stage}\n")), "none", Target::Virtual(profile(mock))))
}

/// A profile written for one test.
pub(crate) fn profile(toml: &str) -> Profile {
    Profile::parse(toml, "test.toml").unwrap()
}

/// Everything a run leaves: its report, its records, and what the mock's ledger has of it.
pub(crate) struct Played {
    pub(crate) report: Report,
    pub(crate) records: Vec<Record>,
    pub(crate) ledger: Vec<Entry>,
}

impl Played {
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.records.iter().filter_map(|record| match record {
            Record::Sample(sample) => Some(sample),
            Record::Run(_) | Record::Stage(_) => None,
        })
    }

    /// When the attempts came to the mock, in order, in nanoseconds from the first.
    pub(crate) fn arrivals_ns(&self) -> Vec<u64> {
        from_the_first(self.ledger.iter())
    }

    /// As [`arrivals_ns`](Self::arrivals_ns), of one stage.
    pub(crate) fn arrivals_of_ns(&self, stage: u32) -> Vec<u64> {
        let is_of = |id: &str| id.split('-').nth(2) == Some(stage.to_string().as_str());
        from_the_first(self.ledger.iter().filter(|entry| entry.request_id.as_deref().is_some_and(is_of)))
    }

    /// Asserts that every scheduled request is a sample, and every one that was sent an attempt in the ledger.
    pub(crate) fn assert_accounted_for(&self) {
        let indices = |sample: &Sample| sample.index..sample.index + sample.count;
        let samples: BTreeSet<_> = self.samples().flat_map(|sample| indices(sample).map(|index| (sample.stage, index))).collect();
        let (mut scheduled, mut attempts) = (0, 0);
        for stage in &self.report.stages {
            assert_eq!(stage.requests.scheduled, stage.requests.sent + stage.requests.unsent);
            assert_eq!(stage.requests.sent, stage.requests.succeeded + stage.requests.failed);
            assert!(stage.ledger.unwrap().balances(), "{:?}", stage.ledger);
            scheduled += stage.requests.scheduled;
            attempts += stage.attempts;
        }
        assert_eq!((samples.len() as u64, self.ledger.len() as u64), (scheduled, attempts));
    }
}

fn from_the_first<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u64> {
    let mut arrivals: Vec<u64> = entries.map(|entry| entry.arrived_ns).collect();
    arrivals.sort_unstable();
    let first = arrivals.first().copied().unwrap_or(0);
    arrivals.iter().map(|at| at - first).collect()
}

#[derive(Default)]
struct Keeper {
    collector: Collector,
    records: Vec<Record>,
    ledger: Vec<Entry>,
}

impl Sink for Keeper {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.records.push(record.clone());
        self.collector.record(record)
    }

    fn ledger(&mut self, _stage: u32, entries: &[Entry]) -> io::Result<()> {
        self.ledger.extend_from_slice(entries);
        Ok(())
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
    Played { report: keeper.collector.report().unwrap(), records: keeper.records, ledger: keeper.ledger }
}
