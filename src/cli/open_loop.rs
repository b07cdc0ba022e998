//! The flags of `relaybench run` that offer load at times of its own, and those of what is asked.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::wrong_command_line;
use clap::{Args, ValueEnum};
use relaybench::load::{Extent, Load, Prompt, PromptFile, Rate, Scenario, Spacing, Stage, TraceLoad, TraceOptions};
use relaybench_mock::config::Time;

use super::run::at_least_one;

#[derive(Debug, Args)]
pub(super) struct OpenLoopArgs {
    /// Requests a second, like 100 or 30/min, one stage for each, instead of the scenario's stages: sent at their times, whether the
    /// relay keeps up or not
    #[arg(long, value_name = "R,…", value_delimiter = ',', value_parser = rate, conflicts_with_all = ["concurrency", "trace"])]
    rate: Vec<Rate>,
    /// How the requests of --rate are spaced: constant, poisson (independently of each other), gamma (in bursts: see --cv)
    #[arg(long, value_enum, requires = "rate")]
    arrivals: Option<Arrivals>,
    /// The coefficient of variation of the gaps of --arrivals gamma: 1 is poisson, above it is burstier [default: 2]
    #[arg(long, value_name = "X", requires = "arrivals", value_parser = cv)]
    cv: Option<f64>,
    /// Replay the arrivals and lengths of a recorded trace instead of the scenario's stages: Azure or BurstGPT CSV, or Mooncake JSON
    /// Lines
    #[arg(long, value_name = "FILE", conflicts_with = "concurrency")]
    trace: Option<PathBuf>,
    /// What the times of --trace are multiplied by: 0.5 replays it twice as fast
    #[arg(long, value_name = "X", requires = "trace", value_parser = time_scale)]
    time_scale: Option<f64>,
    /// The most requests in flight in an open loop: those beyond wait, and are sent late [default: the scenario's, else no cap]
    #[arg(long, value_name = "N", value_parser = at_least_one::<NonZeroUsize>)]
    max_in_flight: Option<NonZeroUsize>,
    /// Requests sent so soon after a stage's start are not measured [default: the scenario's, else none]
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    warm_up: Option<Time>,
    /// What is asked: a prompt a line, JSON Lines (.jsonl) with prompt or messages, or ShareGPT's JSON (.json)
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arrivals {
    Constant,
    Poisson,
    Gamma,
}

fn rate(text: &str) -> Result<Rate, String> {
    let with_unit = if text.contains('/') { text.to_owned() } else { format!("{text}/s") };
    Rate::parse(&with_unit)
}

/// As wide as the shapes of a gamma distribution are.
fn cv(text: &str) -> Result<f64, String> {
    in_range(text, 0.0317, 4.472)
}

fn time_scale(text: &str) -> Result<f64, String> {
    in_range(text, 1e-6, 1e6)
}

fn in_range(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("write a number from {least} to {most}"))
}

impl OpenLoopArgs {
    /// Replaces the scenario's stages by what the flags say, before other flags change how long they are.
    pub(super) fn override_stages(&self, scenario: &mut Scenario) -> anyhow::Result<()> {
        if self.cv.is_some() && self.arrivals != Some(Arrivals::Gamma) {
            return Err(wrong_command_line("--cv: only --arrivals gamma has one"));
        }
        let Some(first) = scenario.stages.first().cloned() else { return Ok(()) };
        let like_first = |load: Load, extent| Stage { name: load.stage_name(), load, extent, published: None, ..first.clone() };
        if !self.rate.is_empty() {
            let extent = match first.extent {
                Extent::Sessions(_) | Extent::Trace => Extent::Requests(1000),
                extent => extent,
            };
            let stages = self.rate.iter().map(|rate| like_first(self.open_loop(*rate, &first), extent));
            scenario.stages = stages.collect();
            let is_twice = |(i, stage): (usize, &Stage)| scenario.stages[..i].iter().any(|other| other.name == stage.name);
            if scenario.stages.iter().enumerate().any(is_twice) {
                return Err(wrong_command_line("--rate: each rate can be measured once in a run; two are the same"));
            }
        }
        if let Some(file) = &self.trace {
            let options = TraceOptions { time_scale: self.time_scale.unwrap_or(1.0), ..TraceOptions::default() };
            let trace = TraceLoad::read(file.clone(), &options)?;
            scenario.stages = vec![like_first(Load::Trace(trace), Extent::Trace)];
        }
        for stage in &mut scenario.stages {
            if let Some(most) = self.max_in_flight {
                stage.load.cap_in_flight(most).map_err(|kind| {
                    let name = &stage.name;
                    wrong_command_line(format!("--max-in-flight: stage \"{name}\" is {kind}, which has a concurrency instead"))
                })?;
            }
            if let Some(warm_up) = self.warm_up {
                stage.warm_up = warm_up.into();
            }
        }
        if let Some(file) = &self.prompts {
            scenario.request.prompt = Prompt::File(PromptFile::read(file.clone())?);
        }
        Ok(())
    }

    fn open_loop(&self, rate: Rate, first: &Stage) -> Load {
        let spacing = match self.arrivals {
            None => return first.load.at_rate(rate),
            Some(Arrivals::Constant) => Spacing::Constant,
            Some(Arrivals::Poisson) => Spacing::Poisson,
            Some(Arrivals::Gamma) => {
                let cv = self.cv.unwrap_or(2.0);
                Spacing::Gamma(1.0 / (cv * cv))
            }
        };
        Load::open(rate, spacing, first.load.max_in_flight().and_then(NonZeroUsize::new))
    }
}
