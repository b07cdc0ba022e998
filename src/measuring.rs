//! What a way of measuring hides: one relay, measured as a closed loop, in waves and as an open loop, in virtual time.
//!
//! Waves complete less than a closed loop of as many, since each waits for its slowest request. And both send nothing new while they wait,
//! so that a stall meets as many requests as they have in flight, where users would go on coming: coordinated omission. An open loop
//! sends when it was meant to, and counts latency from then.

mod page;
mod plots;

use std::io;
use std::time::Duration;

use relaybench_mock::Profile;
use relaybench_mock::config::LoadError;
use serde::Serialize;
use thiserror::Error;

use crate::client::{Policy, TransportKind, UnknownPolicy};
use crate::load::{InFlight, Load, Outcome, Record, Run, RunError, Sample, Scenario, Sink, Stop};
use crate::stats::{Histogram, Summary, closed_loop_ceiling_rps};
use crate::target::Target;

const RELAY: &str = include_str!("../fixtures/measuring/relay.toml");
const STALLING: &str = include_str!("../fixtures/measuring/stalling.toml");
const LEVELS: &str = include_str!("../fixtures/measuring/levels.toml");
const WAYS: &str = include_str!("../fixtures/measuring/ways.toml");

/// Whoever waits longer than this has noticed a stall.
const NOTICED: Duration = Duration::from_secs(1);

/// What the demonstration measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measuring {
    /// [`Measuring::SCHEMA`].
    pub schema: &'static str,
    /// A relay of constant quality, at several levels.
    pub levels: Vec<Level>,
    /// A relay that stalls once, measured in three ways.
    pub ways: Vec<Way>,
}

/// What a level gives as a closed loop and in waves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Requests in flight.
    pub concurrency: usize,
    /// Mean latency, of the closed loop.
    pub mean_ms: f64,
    /// Concurrency / mean latency: the most that Little's law lets through.
    pub most_rps: f64,
    /// What the closed loop completed in a second of all its time.
    pub closed_rps: f64,
    /// What waves completed in a second of all their time.
    pub waves_rps: f64,
}

/// What one way of measuring says of a relay that stalls.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// Which.
    pub name: String,
    /// Requests that were sent.
    pub requests: u64,
    /// Their latency.
    pub latency_ms: Summary,
    /// Which share of them took longer than a second.
    pub above_1s: f64,
    /// Quantile, from 0 to 1, and latency in milliseconds.
    #[serde(skip)]
    curve: Vec<(f64, f64)>,
}

/// Why nothing could be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MeasuringError {
    /// What is compiled in cannot be read.
    #[error(transparent)]
    BuiltIn(#[from] LoadError),
    /// No such policy.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// A run could not be played.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Measuring {
    /// The schema of the JSON.
    pub const SCHEMA: &str = "relaybench.measuring/1";

    /// Plays all runs, in virtual time: the same figures on every machine, within seconds. It must not be called in a runtime.
    ///
    /// # Errors
    ///
    /// When a run cannot be played.
    pub fn play() -> Result<Self, MeasuringError> {
        Ok(Self { schema: Self::SCHEMA, levels: levels()?, ways: ways()? })
    }

    /// As JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("it has only string keys and finite numbers");
        json.push('\n');
        json
    }
}

fn levels() -> Result<Vec<Level>, MeasuringError> {
    let scenario = scenario(LEVELS)?;
    let stages = play(scenario.clone(), RELAY)?;
    let of = |wanted: Load| {
        let places = scenario.stages.iter().zip(&stages);
        places.filter(|(stage, _)| stage.load == wanted).map(|(_, played)| played).next()
    };
    let level = |load: &Load| {
        let Load::Closed { concurrency } = *load else { return None };
        let (closed, waves) = (of(load.clone())?, of(Load::Waves { concurrency })?);
        let mean = closed.latency.mean()?;
        Some(Level {
            concurrency: concurrency.get(),
            mean_ms: mean.as_secs_f64() * 1e3,
            most_rps: closed_loop_ceiling_rps(concurrency.get(), mean),
            closed_rps: closed.throughput_rps(),
            waves_rps: waves.throughput_rps(),
        })
    };
    Ok(scenario.stages.iter().filter_map(|stage| level(&stage.load)).collect())
}

fn ways() -> Result<Vec<Way>, MeasuringError> {
    let scenario = scenario(WAYS)?;
    let way = |stage: &crate::load::Stage| {
        // A relay of its own: its time, and so its stall, begins with the run.
        let alone = Scenario { stages: vec![stage.clone()], ..scenario.clone() };
        let played = play(alone, STALLING)?.pop().unwrap_or_default();
        Ok(Way {
            name: stage.name.clone(),
            requests: played.latency.len(),
            latency_ms: played.latency.summary(),
            above_1s: played.noticed as f64 / played.latency.len().max(1) as f64,
            curve: plots::curve(&played.latency),
        })
    };
    scenario.stages.iter().map(way).collect()
}

/// What came of a stage: all its requests and all its time.
#[derive(Clone, Debug, Default)]
struct Played {
    latency: Histogram,
    noticed: u64,
    duration: Duration,
}

impl Played {
    fn throughput_rps(&self) -> f64 {
        self.latency.len() as f64 / self.duration.as_secs_f64()
    }

    fn add(&mut self, sample: &Sample) {
        if let (Outcome::Succeeded, Some(latency)) = (&sample.outcome, sample.latency()) {
            self.latency.record(latency);
            self.noticed += u64::from(latency > NOTICED);
        }
    }
}

impl Sink for Vec<Played> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Run(header) => self.resize_with(header.stages.len(), Played::default),
            Record::Sample(sample) => self[sample.stage as usize].add(sample),
            Record::Stage(end) => self[end.stage as usize].duration = end.duration,
        }
        Ok(())
    }
}

fn scenario(toml: &str) -> Result<Scenario, MeasuringError> {
    Ok(Scenario::parse(toml, "fixtures/measuring").map_err(LoadError::from)?)
}

fn play(scenario: Scenario, profile: &str) -> Result<Vec<Played>, MeasuringError> {
    let target = Target::Virtual(Profile::parse(profile, "fixtures/measuring").map_err(LoadError::from)?);
    let policy = Policy::named(&scenario.policy)?;
    let run = Run { scenario, policy, target, transport: TransportKind::Hyper, catalog: None };
    let (stages, played) = run.play(&Stop::default(), &InFlight::default(), Vec::new());
    played?;
    Ok(stages)
}
