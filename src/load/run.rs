//! A whole run: its stages one after another, and the records they leave.

use std::io;

use relaybench_mock::MockRelay;
use thiserror::Error;
use tokio::runtime::Builder;

use super::caller::{Caller, id_prefix};
use super::in_flight::InFlight;
use super::ledger::Sent;
use super::runner;
use super::sample::{Record, RunHeader, RunInfo, StageEnd, StageHeader};
use super::scenario::Scenario;
use super::schedule::Schedule;
use super::stop::Stop;
use crate::client::{self, Catalog, Client, Policy, TransportKind};
use crate::endpoint::Endpoint;
use crate::target::Target;
use crate::virtual_time;

/// Gets every record of a run as it comes.
pub trait Sink {
    /// Takes one record.
    ///
    /// # Errors
    ///
    /// When it cannot be kept. The run ends then: what cannot be kept need not be measured.
    fn record(&mut self, record: &Record) -> io::Result<()>;
}

/// Everything a run needs. Nothing was sent yet.
#[derive(Clone, Debug)]
pub struct Run {
    /// What load is offered.
    pub scenario: Scenario,
    /// How the client behaves.
    pub policy: Policy,
    /// Where the requests go.
    pub target: Target,
    /// What sends them; virtual time has its own.
    pub transport: TransportKind,
    /// The models that may be asked. None: any.
    pub catalog: Option<Catalog>,
}

/// Why a run ended before its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The client refuses what it was told to do; nothing was sent.
    #[error("{0}")]
    Client(#[from] client::Error),
    /// The target could not be started.
    #[error("cannot start the mock relay: {0}")]
    Target(io::Error),
    /// A record could not be kept. What was kept before it is whole.
    #[error("cannot write the samples: {0}")]
    Record(io::Error),
}

impl Run {
    /// Plays all stages, one after another. The sink gets every record, and is given back.
    ///
    /// In virtual time this thread becomes the runtime; else a runtime of its own is made on it. Either way it must not be in one.
    ///
    /// # Errors
    ///
    /// When the target cannot be started or the client refuses what it was told, and when the sink cannot keep a record. What it
    /// was given before stays.
    pub fn play<S: Sink + Send + 'static>(self, stop: &Stop, in_flight: &InFlight, mut sink: S) -> (S, Result<(), RunError>) {
        if let Target::Virtual(profile) = &self.target {
            let profile = profile.clone();
            return virtual_time::play(self, profile, stop.clone(), in_flight.clone(), sink);
        }
        let played = self.play_over_sockets(stop, in_flight, &mut sink);
        (sink, played)
    }

    fn play_over_sockets(&self, stop: &Stop, in_flight: &InFlight, sink: &mut impl Sink) -> Result<(), RunError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(RunError::Target)?;
        let (_relay, endpoint) = match &self.target {
            Target::Mock(profile) | Target::Virtual(profile) => {
                let relay = MockRelay::start(profile.clone()).map_err(RunError::Target)?;
                let endpoint = Endpoint::relay(&relay, self.catalog.clone(), self.transport);
                (Some(relay), endpoint)
            }
            Target::Live(live) => (None, Endpoint::live(live, self.catalog.clone(), self.transport)),
        };
        runtime.block_on(self.play_against(&endpoint, stop, in_flight, sink))
    }

    /// Plays all stages against an endpoint that is running.
    pub(crate) async fn play_against(
        &self,
        endpoint: &Endpoint,
        stop: &Stop,
        in_flight: &InFlight,
        sink: &mut impl Sink,
    ) -> Result<(), RunError> {
        sink.record(&Record::Run(self.header())).map_err(RunError::Record)?;
        let mut allowance = self.target.allowance(&self.scenario, &self.policy);
        for (stage, spec) in (0..).zip(&self.scenario.stages) {
            allowance.begin_stage();
            // A client of its own: no stage begins with the connections of the one before.
            let client = endpoint.client(&self.policy, self.scenario.seed)?;
            let caller = self.caller(client, stage, in_flight.clone())?;
            let mut sent = Sent::new(id_prefix(self.scenario.seed, stage));
            let schedule = Schedule::new(spec);
            let played = runner::play(stage, &schedule, &caller, &mut allowance, stop, |sample, attempts| {
                sent.add(sample.index, attempts);
                sink.record(&Record::Sample(sample))
            });
            let tally = played.await.map_err(RunError::Record)?;
            drop(caller);
            let end = StageEnd {
                stage,
                duration: tally.duration,
                scheduled: tally.scheduled,
                in_flight_ns: in_flight.take_sum_ns(),
                ledger: endpoint.settled_ledger().await.map(|entries| sent.balance(&entries)),
            };
            sink.record(&Record::Stage(end)).map_err(RunError::Record)?;
        }
        Ok(())
    }

    /// Checks that the client takes the scenario's requests: the base URL, the key and the model.
    ///
    /// # Errors
    ///
    /// What the client says of them.
    pub fn check(&self) -> Result<(), client::Error> {
        let Target::Live(live) = &self.target else {
            return self.catalog.as_ref().map_or(Ok(()), |catalog| catalog.check(&self.scenario.request.model));
        };
        let client = Endpoint::live(live, self.catalog.clone(), self.transport).client(&self.policy, self.scenario.seed)?;
        self.caller(client, 0, InFlight::default()).map(drop)
    }

    fn caller(&self, client: Client, stage: u32, in_flight: InFlight) -> Result<Caller, client::Error> {
        let Scenario { request, seed, success, .. } = &self.scenario;
        Caller::new(client, request, id_prefix(*seed, stage), *success, in_flight)
    }

    fn header(&self) -> RunHeader {
        let stages = self.scenario.stages.iter().map(|stage| StageHeader {
            name: stage.name.clone(),
            load: stage.load,
            published: stage.published,
        });
        RunHeader {
            schema: RunHeader::SCHEMA.to_owned(),
            run: RunInfo {
                scenario: self.scenario.name.clone(),
                target: self.target.name().to_owned(),
                profile: self.target.profile().map(|profile| profile.name().to_owned()),
                policy: self.policy.name.clone(),
                seed: self.scenario.seed,
                r#virtual: matches!(self.target, Target::Virtual(_)),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            model: self.scenario.request.model.clone(),
            stages: stages.collect(),
        }
    }
}
