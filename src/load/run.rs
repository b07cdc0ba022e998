//! A whole run: its stages one after another, and the records they leave.

use std::io;

use relaybench_clock::Runtime;
use relaybench_mock::{Entry, MockRelay};
use thiserror::Error;

use super::caller::{Caller, id_prefix};
use super::cpu::CpuMeter;
use super::draw::Key;
use super::in_flight::InFlight;
use super::kind::InFlightBound;
use super::ledger::Reconciliation;
use super::request::Composer;
use super::runner::{self, End};
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

    /// Takes what the mock received in a stage since the last call: the attempts that ended since then, before the stage's end is
    /// recorded. By default nothing is done with it. A target that keeps no ledger of ours never calls this.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    fn ledger(&mut self, stage: u32, entries: &[Entry]) -> io::Result<()> {
        let _ = (stage, entries);
        Ok(())
    }
}

/// After how many samples the mock's ledger is emptied, so that it takes no memory that grows with the run.
const LEDGER_EVERY: u64 = 4096;

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
    #[error(transparent)]
    Client(#[from] client::Error),
    /// The target could not be started.
    #[error("cannot start the mock relay")]
    Target(#[source] io::Error),
    /// This process may not open as many files as the load needs connections. Nothing was sent.
    #[error(
        "{needed} open files are needed for {in_flight} requests in flight, and this process may have {allowed}: raise the limit \
         (ulimit -n {needed}) or lower the concurrency"
    )]
    OpenFiles {
        /// The highest level of the scenario.
        in_flight: usize,
        /// What that takes: a connection has an end here, and another where the mock is.
        needed: u64,
        /// The most the system allows.
        allowed: u64,
    },
    /// A record could not be kept. What was kept before it is whole.
    #[error("cannot write the samples")]
    Record(#[source] io::Error),
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
        self.raise_open_files()?;
        let runtime = Runtime::new().map_err(RunError::Target)?;
        let (relay, endpoint) = match &self.target {
            Target::Mock(profile) | Target::Virtual(profile) => {
                let relay = MockRelay::start(profile.clone()).map_err(RunError::Target)?;
                let endpoint = Endpoint::relay(&relay, self.catalog.clone(), self.transport);
                (Some(relay), endpoint)
            }
            Target::Live(live) => (None, Endpoint::live(live, self.catalog.clone(), self.transport)),
        };
        runtime.block_on(async {
            let endpoint = if relay.is_none() { endpoint.with_ledger().await } else { endpoint };
            self.play_against(&endpoint, stop, in_flight, sink).await
        })
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
        for stage in 0..self.scenario.stages.len() as u32 {
            allowance.begin_stage();
            endpoint.begin_stage().await;
            // A client of its own: no stage begins with the connections of the one before.
            let client = endpoint.client(&self.policy, self.scenario.seed)?;
            let caller = self.caller(client, stage, in_flight.clone())?;
            let prefix = id_prefix(self.scenario.seed, stage);
            let mut books = Reconciliation::new(prefix.clone());
            let schedule = Schedule::new(&self.scenario, stage);
            let mut samples = 0_u64;
            let played = runner::play(stage, &schedule, &caller, &mut allowance, stop, self.cpu_meter(), |sample, attempts| {
                books.sent(sample.index, attempts);
                samples += 1;
                if samples.is_multiple_of(LEDGER_EVERY) {
                    let entries = endpoint.ledger_so_far();
                    books.received(&entries);
                    sink.ledger(stage, &entries)?;
                }
                sink.record(&Record::Sample(sample))
            });
            let tally = played.await.map_err(RunError::Record)?;
            drop(caller);
            let settled = endpoint.settled_ledger(&prefix, books.outstanding()).await;
            if let Some(settled) = &settled {
                books.received(&settled.entries);
                sink.ledger(stage, &settled.entries).map_err(RunError::Record)?;
            }
            let lost = settled.as_ref().and_then(|settled| settled.lost);
            let is_told_whole = settled.is_some() && lost.is_none();
            let end = StageEnd {
                stage,
                duration: tally.duration,
                scheduled: tally.scheduled,
                interrupted: tally.end != End::Played,
                in_flight_ns: in_flight.take_sum_ns(),
                ledger: (is_told_whole && tally.end != End::GivenUp).then(|| books.balance()),
                ledger_lost: lost,
                harness_error: settled.map(|_| books.harness_error()),
                cpu: tally.cpu,
            };
            sink.record(&Record::Stage(end)).map_err(RunError::Record)?;
        }
        Ok(())
    }

    /// None in virtual time, which says nothing about the cost of anything.
    fn cpu_meter(&self) -> Option<CpuMeter> {
        match self.target {
            Target::Virtual(_) => None,
            Target::Mock(_) => CpuMeter::start(2),
            Target::Live(_) => CpuMeter::start(1),
        }
    }

    /// Raises the limit of open files as far as the load needs and the system allows: connections that cannot be accepted are not
    /// refused but wait, and the run with them.
    fn raise_open_files(&self) -> Result<(), RunError> {
        /// Standard streams, the samples, what the runtimes hold, and the connections hyper opens beyond need.
        const BESIDES: u64 = 128;
        let bounds = self.scenario.stages.iter().map(|stage| stage.load.in_flight());
        let (mut in_flight, mut is_known) = (0, true);
        for bound in bounds {
            match bound {
                InFlightBound::Most(most) => in_flight = in_flight.max(most),
                InFlightBound::Unknown => is_known = false,
            }
        }
        if !is_known {
            // As many as there may be: what an open loop needs shows only when the relay is slow. A failure leaves the limit as it is.
            let _ = rlimit::increase_nofile_limit(u64::MAX);
        }
        let ends = if matches!(self.target, Target::Mock(_)) { 2 } else { 1 };
        let needed = ends * in_flight as u64 + BESIDES;
        // Where there is no such limit to ask for, nothing is known that could be refused.
        let allowed = rlimit::increase_nofile_limit(needed).unwrap_or(needed);
        if allowed < needed { Err(RunError::OpenFiles { in_flight, needed, allowed }) } else { Ok(()) }
    }

    /// Checks that the client takes the scenario's requests (base URL, key, model), and that the process may open as many
    /// connections as the load needs.
    ///
    /// # Errors
    ///
    /// What is wrong. Nothing was sent.
    pub fn check(&self) -> Result<(), RunError> {
        match &self.target {
            Target::Virtual(_) => self.check_model(),
            Target::Mock(_) => self.check_model().and_then(|()| self.raise_open_files()),
            Target::Live(live) => {
                let endpoint = Endpoint::live(live, self.catalog.clone(), self.transport);
                self.caller(endpoint.client(&self.policy, self.scenario.seed)?, 0, InFlight::default())?;
                self.raise_open_files()
            }
        }
    }

    fn check_model(&self) -> Result<(), RunError> {
        let Some(catalog) = &self.catalog else { return Ok(()) };
        self.scenario.request.models.names().try_for_each(|model| Ok(catalog.resolve(model).map(drop)?))
    }

    fn caller(&self, client: Client, stage: u32, in_flight: InFlight) -> Result<Caller, client::Error> {
        let Scenario { request, seed, success, stages, .. } = &self.scenario;
        let key = Key { seed: *seed, stage };
        let composer = Composer::new(client.clone(), request, &stages[stage as usize].load, key)?;
        Ok(Caller::new(client, composer, id_prefix(*seed, stage), *success, in_flight))
    }

    fn header(&self) -> RunHeader {
        let stages = self.scenario.stages.iter().map(|stage| StageHeader {
            name: stage.name.clone(),
            load: stage.load.clone(),
            published: stage.published,
            repeat: stage.repeat.clone(),
            steady: stage.steady,
            slo: stage.slo.clone(),
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
            model: self.scenario.request.models.first().to_owned(),
            prices: Some(self.scenario.request.prices.only(self.scenario.request.models.names())),
            stages: stages.collect(),
        }
    }
}
